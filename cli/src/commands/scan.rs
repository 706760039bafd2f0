//! `pratique scan` and `pratique sbom`.

use std::path::Path;
use std::thread::available_parallelism;

use anyhow::Context;
use jiff::Timestamp;
use pratique_core::facts::Platform;
use pratique_core::policy::{Detail, Effect};
use pratique_fs::find::is_pattern;
use pratique_fs::listing::RUNTIMES;
use pratique_fs::registry::{Mirror, Registries};
use pratique_fs::{Check, SourceKind, SourceOptions, SourceRef, select};
use pratique_report::Report;
use pratique_scan::{Engine, LayerCache};
use pratique_vulns::Database;
use pratique_vulns::matching::DETECTOR;

use crate::advisories::{Advisories, Kept};
use crate::args::{Common, FailOn, Layers, Options, Scan};
use crate::bases;
use crate::cache::{self, FolderCache};
use crate::clamd::Clamd;
use crate::config;
use crate::exit::{Code, Fail, Failure};
use crate::newer_base::NewerBase;
use crate::output::Outputs;
use crate::policy::Policies;
use crate::rules::Reader;
use crate::suppress::Suppression;
use crate::target::Settings;
use crate::timings;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Packages, and what the detectors find.
    Everything,
    /// Packages alone.
    Inventory,
}

pub(super) fn run(scan: Scan, what: What) -> Result<Code, Failure> {
    let Scan { sources, mut options } = scan;
    config::complete(&mut options).fail(Code::Usage)?;
    let default = if what == What::Inventory { "cyclonedx" } else { "table" };
    let outputs = Outputs::of(&options.formats, default).fail(Code::Usage)?;
    let engine = engine(&options, what)?;
    let cache = open_cache(&options).fail(Code::Usage)?;
    let settings = settings(&options, what, &engine, cache.as_ref())?;
    let policies = match what {
        What::Everything => Policies::of(&options, Timestamp::now()).fail(Code::Usage)?,
        What::Inventory => None,
    };
    let newer = NewerBase::of(&options, &settings).fail(Code::Source)?;
    let mut code = Code::Clean;
    let mut reports = Vec::new();
    for source in sources.iter().flat_map(|source| expand(source, &settings)) {
        match source.and_then(|source| settings.scan(&source)) {
            Ok(mut report) => {
                if let Some(newer) = &newer {
                    newer.compare(&mut report);
                }
                let judged = match &policies {
                    Some(policies) => refused(policies, &mut report, &options).fail(Code::Usage)?,
                    None => verdict(&report, options.fail_on),
                };
                code = code.worse(judged);
                reports.push(report);
            }
            Err(error) => {
                eprintln!("pratique: {error:#}");
                code = code.worse(Code::Source);
            }
        }
    }
    if !reports.is_empty() {
        outputs.write(&reports).fail(Code::Output)?;
    }
    if options.timings {
        eprint!("{}", timings::table(&engine.costs()));
    }
    if let Some(cache) = &cache {
        cache.prune();
    }
    Ok(code)
}

/// What the policies decide on an image: the reasons go into its report and to standard error.
fn refused(policies: &Policies, report: &mut Report, options: &Options) -> anyhow::Result<Code> {
    let decision = policies.decide(report, report.scanned_at)?;
    for (effect, is_told) in [(Effect::Deny, true), (Effect::Warn, !options.common.quiet)] {
        if let Some(message) = decision.message(effect, Detail::Full).filter(|_| is_told) {
            eprintln!("pratique: {message}");
        }
    }
    let code = if decision.is_denied() { Code::Findings } else { Code::Clean };
    report.decision = Some(decision);
    Ok(match options.fail_on {
        Some(_) => code.worse(verdict(report, options.fail_on)),
        None => code,
    })
}

