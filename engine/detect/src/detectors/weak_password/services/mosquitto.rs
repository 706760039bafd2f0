//! Mosquitto: its file of passwords, as mosquitto_passwd(1) writes it, and listeners that let everybody in
//! (<https://mosquitto.org/man/mosquitto-conf-5.html>).

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, SaltedDigest, Stored, base64};

use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "mosquitto",
    name: "Mosquitto",
    globs: &[
        "**/mosquitto/**/*passwd",
        "**/mosquitto/**/*passwords",
        "**/mosquitto/**/*passw*file",
        "**/mosquitto/**/*passw*.txt",
        "**/mosquitto/**/pwfile*",
        "**/mosquitto*.passwd",
        "**/mosquitto.conf",
        "**/mosquitto/conf.d/*.conf",
    ],
    words: &["mosquitto", "mqtt", "mqttuser"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    if file.path.ends_with(b".conf") {
        return configuration(&text, reading);
    }
    for (number, line) in lines(&text, &['#'], reading) {
        let Some((name, hash)) = line.split_once(':') else { continue };
        match stored(hash) {
            Some(stored) => reading.stored(name, stored, Rank::User, Some(number)),
            None if hash.starts_with('$') => {
                let reason = format!("line {number}, user {}: its hash is none of Mosquitto's", word(name));
                reading.problem(GapKind::Malformed, reason);
            }
            // Files wait so for mosquitto_passwd -U; the broker itself lets nobody in by it.
            None => reading.plain(name, hash, Rank::User, Some(number)),
        }
    }
}

/// `$6$salt$digest`, SHA-512 of password and salt, `$7$rounds$salt$key`, PBKDF2 with it, or argon2's own form; none if it is
/// of no such form.
fn stored(hash: &str) -> Option<Stored> {
    if hash.starts_with("$argon2") {
        return Some(Stored::Crypt(hash.to_owned()));
    }
    let fields: Vec<&str> = hash.split('$').collect();
    let digest = base64(fields.last()?).filter(|digest| digest.len() == Algorithm::Sha512.length())?;
    match fields.as_slice() {
        ["", "6", salt, _] => {
            let after = base64(salt)?;
            Some(Stored::Digest(SaltedDigest { after, ..SaltedDigest::plain(Algorithm::Sha512, digest) }))
        }
        ["", "7", rounds, salt, _] => {
            Stored::pbkdf2(Algorithm::Sha512, base64(salt)?, rounds.parse().ok()?, digest)
        }
        _ => None,
    }
}

fn configuration(text: &str, reading: &mut Reading) {
    let (mut anonymous, mut listens) = (None, false);
    for (number, line) in lines(text, &['#'], reading) {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["allow_anonymous", value] => anonymous = (*value == "true").then_some(number),
            // Without one it listens to its own machine alone.
            ["listener" | "port", _] => listens = true,
            ["listener" | "port", _, address] => {
                listens |= !matches!(*address, "localhost" | "127.0.0.1" | "::1")
            }
            _ => {}
        }
    }
    if let Some(number) = anonymous {
        let rank = if listens { Rank::User } else { Rank::Limited };
        reading.open("", "everybody may publish and subscribe (allow_anonymous)", rank, Some(number));
    }
}
