//! Tests of the crate as a whole, and what they share.

pub(crate) mod fake;

mod archives;
mod aside;
mod caching;
mod judging;
mod merging;
mod metadata;
mod packages;
mod running;
mod sources;
mod streaming;
mod walking;
