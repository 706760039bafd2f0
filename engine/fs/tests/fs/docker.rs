//! A Docker Engine of our own, and some that are none.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;

use pratique_fs::{Error, ImageFs, OpenImage, Opened, Result, SourceKind, SourceOptions, SourceRef, open};
use pratique_testkit::daemons::{ContainerdDaemon, DockerDaemon, DockerRoot};
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, ScratchDir};

use rstest::rstest;

use super::conformance::{Extent, check_filesystem, layers};

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

fn load(engine: &DockerDaemon, image: &BuiltImage) {
    let archive = engine.path().join("archive.tar");
    fs::write(&archive, image.to_docker_archive("sample:1.0")).expect("an archive");
    assert!(engine.docker(&["load", "--input", &archive.display().to_string()]));
}

#[rstest]
#[case::folders("overlay2", DockerRoot::Linked, "the folders of overlay2 in ")]
#[case::folders_of_a_user_namespace("overlay2", DockerRoot::Remapped(231_072), "the folders of overlay2 in ")]
#[case::folders_out_of_reach("overlay2", DockerRoot::Hidden, "an export: /")]
#[case::no_folders_of_layers("vfs", DockerRoot::Linked, "an export: reading the folders of vfs")]
fn an_image_of_docker_behaves(#[case] driver: &str, #[case] root: DockerRoot, #[case] via: &str) {
    let Some(engine) = DockerDaemon::start(driver, root) else { return };
    let built = built();
    load(&engine, &built);
    for query in
        ["sample:1.0", "docker.io/library/sample:1.0", built.config.as_str(), &built.config.hex()[..8]]
    {
        let found = image(query, &engine.host()).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(found.via.starts_with(via), "{}", found.via);
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
    // Without a name it still has its ID.
    assert!(engine.docker(&["tag", "sample:1.0", "sample:2.0"]));
    assert!(engine.docker(&["rmi", "sample:1.0"]));
    assert!(matches!(image("sample:1.0", &engine.host()), Err(Error::NoMatch { .. })));
    let found = image("sample:2.0", &engine.host()).expect("opened");
    assert_eq!(found.manifest.image, built.config);

    // What is removed meanwhile is told, unless it was copied before.
    assert!(engine.docker(&["rmi", "sample:2.0"]));
    let (_, gaps) = ImageFs::new(found.layers);
    assert_eq!(gaps.len(), if via.starts_with("an export") { 0 } else { built.layers.len() }, "{gaps:?}");
}

#[test]
fn images_and_containers_of_docker_are_listed() {
    let Some(engine) = DockerDaemon::start("overlay2", DockerRoot::Linked) else { return };
    let built = built();
    load(&engine, &built);
    assert!(engine.docker(&["create", "--name", "one", "sample:1.0", "true"]));
    let options = SourceOptions { docker_host: engine.host(), ..SourceOptions::default() };
    let images = pratique_fs::listing::images(SourceKind::Docker, &options).expect("listed");
    assert_eq!(images.len(), 1);
    assert_eq!(
        (&images[0].names[..], &images[0].image),
        (&["sample:1.0".to_owned()][..], &Some(built.config.clone()))
    );
    assert_eq!(images[0].place, "overlay2");
    assert!(images[0].size.is_some_and(|size| size > 0), "{images:?}");
    let containers = pratique_fs::listing::containers(SourceKind::Docker, &options).expect("listed");
    assert_eq!(containers.len(), 1);
    assert_eq!((containers[0].names[0].as_str(), containers[0].image.as_str()), ("one", "sample:1.0"));
    assert_eq!(containers[0].running, Some(false));
}

/// An engine of our own making that keeps its images in a real containerd, as Docker since version 23 can.
#[test]
fn an_image_of_dockers_containerd_store_is_read_in_containerd() {
    let Some(containerd) = ContainerdDaemon::start() else { return };
    let built = built();
    containerd.import("moby", &built, "docker.io/library/sample:1.0", &[]);
    let answers = [
        ("/images/json", format!(r#"[{{"Id": "{}", "RepoTags": ["sample:1.0"]}}]"#, built.manifest)),
        (
            "/info",
            format!(
                r#"{{"Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
                    "Containerd": {{"Address": "{}", "Namespaces": {{"Containers": "moby"}}}}}}"#,
                containerd.socket().display()
            ),
        ),
    ];
    let scratch = ScratchDir::new();
    let socket = scratch.path().join("sock");
    fake(&socket, move |path| {
        let answer = answers.iter().find(|(known, _)| *known == path).map_or("", |(_, answer)| answer);
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).into_bytes()
    });
    let host = format!("unix://{}", socket.display());
    for query in ["sample:1.0", built.manifest.as_str(), &built.manifest.hex()[..8]] {
        let found = image(query, &host).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(found.via, "the containerd image store, overlayfs");
        assert_eq!(
            (&found.manifest.image, &found.names[..]),
            (&built.config, &["sample:1.0".to_owned()][..])
        );
        let (merged, gaps) = ImageFs::new(found.layers);
        assert_eq!(gaps, [], "{query}");
        check_filesystem(&merged, Extent::Unpackable);
    }
}

/// Answers requests on a socket, by their paths.
fn fake(socket: &Path, answer: impl Fn(&str) -> Vec<u8> + Send + 'static) {
    let listener = UnixListener::bind(socket).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]);
            let _ = stream.write_all(&answer(request.split(' ').nth(1).unwrap_or_default()));
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
        fake(&at(name), |_| answer.to_vec());
        let error = image("x", &host(name)).err().expect(name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
}
