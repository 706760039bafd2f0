//! One image: what it is, which of its layers are to be read, and what its facts say. Foreign bytes of layers are read
//! by children alone, one for each layer, so that a layer that takes its reader over can lie about nothing but itself.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pratique_core::attempts::Guessing;
use pratique_core::package::Inventory;
use pratique_core::{Digest, Gap, GapKind, ImageFacts};
use pratique_detect::UserRules;
use pratique_fs::containerd::{LayerChoice, StatePaths, choose};
use pratique_fs::oci::{ImageManifest, LayerDescriptor};
use pratique_fs::{FolderLayer, Opacity, OverlayAttributes, Proof};
use pratique_inventory::PARSERS;
use pratique_scan::{Engine, ImageMeta, LayerFacts, LayerKey};
use pratique_wire::rules::SealedRules;
use pratique_wire::scanner::{
    Counters, Done, Identify, Identity, LayerSource, Open, Plan, PlannedLayer, from_scanner,
};
use pratique_wire::{attempts, inventory};
use rustix::fs::{Mode, OFlags};

use super::cache::Cache;
use super::job::{Answer, Attributes, Form, Job, Judged, Judgement, Source, State, Task, encode_state};
use super::link::{Link, Stop};
use super::process::{self, Death, Program};

/// Children that may die over the layers of one image, and over judging it.
const DEATHS: u32 = 3;
/// Bytes of facts of one image's layers together, as they are held here and handed to the child that judges.
const FACTS: usize = 32 << 20;
/// How long one password hash may be worked on.
const HASH_BUDGET: Duration = Duration::from_secs(10);

/// What every scan of this scanner uses.
pub(super) struct Workshop {
    /// Facts of layers that were read.
    pub(super) cache: Cache,
    /// The runtime's root, as it is mounted here.
    pub(super) root: PathBuf,
    /// What lies in it.
    pub(super) state: StatePaths,
    /// Where files are made that children spool to; they have no name and are gone with the child.
    pub(super) scratch: PathBuf,
    /// How children are started.
    pub(super) program: Program,
    /// How long the layers of one image may take, and judging it.
    pub(super) time: Duration,
}

/// What was counted over one image.
#[derive(Default)]
struct Tally {
    read: u64,
    cached: u64,
    bytes: u64,
    deaths: u64,
}

/// Where a layer can be read, or why not.
type Place = Result<(Form, OwnedFd), String>;

impl Workshop {
    /// Tells what image a digest means.
    pub(super) fn identify(&self, link: &Link, identify: &Identify) -> Result<(), Stop> {
        let identity = match link.resolve(&identify.target, &identify.media_type) {
            Ok(image) => Identity { detectors_done: self.kept(&image), ..identity(&image) },
            Err(Stop::Failed(reason)) => Identity { error: Some(reason), ..Identity::default() },
            Err(stop) => return Err(stop),
        };
        link.say(from_scanner::Message::Identity(identity))
    }

    /// Scans an image and tells its facts.
    pub(super) fn scan(&self, link: &Link, open: Open) -> Result<(), Stop> {
        let image = link.resolve(&open.target, &open.media_type)?;
        let rules = SealedRules::of(open.rules.clone());
        let engine = engine(&open.detectors, &rules).map_err(Stop::Failed)?;
        let mut tally = Tally::default();
        let states = self.layers(link, &image, &engine, &open, &mut tally)?;
        let Judged { facts, inventory, guessing } =
            self.judge(link, &image, &engine, open, states, &mut tally)?;
        let counters = Counters {
            bytes_read: tally.bytes,
            child_deaths: tally.deaths,
            cache_rebuilds: self.cache.take_rebuilds(),
            cache_bytes: self.cache.bytes(),
            password_guesses: guessing.guesses,
        };
        link.say(from_scanner::Message::Done(Done {
            facts: Some(facts.into()),
            layers_read: tally.read,
            layers_cached: tally.cached,
            counters: Some(counters),
            // They fit: they were decoded from what did.
            inventory: Some(inventory::encode(&inventory).0.into()),
            attempts: attempts::encode(&guessing.attempts).into(),
        }))
    }

