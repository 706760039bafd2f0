//! Tomcat's tomcat-users.xml: passwords as they are typed, or digested by a CredentialHandler
//! (<https://tomcat.apache.org/tomcat-10.1-doc/realm-howto.html#Digested_Passwords>). Which of them server.xml decides; a
//! value that may be either is tried as both.

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, Pbkdf2, SaltedDigest, Stored, hex};

use super::text::text;
use super::xml::elements;
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "tomcat",
    name: "Tomcat",
    globs: &["**/tomcat-users*.xml"],
    words: &["tomcat", "s3cret", "admin", "manager", "role1"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let mut users = Vec::new();
    elements(&text, reading, &mut |path, element| {
        let attribute = |name: &str| element.attribute(name).map(str::to_owned);
        if let ([.., "user"], Some(password)) = (path, attribute("password")) {
            let name = attribute("username").or_else(|| attribute("name")).unwrap_or_default();
            users.push((name, password, attribute("roles").unwrap_or_default()));
        }
    });
    for (name, password, roles) in users {
        let administers = roles.split(',').any(|role| role.contains("manager") || role.contains("admin"));
        if super::is_placeholder(&password) {
            continue;
        }
        match stored(&password) {
            Ok(stored) => reading.stored(&name, stored, Rank::of(administers), None),
            Err(error) => {
                reading.problem(GapKind::Unsupported, format!("the password of {}: {error}", word(&name)))
            }
        }
    }
}

fn stored(password: &str) -> Result<Stored, pratique_crypt::HashError> {
    let plain = Stored::plain(password.as_bytes());
    let fields: Vec<&str> = password.split('$').collect();
    if let [salt, iterations, digest] = fields.as_slice()
        && let (Some(salt), Ok(iterations), Some(digest)) =
            (hex(salt), iterations.parse::<u32>(), hex(digest))
        && iterations > 0
        && let Some(algorithm) = Algorithm::of_length(digest.len())
    {
        let salted = SaltedDigest {
            before: salt.clone(),
            again: iterations - 1,
            ..SaltedDigest::plain(algorithm, digest.clone())
        };
        // Keys of 160 bits are its default, whatever the algorithm; PBKDF2WithHmacSHA512 is what its documents show.
        let derived = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| {
            let (salt, digest) = (salt.clone(), digest.clone());
            Stored::Pbkdf2(Pbkdf2 { algorithm, salt, iterations, scram: false, digest })
        });
        return Ok(Stored::OneOf([Stored::Digest(salted)].into_iter().chain(derived).collect()));
    }
    if let Some(digest) =
        Algorithm::of_length(password.len() / 2).and_then(|algorithm| Stored::hex_digest(algorithm, password))
    {
        return Ok(Stored::OneOf(vec![plain, digest]));
    }
    // `{SSHA}` and its like; but a password may begin with a brace, too.
    Ok(Stored::ldap(password).unwrap_or(plain))
}
