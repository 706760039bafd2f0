//! code-server's config.yaml: a password, its argon2 hash, or none
//! (<https://coder.com/docs/code-server/FAQ#how-does-the-config-file-work>).

use pratique_crypt::Stored;

use super::text::{text, yaml};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "code-server",
    name: "code-server",
    globs: &["**/code-server/config.yaml"],
    words: &["code-server", "coder", "code", "vscode"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let Some(root) = yaml(&text, reading) else { return };
    let address = root["bind-addr"].as_str().unwrap_or("127.0.0.1:8080");
    let own = address.starts_with("127.") || address.starts_with("localhost");
    let rank = if own { Rank::Limited } else { Rank::Administrator };
    if root["auth"] == "none" {
        return reading.open("", "it asks nobody for a password (auth: none)", rank, None);
    }
    match (&root["hashed-password"], &root["password"]) {
        // The hash goes first.
        (serde_json::Value::String(hash), _) if hash.starts_with('$') && !super::is_placeholder(hash) => {
            reading.stored("", Stored::Crypt(hash.clone()), rank, None);
        }
        (_, serde_json::Value::String(password)) if !password.is_empty() => {
            reading.plain("", password, rank, None)
        }
        // A number is a text to it.
        (_, serde_json::Value::Number(password)) => reading.plain("", &password.to_string(), rank, None),
        _ => {}
    }
}
