//! Parsers of packages: the first byte says which file the others are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::inspect::{FileInput, FileMode};
use pratique_inventory::PARSERS;

/// Parsers and a path of each form that they read. New ones go to the end: seeds count from the start. Where there is no
/// path, the parser reads nothing but paths, and the bytes are one.
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
    ("bun-lock", "bun.lock"),
    ("deno-lock", "deno.lock"),
    ("gradle-lock", "gradle.lockfile"),
    ("java-archive", "lib/a-1.0.jar"),
    ("maven-pom", "pom.xml"),
    ("node-modules", "node_modules/a/package.json"),
    ("npm-lock", "package-lock.json"),
    ("pnpm-lock", "pnpm-lock.yaml"),
    ("python-installed", "a-1.0.dist-info/METADATA"),
    ("python-installed", "a-1.0.dist-info/RECORD"),
    ("python-lock", "Pipfile.lock"),
    ("python-lock", "poetry.lock"),
    ("python-requirements", "requirements.txt"),
    ("sbt-lock", "build.sbt.lock"),
    ("yarn-lock", "yarn.lock"),
    ("nix", ""),
    ("dotnet-assembly", "app/Tide.dll"),
    ("native-image", "app/tide"),
    ("package-archive", "a.deb"),
    ("package-archive", "a.rpm"),
    ("package-archive", "a.apk"),
    ("package-archive", "a.whl"),
    ("package-archive", "a.gem"),
    ("package-archive", "a.nupkg"),
    ("package-archive", "a.crate"),
    ("package-archive", "a.tgz"),
    ("package-archive", "a.conda"),
    ("elf-note", "usr/bin/app"),
    ("github-actions", "srv/.github/workflows/build.yml"),
    ("php-registry", "usr/share/php/.registry/tide.reg"),
    ("otp-application", "app/lib/tide-1/ebin/tide.app"),
    ("conda-environment", "srv/environment.yml"),
    ("dotnet-project", "src/Tide.csproj"),
    ("terraform-lock", "srv/.terraform.lock.hcl"),
    ("opam", "root/.opam/default/.opam-switch/packages/lwt.5.7.0/opam"),
    ("homebrew", "opt/homebrew/Cellar/tide/0.4/INSTALL_RECEIPT.json"),
    ("vcpkg", "opt/vcpkg/installed/vcpkg/status"),
    ("conan", "src/conanfile.txt"),
    ("linux-kernel", "boot/vmlinuz"),
];

fuzz_target!(
    init: for parser in PARSERS {
        assert!(FILES.iter().any(|(id, _)| *id == parser.id()), "{} is not fuzzed", parser.id());
    },
    |bytes: &[u8]| {
        let Some((which, content)) = bytes.split_first() else { return };
        let (id, path) = FILES[usize::from(*which) % FILES.len()];
        let parser = PARSERS.iter().find(|parser| parser.id() == id).expect("a registered parser");
        let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
        let content = content.to_vec();
        let path = if path.is_empty() { &content } else { path.as_bytes() };
        let file = FileInput::in_memory(path, mode, &content);
        let parsed = parser.parse(&file);
        // Even an empty list of files is a record.
        assert!(parsed.records.len() <= content.len() + 1);
        assert_eq!(parser.parse(&file), parsed);
    }
);
