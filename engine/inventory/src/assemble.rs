//! From the records of an image's visible files to its inventory.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;

use pratique_core::package::{
    Ecosystem, FileFacts, Inventory, LocatedPackage, OwnedFiles, Owner, Package, Record, Release,
};

use crate::{LocatedRecord, purl};

/// The inventory of the files that are visible in an image. The order of `records` does not matter.
///
/// [`Inventory::removed`] is left empty: what upper layers removed is no visible file.
pub fn assemble(mut records: Vec<LocatedRecord>) -> (Inventory, Ownership) {
    records.sort_by(|a, b| (&a.path, &a.record).cmp(&(&b.path, &b.record)));
    let release = release(&records);
    let mut described = Described::default();
    records.retain_mut(|located| described.take(&mut located.record));
    let mut packages = Vec::new();
    let mut ownership = Ownership::default();
    for LocatedRecord { path, layer, record } in records {
        let Record::Package { mut package, files } = record else { continue };
        described.licenses_of(&mut package);
        let files = described.files_of(&package, files);
        let purl = purl(&package, release.as_ref());
        let count = files.iter().count() as u64;
        if package.ecosystem.is_system() {
            ownership.add(&purl, &files);
        }
        packages.push(LocatedPackage { package, purl, path, layer, owned_by: None, files: count });
    }
    packages.sort();
    packages.dedup();
    for package in packages.iter_mut().filter(|package| !package.package.ecosystem.is_system()) {
        package.owned_by = ownership.owner(&package.path).map(str::to_owned);
    }
    (Inventory { release, packages, removed: Vec::new() }, ownership)
}

/// os-release in /etc is the administrator's, the one in /usr/lib the vendor's; other files stand in where both lack.
fn release(records: &[LocatedRecord]) -> Option<Release> {
    let rank = |path: &str| match path {
        "/etc/os-release" => 0,
        "/usr/lib/os-release" => 1,
        _ => 2,
    };
    let releases = records.iter().filter_map(|located| match &located.record {
        Record::Release(release) => Some((rank(&located.path), release)),
        _ => None,
    });
    releases.min_by_key(|(rank, _)| *rank).map(|(_, release)| release.clone())
}

/// A package's world and name.
type Key = (Ecosystem, String);

/// What files say of packages that other files name.
#[derive(Default)]
struct Described {
    /// With the architecture, where the file says it.
    files: HashMap<Key, Vec<(Option<String>, OwnedFiles)>>,
    licenses: HashMap<Key, BTreeSet<String>>,
}

impl Described {
    /// Takes what a record says of a package that another one names; whether there is more to the record.
    fn take(&mut self, record: &mut Record) -> bool {
        let key = |owner: &mut Owner| (owner.ecosystem, std::mem::take(&mut owner.name));
        match record {
            Record::Files { owner, files } => {
                let architecture = owner.architecture.take();
                self.files.entry(key(owner)).or_default().push((architecture, std::mem::take(files)));
                false
            }
            Record::Licenses { owner, licenses } => {
                self.licenses.entry(key(owner)).or_default().append(&mut licenses.drain(..).collect());
                false
            }
            Record::Release(_) => false,
            Record::Package { .. } => true,
        }
    }

    /// All files of a package: those that its own record names, and those named elsewhere.
    fn files_of(&self, package: &Package, own: OwnedFiles) -> OwnedFiles {
        let Some(named) = self.files.get(&(package.ecosystem, package.name.clone())) else { return own };
        let fits =
            |architecture: &Option<String>| architecture.is_none() || *architecture == package.architecture;
        let elsewhere = named.iter().filter(|(architecture, _)| fits(architecture)).map(|(_, files)| files);
        std::iter::once(&own).chain(elsewhere).flatten().collect()
    }

    /// Completes the licences of a package that does not say them itself.
    fn licenses_of(&self, package: &mut Package) {
        if package.licenses.is_empty()
            && let Some(licenses) = self.licenses.get(&(package.ecosystem, package.name.clone()))
        {
            package.licenses = licenses.iter().cloned().collect();
        }
    }
}

/// Which system package owns a file, and what its database says of the file.
///
/// Paths are kept as hashes under a random key: two of a million paths meet once in 30 million images.
#[derive(Debug, Clone, Default)]
pub struct Ownership {
    purls: Vec<String>,
    files: HashMap<u64, (u32, FileFacts)>,
    hasher: RandomState,
}

impl Ownership {
    fn add(&mut self, purl: &str, files: &OwnedFiles) {
        if files.is_empty() {
            return;
        }
        let place = self.purls.len() as u32;
        self.purls.push(purl.to_owned());
        for file in files {
            self.files.insert(self.hasher.hash_one(file.path.as_str()), (place, file.facts));
        }
    }

    /// What is known of the file at this absolute path.
    fn known(&self, path: &str) -> Option<&(u32, FileFacts)> {
        let path = path.trim_start_matches('/');
        let at = |path: &str| self.files.get(&self.hasher.hash_one(path));
        at(path).or_else(|| at(&twin(path)?))
    }

