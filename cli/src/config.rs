//! The configuration file: the options of `scan`, with the same names.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::args::{Layers, Scan, fail_on};

/// Bytes of a configuration file at most.
const LIMIT: u64 = 1 << 20;

/// What a configuration file can say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Config {
    format: Vec<String>,
    template: Option<PathBuf>,
    detectors: Vec<String>,
    platform: Option<String>,
    layers: Option<Layers>,
    exclude: Vec<String>,
    fail_on: Option<String>,
    cache_dir: Option<PathBuf>,
    offline: bool,
    insecure_registry: Vec<String>,
    registry_mirror: Vec<String>,
    registry_ca: Vec<PathBuf>,
    jobs: Option<u16>,
    db: Option<PathBuf>,
    dictionary: Option<PathBuf>,
}

/// Fills in what neither the command line nor the environment said.
///
/// # Errors
/// The file that was named cannot be read, or says what it cannot.
pub(crate) fn complete(scan: &mut Scan) -> anyhow::Result<()> {
    let Some(path) = scan.config.clone().or_else(usual_place) else { return Ok(()) };
    let config = read(&path)?;
    let wrong =
        |field: &str, reason: String| anyhow::anyhow!("{}: field `{field}`: {reason}", path.display());
    if scan.format.is_empty() {
        scan.format = config.format;
    }
    if scan.detectors.is_empty() {
        scan.detectors = config.detectors;
    }
    if scan.insecure_registry.is_empty() {
        scan.insecure_registry = config.insecure_registry;
    }
    if scan.registry_mirror.is_empty() {
        scan.registry_mirror = config.registry_mirror;
    }
    if scan.registry_ca.is_empty() {
        scan.registry_ca = config.registry_ca;
    }
    if scan.exclude.is_empty() {
        scan.exclude = config.exclude;
    }
    if scan.fail_on.is_none() {
        scan.fail_on =
            config.fail_on.as_deref().map(fail_on).transpose().map_err(|error| wrong("fail-on", error))?;
    }
    if config.jobs.is_some_and(|jobs| !(1..=256).contains(&jobs)) {
        return Err(wrong("jobs", "it is not between 1 and 256".to_owned()));
    }
    scan.template = scan.template.take().or(config.template);
    scan.platform = scan.platform.take().or(config.platform);
    scan.layers = scan.layers.or(config.layers);
    scan.cache_dir = scan.cache_dir.take().or(config.cache_dir);
    scan.jobs = scan.jobs.or(config.jobs);
    scan.db = scan.db.take().or(config.db);
    scan.dictionary = scan.dictionary.take().or(config.dictionary);
    scan.offline |= config.offline;
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Config> {
    let shown = path.display();
    let size = fs::metadata(path).with_context(|| format!("configuration file {shown}"))?.len();
    if size > LIMIT {
        bail!("configuration file {shown} has {size} bytes; at most {LIMIT} are read");
    }
    let text = fs::read_to_string(path).with_context(|| format!("configuration file {shown}"))?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Config::default());
    }
    serde_yaml::from_str(&text).with_context(|| format!("configuration file {shown}"))
}

/// The first of the usual places where there is a file.
fn usual_place() -> Option<PathBuf> {
    let user = env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
    let places = [Some(PathBuf::from(".pratique.yaml")), user.map(|user| user.join("pratique/config.yaml"))];
    places.into_iter().flatten().find(|path| path.is_file())
}
