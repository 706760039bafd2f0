//! OpenSearch: the users of its security plugin, by bcrypt, with those of the demonstration that it comes with
//! (<https://docs.opensearch.org/latest/security/configuration/yaml/#internal_usersyml>), and whether it asks for any.

use pratique_crypt::Stored;

use super::text::{has_administrator, text, yaml};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "opensearch",
    name: "OpenSearch",
    globs: &["**/internal_users.yml", "**/opensearch.yml"],
    words: &["opensearch", "admin", "kibanaserver", "myStrongPassword123!"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let Some(root) = yaml(&text, reading) else { return };
    if file.path.ends_with(b"/opensearch.yml") {
        if root["plugins.security.disabled"] == true || root["plugins"]["security"]["disabled"] == true {
            let reason = "it asks nobody for a password (plugins.security.disabled)";
            reading.open("", reason, Rank::Administrator, None);
        }
        return;
    }
    for (name, user) in root.as_object().into_iter().flatten() {
        // `_meta` is no user, and one without a hash cannot log in.
        let Some(hash) = user["hash"].as_str().filter(|hash| hash.starts_with('$')) else { continue };
        let administers = has_administrator(&user["backend_roles"]);
        reading.stored(name, Stored::Crypt(hash.to_owned()), Rank::of(administers), None);
    }
}
