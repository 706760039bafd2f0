//! Trying guesses on a hash: in order, on all cores, within a budget of time and memory, and none that was tried before.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use pratique_core::GapKind;
use pratique_core::attempts::Attempt;
use pratique_crypt::PasswordHash;
use rayon::prelude::*;

use super::guess::List;

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

/// Guessing at one hash, list by list, each from where it was left.
pub(super) struct Cracking<'a> {
    hash: &'a dyn PasswordHash,
    lists: &'a [List],
    /// How far each list was tried.
    attempts: Vec<Attempt>,
    /// Guesses that were made.
    made: u64,
    /// Time they took on one core (all threads added up).
    spent: Duration,
}

impl<'a> Cracking<'a> {
    /// Begins; `known`: how far each of `lists` was tried, here or elsewhere.
    pub(super) fn new(hash: &'a dyn PasswordHash, lists: &'a [List], known: Vec<Attempt>) -> Self {
        Self { hash, lists, attempts: known, made: 0, spent: Duration::ZERO }
    }

    /// How far each list was tried.
    pub(super) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Guesses that were made.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Time they took on one core.
    pub(super) fn spent(&self) -> Duration {
        self.spent
    }

    /// Tries for at most `budget` of time on one core. The answer depends on the number of cores only where the budget
    /// ends it.
    pub(super) fn run(&mut self, budget: Duration) -> Answer {
        let cost = self.hash.cost();
        if cost.memory > MEMORY {
            let reason = format!(
                "one guess takes {} MiB of memory, more than the {} MiB allowed",
                cost.memory >> 20,
                MEMORY >> 20
            );
            return Answer::GaveUp(GapKind::Limit, reason);
        }
        if cost.time > budget {
            let reason = format!(
                "one guess takes about {}, more than the {} allowed",
                words(cost.time),
                words(budget)
            );
            return Answer::GaveUp(GapKind::Timeout, reason);
        }
        if let Some(guess) = self.hit_that_was_told() {
            return Answer::Guessed(guess);
        }
        let threads = rayon::current_num_threads();
        let mut each = cost.time.max(Duration::from_nanos(1));
        for (place, list) in self.lists.iter().enumerate() {
            loop {
                let tried = self.attempts[place].tried as usize;
                let rest = list.guesses.get(tried..).unwrap_or_default();
                if rest.is_empty() {
                    break;
                }
                let affordable = fits(budget.saturating_sub(self.spent), each);
                if affordable == 0 {
                    return self.ran_out(budget);
                }
                // Fewer guesses than threads at a time where memory is short: the batch bounds what runs at once.
                let size = match MEMORY.checked_div(cost.memory) {
                    Some(at_once) if at_once < threads as u64 => at_once as usize,
                    _ => threads * fits(BATCH, each).max(1),
                };
                let batch = &rest[..size.min(affordable).min(rest.len())];
                let hit = self.first_hit(batch);
                let tried = tried + hit.map_or(batch.len(), |at| at + 1);
                self.attempts[place] =
                    Attempt { tried: u32::try_from(tried).unwrap_or(u32::MAX), hit: hit.is_some() };
                if let Some(at) = hit {
                    return Answer::Guessed(batch[at].clone());
                }
                // Believe the clock where this machine is slower than the estimate.
                each = each.max(self.spent / u32::try_from(self.made).unwrap_or(u32::MAX).max(1));
            }
        }
        Answer::Withstood
    }

    /// The password, if one was told: the guess is made again, and what was told wrongly is forgotten.
    fn hit_that_was_told(&mut self) -> Option<String> {
        let lists = self.lists;
        for (place, list) in lists.iter().enumerate() {
            let Attempt { tried, hit: true } = self.attempts[place] else { continue };
            let last = (tried as usize).checked_sub(1);
            let told = last.and_then(|last| list.guesses.get(last..=last)).unwrap_or_default();
            if self.first_hit(told).is_some() {
                return told.first().cloned();
            }
            self.attempts[place] = Attempt::default();
        }
        None
    }

