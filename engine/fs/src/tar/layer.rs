//! A layer read from its blob.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::sync::Arc;

use pratique_core::inspect::ReadAt;
use pratique_core::{Digest, Gap, GapKind};

use super::blob::{Blob, BlobFile};
use super::links::LinkTree;
use super::reader::{TarEntry, TarKind, TarReader};
use super::uncompressed::{Digests, Uncompressed, plain_file};
use crate::limits::Limits;
use crate::marker::Marker;
use crate::{
    Change, Check, EntryKind, Error, File, FsPath, Layer, LayerEntry, LayerVisitor, Metadata, Opacity, Proof,
    Result,
};

/// Bytes of a hard link's content that are kept for the next link to the same file.
const REPLAY_BYTES: usize = 16 << 20;

/// A layer as a tar, plain or compressed with gzip or zstd, whatever its media type says. Both the blob and what it
/// holds uncompressed are hashed while it is read, unless less is wanted ([`TarLayer::checking`]). Memory: the decoder's window (at most 128 MiB for zstd, 8 MiB by
/// habit), one header and what [`Limits::link_bytes`] allows.
///
/// Whiteouts are those of <https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts>; other names that
/// start with `.wh..wh.` are a union file system's own and left out. A character device 0/0 is a whiteout too, as an
/// overlay would take it. An attribute by which an overlay would move or hide things (`trusted.overlay.*`,
/// `user.overlay.*`: a runtime sets it when it unpacks) is a gap.
pub struct TarLayer {
    blob: Arc<dyn Blob>,
    digests: Digests,
    proof: Proof,
    limits: Limits,
}

impl TarLayer {
    /// The layer in `blob`, which is named by `blob_digest` and holds `diff_id`. Where both are the same, the blob is
    /// plain or its own digest is not known: what it holds is checked either way, and hashed once.
    pub fn new(blob: impl Blob + 'static, blob_digest: Digest, diff_id: Digest, limits: Limits) -> Self {
        let blob_digest = (blob_digest != diff_id).then_some(blob_digest);
        let digests = Digests { blob: blob_digest, diff_id };
        Self { blob: Arc::new(blob), digests, proof: Proof::DiffId, limits }
    }

    /// The layer, of which no more is checked than this.
    pub fn checking(self, check: Check) -> Self {
        let proof = match (check, &self.digests.blob) {
            (Check::Content, _) => Proof::DiffId,
            (Check::Least, _) if plain_file(self.blob.as_ref()).is_some() => Proof::None,
            (_, Some(blob)) => Proof::Blob(blob.clone()),
            (_, None) => Proof::DiffId,
        };
        Self { proof, ..self }
    }

    fn read(&self) -> Result<TarReader<Uncompressed>> {
        let limit = self.limits.uncompressed_bytes;
        let stream = Uncompressed::new(self.blob.as_ref(), &self.digests, &self.proof, limit)?;
        Ok(TarReader::new(stream, format!("layer {}", self.digests.diff_id), self.limits))
    }
}

impl Layer for TarLayer {
    fn diff_id(&self) -> &Digest {
        &self.digests.diff_id
    }

    fn opacity(&self) -> Opacity {
        Opacity::FromBlob
    }

    fn proof(&self) -> Proof {
        self.proof.clone()
    }

    fn visit(&mut self, visitor: &mut LayerVisitor<'_>) -> Result<Vec<Gap>> {
        let mut pass = Pass::new(&self.digests.diff_id, self.limits);
        let mut reader = self.read()?;
        while let Some(entry) = reader.next()? {
            if pass.visit(&mut reader, entry, visitor)?.is_break() {
                return Ok(pass.gaps);
            }
        }
        reader.into_inner().finish(&self.digests)?;
        if !pass.wanted.is_empty() {
            let mut reader = self.read()?;
            let mut second = SecondPass::new(pass);
            while let Some(entry) = reader.next()? {
                if second.visit(&mut reader, &entry, visitor).is_break() {
                    return Ok(second.into_gaps());
                }
            }
            reader.into_inner().finish(&self.digests)?;
            return Ok(second.into_gaps());
        }
        Ok(pass.gaps)
    }

    fn open(&self, path: &FsPath, position: u64) -> Result<Box<dyn File>> {
        let (reader, size) = find(self, path, position)?;
        let (digests, proof) = (self.digests.clone(), self.proof.clone());
        let layer = Self { blob: self.blob.clone(), digests, proof, limits: self.limits };
        Ok(Box::new(TarFile { layer, path: path.clone(), position, size, reader, at: 0, offset: 0 }))
    }
}