    /// The state of every layer: from the cache, or read now.
    fn layers(
        &self,
        link: &Link,
        image: &ImageManifest,
        engine: &Engine,
        open: &Open,
        tally: &mut Tally,
    ) -> Result<Vec<State>, Stop> {
        let mut states: Vec<Option<State>> = image
            .layers
            .iter()
            .enumerate()
            .map(|(place, layer)| self.cached(engine, layer, place == 0).map(State::Facts))
            .collect();
        let wanted: Vec<usize> = (0..states.len()).filter(|place| states[*place].is_none()).collect();
        tally.cached = (states.len() - wanted.len()) as u64;
        if !wanted.is_empty() {
            let deadline = Instant::now() + self.time;
            let places = self.places(link, image, &wanted, tally.cached)?;
            let mut deaths = 0;
            for (number, place) in wanted.into_iter().zip(places) {
                let layer = &image.layers[number];
                // The same layer may come twice in one image.
                let state = match self.cached(engine, layer, number == 0) {
                    Some(facts) => {
                        tally.cached += 1;
                        State::Facts(facts)
                    }
                    None => self.read(link, layer, place, engine, open, deadline, &mut deaths, tally)?,
                };
                states[number] = Some(state);
            }
            tally.deaths += u64::from(deaths);
        }
        Ok(within(FACTS, states.into_iter().flatten().zip(&image.layers)))
    }

    /// Every detector as `id@rules`, if all layers' facts are kept: such an image is scanned without reading anything.
    fn kept(&self, image: &ImageManifest) -> Vec<String> {
        let Ok(engine) = Engine::new(&["*".to_owned()], PARSERS) else { return Vec::new() };
        let mut layers = image.layers.iter().enumerate();
        if !layers.all(|(place, layer)| self.cached(&engine, layer, place == 0).is_some()) {
            return Vec::new();
        }
        engine.versions().into_iter().map(|(id, rules)| format!("{id}@{rules}")).collect()
    }

    /// Facts that are kept and are as good as what reading the layer now would give: facts made without seeing opacity
    /// do for the bottom layer, and where there is no blob to read instead.
    fn cached(&self, engine: &Engine, layer: &LayerDescriptor, bottom: bool) -> Option<Vec<u8>> {
        let facts = |opacity| {
            let key = LayerKey::new(&layer.diff_id, opacity, &Proof::DiffId, engine.rule_set())?;
            let decode = |bytes: &[u8]| {
                let facts = LayerFacts::decode(bytes);
                facts.map(|facts| (facts.key().as_ref() == Some(&key)).then(|| bytes.to_vec()))
            };
            self.cache.get(key.as_str(), decode).flatten()
        };
        facts(Opacity::FromBlob).or_else(|| facts(Opacity::FromFolder)).or_else(|| {
            let blind_does = bottom || self.state.open_blob(&layer.blob).is_err();
            blind_does.then(|| facts(Opacity::FromFolderBlind)).flatten()
        })
    }

