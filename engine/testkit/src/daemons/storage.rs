//! The storage of Podman, Buildah and CRI-O, which no daemon keeps.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Brings an image into a new store in `folder` as Podman would, by skopeo; `from` is what skopeo calls a source. The driver
/// `fuse` is `overlay` with a program to mount it (fuse-overlayfs, of which nothing but the way of keeping layers is needed).
/// Gives the storage folder (`graphroot`).
///
/// # Panics
/// If that fails.
pub fn store(driver: &str, from: &str, name: &str, folder: &Path) -> PathBuf {
    let (graph, run_root) = (folder.join("graph"), folder.join("run"));
    let (driver, option) = match driver {
        "fuse" => ("overlay", ":overlay.mount_program=/bin/true"),
        driver => (driver, ""),
    };
    let to =
        format!("containers-storage:[{driver}@{}+{}{option}]{name}", graph.display(), run_root.display());
    let policy = folder.join("policy.json");
    fs::write(&policy, r#"{"default": [{"type": "insecureAcceptAnything"}]}"#).expect("a policy");
    run("skopeo", &["--policy", &policy.display().to_string(), "copy", "--quiet", from, &to]);
    if driver == "overlay" {
        // It leaves the folder mounted on itself.
        run("umount", &[&graph.join("overlay").display().to_string()]);
    }
    graph
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; run e2e/prerequisites"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}
