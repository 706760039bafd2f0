//! From the records of an image's visible files to its inventory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pratique_core::package::{
    Ecosystem, Inventory, LocatedPackage, OwnedFile, Owner, Package, Record, Release,
};

use crate::{LocatedRecord, purl};

/// The inventory of the files that are visible in an image. The order of `records` does not matter.
///
/// [`Inventory::removed`] is left empty: what upper layers removed is no visible file.
pub fn assemble(mut records: Vec<LocatedRecord>) -> (Inventory, Ownership) {
    records.sort_by(|a, b| (&a.path, &a.record).cmp(&(&b.path, &b.record)));
    let release = release(&records);
    let mut described = Described::of(&records);
    let mut packages = Vec::new();
    let mut ownership = Ownership::default();
    for LocatedRecord { path, layer, record } in records {
        let Record::Package { mut package, mut files } = record else { continue };
        described.complete(&mut package, &mut files);
        let purl = purl(&package, release.as_ref());
        let count = files.len() as u64;
        if package.ecosystem.is_system() {
            ownership.add(&purl, files);
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

/// What files say of packages that other files name.
#[derive(Default)]
struct Described {
    files: HashMap<(Ecosystem, String), Vec<(Option<String>, Vec<OwnedFile>)>>,
    licenses: HashMap<(Ecosystem, String), BTreeSet<String>>,
}

impl Described {
    fn of(records: &[LocatedRecord]) -> Self {
        let mut described = Self::default();
        let key = |owner: &Owner| (owner.ecosystem, owner.name.clone());
        for located in records {
            match &located.record {
                Record::Files { owner, files } => {
                    let entry = (owner.architecture.clone(), files.clone());
                    described.files.entry(key(owner)).or_default().push(entry);
                }
                Record::Licenses { owner, licenses } => {
                    described.licenses.entry(key(owner)).or_default().extend(licenses.iter().cloned());
                }
                Record::Release(_) | Record::Package { .. } => {}
            }
        }
        described
    }

    /// Adds to a package what is said of it elsewhere.
    fn complete(&mut self, package: &mut Package, files: &mut Vec<OwnedFile>) {
        let key = (package.ecosystem, package.name.clone());
        for (architecture, more) in self.files.get(&key).into_iter().flatten() {
            if architecture.is_none() || *architecture == package.architecture {
                files.extend(more.iter().cloned());
            }
        }
        merge(files);
        if package.licenses.is_empty()
            && let Some(licenses) = self.licenses.get(&key)
        {
            package.licenses = licenses.iter().cloned().collect();
        }
    }
}

/// Makes one entry of those that speak of one path.
fn merge(files: &mut Vec<OwnedFile>) {
    let mut merged: BTreeMap<String, OwnedFile> = BTreeMap::new();
    for file in files.drain(..) {
        match merged.get_mut(&file.path) {
            Some(known) => {
                known.checksum = known.checksum.take().or(file.checksum);
                known.config |= file.config;
                known.permissions = known.permissions.or(file.permissions);
            }
            None => {
                merged.insert(file.path.clone(), file);
            }
        }
    }
    files.extend(merged.into_values());
}

/// Which system package owns a file, and what its database says of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    purls: Vec<String>,
    /// By path as [`on_disk`] writes it.
    files: HashMap<String, (usize, OwnedFile)>,
}

impl Ownership {
    fn add(&mut self, purl: &str, files: Vec<OwnedFile>) {
        if files.is_empty() {
            return;
        }
        let place = self.purls.len();
        self.purls.push(purl.to_owned());
        self.files.extend(files.into_iter().map(|file| (on_disk(&file.path), (place, file))));
    }

    /// Package URL of the system package that owns the file at this absolute path.
    pub fn owner(&self, path: &str) -> Option<&str> {
        self.files.get(&on_disk(path)).and_then(|(place, _)| self.purls.get(*place)).map(String::as_str)
    }

    /// What the package database says of the file at this absolute path.
    pub fn file(&self, path: &str) -> Option<&OwnedFile> {
        self.files.get(&on_disk(path)).map(|(_, file)| file)
    }

    /// Whether no package owns any file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Where a path lies on systems with a merged /usr: databases still say `/bin/sh` of what lies in /usr/bin.
fn on_disk(path: &str) -> String {
    let path = path.trim_start_matches('/');
    let top = path.split('/').next().unwrap_or_default();
    match top {
        "bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32" => format!("usr/{path}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use pratique_core::package::{Checksum, ChecksumAlgorithm, Source};

    use super::*;

    fn located(path: &str, record: Record) -> LocatedRecord {
        LocatedRecord { path: path.to_owned(), layer: None, record }
    }

    fn package(package: Package) -> Record {
        Record::Package { package, files: Vec::new() }
    }

    fn file(path: &str, sum: Option<&str>) -> OwnedFile {
        let checksum = sum.map(|hex| Checksum { algorithm: ChecksumAlgorithm::Md5, hex: hex.to_owned() });
        OwnedFile { path: path.to_owned(), checksum, config: false, permissions: None }
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
            located("/var/lib/dpkg/status", package(six)),
            located(
                "/var/lib/dpkg/info/python3-six.list",
                Record::Files { owner: owner("python3-six"), files: vec![file("lib/python3/six.py", None)] },
            ),
            located(
                "/var/lib/dpkg/info/python3-six.md5sums",
                Record::Files {
                    owner: owner("python3-six"),
                    files: vec![file("lib/python3/six.py", Some("00ff"))],
                },
            ),
            located(
                "/usr/share/doc/python3-six/copyright",
                Record::Licenses {
                    owner: Owner { architecture: None, ..owner("python3-six") },
                    licenses: vec!["Expat".into()],
                },
            ),
            located("/usr/lib/python3/six.py", package(Package::new(Ecosystem::PyPi, "six", "1.16.0"))),
            located("/opt/six.py", package(Package::new(Ecosystem::PyPi, "six", "1.16.0"))),
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
        assert_eq!(ownership.file("/usr/lib/python3/six.py").unwrap().checksum.as_ref().unwrap().hex, "00ff");
        records.reverse();
        assert_eq!(assemble(records), (inventory, ownership));
    }
}
