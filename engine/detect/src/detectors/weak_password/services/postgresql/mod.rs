//! PostgreSQL: roles in the table pg_authid, and hosts in pg_hba.conf that are trusted
//! (<https://www.postgresql.org/docs/current/auth-pg-hba-conf.html>).

mod heap;

use pratique_crypt::{Algorithm, SaltedDigest, Stored, hex};

use super::text::{arguments, lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "postgresql",
    name: "PostgreSQL",
    globs: &["**/pg_hba.conf"],
    // 1260 until the table is written anew, then a number that the file pg_filenode.map tells: what the others hold looks
    // otherwise.
    stores: &["**/global/1260", "**/global/?????", "**/global/??????"],
    words: &["postgres", "postgresql", "mysecretpassword"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if !file.path.ends_with(b".conf") {
        return heap::read(file, reading);
    }
    let text = text(file);
    for (number, line) in lines(&text, &['#'], reading) {
        let arguments = arguments(line);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (address, method) = match words.as_slice() {
            ["host" | "hostssl" | "hostnossl" | "hostgssenc" | "hostnogssenc", _, _, address, rest @ ..] => {
                // An address may have its mask behind it.
                let mask = rest.first().is_some_and(|word| word.contains(['.', ':']));
                (*address, rest.get(usize::from(mask)))
            }
            _ => continue,
        };
        let own = address.starts_with("127.") || address.starts_with("::1") || address == "localhost";
        if method == Some(&"trust") && !own {
            let reason = format!("it asks nobody from {} for a password", crate::signs::word(address));
            reading.open("", reason, Rank::Administrator, Some(number));
        }
    }
}

/// A password as a role has it: `md5` and the digest of password and name, or SCRAM; none if it is of neither form.
pub(super) fn stored(role: &str, text: &str) -> Option<Stored> {
    let md5 = || {
        let digest = hex(text.strip_prefix("md5")?).filter(|digest| digest.len() == 16)?;
        let after = role.as_bytes().to_vec();
        Some(Stored::Digest(SaltedDigest { after, ..SaltedDigest::plain(Algorithm::Md5, digest) }))
    };
    Stored::scram(text).or_else(md5)
}
