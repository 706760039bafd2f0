//! Tests of the crate as a whole, and what they share.

pub(crate) mod fake;
