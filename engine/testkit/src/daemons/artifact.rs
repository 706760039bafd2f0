//! Artifacts pushed to a registry as `oras push` does it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use super::RegistryDaemon;
use crate::sha256;

impl RegistryDaemon {
    /// Pushes files as the layers of an artifact, each under its name as title; `authorization` is the header's value.
    /// Returns the manifest's digest.
    ///
    /// # Panics
    /// If the registry refuses.
    pub fn push_artifact(
        &self,
        repository: &str,
        tag: &str,
        files: &[(&str, &[u8])],
        authorization: Option<&str>,
    ) -> String {
        let usual = "application/vnd.oci.image.layer.v1.tar";
        let typed: Vec<_> =
            files.iter().map(|(title, content)| (*title, usual.to_owned(), *content)).collect();
        self.push_typed_artifact(repository, tag, &typed, authorization)
    }

    /// The same for files with media types of their own.
    ///
    /// # Panics
    /// If the registry refuses.
    pub fn push_typed_artifact(
        &self,
        repository: &str,
        tag: &str,
        files: &[(&str, String, &[u8])],
        authorization: Option<&str>,
    ) -> String {
        let push = Push { port: self.port, repository, authorization };
        let empty = b"{}";
        push.blob(empty);
        let layers: Vec<_> = files
            .iter()
            .map(|(title, media_type, content)| {
                push.blob(content);
                json!({
                    "mediaType": media_type, "digest": sha256(content), "size": content.len(),
                    "annotations": {"org.opencontainers.image.title": title},
                })
            })
            .collect();
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": kind, "artifactType": "application/vnd.unknown.artifact.v1",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(empty), "size": 2, "data": "e30="},
            "layers": layers,
        })
        .to_string();
        push.send("PUT", &format!("/v2/{repository}/manifests/{tag}"), kind, manifest.as_bytes());
        sha256(manifest.as_bytes()).to_string()
    }
}

struct Push<'a> {
    port: u16,
    repository: &'a str,
    authorization: Option<&'a str>,
}

impl Push<'_> {
    fn blob(&self, content: &[u8]) {
        let kind = "application/octet-stream";
        let answer = self.send("POST", &format!("/v2/{}/blobs/uploads/", self.repository), kind, b"");
        let place =
            answer.lines().find_map(|line| line.strip_prefix("Location: ")).expect("a place to upload to");
        let path = place.trim().trim_start_matches(&format!("http://127.0.0.1:{}", self.port)).to_owned();
        self.send("PUT", &format!("{path}&digest={}", sha256(content)), kind, content);
    }

    /// Sends a request that has to succeed; the head of its answer.
    fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> String {
        let login =
            self.authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{login}Content-Type: {kind}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            self.port,
            body.len()
        );
        let mut stream =
            TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))).expect("the registry listens");
        stream.write_all(&[head.as_bytes(), body].concat()).expect("the registry reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the registry answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 20"), "{method} {path}: {answer}");
        answer
    }
}
