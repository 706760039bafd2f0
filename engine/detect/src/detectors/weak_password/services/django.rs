//! Users of Django's applications in db.sqlite3
//! (<https://docs.djangoproject.com/en/stable/topics/auth/passwords/>).

use pratique_core::GapKind;
use pratique_core::database::sqlite;
use pratique_crypt::{Algorithm, SaltedDigest, Stored, base64, hex};

use super::store::{column, is_set};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "django",
    name: "the Django application",
    stores: &["**/db.sqlite3", "**/*django*.sqlite3"],
    words: &["django", "admin", "superuser"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    // Other programs call their databases so, too.
    let columns = ["username", "password", "is_superuser", "is_active"];
    let read = sqlite::rows_if_any(file, "auth_user", &columns, &mut |row| {
        let [name, password] = [0, 1].map(|at| column(row, at).unwrap_or_default());
        // `!` and something random: nobody logs in by a password.
        if password.is_empty() || password.starts_with('!') || !is_set(row, 3) {
            return;
        }
        match stored(password) {
            Some(stored) => reading.stored(name, stored, Rank::of(is_set(row, 2)), None),
            None => {
                let scheme = password.split('$').next().unwrap_or_default();
                let reason = format!(
                    "the password of user {}: hashes of {} cannot be verified",
                    word(name),
                    word(scheme)
                );
                reading.problem(GapKind::Unsupported, reason);
            }
        }
    });
    if let Err((kind, reason)) = read {
        reading.problem(kind, reason);
    }
}

/// `algorithm$…`, with what stands behind it as the algorithm has it.
fn stored(text: &str) -> Option<Stored> {
    let (scheme, rest) = text.split_once('$')?;
    let fields: Vec<&str> = rest.split('$').collect();
    let algorithm = match scheme {
        // Their own forms.
        "argon2" => return Some(Stored::Crypt(format!("${rest}"))),
        "bcrypt" => return Some(Stored::Crypt(rest.to_owned())),
        "scrypt" => return scrypt(&fields),
        "md5" => Algorithm::Md5,
        "sha1" | "pbkdf2_sha1" => Algorithm::Sha1,
        "pbkdf2_sha256" => Algorithm::Sha256,
        _ => return None,
    };
    match fields.as_slice() {
        [salt, digest] => {
            let digest = hex(digest).filter(|digest| digest.len() == algorithm.length())?;
            let before = salt.as_bytes().to_vec();
            Some(Stored::Digest(SaltedDigest { before, ..SaltedDigest::plain(algorithm, digest) }))
        }
        [rounds, salt, key] => {
            let digest = base64(key).filter(|digest| digest.len() == algorithm.length())?;
            Stored::pbkdf2(algorithm, salt.as_bytes().to_vec(), rounds.parse().ok()?, digest)
        }
        _ => None,
    }
}

/// `rounds$salt$r$p$key`.
fn scrypt(fields: &[&str]) -> Option<Stored> {
    let [rounds, salt, r, p, key] = fields else { return None };
    let (salt, key) = (salt.as_bytes().to_vec(), base64(key)?);
    Stored::scrypt(rounds.parse().ok()?, r.parse().ok()?, p.parse().ok()?, salt, key)
}
