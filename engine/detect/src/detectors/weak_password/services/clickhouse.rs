//! ClickHouse: users in users.xml and beside it, by their password or its digest
//! (<https://clickhouse.com/docs/operations/settings/settings-users>).

use std::collections::BTreeMap;

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, SaltedDigest, Stored};

use super::text::text;
use super::xml::elements;
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "clickhouse",
    name: "ClickHouse",
    globs: &[
        "**/clickhouse-server/users.xml",
        "**/clickhouse-server/users.d/*.xml",
        "**/clickhouse*/users.xml",
    ],
    words: &["clickhouse", "default"],
    read,
    ..Service::NEW
};

/// A user whose elements were seen.
#[derive(Default)]
struct User {
    /// Kind of password and what is written there.
    password: Option<(String, String)>,
    /// Networks that may log in; of several files the one that names none lets all in.
    networks: Vec<String>,
}

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let mut users = BTreeMap::<String, User>::new();
    elements(&text, reading, &mut |path, element| {
        // Its root was called yandex, once.
        let [_, "users", name, rest @ ..] = path else { return };
        match rest {
            ["networks", "ip"] => {
                users.entry((*name).to_owned()).or_default().networks.push(element.text().to_owned());
            }
            // `from_env` fills it in.
            [kind @ ("password" | "password_sha256_hex" | "password_double_sha1_hex" | "no_password")]
                if element.attribute("from_env").is_none() =>
            {
                let kind = ((*kind).to_owned(), element.text().to_owned());
                users.entry((*name).to_owned()).or_default().password = Some(kind);
            }
            _ => {}
        }
    });
    for (name, User { password, networks }) in users {
        let Some((kind, value)) = password else { continue };
        let is_own = |network: &String| network.starts_with("127.") || network.starts_with("::1");
        let own = !networks.is_empty() && networks.iter().all(is_own);
        let rank = if own { Rank::Limited } else { Rank::of(name == "default") };
        let digest = |algorithm, again| {
            let stored = Stored::hex_digest(algorithm, &value);
            stored.map(|stored| match stored {
                Stored::Digest(digest) => Stored::Digest(SaltedDigest { again, ..digest }),
                other => other,
            })
        };
        let stored = match kind.as_str() {
            "password" if !value.is_empty() => {
                reading.plain(&name, &value, rank, None);
                continue;
            }
            "password_sha256_hex" => digest(Algorithm::Sha256, 0),
            "password_double_sha1_hex" => digest(Algorithm::Sha1, 1),
            _ => {
                reading.open(&name, format!("its user {} needs no password", word(&name)), rank, None);
                continue;
            }
        };
        match stored {
            Some(stored) => reading.stored(&name, stored, rank, None),
            None => {
                reading.problem(GapKind::Malformed, format!("the digest of user {} is none", word(&name)))
            }
        }
    }
}
