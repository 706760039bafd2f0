//! Reading files of interest through a whole root: an image's merged view or a live container's.

use pratique_core::{Digest, Gap, GapKind};
use pratique_fs::{EntryKind, Error, FileSystem, FsPath};

use crate::inspect::Inspector;
use crate::{Engine, FileFacts, Limits, Want};

/// Reads single paths through a [`FileSystem`].
pub(crate) struct RootReader<'a> {
    root: &'a dyn FileSystem,
    engine: &'a Engine,
    inspector: Inspector<'a>,
    wants: Vec<Want>,
    /// Bytes of facts that may still be handed out; none left: `None`.
    room: Option<usize>,
}

impl<'a> RootReader<'a> {
    pub(crate) fn new(root: &'a dyn FileSystem, engine: &'a Engine, limits: &Limits) -> Self {
        let room = Some(limits.fact_bytes);
        Self { root, engine, inspector: Inspector::new(engine), wants: Vec::new(), room }
    }

    /// Whether the limit on facts was reached; the gap that says so came from the last [`RootReader::read`].
    pub(crate) fn is_full(&self) -> bool {
        self.room.is_none()
    }

    /// The facts of what lies at `path`, links followed, and the layer it comes from. None if no detector wants it or
    /// has anything to say about it, and if there is no such file: a link to nothing gives a program nothing either.
    pub(crate) fn read(&mut self, path: &FsPath) -> Result<Option<(Option<Digest>, FileFacts)>, Gap> {
        self.engine.matcher().wanted(path, &mut self.wants);
        if self.wants.is_empty() {
            return Ok(None);
        }
        let metadata = match self.root.metadata(path) {
            Ok(metadata) if metadata.kind == EntryKind::File => metadata,
            Ok(_) => return Ok(None),
            Err(error) => return absent_or_gap(path, error),
        };
        let facts = match self.root.open(path) {
            Ok(mut file) => {
                self.inspector.load(&metadata, &self.wants, &mut file);
                self.inspector.inspect(path, &metadata, &self.wants)
            }
            Err(error) => return absent_or_gap(path, error),
        };
        let Some(facts) = facts else { return Ok(None) };
        self.room = self.room.and_then(|room| room.checked_sub(facts.weight()));
        if self.is_full() {
            let reason =
                "the facts read through this root take too many bytes; from here on nothing was read";
            return Err(Gap { path: Some(path.to_string()), ..Gap::of_image(GapKind::Limit, reason) });
        }
        Ok(Some((metadata.layer, facts)))
    }
}

fn absent_or_gap<T>(path: &FsPath, error: Error) -> Result<Option<T>, Gap> {
    match error {
        // The kernel follows no more links than the file system does, and opens no device for these readers.
        Error::NotFound { .. } | Error::WrongKind { .. } | Error::LinkLoop { .. } => Ok(None),
        error => Err(unreadable(path, &error)),
    }
}

/// A gap for every detector at `path`.
pub(crate) fn unreadable(path: &FsPath, error: &Error) -> Gap {
    Gap {
        kind: error.gap_kind(),
        detector: None,
        path: Some(path.to_string()),
        layer: None,
        reason: error.to_string(),
    }
}
