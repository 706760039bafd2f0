//! Net-SNMP's snmpd.conf: communities of versions 1 and 2c, users of version 3
//! (<http://www.net-snmp.org/docs/man/snmpd.conf.html>).

use super::text::{arguments, lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "snmp",
    name: "the SNMP agent",
    globs: &["**/snmpd.conf", "**/snmpd.local.conf", "**/snmp/snmpd.conf.d/*.conf"],
    words: &["snmp", "public", "private", "community", "cisco", "monitor", "read", "write"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let mut own_container = false;
    let mut found = Vec::new();
    for (number, line) in lines(&text, &['#'], reading) {
        let arguments = arguments(line);
        // A comment may stand behind a directive.
        let words: Vec<&str> =
            arguments.iter().map(String::as_str).take_while(|word| !word.starts_with('#')).collect();
        let (name, password, source, rank) = match words.as_slice() {
            ["agentaddress" | "agentAddress", addresses, ..] => {
                own_container = addresses.split(',').all(is_own);
                continue;
            }
            ["rwcommunity" | "rwcommunity6", community, rest @ ..] => {
                ("", *community, rest.first(), Rank::Administrator)
            }
            ["rocommunity" | "rocommunity6", community, rest @ ..] => {
                ("", *community, rest.first(), Rank::User)
            }
            ["com2sec" | "com2sec6", "-Cn", _, name, source, community]
            | ["com2sec" | "com2sec6", name, source, community] => {
                (*name, *community, Some(source), Rank::User)
            }
            ["createUser", "-e", _, name, _, password, ..] | ["createUser", name, _, password, ..] => {
                (*name, *password, None, Rank::User)
            }
            _ => continue,
        };
        let rank = if source.is_some_and(|source| is_own(source)) { Rank::Limited } else { rank };
        found.push((name.to_owned(), password.to_owned(), rank, number));
    }
    for (name, password, rank, number) in found {
        let rank = if own_container { Rank::Limited } else { rank };
        reading.plain(&name, &password, rank, Some(number));
    }
}

/// Whether an address is of the container itself.
fn is_own(address: &str) -> bool {
    let address = address.trim_start_matches("udp:").trim_start_matches("tcp:").trim_start_matches("udp6:");
    address.starts_with("127.")
        || address.starts_with("localhost")
        || address.starts_with("[::1]")
        || address == "::1"
}
