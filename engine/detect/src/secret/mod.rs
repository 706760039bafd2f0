//! Secrets in bytes of any kind: tokens, keys and logins, by their documented shapes.
//!
//! One automaton looks for the literals of all rules at once; where one begins, that rule's pattern is tried on a bounded
//! stretch, and then its check. What a file costs is bounded, whatever it holds.

mod checks;
mod rules;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use pratique_core::inspect::{OVERLAP, Piece};
use regex::bytes::Regex;

pub use rules::RULES;

/// A kind of secret.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable id, lower-case with dashes.
    pub id: &'static str,
    /// What it finds, in the singular.
    pub what: &'static str,
    /// A match begins with one of these.
    pub literals: &'static [&'static str],
    /// What a match looks like, from its literal on. The first group is the secret; without one, all of it.
    pub pattern: &'static str,
    /// Bytes from the literal on that the pattern is tried on; fewer than [`OVERLAP`] by far.
    pub reach: usize,
    /// Whether the secret of a match is one.
    pub check: fn(&[u8]) -> bool,
}

/// A secret in a file. Its secret is not kept longer than the piece it lies in.
#[derive(Clone, Copy)]
pub struct Match<'a> {
    /// What it is.
    pub rule: &'static Rule,
    /// Where in the file it begins.
    pub offset: u64,
    /// The secret itself.
    pub secret: &'a [u8],
}

/// Bytes that are tried with patterns in one file at most.
const WORK: usize = 64 << 20;

/// Bytes before a literal that may decide whether a match begins with it.
const LEAD: usize = 16;

static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::new);

struct Scanner {
    literals: AhoCorasick,
    /// The rule of the literal with this place.
    rule_of: Vec<usize>,
    patterns: Vec<Regex>,
}

impl Scanner {
    fn new() -> Self {
        let all = RULES.iter().enumerate();
        let literals: Vec<(usize, &str)> = all
            .flat_map(|(rule, declared)| declared.literals.iter().map(move |literal| (rule, *literal)))
            .collect();
        let patterns = RULES.iter().map(|rule| {
            Regex::new(&format!("^(?-u:{})", rule.pattern)).expect("a test compiles every pattern")
        });
        Self {
            literals: AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::DFA))
                .build(literals.iter().map(|(_, literal)| literal))
                .expect("a test builds it"),
            rule_of: literals.iter().map(|(rule, _)| *rule).collect(),
            patterns: patterns.collect(),
        }
    }
}

/// Looks for secrets in one file, piece by piece.
#[derive(Debug, Default)]
pub struct Finder {
    work: usize,
}

impl Finder {
    /// Hands every secret that begins in this piece, and not in the part that the next one brings again, to `found`.
    /// False once the file has cost as much as one may: from there on nothing is looked for.
    pub fn search<'a>(&mut self, piece: &Piece<'a>, mut found: impl FnMut(Match<'a>)) -> bool {
        let bytes = piece.bytes;
        let first = if piece.offset == 0 { 0 } else { LEAD };
        let end = if piece.last { bytes.len() } else { bytes.len().saturating_sub(OVERLAP) + LEAD };
        for hit in SCANNER.literals.find_overlapping_iter(bytes) {
            let start = hit.start();
            if start < first || start >= end {
                continue;
            }
            let place = SCANNER.rule_of[hit.pattern().as_usize()];
            let rule = &RULES[place];
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
            if bytes[start..].first().is_some_and(is_word) && bytes[..start].last().is_some_and(is_word) {
                continue;
            }
            let stretch = &bytes[start..bytes.len().min(start + rule.reach)];
            self.work += stretch.len();
            if self.work > WORK {
                return false;
            }
            let Some(groups) = SCANNER.patterns[place].captures(stretch) else { continue };
            let Some(secret) = groups.get(1).or_else(|| groups.get(0)) else { continue };
            let ends = !secret.as_bytes().last().is_some_and(is_word)
                || !stretch[secret.end()..].first().is_some_and(is_word);
            if ends && (rule.check)(secret.as_bytes()) {
                found(Match { rule, offset: piece.offset + start as u64, secret: secret.as_bytes() });
            }
        }
        self.work <= WORK
    }
}
