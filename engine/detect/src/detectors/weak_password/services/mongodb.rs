//! MongoDB: whether mongod.conf turns authorization on
//! (<https://www.mongodb.com/docs/manual/reference/configuration-options/>). The accounts themselves lie in WiredTiger's
//! compressed files, which are not read: a store is a gap.

use pratique_core::GapKind;

use super::text::{lines, text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "mongodb",
    name: "MongoDB",
    globs: &["**/mongod*.conf", "**/mongodb.conf", "**/_mdb_catalog.wt"],
    words: &["mongo", "mongodb", "admin"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if file.path.ends_with(b".wt") {
        let reason =
            "the accounts of the MongoDB here are in WiredTiger's compressed files, which are not read";
        reading.problem(GapKind::Unsupported, reason);
        return;
    }
    let text = text(file);
    // YAML of two levels, and the older `key = value`.
    let mut section = "";
    let (mut authorized, mut reachable) = (false, None);
    for line in text.lines() {
        let content = line.split('#').next().unwrap_or_default();
        let Some((key, value)) = content.split_once([':', '=']) else { continue };
        let (key, value) = (key.trim(), unquoted(value));
        if !content.starts_with([' ', '\t']) {
            section = key;
        }
        match key.rsplit('.').next().unwrap_or_default() {
            "authorization" => authorized = value == "enabled",
            "auth" => authorized = value == "true",
            // Members that know each other by key ask everybody for a password, too.
            "keyFile" if section.starts_with("security") || section == "keyFile" => authorized = true,
            "bindIp" | "bind_ip" => reachable = Some(value.split(',').any(|address| !is_own(address.trim()))),
            "bindIpAll" => reachable = Some(value == "true"),
            _ => {}
        }
    }
    let configures = lines(&text, &['#']).next().is_some();
    if configures && !authorized {
        // Since 3.6 it listens to its own machine alone unless it is told otherwise.
        let rank = if reachable == Some(true) { Rank::Administrator } else { Rank::Limited };
        reading.open("", "it asks for no password: authorization is not enabled", rank, None);
    }
}

fn is_own(address: &str) -> bool {
    address.starts_with("127.") || matches!(address, "localhost" | "::1") || address.starts_with('/')
}
