//! Trying guesses on a hash: in order, on all cores, within a budget of time and memory.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use pratique_core::GapKind;
use rayon::prelude::*;

use super::guess::Guesses;
use crate::crypt::PasswordHash;

/// Memory that guesses may take together, in bytes: the process that scans has under 200 MiB in all.
const MEMORY: u64 = 64 << 20;
/// Guesses are handed out in batches that take about this long on each core; the budget is looked at in between.
const BATCH: Duration = Duration::from_millis(50);

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The first guess, in order, that is the password.
    Guessed(String),
    /// No promised guess is the password.
    Withstood,
    /// Not all promised guesses were tried, and why.
    GaveUp(GapKind, String),
}

/// Tries `guesses` on `hash` for at most `budget` of time on one core (all threads added up), and says how much of it
/// was spent. The answer depends on the number of cores only where the budget ends it.
pub(super) fn crack(hash: &dyn PasswordHash, guesses: &Guesses, budget: Duration) -> (Answer, Duration) {
    let cost = hash.cost();
    if cost.memory > MEMORY {
        let reason = format!(
            "one guess takes {} MiB of memory, more than the {} MiB allowed",
            cost.memory >> 20,
            MEMORY >> 20
        );
        return (Answer::GaveUp(GapKind::Limit, reason), Duration::ZERO);
    }
    if cost.time > budget {
        let reason =
            format!("one guess takes about {}, more than the {} allowed", words(cost.time), words(budget));
        return (Answer::GaveUp(GapKind::Timeout, reason), Duration::ZERO);
    }

    let threads = rayon::current_num_threads();
    let mut each = cost.time.max(Duration::from_nanos(1));
    let spent = AtomicU64::new(0);
    let mut tried = 0;
    for list in [&guesses.promised, &guesses.further] {
        let mut rest = list.as_slice();
        while !rest.is_empty() {
            let left = budget.saturating_sub(Duration::from_nanos(spent.load(Ordering::Relaxed)));
            let affordable = fits(left, each);
            if affordable == 0 {
                return (ran_out(tried, guesses, budget), Duration::from_nanos(spent.into_inner()));
            }
            // Fewer guesses than threads at a time where memory is short: the batch bounds what runs at once.
            let size = match MEMORY.checked_div(cost.memory) {
                Some(at_once) if at_once < threads as u64 => at_once as usize,
                _ => threads * fits(BATCH, each).max(1),
            };
            let (batch, later) = rest.split_at(size.min(affordable).min(rest.len()));
            let hit = batch.par_iter().find_first(|guess| {
                let start = Instant::now();
                let hit = hash.verify(guess.as_bytes());
                spent.fetch_add(nanoseconds(start.elapsed()), Ordering::Relaxed);
                hit
            });
            if let Some(guess) = hit {
                return (Answer::Guessed(guess.clone()), Duration::from_nanos(spent.into_inner()));
            }
            rest = later;
            tried += batch.len();
            // Believe the clock where this machine is slower than the estimate.
            each = each.max(Duration::from_nanos(spent.load(Ordering::Relaxed) / tried as u64));
        }
    }
    (Answer::Withstood, Duration::from_nanos(spent.into_inner()))
}

/// How often `each` fits into `time`.
fn fits(time: Duration, each: Duration) -> usize {
    usize::try_from(time.as_nanos() / each.as_nanos().max(1)).unwrap_or(usize::MAX)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn ran_out(tried: usize, guesses: &Guesses, budget: Duration) -> Answer {
    if tried >= guesses.promised.len() {
        return Answer::Withstood;
    }
    let reason = format!("only {tried} of {} guesses fitted into {}", guesses.promised.len(), words(budget));
    Answer::GaveUp(GapKind::Timeout, reason)
}

/// A duration in one unit.
fn words(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..=600 => format!("{seconds} s"),
        seconds @ 601..=36_000 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypt::{Cost, Scheme};

    /// Accepts every guess that begins with `yes`, counts them all, and says it costs what the test says.
    struct Counter {
        cost: Cost,
        calls: AtomicU64,
        at_once: AtomicU64,
        most_at_once: AtomicU64,
    }

    impl Counter {
        fn new(time: Duration, memory: u64) -> Self {
            let zero = || AtomicU64::new(0);
            Self { cost: Cost { time, memory }, calls: zero(), at_once: zero(), most_at_once: zero() }
        }
    }

    impl PasswordHash for Counter {
        fn scheme(&self) -> Scheme {
            Scheme::Des
        }

        fn cost(&self) -> Cost {
            self.cost
        }

        fn verify(&self, guess: &[u8]) -> bool {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(now, Ordering::SeqCst);
            std::thread::yield_now();
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            guess.starts_with(b"yes")
        }
    }

    fn list(promised: &[&str], further: usize) -> Guesses {
        Guesses {
            promised: promised.iter().map(|guess| (*guess).to_owned()).collect(),
            further: (0..further).map(|at| format!("no{at}")).collect(),
        }
    }

    const MINUTE: Duration = Duration::from_secs(60);
    const MICROSECOND: Duration = Duration::from_micros(1);

    #[test]
    fn the_earliest_guess_wins_whatever_the_threads_do() {
        let mut guesses = list(&[], 500);
        guesses.further.extend((0..500).map(|at| format!("yes{at}")));
        for _ in 0..50 {
            let hash = Counter::new(MICROSECOND, 0);
            assert_eq!(crack(&hash, &guesses, MINUTE).0, Answer::Guessed("yes0".into()));
        }
    }

    #[test]
    fn a_guess_too_dear_is_not_even_begun() {
        for (hash, kind) in [
            (Counter::new(Duration::from_secs(7200), 0), GapKind::Timeout),
            (Counter::new(MICROSECOND, 1 << 30), GapKind::Limit),
        ] {
            let (answer, spent) = crack(&hash, &list(&["yes"], 0), MINUTE);
            assert!(matches!(&answer, Answer::GaveUp(is, _) if *is == kind), "{answer:?}");
            assert_eq!((hash.calls.into_inner(), spent), (0, Duration::ZERO));
        }
    }

    #[test]
    fn what_takes_memory_runs_one_by_one() {
        let hash = Counter::new(MICROSECOND, MEMORY);
        assert_eq!(crack(&hash, &list(&["a", "b", "c"], 50), MINUTE).0, Answer::Withstood);
        assert_eq!((hash.calls.into_inner(), hash.most_at_once.into_inner()), (53, 1));
    }

    #[test]
    fn the_budget_ends_further_guesses_silently_and_promised_ones_with_a_gap() {
        let digest = "a".repeat(86);
        let hash = crate::crypt::parse(&format!("$6$rounds=100000$salt${digest}")).unwrap();
        let budget = hash.cost().time * 4;
        let (answer, spent) = crack(hash.as_ref(), &list(&["a"; 1000], 0), budget);
        let Answer::GaveUp(GapKind::Timeout, reason) = answer else { panic!("{answer:?}") };
        assert!(reason.contains("of 1000 guesses"), "{reason}");
        // A machine in a hurry elsewhere may overshoot by the guesses that were already running.
        assert!(spent < budget * 8, "{spent:?} of {budget:?}");
        assert_eq!(crack(hash.as_ref(), &list(&["a"], 1000), budget).0, Answer::Withstood);
    }
}
