//! `passdb.tdb`: users in Samba's trivial database (<https://wiki.samba.org/index.php/TDB>; records as in tdb_private.h,
//! users as pdb_interface.c packs them).

use pratique_core::GapKind;
use pratique_core::inspect::FileInput;

use super::super::store::beginning;
use super::super::{Rank, Reading};
use super::nt_hash;

/// Bytes read.
const LIMIT: usize = 16 << 20;
const MAGIC: &[u8] = b"TDB file\n";
/// Bytes of the header, before the table of hashes; of a record's header.
const HEADER: usize = 168;
const RECORD: usize = 24;
/// Marks a record that is in use.
const USED: u32 = 0x2601_1999;
/// Numbers before the texts, the texts, and numbers behind them; then two hashes.
const NUMBERS: usize = 7;
const TEXTS: usize = 12;
const IDENTIFIERS: usize = 2;
/// Bits of an account: disabled, without a password, a user's.
const DISABLED: u32 = 0x01;
const NO_PASSWORD: u32 = 0x04;
const NORMAL: u32 = 0x10;
/// Bytes of an NT hash.
const HASH: usize = 16;

pub(super) fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let bytes = beginning(file, LIMIT, reading);
    let number = |at: usize| {
        bytes.get(at..at + 4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let (true, Some(hashes)) = (bytes.starts_with(MAGIC), number(36)) else {
        return reading.problem(GapKind::Malformed, "is no trivial database of a little-endian machine");
    };
    // Records lie behind each other; what follows the last one is empty.
    let mut at = HEADER + 4 * (hashes as usize + 1);
    while let (Some(length), Some(key), Some(data), Some(magic)) =
        (number(at + 4), number(at + 8), number(at + 12), number(at + 20))
    {
        let (start, key, data) = (at + RECORD, key as usize, data as usize);
        if magic == USED
            && let Some(name) = bytes.get(start..start + key).and_then(|key| key.strip_prefix(b"USER_"))
        {
            let name = String::from_utf8_lossy(name.strip_suffix(b"\0").unwrap_or(name));
            match bytes.get(start + key..start + key + data).and_then(Account::of) {
                Some(account) => account.note(&name, reading),
                None => reading.problem(GapKind::Malformed, format!("the record of user {name} breaks off")),
            }
        }
        at = start + length as usize;
    }
}

/// What is wanted of a user's record.
struct Account<'a> {
    nt: &'a [u8],
    control: u32,
}

impl<'a> Account<'a> {
    fn of(record: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(record);
        for _ in 0..NUMBERS {
            fields.number()?;
        }
        for _ in 0..TEXTS {
            fields.bytes()?;
        }
        for _ in 0..IDENTIFIERS {
            fields.number()?;
        }
        let (_lan_manager, nt, _history) = (fields.bytes()?, fields.bytes()?, fields.bytes()?);
        Some(Self { nt, control: fields.number()? })
    }

    fn note(&self, name: &str, reading: &mut Reading) {
        if self.control & DISABLED != 0 || self.control & NORMAL == 0 {
            return;
        }
        if self.control & NO_PASSWORD != 0 {
            reading.open(name, format!("its user {name} needs no password"), Rank::User, None);
        } else if self.nt.len() == HASH {
            reading.stored(name, nt_hash(self.nt.to_vec()), Rank::User, None);
        }
    }
}

/// Packed fields.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    /// Bytes with their number before them.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}
