//! The registry of parsers: one file (or folder) and one line each.
//!
//! Because the list declares the modules, `cargo fmt` does not see them; `make fmt` runs `rustfmt` on them by name.

use crate::Parser;

/// Declares each parser's module and lists its `PARSER`.
macro_rules! parsers {
    ($($name:ident),+ $(,)?) => {
        $(mod $name;)+

        /// All parsers, in the order of the list.
        pub static PARSERS: &[&dyn Parser] = &[$(&$name::PARSER),+];

        #[cfg(test)]
        const MODULES: &[&str] = &[$(stringify!($name)),+];
    };
}

parsers! {
    apk,
    binaries,
    bun_lock,
    cargo_auditable,
    cargo_lock,
    composer,
    conan,
    conan_lock,
    conda,
    conda_environment,
    deno_lock,
    dotnet,
    dotnet_assembly,
    dotnet_project,
    dpkg,
    elf_note,
    flatpak,
    gemfile_lock,
    gemspec,
    github_actions,
    go_binary,
    go_mod,
    go_toolchain,
    go_vendor,
    gradle_lock,
    haskell,
    homebrew,
    java_archive,
    jdk,
    julia_manifest,
    linux_kernel,
    luarocks,
    maven_pom,
    mix_lock,
    native_image,
    nix,
    node_modules,
    npm_lock,
    opam,
    opkg,
    os_release,
    otp_application,
    package_archive,
    packages_config,
    pacman,
    perl,
    pnpm_lock,
    php_registry,
    podfile_lock,
    portage,
    pubspec_lock,
    python_installed,
    python_lock,
    python_requirements,
    r_library,
    rebar_lock,
    release,
    renv_lock,
    rpm,
    sbom,
    sbt_lock,
    snap,
    swift_resolved,
    terraform_lock,
    vcpkg,
    wordpress,
    yarn_lock,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_registered() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/parsers");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        found.sort();
        let mut listed = MODULES.to_vec();
        listed.sort_unstable();
        assert_eq!(found, listed, "src/parsers/ and the list in src/parsers.rs differ");
        for (module, parser) in MODULES.iter().zip(PARSERS) {
            assert_eq!(module.replace('_', "-"), parser.id());
        }
    }

    #[test]
    fn interests_are_relative_globs() {
        for interest in PARSERS.iter().flat_map(|parser| parser.interests()) {
            assert!(!interest.globs.is_empty());
            for glob in interest.globs {
                assert!(!glob.starts_with('/'), "{glob}");
                globset::Glob::new(glob).unwrap();
            }
        }
    }
}