/// What the first pass over a layer remembers.
struct Pass<'l> {
    diff_id: &'l Digest,
    limits: Limits,
    links: LinkTree,
    /// First names of hard links by their other names.
    hard_links: HashMap<FsPath, FsPath>,
    /// Hard links whose content is wanted, with their number in the tar.
    wanted: BTreeMap<FsPath, u64>,
    link_bytes: usize,
    gaps: Vec<Gap>,
}

impl<'l> Pass<'l> {
    fn new(diff_id: &'l Digest, limits: Limits) -> Self {
        Self {
            diff_id,
            limits,
            links: LinkTree::default(),
            hard_links: HashMap::new(),
            wanted: BTreeMap::new(),
            link_bytes: 0,
            gaps: Vec::new(),
        }
    }

    fn visit(
        &mut self,
        reader: &mut TarReader<Uncompressed>,
        entry: TarEntry,
        visitor: &mut LayerVisitor<'_>,
    ) -> Result<ControlFlow<()>> {
        let Some(path) = self.place(&entry.name) else { return Ok(ControlFlow::Continue(())) };
        let position = entry.position;
        if let Some(attribute) = &entry.overlay {
            let reason = format!(
                "it comes with `{}`, by which the kernel's overlay may show other files here than the layer has",
                attribute.escape_ascii()
            );
            self.gap(GapKind::Unsupported, &path, reason);
        }
        let change = match Marker::of(&path) {
            Marker::None => None,
            Marker::Ignored => return Ok(ControlFlow::Continue(())),
            Marker::Wrong => {
                self.gap(GapKind::Malformed, &path, "its name is a whiteout of nothing".to_owned());
                return Ok(ControlFlow::Continue(()));
            }
            Marker::Opaque(folder) => Some((folder, Change::Opaque)),
            Marker::Whiteout(gone) => Some((gone, Change::Whiteout)),
        };
        if let Some((path, change)) = change {
            return Ok(visitor(LayerEntry { path: &path, position, change }));
        }
        self.links.note(&path, entry.kind, &entry.link);
        if entry.kind != TarKind::HardLink || self.links.target(&path).is_some() {
            self.hard_links.remove(&path);
            self.wanted.remove(&path);
        }
        self.check_link_bytes()?;
        let kind = match entry.kind {
            TarKind::File => EntryKind::File,
            TarKind::Symlink => EntryKind::Symlink,
            TarKind::Directory => EntryKind::Directory,
            TarKind::Fifo => EntryKind::Fifo,
            TarKind::CharDevice if entry.device == (0, 0) => {
                return Ok(visitor(LayerEntry { path: &path, position, change: Change::Whiteout }));
            }
            TarKind::CharDevice | TarKind::BlockDevice => EntryKind::Device,
            TarKind::HardLink => match self.links.target(&path) {
                Some(target) => {
                    let metadata = metadata(&entry, EntryKind::Symlink, self.diff_id);
                    let change = Change::Entry { metadata: &metadata, content: None, target: Some(target) };
                    return Ok(visitor(LayerEntry { path: &path, position, change }));
                }
                None => return self.hard_link(path, &entry, visitor),
            },
            TarKind::Unknown(kind) => {
                let reason = format!(
                    "it is of a kind that tars do not have (`{}`)",
                    char::from(kind).escape_default()
                );
                self.gap(GapKind::Malformed, &path, reason);
                return Ok(ControlFlow::Continue(()));
            }
        };
        let metadata = metadata(&entry, kind, self.diff_id);
        let mut content = Content::new(reader, metadata.size);
        let change = Change::Entry {
            metadata: &metadata,
            content: (kind == EntryKind::File).then_some(&mut content as &mut dyn crate::Content),
            target: (kind == EntryKind::Symlink).then_some(entry.link.as_slice()),
        };
        Ok(visitor(LayerEntry { path: &path, position, change }))
    }

    fn hard_link(
        &mut self,
        path: FsPath,
        entry: &TarEntry,
        visitor: &mut LayerVisitor<'_>,
    ) -> Result<ControlFlow<()>> {
        let Some(target) = self.place(&entry.link) else { return Ok(ControlFlow::Continue(())) };
        let target = self.hard_links.get(&target).cloned().unwrap_or(target);
        if target == path {
            return Ok(ControlFlow::Continue(()));
        }
        self.wanted.remove(&path);
        let mut wanted = false;
        let change = Change::HardLink { target: &target, wanted: &mut wanted };
        let flow = visitor(LayerEntry { path: &path, position: entry.position, change });
        if wanted {
            self.wanted.insert(path.clone(), entry.position);
        }
        self.link_bytes += path.as_bytes().len() * 2 + target.as_bytes().len() + 128;
        self.check_link_bytes()?;
        self.hard_links.insert(path, target);
        Ok(flow)
    }

