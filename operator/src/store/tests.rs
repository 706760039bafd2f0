use std::time::Instant;

use super::collect::Unused;
use super::*;
use crate::index::{Index, SharedIndex};
use crate::metrics::Metrics;
use crate::testing::{at, digest, facts, inventory, node_image, pod};
use tokio_util::sync::CancellationToken;

fn open(folder: &tempfile::TempDir) -> ReportStore {
    ReportStore::open(folder.path()).unwrap()
}

fn images(loaded: &Loaded) -> Vec<Digest> {
    let mut images: Vec<Digest> = loaded.facts.iter().map(|(facts, _)| facts.image.clone()).collect();
    images.sort();
    images
}

#[tokio::test]
async fn what_is_put_comes_back_and_what_is_deleted_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let seen = [FirstSeen { namespace: "shop".into(), image: digest(1), at: at(5) }];
    store.put(&facts(1, "amd64", false), at(7), None).await.unwrap();
    store.put(&facts(2, "amd64", false), at(8), None).await.unwrap();
    store.put_seen(&seen).await.unwrap();
    let attempts = [Learned { key: [7; 16], tried: 9, hit: true, at: at(6) }];
    store.put_attempts(&attempts).await.unwrap();
    store.delete(&digest(2)).await.unwrap();
    store.delete(&digest(2)).await.unwrap();

    let loaded = open(&folder).load().await.unwrap();
    assert_eq!(loaded.facts, [(facts(1, "amd64", false), at(7))]);
    assert_eq!(loaded.seen, seen);
    assert_eq!(loaded.attempts, attempts);

    // A table that is damaged begins anew, and takes nothing with it.
    std::fs::write(folder.path().join(attempts_path().as_ref()), b"nonsense").unwrap();
    let loaded = open(&folder).load().await.unwrap();
    assert_eq!((loaded.attempts, loaded.seen.len(), loaded.facts.len()), (vec![], 1, 1));
}

#[tokio::test]
async fn corrupt_objects_are_dropped_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for image in 1..=4 {
        store.put(&facts(image, "amd64", false), at(1), None).await.unwrap();
    }
    let file = |image: u8| folder.path().join(path_of(&digest(image)).as_ref());
    // Cut off, no zstd at all, and another image's facts under this image's name.
    let whole = std::fs::read(file(1)).unwrap();
    std::fs::write(file(1), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(file(2), b"nonsense").unwrap();
    std::fs::copy(file(4), file(3)).unwrap();

    let loaded = store.load().await.unwrap();
    assert_eq!((images(&loaded), loaded.dropped), (vec![digest(4)], 3));
    assert!(!file(1).exists() && !file(2).exists() && !file(3).exists());
    assert_eq!(store.load().await.unwrap().dropped, 0);
}

#[tokio::test]
async fn an_inventory_comes_back_and_a_start_knows_its_counts_without_reading_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let counts = PackageCounts::of(&inventory("zlib"));
    for image in 1..=3 {
        store.put_inventory(&digest(image), &inventory("zlib")).await.unwrap();
        store.put(&facts(image, "amd64", false), at(7), Some(counts.clone())).await.unwrap();
    }
    // One inventory is lost, one is cut off, and one belongs to no facts.
    let file = |image: u8| folder.path().join(inventory_path(&digest(image)).as_ref());
    std::fs::remove_file(file(2)).unwrap();
    let whole = std::fs::read(file(3)).unwrap();
    std::fs::write(file(3), &whole[..whole.len() / 2]).unwrap();
    store.put_inventory(&digest(4), &inventory("stray")).await.unwrap();

    let store = open(&folder);
    let loaded = store.load().await.unwrap();
    let mut listed = loaded.packages.clone();
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(images(&loaded), [digest(1), digest(2), digest(3)]);
    assert_eq!(listed, [(digest(1), counts.clone()), (digest(3), counts)]);
    assert!(!file(4).exists());
    assert_eq!(store.inventory(&digest(1)).await.unwrap(), Some(inventory("zlib")));
    assert_eq!(store.inventory(&digest(2)).await.unwrap(), None);
    assert_eq!(store.inventory(&digest(3)).await.unwrap(), None);
    assert!(!file(3).exists(), "what is corrupt is dropped");
    store.delete(&digest(1)).await.unwrap();
    assert_eq!(store.inventory(&digest(1)).await.unwrap(), None);
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_the_flag() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = ReportStore::open(&folder.path().join("file/store")).unwrap_err().to_string();
    assert!(error.contains("--store") && error.contains("file/store"), "{error}");
}

#[tokio::test]
async fn every_change_is_written_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.put(&facts(9, "amd64", false), at(1), None).await.unwrap();
    let index = SharedIndex::default();
    index.write().apply_facts(facts(9, "amd64", false).into());
    let changes = index.read().subscribe();
    let shutdown = CancellationToken::new();
    let metrics = Metrics::new(prometheus::Registry::new()).unwrap();
    let writer = tokio::spawn(write_behind(store.clone(), index.clone(), changes, metrics, shutdown.clone()));
    {
        let mut index = index.write();
        index.apply_facts(facts(1, "amd64", false).into());
        index.apply_facts(facts(2, "amd64", false).into());
        index.remove_facts(&digest(2));
        index.remove_facts(&digest(9));
        index.apply_first_seen("shop", &digest(1), at(3), at(4));
    }
    let written = async {
        while images(&store.load().await.unwrap()) != [digest(1)] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), written).await.unwrap();
    shutdown.cancel();
    writer.await.unwrap();
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.seen, [FirstSeen { namespace: "shop".into(), image: digest(1), at: at(3) }]);
}

#[test]
fn only_what_nobody_has_had_for_long_is_dropped() {
    let after = std::time::Duration::from_secs(100);
    let start = Instant::now();
    let mut index = Index::default();
    for image in 1..=3 {
        index.apply_facts(facts(image, "amd64", false).into());
    }
    index.reset_node_images("n1", vec![node_image(1, &[])]);
    index.apply_pod(&pod("shop", "a", "n1", &digest(102), 1));
    let mut unused = Unused::default();
    assert!(unused.due(&index, start, after).is_empty());
    // Image 3 is used for a moment: its time starts anew.
    index.apply_node_images("n1", vec![node_image(3, &[])], &[]);
    assert!(unused.due(&index, start + after, after).is_empty());
    index.apply_node_images("n1", vec![], &[digest(3)]);
    assert!(unused.due(&index, start + after, after).is_empty());
    assert_eq!(unused.due(&index, start + after * 2, after), [digest(3)]);
}
