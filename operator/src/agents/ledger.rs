//! How far passwords were guessed at in the whole cluster: what one agent tried, no other tries again. Pure; reads no clock.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pratique_core::attempts::{Attempt, AttemptKey, Attempts};
use pratique_wire::attempts::{self, MAX_ATTEMPTS};

use crate::store::Learned;

/// So long an agent's word is believed; then the guesses are made again, by whichever node comes to it. An agent that lies
/// hides no password for ever, and what no image has any more goes.
const BELIEVED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What agents told, the newest word on each attempt: at most [`MAX_ATTEMPTS`], of more the oldest go.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    learned: BTreeMap<AttemptKey, (Attempt, Timestamp)>,
    /// As it is handed out.
    encoded: Bytes,
}

impl Ledger {
    /// Takes in what was learned before a restart.
    pub(super) fn recall(&mut self, learned: Vec<Learned>, now: Timestamp) {
        let entry = |one: Learned| {
            (AttemptKey(one.key), (Attempt { tried: one.tried, hit: one.hit }, one.at.min(now)))
        };
        self.learned.extend(learned.into_iter().map(entry));
        self.bound(now);
        self.encode();
    }

    /// Takes in what an agent told.
    pub(super) fn learn(&mut self, told: Attempts, now: Timestamp) {
        self.learned.extend(told.into_iter().map(|(key, attempt)| (key, (attempt, now))));
        self.bound(now);
        self.encode();
    }

    /// What is handed out with an assignment: encoded attempts, see [`pratique_wire::attempts`].
    pub(super) fn encoded(&mut self, now: Timestamp) -> Bytes {
        if self.bound(now) {
            self.encode();
        }
        self.encoded.clone()
    }

    /// What is to be kept over a restart.
    pub(super) fn learned(&self) -> Vec<Learned> {
        let learned = self.learned.iter();
        learned
            .map(|(key, (attempt, at))| Learned {
                key: key.0,
                tried: attempt.tried,
                hit: attempt.hit,
                at: *at,
            })
            .collect()
    }

    /// Drops what is too old or too much; tells whether anything was.
    fn bound(&mut self, now: Timestamp) -> bool {
        let before = self.learned.len();
        self.learned.retain(|_, (_, at)| now.duration_since(*at) <= BELIEVED);
        if let Some(excess @ 1..) = self.learned.len().checked_sub(MAX_ATTEMPTS) {
            let mut by_age: Vec<_> = self.learned.iter().map(|(key, (_, at))| (*at, *key)).collect();
            by_age.sort_unstable();
            by_age.iter().take(excess).for_each(|(_, key)| {
                self.learned.remove(key);
            });
        }
        self.learned.len() != before
    }

    fn encode(&mut self) {
        let attempts = self.learned.iter().map(|(key, (attempt, _))| (*key, *attempt)).collect();
        self.encoded = attempts::encode(&attempts).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn told(numbers: std::ops::Range<usize>, tried: u32) -> Attempts {
        let attempt =
            |number: usize| (AttemptKey((number as u128).to_be_bytes()), Attempt { tried, hit: number == 1 });
        numbers.map(attempt).collect()
    }

    fn handed_out(ledger: &mut Ledger, now: Timestamp) -> Attempts {
        attempts::decode(&ledger.encoded(now)).unwrap()
    }

    #[test]
    fn the_newest_word_is_handed_out_until_it_is_too_old() {
        let mut ledger = Ledger::default();
        assert_eq!(handed_out(&mut ledger, now()), Attempts::new());
        ledger.learn(told(0..2, 7), now());
        ledger.learn(told(1..3, 9), now() + SECOND);
        let mut expected = told(0..1, 7);
        expected.extend(told(1..3, 9));
        assert_eq!(handed_out(&mut ledger, now() + BELIEVED), expected);
        assert_eq!(handed_out(&mut ledger, now() + BELIEVED + SECOND), told(1..3, 9));
        assert_eq!(handed_out(&mut ledger, now() + BELIEVED + SECOND * 2), Attempts::new());
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let mut ledger = Ledger::default();
        ledger.learn(told(0..10, 1), now() + SECOND);
        ledger.learn(told(10..20, 1), now());
        ledger.learn(told(20..MAX_ATTEMPTS + 15, 1), now() + SECOND * 2);
        // Ten of one age are gone, and five of the next.
        let kept = handed_out(&mut ledger, now() + SECOND * 2);
        assert_eq!(kept.len(), MAX_ATTEMPTS);
        assert!(told(10..20, 1).keys().all(|key| !kept.contains_key(key)));
        assert_eq!(told(0..10, 1).keys().filter(|key| kept.contains_key(*key)).count(), 5);
        assert!(told(20..MAX_ATTEMPTS + 15, 1).keys().all(|key| kept.contains_key(key)));
    }

    #[test]
    fn a_restart_forgets_nothing_and_believes_no_clock_ahead() {
        let mut ledger = Ledger::default();
        ledger.learn(told(0..3, 7), now());
        let mut again = Ledger::default();
        again.recall(ledger.learned(), now() + SECOND);
        assert_eq!((again.learned(), handed_out(&mut again, now())), (ledger.learned(), told(0..3, 7)));
        let mut late = Ledger::default();
        late.recall(ledger.learned(), now() - SECOND * 100);
        assert_eq!(handed_out(&mut late, now() - SECOND * 99 + BELIEVED), Attempts::new());
    }
}