    /// Asks the broker where these layers are, and chooses the best place of each.
    fn places(
        &self,
        link: &Link,
        image: &ImageManifest,
        wanted: &[usize],
        cached: u64,
    ) -> Result<Vec<Place>, Stop> {
        let planned = wanted.iter().map(|place| &image.layers[*place]).map(|layer| PlannedLayer {
            diff_id: layer.diff_id.to_string(),
            chain_id: layer.chain_id.to_string(),
            blob_digest: layer.blob.to_string(),
            media_type: layer.media_type.clone(),
        });
        let (layers, descriptors) = link.layers(Plan { layers: planned.collect(), cached })?;
        let fits =
            |(source, place): (&LayerSource, &usize)| source.diff_id == image.layers[*place].diff_id.as_str();
        let folders = layers.layers.iter().filter(|source| source.folder).count();
        if layers.layers.len() != wanted.len()
            || descriptors.len() != folders
            || !layers.layers.iter().zip(wanted).all(fits)
        {
            return Err(Stop::Failed("the broker answered with other layers than were planned".to_owned()));
        }
        let mut descriptors = descriptors.into_iter();
        let place = |(source, number): (LayerSource, &usize)| {
            let folder = match source.folder.then(|| descriptors.next()).flatten() {
                Some(descriptor) => Ok((attributes(&source), descriptor)),
                None => Err(source.no_folder_reason),
            };
            self.place(&image.layers[*number], *number == 0, folder)
        };
        Ok(layers.layers.into_iter().zip(wanted).map(place).collect())
    }

    fn place(
        &self,
        layer: &LayerDescriptor,
        bottom: bool,
        folder: Result<(Attributes, OwnedFd), String>,
    ) -> Place {
        let sees =
            folder.as_ref().is_ok_and(|(own, _)| FolderLayer::sees_opacity(OverlayAttributes::from(*own)));
        match choose(bottom, sees, folder, self.state.open_blob(&layer.blob)) {
            Ok(
                LayerChoice::Folder((attributes, folder)) | LayerChoice::BlindFolder((attributes, folder)),
            ) => Ok((Form::Folder { attributes }, folder)),
            Ok(LayerChoice::Blob(blob)) => Ok((Form::Blob { digest: layer.blob.clone() }, blob.into())),
            Err((no_folder, no_blob)) => Err(format!("no folder: {no_folder}; no blob: {no_blob}")),
        }
    }

    /// Reads one layer in a child, and keeps its facts.
    #[allow(clippy::too_many_arguments, reason = "each is a different thing, and they are used here once")]
    fn read(
        &self,
        link: &Link,
        layer: &LayerDescriptor,
        place: Place,
        engine: &Engine,
        open: &Open,
        deadline: Instant,
        deaths: &mut u32,
        tally: &mut Tally,
    ) -> Result<State, Stop> {
        let diff_id = &layer.diff_id;
        let missing = |kind, reason: String| State::Missing(Gap::of_layer(kind, diff_id.clone(), reason));
        let (form, descriptor) = match place {
            Ok(place) => place,
            Err(reason) => return Ok(missing(GapKind::Unreadable, reason)),
        };
        let scratch = matches!(form, Form::Blob { .. }).then(|| self.scratch()).flatten();
        let task = Task::Scan {
            source: Source { diff_id: diff_id.clone(), descriptor: descriptor.as_raw_fd(), form },
            scratch: scratch.as_ref().map(AsRawFd::as_raw_fd),
        };
        let frames = [self.job(&open.detectors, task)?, open.rules.to_vec()];
        let descriptors: Vec<OwnedFd> = [descriptor].into_iter().chain(scratch).collect();
        let mut last = "other layers of the image ended the processes that read them".to_owned();
        while *deaths < DEATHS {
            match process::ask(&self.program, &frames, &descriptors, deadline, link.cancelled()) {
                Ok(Answer::Layer(facts))
                    if facts.diff_id == *diff_id && facts.rule_set == *engine.rule_set() =>
                {
                    tally.read += 1;
                    tally.bytes += facts.statistics.bytes;
                    return Ok(State::Facts(self.keep(&facts)));
                }
                Ok(Answer::Missing(gap)) => return Ok(State::Missing(gap)),
                Ok(_) => last = "the process that read it answered something else".to_owned(),
                Err(Death::Cancelled) => return Err(Stop::Cancelled),
                Err(Death::Timeout) => {
                    return Ok(missing(
                        GapKind::Timeout,
                        format!("its image took longer than {:?}", self.time),
                    ));
                }
                Err(Death::Died(reason)) => last = reason,
            }
            *deaths += 1;
            tracing::warn!(layer = %diff_id, deaths, reason = last, "a scanning process died");
        }
        Ok(missing(GapKind::Crashed, format!("given up after {DEATHS} scanning processes died: {last}")))
    }