    /// Where in `batch` the first guess is that is the password.
    fn first_hit(&mut self, batch: &[String]) -> Option<usize> {
        let (hash, made, spent) = (self.hash, AtomicU64::new(0), AtomicU64::new(0));
        let hit = batch.par_iter().position_first(|guess| {
            let start = Instant::now();
            let hit = hash.verify(guess.as_bytes());
            spent.fetch_add(nanoseconds(start.elapsed()), Ordering::Relaxed);
            made.fetch_add(1, Ordering::Relaxed);
            hit
        });
        self.made += made.into_inner();
        self.spent += Duration::from_nanos(spent.into_inner());
        hit
    }

    fn ran_out(&self, budget: Duration) -> Answer {
        let promised = self.lists.iter().zip(&self.attempts).filter(|(list, _)| list.promised);
        let (tried, all) = promised.fold((0, 0), |(tried, all), (list, attempt)| {
            (tried + list.guesses.len().min(attempt.tried as usize), all + list.guesses.len())
        });
        if tried == all {
            return Answer::Withstood;
        }
        let reason = format!("only {tried} of {all} guesses were tried when {} were over", words(budget));
        Answer::GaveUp(GapKind::Timeout, reason)
    }
}

/// How often `each` fits into `time`.
fn fits(time: Duration, each: Duration) -> usize {
    usize::try_from(time.as_nanos() / each.as_nanos().max(1)).unwrap_or(usize::MAX)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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
    use pratique_crypt::{Cost, Scheme};

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

    /// Promised guesses, then further ones, none of which is the password.
    fn listed(promised: &[&str], further: usize) -> [List; 2] {
        let promised = promised.iter().map(|guess| (*guess).to_owned()).collect();
        let further = (0..further).map(|at| format!("no{at}")).collect();
        [List { promised: true, guesses: promised }, List { promised: false, guesses: further }]
    }

    /// Nothing known.
    fn begin<'a>(hash: &'a dyn PasswordHash, lists: &'a [List]) -> Cracking<'a> {
        Cracking::new(hash, lists, vec![Attempt::default(); lists.len()])
    }

    fn attempt(tried: u32, hit: bool) -> Attempt {
        Attempt { tried, hit }
    }

    const MINUTE: Duration = Duration::from_secs(60);
    const MICROSECOND: Duration = Duration::from_micros(1);

    #[test]
    fn the_earliest_guess_wins_whatever_the_threads_do() {
        let mut lists = listed(&[], 500);
        lists[1].guesses.extend((0..500).map(|at| format!("yes{at}")));
        for _ in 0..50 {
            let hash = Counter::new(MICROSECOND, 0);
            let mut cracking = begin(&hash, &lists);
            assert_eq!(cracking.run(MINUTE), Answer::Guessed("yes0".into()));
            assert_eq!(cracking.attempts(), [attempt(0, false), attempt(501, true)]);
            assert_eq!(cracking.made(), hash.calls.load(Ordering::SeqCst));
        }
    }

    #[test]
    fn a_guess_too_dear_is_not_even_begun() {
        let lists = listed(&["yes"], 0);
        for (hash, kind) in [
            (Counter::new(Duration::from_secs(7200), 0), GapKind::Timeout),
            (Counter::new(MICROSECOND, 1 << 30), GapKind::Limit),
        ] {
            // Not even where the password was told.
            let mut cracking = Cracking::new(&hash, &lists, vec![attempt(1, true), attempt(0, false)]);
            let answer = cracking.run(MINUTE);
            assert!(matches!(&answer, Answer::GaveUp(is, _) if *is == kind), "{answer:?}");
            assert_eq!((cracking.made(), cracking.spent()), (0, Duration::ZERO));
        }
    }

    #[test]
    fn what_takes_memory_runs_one_by_one() {
        let hash = Counter::new(MICROSECOND, MEMORY);
        assert_eq!(begin(&hash, &listed(&["a", "b", "c"], 50)).run(MINUTE), Answer::Withstood);
        assert_eq!((hash.calls.into_inner(), hash.most_at_once.into_inner()), (53, 1));
    }

    #[test]
    fn the_budget_ends_further_guesses_silently_and_promised_ones_with_a_gap() {
        let digest = "a".repeat(86);
        let hash = pratique_crypt::parse(&format!("$6$rounds=100000$salt${digest}")).unwrap();
        let budget = hash.cost().time * 4;
        let many = listed(&["a"; 1000], 0);
        let mut cracking = begin(hash.as_ref(), &many);
        let Answer::GaveUp(GapKind::Timeout, reason) = cracking.run(budget) else { panic!("no gap") };
        assert!(reason.contains("of 1000 guesses"), "{reason}");
        // A machine in a hurry elsewhere may overshoot by the guesses that were already running.
        assert!(cracking.spent() < budget * 8, "{:?} of {budget:?}", cracking.spent());
        assert_eq!(begin(hash.as_ref(), &listed(&["a"], 1000)).run(budget), Answer::Withstood);
    }

    #[test]
    fn what_was_tried_is_not_tried_again() {
        let lists = listed(&["a", "b", "yes"], 10);
        let tried = |known: [Attempt; 2]| {
            let hash = Counter::new(MICROSECOND, MEMORY);
            let mut cracking = Cracking::new(&hash, &lists, known.to_vec());
            (cracking.run(MINUTE), cracking.made(), cracking.attempts()[0])
        };
        let (none, found) = (attempt(0, false), Answer::Guessed("yes".into()));
        assert_eq!(tried([none, none]), (found.clone(), 3, attempt(3, true)));
        // Stopped after two, told, exhausted by its own or another's word, and told of further ones alone.
        assert_eq!(tried([attempt(2, false), none]), (found.clone(), 1, attempt(3, true)));
        assert_eq!(tried([attempt(3, true), none]), (found.clone(), 1, attempt(3, true)));
        assert_eq!(tried([attempt(3, false), none]), (Answer::Withstood, 10, attempt(3, false)));
        assert_eq!(tried([attempt(u32::MAX, false), attempt(10, false)]).0, Answer::Withstood);
        assert_eq!(tried([none, attempt(10, false)]), (found, 3, attempt(3, true)));
    }

    #[test]
    fn a_hit_that_is_none_is_no_finding_and_hides_none() {
        for lie in [attempt(1, true), attempt(0, true), attempt(4, true), attempt(u32::MAX, true)] {
            let (hash, lists) = (Counter::new(MICROSECOND, 0), listed(&["a", "b", "yes"], 0));
            let mut cracking = Cracking::new(&hash, &lists, vec![lie, attempt(0, false)]);
            assert_eq!(cracking.run(MINUTE), Answer::Guessed("yes".into()), "{lie:?}");
            assert_eq!(cracking.attempts()[0], attempt(3, true));
            let (hash, lists) = (Counter::new(MICROSECOND, 0), listed(&["a", "b", "c"], 0));
            let mut cracking = Cracking::new(&hash, &lists, vec![lie, attempt(0, false)]);
            assert_eq!(cracking.run(MINUTE), Answer::Withstood, "{lie:?}");
            assert_eq!(cracking.attempts()[0], attempt(3, false));
        }
    }

    #[test]
    fn what_the_budget_ended_goes_on_where_it_was_left() {
        let digest = "a".repeat(86);
        let hash = pratique_crypt::parse(&format!("$6$rounds=100000$salt${digest}")).unwrap();
        let lists = listed(&["a", "b", "c", "d"], 0);
        let mut known = vec![Attempt::default(); 2];
        for run in 1..=4 {
            // By the estimate there is time for one guess, however fast the machine is.
            let mut cracking = Cracking::new(hash.as_ref(), &lists, known);
            let answer = cracking.run(hash.cost().time);
            assert_eq!(answer == Answer::Withstood, run == 4, "{answer:?}");
            assert_eq!((cracking.made(), cracking.attempts()[0]), (1, attempt(run, false)));
            known = cracking.attempts().to_vec();
        }
    }
}
