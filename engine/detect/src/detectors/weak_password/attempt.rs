//! Every distinct hash of an image tried once, the worst first, whoever has it.

use std::{collections::HashMap, time::Duration};

use pratique_core::{GapKind, Severity};

use super::{
    crack::{self, Answer},
    guess::{self, Clues},
    suspect::Suspect,
};
use crate::{
    ImageInput,
    crypt::{HashError, Scheme, Stored},
};

/// Distinct hashes worked on in one image; the rest is a gap.
const MAX_HASHES: usize = 256;
/// An image may take this many times the budget of one hash.
const IMAGE_BUDGETS: u32 = 32;
/// Names of other accounts that are tried as passwords.
const MAX_OTHERS: usize = 32;

/// What is known of one hash.
pub(super) enum Verdict {
    Guessed(Scheme, String),
    Withstood,
    Unknown(GapKind, String),
}

/// Who has one hash.
struct Owners<'a> {
    worst: Severity,
    names: Vec<&'a str>,
    /// Words that belong to the products.
    product: Vec<&'static str>,
}

/// Tries every distinct hash once, the worst first.
pub(super) fn try_all<'a>(
    image: &ImageInput<'_>,
    suspects: &'a [Box<dyn Suspect + 'a>],
) -> HashMap<&'a Stored, Verdict> {
    let mut owners: HashMap<&Stored, Owners<'a>> = HashMap::new();
    for suspect in suspects {
        let Some(stored) = suspect.stored() else { continue };
        let new = || Owners { worst: suspect.severity(), names: Vec::new(), product: Vec::new() };
        let own = owners.entry(stored).or_insert_with(new);
        own.worst = suspect.severity().max(own.worst);
        if !suspect.owner().is_empty() && !own.names.contains(&suspect.owner()) {
            own.names.push(suspect.owner());
        }
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
    let mut verdicts = HashMap::new();
    for (at, (stored, own)) in queue.into_iter().enumerate() {
        let verdict = if at >= MAX_HASHES {
            Verdict::Unknown(GapKind::Limit, format!("the image has more than {MAX_HASHES} hashes"))
        } else {
            let clues = Clues {
                owners: &own.names,
                product: &own.product,
                others: &others,
                image: &words,
                dictionary: image.dictionary,
            };
            try_one(stored, &clues, image.hash_budget, &mut left)
        };
        verdicts.insert(*stored, verdict);
    }
    verdicts
}

fn try_one(stored: &Stored, clues: &Clues<'_>, budget: Duration, left: &mut Duration) -> Verdict {
    let hash = match stored.open() {
        Ok(hash) => hash,
        Err(error @ HashError::Unsupported(_)) => {
            return Verdict::Unknown(GapKind::Unsupported, error.to_string());
        }
        Err(error) => return Verdict::Unknown(GapKind::Malformed, error.to_string()),
    };
    let scheme = hash.scheme();
    let each = hash.cost().time;
    if *left < each && each <= budget {
        let reason = format!("the image's other hashes used up the time for {IMAGE_BUDGETS} hashes");
        return Verdict::Unknown(GapKind::Timeout, reason);
    }
    let guesses = guess::guesses(clues, each);
    let (answer, spent) = crack::crack(hash.as_ref(), &guesses, budget.min(*left));
    *left = left.saturating_sub(spent);
    match answer {
        Answer::Guessed(guess) => Verdict::Guessed(scheme, guess),
        Answer::Withstood => Verdict::Withstood,
        Answer::GaveUp(kind, reason) => {
            Verdict::Unknown(kind, format!("its hash is of scheme {scheme}: {reason}"))
        }
    }
}
