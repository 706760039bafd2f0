//! A selection of detectors and parsers, ready to run.

use std::collections::BTreeMap;

use pratique_core::inspect::{Extent, FileInput, Interest};
use pratique_core::rule_files::{Revisions, rules_version};
use pratique_core::{GapKind, RuleFiles};
use pratique_detect::{Detector, Fact, FileReport, Links, Stream};
use pratique_inventory::Parser;
use rayon::ThreadPool;

use crate::timings::{Timings, Work};
use crate::{Cost, Matcher, RuleSet};

/// What gaps of the inventory name as their detector.
pub const INVENTORY: &str = "inventory";

/// Whether facts of this id are a package parser's records.
pub(crate) fn is_inventory(id: &str) -> bool {
    id.strip_prefix(INVENTORY).is_some_and(|rest| rest.starts_with('/'))
}

/// The detectors that were selected, the package parsers if the inventory was, their interests compiled, and the version
/// of their rules.
pub struct Engine {
    detectors: Vec<&'static dyn Detector>,
    subjects: Vec<Subject>,
    matcher: Matcher,
    rule_set: RuleSet,
    /// Which of the user's files the detectors go by.
    revisions: Revisions,
    timings: Option<Timings>,
    /// Who looks into files, if not whoever reads them.
    threads: Option<ThreadPool>,
}

/// Whoever looks into files.
pub(crate) struct Subject {
    id: String,
    kind: SubjectKind,
}

enum SubjectKind {
    Detector(&'static dyn Detector),
    Parser(&'static dyn Parser),
}

impl Subject {
    pub(crate) fn detector(detector: &'static dyn Detector) -> Self {
        Self { id: detector.info().id.to_owned(), kind: SubjectKind::Detector(detector) }
    }

    fn parser(parser: &'static dyn Parser) -> Self {
        Self { id: format!("{INVENTORY}/{}", parser.id()), kind: SubjectKind::Parser(parser) }
    }

    /// A detector's id, or `inventory/` and a parser's.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Version of its rules.
    pub(crate) fn version(&self) -> u32 {
        match self.kind {
            SubjectKind::Detector(detector) => detector.info().version,
            SubjectKind::Parser(parser) => parser.version(),
        }
    }

    /// What else decides what it notes.
    pub(crate) fn revision(&self) -> Option<String> {
        match self.kind {
            SubjectKind::Detector(detector) => detector.revision(),
            SubjectKind::Parser(_) => None,
        }
    }

    pub(crate) fn links(&self) -> Links {
        match self.kind {
            SubjectKind::Detector(detector) => detector.links(),
            SubjectKind::Parser(_) => Links::FollowedElsewhere,
        }
    }

    pub(crate) fn is_parser(&self) -> bool {
        matches!(self.kind, SubjectKind::Parser(_))
    }

    pub(crate) fn interests(&self) -> &'static [Interest] {
        match self.kind {
            SubjectKind::Detector(detector) => detector.interests(),
            SubjectKind::Parser(parser) => parser.interests(),
        }
    }

    /// What takes the pieces of a file that is wanted as a stream; parsers take none.
    pub(crate) fn stream(&self, file: &FileInput<'_>) -> Option<Box<dyn Stream>> {
        match self.kind {
            SubjectKind::Detector(detector) => detector.stream(file),
            SubjectKind::Parser(_) => None,
        }
    }

    /// Whether it takes files within archives.
    pub(crate) fn looks_into_archives(&self) -> bool {
        match self.kind {
            SubjectKind::Detector(detector) => detector.looks_into_archives(),
            SubjectKind::Parser(_) => false,
        }
    }

    /// Facts of one file. A parser's are its records, in postcard's form.
    pub(crate) fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        match self.kind {
            SubjectKind::Detector(detector) => detector.inspect(file),
            SubjectKind::Parser(parser) => {
                let parsed = parser.parse(file);
                let mut report = FileReport { facts: Vec::new(), problems: parsed.problems };
                for record in &parsed.records {
                    match postcard::to_allocvec(record) {
                        Ok(bytes) => report.facts.push(Fact(bytes)),
                        Err(error) => {
                            report
                                .problems
                                .push((GapKind::Malformed, format!("a record cannot be kept: {error}")));
                        }
                    }
                }
                report
            }
        }
    }
}

