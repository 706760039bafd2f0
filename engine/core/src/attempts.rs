//! How far hashes of passwords were guessed at, so that no guess is made twice: words without any password or hash in
//! them, which agents tell the operator and are told by it.

use std::collections::BTreeMap;

/// Names a hash together with a list of guesses at it. Nothing of either can be told from the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey(pub [u8; 16]);

/// How far a list of guesses was tried on a hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempt {
    /// So many of its first guesses were tried.
    pub tried: u32,
    /// Whether the last of these is the password. Whoever is told so makes that one guess again: nothing is found by hearsay.
    pub hit: bool,
}

/// Attempts by what they were made on.
pub type Attempts = BTreeMap<AttemptKey, Attempt>;

/// What came of guessing in one scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guessing {
    /// Attempts that went further than was known, or otherwise.
    pub attempts: Attempts,
    /// Guesses that were made.
    pub guesses: u64,
}
