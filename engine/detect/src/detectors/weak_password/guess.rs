//! What is tried on a hash, and in which order: what is said of the account first, then what many people use.
//!
//! The order is the promise: lists that are [`List::promised`] are tried whole on every hash, or a gap says that they were
//! not; the others only as long as the budget lasts.
//!
//! What only the image tells is in lists of its own: the others are the same wherever the hash is met, and so need not be
//! tried again there.

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

/// Guesses of one kind, in the order in which they are tried; none twice, and never one with a zero byte or a line's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    /// Tried whole, or a gap says that it was not. Else tried while there is time.
    pub(super) promised: bool,
    /// The guesses.
    pub(super) guesses: Vec<String>,
}

/// The guesses for a hash whose scheme takes `each` for one: lists in the order in which they are tried, the promised
/// first. What only the image tells decides nothing of the other lists, so few guesses may be in two of them.
pub(super) fn guesses(clues: &Clues<'_>, each: Duration) -> [List; 5] {
    let mut own = vec![String::new()];
    own.extend(clues.owners.iter().flat_map(|name| mutations(name)));
    own.extend(clues.product.iter().map(|word| (*word).to_owned()));
    own.extend(clues.product.iter().flat_map(|word| few_mutations(word)));

    let mut image: Vec<String> = clues.image.iter().flat_map(|word| few_mutations(word)).collect();
    image.extend(clues.others.iter().map(|name| (*name).to_owned()));

    let mut common: Vec<String> = dictionary::words().take(dictionary::TOP).map(str::to_owned).collect();
    common.extend(clues.dictionary.iter().cloned());

    let mut further: Vec<String> = clues.dictionary.iter().flat_map(|word| mutations(word)).collect();
    let mut further_of_image = Vec::new();
    if each < SLOW {
        further.extend(dictionary::words().skip(dictionary::TOP).map(str::to_owned));
        further_of_image.extend(clues.image.iter().flat_map(|word| mutations(word)));
        further_of_image.extend(clues.others.iter().flat_map(|name| few_mutations(name)));
    }
    if each <= FAST {
        further.extend(dictionary::words().flat_map(few_mutations));
    }

    let mut seen = HashSet::new();
    let [own, common] = [own, common].map(|guesses| distinct(guesses, &mut seen));
    let mut seen_of_image = seen.clone();
    let image = distinct(image, &mut seen_of_image);
    let further = distinct(further, &mut seen);
    seen.extend(seen_of_image);
    let further_of_image = distinct(further_of_image, &mut seen);
    let list = |promised, guesses| List { promised, guesses };
    [
        list(true, own),
        list(true, image),
        list(true, common),
        list(false, further),
        list(false, further_of_image),
    ]
}

/// The guesses that can be typed and were not `seen` before.
fn distinct(mut guesses: Vec<String>, seen: &mut HashSet<String>) -> Vec<String> {
    guesses.retain(|guess| {
        guess.len() <= MAX_GUESS && !guess.contains(['\0', '\n']) && seen.insert(guess.clone())
    });
    guesses
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

    fn tried(lists: &[List], promised: bool) -> Vec<&str> {
        let lists = lists.iter().filter(|list| list.promised == promised);
        lists.flat_map(|list| &list.guesses).map(String::as_str).collect()
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
        let promised: Vec<_> = tried(&guesses, true);
        let at = |guess: &str| promised.iter().position(|other| *other == guess);
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
        let further = tried(&guesses, false);
        assert!(further.contains(&"Harbour-light2025"));
        for list in [promised, further] {
            assert_eq!(list.iter().collect::<HashSet<_>>().len(), list.len());
        }
    }

    #[test]
    fn what_the_image_tells_changes_its_own_lists_alone() {
        let words = ["harbour-light".to_owned()];
        // Words of the dictionary and of the account, too.
        let images = [["nginx".to_owned()], ["deploy".to_owned()]];
        for each in [SLOW, MILLISECOND, FAST] {
            let [one, other] = [0, 1].map(|at| guesses(&clues(&["deploy"], &images[at], &words), each));
            for (place, (one, other)) in one.iter().zip(&other).enumerate() {
                let of_image = matches!(place, 1 | 4);
                assert_eq!(one == other, !of_image || one.guesses.is_empty(), "list {place}, {each:?}");
            }
            assert!(
                one[1].guesses.contains(&"nginx123".to_owned()),
                "it is promised, whatever is tried later"
            );
        }
    }

    #[test]
    fn slow_schemes_get_the_top_and_fast_ones_everything() {
        let clues = clues(&["deploy"], &[], &[]);
        let total = |each| -> usize { guesses(&clues, each).iter().map(|list| list.guesses.len()).sum() };
        assert!(total(SLOW) < 250, "{}", total(SLOW));
        assert!(total(MILLISECOND) > 3000, "{}", total(MILLISECOND));
        assert!(total(FAST) > 10_000, "{}", total(FAST));
    }

    #[test]
    fn guesses_that_cannot_be_typed_are_left_out() {
        let words = ["a\0b".to_owned(), "a\nb".to_owned(), "x".repeat(600)];
        let guesses = guesses(&clues(&[], &[], &words), SLOW);
        let all = guesses.iter().flat_map(|list| &list.guesses);
        assert!(all.clone().count() > 100);
        assert!(all.into_iter().all(|guess| !guess.contains(['\0', '\n']) && guess.len() < 513));
    }
}
