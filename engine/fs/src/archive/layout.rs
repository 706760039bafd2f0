//! The OCI layout, as a folder or as a tar of one
//! (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>).

use std::fs::File;
use std::io::{self, Read};

use pratique_core::Digest;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

use super::{ArchiveIndex, split_path};
use crate::find::{Known, ambiguous, find};
use crate::oci::{
    DOCUMENT_LIMIT, Descriptor, ImageManifest, Index, LayerDescriptor, Need, Resolver, choose, parse,
};
use crate::{BlobFile, Error, Layer, OpenImage, Opened, Result, SourceOptions, TarLayer, UnreadableLayer};

/// The annotation with an image's name, often its tag alone.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation with the whole name, as containerd, BuildKit and Docker write it.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// Opens `DIR[:NAME|@DIGEST]`.
pub(crate) fn open_oci_folder(target: &str, options: &SourceOptions) -> Result<Opened> {
    let (path, query) = split_path(target)?;
    let place = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, &path, place, Mode::empty())
        .map_err(|error| Error::io(path.display().to_string(), error.into()))?;
    let read = |name: &str| {
        let what = format!("{name} in the OCI layout {}", path.display());
        open_beneath(&folder, name).map_err(|error| Error::io(what, error)).map(BlobFile::new)
    };
    open(&format!("the OCI layout {}", path.display()), &read, query, options)
}

/// Opens `FILE[:NAME|@DIGEST]`; `-` is the standard input.
pub(crate) fn open_oci_archive(target: &str, options: &SourceOptions) -> Result<Opened> {
    let (path, query) = split_path(target)?;
    let index = ArchiveIndex::open(&path, &options.temporary, options.limits)?;
    open(index.what(), &|name| index.part(name).map(|(blob, _)| blob), query, options)
}

/// Opens a regular file in a folder; links stay in it.
fn open_beneath(folder: &std::os::fd::OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let stay = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = File::from(openat2(folder, name, flags, Mode::empty(), stay)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}

/// Where the files of a layout come from.
type Files<'f> = dyn Fn(&str) -> Result<BlobFile> + 'f;

fn open(what: &str, files: &Files<'_>, query: Option<&str>, options: &SourceOptions) -> Result<Opened> {
    let bytes = document(files, "index.json")?;
    let index: Index = parse(&format!("index.json of {what}"), &bytes)?;
    let entry = select(what, &index.manifests, query, options)?;
    let manifest = resolve(files, entry, options)?;
    let names = names(entry);
    let layers = manifest.layers.iter().map(|layer| -> Box<dyn Layer> {
        let (blob, diff_id) = (layer.blob.clone(), layer.diff_id.clone());
        match layer_file(files, layer) {
            Ok(file) => Box::new(TarLayer::new(file, blob, diff_id, options.limits).checking(options.check)),
            Err(error) => Box::new(UnreadableLayer::new(diff_id, &error)),
        }
    });
    let layers = layers.collect();
    Ok(Opened::Image(Box::new(OpenImage::new(manifest, names, layers))))
}

/// The blob of a layer. One that is not as long as its manifest says is another, or was cut.
fn layer_file(files: &Files<'_>, layer: &LayerDescriptor) -> Result<BlobFile> {
    let file = files(&blob_path(&layer.blob))?;
    let what = || format!("blob {}", layer.blob);
    let length = file.length().map_err(|error| Error::io(what(), error))?;
    if length == layer.size {
        return Ok(file);
    }
    let reason = format!("it has {length} bytes where its manifest says {}", layer.size);
    Err(Error::Malformed { what: what(), reason })
}

fn document(files: &Files<'_>, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = files(name)?.reader().take(DOCUMENT_LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|error| crate::tar::stream_error(name, error))?;
    if bytes.len() as u64 > DOCUMENT_LIMIT {
        let limit = format!("it has more than {DOCUMENT_LIMIT} bytes");
        return Err(Error::Limit { what: name.to_owned(), limit });
    }
    Ok(bytes)
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

fn resolve(files: &Files<'_>, entry: &Descriptor, options: &SourceOptions) -> Result<ImageManifest> {
    let mut resolver = Resolver::new(entry.digest.clone(), &entry.media_type, options.platform.clone());
    loop {
        match resolver.next() {
            Need::Ready(manifest) => return Ok(*manifest),
            Need::Document { digest, .. } => resolver.supply(&document(files, &blob_path(&digest))?)?,
        }
    }
}

fn names(entry: &Descriptor) -> Vec<String> {
    [IMAGE_NAME, REF_NAME].iter().find_map(|key| entry.annotations.get(*key)).cloned().into_iter().collect()
}

/// The entry that is meant: of one name there may be one for each platform.
fn select<'i>(
    what: &str,
    entries: &'i [Descriptor],
    query: Option<&str>,
    options: &SourceOptions,
) -> Result<&'i Descriptor> {
    let known = |entry: &'i Descriptor| Known {
        names: [IMAGE_NAME, REF_NAME].iter().filter_map(|key| entry.annotations.get(*key)).cloned().collect(),
        digests: vec![entry.digest.clone()],
        place: entry.platform.as_ref().map(ToString::to_string).unwrap_or_default(),
        item: entry,
    };
    let known = entries.iter().map(known).collect::<Vec<_>>();
    let wanted = match query {
        None => known.iter().collect::<Vec<_>>(),
        Some(query) => match find(query, &known) {
            Ok(found) => vec![found],
            // Several of one name are one image for several platforms.
            Err(Error::Ambiguous { .. }) => {
                let same = |known: &&Known<_>| known.names.iter().any(|name| name == query);
                known.iter().filter(same).collect()
            }
            Err(error) => return Err(error),
        },
    };
    match wanted.as_slice() {
        [] => Err(Error::NoMatch { query: query.unwrap_or(what).to_owned(), hint: String::new() }),
        [one] => Ok(one.item),
        [first, rest @ ..] if rest.iter().all(|other| other.names == first.names) => {
            let same = wanted.iter().map(|known| known.item).collect::<Vec<_>>();
            choose(what, &same, &options.platform)
        }
        several => Err(ambiguous(query.unwrap_or(what), several.iter().copied())),
    }
}
