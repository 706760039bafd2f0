//! Gitea and Forgejo: users in gitea.db, by PBKDF2 with SHA-256, argon2, scrypt or bcrypt
//! (<https://docs.gitea.com/administration/config-cheat-sheet#security-security>, `PASSWORD_HASH_ALGO`).

use pratique_core::GapKind;
use pratique_core::database::sqlite;
use pratique_crypt::{Algorithm, Stored, hex};

use super::store::{column, is_set};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "gitea",
    name: "Gitea",
    stores: &["**/gitea.db", "**/forgejo.db"],
    words: &["gitea", "forgejo", "git", "gitea_admin"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let columns = ["name", "passwd", "salt", "passwd_hash_algo", "is_admin", "prohibit_login"];
    let read = sqlite::rows(file, "user", &columns, &mut |row| {
        let [name, password, salt, algorithm] = [0, 1, 2, 3].map(|at| column(row, at).unwrap_or_default());
        // Without a password it is an organisation, or another program vouches for it.
        if password.is_empty() || is_set(row, 5) {
            return;
        }
        match stored(password, salt, algorithm) {
            Some(stored) => reading.stored(name, stored, Rank::of(is_set(row, 4)), None),
            None => {
                let reason = format!(
                    "the password of user {}: hashes by {} cannot be verified",
                    word(name),
                    word(algorithm)
                );
                reading.problem(GapKind::Unsupported, reason);
            }
        }
    });
    if let Err((kind, reason)) = read {
        reading.problem(kind, reason);
    }
}

/// A key by `pbkdf2$rounds$bytes`, `argon2$passes$memory$lanes$bytes` or `scrypt$rounds$r$p$bytes`, or, without those numbers,
/// as its first versions have it; or bcrypt's own form.
fn stored(password: &str, salt: &str, algorithm: &str) -> Option<Stored> {
    let (scheme, numbers) = algorithm.split_once('$').unwrap_or((algorithm, ""));
    let numbers = match (scheme, numbers) {
        ("bcrypt", _) => return Some(Stored::Crypt(password.to_owned())),
        ("" | "pbkdf2", "") => "10000$50",
        ("argon2", "") => "2$65536$8$50",
        ("scrypt", "") => "65536$16$2$50",
        (_, numbers) => numbers,
    };
    let numbers: Vec<u32> = numbers.split('$').map(str::parse).collect::<Result<_, _>>().ok()?;
    // Salts are hexadecimal digits, but for the oldest, which are ten characters as they stand.
    let salt = if salt.len() == 10 { salt.as_bytes().to_vec() } else { hex(salt)? };
    let length = usize::try_from(*numbers.last()?).ok()?;
    let digest = hex(password).filter(|digest| digest.len() == length)?;
    match (scheme, numbers.as_slice()) {
        ("" | "pbkdf2", [iterations, _]) => Stored::pbkdf2(Algorithm::Sha256, salt, *iterations, digest),
        ("argon2", [passes, memory, lanes, _]) => {
            let setting = format!("argon2id$v=19$m={memory},t={passes},p={lanes}");
            Some(Stored::argon2(&setting, &salt, &digest))
        }
        ("scrypt", [rounds, r, p, _]) => Stored::scrypt(u64::from(*rounds), *r, *p, salt, digest),
        _ => None,
    }
}
