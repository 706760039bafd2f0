//! `data.mdb`: entries as slapd's backend mdb keeps them since OpenLDAP 2.5 (back-mdb's attr.c and id2entry.c; those of 2.4
//! differ only in what is not read here): names of attributes in the database `ad2i`, entries in `id2e`.
//!
//! An entry is four numbers, then for each attribute its name's number, how many values it has and how long they are; behind these
//! lie the values, each with a zero behind it.

use std::collections::HashMap;

use pratique_core::GapKind;
use pratique_core::database::Problem;
use pratique_core::database::lmdb::Lmdb;
use pratique_core::database::pages::at;
use pratique_core::inspect::FileInput;

use super::super::Reading;
use super::password;

/// Numbers before an entry's attributes.
const HEAD: usize = 4;
/// Beside an attribute's number: sorted; its values lie elsewhere.
const SORTED: u32 = 1 << 31;
const ELSEWHERE: u32 = 1 << 30;
/// Beside the number of its values: they are there a second time, normalised.
const NORMALISED: u32 = 1 << 31;

pub(super) fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if let Err((kind, reason)) = entries(file, reading) {
        reading.problem(kind, reason);
    }
}

fn entries(file: &FileInput<'_>, reading: &mut Reading) -> Result<(), Problem> {
    let mut lmdb = Lmdb::open(file)?;
    let mut names = HashMap::new();
    lmdb.entries(b"ad2i", &mut |number, name| {
        names.insert(u32::from_le_bytes(at(number, 0)), String::from_utf8_lossy(name).to_ascii_lowercase());
    })?;
    lmdb.entries(b"id2e", &mut |id, entry| {
        if account(entry, &names, reading).is_none() {
            let id = u64::from_le_bytes(at(id, 0));
            reading.problem(GapKind::Malformed, format!("its entry {id} is not laid out as entries are"));
        }
    })
}

/// Notes the passwords of one entry; none if it is damaged.
fn account(entry: &[u8], names: &HashMap<u32, String>, reading: &mut Reading) -> Option<()> {
    let number = |place: usize| {
        let start = place.checked_mul(4)?;
        Some(u32::from_le_bytes(*entry.get(start..)?.first_chunk()?))
    };
    let (attributes, values) = (number(0)?, number(1)?);
    if values == 0 {
        return Some(());
    }
    let mut place = HEAD;
    let mut value = place.checked_add(number(HEAD - 1)? as usize)?.checked_mul(4)?;
    let (mut user, mut role, mut passwords) = (None, None, Vec::new());
    for _ in 0..attributes {
        let (attribute, count) = (number(place)?, number(place + 1)?);
        place += 2;
        let name = names.get(&(attribute & !(SORTED | ELSEWHERE))).map_or("", String::as_str);
        if attribute & ELSEWHERE != 0 {
            if name == "userpassword" {
                reading.problem(GapKind::Unsupported, "passwords of an entry with very many are not read");
            }
            continue;
        }
        let copies = if count & NORMALISED != 0 { 2 } else { 1 };
        let count = count & !NORMALISED;
        for at in 0..u64::from(count) * copies {
            let end = value.checked_add(number(place)? as usize)?;
            let bytes = entry.get(value..end)?;
            (place, value) = (place + 1, end + 1);
            match name {
                "uid" if user.is_none() => user = Some(bytes),
                "cn" if role.is_none() => role = Some(bytes),
                "userpassword" if at < u64::from(count) => passwords.push(bytes),
                _ => {}
            }
        }
    }
    // As it would be called by its distinguished name, which lies elsewhere.
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let dn = match (user, role) {
        (Some(uid), _) => format!("uid={}", text(uid)),
        (None, Some(cn)) => format!("cn={}", text(cn)),
        (None, None) => String::new(),
    };
    passwords.into_iter().for_each(|stored| password(&dn, &text(stored), None, reading));
    Some(())
}
