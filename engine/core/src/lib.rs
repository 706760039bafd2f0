//! The words every part of Pratique shares, and the policy decision.
//!
//! Nothing here does I/O, reads a clock or is async: time is an argument. `clippy.toml` beside this crate bans the
//! standard library's file, network, clock and environment functions, so the rule is checked and not only stated.

pub mod archive;
pub mod attempts;
pub mod config;
pub mod database;
pub mod detector;
pub mod digest;
pub mod escape;
pub mod facts;
pub mod finding;
pub mod gap;
pub mod inspect;
pub mod license;
pub mod lineage;
pub mod mask;
mod owned;
mod ownership;
pub mod package;
pub mod policy;
pub mod reference;
pub mod rule_files;
pub mod severity;
pub mod stored;
pub mod verdict;
pub mod version;

pub use archive::ArchiveFormat;
pub use config::ImageConfig;
pub use detector::DetectorInfo;
pub use digest::Digest;
pub use facts::{ImageFacts, Platform};
pub use finding::{Category, Finding, Suppressed};
pub use gap::{Gap, GapKind};
pub use reference::Reference;
pub use rule_files::{RuleFile, RuleFiles, RuleKind};
pub use severity::Severity;
pub use verdict::Verdict;
