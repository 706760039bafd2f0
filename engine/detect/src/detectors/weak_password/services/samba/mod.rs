//! Samba's users, in smbpasswd(5) or passdb.tdb: NT hashes, the MD4 of the password in UTF-16.

mod tdb;

use pratique_crypt::{Algorithm, SaltedDigest, Stored, hex};

use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "samba",
    name: "Samba",
    globs: &["**/smbpasswd"],
    stores: &["**/passdb.tdb"],
    words: &["samba", "smb", "share", "windows"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if file.path.ends_with(b".tdb") {
        return tdb::read(file, reading);
    }
    let text = text(file);
    for (number, line) in lines(&text, &['#'], reading) {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _uid, _lan_manager, nt, flags, ..] = fields.as_slice() else { continue };
        // D: disabled; N: no password; without U it is no user but a machine or another domain.
        if flags.contains('D') || !flags.contains('U') {
            continue;
        }
        if flags.contains('N') || nt.starts_with("NO PASSWORD") {
            reading.open(
                name,
                format!("its user {} needs no password", word(name)),
                Rank::User,
                Some(number),
            );
        } else if let Some(digest) = hex(nt) {
            reading.stored(name, nt_hash(digest), Rank::User, Some(number));
        }
    }
}

/// A password by its NT hash.
fn nt_hash(digest: Vec<u8>) -> Stored {
    Stored::Digest(SaltedDigest { wide: true, ..SaltedDigest::plain(Algorithm::Md4, digest) })
}