/// Why a selection cannot run.
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
    /// A glob that files are excluded by is malformed.
    #[error("`{glob}` is no glob that files could be excluded by: {reason}")]
    Exclusion {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Threads cannot be started.
    #[error("{threads} threads that look into files cannot be started: {reason}; use fewer jobs")]
    Threads {
        /// How many.
        threads: usize,
        /// What the system says.
        reason: String,
    },
    /// A glob is none: an error in whoever declares it.
    #[error("{subject} declares the glob `{glob}`, which is malformed: {reason}")]
    Glob {
        /// Who.
        subject: String,
        /// The glob.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Engine {
    /// The engine for the detectors with these ids (`*` stands for all there are; order and repetition do not matter) and
    /// for these parsers: [`pratique_inventory::PARSERS`], or none where no inventory is wanted.
    ///
    /// # Errors
    /// If an id is unknown, or there is nothing to look for.
    pub fn new(selection: &[String], parsers: &[&'static dyn Parser]) -> Result<Self, EngineError> {
        let all = pratique_detect::detectors::DETECTORS;
        if let Some(id) = selection.iter().find(|id| *id != "*" && !all.iter().any(|d| d.info().id == *id)) {
            let known = all.iter().map(|detector| detector.info().id).collect::<Vec<_>>().join(", ");
            return Err(EngineError::UnknownDetector { id: id.clone(), known });
        }
        let chosen = |detector: &&&'static dyn Detector| {
            selection.iter().any(|id| id == "*" || id == detector.info().id)
        };
        Self::of(all.iter().filter(chosen).copied().collect(), parsers)
    }

    /// The engine for these detectors and parsers.
    ///
    /// # Errors
    /// If there is none of either.
    pub fn of(
        mut detectors: Vec<&'static dyn Detector>,
        parsers: &[&'static dyn Parser],
    ) -> Result<Self, EngineError> {
        if detectors.is_empty() && parsers.is_empty() {
            return Err(EngineError::NothingSelected);
        }
        detectors.sort_by_key(|detector| detector.info().id);
        detectors.dedup_by_key(|detector| detector.info().id);
        let mut subjects: Vec<Subject> =
            detectors.iter().map(|detector| Subject::detector(*detector)).collect();
        subjects.extend(parsers.iter().map(|parser| Subject::parser(*parser)));
        subjects.sort_by(|a, b| a.id.cmp(&b.id));
        let matcher = Matcher::new(&subjects)?;
        let rule_set = RuleSet::of(&subjects);
        Ok(Self {
            detectors,
            subjects,
            matcher,
            rule_set,
            revisions: Revisions::new(),
            timings: None,
            threads: None,
        })
    }

    /// The same; so many threads look into files while others read the next ones. With one, and without this, whoever reads
    /// a file looks into it. What is noted is the same.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn with_threads(mut self, threads: usize) -> Result<Self, EngineError> {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let built = (threads > 1).then(|| pool(threads)).transpose();
        self.threads = built.map_err(|error| EngineError::Threads { threads, reason: error.to_string() })?;
        Ok(self)
    }

    pub(crate) fn threads(&self) -> Option<&ThreadPool> {
        self.threads.as_ref()
    }

    /// The same, measuring what each detector costs.
    pub fn timed(mut self) -> Self {
        self.timings = Some(Timings::new(self.subjects.len()));
        self
    }

    /// What each detector, the package parsers and the rest of the walk have cost so far; nothing unless
    /// [`Engine::timed`].
    pub fn costs(&self) -> Vec<Cost> {
        self.timings.as_ref().map(|timings| timings.costs(&self.subjects)).unwrap_or_default()
    }

    /// Does the work, and measures it if that is wanted.
    pub(crate) fn measure<T>(&self, work: Work, run: impl FnOnce() -> T) -> T {
        match &self.timings {
            Some(timings) => timings.measure(work, run),
            None => run(),
        }
    }

    /// The same for a detector's judging.
    pub(crate) fn measure_judging<T>(&self, id: &str, run: impl FnOnce() -> T) -> T {
        match self.subjects.binary_search_by(|subject| subject.id().cmp(id)) {
            Ok(subject) => self.measure(Work::Judging { subject }, run),
            Err(_) => run(),
        }
    }

    /// The same with `detector` in the place of the selected one that has its id; if none has, that changes nothing.
    /// To be called before [`Engine::excluding`].
    ///
    /// # Errors
    /// If one of its globs is malformed.
    pub fn with(mut self, detector: &'static dyn Detector) -> Result<Self, EngineError> {
        self.replace(detector)?;
        self.rule_set = RuleSet::of(&self.subjects);
        Ok(self)
    }

    /// The same for a user's files: facts and reports made with them are told from others. `detectors` are those that were
    /// made of the files, in the place of the selected ones that have their ids; whoever reads no file, but looks for facts
    /// that others made, gives none. To be called before [`Engine::excluding`].
    ///
    /// # Errors
    /// If a glob of a detector is malformed.
    pub fn given(
        mut self,
        files: &RuleFiles,
        detectors: &[&'static dyn Detector],
    ) -> Result<Self, EngineError> {
        for detector in detectors {
            self.replace(*detector)?;
        }
        let mut of_facts = files.revisions_of_facts();
        of_facts.retain(|id, _| self.detectors.iter().any(|own| own.info().id == id));
        if !of_facts.is_empty() {
            self.rule_set = self.rule_set.given(&of_facts);
        }
        self.revisions = files.revisions();
        Ok(self)
    }

    fn replace(&mut self, detector: &'static dyn Detector) -> Result<(), EngineError> {
        let id = detector.info().id;
        for own in self.detectors.iter_mut().filter(|own| own.info().id == id) {
            *own = detector;
        }
        for own in self.subjects.iter_mut().filter(|own| own.id == id) {
            *own = Subject::detector(detector);
        }
        self.matcher = Matcher::new(&self.subjects)?;
        Ok(())
    }

    /// The same without the files that match one of `globs`, which are relative to the root.
    ///
    /// # Errors
    /// If a glob is malformed.
    pub fn excluding(mut self, globs: &[String]) -> Result<Self, EngineError> {
        if !globs.is_empty() {
            self.matcher = self.matcher.excluding(globs)?;
            self.rule_set = self.rule_set.excluding(globs);
        }
        Ok(self)
    }

    /// The selected detectors, sorted by id.
    pub fn detectors(&self) -> &[&'static dyn Detector] {
        &self.detectors
    }

    /// Whether packages are looked for.
    pub(crate) fn lists_packages(&self) -> bool {
        self.subjects.iter().any(Subject::is_parser)
    }

    /// All who look into files, sorted by id.
    pub(crate) fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// Whether a detector judges files that an upper layer removed.
    pub(crate) fn judges_removed(&self, id: &str) -> bool {
        self.detectors.iter().any(|detector| detector.info().id == id && detector.judges_removed())
    }

    /// Whether facts of this id speak of a file's content, by whatever name: a package parser's, and those of a detector
    /// that takes files in pieces.
    pub(crate) fn is_of_file(&self, id: &str) -> bool {
        let streams = |detector: &&'static dyn Detector| {
            detector.interests().iter().any(|interest| matches!(interest.extent, Extent::Stream(_)))
        };
        is_inventory(id) || self.detectors.iter().filter(|detector| detector.info().id == id).any(streams)
    }

    /// Which paths are of interest.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// The version of everything that decides what facts a file gives.
    pub fn rule_set(&self) -> &RuleSet {
        &self.rule_set
    }

    /// The selected detectors' ids with the version of their rules, as reports name them ([`rules_version`]).
    pub fn versions(&self) -> BTreeMap<String, String> {
        self.detectors
            .iter()
            .map(|detector| (detector.info().id.to_owned(), rules_version(detector.info(), &self.revisions)))
            .collect()
    }
}
