//! MySQL's `.mylogin.cnf` (mysql_config_editor): settings in lines, each sealed by AES with a key that lies in the file itself, so
//! that they are hidden from whoever looks over a shoulder, and from nobody else
//! (<https://dev.mysql.com/doc/refman/8.4/en/mysql-config-editor.html>).

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, KeyInit};

/// The file's name.
const NAME: &[u8] = b".mylogin.cnf";
/// Bytes that are always zero, of what the key is made of, of the key, and of a line's length.
const UNUSED: usize = 4;
const LONG_KEY: usize = 20;
const KEY: usize = 16;
const LENGTH: usize = 4;

/// Whether a file of this path is one.
pub(super) fn is(path: &[u8]) -> bool {
    path.rsplit(|byte| *byte == b'/').next() == Some(NAME)
}

/// A file's lines, each with the place where it begins in the file; and whether these are all.
pub(super) fn lines(bytes: &[u8]) -> (Vec<(usize, Vec<u8>)>, bool) {
    let mut lines = Vec::new();
    let Some((long, mut rest)) = bytes.get(UNUSED..).and_then(|rest| rest.split_first_chunk::<LONG_KEY>())
    else {
        return (lines, false);
    };
    let mut key = [0; KEY];
    long.iter().enumerate().for_each(|(at, byte)| key[at % KEY] ^= byte);
    let cipher = Aes128::new(&key.into());
    while let Some((length, after)) = rest.split_first_chunk::<LENGTH>() {
        let start = bytes.len() - after.len();
        let Some((sealed, later)) = after.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            break;
        };
        let Some(line) = opened(&cipher, sealed) else { break };
        lines.push((start, line));
        rest = later;
    }
    (lines, rest.is_empty())
}

/// A line as it was before it was sealed; PKCS #7 says how it was filled up.
fn opened(cipher: &Aes128, sealed: &[u8]) -> Option<Vec<u8>> {
    let (blocks, []) = sealed.as_chunks::<KEY>() else { return None };
    let mut line = Vec::with_capacity(sealed.len());
    for block in blocks {
        let mut block = (*block).into();
        cipher.decrypt_block(&mut block);
        line.extend_from_slice(&block);
    }
    let filled = usize::from(*line.last()?);
    let length = line.len().checked_sub(filled).filter(|_| (1..=KEY).contains(&filled))?;
    line.truncate(length);
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pratique_crypt::hex;

    /// By OpenSSL, as the documentation of MySQL's file describes it: lines of two groups of settings.
    const FILE: &str = "000000000b30557a9fc4e90e33587da2c7ec11365b80a5ca10000000f172ffe87c46b00631228fcab0415d94100000005fad05b903771843157c87b8d0fa59892000000072be139696e565a9224ab298bb886c8f7f0dab5a6d1744df56c992190565665f20000000c2c71c4c4422f31b18e372a070b6a7ecf52ad7e32b1d33d452155b1dec6fcf8a100000008a7aa8ab58bc22a6aa668077e8e30e4810000000108ca534afd341d5caa4728d7de040d0200000006d1cf40c21504d83c8e49d94df3dfcb9ea87f83e0c0d38227878564b6e4af445";

    #[test]
    fn lines_are_those_that_were_sealed() {
        let (lines, is_whole) = lines(&hex(FILE).unwrap());
        let text: Vec<u8> = lines.iter().flat_map(|(_, line)| line).copied().collect();
        let expected = "[client]\nuser = \"ann\"\npassword = \"red-kettle27\"\nhost = \"db.pinewood.net\"\n[shop]\nuser = bob\npassword = abc8\n";
        assert_eq!((std::str::from_utf8(&text), is_whole), (Ok(expected), true));
        assert_eq!(lines[0].0, 28);
    }

    #[test]
    fn a_file_that_breaks_off_is_read_as_far_as_it_goes() {
        let file = hex(FILE).unwrap();
        for length in 0..file.len() {
            let (some, is_whole) = lines(&file[..length]);
            // Some lengths are those of fewer lines.
            assert!(some.len() < 7 && (!is_whole || length >= UNUSED + LONG_KEY), "{length}");
        }
        assert_eq!(lines(b"[client]\npassword = red-kettle27\n").0, []);
    }

    #[test]
    fn passwords_in_it_are_told_and_what_is_no_such_file_is_a_gap() {
        let judged = |path: &[u8], bytes: Vec<u8>| {
            let mut search = super::super::notes::Search::new(path, false, None);
            let piece = pratique_core::inspect::Piece { bytes: &bytes, offset: 0, seen: 0, last: true };
            crate::Stream::take(&mut search, &piece);
            let report = crate::Stream::finish(Box::new(search));
            let noted = report.facts.iter().map(|fact| serde_json::from_slice(&fact.0).unwrap());
            let secrets = noted.flat_map(|noted: super::super::notes::Noted| noted.secrets);
            let secrets: Vec<_> = secrets.map(|secret| (secret.shape, secret.masked)).collect();
            (secrets, report.problems.len())
        };
        let told = |masked: &str| ("stored-password".to_owned(), masked.to_owned());
        let file = hex(FILE).unwrap();
        assert_eq!(judged(b"root/.mylogin.cnf", file.clone()), (vec![told("red-****"), told("a****")], 0));
        assert_eq!(judged(b"root/mylogin.cnf.bak", file.clone()), (vec![], 0), "another file");
        assert_eq!(judged(b"root/.mylogin.cnf", file[..24].to_vec()), (vec![], 0), "no logins");
        assert_eq!(judged(b"root/.mylogin.cnf", file[..40].to_vec()), (vec![], 1));
    }
}
