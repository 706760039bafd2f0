//! Files with which users add to what detectors look for. What they hold is the detectors' affair; here they are named bytes.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::{DetectorInfo, Digest};

/// Most bytes of all of a user's files together: four full ConfigMaps.
pub const MAX_BYTES: usize = 4 << 20;

/// Most of a user's files.
pub const MAX_FILES: usize = 200;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// Words that are tried as passwords, one a line.
    Dictionary,
    /// Checksums of files that are known to be bad.
    Hashes,
    /// Rules for secrets and lists of what is allowed, in YAML.
    Secrets,
    /// YARA rules.
    Yara,
}

impl RuleKind {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Dictionary, Self::Hashes, Self::Secrets, Self::Yara];

    /// Its name in the chart's values, in folders and in messages.
    pub fn id(self) -> &'static str {
        match self {
            Self::Dictionary => "dictionary",
            Self::Hashes => "hashes",
            Self::Secrets => "secrets",
            Self::Yara => "yara",
        }
    }

    /// The kind of this name.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// Its name as a media type, for layers of artifacts.
    pub fn media_type(self) -> String {
        format!("application/vnd.pratique.rules.{}.v1", self.id())
    }

    /// The kind of a file of an artifact: what its media type says, else what the file's name ends with.
    pub fn of(name: &str, media_type: &str) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|kind| kind.media_type() == media_type);
        named.or_else(|| match name.rsplit_once('.')?.1 {
            "md5" | "sha256" => Some(Self::Hashes),
            "yaml" | "yml" => Some(Self::Secrets),
            "yar" | "yara" => Some(Self::Yara),
            _ => None,
        })
    }

    /// The detector that goes by it.
    pub fn detector(self) -> &'static str {
        match self {
            Self::Dictionary => "weak-password",
            Self::Hashes | Self::Yara => "malware",
            Self::Secrets => "secret",
        }
    }

    /// Whether it decides what is noted of a file, so that layers are read again when it changes. Words are tried when an
    /// image is judged.
    fn decides_facts(self) -> bool {
        self != Self::Dictionary
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleFile {
    /// What it is.
    pub kind: RuleKind,
    /// What findings and messages call it.
    pub name: String,
    /// What it holds, unchecked.
    pub content: Vec<u8>,
}

/// All of a user's files, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFiles(Vec<RuleFile>);

/// Why these are not a user's files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("they are too many or too long: at most {MAX_FILES} files and {MAX_BYTES} bytes together")]
pub struct TooMuch;

/// Which of a user's files each detector goes by: a text that is another for other files, by detector. A detector without
/// any is not named.
pub type Revisions = BTreeMap<String, String>;

impl RuleFiles {
    /// These files, in whatever order.
    ///
    /// # Errors
    /// They are more than [`MAX_FILES`], or have more than [`MAX_BYTES`].
    pub fn new(mut files: Vec<RuleFile>) -> Result<Self, TooMuch> {
        let bytes: usize = files.iter().map(|file| file.name.len() + file.content.len()).sum();
        if files.len() > MAX_FILES || bytes > MAX_BYTES {
            return Err(TooMuch);
        }
        files.sort();
        Ok(Self(files))
    }

    /// The files, by kind and name.
    pub fn iter(&self) -> impl Iterator<Item = &RuleFile> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files that each detector goes by.
    pub fn revisions(&self) -> Revisions {
        self.revisions_of(|_| true)
    }

    /// The same of those files alone that decide what is noted of a layer.
    pub fn revisions_of_facts(&self) -> Revisions {
        self.revisions_of(RuleKind::decides_facts)
    }

    fn revisions_of(&self, counts: impl Fn(RuleKind) -> bool) -> Revisions {
        let mut sums: BTreeMap<&str, Sha256> = BTreeMap::new();
        for file in self.0.iter().filter(|file| counts(file.kind)) {
            let sum = sums.entry(file.kind.detector()).or_default();
            for part in [file.kind.id().as_bytes(), file.name.as_bytes(), &file.content] {
                sum.update((part.len() as u64).to_le_bytes());
                sum.update(part);
            }
        }
        let short = |sum: Sha256| Digest::sha256(sum.finalize().into()).short().to_owned();
        sums.into_iter().map(|(detector, sum)| (detector.to_owned(), short(sum))).collect()
    }
}

/// A detector's rules as facts name them: its own version, and after a `+` which of a user's files it went by.
pub fn rules_version(detector: &DetectorInfo, revisions: &Revisions) -> String {
    match revisions.get(detector.id) {
        Some(revision) => format!("{}+{revision}", detector.version),
        None => detector.version.to_string(),
    }
}

/// What [`rules_version`] wrote, taken apart. A version that is no number reads as 0, older than any.
pub fn parse_rules_version(text: &str) -> (u32, Option<&str>) {
    let (version, revision) = match text.split_once('+') {
        Some((version, revision)) => (version, Some(revision)),
        None => (text, None),
    };
    (version.parse().unwrap_or(0), revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::DETECTORS;

    fn file(kind: RuleKind, name: &str, content: &str) -> RuleFile {
        RuleFile { kind, name: name.to_owned(), content: content.into() }
    }

    #[test]
    fn a_revision_is_of_the_detectors_own_files_and_of_no_others() {
        let files = |words: &str, rules: &str| {
            let (words, rules) =
                (file(RuleKind::Dictionary, "a", words), file(RuleKind::Secrets, "b", rules));
            RuleFiles::new(vec![rules, words]).unwrap()
        };
        let (one, two) = (files("quay", "x").revisions(), files("pier", "x").revisions());
        assert_eq!(one.keys().collect::<Vec<_>>(), ["secret", "weak-password"]);
        assert_eq!(one["secret"], two["secret"]);
        assert_ne!(one["weak-password"], two["weak-password"]);
        assert_ne!(one["secret"], files("quay", "y").revisions()["secret"]);
        assert_eq!(files("quay", "x").revisions_of_facts().keys().collect::<Vec<_>>(), ["secret"]);
        // What one file ends with and another begins with does not run together.
        let split = |a: &str, b: &str| {
            let files = vec![file(RuleKind::Hashes, "1", a), file(RuleKind::Hashes, "2", b)];
            RuleFiles::new(files).unwrap().revisions()
        };
        assert_ne!(split("ab", "c"), split("a", "bc"));
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let long = |bytes: usize| RuleFiles::new(vec![file(RuleKind::Hashes, "", &"#".repeat(bytes))]);
        assert!(long(MAX_BYTES).is_ok() && long(MAX_BYTES + 1) == Err(TooMuch));
        assert_eq!(RuleFiles::new(vec![file(RuleKind::Hashes, "a", ""); MAX_FILES + 1]), Err(TooMuch));
    }

    #[test]
    fn a_version_is_taken_apart_as_it_was_put_together() {
        let detector = &DETECTORS[0];
        let revisions = [(detector.id.to_owned(), "0123456789ab".to_owned())].into();
        let with = rules_version(detector, &revisions);
        assert_eq!(parse_rules_version(&with), (detector.version, Some("0123456789ab")));
        let without = rules_version(detector, &Revisions::new());
        assert_eq!(parse_rules_version(&without), (detector.version, None));
        assert_eq!(parse_rules_version("soon"), (0, None));
    }

    #[test]
    fn every_kind_is_of_a_detector_and_known_by_its_name() {
        for kind in RuleKind::ALL {
            assert_eq!(RuleKind::parse(kind.id()), Some(kind));
            assert!(DETECTORS.iter().any(|info| info.id == kind.detector()), "{kind:?}");
        }
        assert_eq!(RuleKind::parse("poetry"), None);
    }

    #[test]
    fn a_kind_is_told_by_the_media_type_before_the_ending() {
        for kind in RuleKind::ALL {
            assert_eq!(RuleKind::of("a.yar", &kind.media_type()), Some(kind));
        }
        for (name, kind) in [
            ("a.yar", Some(RuleKind::Yara)),
            ("team/a.b.yara", Some(RuleKind::Yara)),
            ("shop.yaml", Some(RuleKind::Secrets)),
            ("shop.yml", Some(RuleKind::Secrets)),
            ("bad.sha256", Some(RuleKind::Hashes)),
            ("bad.md5", Some(RuleKind::Hashes)),
            // Words or checksums: nobody can tell.
            ("list.txt", None),
            ("yara", None),
        ] {
            assert_eq!(RuleKind::of(name, "application/vnd.oci.image.layer.v1.tar"), kind, "{name}");
        }
    }
}
