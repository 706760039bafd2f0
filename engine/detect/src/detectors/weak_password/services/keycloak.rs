//! Keycloak's realms as it imports and exports them: users with the password as it is typed, or as it keeps it, by PBKDF2 or
//! argon2 (<https://www.keycloak.org/server/importExport>,
//! <https://www.keycloak.org/docs/latest/server_admin/#hashalgorithm>).

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, Stored, base64};
use serde_json::Value;

use super::text::{has_administrator, json, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "keycloak",
    name: "Keycloak",
    globs: &[
        "**/*realm*.json",
        "**/*-users-*.json",
        "**/keycloak/**/import/*.json",
        "**/keycloak-add-user.json",
    ],
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
        let rank = Rank::of(has_administrator(&user["realmRoles"]));
        let passwords = user["credentials"].as_array().into_iter().flatten();
        for credential in passwords.filter(|credential| credential["type"] == "password") {
            if let Some(password) = credential["value"].as_str() {
                reading.plain(name, password, rank, None);
            } else if let Some(exported) = Exported::of(credential) {
                match exported.stored() {
                    Some(stored) => reading.stored(name, stored, rank, None),
                    None => {
                        let algorithm = exported.setting["algorithm"].as_str().unwrap_or("unknown");
                        let reason = format!(
                            "the password of user {}: hashes by {} cannot be verified",
                            word(name),
                            word(algorithm)
                        );
                        reading.problem(GapKind::Unsupported, reason);
                    }
                }
            }
        }
    }
}

/// A password as Keycloak keeps it.
struct Exported {
    /// `algorithm`, `hashIterations`, `additionalParameters`.
    setting: Value,
    salt: Value,
    key: Value,
}

impl Exported {
    /// JSON within texts of JSON, or, before version 8, members of the credential; none if it is neither.
    fn of(credential: &Value) -> Option<Self> {
        let within = |member: &str| {
            credential[member].as_str().map(|text| serde_json::from_str(text).unwrap_or(Value::Null))
        };
        if let Some(mut secret) = within("secretData") {
            let setting = within("credentialData").unwrap_or(Value::Null);
            return Some(Self { setting, salt: secret["salt"].take(), key: secret["value"].take() });
        }
        credential["hashedSaltedValue"].is_string().then(|| Self {
            setting: credential.clone(),
            salt: credential["salt"].clone(),
            key: credential["hashedSaltedValue"].clone(),
        })
    }

    fn stored(&self) -> Option<Stored> {
        let (salt, key) = (base64(self.salt.as_str()?)?, base64(self.key.as_str()?)?);
        let rounds = u32::try_from(self.setting["hashIterations"].as_u64()?).ok()?;
        let algorithm = match self.setting["algorithm"].as_str()? {
            "pbkdf2" => Algorithm::Sha1,
            "pbkdf2-sha256" => Algorithm::Sha256,
            "pbkdf2-sha512" => Algorithm::Sha512,
            "argon2" => return self.argon2(rounds, &salt, &key),
            _ => return None,
        };
        Stored::pbkdf2(algorithm, salt, rounds, key)
    }

    fn argon2(&self, passes: u32, salt: &[u8], key: &[u8]) -> Option<Stored> {
        let parameter = |name: &str| self.setting["additionalParameters"][name][0].as_str();
        let version = match parameter("version")? {
            "1.3" => 19,
            "1.0" => 16,
            _ => return None,
        };
        let (kind, memory, lanes) = (parameter("type")?, parameter("memory")?, parameter("parallelism")?);
        Some(Stored::argon2(&format!("argon2{kind}$v={version}$m={memory},t={passes},p={lanes}"), salt, key))
    }
}
