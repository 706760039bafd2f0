//! A file that may be an archive, for a detector that looks into archives.
#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pratique_core::{Digest, Gap};
use pratique_fs::{
    Change, EntryKind, Error, File, FsPath, Layer, LayerEntry, LayerVisitor, Metadata, Opacity, Result,
    Stream,
};
use pratique_scan::{Engine, Limits, scan_layer};

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(&["malware".to_owned()], &[]).expect("there is such a detector"));

/// A layer of one file.
struct One<'b>(Digest, &'b [u8]);

impl Layer for One<'_> {
    fn diff_id(&self) -> &Digest {
        &self.0
    }

    fn opacity(&self) -> Opacity {
        Opacity::FromBlob
    }

    fn visit(&mut self, visitor: &mut LayerVisitor<'_>) -> Result<Vec<Gap>> {
        let metadata = Metadata {
            kind: EntryKind::File,
            permissions: 0o644,
            uid: 0,
            gid: 0,
            size: self.1.len() as u64,
            mtime: 0,
            capability: None,
            layer: None,
        };
        let mut content = Stream(Cursor::new(self.1));
        let change = Change::Entry { metadata: &metadata, content: Some(&mut content), target: None };
        let _ = visitor(LayerEntry { path: &FsPath::new("x.tar"), position: 0, change });
        Ok(Vec::new())
    }

    fn open(&self, path: &FsPath, _position: u64) -> Result<Box<dyn File>> {
        Err(Error::NotFound { path: path.to_string() })
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut layer = One(Digest::sha256([0; 32]), bytes);
    let facts = scan_layer(&mut layer, &ENGINE, &Limits::default(), None).expect("the layer can be read");
    assert!(facts.gaps.is_empty());
});
