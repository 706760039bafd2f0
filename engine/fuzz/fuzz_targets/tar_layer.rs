//! A layer's blob: gzip, zstd or plain tar.
#![no_main]

use std::ops::ControlFlow;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use pratique_core::Digest;
use pratique_fs::{Change, Layer, Limits, TarLayer};
use sha2::{Digest as _, Sha256};

fuzz_target!(|bytes: &[u8]| {
    // The blob's digest is right, so that its bytes count; the diff ID cannot be known before.
    let blob = Digest::sha256(Sha256::digest(bytes).into());
    let limits = Limits { uncompressed_bytes: 16 << 20, ..Limits::default() };
    let mut layer = TarLayer::new(Arc::<[u8]>::from(bytes), blob, Digest::sha256([0; 32]), limits);
    let mut window = [0; 4096];
    let _ = layer.visit(&mut |entry| {
        assert!(!entry.path.as_bytes().starts_with(b"/"));
        assert!(entry.path.parts().all(|part| part != b".." && part != b"."));
        if let Change::Entry { content: Some(content), .. } = entry.change {
            let _ = content.read(&mut window);
        }
        ControlFlow::Continue(())
    });
});
