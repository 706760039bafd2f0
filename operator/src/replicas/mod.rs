//! Leader and followers: the leader streams what decisions need, so that every replica decides from its own memory.
//!
//! A follower takes over a new leader's state in one step, once it has all of it; until then, and for
//! [`crate::index::MAX_LAG`] after the stream broke, it decides with what it has.

mod convert;
mod dial;
mod follower;
mod service;
#[cfg(test)]
mod tests;

pub use dial::{Trust, inventory_of_leader};
pub use follower::follow;
pub use service::ReplicasService;

/// Largest update, in bytes: the images of a large node in one.
const MAX_UPDATE: usize = 64 << 20;
