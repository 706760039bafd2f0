//! The walk: all detectors' interests in one matcher, each layer read once, results merged per image.
//!
//! ```text
//! Layer ──scan_layer──► LayerFacts (cached by LayerKey) ──┐
//! Layer ──scan_layer──► LayerFacts ───────────────────────┼─merge─► visible facts ──judge_image──► ImageFacts
//! ```
//!
//! - [`scan_layer`] reads one layer in one pass and hands each file that is of interest to every detector that wants it.
//!   Its result is a function of the layer's content, how it was read and the detectors' rules, and of nothing else.
//! - [`merge`] decides from the facts alone what is still visible in the image.
//! - [`judge_image`] runs the detectors' second step, which may know the image's names, over what is visible.
//! - [`scan_image`] does all of this for one image, with a cache and several layers at the same time.
//! - [`scan_root`] does the same for a live container's root.
//!
//! What could not be read or judged is a gap in every one of these steps, never silence.

mod ahead;
mod archive;
mod aside;
mod bounds;
mod container;
mod engine;
mod follow;
mod image;
mod inspect;
mod inventory;
mod layer_facts;
mod leads;
mod limits;
mod matcher;
mod merge;
mod path_set;
mod root;
mod rule_set;
mod run;
mod sealed;
mod stream;
mod timings;
mod walk;
mod ways;

#[cfg(test)]
mod tests;

pub use container::scan_root;
pub use engine::{Engine, EngineError, INVENTORY};
pub use follow::{Followed, follow};
pub use image::{ImageMeta, JudgeOptions, JudgedImage, JudgedRoot, LayerState, judge_image};
pub use layer_facts::{DetectorFacts, FileFacts, LayerFacts, LayerKey, Link, SCHEMA_VERSION, Statistics};
pub use limits::Limits;
pub use matcher::Matcher;
pub use merge::{HiddenFile, Merged, Redirect, Via, VisibleFile, merge};
pub use path_set::{PathHash, PathSet};
pub use rule_set::RuleSet;
pub use run::{LayerCache, LayerWork, Progress, ScanOptions, ScannedImage, scan_image};
pub use sealed::InvalidFacts;
pub use timings::{Cost, WALK};
pub use walk::scan_layer;
pub use ways::Ways;
