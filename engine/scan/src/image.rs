//! From the layers' facts to the image's.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use jiff::Timestamp;
use pratique_core::attempts::{Attempts, Guessing};
use pratique_core::escape::Escaped;
use pratique_core::facts::Trust;
use pratique_core::license::Licenses;
use pratique_core::lineage::{Base, KnownBase, base_of};
use pratique_core::package::Inventory;
use pratique_core::{Digest, Finding, Gap, GapKind, ImageConfig, ImageFacts, Platform};
use pratique_detect::{ImageInput, LocatedFact};
use pratique_fs::{Opacity, Proof};

use crate::bounds::{GapList, bound_findings};
use crate::follow::{Followed, FollowedFile, unfollowed};
use crate::inventory::{inventory, removed};
use crate::{DetectorFacts, Engine, FileFacts, HiddenFile, LayerFacts, Limits, merge};

/// What an image's documents say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageMeta {
    /// The config digest.
    pub image: Digest,
    /// Manifest digests that led to it.
    pub manifests: Vec<Digest>,
    /// Index digests that led to it.
    pub indexes: Vec<Digest>,
    /// Platform the image is made for.
    pub platform: Platform,
    /// When the config says it was built.
    pub created: Option<Timestamp>,
    /// How it is to be run, and how it was built.
    pub config: ImageConfig,
    /// Layers (diff IDs), base first.
    pub layers: Vec<Digest>,
    /// References it is known by.
    pub names: Vec<String>,
}

/// What there is of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerState {
    /// It was read, now or earlier.
    Read(Box<LayerFacts>),
    /// It could not be, and why.
    Missing(Gap),
}

impl LayerState {
    /// What was read.
    pub fn facts(&self) -> Option<&LayerFacts> {
        match self {
            Self::Read(facts) => Some(facts),
            Self::Missing(_) => None,
        }
    }
}

/// What the second step may know beside the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgeOptions {
    /// Words the user wants to be tried as passwords.
    pub dictionary: Vec<String>,
    /// How long one hash may be worked on, on one core.
    pub hash_budget: Duration,
    /// Guesses at passwords that were made before, here or elsewhere, and are not made again.
    pub attempts: Attempts,
    /// Images that others may have been built on, those that somebody vouches for among them.
    pub bases: Vec<KnownBase>,
    /// Now; written to [`ImageFacts::judged_at`].
    pub judged_at: Timestamp,
    /// Bounds on what comes out.
    pub limits: Limits,
}

/// What came out of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedImage {
    /// What every gate decides on.
    pub facts: ImageFacts,
    /// What it is made of.
    pub inventory: Inventory,
    /// What it was built on, if anything tells that.
    pub base: Option<Base>,
    /// What came of guessing passwords.
    pub guessing: Guessing,
}

/// What came out of a live root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgedRoot {
    /// What was found.
    pub findings: Vec<Finding>,
    /// What could not be read or judged.
    pub gaps: Vec<Gap>,
    /// What it is made of.
    pub inventory: Inventory,
    /// What came of guessing passwords.
    pub guessing: Guessing,
}

/// Facts and gaps of a whole root, before the detectors judge them.
pub(crate) struct Gathered {
    /// By detector id.
    facts: BTreeMap<String, Vec<LocatedFact>>,
    gaps: GapList,
}

/// What is judged, beside its facts.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    /// References it is known by.
    pub(crate) names: &'a [String],
    /// How it is to be run, and how it was built; of an image alone.
    pub(crate) config: Option<&'a ImageConfig>,
    /// Its layers (diff IDs), base first; of an image alone.
    pub(crate) layers: &'a [Digest],
}

/// Judges an image from the facts of its layers, base first, one state for each of `meta.layers`.
///
/// `followed` is what [`crate::follow`] read, needed only if [`merge`] finds [`crate::Merged::redirects`]; without it, each
/// of those is a gap. A missing layer is a gap; if there is none but missing ones, the result is an error as well. The same
/// input gives the same result, apart from what runs into `hash_budget`. [`ImageFacts::scanned_by`] is left empty.
pub fn judge_image(
    engine: &Engine,
    meta: &ImageMeta,
    layers: &[LayerState],
    followed: Option<Followed>,
    options: &JudgeOptions,
) -> JudgedImage {
    let (usable, missing) = usable_layers(engine, meta, layers);
    let error = (usable.is_empty() && !meta.layers.is_empty()).then(|| {
        let why = missing.first().map_or("none was handed over", |gap| gap.reason.as_str());
        format!("no layer of the image could be read: {why}")
    });
    let mut gathered = Gathered::new(&options.limits);
    gathered.gaps.extend(missing);
    gathered.gaps.extend(usable.iter().flat_map(|facts| facts.gaps.iter().cloned()));

    let merged = merge(engine, &usable);
    gathered.gaps.extend(merged.gaps);
    for visible in &merged.files {
        gathered.add(Some(visible.layer), visible.file);
    }
    for hidden in &merged.hidden {
        gathered.add_removed(engine, hidden);
    }
    match followed {
        Some(followed) => gathered.add_followed(followed),
        None => gathered.gaps.extend(merged.redirects.iter().map(unfollowed)),
    }

    let about = About { names: &meta.names, config: Some(&meta.config), layers: &meta.layers };
    let mut judged = gathered.judge(engine, about, options);
    judged.inventory.removed = removed(&judged.inventory, &merged.hidden);
    let facts = ImageFacts {
        image: meta.image.clone(),
        manifests: meta.manifests.clone(),
        indexes: meta.indexes.clone(),
        platform: meta.platform.clone(),
        created: meta.created,
        user: meta.config.user.clone(),
        layers: meta.layers.clone(),
        detectors: engine.versions(),
        licenses: engine.lists_packages().then(|| Licenses::of(&judged.inventory)),
        findings: judged.findings,
        gaps: judged.gaps,
        suppressed: Vec::new(),
        advisories: None,
        error,
        judged_at: options.judged_at,
        scanned_by: String::new(),
        trust: trust(&usable, meta.layers.len()),
    };
    let base = base_of(&meta.layers, &meta.config, &options.bases);
    JudgedImage { facts, inventory: judged.inventory, base, guessing: judged.guessing }
}