/// How targets are scanned by these options.
pub(super) fn settings<'a>(
    options: &Options,
    what: What,
    engine: &'a Engine,
    cache: Option<&'a FolderCache>,
) -> Result<Settings<'a>, Failure> {
    let mut sources = sources(options).fail(Code::Usage)?;
    // Packages lie in few files: reading all the others to hash them would take most of the time. Detectors read them all
    // anyway, and may compare layers with those of images that are known.
    sources.check = if engine.detectors().is_empty() { Check::Least } else { Check::Content };
    let dictionary = options.dictionary.as_deref().map(|place| Reader(&sources).words(place)).transpose()?;
    let advisories = match what {
        What::Inventory => Advisories::NotAsked,
        What::Everything => advisories(options, &sources).fail(Code::Usage)?,
    };
    Ok(Settings {
        engine,
        cache: cache.map(|cache| cache as &dyn LayerCache),
        advisories,
        bases: match what {
            What::Everything => bases::known(options, &sources)?,
            What::Inventory => Vec::new(),
        },
        suppression: Suppression::of(options, Timestamp::now()).fail(Code::Usage)?,
        sources,
        dictionary: dictionary.unwrap_or_default(),
        jobs: jobs(options),
        layers: options.layers.unwrap_or(Layers::Squashed),
        quiet: options.common.quiet,
        verbose: options.verbose && !options.common.quiet,
    })
}

/// How much is done at the same time.
fn jobs(options: &Options) -> usize {
    options.jobs.map_or_else(|| available_parallelism().map_or(1, usize::from), usize::from)
}

/// The advisories that the options ask for.
pub(super) fn advisories(options: &Options, sources: &SourceOptions) -> anyhow::Result<Advisories> {
    let is_wanted = |name: &String| name == "*" || name == DETECTOR;
    if options.no_vulnerabilities
        || !(options.detectors.is_empty() || options.detectors.iter().any(is_wanted))
    {
        return Ok(Advisories::Off);
    }
    match &options.db {
        Some(path) => Ok(Advisories::File(Box::new(Database::open(path)?))),
        None => Ok(Advisories::Kept(Box::new(Kept::of(&options.common, &sources.registry)?))),
    }
}

/// What a source means: itself, or the images of a runtime or registry that a pattern names.
fn expand(source: &str, settings: &Settings<'_>) -> Vec<anyhow::Result<String>> {
    let reference = match SourceRef::parse(source) {
        Ok(reference) if is_pattern(&reference.target) => reference,
        _ => return vec![Ok(source.to_owned())],
    };
    match reference.kind {
        Some(SourceKind::Registry) => expand_in_registry(source, &reference.target, settings),
        Some(kind) if !RUNTIMES.contains(&kind) => vec![Ok(source.to_owned())],
        // A path that exists is a path.
        None if Path::new(source).exists() => vec![Ok(source.to_owned())],
        _ => match select::expand(&reference, &settings.sources) {
            Ok(references) => references.iter().map(|reference| Ok(reference.to_string())).collect(),
            Err(error) => vec![Err(error.into())],
        },
    }
}

fn expand_in_registry(source: &str, pattern: &str, settings: &Settings<'_>) -> Vec<anyhow::Result<String>> {
    if settings.sources.offline {
        return vec![Err(anyhow::anyhow!("{source}: a registry would be asked, and --offline is set"))];
    }
    let expanded = Registries::new(&settings.sources).and_then(|all| all.expand(pattern));
    match expanded {
        Ok((references, gaps)) if references.is_empty() && gaps.is_empty() => {
            vec![Err(anyhow::anyhow!("{source}: the registry has nothing that it names"))]
        }
        Ok((references, gaps)) => {
            let failed = gaps.into_iter().map(|gap| Err(anyhow::anyhow!("{source}: {}", gap.reason)));
            references.iter().map(|found| Ok(format!("registry:{found}"))).chain(failed).collect()
        }
        Err(error) => vec![Err(error.into())],
    }
}

pub(super) fn sources(options: &Options) -> anyhow::Result<SourceOptions> {
    let mut sources = common_sources(&options.common)?;
    if let Some(text) = &options.platform {
        sources.platform = platform(text)?;
    }
    Ok(sources)
}

