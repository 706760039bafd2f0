//! Real runtimes, stores, registries and scanners for tests: Debian's, each with all it writes in a temporary folder.

mod artifact;
mod clamav;
mod containerd;
mod docker;
mod registry;
mod storage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use clamav::ClamDaemon;
pub use containerd::ContainerdDaemon;
pub use docker::{DockerDaemon, DockerRoot};
pub use registry::{Between, Fault, RegistryDaemon, Seen, say};
pub use storage::store;

/// How long a daemon may take to answer: it may be cold, and the machine loaded.
const START: Duration = Duration::from_secs(60);

/// Whether a program may be started as root; says so if not.
fn can_start(program: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: {program} needs root");
        return false;
    }
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).status();
    if version.is_err() {
        eprintln!("skipped: there is no {program} on the PATH");
    }
    version.is_ok()
}

/// Where `e2e/prerequisites` unpacks what is not installed.
fn tools() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").expect("HOME")).join(".cache"));
    cache.join("pratique/tools")
}

/// Waits until a daemon answers; panics with its log if it does not.
fn wait_until(answers: impl Fn() -> bool, log: &Path) {
    let deadline = Instant::now() + START;
    while !answers() {
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert!(Instant::now() < deadline, "no answer; {}:\n{}", log.display(), said());
        std::thread::sleep(Duration::from_millis(50));
    }
}