    /// Package URL of the system package that owns the file at this absolute path.
    pub fn owner(&self, path: &str) -> Option<&str> {
        self.known(path).and_then(|(place, _)| self.purls.get(*place as usize)).map(String::as_str)
    }

    /// What the package database says of the file at this absolute path.
    pub fn file(&self, path: &str) -> Option<&FileFacts> {
        self.known(path).map(|(_, facts)| facts)
    }

    /// Whether no package owns any file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// The other name of a path on systems with a merged /usr: databases still say `/bin/sh` of what lies in /usr/bin.
fn twin(path: &str) -> Option<String> {
    let unmerged = path.strip_prefix("usr/");
    let top = unmerged.unwrap_or(path).split('/').next()?;
    let is_merged = matches!(top, "bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32");
    is_merged.then(|| unmerged.map_or_else(|| format!("usr/{path}"), str::to_owned))
}

#[cfg(test)]
mod tests {
    use pratique_core::package::{Checksum, OwnedFile, Source};

    use super::*;

    fn located(path: &str, record: Record) -> LocatedRecord {
        LocatedRecord { path: path.to_owned(), layer: None, record }
    }

    fn file(path: &str, sum: Option<&[u8]>) -> OwnedFiles {
        [OwnedFile::with_checksum(path, sum.and_then(Checksum::from_bytes))].into_iter().collect()
    }

    fn owner(name: &str) -> Owner {
        Owner { ecosystem: Ecosystem::Deb, name: name.to_owned(), architecture: Some("amd64".to_owned()) }
    }

    #[test]
    fn what_several_files_say_of_a_package_comes_together_whatever_their_order() {
        let mut six = Package::new(Ecosystem::Deb, "python3-six", "1.16.0-4");
        six.architecture = Some("amd64".to_owned());
        six.source = Some(Source { name: "six".into(), version: "1.16.0-4".into() });
        let release = Release { id: "debian".into(), version: "12".into(), ..Release::default() };
        let other = Release { id: "vendor".into(), ..Release::default() };
        let mut records = vec![
            located("/usr/lib/os-release", Record::Release(other)),
            located("/etc/os-release", Record::Release(release)),
            located("/var/lib/dpkg/status", six.into()),
            located(
                "/var/lib/dpkg/info/python3-six.list",
                Record::Files { owner: owner("python3-six"), files: file("lib/python3/six.py", None) },
            ),
            located(
                "/var/lib/dpkg/info/python3-six.md5sums",
                Record::Files {
                    owner: owner("python3-six"),
                    files: file("lib/python3/six.py", Some(&[7; 16])),
                },
            ),
            located(
                "/usr/share/doc/python3-six/copyright",
                Record::Licenses {
                    owner: Owner { architecture: None, ..owner("python3-six") },
                    licenses: vec!["Expat".into()],
                },
            ),
            located("/usr/lib/python3/six.py", Package::new(Ecosystem::PyPi, "six", "1.16.0").into()),
            located("/opt/six.py", Package::new(Ecosystem::PyPi, "six", "1.16.0").into()),
        ];
        let (inventory, ownership) = assemble(records.clone());
        let purl = "pkg:deb/debian/python3-six@1.16.0-4?arch=amd64&distro=debian-12&upstream=six";
        let short: Vec<_> = inventory
            .packages
            .iter()
            .map(|package| {
                (package.purl.as_str(), package.path.as_str(), package.owned_by.as_deref(), package.files)
            })
            .collect();
        assert_eq!(
            short,
            [
                (purl, "/var/lib/dpkg/status", None, 1),
                ("pkg:pypi/six@1.16.0", "/opt/six.py", None, 0),
                ("pkg:pypi/six@1.16.0", "/usr/lib/python3/six.py", Some(purl), 0),
            ]
        );
        assert_eq!(inventory.packages[0].package.licenses, ["Expat"]);
        assert_eq!(ownership.file("/usr/lib/python3/six.py").unwrap().checksum, Some(Checksum::Md5([7; 16])));
        records.reverse();
        assert_eq!(assemble(records).0, inventory);
    }

    #[test]
    fn a_file_is_owned_where_it_is_named_or_where_a_merged_usr_puts_it() {
        let mut dash = Package::new(Ecosystem::Deb, "dash", "1");
        dash.architecture = Some("amd64".to_owned());
        let files =
            ["bin/sh", "usr/bin/dash", "lib/x", "usr/lib/x"].map(OwnedFile::new).into_iter().collect();
        let record = Record::Package { package: dash, files };
        let (inventory, ownership) = assemble(vec![located("/var/lib/dpkg/status", record)]);
        assert_eq!(inventory.packages[0].files, 4);
        for owned in ["/bin/sh", "/usr/bin/sh", "/usr/bin/dash", "/bin/dash", "/lib/x", "/usr/lib/x"] {
            assert_eq!(ownership.owner(owned), Some(inventory.packages[0].purl.as_str()), "{owned}");
        }
        for free in ["/sbin/sh", "/usr/usr/bin/dash", "/", ""] {
            assert_eq!(ownership.owner(free), None, "{free}");
        }
    }
}