/// What an image of so many layers rests on, of which these could be used.
fn trust(usable: &[&LayerFacts], layers: usize) -> Trust {
    if usable.iter().any(|facts| facts.proof == Proof::None) {
        return Trust::Unchecked;
    }
    let from_blobs = usable.len() == layers && usable.iter().all(|facts| facts.opacity == Opacity::FromBlob);
    if from_blobs { Trust::Blobs } else { Trust::Folders }
}

/// The layers' facts that are there and belong here, and a gap for each layer without them.
fn usable_layers<'l>(
    engine: &Engine,
    meta: &ImageMeta,
    layers: &'l [LayerState],
) -> (Vec<&'l LayerFacts>, Vec<Gap>) {
    let (mut usable, mut missing) = (Vec::new(), Vec::new());
    for (place, diff_id) in meta.layers.iter().enumerate() {
        let mismatch = |reason: &str| Gap::of_layer(GapKind::Unreadable, diff_id.clone(), reason);
        match layers.get(place) {
            Some(LayerState::Read(facts)) if facts.diff_id != *diff_id => {
                missing.push(mismatch("facts of another layer stand in its place: an error in Pratique"));
            }
            Some(LayerState::Read(facts)) if facts.rule_set != *engine.rule_set() => {
                missing.push(mismatch("its facts were made with other rules: an error in Pratique"));
            }
            Some(LayerState::Read(facts)) => usable.push(facts.as_ref()),
            Some(LayerState::Missing(gap)) => {
                missing.push(Gap { layer: Some(diff_id.clone()), ..gap.clone() });
            }
            None => missing.push(mismatch("it was not read")),
        }
    }
    (usable, missing)
}

impl Gathered {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { facts: BTreeMap::new(), gaps: GapList::new(limits.gaps) }
    }

    /// Takes in what was read through a root.
    pub(crate) fn add_followed(&mut self, followed: Followed) {
        for FollowedFile { layer, facts } in followed.files {
            self.add(layer.as_ref(), &facts);
        }
        self.gaps.append(followed.gaps);
    }

    /// Takes in what is known of one visible file.
    pub(crate) fn add(&mut self, layer: Option<&Digest>, file: &FileFacts) {
        let path = file.path.to_string();
        for noted in &file.detectors {
            self.note(noted, &path, layer, None);
        }
    }

    /// Takes in what those who care for removed files know of one.
    fn add_removed(&mut self, engine: &Engine, hidden: &HiddenFile<'_>) {
        let path = hidden.file.path.to_string();
        for noted in hidden.file.detectors.iter().filter(|noted| engine.judges_removed(&noted.detector)) {
            self.note(noted, &path, Some(hidden.layer), Some(hidden.by));
        }
    }

    fn note(
        &mut self,
        noted: &DetectorFacts,
        path: &str,
        layer: Option<&Digest>,
        removed_by: Option<&Digest>,
    ) {
        let path = match &noted.member {
            Some(member) => format!("{path}!/{}", Escaped(member)),
            None => path.to_owned(),
        };
        let located = noted.facts.iter().map(|fact| LocatedFact {
            path: path.clone(),
            layer: layer.cloned(),
            removed_by: removed_by.cloned(),
            fact: fact.clone(),
        });
        self.facts.entry(noted.detector.clone()).or_default().extend(located);
        self.gaps.extend(noted.problems.iter().map(|(kind, reason)| Gap {
            kind: *kind,
            detector: Some(noted.detector.clone()),
            path: Some(path.clone()),
            layer: layer.cloned(),
            reason: reason.clone(),
        }));
    }

    /// Puts the inventory together and lets every selected detector judge its facts. Findings and gaps come out sorted,
    /// each once, and bounded.
    pub(crate) fn judge(self, engine: &Engine, about: About<'_>, options: &JudgeOptions) -> JudgedRoot {
        let Self { mut facts, mut gaps } = self;
        let (inventory, ownership) = inventory(&mut facts, &mut gaps);
        let input = ImageInput {
            names: about.names,
            config: about.config,
            layers: about.layers,
            bases: &options.bases,
            ownership: &ownership,
            dictionary: &options.dictionary,
            hash_budget: options.hash_budget,
            attempts: &options.attempts,
        };
        let (mut findings, mut guessing) = (Vec::new(), Guessing::default());
        for detector in engine.detectors() {
            let id = detector.info().id;
            let own = facts.remove(id).unwrap_or_default();
            let judge = || catch_unwind(AssertUnwindSafe(|| detector.judge(&input, &own)));
            match engine.measure_judging(id, judge) {
                Ok(outcome) => {
                    findings.extend(outcome.findings);
                    gaps.extend(outcome.gaps);
                    guessing.attempts.extend(outcome.guessing.attempts);
                    guessing.guesses += outcome.guessing.guesses;
                }
                // The panic's message may quote the facts, so it is not repeated.
                Err(_) => gaps.push(Gap {
                    detector: Some(id.to_owned()),
                    ..Gap::of_image(
                        GapKind::Crashed,
                        "the detector failed on the image's facts: an error in Pratique",
                    )
                }),
            }
        }
        bound_findings(&mut findings, &mut gaps, options.limits.findings);
        JudgedRoot { findings, gaps: gaps.finish(), inventory, guessing }
    }
}
