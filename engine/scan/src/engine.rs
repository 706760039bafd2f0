//! A selection of detectors, ready to run.

use std::collections::BTreeMap;

use pratique_detect::Detector;

use crate::{Matcher, RuleSet};

/// The detectors that were selected, their interests compiled, and the version of their rules.
pub struct Engine {
    detectors: Vec<&'static dyn Detector>,
    matcher: Matcher,
    rule_set: RuleSet,
}

/// Why a selection of detectors cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No detector has this id.
    #[error("there is no detector `{id}`; use one of {known}, or `*` for all")]
    UnknownDetector {
        /// What was asked for.
        id: String,
        /// What there is, separated by commas.
        known: String,
    },
    /// The selection is empty; its result would look clean although nothing was looked for.
    #[error("no detector is selected; name at least one, or `*` for all")]
    NothingSelected,
    /// A detector declares a glob that is none: an error in the detector.
    #[error("detector {detector} declares the glob `{glob}`, which is malformed: {reason}")]
    Glob {
        /// The detector.
        detector: &'static str,
        /// Its glob.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Engine {
    /// The engine for the detectors with these ids; `*` stands for all there are. Order and repetition do not matter.
    pub fn new(selection: &[String]) -> Result<Self, EngineError> {
        let all = pratique_detect::detectors::DETECTORS;
        if let Some(id) = selection.iter().find(|id| *id != "*" && !all.iter().any(|d| d.info().id == *id)) {
            let known = all.iter().map(|detector| detector.info().id).collect::<Vec<_>>().join(", ");
            return Err(EngineError::UnknownDetector { id: id.clone(), known });
        }
        let chosen = |detector: &&&'static dyn Detector| {
            selection.iter().any(|id| id == "*" || id == detector.info().id)
        };
        Self::of(all.iter().filter(chosen).copied().collect())
    }

    /// The engine for these detectors.
    pub fn of(mut detectors: Vec<&'static dyn Detector>) -> Result<Self, EngineError> {
        if detectors.is_empty() {
            return Err(EngineError::NothingSelected);
        }
        detectors.sort_by_key(|detector| detector.info().id);
        detectors.dedup_by_key(|detector| detector.info().id);
        let matcher = Matcher::new(&detectors)?;
        let rule_set = RuleSet::of(&detectors);
        Ok(Self { detectors, matcher, rule_set })
    }

    /// The selected detectors, sorted by id.
    pub fn detectors(&self) -> &[&'static dyn Detector] {
        &self.detectors
    }

    /// Which paths are of interest.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// The version of everything that decides what facts a file gives.
    pub fn rule_set(&self) -> &RuleSet {
        &self.rule_set
    }

    /// The selected detectors' ids with the version of their rules, as reports name them.
    pub fn versions(&self) -> BTreeMap<String, String> {
        self.detectors
            .iter()
            .map(|detector| (detector.info().id.to_owned(), detector.info().version.to_string()))
            .collect()
    }
}