    /// Where a name of the tar leads to; none, with a gap, if it cannot be said.
    fn place(&mut self, name: &[u8]) -> Option<FsPath> {
        if name.len() > self.limits.path_bytes {
            let start = FsPath::new(&name[..self.limits.path_bytes.min(256)]);
            let reason =
                format!("it has a path of more than {} bytes, which starts so", self.limits.path_bytes);
            self.gap(GapKind::Limit, &start, reason);
            return None;
        }
        let path = FsPath::new(name);
        let Some(placed) = self.links.place(path.clone()) else {
            self.gap(GapKind::Limit, &path, "too many links are on its way (more than 255)".to_owned());
            return None;
        };
        if placed.disputed {
            let reason = "a link on its way leads through a folder and out of it again (`a/../b`), which runtimes \
                          follow to different places; write the link without the detour";
            self.gap(GapKind::Unsupported, &path, reason.to_owned());
        }
        Some(placed.path)
    }

    fn check_link_bytes(&self) -> Result<()> {
        if self.links.bytes() + self.link_bytes > self.limits.link_bytes {
            return Err(Error::Limit {
                what: format!("layer {}", self.diff_id),
                limit: format!("its links take more than {} bytes", self.limits.link_bytes),
            });
        }
        Ok(())
    }

    fn gap(&mut self, kind: GapKind, path: &FsPath, reason: String) {
        self.gaps.push(gap_at(kind, path, self.diff_id, reason));
    }
}

fn metadata(entry: &TarEntry, kind: EntryKind, layer: &Digest) -> Metadata {
    Metadata {
        kind,
        permissions: (entry.mode & 0o7777) as u32,
        // Runtimes hand the low 32 bits to the kernel.
        uid: entry.uid as u32,
        gid: entry.gid as u32,
        size: entry.size,
        mtime: entry.mtime,
        capability: entry.capability.clone().filter(|_| kind == EntryKind::File),
        layer: Some(layer.clone()),
    }
}

fn gap_at(kind: GapKind, path: &FsPath, layer: &Digest, reason: String) -> Gap {
    Gap { kind, detector: None, path: Some(path.to_string()), layer: Some(layer.clone()), reason }
}

/// The second pass, which brings the contents of hard links.
struct SecondPass<'l> {
    first: Pass<'l>,
    /// Links by the target they wait for.
    waiting: HashMap<FsPath, Vec<(FsPath, u64)>>,
}

impl<'l> SecondPass<'l> {
    fn new(mut first: Pass<'l>) -> Self {
        let mut waiting: HashMap<FsPath, Vec<(FsPath, u64)>> = HashMap::new();
        for (path, position) in &first.wanted {
            if let Some(target) = first.hard_links.get(path) {
                waiting.entry(target.clone()).or_default().push((path.clone(), *position));
            }
        }
        // Names are placed as in the first pass, by the links that there are at that time.
        first.links = LinkTree::default();
        Self { first, waiting }
    }

    fn visit(
        &mut self,
        reader: &mut TarReader<Uncompressed>,
        entry: &TarEntry,
        visitor: &mut LayerVisitor<'_>,
    ) -> ControlFlow<()> {
        let links = &mut self.first.links;
        let Some(placed) = links.place(FsPath::new(&entry.name)) else { return ControlFlow::Continue(()) };
        let path = placed.path;
        links.note(&path, entry.kind, &entry.link);
        let Some(waiting) = self.waiting.get(&path).filter(|_| entry.kind == TarKind::File) else {
            return ControlFlow::Continue(());
        };
        let metadata = metadata(entry, EntryKind::File, self.first.diff_id);
        let mut replay = Replay { reader, kept: Vec::new(), passed: 0, offset: 0 };
        for (link, made_at) in waiting {
            // A file that took the target's name after the link was made is another file.
            if *made_at < entry.position {
                continue;
            }
            self.first.wanted.remove(link);
            replay.offset = 0;
            let content = Some(&mut replay as &mut dyn crate::Content);
            let change = Change::Entry { metadata: &metadata, content, target: None };
            visitor(LayerEntry { path: link, position: entry.position, change })?;
        }
        ControlFlow::Continue(())
    }

