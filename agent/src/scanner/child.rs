//! The process that reads foreign bytes: one layer, or one image's facts, then it ends.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::process::ExitCode;

use pratique_core::attempts::Attempts;
use pratique_core::{Digest, Gap};
use pratique_detect::{Detector, UserRules};
use pratique_fs::{BlobFile, FolderLayer, ImageFs, Layer, TarLayer};
use pratique_scan::{
    Engine, JudgeOptions, JudgedImage, LayerFacts, LayerState, Limits, follow, judge_image, merge, scan_layer,
};
use pratique_wire::attempts;
use pratique_wire::rules::SealedRules;

use super::allocator::give_back_large_blocks;
use super::job::{Answer, Form, Job, Judged, Judgement, MAX_FRAME, Source, Task, decode_state};
use super::sandbox;
use crate::channel;

/// How much of one layer is kept: its facts must fit the memory of one child, beside those of its siblings. A layer of
/// 1.7 GB with 2,700 packages and their 90,000 files takes 5 MB.
const LIMITS: Limits = Limits {
    entries: 10_000_000,
    paths: 250_000,
    fact_bytes: 16 << 20,
    redirects: 1_000,
    findings: 2_000,
    gaps: 500,
};

/// Bytes of files that are held at once for a user's YARA rules: a third of the memory that a child has by default.
const HELD: usize = 64 << 20;

/// Reads a job from standard input, gives up what it does not need, and answers on standard output.
///
/// # Errors
/// The job is no job, or the answer cannot be written: an error in Pratique, or the scanner is gone.
pub fn run() -> anyhow::Result<ExitCode> {
    give_back_large_blocks();
    let mut input = std::io::stdin().lock();
    let frame =
        channel::read_frame(&mut input, MAX_FRAME)?.ok_or_else(|| anyhow::anyhow!("no job arrived"))?;
    let job: Job = serde_json::from_slice(&frame)?;
    let descriptors = Descriptors::inherit(&job.task);
    for lack in sandbox::enter_child(&descriptors.folders(), job.memory) {
        eprintln!("the scanning process goes on without {}: {}", lack.what, lack.reason);
    }
    let rules = channel::read_frame(&mut input, MAX_FRAME)?
        .ok_or_else(|| anyhow::anyhow!("the user's rules are missing"))?;
    let files = SealedRules::of(rules.into()).open()?;
    let (own, dictionary) = UserRules::read(&files)?.into_detectors(HELD);
    // They last as long as this process.
    let own: Vec<&'static dyn Detector> =
        own.into_iter().map(|own| Box::leak(own) as &'static dyn Detector).collect();
    let engine = Engine::new(&job.detectors, pratique_inventory::PARSERS)?.given(&files, &own)?;
    let answer = match job.task {
        Task::Scan { source, scratch: _ } => scan(&engine, &source, descriptors),
        Task::Judge(judgement) => {
            let frame = channel::read_frame(&mut input, MAX_FRAME)?
                .ok_or_else(|| anyhow::anyhow!("the attempts at passwords are missing"))?;
            let attempts = attempts::decode(&frame).unwrap_or_else(|error| {
                eprintln!("all guesses are made again: {error}");
                Attempts::default()
            });
            let mut layers = Vec::new();
            for _ in &judgement.meta.layers {
                let frame = channel::read_frame(&mut input, MAX_FRAME)?
                    .ok_or_else(|| anyhow::anyhow!("a layer's facts are missing"))?;
                layers.push(decode_state(&frame));
            }
            judge(&engine, *judgement, dictionary, attempts, &layers, descriptors)
        }
    };
    channel::write_frame(&mut std::io::stdout().lock(), &answer.encode(), MAX_FRAME)?;
    Ok(ExitCode::SUCCESS)
}

/// Descriptors that came with the process.
struct Descriptors {
    /// By the place of their source.
    sources: Vec<(Form, OwnedFd)>,
    /// An empty file to write to.
    scratch: Option<File>,
}

impl Descriptors {
    fn inherit(task: &Task) -> Self {
        let (sources, scratch) = match task {
            Task::Scan { source, scratch } => (std::slice::from_ref(source), *scratch),
            Task::Judge(judgement) => (judgement.sources.as_deref().unwrap_or_default(), None),
        };
        // SAFETY: the scanner that wrote this job left exactly these descriptors open for this process, each named once,
        // and nothing here has touched them.
        let adopt = |descriptor: RawFd| unsafe { OwnedFd::from_raw_fd(descriptor) };
        let adopted = |source: &Source| (source.form.clone(), adopt(source.descriptor));
        Self {
            sources: sources.iter().map(adopted).collect(),
            scratch: scratch.map(|descriptor| adopt(descriptor).into()),
        }
    }

    fn folders(&self) -> Vec<BorrowedFd<'_>> {
        self.sources
            .iter()
            .filter(|(form, _)| matches!(form, Form::Folder { .. }))
            .map(|(_, fd)| fd.as_fd())
            .collect()
    }
}