    /// A file without a name. Without one, large files of the layer are gaps.
    fn scratch(&self) -> Option<OwnedFd> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&self.scratch, flags, Mode::RUSR | Mode::WUSR);
        opened
            .inspect_err(|error| {
                let folder = self.scratch.display();
                tracing::warn!(%folder, %error, "no scratch file: large files of compressed layers are not read");
            })
            .ok()
    }

    /// Keeps facts that will be the same next time; what could not be read may well be readable then.
    fn keep(&self, facts: &LayerFacts) -> Vec<u8> {
        let encoded = facts.encode();
        let passing =
            |gap: &Gap| matches!(gap.kind, GapKind::Unreadable | GapKind::Timeout | GapKind::Crashed);
        if let Some(key) = facts.key().filter(|_| !facts.gaps.iter().any(passing)) {
            self.cache.put(key.as_str(), &encoded);
        }
        encoded
    }

    /// Judges the image in a child; if links lead across layers, once more with all layers at hand.
    fn judge(
        &self,
        link: &Link,
        image: &ImageManifest,
        engine: &Engine,
        open: Open,
        states: Vec<State>,
        tally: &mut Tally,
    ) -> Result<Judged, Stop> {
        let meta = meta(image, open.names);
        // The job goes before them, anew for each attempt.
        let mut frames = vec![Vec::new(), open.rules.to_vec(), open.attempts.to_vec()];
        frames.extend(states.into_iter().map(encode_state));
        let deadline = Instant::now() + self.time;
        let mut places: Option<Vec<(Source, OwnedFd)>> = None;
        let (mut deaths, mut last) = (0, String::new());
        while deaths < DEATHS {
            let sources =
                places.as_ref().map(|places| places.iter().map(|(source, _)| source.clone()).collect());
            let judgement = Judgement {
                meta: meta.clone(),
                hash_budget: HASH_BUDGET,
                judged_at: Timestamp::now(),
                sources,
            };
            frames[0] = self.job(&open.detectors, Task::Judge(judgement.into()))?;
            let descriptors: Vec<&OwnedFd> =
                places.iter().flatten().map(|(_, descriptor)| descriptor).collect();
            match process::ask(&self.program, &frames, &descriptors, deadline, link.cancelled()) {
                Ok(Answer::Image(judged)) => {
                    return Ok(Judged { facts: vouched(judged.facts, &meta), ..*judged });
                }
                Ok(Answer::NeedsSources) if places.is_none() => {
                    places = Some(self.sources(link, image, tally.cached)?);
                    continue;
                }
                Ok(_) => last = "the process that judged it answered something else".to_owned(),
                Err(Death::Cancelled) => return Err(Stop::Cancelled),
                Err(Death::Timeout) => {
                    let gap = Gap::of_image(
                        GapKind::Timeout,
                        format!("judging it took longer than {:?}", self.time),
                    );
                    return Ok(wanting(engine, &meta, gap));
                }
                Err(Death::Died(reason)) => last = reason,
            }
            deaths += 1;
            tally.deaths += 1;
            tracing::warn!(image = %meta.image, deaths, reason = last, "a judging process died");
        }
        let reason = format!("given up after {DEATHS} judging processes died: {last}");
        Ok(wanting(engine, &meta, Gap::of_image(GapKind::Crashed, reason)))
    }

    /// All layers of the image; none if one of them cannot be had, for links could then lead elsewhere.
    fn sources(
        &self,
        link: &Link,
        image: &ImageManifest,
        cached: u64,
    ) -> Result<Vec<(Source, OwnedFd)>, Stop> {
        let all: Vec<usize> = (0..image.layers.len()).collect();
        let source = |(place, layer): (Place, &LayerDescriptor)| {
            let (form, descriptor) = place.ok()?;
            Some((
                Source { diff_id: layer.diff_id.clone(), descriptor: descriptor.as_raw_fd(), form },
                descriptor,
            ))
        };
        let places = self.places(link, image, &all, cached)?;
        Ok(places.into_iter().zip(&image.layers).map(source).collect::<Option<_>>().unwrap_or_default())
    }

    fn job(&self, detectors: &[String], task: Task) -> Result<Vec<u8>, Stop> {
        let job = Job { detectors: detectors.to_vec(), memory: self.program.memory, task };
        serde_json::to_vec(&job).map_err(|error| Stop::Failed(format!("a job cannot be written: {error}")))
    }
}

