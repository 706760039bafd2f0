//! Keycloak's realms as it imports them: users with the password as it is typed
//! (<https://www.keycloak.org/server/importExport>). Passwords that it exported itself are hashes that are not verified.

use pratique_core::GapKind;
use serde_json::Value;

use super::text::{has_administrator, json, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "keycloak",
    name: "Keycloak",
    globs: &["**/*realm*.json", "**/keycloak/**/import/*.json"],
    words: &["keycloak", "admin", "password"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    // Other programs' files have such names, too.
    if !text.contains("\"credentials\"") {
        return;
    }
    let Some(root) = json(&text, reading) else { return };
    let realms = root.as_array().map_or(std::slice::from_ref(&root), Vec::as_slice);
    for user in realms.iter().filter_map(|realm| realm["users"].as_array()).flatten() {
        let name = user["username"].as_str().unwrap_or_default();
        if user["enabled"] == false {
            continue;
        }
        let administers = has_administrator(&user["realmRoles"]);
        let passwords = user["credentials"].as_array().into_iter().flatten();
        for credential in passwords.filter(|credential| credential["type"] == "password") {
            match (&credential["value"], &credential["secretData"]) {
                (Value::String(password), _) => reading.plain(name, password, Rank::of(administers), None),
                (_, Value::String(_)) => {
                    let reason = format!(
                        "the hash of user {} is one of Keycloak's own, which are not verified",
                        word(name)
                    );
                    reading.problem(GapKind::Unsupported, reason);
                }
                _ => {}
            }
        }
    }
}
