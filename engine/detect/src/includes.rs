//! What a file reads beside itself: told where it leads to what nobody looks at.

use pratique_core::Severity;

use crate::places;
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, word};

/// Files that one program reads, and where it looks for those that they include.
pub(crate) struct Includes {
    /// The program.
    pub(crate) who: &'static str,
    /// Where its files are looked at, as in [`crate::Interest::globs`].
    pub(crate) places: &'static [&'static str],
    /// How bad it is that a file elsewhere counts, whatever it says; high if it lies in a hidden or open place.
    pub(crate) severity: Severity,
}

impl Includes {
    /// An include of `target`, a path or a glob, by a line of a file; what is not absolute is looked for in `folder`, relative
    /// to the root. Silent if everything that it can mean is looked at by its own path.
    pub(crate) fn file(&self, target: &str, folder: &str, line: u32, notes: &mut Notes) {
        let path = absolute(target, folder);
        self.tell(&path, &path, line, notes);
    }

    /// The same of a folder of which every file is read.
    pub(crate) fn folder(&self, target: &str, folder: &str, line: u32, notes: &mut Notes) {
        let path = absolute(target, folder);
        self.tell(&path, &format!("{path}/*"), line, notes);
    }

    /// A star of what is included is matched by none but a star of a place.
    fn tell(&self, path: &str, files: &str, line: u32, notes: &mut Notes) {
        let files = files.trim_start_matches('/').as_bytes();
        if self.places.iter().any(|place| places::matches(place, files)) {
            return;
        }
        let (severity, why) = match hidden_place(path) {
            Some(why) => (Severity::High, why),
            None => (self.severity, "which is not looked at"),
        };
        let what = format!("{} also reads {}, {why}", self.who, word(path));
        notes.sign(severity, Excuse::Owned, Some(line), what);
    }
}

/// The folder of a path relative to the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// As it is from the root, by its words alone.
fn absolute(target: &str, folder: &str) -> String {
    let whole = if target.starts_with('/') { target.to_owned() } else { format!("{folder}/{target}") };
    let mut parts = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileInput, FileMode};

    fn told(read: impl FnOnce(&Includes, &mut Notes)) -> String {
        const PLACES: &[&str] = &["etc/x.conf", "etc/x.d/*.conf", "etc/y.d/*", "**/.z/config"];
        let mut notes = Notes::new("pam");
        read(&Includes { who: "it", places: PLACES, severity: Severity::Low }, &mut notes);
        let content = Vec::new();
        let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
        let facts = notes.finish(&FileInput::in_memory(b"etc/x.conf", mode, &content)).facts;
        facts.into_iter().map(|fact| String::from_utf8(fact.0).unwrap()).collect()
    }

    #[test]
    fn what_is_looked_at_by_its_own_path_is_not_told() {
        for target in [
            "/etc/x.conf",
            "x.conf",
            "/etc/x.d/*.conf",
            "x.d/a.conf",
            "x.d//./a.conf",
            "x.d/[ab]?.conf",
            "/etc/y.d/*",
            "/usr/../etc/y.d/a",
            "/home/u/.z/config",
        ] {
            assert_eq!(told(|includes, notes| includes.file(target, "etc", 1, notes)), "", "{target}");
        }
        for target in ["/etc/y.d", "y.d/", "/etc//y.d/."] {
            assert_eq!(told(|includes, notes| includes.folder(target, "etc", 1, notes)), "", "{target}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is() {
        for (target, severity, path) in [
            ("/opt/x.conf", "Low", "/opt/x.conf"),
            ("/etc/x.d/*", "Low", "/etc/x.d/*"),
            ("/etc/*/a.conf", "Low", "/etc/*/a.conf"),
            ("x.d/a/b.conf", "Low", "/etc/x.d/a/b.conf"),
            ("/tmp/x.conf", "High", "/tmp/x.conf"),
            ("x.d/../../tmp/*.conf", "High", "/tmp/*.conf"),
            ("../../../../dev/shm/a", "High", "/dev/shm/a"),
            ("", "Low", "/etc"),
        ] {
            let told = told(|includes, notes| includes.file(target, "etc", 7, notes));
            assert!(told.contains(&format!("it also reads {path}, ")), "{target}: {told}");
            assert!(told.contains(severity) && told.contains("\"line\":7"), "{target}: {told}");
        }
        for target in ["/etc/x.d", "/etc", "/", "/tmp/d"] {
            let told = told(|includes, notes| includes.folder(target, "etc", 1, notes));
            assert!(told.contains("it also reads "), "{target}");
        }
    }
}
