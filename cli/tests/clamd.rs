//! The command with a real daemon of ClamAV.

mod common;

use common::{debian, ends_with, layout};
use pratique_testkit::LayerBuilder;
use pratique_testkit::daemons::ClamDaemon;

#[test]
fn what_clamavs_daemon_finds_is_found_and_what_it_does_not_take_makes_a_scan_incomplete() {
    let word = "Own.Word:0:*:676174652d6f662d736573616d65\n";
    let daemon = ClamDaemon::start(&[("own.ndb", word)], "StreamMaxLength 100K");
    let home = tempfile::tempdir().unwrap();
    let files = |name: &str, content: &str| LayerBuilder::new().file(name, content);
    layout(&home.path().join("clean"), &[debian()]);
    layout(&home.path().join("found"), &[debian(), files("srv/notes", "by the gate-of-sesame")]);
    layout(&home.path().join("large"), &[debian(), files("srv/large", &"x".repeat(200 << 10))]);
    let socket = daemon.socket().display().to_string();
    let asks = |image: &str, code| {
        let (out, _) = ends_with(code, home.path(), &["scan", image, "--clamd", &socket]);
        out
    };
    asks("oci:clean", 0);
    let out = asks("oci:found", 1);
    assert!(out.contains("Own.Word") && out.contains("/srv/notes"), "{out}");
    let out = asks("oci:large", 2);
    assert!(out.contains("size limit exceeded") && out.contains("/srv/large"), "{out}");
}
