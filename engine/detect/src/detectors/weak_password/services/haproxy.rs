//! HAProxy: users of its lists and of its page of statistics
//! (<https://docs.haproxy.org/3.0/configuration.html#12.4.1>).

use super::htpasswd::account;
use super::text::{arguments, lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "haproxy",
    name: "HAProxy",
    globs: &["**/haproxy*.cfg", "**/haproxy/*.cfg"],
    words: &["haproxy", "stats", "admin"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    for (number, line) in lines(&text, &['#'], reading) {
        let arguments = arguments(line);
        let words: Vec<&str> =
            arguments.iter().map(String::as_str).take_while(|word| !word.starts_with('#')).collect();
        match words.as_slice() {
            ["user", name, "insecure-password", password, ..] => {
                reading.plain(name, password, Rank::User, Some(number));
            }
            ["user", name, "password", hash, ..] => account(name, hash, number, reading),
            ["stats", "auth", login] => {
                if let Some((name, password)) = login.split_once(':') {
                    reading.plain(name, password, Rank::Administrator, Some(number));
                }
            }
            _ => {}
        }
    }
}
