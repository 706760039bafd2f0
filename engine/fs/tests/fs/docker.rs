//! A Docker Engine of our own, and some that are none.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pratique_fs::{Error, ImageFs, OpenImage, Opened, Result, SourceKind, SourceOptions, SourceRef, open};
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, ScratchDir};

use super::conformance::{Extent, check_filesystem, layers};
use super::sources;

/// An engine with everything it writes in a temporary folder, stopped when dropped.
struct Engine {
    process: Child,
    scratch: tempfile::TempDir,
}

impl Engine {
    /// Starts one; none where it cannot be, which is said.
    fn start() -> Option<Self> {
        if !sources::is_root() {
            return None;
        }
        if Command::new("dockerd").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: there is no dockerd on the PATH");
            return None;
        }
        let scratch = tempfile::tempdir().expect("a folder");
        let at = |name: &str| scratch.path().join(name).display().to_string();
        let log = fs::File::create(scratch.path().join("log")).expect("a log");
        let process = Command::new("dockerd")
            .args(["--iptables=false", "--bridge=none", "--oom-score-adjust=0", "--storage-driver=vfs"])
            .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
            .args(["--host", &format!("unix://{}", at("sock"))])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("dockerd starts");
        let engine = Self { process, scratch };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !engine.docker(&["version"]) {
            let log = fs::read_to_string(engine.scratch.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "dockerd does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(engine)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.scratch.path().join("sock").display())
    }

    fn docker(&self, args: &[&str]) -> bool {
        let mut docker = Command::new("docker");
        docker.arg("--host").arg(self.host()).args(args).stdout(Stdio::null()).stderr(Stdio::null());
        docker.status().expect("docker runs").success()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // On SIGTERM it stops its own containerd too.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

fn built() -> BuiltImage {
    let image = layers(Extent::Unpackable).into_iter();
    image.fold(ImageBuilder::new(), |image, layer| image.layer(layer, Compression::Gzip)).build()
}

fn image(query: &str, host: &str) -> Result<OpenImage> {
    let options = SourceOptions { docker_host: host.to_owned(), ..SourceOptions::default() };
    match open(&SourceRef::parse(&format!("docker:{query}"))?, &options)?.opened {
        Opened::Image(image) => Ok(*image),
        Opened::Root { .. } => panic!("{query} is no image"),
    }
}

#[test]
fn an_image_of_docker_behaves() {
    let Some(engine) = Engine::start() else { return };
    let built = built();
    let archive = engine.scratch.path().join("archive.tar");
    fs::write(&archive, built.to_docker_archive("sample:1.0")).expect("an archive");
    assert!(engine.docker(&["load", "--input", &archive.display().to_string()]));
    for query in
        ["sample:1.0", "docker.io/library/sample:1.0", built.config.as_str(), &built.config.hex()[..8]]
    {
        let found = image(query, &engine.host()).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(
            (&found.manifest.image, &found.names[..]),
            (&built.config, &["sample:1.0".to_owned()][..])
        );
        let (merged, gaps) = ImageFs::new(found.layers);
        assert_eq!(gaps, [], "{query}");
        check_filesystem(&merged, Extent::Unpackable);
    }
    let error = image("other", &engine.host()).err().expect("there is none");
    assert!(matches!(error, Error::NoMatch { .. }), "{error}");
    let options = SourceOptions { docker_host: engine.host(), ..SourceOptions::default() };
    let listed = pratique_fs::listing::images(SourceKind::Docker, &options).expect("listed");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0].names[..], &listed[0].image),
        (&["sample:1.0".to_owned()][..], &Some(built.config.clone()))
    );
    assert!(listed[0].size.is_some_and(|size| size > 0), "{listed:?}");
    assert!(engine.docker(&["create", "--name", "one", "sample:1.0", "true"]));
    let containers = pratique_fs::listing::containers(SourceKind::Docker, &options).expect("listed");
    assert_eq!(containers.len(), 1);
    assert_eq!((containers[0].names[0].as_str(), containers[0].image.as_str()), ("one", "sample:1.0"));
    assert_eq!(containers[0].running, Some(false));
    assert!(engine.docker(&["rm", "one"]));
    // Without a name it still has its ID.
    assert!(engine.docker(&["tag", "sample:1.0", "sample:2.0"]));
    assert!(engine.docker(&["rmi", "sample:1.0"]));
    assert!(matches!(image("sample:1.0", &engine.host()), Err(Error::NoMatch { .. })));
    assert_eq!(image("sample:2.0", &engine.host()).expect("opened").manifest.image, built.config);
}

/// Answers every request on a socket with the same bytes.
fn fake(socket: &Path, answer: &'static [u8]) {
    let listener = UnixListener::bind(socket).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
        }
    });
}

#[test]
fn an_engine_that_is_not_there_or_answers_nonsense_is_told() {
    let scratch = ScratchDir::new();
    let at = |name: &str| scratch.path().join(name);
    let host = |name: &str| format!("unix://{}", at(name).display());
    let not_here = |host: &str| {
        let error = image("x", host).err().expect("no engine");
        assert!(matches!(error, Error::NotHere { .. }), "{error}");
    };
    not_here(&host("none"));
    not_here("tcp://127.0.0.1:2375");
    for (name, answer, reason) in [
        ("refuses", &b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nwhy!"[..], "why!"),
        ("lies", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "malformed"),
        ("breaks", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[", "Docker Engine"),
        ("babbles", b"\x00\x01\x02\r\n\r\n", "Docker Engine"),
    ] {
        fake(&at(name), answer);
        let error = image("x", &host(name)).err().expect(name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
}
