//! A real registry, and something between it and the client that spoils answers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use super::tools;
use crate::BuiltImage;

/// Debian's docker-registry, which `e2e/prerequisites` fetches.
fn program() -> PathBuf {
    let program = tools().join("docker-registry/usr/bin/docker-registry");
    assert!(program.exists(), "{} is missing; run e2e/prerequisites", program.display());
    program
}

/// A registry on a port of its own, ended when dropped.
#[derive(Debug)]
pub struct RegistryDaemon {
    process: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// The folder with all that is its own.
    pub folder: tempfile::TempDir,
}

impl RegistryDaemon {
    /// The password of `me`, whom a [guarded](Self::guarded) one knows.
    pub const PASSWORD: &str = "correct horse";
    /// The same as a request says it.
    pub const AUTHORIZATION: &str = "Basic bWU6Y29ycmVjdCBob3JzZQ==";

    /// Starts it. `more` is added to its configuration; `http` to the part of that name.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(folder: tempfile::TempDir, http: &str, more: &str) -> Self {
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: \"127.0.0.1:0\", {http}}}\n{more}\n",
            folder.path().join("data").display()
        );
        let file = folder.path().join("config.yml");
        fs::write(&file, config).expect("the configuration is written");
        let mut process = Command::new(program())
            .arg("serve")
            .arg(&file)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the registry starts");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        });
        let port = port.expect("the registry says where it listens");
        thread::spawn(move || lines.for_each(drop));
        Self { process, port, folder }
    }

    /// Starts one that speaks plain HTTP and knows no logins.
    ///
    /// # Panics
    /// If it does not start.
    pub fn plain() -> Self {
        Self::start(tempfile::tempdir().expect("a folder"), "", "")
    }

    /// Starts one that speaks plain HTTP and lets nobody in but `me`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn guarded() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let htpasswd = folder.path().join("htpasswd");
        let known = "me:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n";
        fs::write(&htpasswd, known).expect("the password file is written");
        let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}", htpasswd.display());
        Self::start(folder, "", &auth)
    }

    /// Pushes an image by skopeo, with `options` of its `copy`.
    ///
    /// # Panics
    /// If that fails.
    pub fn push(&self, image: &BuiltImage, name: &str, options: &[&str]) {
        let layout = tempfile::tempdir().expect("a folder");
        image.write_oci_layout(layout.path(), "image");
        let status = Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"])
            .args(options)
            .arg(format!("oci:{}:image", layout.path().display()))
            .arg(format!("docker://127.0.0.1:{}/{name}", self.port))
            .status();
        assert!(status.expect("skopeo runs").success(), "skopeo pushes {name}");
    }
}

impl Drop for RegistryDaemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Path and query.
    pub path: String,
    /// The request's line and headers.
    pub head: String,
}

impl Seen {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Fault {
    /// The registry's answer as it is.
    Pass,
    /// The registry's answer, broken off after so many bytes of its body.
    Cut(usize),
    /// The registry's answer with one byte of its body changed.
    Change,
    /// The registry's answer to the request without its range.
    NoRange,
    /// Another answer.
    Say(String),
    /// No answer, until the client goes.
    Hang,
}

type Rule = dyn FnMut(&Seen) -> Fault + Send;

/// What stands between the client and a registry.
#[derive(Debug)]
pub struct Between {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Between {
    /// Stands before a registry's port; `rule` says what becomes of each request.
    ///
    /// # Panics
    /// If no port is to be had.
    pub fn new(registry: u16, rule: impl FnMut(&Seen) -> Fault + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let rule: Arc<Mutex<Box<Rule>>> = Arc::new(Mutex::new(Box::new(rule)));
        let log = seen.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (log, rule) = (log.clone(), rule.clone());
                thread::spawn(move || serve(client, registry, &log, &rule));
            }
        });
        Self { port, seen }
    }

    /// The requests so far.
    ///
    /// # Panics
    /// If the rule did.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no test panicked in it").clone()
    }

    /// How many requests went to paths with `part` in them.
    ///
    /// # Panics
    /// If the rule did.
    pub fn count(&self, part: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path.contains(part)).count()
    }
}

fn serve(
    mut client: TcpStream,
    registry: u16,
    log: &Mutex<Vec<Seen>>,
    rule: &Mutex<Box<Rule>>,
) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
        if head[0] == 0x16 {
            // TLS is spoken to it.
            return client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").ok();
        }
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    let seen = Seen { path, head: head.clone() };
    log.lock().expect("no test panicked in it").push(seen.clone());
    let fault = rule.lock().expect("no test panicked in it")(&seen);
    match fault {
        Fault::Say(answer) => return client.write_all(answer.as_bytes()).ok(),
        Fault::Hang => {
            let _ = client.read(&mut byte);
            return None;
        }
        _ => {}
    }
    let dropped = if matches!(fault, Fault::NoRange) { "range:" } else { "connection:" };
    let kept = head.trim_end().lines().filter(|line| !line.to_ascii_lowercase().starts_with(dropped));
    let request = kept.collect::<Vec<_>>().join("\r\n") + "\r\nConnection: close\r\n\r\n";
    let mut server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], registry))).ok()?;
    server.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    match fault {
        Fault::Cut(bytes) => answer.truncate(body + bytes),
        Fault::Change => *answer.last_mut()? ^= 1,
        _ => {}
    }
    client.write_all(&answer).ok()
}

/// An answer without a body.
pub fn say(status: &str, headers: &str) -> Fault {
    Fault::Say(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"))
}
