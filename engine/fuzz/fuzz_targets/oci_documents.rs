//! Indexes, manifests and configs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::Digest;
use pratique_fs::oci::{Need, Resolver, host_platform};
use sha2::{Digest as _, Sha256};

fn digest(bytes: &[u8]) -> Digest {
    Digest::sha256(Sha256::digest(bytes).into())
}

fuzz_target!(|input: (bool, &[u8])| {
    let (is_config, bytes) = input;
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
        "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},
        "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":1}}]}}"#,
        digest(bytes),
        bytes.len(),
        digest(b"layer"),
    );
    let first = if is_config { manifest.as_bytes() } else { bytes };
    let mut resolver = Resolver::new(digest(first), "", host_platform());
    if resolver.supply(first).is_ok() {
        let _ = resolver.supply(bytes);
    }
    if let Need::Ready(image) = resolver.next() {
        assert!(image.layers.len() <= 1000);
    }
});
