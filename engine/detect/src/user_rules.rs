//! All that a user's files say, checked: what detectors are made of that go by them.

use std::collections::HashSet;

use pratique_core::{RuleFiles, RuleKind};

use crate::{Detector, HashList, SecretRules, YaraRules, YaraRulesError, detectors};

/// Words of all dictionaries together: every one costs each weak hash of each image a try.
const MAX_WORDS: usize = 10_000;

/// Characters of a word.
const MAX_WORD: usize = 128;

/// Bytes of a file of YARA rules: for each the thread that reads it has a stack of 128 bytes, which has to fit the memory of a
/// process that scans.
const MAX_YARA: usize = 512 << 10;

/// What a user's files say.
#[derive(Default)]
pub struct UserRules {
    secrets: Option<SecretRules>,
    hashes: Vec<HashList>,
    yara: Option<YaraRules>,
    dictionary: Vec<String>,
}

/// Why a user's file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct UserRulesError {
    /// Its kind and name.
    pub file: String,
    /// What is wrong, and in which line if it is in one.
    pub reason: String,
}

impl UserRules {
    /// Reads all files.
    ///
    /// # Errors
    /// With the first that is none of its kind.
    pub fn read(files: &RuleFiles) -> Result<Self, UserRulesError> {
        let mut rules = Self::default();
        let mut known = HashSet::new();
        let mut yara = Vec::new();
        let wrong = |kind: RuleKind, name: &str, reason| UserRulesError {
            file: format!("{}/{name}", kind.id()),
            reason,
        };
        for file in files.iter() {
            let read = match file.kind {
                RuleKind::Secrets => {
                    let secrets = rules.secrets.get_or_insert_default();
                    secrets.add(&file.name, &mut file.content.as_slice()).map_err(|error| error.to_string())
                }
                RuleKind::Hashes => HashList::read(file.name.clone(), &mut file.content.as_slice())
                    .map(|list| rules.hashes.push(list))
                    .map_err(|error| error.to_string()),
                RuleKind::Dictionary => add_words(&file.content, &mut known, &mut rules.dictionary),
                RuleKind::Yara if file.content.len() > MAX_YARA => {
                    Err(format!("it is larger than {} KiB; split it", MAX_YARA >> 10))
                }
                RuleKind::Yara => {
                    yara.push((file.name.clone(), file.content.clone()));
                    Ok(())
                }
            };
            read.map_err(|reason| wrong(file.kind, &file.name, reason))?;
        }
        if !yara.is_empty() {
            let compiled = YaraRules::compile(&yara);
            rules.yara = Some(compiled.map_err(|error| match error {
                YaraRulesError::Source { name, reason } => wrong(RuleKind::Yara, &name, reason),
                error => wrong(RuleKind::Yara, "", error.to_string()),
            })?);
        }
        Ok(rules)
    }

    /// The detectors that go by them, each in the place of the built-in one of its id, and the words to try as passwords.
    /// Files that YARA rules are tried on take at most `held` bytes of memory at a time; larger ones are gaps.
    pub fn into_detectors(self, held: usize) -> (Vec<Box<dyn Detector>>, Vec<String>) {
        let mut own: Vec<Box<dyn Detector>> = Vec::new();
        if let Some(secrets) = self.secrets {
            own.push(Box::new(detectors::secret(secrets)));
        }
        if !self.hashes.is_empty() || self.yara.is_some() {
            let yara = self.yara.map(|rules| rules.holding(held));
            own.push(Box::new(detectors::malware(self.hashes, yara, None)));
        }
        (own, self.dictionary)
    }
}

/// Adds one word a line; empty lines and words that are known already are left out.
fn add_words(content: &[u8], known: &mut HashSet<String>, words: &mut Vec<String>) -> Result<(), String> {
    for (number, line) in (1..).zip(content.split(|byte| *byte == b'\n')) {
        let wrong = |reason: String| format!("line {number}: {reason}");
        let word = std::str::from_utf8(line).map_err(|_| wrong("it is no UTF-8".to_owned()))?.trim_end();
        if word.chars().count() > MAX_WORD {
            return Err(wrong(format!("the word is longer than {MAX_WORD} characters")));
        }
        if !word.is_empty() && known.insert(word.to_owned()) {
            if words.len() == MAX_WORDS {
                return Err(wrong(format!("there are more than {MAX_WORDS} words")));
            }
            words.push(word.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pratique_core::RuleFile;

    use super::*;

    fn read(files: &[(RuleKind, &str, &[u8])]) -> Result<UserRules, UserRulesError> {
        let file = |(kind, name, content): &(RuleKind, &str, &[u8])| RuleFile {
            kind: *kind,
            name: (*name).to_owned(),
            content: content.to_vec(),
        };
        UserRules::read(&RuleFiles::new(files.iter().map(file).collect()).unwrap())
    }

    const RULE: &[u8] = b"rules:
  - {id: acme-key, description: a key of ours, regex: 'ACME-[0-9]{12}', severity: High}
";

    #[test]
    fn each_kind_goes_to_its_detector() {
        let sum = "9f".repeat(32);
        let rules = read(&[
            (RuleKind::Secrets, "a.yaml", RULE),
            (RuleKind::Hashes, "bad.txt", sum.as_bytes()),
            (RuleKind::Yara, "own.yar", b"rule A { condition: true }"),
            (RuleKind::Dictionary, "one", b"harbour\r\n\nquay side\nharbour\n"),
            (RuleKind::Dictionary, "two", b"quay side\npier"),
        ]);
        let (own, words) = rules.unwrap_or_else(|error| panic!("{error}")).into_detectors(0);
        assert_eq!(own.iter().map(|own| own.info().id).collect::<Vec<_>>(), ["secret", "malware"]);
        assert!(own.iter().all(|own| own.revision().is_some()));
        assert_eq!(words, ["harbour", "quay side", "pier"]);
        let (none, words) = read(&[]).unwrap_or_else(|error| panic!("{error}")).into_detectors(0);
        assert!(none.is_empty() && words.is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line() {
        let many: String = (0..=MAX_WORDS).map(|n| format!("{n}\n")).collect();
        let long = "x".repeat(MAX_WORD + 1);
        for (kind, content, expected) in [
            (RuleKind::Secrets, &b"rules:\n  - {id: x}\n"[..], "secrets/team/f: line 2: "),
            (RuleKind::Hashes, b"# ours\nnonsense\n", "hashes/team/f: line 2: `nonsense` is neither"),
            (RuleKind::Dictionary, b"a\n\xff\n", "dictionary/team/f: line 2: it is no UTF-8"),
            (RuleKind::Dictionary, many.as_bytes(), "dictionary/team/f: line 10001: there are more than"),
            (RuleKind::Dictionary, long.as_bytes(), "dictionary/team/f: line 1: the word is longer than"),
            (RuleKind::Yara, b"\nrule A { condition: $x }", "yara/team/f: line 2: "),
            (RuleKind::Yara, &[b' '; MAX_YARA + 1], "yara/team/f: it is larger than 512 KiB"),
        ] {
            let error = read(&[(kind, "team/f", content)]).err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
