//! Kafka's and ZooKeeper's users in files of JAAS: `user_NAME="password"` of the servers' login modules
//! (<https://kafka.apache.org/documentation/#security_sasl_plain>).

use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "jaas",
    name: "Kafka or ZooKeeper",
    globs: &[
        "**/*jaas*.conf",
        "**/*jaas*.config",
        "**/kafka/**/server*.properties",
        "**/kafka*/server.properties",
    ],
    words: &["kafka", "zookeeper", "admin", "admin-secret", "alice-secret"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    for (number, line) in lines(&text, &['#', '/', '*'], reading) {
        let mut rest = line;
        while let Some((before, behind)) = rest.split_once("user_") {
            rest = behind;
            // `super_user_x` is no user's.
            let begins = before.chars().next_back().is_none_or(|last| !last.is_alphanumeric() && last != '_');
            let Some((name, value)) = behind.split_once('=').filter(|_| begins) else { continue };
            let quoted = value.trim_start().strip_prefix('"').and_then(|value| value.split_once('"'));
            if let Some((password, behind)) = quoted
                && !password.is_empty()
            {
                let name = name.trim();
                reading.plain(name, password, Rank::of(name == "admin"), Some(number));
                rest = behind;
            }
        }
    }
}
