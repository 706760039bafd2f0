//! Secrets in bytes of any kind, by their shapes.
//!
//! One automaton looks for the literals of all shapes at once; where one begins, that shape's pattern is tried on a
//! bounded stretch, and then its check. What a file costs is bounded by its size, whatever it holds.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use pratique_core::inspect::{OVERLAP, Piece};
use regex::bytes::Regex;

use super::shapes::SHAPES;
use crate::literals::Literals;

/// Something that has a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    /// Place of its shape in [`SHAPES`]; behind them, of a user's rule.
    pub(super) shape: usize,
    /// Where in the piece the secret itself lies.
    pub(super) secret: Range<usize>,
}

/// Bytes that are tried with patterns, for each byte of a file.
const WORK: usize = 64;

/// Bytes before a literal that may belong to its match, or decide whether one begins with it.
pub(super) const LEAD: usize = 96;

static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::new);

struct Scanner {
    literals: Literals,
    /// The shape of the literal with this place.
    shape_of: Vec<usize>,
    /// By shape, compiled when its literal is first met: together they take 6 MB, and few images have all of them.
    patterns: Vec<OnceLock<Regex>>,
}

impl Scanner {
    fn new() -> Self {
        let all = SHAPES.iter().enumerate();
        let literals: Vec<(usize, String)> = all
            .flat_map(|(shape, declared)| {
                declared.spellings().into_iter().map(move |literal| (shape, literal))
            })
            .collect();
        Self {
            literals: Literals::new(literals.iter().map(|(_, literal)| literal)).expect("a test builds it"),
            shape_of: literals.iter().map(|(shape, _)| *shape).collect(),
            patterns: SHAPES.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    fn pattern(&self, shape: usize) -> &Regex {
        self.patterns[shape].get_or_init(|| {
            Regex::new(&format!("^(?-u:{})", SHAPES[shape].regex())).expect("a test compiles every pattern")
        })
    }
}

/// Looks for secrets in one file, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Finder {
    /// Bytes that were tried with patterns.
    tried: usize,
    /// Bytes that were searched so far.
    length: usize,
}

/// Places in a piece that are its own: what begins at others is the piece's before, or the next one's.
pub(super) fn own_places(piece: &Piece<'_>) -> Range<usize> {
    let length = piece.bytes.len();
    let first = if piece.offset == 0 { 0 } else { LEAD };
    first..if piece.last { length } else { length.saturating_sub(OVERLAP) + LEAD }
}

impl Finder {
    /// The same as [`Self::search`], of a text that is not the file's own.
    pub(super) fn search_text(&mut self, bytes: &[u8], found: impl FnMut(Match)) -> bool {
        self.search(&Piece { bytes, offset: 0, seen: 0, last: true }, found)
    }

    /// Hands every match that begins in this piece, and not in the part that the next one brings again, to `found`.
    /// False once the file has cost as much as one of its size may: from there on nothing is looked for.
    pub(super) fn search(&mut self, piece: &Piece<'_>, mut found: impl FnMut(Match)) -> bool {
        let bytes = piece.bytes;
        self.length += bytes.len() - piece.seen;
        let work = self.length.saturating_mul(WORK);
        let own = own_places(piece);
        for hit in SCANNER.literals.find(bytes) {
            let start = hit.start;
            if !own.contains(&start) {
                continue;
            }
            let shape = SCANNER.shape_of[hit.literal];
            let declared = &SHAPES[shape];
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
            let within =
                bytes[start..].first().is_some_and(is_word) && bytes[..start].last().is_some_and(is_word);
            let Some(start) = start.checked_sub(declared.lead).filter(|_| declared.lead > 0 || !within)
            else {
                continue;
            };
            let stretch = &bytes[start..bytes.len().min(start + declared.reach)];
            self.tried += stretch.len();
            if self.tried > work {
                return false;
            }
            let Some(groups) = SCANNER.pattern(shape).captures(stretch) else { continue };
            let secret = groups.iter().skip(1).flatten().next().or_else(|| groups.get(0));
            let Some(secret) = secret else { continue };
            let ends = !secret.as_bytes().last().is_some_and(is_word)
                || !stretch[secret.end()..].first().is_some_and(is_word);
            let range = start + secret.start()..start + secret.end();
            if ends && (declared.check)(secret.as_bytes()) {
                found(Match { shape, secret: range });
            }
        }
        self.tried <= work
    }
}
