//! Jenkins: its own users, `#jbcrypt:` and the hash of their password in `users/NAME/config.xml`, and whether its config.xml
//! asks for any (<https://www.jenkins.io/doc/book/security/managing-security/>).

use pratique_core::GapKind;
use pratique_crypt::Stored;

use super::text::text;
use super::xml::elements;
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "jenkins",
    name: "Jenkins",
    globs: &["**/users/*/config.xml", "**/jenkins*/config.xml", "**/.jenkins/config.xml"],
    words: &["jenkins", "admin", "hudson"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let (mut id, mut hash) = (String::new(), None);
    let (mut secured, mut strategy) = (None, String::new());
    elements(&text, reading, &mut |path, element| match path {
        ["user", "id"] => element.text().clone_into(&mut id),
        ["user", "properties", .., "passwordHash"] => hash = Some(element.text().to_owned()),
        ["hudson", "useSecurity"] => secured = Some(element.text() == "true"),
        ["hudson", "authorizationStrategy"] => {
            element.attribute("class").unwrap_or_default().clone_into(&mut strategy)
        }
        _ => {}
    });
    if let Some(hash) = hash {
        // Its folder is called after the user, with digits behind since 2.122.
        let folder = file.path.rsplit(|byte| *byte == b'/').nth(1).unwrap_or_default();
        let folder = String::from_utf8_lossy(folder);
        let name = if id.is_empty() { folder.split('_').next().unwrap_or_default() } else { &id };
        match hash.strip_prefix("#jbcrypt:") {
            Some(hash) if pratique_crypt::parse(hash).is_ok() => {
                reading.stored(name, Stored::Crypt(hash.to_owned()), Rank::of(name == "admin"), None);
            }
            _ => reading.problem(GapKind::Unsupported, "its password hash is in a form that is not known"),
        }
    }
    if secured == Some(false) {
        reading.open("", "it asks nobody for a password (useSecurity)", Rank::Administrator, None);
    } else if strategy.ends_with("AuthorizationStrategy$Unsecured") {
        let reason = "everybody is its administrator (its authorization strategy is Unsecured)";
        reading.open("", reason, Rank::Administrator, None);
    }
}
