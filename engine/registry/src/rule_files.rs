//! A user's rules as an artifact: one layer per file. Its kind is what its media type says, else what its name ends with
//! ([`RuleKind::of`]). docs/rules.md says how to push one.

use std::collections::BTreeMap;

use pratique_core::rule_files::MAX_FILES;
use pratique_core::{RuleFile, RuleKind};

use crate::{Artifact, ArtifactFile, Error, Result};

/// Characters of a file's name at most.
const MAX_NAME: usize = 253;

/// Reads the files of an artifact, named by their titles: those of one kind, or all. They have at most `limit` bytes
/// together, which is seen before any is read; each is compared with its digest.
///
/// # Errors
/// If a file cannot be had, any of the artifact's is of no kind or has no fit name, or there are none that are wanted, too
/// many or too long ones.
pub fn read_rules(artifact: &Artifact, wanted: Option<RuleKind>, limit: u64) -> Result<Vec<RuleFile>> {
    let chosen = choose(&artifact.files, wanted, limit).map_err(|reason| Error::Malformed {
        what: format!("the artifact of rules {}", artifact.address),
        reason,
    })?;
    let read = |(kind, name, file)| -> Result<RuleFile> {
        Ok(RuleFile { kind, name: String::clone(name), content: artifact.blob(file).read()? })
    };
    chosen.into_iter().map(read).collect()
}

/// The files that are wanted, if all are what they should be. The error is a reason.
pub fn choose(
    files: &BTreeMap<String, ArtifactFile>,
    wanted: Option<RuleKind>,
    limit: u64,
) -> Result<Vec<(RuleKind, &String, &ArtifactFile)>, String> {
    let mut chosen = Vec::new();
    let mut bytes = 0_u64;
    for (name, file) in files {
        // Names go into messages and reports, and are never a path; all the same they may not look like another.
        let is_fit = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        };
        if name.len() > MAX_NAME || !name.split('/').all(is_fit) {
            // Whatever else the name has, it shows as ASCII.
            let shown: String = name.chars().take(MAX_NAME).flat_map(char::escape_default).collect();
            return Err(format!(
                "`{shown}` is no name for a file of rules: give it one of letters, digits, `.`, `_` and `-`, with `/` between folders"
            ));
        }
        let Some(kind) = RuleKind::of(name, &file.media_type) else {
            return Err(format!(
                "of what kind of rules `{name}` is neither its name's ending nor its media type says; push it as {name}:{}",
                RuleKind::Dictionary.media_type()
            ));
        };
        if wanted.is_none_or(|wanted| wanted == kind) {
            bytes = bytes.saturating_add(file.size);
            chosen.push((kind, name, file));
        }
    }
    match wanted {
        _ if chosen.len() > MAX_FILES || bytes > limit => Err(format!(
            "its files are too many or too long: at most {MAX_FILES} files and {limit} bytes together"
        )),
        Some(kind) if chosen.is_empty() => Err(format!("it has no file of the kind `{}`", kind.id())),
        None if chosen.is_empty() => Err("it has no file".to_owned()),
        _ => Ok(chosen),
    }
}

#[cfg(test)]
mod tests {
    use pratique_core::Digest;
    use rstest::rstest;

    use super::*;

    fn files(named: &[(&str, &str, u64)]) -> BTreeMap<String, ArtifactFile> {
        let file = |media_type: &str, size| ArtifactFile {
            media_type: media_type.to_owned(),
            digest: Digest::of(b""),
            size,
        };
        named.iter().map(|(name, kind, size)| ((*name).to_owned(), file(kind, *size))).collect()
    }

    #[test]
    fn the_files_that_are_wanted_are_chosen_by_their_kinds() {
        let words = RuleKind::Dictionary.media_type();
        let files = files(&[("a/b.yar", "", 1), ("shop.yaml", "text/plain", 2), ("words.txt", &words, 3)]);
        let names = |wanted, limit| -> Result<Vec<&str>, String> {
            Ok(choose(&files, wanted, limit)?.into_iter().map(|(_, name, _)| name.as_str()).collect())
        };
        assert_eq!(names(None, 6).unwrap(), ["a/b.yar", "shop.yaml", "words.txt"]);
        assert_eq!(names(Some(RuleKind::Yara), 1).unwrap(), ["a/b.yar"]);
        assert!(names(None, 5).unwrap_err().contains("5 bytes"));
        assert!(names(Some(RuleKind::Hashes), 6).unwrap_err().contains("no file of the kind `hashes`"));
        assert!(choose(&BTreeMap::new(), None, 6).unwrap_err().contains("no file"));
    }

    #[rstest]
    #[case::elsewhere("../../etc/cron.d/a.yar")]
    #[case::from_the_root("/etc/a.yar")]
    #[case::hidden("rules/.a.yar")]
    #[case::empty("")]
    #[case::an_empty_folder("a//b.yar")]
    #[case::backslashes("..\\a.yar")]
    #[case::a_line_break("a\nb.yar")]
    #[case::a_right_to_left_mark("a\u{202e}ray.b.yar")]
    #[case::long(&"a.yar".repeat(51))]
    fn a_name_that_is_no_files_is_refused(#[case] name: &str) {
        let error =
            choose(&files(&[("good.yar", "", 1), (name, "", 1)]), Some(RuleKind::Secrets), 9).unwrap_err();
        assert!(error.contains("no name for a file") && !error.contains(['\n', '\u{202e}']), "{error}");
    }

    #[test]
    fn a_file_of_no_kind_is_refused_whatever_is_wanted() {
        for wanted in [None, Some(RuleKind::Yara)] {
            let error =
                choose(&files(&[("a.yar", "", 1), ("list.txt", "text/plain", 1)]), wanted, 9).unwrap_err();
            assert!(
                error.contains("`list.txt`") && error.contains("push it as list.txt:application/"),
                "{error}"
            );
        }
    }

    #[test]
    fn sizes_that_lie_and_too_many_files_are_refused() {
        let lie = files(&[("a.yar", "", u64::MAX), ("b.yar", "", u64::MAX)]);
        assert!(choose(&lie, None, u64::from(u32::MAX)).unwrap_err().contains("too long"));
        let names: Vec<String> = (0..=MAX_FILES).map(|n| format!("{n}.yar")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), "", 0)).collect();
        assert!(choose(&files(&many), None, 9).unwrap_err().contains("too many"));
        assert_eq!(choose(&files(&many[1..]), None, 9).unwrap().len(), MAX_FILES);
    }
}
