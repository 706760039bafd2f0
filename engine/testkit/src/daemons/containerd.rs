//! A containerd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::{can_start, wait_until};
use crate::{BuiltImage, ScratchDir};

/// A containerd with root, state and socket in a temporary folder, stopped when dropped.
#[derive(Debug)]
pub struct ContainerdDaemon {
    process: Child,
    scratch: ScratchDir,
}

impl ContainerdDaemon {
    /// Starts one and waits until it answers; none where it cannot be, which is said.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn start() -> Option<Self> {
        if !can_start("containerd") {
            return None;
        }
        let scratch = ScratchDir::new();
        let at = |name: &str| scratch.path().join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = {:?}\n[ttrpc]\naddress = {:?}\n",
            at("root"),
            at("state"),
            at("sock"),
            at("ttrpc"),
        );
        fs::write(scratch.path().join("config.toml"), config).expect("a config");
        let log = fs::File::create(scratch.path().join("log")).expect("a log");
        let process = Command::new("containerd")
            .args(["--config", &at("config.toml")])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("containerd starts");
        let daemon = Self { process, scratch };
        wait_until(|| daemon.run("default", &["version"]).status.success(), &daemon.path().join("log"));
        Some(daemon)
    }

    /// The folder with all that is its own.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.path().join("sock")
    }

    /// Its root, with content store and snapshots.
    pub fn root(&self) -> PathBuf {
        self.path().join("root")
    }

    /// What `ctr` says to a command.
    ///
    /// # Panics
    /// If there is no `ctr`, or the command fails.
    pub fn ctr(&self, namespace: &str, args: &[&str]) -> String {
        let output = self.run(namespace, args);
        assert!(output.status.success(), "ctr {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Imports an image under a name; `more` are arguments of `ctr images import`.
    ///
    /// # Panics
    /// As [`Self::ctr`] does.
    pub fn import(&self, namespace: &str, image: &BuiltImage, name: &str, more: &[&str]) {
        let archive = self.path().join("archive.tar");
        fs::write(&archive, image.to_oci_archive(name)).expect("an archive");
        let archive = archive.display().to_string();
        self.ctr(namespace, &[&["images", "import"], more, &[archive.as_str()]].concat());
    }

    fn run(&self, namespace: &str, args: &[&str]) -> Output {
        let mut ctr = Command::new("ctr");
        ctr.arg("--address").arg(self.socket()).args(["--namespace", namespace]).args(args);
        ctr.output().expect("ctr runs")
    }
}

impl Drop for ContainerdDaemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
