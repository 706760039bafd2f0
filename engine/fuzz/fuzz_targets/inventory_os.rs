//! Package databases of operating systems: the first byte says which file the others are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::inspect::{FileInput, FileMode};
use pratique_inventory::PARSERS;

/// Parsers and a path of each form that they read. New ones go to the end: seeds count from the start.
const FILES: &[(&str, &str)] = &[
    ("rpm", "var/lib/rpm/rpmdb.sqlite"),
    ("rpm", "var/lib/rpm/Packages"),
    ("rpm", "var/lib/rpm/Packages.db"),
    ("dpkg", "var/lib/dpkg/status"),
    ("dpkg", "var/lib/dpkg/info/libc6:amd64.list"),
    ("dpkg", "var/lib/dpkg/info/libc6:amd64.md5sums"),
    ("dpkg", "usr/share/doc/libc6/copyright"),
    ("apk", "lib/apk/db/installed"),
    ("opkg", "usr/lib/opkg/status"),
    ("opkg", "usr/lib/opkg/info/busybox.list"),
    ("opkg", "usr/lib/opkg/info/busybox.control"),
    ("pacman", "var/lib/pacman/local/gcc-13.2.1-3/desc"),
    ("pacman", "var/lib/pacman/local/gcc-13.2.1-3/files"),
    ("portage", "var/db/pkg/dev-lang/python-3.11-r1/CONTENTS"),
    ("snap", "snap/hello/42/meta/snap.yaml"),
    ("flatpak", "var/lib/flatpak/app/org.example.App/x86_64/stable/0a1b/deploy"),
    ("conda", "opt/conda/conda-meta/zlib-1.2.13-0.json"),
    ("os-release", "etc/os-release"),
    ("release", "etc/debian_version"),
    ("release", "etc/lsb-release"),
    ("release", "etc/SuSE-release"),
    ("release", "etc/system-release-cpe"),
    ("release", "etc/redhat-release"),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, content)) = bytes.split_first() else { return };
    let (id, path) = FILES[usize::from(*which) % FILES.len()];
    let parser = PARSERS.iter().find(|parser| parser.id() == id).expect("a registered parser");
    let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
    let content = content.to_vec();
    let file = FileInput::in_memory(path.as_bytes(), mode, &content);
    let parsed = parser.parse(&file);
    assert_eq!(parser.parse(&file), parsed);
});
