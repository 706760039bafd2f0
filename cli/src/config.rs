//! The configuration file: the options of `scan`, with the same names.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::args::{Common, Layers, Options, fail_on};
use crate::files;

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
    db_source: Option<String>,
    no_vulnerabilities: bool,
    only_fixed: bool,
    vex: Vec<PathBuf>,
    ignore_file: Option<PathBuf>,
    policy: Option<PathBuf>,
    namespace: Option<String>,
    base: Vec<String>,
    trusted_bases: Option<PathBuf>,
    dictionary: Option<PathBuf>,
    hash_list: Vec<PathBuf>,
    yara_rules: Vec<PathBuf>,
    secret_rules: Vec<PathBuf>,
    clamd: Option<String>,
}

/// Fills in what neither the command line nor the environment said.
///
/// # Errors
/// The file that was named cannot be read, or says what it cannot.
pub(crate) fn complete(options: &mut Options) -> anyhow::Result<()> {
    let Some((path, config)) = complete_common(&mut options.common)? else { return Ok(()) };
    let wrong =
        |field: &str, reason: String| anyhow::anyhow!("{}: field `{field}`: {reason}", path.display());
    or_list(&mut options.formats.format, config.format);
    or_list(&mut options.detectors, config.detectors);
    or_list(&mut options.exclude, config.exclude);
    or_list(&mut options.vex, config.vex);
    or_list(&mut options.base, config.base);
    or_list(&mut options.hash_list, config.hash_list);
    or_list(&mut options.yara_rules, config.yara_rules);
    or_list(&mut options.secret_rules, config.secret_rules);
    if options.fail_on.is_none() {
        options.fail_on =
            config.fail_on.as_deref().map(fail_on).transpose().map_err(|error| wrong("fail-on", error))?;
    }
    if config.jobs.is_some_and(|jobs| !(1..=256).contains(&jobs)) {
        return Err(wrong("jobs", "it is not between 1 and 256".to_owned()));
    }
    or(&mut options.formats.template, config.template);
    or(&mut options.platform, config.platform);
    or(&mut options.layers, config.layers);
    or(&mut options.jobs, config.jobs);
    or(&mut options.db, config.db);
    or(&mut options.ignore_file, config.ignore_file);
    or(&mut options.policy, config.policy);
    or(&mut options.namespace, config.namespace);
    or(&mut options.trusted_bases, config.trusted_bases);
    or(&mut options.dictionary, config.dictionary);
    or(&mut options.clamd, config.clamd);
    options.no_vulnerabilities |= config.no_vulnerabilities;
    options.only_fixed |= config.only_fixed;
    Ok(())
}

/// The same for what every command has; the rest of the file, and where it is.
///
/// # Errors
/// As [`complete`].
fn complete_common(common: &mut Common) -> anyhow::Result<Option<(PathBuf, Config)>> {
    let Some(path) = common.config.clone().or_else(usual_place) else { return Ok(None) };
    let mut config = read(&path)?;
    or_list(&mut common.insecure_registry, std::mem::take(&mut config.insecure_registry));
    or_list(&mut common.registry_mirror, std::mem::take(&mut config.registry_mirror));
    or_list(&mut common.registry_ca, std::mem::take(&mut config.registry_ca));
    or(&mut common.cache_dir, config.cache_dir.take());
    or(&mut common.db_source, config.db_source.take());
    common.offline |= config.offline;
    Ok(Some((path, config)))
}

/// Fills in what every command has.
///
/// # Errors
/// As [`complete`].
pub(crate) fn complete_fetching(common: &mut Common) -> anyhow::Result<()> {
    complete_common(common).map(drop)
}

fn or<T>(said: &mut Option<T>, otherwise: Option<T>) {
    *said = said.take().or(otherwise);
}

fn or_list<T>(said: &mut Vec<T>, otherwise: Vec<T>) {
    if said.is_empty() {
        *said = otherwise;
    }
}

fn read(path: &Path) -> anyhow::Result<Config> {
    let named = format!("configuration file {}", path.display());
    let text = files::read_text(path, &named, LIMIT)?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Config::default());
    }
    serde_yaml::from_str(&text).context(named)
}

/// The first of the usual places where there is a file.
fn usual_place() -> Option<PathBuf> {
    let user = env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
    let places = [Some(PathBuf::from(".pratique.yaml")), user.map(|user| user.join("pratique/config.yaml"))];
    places.into_iter().flatten().find(|path| path.is_file())
}