/// A layer as its descriptor gives it.
fn layer(diff_id: &Digest, form: Form, descriptor: OwnedFd) -> Box<dyn Layer> {
    let limits = pratique_fs::Limits::default();
    match form {
        Form::Folder { attributes } => {
            Box::new(FolderLayer::new(descriptor, diff_id.clone(), attributes.into(), limits))
        }
        Form::Blob { digest } => {
            Box::new(TarLayer::new(BlobFile::new(descriptor.into()), digest, diff_id.clone(), limits))
        }
    }
}

fn scan(engine: &Engine, source: &Source, descriptors: Descriptors) -> Answer {
    let Descriptors { sources, scratch } = descriptors;
    let Some((form, descriptor)) = sources.into_iter().next() else {
        return Answer::NeedsSources;
    };
    match scan_layer(layer(&source.diff_id, form, descriptor).as_mut(), engine, &LIMITS, scratch.as_ref()) {
        Ok(facts) => Answer::Layer(facts.into()),
        Err(error) => {
            Answer::Missing(Gap::of_layer(error.gap_kind(), source.diff_id.clone(), error.to_string()))
        }
    }
}

fn judge(
    engine: &Engine,
    judgement: Judgement,
    dictionary: Vec<String>,
    attempts: Attempts,
    layers: &[LayerState],
    descriptors: Descriptors,
) -> Answer {
    let Judgement { meta, hash_budget, judged_at, sources } = judgement;
    let options =
        JudgeOptions { dictionary, hash_budget, attempts, bases: Vec::new(), judged_at, limits: LIMITS };
    let read: Vec<&LayerFacts> = layers.iter().filter_map(LayerState::facts).collect();
    let redirects = merge(engine, &read).redirects;
    let Some(sources) = sources else {
        if !redirects.is_empty() {
            return Answer::NeedsSources;
        }
        return judged(judge_image(engine, &meta, layers, None, &options));
    };
    let whole = sources.len() == meta.layers.len();
    let parts = sources.iter().zip(descriptors.sources);
    let parts = parts.map(|(source, (form, descriptor))| layer(&source.diff_id, form, descriptor)).collect();
    // Gaps at paths of the layers are in their facts already; one without a path is a layer that could not be read now.
    let (root, gaps) = ImageFs::new(parts);
    // A view with a layer missing could lead links elsewhere than the image does.
    let whole = whole && gaps.iter().all(|gap| gap.path.is_some());
    let followed = whole.then(|| follow(engine, &redirects, &root, &options.limits));
    judged(judge_image(engine, &meta, layers, followed, &options))
}

fn judged(image: JudgedImage) -> Answer {
    let JudgedImage { facts, inventory, guessing, base: _ } = image;
    Answer::Image(Judged { facts, inventory, guessing }.into())
}
