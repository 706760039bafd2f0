//! Account files: passwd, shadow, group, gshadow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_detect::{FileInput, FileMode, detectors::DETECTORS};

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (choice, bytes) = input;
    let path: &[u8] = match choice % 5 {
        0 => b"etc/shadow",
        1 => b"etc/passwd",
        2 => b"etc/gshadow",
        3 => b"etc/group",
        _ => b"etc/shadow-",
    };
    let mode = FileMode { permissions: 0o640, uid: 0, gid: 42 };
    for detector in DETECTORS {
        detector.inspect(&FileInput::in_memory(path, mode, &bytes));
    }
});
