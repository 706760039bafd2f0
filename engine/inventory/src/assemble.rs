//! From the records of an image's visible files to its inventory.

use std::collections::{BTreeSet, HashMap, HashSet};

use pratique_core::package::{
    Ecosystem, Evidence, Inventory, LocatedPackage, OwnedFiles, Owner, Ownership, Package, Record, Release,
};

use crate::{LocatedRecord, purl};

/// The inventory of the files that are visible in an image. The order of `records` does not matter.
///
/// [`Inventory::removed`] is left empty: what upper layers removed is no visible file.
pub fn assemble(mut records: Vec<LocatedRecord>) -> (Inventory, Ownership) {
    records.sort_by(|a, b| (&a.path, &a.record).cmp(&(&b.path, &b.record)));
    let release = release(&records);
    let mut described = Described::default();
    let mut named = Vec::new();
    for LocatedRecord { path, layer, record } in records {
        if let Some(Record::Package { package, files }) = described.take(&path, record) {
            named.push((path, layer, package, files));
        }
    }
    let mut packages = Vec::new();
    let mut ownership = Ownership::default();
    for (path, layer, mut package, mut files) in named {
        // What is said of a package that is installed says nothing of an archive of the same name.
        if package.evidence != Evidence::Archived {
            described.complete(&path, &mut package, &mut files);
        }
        let path = place(&package, path);
        let purl = purl(&package, release.as_ref());
        let count = files.iter().count() as u64;
        if package.ecosystem.is_system() {
            ownership.add(&purl, &files);
        }
        packages.push(LocatedPackage { package, purl, path, layer, owned_by: None, files: count });
    }
    packages.sort();
    packages.dedup();
    let is_of_binary = |located: &LocatedPackage| located.package.evidence == Evidence::Binary;
    for located in packages.iter_mut().filter(|one| !one.package.ecosystem.is_system() || is_of_binary(one)) {
        located.owned_by = ownership.owner(&located.path).map(str::to_owned);
    }
    // What a file itself tells, the package database knows better.
    packages.retain(|located| located.owned_by.is_none() || !is_of_binary(located));
    // Every program of a system's package names it, and it is one.
    packages.dedup_by(|next, kept| {
        next.package.ecosystem.is_system() && is_of_binary(next) && next.package == kept.package
    });
    leave_out_described_assemblies(&mut packages);
    (Inventory { release, packages, removed: Vec::new() }, ownership)
}

/// Where a package is said to lie. A Nix package is known by any file of its folder in the store, and is one.
fn place(package: &Package, path: String) -> String {
    match package.ecosystem {
        Ecosystem::Nix => path.split('/').take(4).collect::<Vec<_>>().join("/"),
        _ => path,
    }
}

/// Of assemblies in a folder with a `*.deps.json`, and below it, that file tells which packages they came from.
fn leave_out_described_assemblies(packages: &mut Vec<LocatedPackage>) {
    let folder = |path: &str| path.rsplit_once('/').map_or(0, |(folder, _)| folder.len());
    let described: HashSet<String> = packages
        .iter()
        .filter(|located| located.path.ends_with(".deps.json"))
        .map(|located| located.path[..folder(&located.path)].to_owned())
        .collect();
    packages.retain(|LocatedPackage { package, path, .. }| {
        let is_guess = package.ecosystem == Ecosystem::NuGet && package.evidence == Evidence::Binary;
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        !is_guess || !folders.into_iter().any(|folder| described.contains(folder))
    });
}

/// The release. Files that stand in for os-release complete what it leaves out, if they speak of the same system
/// (Debian's testing has no `VERSION_ID`).
fn release(records: &[LocatedRecord]) -> Option<Release> {
    let mut releases: Vec<_> = records
        .iter()
        .filter_map(|located| match &located.record {
            Record::Release(release) => Some((rank(&located.path), release)),
            _ => None,
        })
        .collect();
    releases.sort_by_key(|(rank, _)| *rank);
    let mut releases = releases.into_iter().map(|(_, release)| release);
    let mut best = releases.next()?.clone();
    for other in releases.filter(|other| other.id == best.id) {
        // A codename without a version is a version to come: no older file may name one.
        if best.version.is_empty() && best.codename.is_empty() {
            best.version.clone_from(&other.version);
        }
        if best.codename.is_empty() && best.version == other.version {
            best.codename.clone_from(&other.codename);
        }
    }
    Some(best)
}

/// Which file is believed first. os-release in /etc is the administrator's, the one in /usr/lib the vendor's. Of the
/// stand-ins those come first that one distribution alone has: its clones keep the files of what they derive from
/// (Oracle Linux a redhat-release, Ubuntu a debian_version).
fn rank(path: &str) -> u32 {
    match path {
        "/etc/os-release" => 0,
        "/usr/lib/os-release" => 1,
        _ if path.ends_with("/os-release") => 2,
        "/etc/lsb-release" => 4,
        "/etc/system-release" => 5,
        "/etc/redhat-release" => 6,
        "/etc/system-release-cpe" => 7,
        "/etc/debian_version" => 8,
        _ => 3,
    }
}

