//! A Docker Engine.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{can_start, wait_until};

/// Binds the files that are named to what the first argument names, and becomes what follows `--`.
const WITH_BINDS: &str =
    r#"from=$1; shift; while [ "$1" != -- ]; do mount --bind "$from" "$1"; shift; done; shift; exec "$@""#;

/// Where an engine keeps its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DockerRoot {
    /// Behind a link.
    Linked,
    /// In a user namespace whose root has this id (`userns-remap`).
    Remapped(u32),
    /// On a mount that only the engine sees.
    Hidden,
}

/// An engine with all it writes in a temporary folder, stopped when dropped.
#[derive(Debug)]
pub struct DockerDaemon {
    process: Child,
    scratch: tempfile::TempDir,
}

impl DockerDaemon {
    /// Starts one with a storage driver and waits until it answers; none where it cannot be, which is said.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn start(driver: &str, root: DockerRoot) -> Option<Self> {
        if !can_start("dockerd") {
            return None;
        }
        let scratch = tempfile::tempdir().expect("a folder");
        let at = |name: &str| scratch.path().join(name).display().to_string();
        let log = fs::File::create(scratch.path().join("log")).expect("a log");
        for name in ["real", "hidden"] {
            fs::create_dir(scratch.path().join(name)).expect("a folder");
        }
        symlink("real", scratch.path().join("data")).expect("a link");
        let mut command = match root {
            DockerRoot::Linked => Command::new("dockerd"),
            DockerRoot::Hidden => within(&at("hidden"), &[&at("real")]),
            DockerRoot::Remapped(id) => {
                // The user that is remapped has to pass through.
                fs::set_permissions(scratch.path(), Permissions::from_mode(0o711)).expect("a mode");
                fs::write(scratch.path().join("ids"), format!("daemon:{id}:65536\n")).expect("a file");
                let mut command = within(&at("ids"), &["/etc/subuid", "/etc/subgid"]);
                command.arg("--userns-remap=daemon");
                command
            }
        };
        let process = command
            .args(["--iptables=false", "--bridge=none", "--oom-score-adjust=0", "--storage-driver", driver])
            .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
            .args(["--host", &format!("unix://{}", at("sock"))])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("dockerd starts");
        let engine = Self { process, scratch };
        wait_until(|| engine.docker(&["version"]), &engine.path().join("log"));
        Some(engine)
    }

    /// The folder with all that is its own.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.path().join("sock")
    }

    /// Its address.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Whether `docker` does what it is told.
    ///
    /// # Panics
    /// If there is no `docker`.
    pub fn docker(&self, args: &[&str]) -> bool {
        let mut docker = Command::new("docker");
        docker.arg("--host").arg(self.host()).args(args).stdout(Stdio::null()).stderr(Stdio::null());
        docker.status().expect("docker runs").success()
    }
}

/// An engine in a mount namespace where `at` are what is at `from`.
fn within(from: &str, at: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-euc", WITH_BINDS, "sh", from]).args(at).args(["--", "dockerd"]);
    command
}

impl Drop for DockerDaemon {
    fn drop(&mut self) {
        // On SIGTERM it stops its own containerd too.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}
