//! Finding out what an image is.

use pratique_fs::oci::{ImageManifest, Need, Resolver, host_platform};
use pratique_fs::{Error, Result};
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, LayerBuilder, sha256};
use serde_json::json;

fn image(text: &str) -> ImageBuilder {
    let layer = LayerBuilder::new().file("text", text);
    ImageBuilder::new()
        .layer(layer.clone(), Compression::Gzip)
        .layer(layer.dir("more"), Compression::Zstd)
        .user("app:app")
}

/// Resolves with the documents of images and one more.
fn resolve(images: &[&BuiltImage], target: &[u8], media_type: &str) -> Result<ImageManifest> {
    let mut resolver = Resolver::new(sha256(target), media_type, host_platform());
    loop {
        match resolver.next() {
            Need::Ready(manifest) => return Ok(*manifest),
            Need::Document { digest, .. } if digest == sha256(target) => resolver.supply(target)?,
            Need::Document { digest, .. } => {
                let bytes =
                    images.iter().find_map(|image| image.blobs.get(&digest)).expect("a document of an image");
                resolver.supply(bytes)?;
            }
        }
    }
}

#[test]
fn what_the_manifest_says_of_its_base_counts_where_the_config_says_nothing() {
    let here = image("here").build();
    let mut manifest: serde_json::Value = serde_json::from_slice(&here.blobs[&here.manifest]).expect("JSON");
    let name = "org.opencontainers.image.base.name";
    manifest["annotations"] = json!({name: "docker.io/library/debian:12", "other": "x"});
    let found = resolve(&[&here], manifest.to_string().as_bytes(), "").expect("resolved");
    let labels: Vec<_> = found.config.labels.iter().collect();
    assert_eq!(labels, [(&name.to_owned(), &"docker.io/library/debian:12".to_owned())]);
}

#[test]
fn an_index_leads_to_this_platforms_image() {
    let (here, elsewhere) = (image("here").build(), image("there").architecture("s390x").build());
    let (index_digest, index) = BuiltImage::index(&[&elsewhere, &here]);
    let found = resolve(&[&here, &elsewhere], &index, "").expect("resolved");
    assert_eq!((&found.image, found.manifest.as_ref()), (&here.config, Some(&here.manifest)));
    assert_eq!(found.indexes, [index_digest]);
    assert_eq!((found.config.user.as_str(), found.platform), ("app:app", host_platform()));
    let layers = found.layers.iter().map(|layer| (&layer.diff_id, &layer.blob)).collect::<Vec<_>>();
    assert_eq!(layers, here.layers.iter().map(|layer| (&layer.diff_id, &layer.blob)).collect::<Vec<_>>());
    let (bottom, top) = (&found.layers[0], &found.layers[1]);
    assert_eq!(bottom.chain_id, bottom.diff_id);
    assert_eq!(top.chain_id, sha256(format!("{} {}", bottom.diff_id, top.diff_id).as_bytes()));
}

#[test]
fn attestations_are_no_images_but_annotations_hide_none() {
    let here = image("here").build();
    let mut attestation = here.descriptor();
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let mut annotated = here.descriptor();
    annotated["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let only = |entry: &serde_json::Value| {
        json!({"schemaVersion": 2, "manifests": [entry]}).to_string().into_bytes()
    };
    let error = resolve(&[&here], &only(&attestation), "").expect_err("no image");
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    // A runtime runs it whatever it is annotated with.
    assert_eq!(resolve(&[&here], &only(&annotated), "").expect("resolved").image, here.config);
}

#[test]
fn a_document_with_another_digest_is_refused() {
    let here = image("here").build();
    let mut resolver = Resolver::new(here.manifest.clone(), "", host_platform());
    let error = resolver.supply(&here.blobs[&here.config]).expect_err("the config is no manifest");
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
    resolver.supply(&here.blobs[&here.manifest]).expect("the right one still counts");
}

#[test]
fn what_is_no_image_is_refused_with_the_reason() {
    let digest = sha256(b"x");
    let config = |kind: &str| json!({"mediaType": kind, "digest": digest, "size": 1});
    let layers = vec![config("application/vnd.oci.image.layer.v1.tar"); 1001];
    let oci = "application/vnd.oci.image.config.v1+json";
    for (document, reason) in [
        (json!({"schemaVersion": 1, "fsLayers": []}), "schema 1"),
        (json!({"schemaVersion": 2, "manifests": [], "layers": []}), "both"),
        (
            json!({"schemaVersion": 2, "config": config("application/vnd.cncf.helm.config.v1+json"), "layers": []}),
            "no container image",
        ),
        (json!({"schemaVersion": 2, "config": config(oci), "layers": layers}), "1000 layers"),
        (json!({"schemaVersion": 2, "manifests": [{"digest": "sha256:12"}]}), "digits"),
        (json!({"mediaType": "text/plain"}), "text/plain"),
        (json!([]), "malformed"),
    ] {
        let error = resolve(&[], document.to_string().as_bytes(), "").expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
    let mut resolver = Resolver::new(sha256(b""), "", host_platform());
    assert!(matches!(resolver.supply(&vec![b' '; (4 << 20) + 1]), Err(Error::Limit { .. })));
}

#[test]
fn config_and_manifest_must_name_the_same_number_of_layers() {
    let here = image("here").build();
    let mut manifest: serde_json::Value = serde_json::from_slice(&here.blobs[&here.manifest]).expect("JSON");
    manifest["layers"].as_array_mut().expect("a list").pop();
    let error = resolve(&[&here], manifest.to_string().as_bytes(), "").expect_err("a layer is hidden");
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}
