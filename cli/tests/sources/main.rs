//! One image, made by umoci and brought by skopeo to every place where images lie: the command says the same of it.

mod naming;
mod sample;
mod tokens;

use std::fs;

use pratique_testkit::daemons::{
    Between, ContainerdDaemon, DockerDaemon, DockerRoot, Fault, RegistryDaemon, say, store,
};
use rstest::rstest;
use sample::{BLOBS, FOLDERS, NAME, Options, Sample};
use serde_json::Value;
use tokens::TokenService;

/// Packages of a report, by their package URLs.
fn purls(report: &Value, list: &str) -> Vec<String> {
    let packages = report[list].as_array().expect("a list");
    packages.iter().map(|package| package["purl"].as_str().expect("a package URL").to_owned()).collect()
}

/// What all are compared with is right by itself.
#[test]
fn the_layout_has_what_was_put_into_the_image() {
    let Some(sample) = Sample::new() else { return };
    let report = sample.scan(&sample.layout(), Options::of("oci", BLOBS));
    assert_eq!(
        purls(&report, "packages"),
        [
            "pkg:deb/debian/dash@0.5.12-2?arch=amd64&distro=debian-12",
            "pkg:pypi/six@1.16.0",
            "pkg:npm/ms@2.1.2",
            "pkg:cargo/itoa@1.0.9",
        ]
    );
    let removed = purls(&report, "removedPackages");
    assert!(removed.iter().any(|purl| purl.starts_with("pkg:deb/debian/zlib1g@")), "{removed:?}");
    assert!(removed.contains(&"pkg:pypi/six@1.15.0".to_owned()), "{removed:?}");
    let dash = &report["packages"][0];
    assert_eq!(
        (&dash["licenses"], &dash["files"]),
        (&serde_json::json!(["BSD-3-clause"]), &1.into()),
        "{dash}"
    );
    assert_eq!(report["gaps"], serde_json::json!([]));
    assert_eq!(report["image"]["layers"].as_array().map(Vec::len), Some(3));
}

#[test]
fn archives_give_the_same() {
    let Some(sample) = Sample::new() else { return };
    let (docker, oci) = (sample.docker_archive(), sample.oci_archive());
    sample.check(&format!("docker-archive:{docker}"), Options::of("docker-archive", BLOBS));
    sample.check(&docker, Options::of("docker-archive", BLOBS));
    sample.check(&format!("docker-archive:{docker}:{NAME}"), Options::of("docker-archive", BLOBS));
    sample
        .check("docker-archive:-", Options { input: Some(&docker), ..Options::of("docker-archive", BLOBS) });
    sample.check(&format!("oci-archive:{oci}:1.0"), Options::of("oci-archive", BLOBS));
    sample.check("oci-archive:-", Options { input: Some(&oci), ..Options::of("oci-archive", BLOBS) });
}

/// A folder knows no layers; what the image is made of is the same.
#[test]
fn the_unpacked_folder_gives_the_same() {
    let Some(sample) = Sample::new() else { return };
    let mut image = sample.scan(&sample.layout(), Options::of("oci", BLOBS));
    for name in ["packages", "findings"] {
        for item in image[name].as_array_mut().expect("a list") {
            item.as_object_mut().expect("an object").remove("layer");
        }
    }
    image["removedPackages"] = Value::Array(Vec::new());
    image.as_object_mut().expect("an object").remove("image");
    let root = sample.rootfs().display().to_string();
    let folder = sample.scan(&format!("dir:{root}"), Options::of("dir", None));
    assert_eq!(format!("{folder:#}"), format!("{image:#}"));
}

#[rstest]
#[case::folders("overlayfs", &[], FOLDERS)]
#[case::blobs("overlayfs", &["--no-unpack"], BLOBS)]
#[case::trees("native", &[], FOLDERS)]
fn containerd_gives_the_same(#[case] snapshotter: &str, #[case] more: &[&str], #[case] trust: Option<&str>) {
    let (Some(sample), Some(daemon)) = (Sample::new(), ContainerdDaemon::start()) else { return };
    let archive = sample.oci_archive();
    let import =
        ["images", "import", "--base-name", "docker.io/library/sample", "--snapshotter", snapshotter];
    daemon.ctr("k8s.io", &[&import, more, &[&archive]].concat());
    let socket = daemon.socket().display().to_string();
    let variables = [("CONTAINERD_ADDRESS", socket.as_str())];
    let options = Options { variables: &variables, ..Options::of("containerd", trust) };
    sample.check("containerd:sample:1.0", options);
    sample.check(&format!("containerd://k8s.io/{NAME}"), options);
}

#[rstest]
#[case::folders("overlay2", DockerRoot::Linked, FOLDERS)]
#[case::folders_of_a_user_namespace("overlay2", DockerRoot::Remapped(165_536), FOLDERS)]
#[case::an_export("vfs", DockerRoot::Linked, BLOBS)]
fn docker_gives_the_same(#[case] driver: &str, #[case] root: DockerRoot, #[case] trust: Option<&str>) {
    let (Some(sample), Some(engine)) = (Sample::new(), DockerDaemon::start(driver, root)) else { return };
    assert!(engine.docker(&["load", "--input", &sample.docker_archive()]));
    let host = engine.host();
    let variables = [("DOCKER_HOST", host.as_str())];
    sample.check("docker:sample:1.0", Options { variables: &variables, ..Options::of("docker", trust) });
}