    /// All gaps: of both passes, and for the links whose content did not come.
    fn into_gaps(self) -> Vec<Gap> {
        let Pass { mut gaps, wanted, hard_links, diff_id, .. } = self.first;
        for path in wanted.keys() {
            let target = hard_links.get(path).map(FsPath::to_string).unwrap_or_default();
            let reason = format!("it is a hard link to {target}, which is no file that this layer brings");
            gaps.push(gap_at(GapKind::Unreadable, path, diff_id, reason));
        }
        gaps
    }
}

/// The current entry's content.
struct Content<'r> {
    reader: &'r mut TarReader<Uncompressed>,
    size: u64,
    /// Where the content lies in an uncompressed blob, once it was asked for.
    window: Option<Window>,
}

impl<'r> Content<'r> {
    fn new(reader: &'r mut TarReader<Uncompressed>, size: u64) -> Self {
        Self { reader, size, window: None }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read_data(buffer)
    }
}

impl crate::Content for Content<'_> {
    fn random_access(&mut self) -> io::Result<Option<&dyn ReadAt>> {
        if self.window.is_none()
            && let Some((stream, left)) = self.reader.rest()
            && let Some((blob, at)) = stream.in_file()
        {
            // What was read of the content lies before where the stream stands.
            let start = (at + left).saturating_sub(self.size);
            self.window = Some(Window { blob, start, size: self.size });
        }
        Ok(self.window.as_ref().map(|window| window as &dyn ReadAt))
    }
}

/// A part of a blob.
struct Window {
    blob: BlobFile,
    start: u64,
    size: u64,
}

impl ReadAt for Window {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let most = self.size.saturating_sub(offset).min(buffer.len() as u64) as usize;
        if most == 0 {
            return Ok(0);
        }
        match self.blob.read_at(&mut buffer[..most], self.start + offset)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

/// The current entry's content, from the start for each of several links to it.
struct Replay<'r> {
    reader: &'r mut TarReader<Uncompressed>,
    /// What was read so far, up to [`REPLAY_BYTES`].
    kept: Vec<u8>,
    /// How much was read so far.
    passed: u64,
    offset: u64,
}

impl crate::Content for Replay<'_> {}

impl Read for Replay<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.offset < self.passed {
            let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
            let Some(again) = self.kept.get(start..).filter(|rest| !rest.is_empty()) else {
                return Err(io::Error::other(
                    "too much of it was read for another hard link to the same file",
                ));
            };
            let length = again.len().min(buffer.len());
            buffer[..length].copy_from_slice(&again[..length]);
            self.offset += length as u64;
            return Ok(length);
        }
        let read = self.reader.read_data(buffer)?;
        let room = (REPLAY_BYTES - self.kept.len()).min(read);
        self.kept.extend_from_slice(&buffer[..room]);
        self.passed += read as u64;
        self.offset += read as u64;
        Ok(read)
    }
}

/// A reader that stands at the content of the file at `position`, and the file's size.
fn find(layer: &TarLayer, path: &FsPath, position: u64) -> Result<(TarReader<Uncompressed>, u64)> {
    let mut reader = layer.read()?;
    while let Some(entry) = reader.next()? {
        if entry.position == position {
            if entry.kind != TarKind::File {
                break;
            }
            return Ok((reader, entry.size));
        }
    }
    Err(Error::NotFound { path: path.to_string() })
}

/// Random access to a file of a tar. Forward it skips, backward it starts the blob anew: no disk, no memory.
struct TarFile {
    layer: TarLayer,
    path: FsPath,
    position: u64,
    size: u64,
    reader: TarReader<Uncompressed>,
    /// Where in the file the reader stands.
    at: u64,
    /// Where in the file the next read starts.
    offset: u64,
}

impl Read for TarFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.offset >= self.size {
            return Ok(0);
        }
        if self.offset < self.at {
            (self.reader, _) = find(&self.layer, &self.path, self.position).map_err(io::Error::other)?;
            self.at = 0;
        }
        if self.at < self.offset {
            self.at += io::copy(
                &mut Content::new(&mut self.reader, 0).take(self.offset - self.at),
                &mut io::sink(),
            )?;
        }
        let read = self.reader.read_data(buffer)?;
        self.at += read as u64;
        self.offset = self.at;
        Ok(read)
    }
}

impl Seek for TarFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let offset = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
        };
        self.offset = offset.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.offset)
    }
}
