//! Images that others may have been built on: those that options name, and those that somebody vouches for.

use std::path::Path;

use anyhow::{Context, bail};
use pratique_core::Digest;
use pratique_core::lineage::KnownBase;
use pratique_fs::{Opened, SourceOptions, SourceRef};
use serde::Deserialize;

use crate::args::Options;
use crate::exit::{Code, Fail, Failure};
use crate::files;

/// Bytes of a file of bases at most.
const LIMIT: u64 = 4 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trusted {
    bases: Vec<Entry>,
}

/// A base that somebody vouches for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// What it is called.
    name: String,
    /// Its layers (diff IDs), base first.
    layers: Vec<Digest>,
    /// Digests of its manifests.
    #[serde(default)]
    digests: Vec<Digest>,
}

/// The bases that the options name.
///
/// # Errors
/// One of them cannot be opened, or the file cannot be read or understood.
pub(crate) fn known(options: &Options, sources: &SourceOptions) -> Result<Vec<KnownBase>, Failure> {
    let mut known = match &options.trusted_bases {
        Some(path) => trusted(path).fail(Code::Usage)?,
        None => Vec::new(),
    };
    for text in &options.base {
        let base = named(text, sources).with_context(|| format!("--base {text}"));
        known.push(base.fail(Code::Source)?);
    }
    Ok(known)
}

/// A base as `[NAME=]SOURCE`: its documents are read, no layer is.
fn named(text: &str, sources: &SourceOptions) -> anyhow::Result<KnownBase> {
    let (name, source) = text.split_once('=').map_or((None, text), |(name, source)| (Some(name), source));
    let reference = SourceRef::parse(source)?;
    let name = name.unwrap_or(&reference.target).to_owned();
    let Opened::Image(image) = pratique_fs::open(&reference, sources)?.opened else {
        bail!("it is no image, so nothing can have been built on it");
    };
    let manifest = image.manifest;
    Ok(KnownBase {
        name,
        layers: manifest.layers.into_iter().map(|layer| layer.diff_id).collect(),
        digests: manifest.manifest.into_iter().chain(manifest.indexes).collect(),
        genuine: false,
    })
}

fn trusted(path: &Path) -> anyhow::Result<Vec<KnownBase>> {
    let named = format!("trusted bases {}", path.display());
    let text = files::read_text(path, &named, LIMIT)?;
    let Trusted { bases } = serde_yaml::from_str(&text).with_context(|| named.clone())?;
    for base in &bases {
        if base.name.is_empty() || base.layers.is_empty() {
            bail!("{named}: each needs a name and at least one layer; `{}` lacks one", base.name);
        }
    }
    let base = |Entry { name, layers, digests }: Entry| KnownBase { name, layers, digests, genuine: true };
    Ok(bases.into_iter().map(base).collect())
}
