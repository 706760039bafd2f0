//! Looking for many literals at once.
//!
//! An automaton (Aho and Corasick, 1975) cannot look at a byte before its table has answered for the one before, so that
//! the processor mostly waits. Here several go through as many parts of the bytes side by side, and wait together.

use std::ops::Range;

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, BuildError, MatchKind, StartKind};

/// Parts that are gone through side by side.
const PARTS: usize = 8;
/// Shorter bytes are not parted.
const MIN_PARTED: usize = 4 << 10;

/// Literals that are looked for together.
pub(crate) struct Literals {
    automaton: DFA,
}

/// A literal that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Place of the literal among those that are looked for.
    pub(crate) literal: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Literals {
    /// # Errors
    /// There are too many.
    pub(crate) fn new<L: AsRef<[u8]>>(literals: impl IntoIterator<Item = L>) -> Result<Self, BuildError> {
        let automaton = DFA::builder()
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(literals)?;
        Ok(Self { automaton })
    }

    /// All that are there, those within others and across others too, in the order of their ends.
    pub(crate) fn find(&self, bytes: &[u8]) -> impl Iterator<Item = Hit> {
        // The end of a hit, and the state that tells which.
        let mut ends: [Vec<(usize, State)>; PARTS] = Default::default();
        let part = if bytes.len() < MIN_PARTED.max(PARTS * self.longest()) { 0 } else { bytes.len() / PARTS };
        let states: [State; PARTS] = std::array::from_fn(|place| self.state_before(bytes, place * part));
        let states = self.side_by_side(bytes, part, states, &mut ends);
        self.alone(bytes, PARTS * part..bytes.len(), states[PARTS - 1], &mut ends[PARTS - 1]);
        ends.into_iter().flatten().flat_map(move |(end, state)| {
            (0..self.automaton.match_len(state)).map(move |place| {
                let literal = self.automaton.match_pattern(state, place);
                let start = end - self.automaton.pattern_len(literal);
                Hit { literal: literal.as_usize(), start, end }
            })
        })
    }

    fn longest(&self) -> usize {
        self.automaton.max_pattern_len()
    }

    /// What the automaton is in when it has come to a place: what is longer ago than the longest literal does not count.
    fn state_before(&self, bytes: &[u8], place: usize) -> State {
        let start = self.automaton.start_state(Anchored::No).expect("it was built for that");
        let before = &bytes[place.saturating_sub(self.longest())..place];
        before.iter().fold(start, |state, byte| self.next(state, *byte))
    }

    #[inline(always)]
    fn next(&self, state: State, byte: u8) -> State {
        self.automaton.next_state(Anchored::No, state, byte)
    }

    /// Goes through the first `part` bytes of each part; the states that it ends in.
    fn side_by_side(
        &self,
        bytes: &[u8],
        part: usize,
        mut states: [State; PARTS],
        ends: &mut [Vec<(usize, State)>; PARTS],
    ) -> [State; PARTS] {
        let parts: [&[u8]; PARTS] = std::array::from_fn(|place| &bytes[place * part..][..part]);
        for at in 0..part {
            for (state, part) in states.iter_mut().zip(parts) {
                *state = self.next(*state, part[at]);
            }
            if states.iter().any(|state| self.automaton.is_special(*state)) {
                for (place, state) in states.iter().enumerate() {
                    if self.automaton.is_match(*state) {
                        ends[place].push((place * part + at + 1, *state));
                    }
                }
            }
        }
        states
    }

    fn alone(&self, bytes: &[u8], range: Range<usize>, mut state: State, ends: &mut Vec<(usize, State)>) {
        for at in range {
            state = self.next(state, bytes[at]);
            if self.automaton.is_match(state) {
                ends.push((at + 1, state));
            }
        }
    }
}

type State = aho_corasick::automaton::StateID;

#[cfg(test)]
mod tests {
    use aho_corasick::AhoCorasick;

    use super::*;

    const WORDS: [&str; 7] = ["abc", "bc", "c", "abcabc", "cab", "bb", "aabbccaabbccaabbcc"];

    /// What the crate's own search gives.
    fn expected(bytes: &[u8]) -> Vec<Hit> {
        let automaton = AhoCorasick::new(WORDS).unwrap();
        let found = automaton.find_overlapping_iter(bytes);
        found
            .map(|hit| Hit { literal: hit.pattern().as_usize(), start: hit.start(), end: hit.end() })
            .collect()
    }

    #[test]
    fn a_literal_is_found_wherever_it_lies_across_parts_too() {
        let literals = Literals::new(WORDS).unwrap();
        for length in [0, 1, 17, MIN_PARTED - 1, MIN_PARTED, MIN_PARTED + 1, MIN_PARTED + 13] {
            for word in WORDS.into_iter().filter(|word| word.len() <= length) {
                let all = (0..=length - word.len()).step_by(if length < MIN_PARTED { 1 } else { 7 });
                for place in all {
                    let mut bytes = vec![b'-'; length];
                    bytes[place..place + word.len()].copy_from_slice(word.as_bytes());
                    let found: Vec<Hit> = literals.find(&bytes).collect();
                    assert_eq!(found, expected(&bytes), "{word} at {place} of {length}");
                }
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(32))]
        #[test]
        fn all_are_found_in_the_order_of_their_ends(
            bytes in proptest::collection::vec(proptest::sample::select(b"abc".as_slice()), 0..3 * MIN_PARTED)
        ) {
            let literals = Literals::new(WORDS).unwrap();
            proptest::prop_assert_eq!(literals.find(&bytes).collect::<Vec<_>>(), expected(&bytes));
        }
    }
}
