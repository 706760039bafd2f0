//! One target: opened, scanned, reported.

use std::time::Duration;

use jiff::Timestamp;
use pratique_core::attempts::Attempts;
use pratique_core::lineage::KnownBase;
use pratique_fs::oci::ImageManifest;
use pratique_fs::{OpenImage, Opened, Source, SourceKind, SourceOptions, SourceRef};
use pratique_report::{Image, Report, Target, TargetKind, Tool, Vulnerabilities};
use pratique_scan::{
    Engine, ImageMeta, JudgeOptions, LayerCache, Limits, ScanOptions, scan_image, scan_root,
};

use crate::advisories::Advisories;
use crate::args::Layers;
use crate::judge;
use crate::progress::Line;
use crate::suppress::Suppression;

/// How long one password hash may be worked on, on one core.
const HASH_BUDGET: Duration = Duration::from_secs(10);

/// How targets are scanned.
pub(crate) struct Settings<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) sources: SourceOptions,
    pub(crate) cache: Option<&'a dyn LayerCache>,
    /// Advisories to match the packages with.
    pub(crate) advisories: Advisories,
    /// What takes findings out.
    pub(crate) suppression: Suppression,
    pub(crate) dictionary: Vec<String>,
    /// Images that others may have been built on.
    pub(crate) bases: Vec<KnownBase>,
    pub(crate) jobs: usize,
    pub(crate) layers: Layers,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

impl Settings<'_> {
    /// Scans what a reference means.
    ///
    /// # Errors
    /// No source has it, or the one that has cannot open it.
    pub(crate) fn scan(&self, text: &str) -> anyhow::Result<Report> {
        let reference = SourceRef::parse(text)?;
        let Source { reference, opened, passed_over } = pratique_fs::open(&reference, &self.sources)?;
        if self.verbose {
            for asked in &passed_over {
                eprintln!("pratique: {text}: not in {}: {}", asked.kind, asked.reason);
            }
            let via = match &opened {
                Opened::Image(image) if !image.via.is_empty() => format!(", via {}", image.via),
                _ => String::new(),
            };
            eprintln!("pratique: {text}: taken from {reference}{via}");
        }
        let kind = reference.kind.unwrap_or(SourceKind::File);
        let mut report = match opened {
            Opened::Image(image) => self.image(text, *image),
            Opened::Root { filesystem, name } => {
                let _line = Line::new(text, 0, self.quiet);
                let scratch = tempfile::tempfile().ok();
                let (filesystem, scratch) = (filesystem.as_ref(), scratch.as_ref());
                let judged = scan_root(self.engine, filesystem, &[name], &self.judge(), scratch, self.jobs);
                Report {
                    target: self.target(text, TargetKind::Root),
                    image: None,
                    inventory: judged.inventory,
                    findings: judged.findings,
                    gaps: judged.gaps,
                    error: None,
                    ..self.empty()
                }
            }
        };
        report.target.source = kind.prefix().to_owned();
        if kind == SourceKind::File {
            report.target.kind = TargetKind::File;
        }
        judge::packages(&self.advisories, &mut report)?;
        self.suppression.apply(&mut report);
        if self.layers == Layers::All {
            let removed = std::mem::take(&mut report.inventory.removed);
            report.inventory.packages.extend(removed.into_iter().map(|removed| removed.package));
            report.inventory.packages.sort();
        }
        Ok(report)
    }

    fn image(&self, text: &str, image: OpenImage) -> Report {
        let line = Line::new(text, image.layers.len(), self.quiet);
        let meta = meta(&image.manifest, image.names);
        let options = ScanOptions {
            jobs: self.jobs,
            cache: self.cache,
            scratch: &tempfile::tempfile,
            progress: &|progress| line.note(progress),
            limits: Limits::default(),
            judge: self.judge(),
        };
        let scanned = scan_image(self.engine, &meta, image.layers, &options);
        drop(line);
        if self.verbose {
            eprintln!("pratique: {text}: {} layers from the cache", scanned.cached);
            for (layer, work) in &scanned.read {
                let (statistics, time) = (work.statistics, work.time);
                eprintln!(
                    "pratique: {text}: layer {}: {} entries, {} files opened, {} bytes of them, {time:.0?}",
                    layer.short(),
                    statistics.entries,
                    statistics.opened,
                    statistics.bytes
                );
            }
        }
        let facts = scanned.judged.facts;
        let described = Image { base: scanned.judged.base, ..Image::of(&facts) };
        let mut gaps = facts.gaps;
        gaps.extend(image.gaps);
        gaps.sort();
        gaps.dedup();
        Report {
            target: self.target(text, TargetKind::Image),
            image: Some(described),
            inventory: scanned.judged.inventory,
            findings: facts.findings,
            gaps,
            error: facts.error,
            ..self.empty()
        }
    }

    fn judge(&self) -> JudgeOptions {
        JudgeOptions {
            dictionary: self.dictionary.clone(),
            hash_budget: HASH_BUDGET,
            attempts: Attempts::new(),
            bases: self.bases.clone(),
            judged_at: Timestamp::now(),
            limits: Limits::default(),
        }
    }

    fn target(&self, reference: &str, kind: TargetKind) -> Target {
        Target { reference: reference.to_owned(), source: String::new(), kind }
    }

    fn empty(&self) -> Report {
        Report { detectors: self.engine.versions(), ..empty(self.target("", TargetKind::Root)) }
    }
}

/// A report of a target in which nothing was found yet.
pub(crate) fn empty(target: Target) -> Report {
    Report {
        tool: Tool { name: "pratique".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        target,
        image: None,
        inventory: Default::default(),
        findings: Vec::new(),
        suppressed: Vec::new(),
        gaps: Vec::new(),
        vulnerabilities: Vulnerabilities::NotAsked,
        upgrades: Vec::new(),
        newer_base: None,
        detectors: Default::default(),
        decision: None,
        error: None,
        scanned_at: Timestamp::now(),
    }
}

fn meta(manifest: &ImageManifest, names: Vec<String>) -> ImageMeta {
    ImageMeta {
        image: manifest.image.clone(),
        manifests: manifest.manifest.iter().cloned().collect(),
        indexes: manifest.indexes.clone(),
        platform: manifest.platform.clone(),
        created: manifest.created,
        config: manifest.config.clone(),
        layers: manifest.layers.iter().map(|layer| layer.diff_id.clone()).collect(),
        names,
    }
}
