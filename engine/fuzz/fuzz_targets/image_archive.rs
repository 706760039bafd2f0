//! Archives of images: of `docker save` and of OCI layouts, as they come, or whole but for one document.
#![no_main]

use std::io::Write;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;

use libfuzzer_sys::fuzz_target;
use pratique_fs::{Limits, Opened, SourceKind, SourceOptions, SourceRef, open};
use sha2::{Digest as _, Sha256};

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *bytes).expect("memory takes everything");
    }
    tar.into_inner().expect("memory takes everything")
}

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let (form, document, layer) = input;
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}}}}"#,
        hex(layer)
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{}",
        "size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:{}","size":{}}}]}}"#,
        hex(config.as_bytes()),
        config.len(),
        hex(layer),
        layer.len(),
    );
    let saved = br#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["a/layer.tar"]}]"#;
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", hex(bytes));
    let (of_config, of_layer) = (blob(config.as_bytes()), blob(layer));
    let bytes = match form % 4 {
        0 => document.to_vec(),
        1 => archive(&[("manifest.json", saved), ("c.json", document), ("a/layer.tar", layer)]),
        2 => archive(&[("manifest.json", document), ("c.json", config.as_bytes()), ("a/layer.tar", layer)]),
        _ => archive(&[
            ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
            ("index.json", document),
            (&blob(manifest.as_bytes()), manifest.as_bytes()),
            (&of_config, config.as_bytes()),
            (&of_layer, layer),
        ]),
    };
    let mut file = tempfile::tempfile_in("/dev/shm").expect("a file in memory");
    file.write_all(&bytes).expect("memory takes everything");
    let limits = Limits { uncompressed_bytes: 16 << 20, ..Limits::default() };
    let options =
        SourceOptions { limits, temporary: "/dev/shm".into(), offline: true, ..SourceOptions::default() };
    for kind in [SourceKind::DockerArchive, SourceKind::OciArchive] {
        let target = format!("/proc/self/fd/{}", file.as_raw_fd());
        let Ok(source) = open(&SourceRef { kind: Some(kind), target }, &options) else { continue };
        let Opened::Image(mut image) = source.opened else { panic!("an archive is an image") };
        assert_eq!(image.layers.len(), image.manifest.layers.len());
        for layer in &mut image.layers {
            let _ = layer.visit(&mut |_| ControlFlow::Continue(()));
        }
    }
});
