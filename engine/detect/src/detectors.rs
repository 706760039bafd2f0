//! The registry of detectors: one file (or folder) and one line each.
//!
//! Because the list declares the modules, `cargo fmt` does not see them; `make fmt` runs `rustfmt` on them by name.

use crate::Detector;

/// Declares each detector's module and lists its `DETECTOR`.
macro_rules! detectors {
    ($($name:ident),+ $(,)?) => {
        $(mod $name;)+

        /// All detectors, in the order of the list.
        pub static DETECTORS: &[&dyn Detector] = &[$(&$name::DETECTOR),+];

        #[cfg(test)]
        const MODULES: &[&str] = &[$(stringify!($name)),+];
    };
}

detectors! {
    weak_password,
    backdoor,
    escalation,
    tampering,
    image_config,
    build_history,
    base_image,
    webshell,
    secret,
    malware,
}

/// The detector `malware` with lists of checksums, a user's own YARA rules, and another scanner that is asked about every file.
pub fn malware(
    lists: Vec<crate::HashList>,
    yara: Option<crate::YaraRules>,
    other: Option<Box<dyn crate::OtherScanner>>,
) -> impl Detector + use<> {
    malware::Malware::with(lists, yara, other)
}

/// The detector `secret` with a user's own rules, and lists of what the user allows.
pub fn secret(rules: crate::SecretRules) -> impl Detector + use<> {
    secret::Secrets::with(rules)
}

/// Whether the detector `secret` has a kind of this id itself.
pub(crate) fn is_kind_of_secret(id: &str) -> bool {
    secret::is_kind(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_registered() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/detectors");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        found.sort();
        let mut listed = MODULES.to_vec();
        listed.sort_unstable();
        assert_eq!(found, listed, "src/detectors/ and the list in src/detectors.rs differ");
    }

    #[test]
    fn the_registry_and_the_descriptions_agree() {
        let own: Vec<_> = DETECTORS.iter().map(|detector| *detector.info()).collect();
        assert_eq!(own, pratique_core::detector::DETECTORS);
        for (module, info) in MODULES.iter().zip(own) {
            assert_eq!(module.replace('_', "-"), info.id);
        }
    }

    #[test]
    fn interests_are_relative_globs_with_a_window() {
        for interest in DETECTORS.iter().flat_map(|detector| detector.interests()) {
            assert!(!interest.globs.is_empty());
            for glob in interest.globs {
                assert!(!glob.starts_with('/'), "{glob}");
                globset::Glob::new(glob).unwrap();
            }
        }
    }
}
