//! Whether and when something is asked again. Pure.

use std::time::Duration;

/// How often, and how long between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first included. 5.
    pub tries: u32,
    /// The pause after the first failure, before jitter; it doubles each time. 0.5 s.
    pub pause: Duration,
    /// The longest pause. A registry that asks for a longer one is not asked again. 30 s.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { tries: 5, pause: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// The pause before the next try, after `failed` of them failed in a way that may pass; none when it is over.
    ///
    /// `asked` is what the registry asked for (`Retry-After`); `jitter` lies between 0 and 1 and keeps clients apart.
    pub fn pause(&self, failed: u32, asked: Option<Duration>, jitter: f64) -> Option<Duration> {
        if failed >= self.tries || asked.is_some_and(|asked| asked > self.longest) {
            return None;
        }
        let doubled = self.pause.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(self.longest);
        let own = doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        Some(own.max(asked.unwrap_or_default()))
    }
}

/// Whether another try may succeed where a registry answered with `status`.
pub(crate) fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599) && status != 501 && status != 505
}

/// The seconds of a `Retry-After`. A date is taken for none: clocks differ, and the pauses grow by themselves.
pub fn retry_after(header: &str) -> Option<Duration> {
    let header = header.trim();
    let is_number = !header.is_empty() && header.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| Duration::from_secs(header.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy =
        RetryPolicy { tries: 4, pause: Duration::from_millis(100), longest: Duration::from_secs(10) };

    #[test]
    fn pauses_double_with_jitter_and_end() {
        let pauses = |jitter| (1..6).map(|failed| POLICY.pause(failed, None, jitter)).collect::<Vec<_>>();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(pauses(1.0), [ms(100), ms(200), ms(400), None, None]);
        assert_eq!(pauses(0.0), [ms(50), ms(100), ms(200), None, None]);
    }

    #[test]
    fn what_a_registry_asks_for_is_honoured_up_to_the_longest() {
        let asked = |seconds| POLICY.pause(1, Some(Duration::from_secs(seconds)), 0.5);
        assert_eq!(asked(0), Some(Duration::from_millis(75)));
        assert_eq!(asked(3), Some(Duration::from_secs(3)));
        assert_eq!(asked(10), Some(Duration::from_secs(10)));
        assert_eq!(asked(11), None);
        assert_eq!(asked(u64::MAX), None);
    }

    #[test]
    fn pauses_never_overflow() {
        let policy = RetryPolicy { tries: u32::MAX, pause: Duration::MAX, longest: Duration::from_secs(7) };
        assert_eq!(policy.pause(u32::MAX - 1, None, f64::NAN.max(9.0)), Some(Duration::from_secs(7)));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert!(may_pass(status), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 416, 501, 505] {
            assert!(!may_pass(status), "{status}");
        }
    }

    #[test]
    fn seconds_are_read_and_nothing_else() {
        assert_eq!(retry_after(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        for header in ["", "-1", "+1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "1s"] {
            assert_eq!(retry_after(header), None, "{header}");
        }
    }
}
