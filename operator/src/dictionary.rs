//! The user's own words to try as passwords.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};

/// Largest file, in bytes: what fits into a ConfigMap.
const MAX_FILE: u64 = 1 << 20;

/// Most words: every one costs each weak hash of each image a try.
const MAX_WORDS: usize = 10_000;

/// Reads one word a line; empty lines and repeated words are left out.
///
/// # Errors
/// If the file cannot be read, is no UTF-8, or is too long.
pub fn read(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
        .with_context(|| format!("--dictionary {} cannot be read", path.display()))?;
    let mut known = std::collections::HashSet::new();
    let words: Vec<String> = text
        .lines()
        .map(str::trim_end)
        .filter(|word| !word.is_empty() && known.insert(*word))
        .map(str::to_owned)
        .collect();
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_FILE || words.len() > MAX_WORDS {
        bail!("--dictionary {} is too long: at most {MAX_WORDS} words in 1 MiB are tried", path.display());
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &[u8]) -> anyhow::Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.txt");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn one_word_a_line() {
        assert_eq!(read_text(b"harbour\r\n\nquay side\nharbour\n").unwrap(), ["harbour", "quay side"]);
    }

    #[test]
    fn what_is_no_dictionary_is_refused_with_the_flag() {
        let many: String = (0..=MAX_WORDS).map(|n| format!("{n}\n")).collect();
        for text in [&[0xff, 0xfe][..], &vec![b'a'; (1 << 20) + 1], many.as_bytes()] {
            assert!(read_text(text).unwrap_err().to_string().contains("--dictionary"));
        }
        assert!(
            read(Path::new("/nowhere/words"))
                .unwrap_err()
                .to_string()
                .contains("--dictionary /nowhere/words")
        );
    }
}
