//! Nexus' admin.password: the first administrator's password and nothing else
//! (<https://help.sonatype.com/en/post-install-checklist.html>).

use super::text::text;
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "nexus",
    name: "Nexus",
    globs: &["**/nexus*/admin.password"],
    words: &["nexus", "admin123"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let password = text.trim();
    if !password.is_empty() {
        reading.plain("admin", password, Rank::Administrator, None);
    }
}
