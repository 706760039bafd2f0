//! Secrets by the rules that a user wrote.
//!
//! A rule with keywords is tried near those alone, any other everywhere; always on bounded stretches, so that a match is
//! found wherever pieces of a file begin, and a file costs each rule no more than its size allows.

use std::ops::Range;
use std::sync::Arc;

use pratique_core::inspect::{OVERLAP, Piece};

use super::checks::entropy;
use super::finder::Match;
use super::shapes::SHAPES;
use crate::SecretRules;

/// Bytes of a match; as far from its start stands its keyword.
const REACH: usize = 4 << 10;
/// Bytes that are looked at at once.
const STRETCH: usize = 2 * REACH;
/// Bytes that one rule is tried on, for each byte of a file, and for a file of any size.
const WORK: (usize, usize) = (64, 1 << 20);

// What begins in a piece, and not in the part that the next one brings again, ends in it.
const _: () = assert!(OVERLAP >= REACH + STRETCH);

/// Looks for what a user's rules describe in one file, piece by piece.
pub(super) struct CustomFinder {
    rules: Arc<SecretRules>,
    /// By rule: where in the file its last match ends.
    ends: Vec<u64>,
    /// By rule: bytes that it was tried on.
    tried: Vec<usize>,
    /// Bytes that were searched so far.
    length: usize,
}

impl CustomFinder {
    pub(super) fn new(rules: Arc<SecretRules>) -> Self {
        let count = rules.rules.len();
        Self { ends: vec![0; count], tried: vec![0; count], rules, length: 0 }
    }

    pub(super) fn rules(&self) -> &SecretRules {
        &self.rules
    }

    /// What is searched next is another text, from its start.
    pub(super) fn restart(&mut self) {
        self.ends.fill(0);
    }

    /// The same as [`Self::search`], of a text that is not the file's own.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub(super) fn search_text(&mut self, bytes: &[u8], found: impl FnMut(Match)) -> Result<(), String> {
        let ends = std::mem::replace(&mut self.ends, vec![0; self.rules.rules.len()]);
        let outcome = self.search(&Piece { bytes, offset: 0, seen: 0, last: true }, found);
        self.ends = ends;
        outcome
    }

    /// As [`super::finder::Finder::search`]; the shape of a match is the rule's place, behind those of [`SHAPES`].
    ///
    /// # Errors
    /// The id of a rule that has cost as much as the file's size allows. Nothing is to be looked for from there on.
    pub(super) fn search(&mut self, piece: &Piece<'_>, mut found: impl FnMut(Match)) -> Result<(), String> {
        let bytes = piece.bytes;
        self.length += bytes.len() - piece.seen;
        let first = if piece.offset == 0 { 0 } else { REACH };
        let end = if piece.last { bytes.len() } else { bytes.len().saturating_sub(OVERLAP) + REACH };
        let near = self.near(bytes);
        for (place, near) in near.iter().enumerate() {
            for range in near {
                self.rule(place, piece, range.start.max(first)..range.end.min(end), &mut found)?;
            }
        }
        Ok(())
    }

    /// By rule: where matches may begin.
    fn near(&self, bytes: &[u8]) -> Vec<Vec<Range<usize>>> {
        let mut near: Vec<Vec<Range<usize>>> = Vec::new();
        for rule in &self.rules.rules {
            let all = rule.keywords.is_empty().then_some(0..bytes.len());
            near.push(all.into_iter().collect());
        }
        let Some((keywords, rule_of)) = &self.rules.keywords else { return near };
        for hit in keywords.find_overlapping_iter(bytes) {
            let ranges = &mut near[rule_of[hit.pattern().as_usize()]];
            let next = hit.start().saturating_sub(REACH)..bytes.len().min(hit.start() + REACH);
            match ranges.last_mut() {
                // Hits come in the order of their ends.
                Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
                _ => ranges.push(next),
            }
        }
        near
    }

    /// One rule's matches that begin in `range`.
    fn rule(
        &mut self,
        place: usize,
        piece: &Piece<'_>,
        range: Range<usize>,
        found: &mut impl FnMut(Match),
    ) -> Result<(), String> {
        let (bytes, rule) = (piece.bytes, &self.rules.rules[place]);
        let (done, tried) = (&mut self.ends[place], &mut self.tried[place]);
        let most = self.length.saturating_mul(WORK.0).saturating_add(WORK.1);
        let mut at = range.start.max(done.saturating_sub(piece.offset) as usize);
        while at < range.end {
            let stop = bytes.len().min(at + STRETCH);
            *tried += stop - at;
            if *tried > most {
                return Err(rule.id.clone());
            }
            let is_cut = |start: usize| stop < bytes.len() && start + REACH > stop;
            let Some(groups) = rule.pattern.captures_at(&bytes[..stop], at) else {
                at = if stop < bytes.len() { stop - REACH } else { stop };
                continue;
            };
            let Some(whole) = groups.get(0) else { break };
            if whole.start() >= range.end {
                break;
            }
            if is_cut(whole.start()) {
                at = whole.start();
                continue;
            }
            let secret = groups.get(1).unwrap_or(whole);
            let is_one = !secret.is_empty() && whole.len() <= REACH;
            if is_one && entropy(secret.as_bytes()) >= rule.min_entropy {
                found(Match { shape: SHAPES.len() + place, secret: secret.range() });
            }
            at = whole.end().max(at + 1);
            *done = piece.offset + at as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
