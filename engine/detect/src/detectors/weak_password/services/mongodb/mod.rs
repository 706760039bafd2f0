//! MongoDB: whether mongod.conf turns authorization on
//! (<https://www.mongodb.com/docs/manual/reference/configuration-options/>), and the accounts in the files of its store
//! WiredTiger. Those of the store before it, MMAPv1, are not read: they are a gap.

mod accounts;
mod bson;
mod wiredtiger;

use pratique_core::GapKind;

use super::text::{text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "mongodb",
    name: "MongoDB",
    globs: &["**/mongod*.conf", "**/mongodb.conf", "**/mongod.lock", "**/admin.ns"],
    stores: &["**/collection-*.wt", "**/collection/*.wt"],
    words: &["mongo", "mongodb", "admin"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if file.path.ends_with(b".wt") {
        return accounts::read(file, reading);
    }
    if file.path.ends_with(b"/mongod.lock") {
        // It holds the server's number while that runs, and is empty once it has ended in order.
        if file.size > 0 {
            let reason =
                "the server beside it did not end in order: what only its journal holds was not read";
            reading.problem(GapKind::Unsupported, reason);
        }
        return;
    }
    if file.path.ends_with(b"/admin.ns") {
        return reading
            .problem(GapKind::Unsupported, "the accounts in files of the store MMAPv1 are not read");
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
    let configures = text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#'));
    if configures && !authorized {
        // Since 3.6 it listens to its own machine alone unless it is told otherwise.
        let rank = if reachable == Some(true) { Rank::Administrator } else { Rank::Limited };
        reading.open("", "it asks for no password: authorization is not enabled", rank, None);
    }
}

fn is_own(address: &str) -> bool {
    address.starts_with("127.") || matches!(address, "localhost" | "::1") || address.starts_with('/')
}
