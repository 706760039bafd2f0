//! WildFly and JBoss EAP: users that add-user.sh writes, `name=` and MD5 of `name:realm:password`
//! (<https://docs.wildfly.org/35/Admin_Guide.html#add-user-utility>).

use pratique_crypt::{Algorithm, SaltedDigest, Stored, hex};

use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "wildfly",
    name: "WildFly",
    globs: &["**/mgmt-users.properties", "**/application-users.properties"],
    words: &["wildfly", "jboss", "admin", "Admin#007", "Admin#70365"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let manages = file.path.ends_with(b"/mgmt-users.properties");
    let realm = if manages { "ManagementRealm" } else { "ApplicationRealm" };
    let text = text(file);
    for (number, line) in lines(&text, &['#'], reading) {
        let Some((name, digest)) = line.split_once('=') else { continue };
        let (name, digest) = (name.trim(), digest.trim());
        let rank = Rank::of(manages);
        match hex(digest).filter(|digest| digest.len() == Algorithm::Md5.length()) {
            Some(digest) => {
                let before = format!("{name}:{realm}:").into_bytes();
                let stored = SaltedDigest { before, ..SaltedDigest::plain(Algorithm::Md5, digest) };
                reading.stored(name, Stored::Digest(stored), rank, Some(number));
            }
            // With `plain-text="true"`.
            None => reading.plain(name, digest, rank, Some(number)),
        }
    }
}
