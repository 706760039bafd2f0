//! Supervisor's own web server: who starts and stops the container's programs
//! (<https://supervisord.org/configuration.html#inet-http-server-section-settings>).

use pratique_crypt::{Algorithm, Stored};

use super::text::{ini, text};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "supervisor",
    name: "Supervisor",
    globs: &[
        "**/supervisord*.conf",
        "**/supervisor/conf.d/*.conf",
        "**/supervisord.d/*.ini",
        "**/supervisord.d/*.conf",
    ],
    words: &["supervisor", "supervisord", "thepassword"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let (mut user, mut password, mut port) = ("", None, None);
    for (section, key, value, number) in ini(&text, reading) {
        // A comment may stand behind a value.
        let value = value.split(" ;").next().unwrap_or_default().trim_end();
        match (section, key) {
            ("inet_http_server", "username") => user = value,
            ("inet_http_server", "password") => password = Some((value, number)),
            ("inet_http_server", "port") => port = Some((value, number)),
            _ => {}
        }
    }
    let Some((address, line)) = port else { return };
    let own = ["127.", "localhost:", "[::1]"].iter().any(|own| address.starts_with(own));
    let rank = if own { Rank::Limited } else { Rank::Administrator };
    match password.filter(|(password, _)| !password.is_empty()) {
        Some((password, number)) => match password.strip_prefix("{SHA}") {
            Some(digest) => match Stored::hex_digest(Algorithm::Sha1, digest) {
                Some(stored) => reading.stored(user, stored, rank, Some(number)),
                None => reading.problem(
                    pratique_core::GapKind::Malformed,
                    format!("line {number}: what follows {{SHA}} is no digest"),
                ),
            },
            None => reading.plain(user, password, rank, Some(number)),
        },
        None => reading.open("", "its web server asks nobody for a password", rank, Some(line)),
    }
}
