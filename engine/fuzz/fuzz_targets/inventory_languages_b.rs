//! Programs, locks and records of Go, Rust, Ruby, PHP and .NET: the first byte says which file the others are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::inspect::{FileInput, FileMode};
use pratique_inventory::PARSERS;

/// Parsers and a path of each form that they read. New ones go to the end: seeds count from the start.
const FILES: &[(&str, &str)] = &[
    ("go-binary", "usr/bin/app"),
    ("cargo-auditable", "usr/bin/app"),
    ("go-mod", "srv/go.mod"),
    ("go-vendor", "srv/vendor/modules.txt"),
    ("cargo-lock", "srv/Cargo.lock"),
    ("gemspec", "usr/lib/ruby/gems/3.1.0/specifications/rack-3.0.8.gemspec"),
    ("gemfile-lock", "srv/Gemfile.lock"),
    ("composer", "srv/composer.lock"),
    ("composer", "srv/vendor/composer/installed.json"),
    ("dotnet", "app/app.deps.json"),
    ("dotnet", "app/packages.lock.json"),
    ("binaries", "usr/sbin/nginx"),
    ("binaries", "usr/bin/python3.12"),
    ("jdk", "opt/java/release"),
    ("go-toolchain", "usr/local/go/VERSION"),
    ("sbom", "app/app.cdx.json"),
    ("packages-config", "src/packages.config"),
    ("mix-lock", "srv/mix.lock"),
    ("rebar-lock", "srv/rebar.lock"),
    ("pubspec-lock", "app/pubspec.lock"),
    ("swift-resolved", "app/Package.resolved"),
    ("podfile-lock", "app/Podfile.lock"),
    ("conan-lock", "src/conan.lock"),
    ("renv-lock", "srv/renv.lock"),
    ("r-library", "usr/lib/R/library/jsonlite/DESCRIPTION"),
    ("julia-manifest", "srv/Manifest.toml"),
    ("wordpress", "srv/wp-content/plugins/tide/tide.php"),
    ("haskell", "src/stack.yaml.lock"),
    ("haskell", "src/cabal.project.freeze"),
    ("perl", "srv/cpanfile.snapshot"),
    ("luarocks", "usr/lib/luarocks/rocks-5.4/tide/1.0-1/tide-1.0-1.rockspec"),
    ("sbom", "app/app.cdx.xml"),
    ("sbom", "opt/bitnami/tide/.spdx-tide.spdx"),
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
