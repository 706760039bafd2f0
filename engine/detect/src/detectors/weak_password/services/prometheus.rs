//! Prometheus and its exporters: users of the web configuration, by bcrypt
//! (<https://prometheus.io/docs/prometheus/latest/configuration/https/>).

use pratique_crypt::Stored;

use super::text::{text, yaml};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "prometheus",
    name: "Prometheus",
    globs: &["**/web.yml", "**/web.yaml", "**/web-config.y*ml", "**/web_config.y*ml", "**/web.config.y*ml"],
    words: &["prometheus", "prom", "admin"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    // Other programs call their files so, too.
    if !text.contains("basic_auth_users") {
        return;
    }
    let Some(root) = yaml(&text, reading) else { return };
    for (name, hash) in root["basic_auth_users"].as_object().into_iter().flatten() {
        if let Some(hash) = hash.as_str().filter(|hash| hash.starts_with('$') && !super::is_placeholder(hash))
        {
            reading.stored(name, Stored::Crypt(hash.to_owned()), Rank::User, None);
        }
    }
}