/// What files say of packages that other files name, by their [`key`].
#[derive(Default)]
struct Described(HashMap<(Ecosystem, String), Vec<Record>>);

/// What tells which package is meant. A system has a package once, under its name; language packages can be installed
/// several times, each with a folder of metadata of its own, and spell their names in several ways.
fn key(ecosystem: Ecosystem, name: &str, path: &str) -> (Ecosystem, String) {
    if ecosystem.is_system() {
        return (ecosystem, name.to_owned());
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    (ecosystem, folder.to_owned())
}

impl Described {
    /// Takes a record that speaks of a package that another one names; gives any other back.
    fn take(&mut self, path: &str, record: Record) -> Option<Record> {
        match &record {
            Record::Files { owner, .. } | Record::Licenses { owner, .. } => {
                self.0.entry(key(owner.ecosystem, &owner.name, path)).or_default().push(record);
                None
            }
            Record::Package { .. } | Record::Release(_) => Some(record),
        }
    }

    /// Adds to a package what is said of it elsewhere: files, and licences if it does not say them itself.
    fn complete(&self, path: &str, package: &mut Package, files: &mut OwnedFiles) {
        let Some(records) = self.0.get(&key(package.ecosystem, &package.name, path)) else { return };
        let speaks = |owner: &Owner| !package.ecosystem.is_system() || owner.is(package);
        let mut licenses = BTreeSet::new();
        let mut lists = vec![&*files];
        for record in records {
            match record {
                Record::Files { owner, files } if speaks(owner) => lists.push(files),
                Record::Licenses { owner, licenses: more } if speaks(owner) => licenses.extend(more),
                _ => {}
            }
        }
        if lists.len() > 1 {
            *files = lists.into_iter().flatten().collect();
        }
        if package.licenses.is_empty() {
            package.licenses = licenses.into_iter().cloned().collect();
        }
    }
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
        Owner { architecture: Some("amd64".to_owned()), ..Owner::new(Ecosystem::Deb, name) }
    }

    #[test]
    fn a_language_package_that_is_installed_twice_has_the_files_of_each_place() {
        let record = |folder: &str, count: usize| {
            let owner = Owner::new(Ecosystem::PyPi, "flask_login");
            let path = |n| OwnedFile::with_checksum(format!("{folder}/{n}.py"), None);
            let files = (0..count).map(path).collect();
            located(&format!("{folder}/flask_login-0.6.dist-info/RECORD"), Record::Files { owner, files })
        };
        let metadata = |folder: &str| {
            let path = format!("{folder}/flask_login-0.6.dist-info/METADATA");
            located(&path, Package::new(Ecosystem::PyPi, "Flask-Login", "0.6").into())
        };
        let (inventory, ownership) =
            assemble(vec![metadata("/a"), record("/a", 2), metadata("/b"), record("/b", 3)]);
        let counts: Vec<_> = inventory.packages.iter().map(|package| package.files).collect();
        assert_eq!(counts, [2, 3]);
        assert!(ownership.is_empty());
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
                    owner: Owner::new(Ecosystem::Deb, "python3-six"),
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
    fn os_release_wins_and_is_completed_by_stand_ins_of_the_same_system() {
        let release = |id: &str, version: &str, codename: &str| {
            let (id, version, codename) = (id.to_owned(), version.to_owned(), codename.to_owned());
            Record::Release(Release { id, version, codename, ..Release::default() })
        };
        for (files, expected) in [
            (
                vec![
                    ("/etc/debian_version", release("debian", "12", "")),
                    ("/etc/os-release", release("wolfi", "", "")),
                ],
                ("wolfi", "", ""),
            ),
            (
                vec![
                    ("/etc/redhat-release", release("rhel", "8.9", "Ootpa")),
                    ("/etc/oracle-release", release("ol", "8.9", "")),
                ],
                ("ol", "8.9", ""),
            ),
            (
                vec![
                    ("/etc/debian_version", release("debian", "", "trixie")),
                    ("/usr/lib/os-release", release("debian", "", "")),
                ],
                ("debian", "", "trixie"),
            ),
            (
                vec![
                    ("/etc/debian_version", release("debian", "", "trixie")),
                    ("/etc/lsb-release", release("ubuntu", "22.04", "jammy")),
                ],
                ("ubuntu", "22.04", "jammy"),
            ),
            (
                vec![
                    ("/etc/centos-release", release("centos", "7.9.2009", "Core")),
                    ("/etc/os-release", release("centos", "7", "")),
                ],
                ("centos", "7", ""),
            ),
        ] {
            let records = files.into_iter().map(|(path, record)| located(path, record)).collect();
            let found = assemble(records).0.release.unwrap();
            assert_eq!((found.id.as_str(), found.version.as_str(), found.codename.as_str()), expected);
        }
    }

    #[test]
    fn versions_beside_each_other_keep_their_own_files_and_a_store_folder_is_one_package() {
        let python = |version: &str| Package::new(Ecosystem::Ebuild, "dev-lang/python", version);
        let files = |version: &str, path: &str| Record::Files {
            owner: Owner {
                version: Some(version.to_owned()),
                ..Owner::new(Ecosystem::Ebuild, "dev-lang/python")
            },
            files: file(path, None),
        };
        let hello = || Record::from(Package::new(Ecosystem::Nix, "hello", "2.12"));
        let (inventory, ownership) = assemble(vec![
            located("/var/db/pkg/dev-lang/python-3.11/PF", python("3.11").into()),
            located("/var/db/pkg/dev-lang/python-3.12/PF", python("3.12").into()),
            located("/var/db/pkg/dev-lang/python-3.11/CONTENTS", files("3.11", "usr/bin/python3.11")),
            located("/var/db/pkg/dev-lang/python-3.12/CONTENTS", files("3.12", "usr/bin/python3.12")),
            located("/nix/store/0-hello-2.12/bin/hello", hello()),
            located("/nix/store/0-hello-2.12/lib/x.so", hello()),
        ]);
        assert_eq!(ownership.owner("/usr/bin/python3.11"), Some("pkg:ebuild/dev-lang/python@3.11"));
        assert_eq!(ownership.owner("/usr/bin/python3.12"), Some("pkg:ebuild/dev-lang/python@3.12"));
        let nix: Vec<_> =
            inventory.packages.iter().filter(|found| found.package.ecosystem == Ecosystem::Nix).collect();
        assert_eq!(nix.len(), 1);
        assert_eq!(nix[0].path, "/nix/store/0-hello-2.12");
    }

    #[test]
    fn a_program_that_a_system_package_owns_is_not_guessed_at_and_another_is() {
        let files = [OwnedFile::new("usr/bin/curl")].into_iter().collect();
        let record = Record::Package { package: Package::new(Ecosystem::Deb, "curl", "7.88.1-10"), files };
        let mut guess = Package::new(Ecosystem::Generic, "curl", "7.88.1");
        guess.evidence = Evidence::Binary;
        let records = vec![
            located("/var/lib/dpkg/status", record),
            located("/usr/bin/curl", guess.clone().into()),
            located("/opt/curl", guess.into()),
        ];
        let (inventory, _) = assemble(records);
        let paths: Vec<&str> = inventory.packages.iter().map(|located| located.path.as_str()).collect();
        assert_eq!(paths, ["/var/lib/dpkg/status", "/opt/curl"]);
    }

    #[test]
    fn an_archive_takes_nothing_from_an_installed_package_and_owns_nothing() {
        let mut archived = Package::new(Ecosystem::Deb, "dash", "2");
        archived.evidence = Evidence::Archived;
        let list = Record::Files { owner: Owner::new(Ecosystem::Deb, "dash"), files: file("bin/dash", None) };
        let (inventory, ownership) = assemble(vec![
            located("/var/lib/dpkg/status", Package::new(Ecosystem::Deb, "dash", "1").into()),
            located("/var/lib/dpkg/info/dash.list", list),
            located("/var/cache/apt/archives/dash_2.deb", archived.into()),
        ]);
        let counts = inventory.packages.iter().map(|found| (&*found.package.version, found.files));
        assert_eq!(counts.collect::<Vec<_>>(), [("1", 1), ("2", 0)]);
        assert_eq!(ownership.owner("/bin/dash"), Some(inventory.packages[0].purl.as_str()));
    }

    #[test]
    fn notes_in_programs_are_one_package_and_give_way_to_the_database() {
        let noted = |path: &str, name: &str| {
            let mut package = Package::new(Ecosystem::Rpm, name, "9.4-7.fc40");
            package.evidence = Evidence::Binary;
            located(path, package.into())
        };
        let package = Package::new(Ecosystem::Rpm, "bash", "5.2-1.fc40");
        let files = [OwnedFile::new("usr/bin/bash")].into_iter().collect();
        let (inventory, _) = assemble(vec![
            located("/var/lib/rpm/rpmdb.sqlite", Record::Package { package, files }),
            noted("/usr/bin/bash", "bash"),
            noted("/opt/bin/ls", "coreutils"),
            noted("/opt/bin/cp", "coreutils"),
        ]);
        let paths: Vec<&str> = inventory.packages.iter().map(|located| located.path.as_str()).collect();
        assert_eq!(paths, ["/var/lib/rpm/rpmdb.sqlite", "/opt/bin/cp"]);
    }

    #[test]
    fn a_deps_json_knows_better_than_the_assemblies_beside_and_below_it() {
        let assembly = |path: &str| {
            let mut package = Package::new(Ecosystem::NuGet, "Tide.Core", "1.4.2.0");
            package.evidence = Evidence::Binary;
            located(path, package.into())
        };
        let described = Package::new(Ecosystem::NuGet, "Tide.Core", "1.4.2");
        let (inventory, _) = assemble(vec![
            located("/app/tide.deps.json", described.into()),
            assembly("/app/Tide.Core.dll"),
            assembly("/app/runtimes/unix/lib/Tide.Core.dll"),
            assembly("/apple/Tide.Core.dll"),
        ]);
        let paths: Vec<&str> = inventory.packages.iter().map(|located| located.path.as_str()).collect();
        assert_eq!(paths, ["/app/tide.deps.json", "/apple/Tide.Core.dll"]);
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
