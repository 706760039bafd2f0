//! Detectors: bytes in, facts and findings out.
//!
//! A detector works in two steps, so that a layer shared by many images is read once:
//!
//! 1. [`Detector::inspect`] turns one file's bytes into [`Fact`]s. They are a function of the file and of nothing else
//!    and are cached by layer.
//! 2. [`Detector::judge`] turns the facts that are left after the layers were merged into findings. It alone knows the
//!    image's names and the user's options, and runs once per image.
//!
//! A detector never opens anything: it declares as data which paths it cares for ([`Interest`]) and is handed bytes.

mod api;
mod bounded;
pub mod detectors;
#[cfg(test)]
mod golden;
mod hash_list;
mod includes;
mod literals;
mod opinion;
#[cfg(test)]
mod page;
mod places;
mod rule;
mod secret_rules;
mod shell;
mod signs;
mod sums;
mod user_rules;
mod yaml;
mod yara;

pub use api::{Detector, Fact, FileReport, ImageInput, Links, LocatedFact, Outcome, Stream};
pub use hash_list::{HashList, HashListError};
pub use opinion::{Opinion, OtherScanner};
pub use pratique_core::inspect::{Extent, FileInput, FileMode, Interest, Kind, Piece};
pub use rule::Rule;
pub use secret_rules::{SecretRules, SecretRulesError};
pub use user_rules::{UserRules, UserRulesError};
pub use yara::{YaraRules, YaraRulesError};
