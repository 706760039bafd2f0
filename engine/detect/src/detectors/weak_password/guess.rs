//! What is tried on a hash, and in which order: what is said of the account first, then what many people use.
//!
//! The order is the promise: [`Guesses::promised`] is tried whole on every hash or its absence is a gap;
//! [`Guesses::further`] only as long as the budget lasts.

use std::{collections::HashSet, time::Duration};

use super::dictionary;

/// A scheme that takes at least this long for one guess gets the names and the top of the dictionary alone.
const SLOW: Duration = Duration::from_millis(5);
/// A scheme that takes at most this long for one guess gets the dictionary's mutations too.
const FAST: Duration = Duration::from_micros(300);
/// Words taken from an image's names.
const MAX_IMAGE_WORDS: usize = 8;
/// Longer guesses are not tried: getpass(3) cuts passwords long before.
const MAX_GUESS: usize = 512;
/// Parts of references that name no image and nobody's company.
const NO_WORDS: [&str; 22] = [
    "docker",
    "io",
    "com",
    "org",
    "net",
    "dev",
    "local",
    "localhost",
    "svc",
    "cluster",
    "library",
    "registry",
    "index",
    "ghcr",
    "gcr",
    "quay",
    "ecr",
    "azurecr",
    "pkg",
    "www",
    "hub",
    "k8s",
];

/// What is known of a hash beside itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clues<'a> {
    /// Names of the accounts or groups that have this very hash.
    pub(super) owners: &'a [&'a str],
    /// Words of the products that have it: their names and the passwords they come with.
    pub(super) product: &'a [&'a str],
    /// Names of all others with a password.
    pub(super) others: &'a [&'a str],
    /// Words from the image's names, see [`image_words`].
    pub(super) image: &'a [String],
    /// Words the user gave.
    pub(super) dictionary: &'a [String],
}

/// Guesses in the order in which they are tried; none twice.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// Tried whole, or a gap says that they were not.
    pub(super) promised: Vec<String>,
    /// Tried while there is time.
    pub(super) further: Vec<String>,
}

/// The guesses for a hash whose scheme takes `each` for one.
pub(super) fn guesses(clues: &Clues<'_>, each: Duration) -> Guesses {
    let mut seen = HashSet::new();
    let mut distinct = |guesses: Vec<String>| -> Vec<String> {
        guesses
            .into_iter()
            .filter(|guess| {
                guess.len() <= MAX_GUESS && !guess.contains(['\0', '\n']) && seen.insert(guess.clone())
            })
            .collect()
    };

    let mut promised = vec![String::new()];
    promised.extend(clues.owners.iter().flat_map(|name| mutations(name)));
    promised.extend(clues.product.iter().map(|word| (*word).to_owned()));
    promised.extend(clues.product.iter().flat_map(|word| few_mutations(word)));
    promised.extend(clues.image.iter().flat_map(|word| few_mutations(word)));
    promised.extend(dictionary::words().take(dictionary::TOP).map(str::to_owned));
    promised.extend(clues.others.iter().map(|name| (*name).to_owned()));
    promised.extend(clues.dictionary.iter().cloned());

    let mut further = Vec::new();
    further.extend(clues.dictionary.iter().flat_map(|word| mutations(word)));
    if each < SLOW {
        further.extend(clues.image.iter().flat_map(|word| mutations(word)));
        further.extend(dictionary::words().skip(dictionary::TOP).map(str::to_owned));
        further.extend(clues.others.iter().flat_map(|name| few_mutations(name)));
    }
    if each <= FAST {
        further.extend(dictionary::words().flat_map(few_mutations));
    }
    Guesses { promised: distinct(promised), further: distinct(further) }
}

/// What people make of a word: the most usual few.
fn few_mutations(word: &str) -> Vec<String> {
    let capital = capitalised(word);
    [word, &capital]
        .into_iter()
        .map(str::to_owned)
        .chain(["1", "123", "!", "@123"].map(|tail| format!("{word}{tail}")))
        .chain([format!("{capital}1"), format!("{capital}123")])
        .collect()
}

