//! Dovecot's files of users, `name:{SCHEME}password:…`
//! (<https://doc.dovecot.org/2.3/configuration_manual/authentication/password_schemes/>).

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, HashError, SaltedDigest, Stored, base64, hex};

use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "dovecot",
    name: "Dovecot",
    globs: &[
        "**/dovecot/users",
        "**/dovecot/**/*passwd",
        "**/dovecot/**/*passwords",
        "**/dovecot*.passwd",
        "**/dovecot-users",
        "**/dovecot.users",
    ],
    words: &["dovecot", "mail", "imap", "postmaster"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    for (number, line) in lines(&text, &['#'], reading) {
        let mut fields = line.split(':');
        let (Some(name), Some(field)) = (fields.next(), fields.next()) else { continue };
        if field.is_empty() || super::is_placeholder(field) {
            continue;
        }
        match stored(field) {
            // A word that is no hash: nobody logs in.
            Ok(Stored::Crypt(hash)) if matches!(pratique_crypt::parse(&hash), Err(HashError::NotAHash)) => {}
            Ok(stored) => reading.stored(name, stored, Rank::User, Some(number)),
            Err(reason) => {
                let reason = format!("line {number}, user {}: {reason}", word(name));
                reading.problem(GapKind::Unsupported, reason);
            }
        }
    }
}

/// Without a scheme it is one of crypt(3), the default. An encoding may stand behind the scheme: `.hex`, `.b64`.
fn stored(field: &str) -> Result<Stored, String> {
    let Some((scheme, rest)) = field.strip_prefix('{').and_then(|field| field.split_once('}')) else {
        return Ok(Stored::Crypt(field.to_owned()));
    };
    let scheme = scheme.to_ascii_uppercase();
    let (name, encoding) = scheme.split_once('.').unwrap_or((&scheme, ""));
    let plain_digest = |algorithm: Algorithm, digest: Option<Vec<u8>>| {
        let digest = digest.filter(|digest: &Vec<u8>| digest.len() == algorithm.length());
        let stored = digest.map(|digest| Stored::Digest(SaltedDigest::plain(algorithm, digest)));
        stored.ok_or_else(|| "what follows its scheme is no digest".to_owned())
    };
    match name {
        "PLAIN" | "CLEARTEXT" | "CLEAR" if encoding.is_empty() => Ok(Stored::plain(rest.as_bytes())),
        "CRYPT" | "DES-CRYPT" | "MD5-CRYPT" | "SHA256-CRYPT" | "SHA512-CRYPT" | "BLF-CRYPT" | "ARGON2I"
        | "ARGON2ID" => Ok(Stored::Crypt(rest.to_owned())),
        "PLAIN-MD5" if encoding.is_empty() => plain_digest(Algorithm::Md5, hex(rest)),
        "LDAP-MD5" => plain_digest(Algorithm::Md5, base64(rest)),
        "SHA1" => plain_digest(Algorithm::Sha1, base64(rest)),
        "PBKDF2" => pbkdf2(rest).ok_or_else(|| "what follows is not salt, rounds and key".to_owned()),
        "SHA" | "SSHA" | "SHA256" | "SSHA256" | "SHA512" | "SSHA512" | "SMD5"
            if matches!(encoding, "" | "B64" | "BASE64") =>
        {
            Stored::ldap(&format!("{{{name}}}{rest}")).map_err(|error| error.to_string())
        }
        _ => Err(format!("hashes of scheme {} cannot be verified", word(&scheme))),
    }
}

/// `$1$salt$rounds$key`, with SHA-1; the salt as it stands.
fn pbkdf2(text: &str) -> Option<Stored> {
    let fields: Vec<&str> = text.split('$').collect();
    let ["", "1", salt, rounds, key] = fields.as_slice() else { return None };
    let digest = hex(key).filter(|key| key.len() == Algorithm::Sha1.length())?;
    Stored::pbkdf2(Algorithm::Sha1, salt.as_bytes().to_vec(), rounds.parse().ok()?, digest)
}
