//! How far this replica is behind the leader.

use std::time::{Duration, Instant};

/// A replica further behind the leader than this treats every image as unscanned.
pub const MAX_LAG: Duration = Duration::from_secs(30);

/// Where this replica's facts come from.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Freshness {
    /// Nothing was ever loaded or received.
    #[default]
    Never,
    /// This replica leads: its own index is the truth.
    Leading,
    /// It follows, and was `lag` behind when the last update arrived.
    Following {
        /// When the last update arrived.
        received: Instant,
        /// How long that update had been on its way and in queues, in excess of the quickest one of its stream.
        lag: Duration,
    },
}

impl Freshness {
    /// How far behind the leader this replica is at most; none: it never knew anything.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Leading => Some(Duration::ZERO),
            Self::Following { received, lag } => Some(now.saturating_duration_since(*received) + *lag),
        }
    }

    /// Whether decisions may rest on this replica's facts.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.age(now).is_some_and(|age| age <= MAX_LAG)
    }
}
