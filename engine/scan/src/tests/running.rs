//! Whole images, with a cache.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use pratique_core::Platform;
use pratique_core::attempts::Attempts;
use pratique_core::facts::Trust;
use pratique_fs::{BlobFile, Check, Error, Layer, TarLayer, UnreadableLayer};
use pratique_testkit::{Compression, LayerBuilder, sha256};

use super::fake::{FakeRoot, engine, followed};
use super::judging;
use crate::{
    Engine, Followed, ImageMeta, JudgeOptions, LayerCache, LayerKey, Limits, ScanOptions, ScannedImage,
    scan_image,
};

#[derive(Default)]
struct Memory(Mutex<BTreeMap<LayerKey, Vec<u8>>>);

impl LayerCache for Memory {
    fn get(&self, key: &LayerKey) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(key).cloned()
    }

    fn put(&self, key: &LayerKey, facts: &[u8]) {
        self.0.lock().unwrap().insert(key.clone(), facts.to_vec());
    }
}

fn scan(engine: &Engine, layers: Vec<Box<dyn Layer>>, cache: &Memory) -> ScannedImage {
    let meta = ImageMeta {
        image: sha256(b"config"),
        manifests: Vec::new(),
        indexes: Vec::new(),
        platform: Platform::default(),
        created: None,
        config: Default::default(),
        layers: layers.iter().map(|layer| layer.diff_id().clone()).collect(),
        names: Vec::new(),
    };
    let judge = JudgeOptions {
        dictionary: Vec::new(),
        hash_budget: Duration::from_secs(1),
        attempts: Attempts::new(),
        bases: Vec::new(),
        judged_at: Timestamp::UNIX_EPOCH,
        limits: Limits::default(),
    };
    let options = ScanOptions {
        jobs: 2,
        cache: Some(cache),
        scratch: &tempfile::tempfile,
        progress: &|_| {},
        limits: Limits::default(),
        judge,
    };
    scan_image(engine, &meta, layers, &options)
}

fn blob(layer: &LayerBuilder) -> Box<dyn Layer> {
    let blob: Arc<[u8]> = layer.to_blob(Compression::Gzip).into();
    Box::new(TarLayer::new(blob.clone(), sha256(&blob), layer.diff_id(), pratique_fs::Limits::default()))
}

fn unreadable(layer: &LayerBuilder) -> Box<dyn Layer> {
    let error = Error::NotFound { path: "the blob".to_owned() };
    Box::new(UnreadableLayer::new(layer.diff_id(), &error))
}

/// Three secrets: by its own name, by a link, and in a folder that is a link.
fn layers() -> [LayerBuilder; 2] {
    [
        LayerBuilder::new()
            .dir("usr")
            .dir("usr/etc")
            .file("usr/etc/shadow", "by a folder")
            .file("key", "own"),
        LayerBuilder::new().symlink("etc", "usr/etc").symlink("my.key", "hidden").file("hidden", "by a link"),
    ]
}

#[test]
fn a_scan_from_the_cache_opens_no_blob_even_for_what_links_lead_to() {
    let (engine, cache) = (engine(&["etc/shadow", "**/key", "*.key"]), Memory::default());
    let cold = scan(&engine, layers().iter().map(blob).collect(), &cache);
    assert_eq!((cold.cached, cold.judged.facts.findings.len()), (0, 3));
    assert!(cold.judged.facts.gaps.is_empty(), "{:?}", cold.judged.facts.gaps);
    let warm = scan(&engine, layers().iter().map(unreadable).collect(), &cache);
    assert_eq!((warm.cached, warm.read.len()), (2, 0));
    assert_eq!(warm.judged, cold.judged);
}

#[test]
fn what_links_lead_to_is_kept_for_these_layers_and_rules_alone() {
    let (rules, cache) = (engine(&["etc/shadow", "**/key", "*.key"]), Memory::default());
    scan(&rules, layers().iter().map(blob).collect(), &cache);
    let more = LayerBuilder::new().file("hidden", "another");
    let [base, top] = layers();
    let scanned = scan(&rules, vec![blob(&base), blob(&top), blob(&more)], &cache);
    assert_eq!(scanned.cached, 2);
    assert!(
        scanned.judged.facts.findings.iter().any(|finding| finding.message.starts_with("another")),
        "{:?}",
        scanned.judged.facts.findings
    );
    let others = scan(&engine(&["*.key"]), vec![blob(&base), blob(&top)], &cache);
    assert_eq!((others.cached, others.judged.facts.findings.len()), (0, 1));
}

/// What one image says of a layer must not be taken for what another's layer of that name holds.
#[test]
fn what_is_kept_of_a_layer_serves_whom_its_proof_covers() {
    let (named, lies) = (LayerBuilder::new().file("key", "own"), LayerBuilder::new().file("key", "another"));
    let in_blob = |content: &LayerBuilder, check| -> Vec<Box<dyn Layer>> {
        let blob: Arc<[u8]> = content.to_blob(Compression::Gzip).into();
        let (digest, limits) = (sha256(&blob), pratique_fs::Limits::default());
        vec![Box::new(TarLayer::new(blob, digest, named.diff_id(), limits).checking(check))]
    };
    let in_file = |content: &LayerBuilder| -> Vec<Box<dyn Layer>> {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &content.to_tar()).unwrap();
        let limits = pratique_fs::Limits::default();
        let layer = TarLayer::new(BlobFile::new(file), named.diff_id(), named.diff_id(), limits);
        vec![Box::new(layer.checking(Check::Least))]
    };
    let (engine, cache) = (engine(&["**/key"]), Memory::default());
    let found = |layers| {
        let scanned = scan(&engine, layers, &cache);
        let message = scanned.judged.facts.findings.first().map(|finding| finding.message.clone());
        (scanned.cached, message.unwrap_or_default(), scanned.judged.facts.trust)
    };
    let (own, another) = (|text: String| text.starts_with("own"), |text: String| text.starts_with("another"));
    let told = |(cached, message, trust), is: fn(String) -> bool| (cached, is(message), trust);
    // Nothing is kept of what was not hashed.
    for _ in 0..2 {
        assert_eq!(told(found(in_file(&lies)), another), (0, true, Trust::Unchecked));
    }
    assert_eq!(told(found(in_blob(&lies, Check::Least)), another), (0, true, Trust::Blobs));
    assert_eq!(told(found(in_blob(&lies, Check::Least)), another), (1, true, Trust::Blobs));
    assert_eq!(told(found(in_blob(&named, Check::Least)), own), (0, true, Trust::Blobs));
    assert_eq!(told(found(in_blob(&named, Check::Content)), own), (0, true, Trust::Blobs));
    // What is proved to be the layer serves whoever names it.
    assert_eq!(told(found(in_file(&lies)), own), (1, true, Trust::Blobs));
    assert_eq!(told(found(in_blob(&lies, Check::Least)), own), (1, true, Trust::Blobs));
}

#[test]
fn what_could_not_be_followed_is_tried_again() {
    let engine = engine(&["etc/shadow"]);
    let layers = judging::read(&engine, &["l etc>/usr/etc; f usr/etc/shadow=bad"]);
    let root = FakeRoot::of(&[("etc/shadow", "bad")]);
    let whole = followed(&engine, &layers, &root, &Limits::default()).encode().unwrap();
    assert_eq!(Followed::decode(&whole, &Limits::default()).unwrap().files.len(), 1);
    let broken = FakeRoot { broken: vec![pratique_fs::FsPath::new("etc/shadow")], ..FakeRoot::default() };
    assert_eq!(followed(&engine, &layers, &broken, &Limits::default()).encode(), None);
}
