//! One image from its layers to its facts: those that are cached are not read, the others at the same time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pratique_core::{Digest, Gap};
use pratique_fs::{ImageFs, Layer, Proof};

use crate::{
    Engine, Followed, ImageMeta, JudgeOptions, JudgedImage, LayerFacts, LayerKey, LayerState, Limits,
    Statistics, follow, judge_image, merge, scan_layer,
};

/// Where encoded facts of layers are kept between scans. A cache may lose anything at any time.
pub trait LayerCache: Sync {
    /// What was put under this key.
    fn get(&self, key: &LayerKey) -> Option<Vec<u8>>;

    /// Keeps facts for later. A failure is the cache's own affair: it costs time, no result.
    fn put(&self, key: &LayerKey, facts: &[u8]);
}

/// How an image is scanned.
pub struct ScanOptions<'a> {
    /// Layers that are read at the same time; at least one is.
    pub jobs: usize,
    /// Where facts are kept.
    pub cache: Option<&'a dyn LayerCache>,
    /// Makes an empty file of the caller's, for large files of compressed layers.
    pub scratch: &'a (dyn Fn() -> io::Result<File> + Sync),
    /// Told of each layer, from several threads.
    pub progress: &'a (dyn Fn(Progress<'_>) + Sync),
    /// How much of a layer is kept.
    pub limits: Limits,
    /// What judging may know.
    pub judge: JudgeOptions,
}

/// What happens to a layer.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// Its facts were in the cache.
    Cached(&'a Digest),
    /// It is being read.
    Reading(&'a Digest),
    /// It was read, or could not be.
    Read(&'a Digest),
}

/// What came out of a scan, and what it took.
pub struct ScannedImage {
    /// The result.
    pub judged: JudgedImage,
    /// Work by layer (diff ID), of those that were read now.
    pub read: BTreeMap<Digest, LayerWork>,
    /// Layers whose facts came from the cache.
    pub cached: usize,
}

/// The work that a layer was.
#[derive(Debug, Clone, Copy)]
pub struct LayerWork {
    /// What was read.
    pub statistics: Statistics,
    /// How long it took.
    pub time: Duration,
}

/// Scans an image: `layers` are those of `meta`, base first.
pub fn scan_image(
    engine: &Engine,
    meta: &ImageMeta,
    mut layers: Vec<Box<dyn Layer>>,
    options: &ScanOptions<'_>,
) -> ScannedImage {
    let mut states: Vec<Option<LayerState>> =
        layers.iter().map(|layer| cached(engine, layer.as_ref(), options.cache)).collect();
    for (layer, _) in layers.iter().zip(&states).filter(|(_, state)| state.is_some()) {
        (options.progress)(Progress::Cached(layer.diff_id()));
    }
    let cached = states.iter().flatten().count();
    let mut wanted: Vec<(usize, &mut Box<dyn Layer>)> =
        layers.iter_mut().enumerate().filter(|(place, _)| states[*place].is_none()).collect();
    let work = read(engine, &mut wanted, options);
    let mut read = BTreeMap::new();
    for (place, state, work) in work {
        if let Some(facts) = state.facts() {
            read.insert(facts.diff_id.clone(), work);
        }
        states[place] = Some(state);
    }
    let states: Vec<LayerState> = states.into_iter().flatten().collect();
    let usable: Vec<&LayerFacts> = states.iter().filter_map(LayerState::facts).collect();
    let followed = links(engine, &usable, layers, options);
    ScannedImage { judged: judge_image(engine, meta, &states, followed, &options.judge), read, cached }
}

/// What links lead to, from the cache or through the image's merged view; none if it cannot be read.
fn links(
    engine: &Engine,
    facts: &[&LayerFacts],
    layers: Vec<Box<dyn Layer>>,
    options: &ScanOptions<'_>,
) -> Option<Followed> {
    let (limits, redirects) = (&options.judge.limits, merge(engine, facts).redirects);
    // A view without a layer could lead links elsewhere than the image does.
    if redirects.is_empty() || facts.len() < layers.len() {
        return None;
    }
    let key = LayerKey::of_links(facts);
    let kept = options.cache.zip(key);
    let cached = kept.as_ref().and_then(|(cache, key)| cache.get(key));
    if let Some(followed) = cached.and_then(|bytes| Followed::decode(&bytes, limits).ok()) {
        return Some(followed);
    }
    let (root, gaps) = ImageFs::new(layers);
    // Gaps at paths are in the layers' facts already; one without a path is a layer that could not be read this time.
    if gaps.iter().any(|gap| gap.path.is_none()) {
        return None;
    }
    let followed = follow(engine, &redirects, &root, limits);
    if let (Some((cache, key)), Some(bytes)) = (kept, followed.encode()) {
        cache.put(&key, &bytes);
    }
    Some(followed)
}

/// What is kept of a layer: proved by its diff ID, which is as good as anything, else by what this one is proved by.
fn cached(engine: &Engine, layer: &dyn Layer, cache: Option<&dyn LayerCache>) -> Option<LayerState> {
    let cache = cache?;
    let kept = |proof| {
        let key = LayerKey::new(layer.diff_id(), layer.opacity(), &proof, engine.rule_set())?;
        let facts = LayerFacts::decode(&cache.get(&key)?).ok()?;
        (facts.key() == Some(key)).then(|| LayerState::Read(Box::new(facts)))
    };
    kept(Proof::DiffId).or_else(|| match layer.proof() {
        Proof::DiffId => None,
        other => kept(other),
    })
}

/// Reads layers, several at the same time. What comes out is in no order.
fn read(
    engine: &Engine,
    layers: &mut [(usize, &mut Box<dyn Layer>)],
    options: &ScanOptions<'_>,
) -> Vec<(usize, LayerState, LayerWork)> {
    let jobs = options.jobs.clamp(1, layers.len().max(1));
    let done = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<_>> = layers.iter_mut().map(Mutex::new).collect();
    let work = || {
        // Made when a layer is read, not before: a scan from the cache alone needs none.
        let scratch = (options.scratch)().ok();
        while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            let (place, layer) = &mut **slot;
            let (state, work) = read_one(engine, layer.as_mut(), options, scratch.as_ref());
            done.lock().unwrap_or_else(PoisonError::into_inner).push((*place, state, work));
        }
    };
    if !slots.is_empty() {
        std::thread::scope(|scope| {
            for _ in 1..jobs {
                scope.spawn(work);
            }
            work();
        });
    }
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn read_one(
    engine: &Engine,
    layer: &mut dyn Layer,
    options: &ScanOptions<'_>,
    scratch: Option<&File>,
) -> (LayerState, LayerWork) {
    let diff_id = layer.diff_id().clone();
    (options.progress)(Progress::Reading(&diff_id));
    let began = Instant::now();
    let state = match scan_layer(layer, engine, &options.limits, scratch) {
        Ok(facts) => {
            if let Some((cache, key)) = options.cache.zip(facts.key()) {
                cache.put(&key, &facts.encode());
            }
            LayerState::Read(Box::new(facts))
        }
        Err(error) => {
            LayerState::Missing(Gap::of_layer(error.gap_kind(), diff_id.clone(), error.to_string()))
        }
    };
    let statistics = state.facts().map(|facts| facts.statistics).unwrap_or_default();
    (options.progress)(Progress::Read(&diff_id));
    (state, LayerWork { statistics, time: began.elapsed() })
}
