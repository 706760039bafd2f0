//! Solr's security.json: SHA-256 of SHA-256 of salt and password
//! (<https://solr.apache.org/guide/solr/latest/deployment-guide/basic-authentication-plugin.html>).

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, SaltedDigest, Stored, base64};

use super::text::{json, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "solr",
    name: "Solr",
    globs: &["**/solr/**/security.json", "**/solr*/security.json"],
    words: &["solr", "SolrRocks", "admin"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let Some(root) = json(&text, reading) else { return };
    // Of several plugins each has its own.
    let one = &root["authentication"];
    let several = one["schemes"].as_array().into_iter().flatten();
    for (name, value) in several.chain([one]).filter_map(|plugin| plugin["credentials"].as_object()).flatten()
    {
        match value.as_str().and_then(stored) {
            Some(stored) => reading.stored(name, stored, Rank::Administrator, None),
            None => {
                let reason = format!("the credentials of user {} are no digest and salt", word(name));
                reading.problem(GapKind::Malformed, reason);
            }
        }
    }
}

fn stored(text: &str) -> Option<Stored> {
    let (digest, salt) = text.split_once(' ')?;
    let (algorithm, digest, before) = (Algorithm::Sha256, base64(digest)?, base64(salt.trim())?);
    (digest.len() == algorithm.length())
        .then(|| Stored::Digest(SaltedDigest { before, again: 1, ..SaltedDigest::plain(algorithm, digest) }))
}