/// The engine for these detectors and the user's rules, which are read only to see that the processes can use them: a
/// newer operator may know rules that this release does not.
fn engine(detectors: &[String], rules: &SealedRules) -> Result<Engine, String> {
    let files = rules.open().map_err(|error| error.to_string())?;
    UserRules::read(&files).map_err(|error| format!("this release cannot use the user's rules: {error}"))?;
    Engine::new(detectors, PARSERS)
        .and_then(|engine| engine.given(&files, &[]))
        .map_err(|error| error.to_string())
}

/// The states as far as their facts fit into so many bytes together; a layer that does not is a gap.
fn within<'l>(limit: usize, states: impl Iterator<Item = (State, &'l LayerDescriptor)>) -> Vec<State> {
    let mut room = limit;
    let bounded = states.map(|(state, layer)| match state {
        State::Facts(facts) => match room.checked_sub(facts.len()) {
            Some(left) => {
                room = left;
                State::Facts(facts)
            }
            None => {
                let reason = format!(
                    "the image's layers give more than {limit} bytes of facts; those of this one are left out"
                );
                State::Missing(Gap::of_layer(GapKind::Limit, layer.diff_id.clone(), reason))
            }
        },
        missing => missing,
    });
    bounded.collect()
}

fn attributes(source: &LayerSource) -> Attributes {
    if source.user_attributes { Attributes::User } else { Attributes::Trusted }
}

fn identity(image: &ImageManifest) -> Identity {
    Identity {
        image: image.image.to_string(),
        manifests: image.manifest.iter().map(Digest::to_string).collect(),
        indexes: image.indexes.iter().map(Digest::to_string).collect(),
        size: image.size(),
        platform_os: image.platform.os.clone(),
        platform_architecture: image.platform.architecture.clone(),
        platform_variant: image.platform.variant.clone(),
        ..Identity::default()
    }
}

fn meta(image: &ImageManifest, names: Vec<String>) -> ImageMeta {
    ImageMeta {
        image: image.image.clone(),
        manifests: image.manifest.iter().cloned().collect(),
        indexes: image.indexes.clone(),
        platform: image.platform.clone(),
        created: image.created,
        config: image.config.clone(),
        layers: image.layers.iter().map(|layer| layer.diff_id.clone()).collect(),
        names,
    }
}

/// A child's facts with what is known for certain in place of the child's word.
fn vouched(facts: ImageFacts, meta: &ImageMeta) -> ImageFacts {
    ImageFacts {
        image: meta.image.clone(),
        manifests: meta.manifests.clone(),
        indexes: meta.indexes.clone(),
        platform: meta.platform.clone(),
        created: meta.created,
        user: meta.config.user.clone(),
        layers: meta.layers.clone(),
        judged_at: Timestamp::now(),
        scanned_by: String::new(),
        ..facts
    }
}

/// What there is of an image that no child could judge.
fn wanting(engine: &Engine, meta: &ImageMeta, gap: Gap) -> Judged {
    let nothing = ImageFacts {
        detectors: engine.versions(),
        gaps: vec![gap],
        ..ImageFacts::unscanned(meta.image.clone())
    };
    Judged { facts: vouched(nothing, meta), inventory: Inventory::default(), guessing: Guessing::default() }
}
