//! The registry of detectors: one file and one line each.

use crate::Detector;

/// All detectors, in the order of [`pratique_core::detector::DETECTORS`].
pub static ALL: &[&dyn Detector] = &[];
