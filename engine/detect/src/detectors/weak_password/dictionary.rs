//! The built-in dictionary: `dictionary.txt` beside this file, the most frequent passwords first.

const TEXT: &str = include_str!("dictionary.txt");

/// How many of its first entries are promised to be tried on every hash, however slow its scheme.
pub(super) const TOP: usize = 100;

/// All entries, the most frequent first.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    TEXT.lines().filter(|line| !line.starts_with("# "))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn entries_are_distinct_single_words() {
        let mut seen = HashSet::new();
        for word in words() {
            assert!(!word.is_empty() && !word.contains(char::is_whitespace), "{word:?}");
            assert!(seen.insert(word), "{word} is listed twice");
        }
        assert!(seen.len() > 1500, "{}", seen.len());
    }

    #[test]
    fn the_usual_defaults_are_among_the_first() {
        let top: HashSet<_> = words().take(TOP).collect();
        for word in [
            "123456",
            "password",
            "root",
            "toor",
            "admin",
            "changeme",
            "P@ssw0rd",
            "raspberry",
            "vagrant",
            "ubuntu",
            "alpine",
        ] {
            assert!(top.contains(word), "{word}");
        }
    }
}