/// What people make of a word: case, tails, years, reversed, doubled, letters as digits.
fn mutations(word: &str) -> Vec<String> {
    const TAILS: [&str; 18] = [
        "1", "12", "123", "1234", "12345", "123456", "!", "1!", "123!", "@123", "#123", "_123", "@1", "01",
        "pass", "2024", "2025", "2026",
    ];
    let (capital, lower) = (capitalised(word), word.to_lowercase());
    let reversed: String = word.chars().rev().collect();
    let digits: String = lower
        .chars()
        .map(|character| match character {
            'a' => '4',
            'e' => '3',
            'i' => '1',
            'o' => '0',
            's' => '5',
            other => other,
        })
        .collect();
    let signs = lower.replace('a', "@").replace('o', "0").replace('s', "$");
    let mut all: Vec<String> = vec![word.into(), capital.clone(), lower, word.to_uppercase()];
    all.extend(TAILS.iter().map(|tail| format!("{word}{tail}")));
    all.extend(TAILS.iter().map(|tail| format!("{capital}{tail}")));
    all.extend([
        reversed,
        format!("{word}{word}"),
        format!("{word}{word}{word}"),
        digits,
        signs,
        format!("123{word}"),
    ]);
    all
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// The words in an image's names: the repository's last part whole, then its pieces, the folders above it, the
/// registry's host; without tag and digest, and without what only says where registries are.
pub(super) fn image_words(names: &[String]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut add = |word: &str| {
        let digits_only = word.bytes().all(|byte| byte.is_ascii_digit());
        let known = words.iter().any(|other| other == word);
        if word.len() > 2
            && !digits_only
            && !known
            && !NO_WORDS.contains(&word)
            && words.len() < MAX_IMAGE_WORDS
        {
            words.push(word.to_owned());
        }
    };
    for name in names {
        let name = name.split('@').next().unwrap_or_default();
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => ("", name),
        };
        let (folders, last) = path.rsplit_once('/').unwrap_or(("", path));
        let last = last.split(':').next().unwrap_or_default();
        add(last);
        for piece in last.split(['-', '_', '.']).chain(folders.split('/')) {
            add(piece);
        }
        for label in host.split(':').next().unwrap_or_default().split('.') {
            add(label);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn clues<'a>(owners: &'a [&'a str], image: &'a [String], dictionary: &'a [String]) -> Clues<'a> {
        Clues { owners, product: &["rudder"], others: &["backup-user"], image, dictionary }
    }

    #[test]
    fn words_of_references() {
        let words = |name: &str| image_words(&[name.to_owned()]);
        assert_eq!(words("docker.io/library/nginx:1.27"), ["nginx"]);
        assert_eq!(
            words("registry.acme.example:5000/shop/web-front:1.4@sha256:0123"),
            ["web-front", "web", "front", "shop", "acme", "example"]
        );
        assert_eq!(words("localhost:5000/api"), ["api"]);
        assert_eq!(words("sha256:abc"), ["sha256"]);
        assert!(words("").is_empty() && words("///:@@").is_empty());
        let many: Vec<String> = (0..50).map(|at| format!("image{at}x")).collect();
        assert_eq!(image_words(&many).len(), MAX_IMAGE_WORDS);
    }

    #[test]
    fn the_account_comes_first_and_no_guess_twice() {
        let (image, words) = (["shop".to_owned()], ["harbour-light".to_owned()]);
        let guesses = guesses(&clues(&["deploy"], &image, &words), MILLISECOND);
        let at = |guess: &str| guesses.promised.iter().position(|other| other == guess);
        assert_eq!(at(""), Some(0));
        assert!(at("deploy") < at("rudder") && at("rudder") < at("shop") && at("shop") < at("harbour-light"));
        for guess in [
            "Deploy",
            "deploy123",
            "deploy1",
            "deploy@123",
            "yolped",
            "d3pl0y",
            "shop123",
            "rudder123",
            "toor",
            "backup-user",
        ] {
            assert!(at(guess).is_some(), "{guess} is not promised");
        }
        assert!(guesses.further.iter().any(|guess| guess == "Harbour-light2025"));
        let all: Vec<_> = guesses.promised.iter().chain(&guesses.further).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn slow_schemes_get_the_top_and_fast_ones_everything() {
        let clues = clues(&["deploy"], &[], &[]);
        let total = |each| {
            let guesses = guesses(&clues, each);
            guesses.promised.len() + guesses.further.len()
        };
        assert!(total(SLOW) < 250, "{}", total(SLOW));
        assert!(total(MILLISECOND) > 3000, "{}", total(MILLISECOND));
        assert!(total(FAST) > 10_000, "{}", total(FAST));
    }

    #[test]
    fn guesses_that_cannot_be_typed_are_left_out() {
        let words = ["a\0b".to_owned(), "a\nb".to_owned(), "x".repeat(600)];
        let guesses = guesses(&clues(&[], &[], &words), SLOW);
        assert!(
            guesses
                .promised
                .iter()
                .chain(&guesses.further)
                .all(|guess| !guess.contains(['\0', '\n']) && guess.len() < 513)
        );
    }
}
