//! Redis and what descends from it: `requirepass`, users by ACL rules in the configuration or in a file of their own
//! (<https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>).

use pratique_crypt::{Algorithm, Stored};

use super::text::{arguments, lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "redis",
    name: "Redis",
    globs: &[
        "**/redis*.conf",
        "**/redis/*.conf",
        "**/valkey*.conf",
        "**/keydb*.conf",
        "**/sentinel.conf",
        "**/users*.acl",
        "**/redis/*.acl",
    ],
    words: &["redis", "foobared", "redispassword"],
    read,
    ..Service::NEW
};

/// A user whose rules are taken one after the other.
#[derive(Default)]
struct User {
    on: bool,
    open: bool,
    everything: bool,
    passwords: Vec<Stored>,
}

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let mut required = None;
    let (mut protected, mut reachable, mut users) = (true, true, false);
    for (number, line) in lines(&text, &['#'], reading) {
        let arguments = arguments(line);
        let [command, values @ ..] = arguments.as_slice() else { continue };
        match (command.to_ascii_lowercase().as_str(), values) {
            // Of several the last counts; an empty one asks for none.
            ("requirepass", [password]) => required = Some((password.clone(), number)),
            ("protected-mode", [value]) => protected = !value.eq_ignore_ascii_case("no"),
            ("bind", addresses) => {
                let own = |address: &String| {
                    let address = address.trim_start_matches('-');
                    address.starts_with("127.") || matches!(address, "::1" | "localhost")
                };
                reachable = !addresses.iter().all(own);
            }
            ("aclfile", _) => users = true,
            ("user", [name, rules @ ..]) => {
                users = true;
                user(name, rules, number, reading);
            }
            _ => {}
        }
    }
    match required {
        Some((password, number)) if !password.is_empty() => {
            reading.plain("default", &password, Rank::Administrator, Some(number));
        }
        _ if !protected && reachable && !users => reading.open(
            "default",
            "it asks for no password: protected-mode is off, and there is neither requirepass nor a user",
            Rank::Administrator,
            None,
        ),
        _ => {}
    }
}

fn user(name: &str, rules: &[String], number: u32, reading: &mut Reading) {
    let mut user = User::default();
    for rule in rules {
        match rule.as_str() {
            "on" => user.on = true,
            "off" => user.on = false,
            "nopass" => (user.open, user.passwords) = (true, Vec::new()),
            "resetpass" => (user.open, user.passwords) = (false, Vec::new()),
            "reset" => user = User::default(),
            "+@all" | "allcommands" | "+@dangerous" | "+@admin" => user.everything = true,
            "-@all" | "nocommands" => user.everything = false,
            rule => {
                let stored = match rule.split_at_checked(1) {
                    Some((">", password)) if super::is_placeholder(password) => None,
                    Some((">", password)) => Some(Stored::plain(password.as_bytes())),
                    Some(("#", digest)) => Stored::hex_digest(Algorithm::Sha256, digest),
                    Some(("<", password)) => {
                        let gone = Stored::plain(password.as_bytes());
                        user.passwords.retain(|password| *password != gone);
                        None
                    }
                    _ => None,
                };
                if let Some(stored) = stored {
                    user.open = false;
                    user.passwords.push(stored);
                }
            }
        }
    }
    let rank = Rank::of(user.everything);
    if user.on && user.open {
        reading.open(name, format!("its user {} needs no password", word(name)), rank, Some(number));
    } else if user.on {
        for stored in user.passwords {
            reading.stored(name, stored, rank, Some(number));
        }
    }
}
