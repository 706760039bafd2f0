//! What a Docker Engine answers: whoever may listen where it does is taken for it.
#![no_main]

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use pratique_fs::{SourceKind, SourceOptions, SourceRef, listing, open};
use tempfile::TempDir;

/// The answers to the requests for lists, and to all others.
static ANSWERS: Mutex<(Vec<u8>, Vec<u8>)> = Mutex::new((Vec::new(), Vec::new()));

static ENGINE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new_in("/dev/shm").expect("a folder");
    let listener = UnixListener::bind(folder.path().join("sock")).expect("a socket");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap_or(0);
            let answers = ANSWERS.lock().expect("nobody panicked in it").clone();
            let is_list = request[..read].windows(5).any(|part| part == b"/json");
            let body = if is_list { answers.0 } else { answers.1 };
            let head =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    folder
});

fuzz_target!(|input: (bool, &[u8], &[u8])| {
    let (is_list, first, second) = input;
    let images = format!(r#"[{{"Id": "sha256:{}", "RepoTags": ["x:latest"]}}]"#, "ab".repeat(32));
    let list = if is_list { first.to_vec() } else { images.into_bytes() };
    *ANSWERS.lock().expect("nobody panicked in it") = (list, second.to_vec());
    let nowhere = vec![ENGINE.path().join("none")];
    let docker_host = format!("unix://{}", ENGINE.path().join("sock").display());
    let options = SourceOptions {
        docker_host,
        containerd_sockets: nowhere,
        temporary: "/dev/shm".into(),
        ..SourceOptions::default()
    };
    let kind = SourceKind::Docker;
    let _ = (listing::images(kind, &options), listing::containers(kind, &options));
    let _ = open(&SourceRef { kind: Some(kind), target: "x".to_owned() }, &options);
});
