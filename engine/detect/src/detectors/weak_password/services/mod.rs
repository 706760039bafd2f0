//! Accounts of services: one file per product, bytes in, logins out. A new product is one file and one line here.

mod erlang;
mod login;
mod store;
mod text;
mod xml;

use pratique_core::inspect::{FileInput, Interest};

use super::{Noted, cut, note};
use crate::{FileReport, places};

pub(super) use login::{Logins, suspects};
pub(super) use text::is_placeholder;

use login::{Rank, Reading};

#[cfg(test)]
pub(super) use ssh_key::made_key;

/// Bytes read of a file of text.
const TEXT: usize = 4 << 20;
/// Bytes of the largest store that is read.
const STORE: u64 = 1 << 30;

/// A product, and where it keeps who may log in.
pub(super) struct Service {
    /// As findings have it, such as `redis`.
    id: &'static str,
    /// As people write it.
    name: &'static str,
    /// Its files of text, relative to the root.
    globs: &'static [&'static str],
    /// Its binary files, of which any part may be read.
    stores: &'static [&'static str],
    /// What is tried because it is this product: its name and the passwords it comes with or its documents show.
    words: &'static [&'static str],
    /// The rule of settings that ask for no password.
    open: &'static str,
    /// Reads one file.
    read: fn(&FileInput<'_>, &mut Reading),
}

impl Service {
    /// What most have in common; a product says the rest.
    const NEW: Self =
        Self { id: "", name: "", globs: &[], stores: &[], words: &[], open: "service-open", read: |_, _| () };

    /// As findings have it.
    #[cfg(test)]
    pub(super) fn id(&self) -> &'static str {
        self.id
    }

    /// The files it wants to see.
    pub(super) fn interests(&self) -> impl Iterator<Item = Interest> {
        let interests = [Interest::head(self.globs, TEXT), Interest::whole(self.stores, STORE)];
        interests.into_iter().filter(|interest| !interest.globs.is_empty())
    }
}

/// Declares each product's module and lists its `SERVICE`.
macro_rules! services {
    ($($name:ident),+ $(,)?) => {
        $(mod $name;)+

        /// All products.
        pub(super) static SERVICES: &[&Service] = &[$(&$name::SERVICE),+];

        #[cfg(test)]
        const MODULES: &[&str] = &[$(stringify!($name)),+];
    };
}

services! {
    cassandra,
    clickhouse,
    code_server,
    couchdb,
    django,
    dovecot,
    elasticsearch,
    gitea,
    gitlab,
    grafana,
    haproxy,
    htpasswd,
    jaas,
    jenkins,
    jetty,
    jupyter,
    keycloak,
    ldap,
    mongodb,
    mosquitto,
    mysql,
    neo4j,
    nexus,
    opensearch,
    pgbouncer,
    phpmyadmin,
    postgresql,
    proftpd,
    prometheus,
    rabbitmq,
    redis,
    samba,
    snmp,
    solr,
    ssh_key,
    supervisor,
    tomcat,
    vnc,
    vsftpd,
    wildfly,
}

/// See [`crate::Detector::inspect`].
pub(super) fn inspect(file: &FileInput<'_>) -> FileReport {
    let mut report = FileReport::default();
    if is_example(file.path) {
        return report;
    }
    for service in SERVICES {
        let is_one_of = |globs: &[&str]| globs.iter().any(|glob| places::matches(glob, file.path));
        let is_text = is_one_of(service.globs);
        if !is_text && !is_one_of(service.stores) {
            continue;
        }
        let mut reading = Reading::default();
        (service.read)(file, &mut reading);
        let (logins, mut problems) = reading.finish();
        if is_text {
            problems.extend(cut(file));
        }
        report.problems.append(&mut problems);
        if !logins.is_empty() {
            let noted = note(&Noted::Service(Logins { service: service.id.to_owned(), logins }), Vec::new());
            report.facts.extend(noted.facts);
            report.problems.extend(noted.problems);
        }
    }
    report
}

/// Whether nothing reads this file: it lies where documents and examples do.
fn is_example(path: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 6] = [b"doc", b"docs", b"example", b"examples", b"sample", b"samples"];
    const ENDINGS: [&[u8]; 5] = [b".example", b".sample", b".dist", b".template", b".tmpl"];
    let mut folders = path.split(|byte| *byte == b'/');
    let name = folders.next_back().unwrap_or_default();
    ENDINGS.iter().any(|ending| name.ends_with(ending)) || folders.any(|folder| FOLDERS.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_registered() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/detectors/weak_password/services");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|name| !["mod", "erlang", "login", "store", "text", "xml"].contains(&name.as_str()))
            .collect();
        found.sort();
        assert_eq!(found, MODULES, "services/ and its list differ, or the list is not in order");
    }

    #[test]
    fn ids_are_distinct_and_globs_are_those_that_places_knows() {
        for (at, service) in SERVICES.iter().enumerate() {
            assert!(SERVICES[..at].iter().all(|other| other.id != service.id), "{}", service.id);
            assert!(!service.name.is_empty() && service.interests().count() > 0, "{}", service.id);
            assert!(
                service.globs.iter().chain(service.stores).all(|glob| !glob.contains(['[', '{'])),
                "{}",
                service.id
            );
        }
    }

    #[test]
    fn examples_are_told_by_folder_and_ending() {
        for path in ["usr/share/doc/a/redis.conf", "opt/x/examples/.htpasswd", "srv/.htpasswd.example"] {
            assert!(is_example(path.as_bytes()), "{path}");
        }
        for path in ["etc/redis/redis.conf", "srv/documents/.htpasswd", "example/docker", ".htpasswd"] {
            assert_eq!(is_example(path.as_bytes()), path.starts_with("example/"), "{path}");
        }
    }

    /// What a product's reader makes of bytes at each of its paths.
    fn read_everywhere(bytes: &Vec<u8>) {
        let mode = crate::FileMode { permissions: 0o600, uid: 0, gid: 0 };
        for service in SERVICES {
            for glob in service.globs.iter().chain(service.stores) {
                let path = glob.replace("**", "x").replace('*', "a");
                let mut reading = Reading::default();
                (service.read)(&FileInput::in_memory(path.as_bytes(), mode, bytes), &mut reading);
                let _ = reading.finish();
            }
        }
    }

    #[test]
    fn a_store_that_lies_anywhere_ends() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/weak_password/stores");
        for entry in std::fs::read_dir(folder).unwrap() {
            let whole = std::fs::read(entry.unwrap().path()).unwrap();
            for step in 0..40 {
                read_everywhere(&whole[..whole.len() * step / 40].to_vec());
                let mut changed = whole.clone();
                // Where headers and lengths are, and all over.
                for (at, value) in [
                    (step, 0xff),
                    (whole.len() * step / 40, 0x80),
                    (whole.len() - 1 - step % whole.len(), 0xff),
                ] {
                    changed[at.min(whole.len() - 1)] ^= value;
                }
                read_everywhere(&changed);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), text in ".{0,300}") {
            read_everywhere(&bytes);
            read_everywhere(&text.into_bytes());
        }
    }
}
