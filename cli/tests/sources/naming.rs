//! What people type finds the same image in each runtime.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use pratique_testkit::daemons::{ContainerdDaemon, DockerDaemon, DockerRoot, store};
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, LayerBuilder};
use rstest::rstest;
use serde_json::Value;

use super::sample::{NAME, Sample};

const OTHER: &str = "docker.io/library/sample:2.0";

/// A runtime that has the sample and another image, while the other runtimes are not there.
struct Runtime {
    sample: Sample,
    containerd: Option<ContainerdDaemon>,
    docker: Option<DockerDaemon>,
    storage: Option<PathBuf>,
}

impl Runtime {
    fn start(kind: &str, other: &BuiltImage) -> Option<Self> {
        let mut runtime = Self { sample: Sample::new()?, containerd: None, docker: None, storage: None };
        let sample = &runtime.sample;
        match kind {
            "containerd" => {
                let daemon = ContainerdDaemon::start()?;
                let import = ["images", "import", "--base-name", "docker.io/library/sample"];
                daemon.ctr("k8s.io", &[&import[..], &[&sample.oci_archive()]].concat());
                daemon.import("k8s.io", other, OTHER, &[]);
                runtime.containerd = Some(daemon);
            }
            "docker" => {
                let engine = DockerDaemon::start("overlay2", DockerRoot::Linked)?;
                fs::write(sample.at("other.tar"), other.to_docker_archive("sample:2.0")).expect("an archive");
                for archive in [sample.docker_archive(), sample.at("other.tar")] {
                    assert!(engine.docker(&["load", "--input", &archive]));
                }
                runtime.docker = Some(engine);
            }
            _ => {
                store("overlay", &sample.layout(), NAME, sample.path());
                other.write_oci_layout(&sample.path().join("other"), "2.0");
                let from = format!("oci:{}", sample.at("other"));
                runtime.storage = Some(store("overlay", &from, OTHER, sample.path()));
            }
        }
        Some(runtime)
    }

    /// Runs the command; its exit code, and what it said.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let none = self.sample.path().join("none");
        let graph = self.storage.as_ref().unwrap_or(&none);
        let conf = self.sample.at("storage.conf");
        fs::write(&conf, format!("[storage]\ndriver = \"overlay\"\ngraphroot = {graph:?}\n"))
            .expect("a file");
        let host = self.docker.as_ref().map_or(format!("unix://{}", none.display()), DockerDaemon::host);
        let socket = self.containerd.as_ref().map_or(none, ContainerdDaemon::socket);
        let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
        command.args(arguments).env_clear().env("HOME", self.sample.path()).env("PATH", "/nowhere");
        command
            .env("CONTAINERD_ADDRESS", socket)
            .env("DOCKER_HOST", host)
            .env("CONTAINERS_STORAGE_CONF", conf);
        let output = command.output().expect("the command starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// The IDs of the images that targets mean.
    fn scanned(&self, targets: &[String]) -> Vec<String> {
        let mut arguments = vec!["scan", "--detectors", "none", "--format", "json", "--no-cache"];
        arguments.extend(targets.iter().map(String::as_str));
        let (code, out, err) = self.run(&arguments);
        assert_eq!(code, Some(0), "{targets:?}: {err}");
        let report: Value = serde_json::from_str(&out).expect("JSON");
        let reports = report["reports"].as_array().expect("a list").iter();
        reports.map(|report| report["image"]["id"].as_str().expect("an ID").to_owned()).collect()
    }
}

/// Full IDs and first digits, names as people shorten them, digests of manifests, wildcards.
#[rstest]
#[case::containerd("containerd")]
#[case::docker("docker")]
#[case::containers_storage("containers-storage")]
fn names_ids_and_patterns_find_the_image(#[case] kind: &str) {
    let other =
        ImageBuilder::new().layer(LayerBuilder::new().file("etc/other", "x"), Compression::Gzip).build();
    let Some(runtime) = Runtime::start(kind, &other) else { return };
    let (id, manifest) = (runtime.sample.config(), runtime.sample.manifest());
    let (whole, at) = (format!("sha256:{id}"), format!("sample@sha256:{manifest}"));
    let mut queries = vec!["sample:1.0", NAME, &whole, &id, &id[..8], "sample:1.*", "**/s?mple:1.0"];
    if kind != "docker" {
        // An archive of Docker's knows no manifest.
        queries.extend([manifest.as_str(), &at]);
    }
    for query in &queries {
        let (code, out, err) = runtime.run(&["images", &format!("{kind}:{query}")]);
        assert_eq!((code, out.lines().count()), (Some(0), 2), "{query}: {out}{err}");
        assert!(out.contains(&id[..12]) && out.contains("sample:1.0"), "{query}: {out}");
    }
    let targets = queries.iter().map(|query| format!("{kind}:{query}")).collect::<Vec<_>>();
    assert_eq!(runtime.scanned(&targets), vec![whole.clone(); queries.len()]);
    // Without a prefix it is the same, as no other runtime has it.
    let bare = ["sample:1.0", "sample:1.*"].map(str::to_owned);
    assert_eq!(runtime.scanned(&bare), vec![whole.clone(); bare.len()]);

    let (mut both, mut found) =
        (vec![whole, other.config.to_string()], runtime.scanned(&[format!("{kind}:sample:*")]));
    both.sort();
    found.sort();
    assert_eq!(found, both, "each image that fits");
    for command in ["images", "scan", "containers"] {
        let (code, out, err) = runtime.run(&[command, &format!("{kind}:nothing*")]);
        assert_eq!((code, err.contains("nothing*")), (Some(4), true), "{command}: {out}{err}");
    }
}
