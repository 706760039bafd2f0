//! Parsers of what Python, JavaScript and Java have installed and locked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::inspect::{FileInput, FileMode};
use pratique_inventory::PARSERS;

/// Parsers, and names that their formats have.
const NAMES: &[(&str, &[u8])] = &[
    ("bun-lock", b"bun.lock"),
    ("deno-lock", b"deno.lock"),
    ("gradle-lock", b"gradle.lockfile"),
    ("java-archive", b"lib/a-1.0.jar"),
    ("maven-pom", b"pom.xml"),
    ("node-modules", b"node_modules/a/package.json"),
    ("npm-lock", b"package-lock.json"),
    ("pnpm-lock", b"pnpm-lock.yaml"),
    ("python-installed", b"a-1.0.dist-info/METADATA"),
    ("python-installed", b"a-1.0.dist-info/RECORD"),
    ("python-lock", b"Pipfile.lock"),
    ("python-lock", b"poetry.lock"),
    ("python-requirements", b"requirements.txt"),
    ("sbt-lock", b"build.sbt.lock"),
    ("yarn-lock", b"yarn.lock"),
];

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (choice, bytes) = input;
    let (id, path) = NAMES[usize::from(choice) % NAMES.len()];
    let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
    let parser = PARSERS.iter().find(|parser| parser.id() == id).expect("a parser of that name");
    let parsed = parser.parse(&FileInput::in_memory(path, mode, &bytes));
    // Even an empty list of files is a record.
    assert!(parsed.records.len() <= bytes.len() + 1);
});
