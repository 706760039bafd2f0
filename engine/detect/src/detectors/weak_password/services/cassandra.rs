//! Cassandra's cassandra.yaml: whether it asks for a password
//! (<https://cassandra.apache.org/doc/latest/cassandra/managing/operating/security.html>). Its accounts lie in a table of its
//! own (`system_auth.roles`), compressed by LZ4, which is not read: it is a gap, and so is its log of what is not in tables yet.

use pratique_core::GapKind;

use super::text::{lines, text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "cassandra",
    name: "Cassandra",
    globs: &["**/cassandra*.yaml"],
    stores: &[
        "**/system*/roles-*/**/*-Data.db",
        "**/system_auth/credentials-*/**/*-Data.db",
        "**/commitlog/CommitLog-*.log",
    ],
    words: &["cassandra"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if file.path.ends_with(b".db") {
        return reading.problem(GapKind::Unsupported, "the accounts in tables of Cassandra are not read");
    }
    if file.path.ends_with(b".log") {
        let reason = "accounts that only the log of Cassandra holds are not read";
        return reading.problem(GapKind::Unsupported, reason);
    }
    let text = text(file);
    let (mut open, mut address) = (None, "localhost");
    for (number, line) in lines(&text, &['#'], reading) {
        let Some((key, value)) = line.split_once(':') else { continue };
        match (key.trim(), unquoted(value.split(" #").next().unwrap_or_default())) {
            ("authenticator", value) => open = value.ends_with("AllowAllAuthenticator").then_some(number),
            ("class_name", value) if value.ends_with("AllowAllAuthenticator") => open = Some(number),
            ("rpc_address", value) if !value.is_empty() => address = value,
            _ => {}
        }
    }
    if let Some(number) = open {
        let own = address == "localhost" || address.starts_with("127.");
        let rank = if own { Rank::Limited } else { Rank::Administrator };
        reading.open("", "it asks for no password (AllowAllAuthenticator)", rank, Some(number));
    }
}
