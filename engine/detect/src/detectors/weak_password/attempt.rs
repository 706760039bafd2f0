//! Every distinct hash of an image tried once, the worst first, whoever has it, and as far as nobody has tried it before.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use pratique_core::attempts::{Attempt, AttemptKey, Guessing};
use pratique_core::{GapKind, Severity};
use pratique_crypt::{HashError, Scheme, Stored};
use sha2::{Digest as _, Sha256};

use super::{
    INFO,
    crack::{Answer, Cracking},
    guess::{self, Clues},
    suspect::Suspect,
};
use crate::ImageInput;

/// Distinct hashes worked on in one image; the rest is a gap.
const MAX_HASHES: usize = 256;
/// An image may take this many times the budget of one hash.
const IMAGE_BUDGETS: u32 = 32;
/// Names of accounts that have one hash that are tried as its password, with what people make of them; if there are more,
/// nobody knows whether it withstood.
const MAX_OWNERS: usize = 256;
/// Names of other accounts that are tried as passwords.
const MAX_OTHERS: usize = 32;
/// What was tried is told and taken over where one guess takes at least this long. All guesses at a cheaper hash take less
/// than a second, and its name could be guessed at as fast.
const TOLD_FROM: Duration = Duration::from_micros(50);

/// What is known of one hash.
pub(super) enum Verdict {
    Guessed(Scheme, String),
    Withstood,
    Unknown(GapKind, String),
}

/// Who has one hash.
struct Owners<'a> {
    worst: Severity,
    names: BTreeSet<&'a str>,
    /// Words that belong to the products.
    product: Vec<&'static str>,
}

/// What came of all hashes.
#[derive(Default)]
pub(super) struct Tried<'a> {
    /// By hash.
    pub(super) verdicts: HashMap<&'a Stored, Verdict>,
    /// What it took.
    pub(super) guessing: Guessing,
}

/// Tries every distinct hash once, the worst first.
pub(super) fn try_all<'a>(image: &ImageInput<'_>, suspects: &'a [Box<dyn Suspect + 'a>]) -> Tried<'a> {
    let mut owners: HashMap<&Stored, Owners<'a>> = HashMap::new();
    for suspect in suspects {
        let Some(stored) = suspect.stored() else { continue };
        let new = || Owners { worst: suspect.severity(), names: BTreeSet::new(), product: Vec::new() };
        let own = owners.entry(stored).or_insert_with(new);
        own.worst = suspect.severity().max(own.worst);
        own.names.extend(Some(suspect.owner()).filter(|name| !name.is_empty()));
        for word in suspect.product() {
            if !own.product.contains(word) {
                own.product.push(word);
            }
        }
    }
    let mut queue: Vec<_> = owners.iter().collect();
    queue.sort_by_key(|(stored, own)| (std::cmp::Reverse(own.worst), **stored));

    let words = guess::image_words(image.names);
    let mut others: Vec<&str> = suspects.iter().map(|suspect| suspect.owner()).collect();
    others.sort_unstable();
    others.dedup();
    others.truncate(MAX_OTHERS);

    let mut left = image.hash_budget.saturating_mul(IMAGE_BUDGETS);
    let mut tried = Tried::default();
    for (at, (stored, own)) in queue.into_iter().enumerate() {
        let verdict = if at >= MAX_HASHES {
            Verdict::Unknown(GapKind::Limit, format!("the image has more than {MAX_HASHES} hashes"))
        } else {
            let names: Vec<&str> = own.names.iter().take(MAX_OWNERS).copied().collect();
            let clues = Clues {
                owners: &names,
                product: &own.product,
                others: &others,
                image: &words,
                dictionary: image.dictionary,
            };
            match try_one(stored, &clues, image, &mut left, &mut tried.guessing) {
                Verdict::Withstood if own.names.len() > names.len() => {
                    let reason = format!("more than {MAX_OWNERS} accounts have it, not all names were tried");
                    Verdict::Unknown(GapKind::Limit, reason)
                }
                verdict => verdict,
            }
        };
        tried.verdicts.insert(*stored, verdict);
    }
    tried
}

fn try_one(
    stored: &Stored,
    clues: &Clues<'_>,
    image: &ImageInput<'_>,
    left: &mut Duration,
    guessing: &mut Guessing,
) -> Verdict {
    let hash = match stored.open() {
        Ok(hash) => hash,
        Err(error @ HashError::Unsupported(_)) => {
            return Verdict::Unknown(GapKind::Unsupported, error.to_string());
        }
        Err(error) => return Verdict::Unknown(GapKind::Malformed, error.to_string()),
    };
    let budget = image.hash_budget;
    let each = hash.cost().time;
    if *left < each && each <= budget {
        let reason = format!("the image's other hashes used up the time for {IMAGE_BUDGETS} hashes");
        return Verdict::Unknown(GapKind::Timeout, reason);
    }
    let lists = guess::guesses(clues, each);
    let keys: Vec<AttemptKey> = if each < TOLD_FROM {
        Vec::new()
    } else {
        lists.iter().map(|list| key(stored, &list.guesses)).collect()
    };
    let before = |key: &AttemptKey| image.attempts.get(key).copied().unwrap_or_default();
    let mut known: Vec<Attempt> = keys.iter().map(before).collect();
    known.resize(lists.len(), Attempt::default());
    let mut cracking = Cracking::new(hash.as_ref(), &lists, known);
    let answer = cracking.run(budget.min(*left));
    *left = left.saturating_sub(cracking.spent());
    guessing.guesses += cracking.made();
    let further = keys.iter().zip(cracking.attempts()).filter(|(key, attempt)| before(key) != **attempt);
    guessing.attempts.extend(further.map(|(key, attempt)| (*key, *attempt)));
    match answer {
        Answer::Guessed(guess) => Verdict::Guessed(hash.scheme(), guess),
        Answer::Withstood => Verdict::Withstood,
        Answer::GaveUp(kind, reason) => {
            Verdict::Unknown(kind, format!("its hash is of scheme {}: {reason}", hash.scheme()))
        }
    }
}

/// Names `guesses` at `stored` by this version of the detector: half of a SHA-256. Of a hash with a salt it tells nothing
/// to those who do not have the hash, and of another no more than the hash would, for as many guesses.
fn key(stored: &Stored, guesses: &[String]) -> AttemptKey {
    let mut digest = Sha256::new();
    digest.update(INFO.version.to_be_bytes());
    // Never fails: it has no maps. What is written down is the same for equal values.
    let stored = serde_json::to_vec(stored).unwrap_or_default();
    digest.update((stored.len() as u64).to_be_bytes());
    digest.update(stored);
    for guess in guesses {
        digest.update(guess);
        // In no guess.
        digest.update(b"\n");
    }
    let digest: [u8; 32] = digest.finalize().into();
    let (half, _) = digest.split_at(16);
    AttemptKey(half.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_hash_and_of_every_guess() {
        let guesses = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let stored = |hash: &str| Stored::Crypt(hash.to_owned());
        let one = key(&stored("$1$a$b"), &guesses(&["a", "b"]));
        assert_eq!(one, key(&stored("$1$a$b"), &guesses(&["a", "b"])));
        for (hash, words) in [
            ("$1$a$c", &["a", "b"][..]),
            ("$1$a$b", &["b", "a"]),
            ("$1$a$b", &["a"]),
            ("$1$a$b", &["ab"]),
            ("$1$a$b", &["a", "b", ""]),
        ] {
            assert_ne!(one, key(&stored(hash), &guesses(words)), "{hash} {words:?}");
        }
    }
}
