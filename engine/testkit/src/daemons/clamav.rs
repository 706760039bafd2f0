//! ClamAV's daemon.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{tools, wait_until};
use crate::ScratchDir;

/// Debian's clamd: the machine's, or the one that `e2e/prerequisites` fetches.
fn program() -> PathBuf {
    let installed = PathBuf::from("/usr/sbin/clamd");
    let program = if installed.exists() { installed } else { tools().join("clamav-daemon/usr/sbin/clamd") };
    assert!(program.exists(), "{} is missing; run e2e/prerequisites", program.display());
    program
}

/// A clamd that knows what it is given and nothing else, with its socket in a temporary folder; ended when dropped.
#[derive(Debug)]
pub struct ClamDaemon {
    process: Child,
    scratch: ScratchDir,
}

impl ClamDaemon {
    /// Starts one. `signatures` are files of a database by name, such as `own.ndb`; `settings` are lines of clamd.conf(5).
    ///
    /// # Panics
    /// If there is no clamd, or it does not answer.
    pub fn start(signatures: &[(&str, &str)], settings: &str) -> Self {
        let scratch = ScratchDir::new();
        let folder = scratch.path();
        let database = folder.join("database");
        fs::create_dir(&database).expect("a folder");
        for (name, lines) in signatures {
            fs::write(database.join(name), lines).expect("a database");
        }
        let config = format!(
            "Foreground yes\nLocalSocket {}\nDatabaseDirectory {}\n{settings}\n",
            folder.join("socket").display(),
            database.display()
        );
        fs::write(folder.join("clamd.conf"), config).expect("a config");
        let log = folder.join("log");
        let output = fs::File::create(&log).expect("a log");
        let process = Command::new(program())
            .arg("--config-file")
            .arg(folder.join("clamd.conf"))
            .stdout(output.try_clone().expect("a descriptor"))
            .stderr(output)
            .stdin(Stdio::null())
            .spawn()
            .expect("clamd starts");
        let daemon = Self { process, scratch };
        wait_until(|| UnixStream::connect(daemon.socket()).is_ok(), &log);
        daemon
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.path().join("socket")
    }

    /// The folder with all that is its own.
    fn path(&self) -> &Path {
        self.scratch.path()
    }
}

impl Drop for ClamDaemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
