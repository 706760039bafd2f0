//! An image that umoci makes and skopeo copies, and what the command says of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What the image is called where it has a name.
pub(crate) const NAME: &str = "docker.io/library/sample:1.0";

/// Whose word a report rests on: every layer was checked against its digest, or some were read from folders.
pub(crate) const BLOBS: Option<&str> = Some("Blobs");
pub(crate) const FOLDERS: Option<&str> = Some("Folders");

const OS_RELEASE: &str = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
const DASH: &str = "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.5.12-2\n\n";
const ZLIB: &str = "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nSource: zlib\n\
                    Version: 1:1.2.13.dfsg-1\n\n";
const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
                         Files: *\nCopyright: somebody\nLicense: BSD-3-clause\n";
const CARGO_LOCK: &str = "version = 3\n\n[[package]]\nname = \"itoa\"\nversion = \"1.0.9\"\n\
                          source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
/// A hash of `changeme`, which is in the dictionary.
const SHADOW: &str = "root:$1$pratique$JJq3DaiIyvx6Mc8wKWicI/:19000:0:99999:7:::\n";

/// The image: an OCI layout, its name in it `latest`, and its files as umoci unpacks them.
pub(crate) struct Sample {
    scratch: TempDir,
}

impl Sample {
    /// Makes it, on a real disk; none without root, which is said.
    pub(crate) fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: umoci and the runtimes need root");
            return None;
        }
        let sample = Self { scratch: tempfile::tempdir().expect("a folder") };
        let image = sample.at("layout") + ":latest";
        run("umoci", &["init", "--layout", &sample.at("layout")]);
        run("umoci", &["new", "--image", &image]);
        run("umoci", &["config", "--image", &image, "--config.user", "65532"]);
        sample.layer(&image, |root| {
            root.put("etc/os-release", OS_RELEASE);
            root.put("etc/shadow", "root:*:19000:0:99999:7:::\n");
            root.put("bin/dash", "a shell");
            root.put("var/lib/dpkg/status", &[DASH, ZLIB].concat());
            root.put("var/lib/dpkg/info/dash.list", "/.\n/bin\n/bin/dash\n");
            root.put("usr/share/doc/dash/copyright", COPYRIGHT);
            root.python("six", "1.15.0");
            root.put(
                "srv/node_modules/ms/package.json",
                r#"{"name":"ms","version":"2.1.2","license":"MIT"}"#,
            );
            root.put("srv/old/Cargo.lock", CARGO_LOCK);
        });
        sample.layer(&image, |root| {
            // One package goes, one comes in a newer version, a folder is removed and another takes a file's place.
            root.put("var/lib/dpkg/status", DASH);
            root.remove("usr/lib/python3/dist-packages/six-1.15.0.dist-info");
            root.python("six", "1.16.0");
            root.remove("srv/old");
            root.remove("bin/dash");
            root.put("bin/dash/inside", "no shell");
        });
        sample.layer(&image, |root| {
            root.put("srv/app/Cargo.lock", CARGO_LOCK);
            root.put("etc/shadow", SHADOW);
        });
        sample.unpack(&image);
        Some(sample)
    }

    /// Adds a layer to the image.
    fn layer(&self, image: &str, change: impl FnOnce(&Root)) {
        let bundle = self.unpack(image);
        change(&Root(self.rootfs()));
        run("umoci", &["repack", "--image", image, &bundle]);
    }

    fn unpack(&self, image: &str) -> String {
        let bundle = self.at("bundle");
        let _ = fs::remove_dir_all(&bundle);
        run("umoci", &["unpack", "--image", image, &bundle]);
        bundle
    }

    /// A folder of the test's own.
    pub(crate) fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// A path in it.
    pub(crate) fn at(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    /// The image as skopeo and the command call it.
    pub(crate) fn layout(&self) -> String {
        format!("oci:{}:latest", self.at("layout"))
    }

    /// The digits of the manifest's digest.
    pub(crate) fn manifest(&self) -> String {
        let index = self.document("index.json");
        digits(&index["manifests"][0]["digest"])
    }

    /// The digits of the config's digest: the image's ID.
    pub(crate) fn config(&self) -> String {
        let manifest = self.document(&format!("blobs/sha256/{}", self.manifest()));
        digits(&manifest["config"]["digest"])
    }

    fn document(&self, name: &str) -> Value {
        let bytes = fs::read(self.path().join("layout").join(name)).expect("a document");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// The image's files.
    pub(crate) fn rootfs(&self) -> PathBuf {
        self.path().join("bundle/rootfs")
    }

    /// Copies it by skopeo.
    pub(crate) fn copy(&self, to: &str, options: &[&str]) {
        run("skopeo", &[&["--insecure-policy", "copy", "--quiet"], options, &[&self.layout(), to]].concat());
    }

    /// The image as `docker save` writes it.
    pub(crate) fn docker_archive(&self) -> String {
        let file = self.at("docker.tar");
        if !Path::new(&file).exists() {
            self.copy(&format!("docker-archive:{file}:{NAME}"), &[]);
        }
        file
    }

    /// The image as an OCI archive.
    pub(crate) fn oci_archive(&self) -> String {
        let file = self.at("oci.tar");
        if !Path::new(&file).exists() {
            self.copy(&format!("oci-archive:{file}:1.0"), &[]);
        }
        file
    }

    /// What the command says of a source, all but what may differ: the source's own name, the time, the documents that
    /// led to the image, and how its layers were read.
    pub(crate) fn scan(&self, source: &str, options: Options<'_>) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
        command.args(["scan", source, "--no-cache", "--format", "json"]).args(options.arguments);
        command.env_clear().env("HOME", self.path()).env("PATH", "/nowhere").env("TMPDIR", self.path());
        command.env("PRATIQUE_NO_VULNERABILITIES", "true");
        command.envs(options.variables.iter().copied()).current_dir(self.path());
        command.stdin(match options.input {
            Some(file) => Stdio::from(fs::File::open(file).expect("the input")),
            None => Stdio::null(),
        });
        let output = command.output().expect("the command starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{source} has one finding: {said}");
        let mut document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let mut report = document["reports"][0].take();
        assert_eq!(report["target"]["source"].as_str(), Some(options.kind), "{said}");
        assert_eq!(report["image"]["trust"].as_str(), options.trust, "{source}");
        for (part, name) in [
            ("", "target"),
            ("", "scannedAt"),
            ("/image", "manifests"),
            ("/image", "indexes"),
            ("/image", "trust"),
        ] {
            if let Some(part) = report.pointer_mut(part).and_then(Value::as_object_mut) {
                part.remove(name);
            }
        }
        report
    }

    /// Asserts that a source gives what the layout gives, byte by byte.
    pub(crate) fn check(&self, source: &str, options: Options<'_>) {
        let expected = self.scan(&self.layout(), Options::of("oci", BLOBS));
        let report = self.scan(source, options);
        assert_eq!(format!("{report:#}"), format!("{expected:#}"), "{source}");
    }
}

/// How a source is asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options<'a> {
    /// The kind of source that must have been taken.
    pub(crate) kind: &'a str,
    /// Whose word the report must rest on.
    pub(crate) trust: Option<&'a str>,
    pub(crate) arguments: &'a [&'a str],
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// What standard input is.
    pub(crate) input: Option<&'a str>,
}

impl<'a> Options<'a> {
    pub(crate) fn of(kind: &'a str, trust: Option<&'a str>) -> Self {
        Self { kind, trust, ..Self::default() }
    }
}

/// The image's files while a layer is made.
struct Root(PathBuf);

impl Root {
    fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn remove(&self, path: &str) {
        let path = self.0.join(path);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn python(&self, name: &str, version: &str) {
        let folder = format!("usr/lib/python3/dist-packages/{name}-{version}.dist-info");
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n");
        self.put(&format!("{folder}/METADATA"), &metadata);
        self.put(&format!("{folder}/RECORD"), &format!("{name}.py,,\n"));
        self.put(&format!("usr/lib/python3/dist-packages/{name}.py"), &format!("version = '{version}'\n"));
    }
}

fn digits(digest: &Value) -> String {
    digest.as_str().expect("a digest").trim_start_matches("sha256:").to_owned()
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; run e2e/prerequisites"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
