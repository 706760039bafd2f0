//! Advisories, their database, and what of an inventory they speak of.
//!
//! ```text
//! OSV records ──► advisory, affected ranges ──► database file ──► matching ──► findings, gaps
//! osv             advisory, range, rating       build, database    matching      VEX suppresses visibly
//!      fetch: brings records, and keeps the database
//! ```

pub mod advisory;
pub mod build;
pub mod cvss;
pub mod database;
pub mod distribution;
pub mod end_of_life;
pub mod exploits;
pub mod fetch;
pub mod flaw;
pub mod matching;
pub mod newer_base;
pub mod nvd;
pub mod osv;
pub mod range;
pub mod rating;
pub mod source;
mod table;
pub mod vex;

pub use build::{BuildError, BuildStats, build};
pub use database::{Database, DatabaseError};
pub use matching::{Matches, match_inventory};
