//! The registry of detectors: one file and one line each.