#[rstest]
#[case::overlay("overlay")]
#[case::vfs("vfs")]
fn containers_storage_gives_the_same(#[case] driver: &str) {
    let Some(sample) = Sample::new() else { return };
    let graph = store(driver, &sample.layout(), NAME, sample.path());
    let conf = sample.at("storage.conf");
    fs::write(&conf, format!("[storage]\ndriver = {driver:?}\ngraphroot = {graph:?}\n")).expect("a file");
    let variables = [("CONTAINERS_STORAGE_CONF", conf.as_str())];
    sample.check(
        "containers-storage:sample:1.0",
        Options { variables: &variables, ..Options::of("containers-storage", FOLDERS) },
    );
}

const NO_TLS: &[&str] = &["--dest-tls-verify=false"];

#[test]
fn a_plain_registry_gives_the_same() {
    let Some(sample) = Sample::new() else { return };
    let server = RegistryDaemon::plain();
    let host = format!("127.0.0.1:{}", server.port);
    sample.copy(&format!("docker://{host}/shop/sample:1.0"), NO_TLS);
    let options = Options { arguments: &["--insecure-registry", &host], ..Options::of("registry", BLOBS) };
    sample.check(&format!("registry:{host}/shop/sample:1.0"), options);
    sample.check(&format!("{host}/shop/sample:1.0"), options);
    sample.check(&format!("registry:{host}/shop/*:1.*"), options);
}

/// The registry checks the tokens itself; its service sells them for a login only.
#[test]
fn a_registry_with_tokens_gives_the_same() {
    let Some(sample) = Sample::new() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let service = TokenService::start("me", "correct horse", &folder.path().join("authority.pem"));
    let auth = format!(
        "auth: {{token: {{realm: {}, service: registry, issuer: tests, rootcertbundle: {}}}}}",
        service.realm(),
        folder.path().join("authority.pem").display()
    );
    let server = RegistryDaemon::start(folder, "", &auth);
    let host = format!("127.0.0.1:{}", server.port);
    let to = format!("docker://{host}/shop/sample:1.0");
    sample.copy(&to, &[NO_TLS, &["--dest-creds", "me:correct horse"]].concat());
    // "me:correct horse"
    let login = format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6Y29ycmVjdCBob3JzZQ=="}}}}}}"#);
    fs::create_dir(sample.path().join(".docker")).expect("a folder");
    fs::write(sample.path().join(".docker/config.json"), login).expect("a file");
    let realm = service.host();
    let arguments = ["--insecure-registry", &host, "--insecure-registry", &realm];
    let sold = service.sold();
    sample.check(
        &format!("registry:{host}/shop/sample:1.0"),
        Options { arguments: &arguments, ..Options::of("registry", BLOBS) },
    );
    assert!(service.sold() > sold, "the command bought a token of its own");
}

#[test]
fn a_registry_with_an_own_authority_gives_the_same() {
    let Some(sample) = Sample::new() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    tokens::certificates(&path("ca.pem"), &path("cert.pem"), &path("key.pem"));
    let tls =
        format!("tls: {{certificate: {}, key: {}}}", path("cert.pem").display(), path("key.pem").display());
    let authority = path("ca.pem").display().to_string();
    let server = RegistryDaemon::start(folder, &tls, "");
    let host = format!("127.0.0.1:{}", server.port);
    sample.copy(&format!("docker://{host}/shop/sample:1.0"), NO_TLS);
    let options = Options { arguments: &["--registry-ca", &authority], ..Options::of("registry", BLOBS) };
    sample.check(&format!("registry:{host}/shop/sample:1.0"), options);
}

/// Each document and each layer fails once: busy, broken in the middle, broken at once.
#[test]
fn a_registry_that_fails_now_and_then_gives_the_same() {
    let Some(sample) = Sample::new() else { return };
    let server = RegistryDaemon::plain();
    sample.copy(&format!("docker://127.0.0.1:{}/shop/sample:1.0", server.port), NO_TLS);
    let mut failed = std::collections::BTreeSet::new();
    let between = Between::new(server.port, move |seen| {
        if !failed.insert(seen.path.clone()) {
            return Fault::Pass;
        }
        match failed.len() % 4 {
            0 => say("429 Too Many Requests", "Retry-After: 0\r\n"),
            1 => say("503 Service Unavailable", ""),
            2 => Fault::Cut(100),
            _ => Fault::Cut(0),
        }
    });
    let host = format!("127.0.0.1:{}", between.port);
    let options = Options { arguments: &["--insecure-registry", &host], ..Options::of("registry", BLOBS) };
    sample.check(&format!("registry:{host}/shop/sample:1.0"), options);
    let seen = between.seen();
    assert!(between.count("/blobs/") >= 8, "a config and three layers, each asked for twice: {seen:?}");
}
