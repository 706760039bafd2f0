//! Programs of web servers, which are read, folded and followed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pratique_detect::detectors::DETECTORS;
use pratique_detect::{Detector, FileInput, FileMode};

static DETECTOR: LazyLock<&dyn Detector> = LazyLock::new(|| {
    let webshell = DETECTORS.iter().find(|detector| detector.info().id == "webshell");
    *webshell.expect("a detector of that name")
});

fuzz_target!(|source: &[u8]| {
    let file = [b"<?php ", source].concat();
    let mode = FileMode { permissions: 0o644, uid: 33, gid: 33 };
    DETECTOR.inspect(&FileInput::in_memory(b"var/www/a.php", mode, &file));
});
