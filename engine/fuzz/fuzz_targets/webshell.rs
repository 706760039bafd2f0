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
    let mode = FileMode { permissions: 0o644, uid: 33, gid: 33 };
    // The first byte says of which language it is.
    let (which, source) = source.split_first().unwrap_or((&0, source));
    let (name, head): (&[u8], &[u8]) = match which % 7 {
        0 => (b"var/www/a.php", b"<?php "),
        1 => (b"var/www/a.jsp", b"<% "),
        2 => (b"var/www/a.jspx", b"<jsp:scriptlet>"),
        3 => (b"var/www/a.aspx", b"<% "),
        4 => (b"var/www/a.asp", b"<% "),
        5 => (b"var/www/a.py", b"# request exec\n"),
        _ => (b"var/www/a.js", b"eval; "),
    };
    let file = [head, source].concat();
    DETECTOR.inspect(&FileInput::in_memory(name, mode, &file));
});