/// How things are reached, as far as every command has a say in it.
pub(super) fn common_sources(common: &Common) -> anyhow::Result<SourceOptions> {
    let mut sources = SourceOptions { offline: common.offline, ..SourceOptions::from_environment()? };
    sources.registry.insecure = common.insecure_registry.clone();
    sources.registry.ca_files = common.registry_ca.clone();
    for mirror in &common.registry_mirror {
        let Some((registry, location)) = mirror.split_once('=') else {
            anyhow::bail!(
                "`{mirror}` is no mirror; write it as REGISTRY=PLACE, such as docker.io=mirror.example/hub"
            );
        };
        let (registry, location) = (registry.to_owned(), location.to_owned());
        sources.registry.mirrors.push(Mirror { registry, location });
    }
    Ok(sources)
}

pub(super) fn engine(options: &Options, what: What) -> Result<Engine, Failure> {
    let detectors = match (what, options.detectors.as_slice()) {
        (What::Inventory, _) => Vec::new(),
        (What::Everything, []) => vec!["*".to_owned()],
        (What::Everything, [none]) if none == "none" => Vec::new(),
        // Matching packages with advisories is no detector's work.
        (What::Everything, list) => list.iter().filter(|name| *name != DETECTOR).cloned().collect(),
    };
    let mut engine = Engine::new(&detectors, pratique_inventory::PARSERS).fail(Code::Usage)?;
    let sources = common_sources(&options.common).fail(Code::Usage)?;
    let rules = Reader(&sources);
    if !options.hash_list.is_empty() || !options.yara_rules.is_empty() || options.clamd.is_some() {
        let lists = rules.hash_lists(&options.hash_list)?;
        let yara = (!options.yara_rules.is_empty()).then(|| rules.yara(&options.yara_rules)).transpose()?;
        let daemon = options.clamd.as_deref().map(|address| Box::new(Clamd::new(address)) as Box<_>);
        // The engine lasts as long as the command.
        let malware = Box::leak(Box::new(pratique_detect::detectors::malware(lists, yara, daemon)));
        engine = engine.with(malware).fail(Code::Usage)?;
    }
    if !options.secret_rules.is_empty() {
        let secrets = rules.secrets(&options.secret_rules)?;
        let secret = Box::leak(Box::new(pratique_detect::detectors::secret(secrets)));
        engine = engine.with(secret).fail(Code::Usage)?;
    }
    engine = engine.excluding(&options.exclude).fail(Code::Usage)?;
    engine = engine.with_threads(jobs(options)).fail(Code::Incomplete)?;
    Ok(if options.timings { engine.timed() } else { engine })
}

/// What a report means for whoever started the command.
pub(super) fn verdict(report: &Report, fail_on: Option<FailOn>) -> Code {
    let FailOn(threshold) = fail_on.unwrap_or(FailOn(Some(pratique_core::Severity::Unknown)));
    if report.error.is_some() {
        Code::Source
    } else if threshold.is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least)) {
        Code::Findings
    } else if !report.gaps.is_empty() {
        Code::Incomplete
    } else {
        Code::Clean
    }
}

fn platform(text: &str) -> anyhow::Result<Platform> {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [os, architecture] | [os, architecture, _] if !os.is_empty() && !architecture.is_empty() => {
            Ok(Platform {
                os: (*os).to_owned(),
                architecture: (*architecture).to_owned(),
                variant: parts.get(2).map(|variant| (*variant).to_owned()).unwrap_or_default(),
            })
        }
        _ => anyhow::bail!(
            "`{text}` is no platform; write it as OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64"
        ),
    }
}

/// The cache, if one is wanted. One that was named must work; the usual one is done without if it does not.
pub(super) fn open_cache(options: &Options) -> anyhow::Result<Option<FolderCache>> {
    if options.no_cache {
        return Ok(None);
    }
    if let Some(folder) = &options.common.cache_dir {
        let opened =
            FolderCache::open(folder).with_context(|| format!("the cache folder {}", folder.display()));
        return opened.map(Some);
    }
    let Some(folder) = cache::usual() else { return Ok(None) };
    match FolderCache::open(&folder) {
        Ok(cache) => Ok(Some(cache)),
        Err(error) => {
            if !options.common.quiet {
                eprintln!(
                    "pratique: the cache folder {} cannot be used: {error}; all layers are read anew",
                    folder.display()
                );
            }
            Ok(None)
        }
    }
}
