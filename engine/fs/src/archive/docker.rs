//! What `docker save` writes (<https://github.com/moby/docker-image-spec/blob/main/spec.md>): since Docker 1.10 a
//! `manifest.json` that names each image's config and layers; since Docker 25 an OCI layout beside it.

use pratique_core::Digest;
use serde::Deserialize;

use super::{ArchiveIndex, split_path};
use crate::find::{Known, ambiguous, find};
use crate::oci::{self, DOCUMENT_LIMIT, LAYER_LIMIT, or_default};
use crate::{Error, Layer, OpenImage, Opened, Result, SourceOptions, TarLayer, UnreadableLayer};

/// Images of one archive at most.
const IMAGES: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default, deserialize_with = "or_default")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    layers: Vec<String>,
}

/// Opens `FILE[:NAME]`; `-` is the standard input.
pub(crate) fn open_docker_archive(target: &str, options: &SourceOptions) -> Result<Opened> {
    let (path, query) = split_path(target)?;
    let index = ArchiveIndex::open(&path, &options.temporary, options.limits)?;
    open(&index, query, options).map(|image| Opened::Image(Box::new(image)))
}

/// Opens the image that `query` means, or the only one.
pub(crate) fn open(index: &ArchiveIndex, query: Option<&str>, options: &SourceOptions) -> Result<OpenImage> {
    if !index.contains("manifest.json") {
        let reason = if index.contains("repositories") {
            "it was saved by Docker before 1.10 and names no digests; load it and save it anew"
        } else {
            "it has no `manifest.json`; `docker save` and `podman save` write one"
        };
        return Err(Error::Unsupported { what: index.what().to_owned(), reason: reason.to_owned() });
    }
    let saved: Vec<Saved> = oci::parse(
        &format!("manifest.json of {}", index.what()),
        &index.document("manifest.json", DOCUMENT_LIMIT)?,
    )?;
    if saved.len() > IMAGES {
        let limit = format!("more than {IMAGES} images");
        return Err(Error::Limit { what: index.what().to_owned(), limit });
    }
    let mut known = Vec::with_capacity(saved.len());
    for image in &saved {
        let config = index.document(&image.config, DOCUMENT_LIMIT);
        let id = config.as_ref().ok().map(|config| Digest::of(config));
        let (names, digests) = (image.repo_tags.clone(), id.into_iter().collect());
        known.push(Known { names, digests, place: String::new(), item: (image, config) });
    }
    let found = match (query, known.as_slice()) {
        (Some(query), _) => find(query, &known)?,
        (None, [only]) => only,
        (None, []) => {
            return Err(Error::NoMatch { query: index.what().to_owned(), hint: ": it is empty".to_owned() });
        }
        (None, several) => return Err(ambiguous(index.what(), several.iter())),
    };
    let chosen = found.names.clone();
    let wanted = known.iter().position(|known| std::ptr::eq(known, found)).unwrap_or_default();
    let (image, config) = known.swap_remove(wanted).item;
    assemble(index, image, &config?, chosen, options)
}

fn assemble(
    index: &ArchiveIndex,
    image: &Saved,
    config: &[u8],
    names: Vec<String>,
    options: &SourceOptions,
) -> Result<OpenImage> {
    if image.layers.len() > LAYER_LIMIT {
        let limit = format!("more than {LAYER_LIMIT} layers");
        return Err(Error::Limit { what: index.what().to_owned(), limit });
    }
    let parts = image.layers.iter().map(|layer| index.part(layer)).collect::<Vec<_>>();
    let sizes = parts.iter().map(|part| part.as_ref().map_or(0, |(_, size)| *size)).collect::<Vec<_>>();
    let id = Digest::of(config);
    let manifest = oci::from_config(&id, config, &sizes)?;
    if manifest.layers.len() != parts.len() {
        let reason =
            format!("its config names {} layers, manifest.json {}", manifest.layers.len(), parts.len());
        return Err(Error::Malformed { what: index.what().to_owned(), reason });
    }
    let layers = manifest.layers.iter().zip(parts).map(|(layer, part)| -> Box<dyn Layer> {
        let diff_id = layer.diff_id.clone();
        match part {
            Ok((blob, _)) => {
                let layer = TarLayer::new(blob, diff_id.clone(), diff_id, options.limits);
                Box::new(layer.checking(options.check))
            }
            Err(error) => Box::new(UnreadableLayer::new(diff_id, &error)),
        }
    });
    let layers = layers.collect();
    Ok(OpenImage::new(manifest, names, layers))
}
