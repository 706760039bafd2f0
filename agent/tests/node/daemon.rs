//! Processes of a node: containerd, scanner and broker, each stopped when it is dropped.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pratique_testkit::{BuiltImage, ScratchDir};

/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process that does not outlive its test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts one, its output in a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = fs::OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let errors = log.try_clone().expect("a log");
        Self(command.stdout(log).stderr(errors).stdin(Stdio::null()).spawn().expect("it starts"))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
        let deadline = Instant::now() + PATIENCE;
        while self.0.try_wait().expect("a child").is_none() {
            assert!(Instant::now() < deadline, "it does not end on SIGTERM");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One node: folders and processes.
pub(crate) struct Node {
    pub(crate) containerd: Option<Process>,
    pub(crate) scanner: Option<Process>,
    pub(crate) broker: Option<Process>,
    pub(crate) admin: u16,
    scratch: ScratchDir,
}

impl Node {
    /// A node whose containerd runs.
    pub(crate) fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "these tests start containerd and must run as root");
        let admin =
            TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let mut node =
            Self { containerd: None, scanner: None, broker: None, admin, scratch: ScratchDir::new() };
        let text = |name: &str| node.at(name).display().to_string();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = {:?}\n[ttrpc]\naddress = {:?}\n",
            text("root"),
            text("state"),
            text("containerd.sock"),
            text("ttrpc"),
        );
        fs::write(node.at("config.toml"), config).expect("a config");
        node.start_containerd();
        node
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Starts containerd, and waits until it answers.
    pub(crate) fn start_containerd(&mut self) {
        let mut command = Command::new("containerd");
        command.arg("--config").arg(self.at("config.toml"));
        self.containerd = Some(Process::start(&mut command, &self.at("containerd.log")));
        let deadline = Instant::now() + PATIENCE;
        while !self.ctr(&["version"]).status().expect("ctr runs").success() {
            assert!(Instant::now() < deadline, "containerd does not answer:\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ctr(&self, args: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.at("containerd.sock")).args(["--namespace", "k8s.io"]).args(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Gives the node an image.
    pub(crate) fn import(&self, image: &BuiltImage, name: &str) {
        let archive = self.at("archive.tar");
        fs::write(&archive, image.to_oci_archive(name)).expect("an archive");
        let archive = archive.display().to_string();
        assert!(self.ctr(&["images", "import", &archive]).status().expect("ctr runs").success(), "{name}");
    }

    /// Takes an image away.
    pub(crate) fn remove(&self, name: &str) {
        assert!(self.ctr(&["images", "rm", "--sync", name]).status().expect("ctr runs").success(), "{name}");
    }

    /// Starts the scanner with `more` flags.
    pub(crate) fn start_scanner(&mut self, more: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pratique-agent"));
        command.arg("scanner").arg("--scanner-socket").arg(self.at("scanner.sock"));
        command.arg("--runtime-root").arg(self.at("root"));
        command.arg("--cache").arg(self.at("cache.redb")).args(["--log-format", "text"]).args(more);
        self.scanner = Some(Process::start(&mut command, &self.at("scanner.log")));
    }

    /// Starts the broker with an operator.
    pub(crate) fn start_broker(&mut self, operator: &str) {
        let mut command = self.agent("run");
        command.arg("--operator").arg(operator).args(["--node-name", "node1"]);
        command.arg("--admin-address").arg(format!("127.0.0.1:{}", self.admin));
        self.broker = Some(Process::start(&mut command, &self.at("broker.log")));
    }

    /// The broker's program with the flags that say where things are.
    pub(crate) fn agent(&self, command: &str) -> Command {
        let mut agent = Command::new(env!("CARGO_BIN_EXE_pratique-agent"));
        agent.arg(command).arg("--scanner-socket").arg(self.at("scanner.sock"));
        agent
            .arg("--runtime-root")
            .arg(self.at("root"))
            .arg("--runtime-socket")
            .arg(self.at("containerd.sock"));
        agent.arg("--ca-file").arg(self.at("ca.crt")).arg("--token-file").arg(self.at("token"));
        agent.args(["--log-format", "text"]);
        agent
    }

    /// One of the broker's metrics.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).expect("the broker's port");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {answer}")).parse().expect("a number")
    }

    /// What the processes said, for a failed test.
    pub(crate) fn logs(&self) -> String {
        let log =
            |name: &str| format!("== {name}\n{}", fs::read_to_string(self.at(name)).unwrap_or_default());
        ["scanner.log", "broker.log"].map(log).concat()
    }
}
