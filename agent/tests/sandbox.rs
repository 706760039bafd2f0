//! What is given up is gone: a process enters the sandbox and tries.
//!
//! Each test starts this very program again with the name of one attempt in its environment, since nobody leaves a
//! sandbox once it is entered.

use std::fs;
use std::os::fd::AsFd;
use std::process::{Command, Output};

use pratique_agent::scanner::sandbox;
use rustix::io::Errno;

const ATTEMPT: &str = "PRATIQUE_TEST_ATTEMPT";
const FOLDER: &str = "PRATIQUE_TEST_FOLDER";

/// Runs `attempt` (a test of this file) in a process of its own.
fn alone(attempt: &str, folder: &std::path::Path) -> Output {
    assert!(rustix::process::geteuid().is_root(), "these tests give up capabilities and must run as root");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", attempt, "--nocapture", "--test-threads", "1"]);
    command.env(ATTEMPT, attempt).env(FOLDER, folder).output().expect("it starts")
}

/// The folder of the attempt, if this process is there to make it.
fn attempting(attempt: &str) -> Option<std::path::PathBuf> {
    (std::env::var_os(ATTEMPT)? == attempt).then(|| std::env::var_os(FOLDER).map(Into::into))?
}

fn succeeds(attempt: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("given")).expect("a folder");
    fs::write(folder.path().join("given/inside"), "in").expect("a file");
    fs::write(folder.path().join("outside"), "out").expect("a file");
    let output = alone(attempt, folder.path());
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn status(field: &str) -> String {
    let status = fs::read_to_string("/proc/thread-self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with(field)).expect("a field");
    line.split_whitespace().nth(1).expect("a value").to_owned()
}

#[test]
fn the_scanner_keeps_one_capability_and_reaches_nobody() {
    const NAME: &str = "the_scanner_keeps_one_capability_and_reaches_nobody";
    if attempting(NAME).is_none() {
        return succeeds(NAME);
    }
    assert_eq!(sandbox::enter_scanner(), []);
    for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
        assert_eq!(status(set), "0000000000000004", "{set}");
    }
    assert_eq!(
        (status("CapAmb:"), status("CapInh:")),
        ("0000000000000000".to_owned(), "0000000000000000".to_owned())
    );
    assert_eq!((status("NoNewPrivs:"), status("Seccomp:")), ("1".to_owned(), "2".to_owned()));
    for family in [rustix::net::AddressFamily::UNIX, rustix::net::AddressFamily::INET] {
        let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None);
        assert_eq!(socket.err(), Some(Errno::PERM));
    }
    assert_eq!(
        rustix::process::kill_process(rustix::process::Pid::INIT, rustix::process::Signal::CONT),
        Err(Errno::PERM)
    );
}

#[test]
fn a_child_reads_what_it_was_given_and_nothing_else() {
    const NAME: &str = "a_child_reads_what_it_was_given_and_nothing_else";
    let Some(folder) = attempting(NAME) else { return succeeds(NAME) };
    let given = rustix::fs::open(
        folder.join("given"),
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY,
        rustix::fs::Mode::empty(),
    )
    .expect("the folder");
    assert_eq!(sandbox::enter_scanner(), []);
    assert_eq!(sandbox::enter_child(&[given.as_fd()], 1 << 30), []);
    let read = |path: &str| {
        rustix::fs::openat(&given, path, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).map(drop)
    };
    assert_eq!(read("inside"), Ok(()));
    assert_eq!(read("../outside"), Err(Errno::ACCESS));
    for path in ["/etc/hostname", "/proc/self/status", "/proc/1/root/etc/hostname"] {
        assert!(fs::read(path).is_err(), "{path}");
    }
    let create = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let created = rustix::fs::openat(&given, "new", create, rustix::fs::Mode::RUSR).map(drop);
    assert_eq!(created, Err(Errno::ACCESS));
    let run = Command::new("/bin/true").status();
    assert!(run.is_err(), "{run:?}");
    let parent = rustix::process::getppid().expect("a parent");
    assert_eq!(rustix::process::kill_process(parent, rustix::process::Signal::CONT), Err(Errno::PERM));
}
