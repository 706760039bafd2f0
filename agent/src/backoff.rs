//! Waiting longer after each failure, and not in step with every other node.

use std::time::Duration;

/// Doubles from a first wait up to a longest, each with up to half of it taken off at random.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins at `first` and ends at `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// How long to wait now.
    pub fn pause(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait - jitter(wait / 2)
    }

    /// Begins anew, after something worked.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A random time from zero to `most`.
pub fn jitter(most: Duration) -> Duration {
    let mut random = [0; 4];
    // Without randomness every node waits the same time: worse, not wrong.
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    most.mul_f64(f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX))
}

/// `period`, give or take a tenth.
pub fn jittered(period: Duration) -> Duration {
    period - period / 10 + jitter(period / 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_bounds() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second * 5);
        for expected in [1, 2, 4, 5, 5] {
            let wait = backoff.pause();
            assert!(wait <= second * expected && wait >= second * expected / 2, "{wait:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= second);
        let period = jittered(second * 10);
        assert!(period >= second * 9 && period <= second * 11);
    }
}
