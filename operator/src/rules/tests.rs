//! Files of a folder and of an artifact of a real registry, and all that goes wrong with them.

use std::fs;

use pratique_registry::{ArtifactAddress, RegistryOptions, RetryPolicy};
use pratique_testkit::daemons::RegistryDaemon;

use super::*;

const RULE: &str = "rules: [{id: acme, description: ours, regex: 'ACME-[0-9]+', severity: High}]\n";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.0.path().join("rules").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn start(&self) -> Keeper {
        self.start_with(None).await
    }

    async fn start_with(&self, artifact: Option<&RegistryDaemon>) -> Keeper {
        let store = ReportStore::open(&self.0.path().join("store")).unwrap();
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let settings = artifact.map(|registry| settings(registry.port, "rules:1"));
        Keeper::start(self.0.path().join("rules"), settings, store, metrics).await
    }
}

fn settings(port: u16, name: &str) -> ArtifactSettings {
    let place = format!("127.0.0.1:{port}");
    let address = ArtifactAddress::parse(&format!("oci://{place}/{name}")).unwrap().unwrap();
    let retry = RetryPolicy { tries: 2, pause: Duration::from_millis(1), longest: Duration::from_secs(1) };
    let options = RegistryOptions { insecure: vec![place], retry, ..RegistryOptions::default() };
    ArtifactSettings { address, options, interval: Duration::from_secs(3600) }
}

/// Asks the registry again, and reads what it gave.
async fn pull(keeper: &mut Keeper) {
    let artifact = keeper.artifact.as_ref().unwrap();
    let mut pulled = artifact.pulled.clone();
    pulled.borrow_and_update();
    artifact.pull();
    tokio::time::timeout(Duration::from_secs(60), pulled.changed()).await.unwrap().unwrap();
    keeper.look().await;
}

fn names(rules: &Rules) -> Vec<String> {
    rules.sealed.open().unwrap().iter().map(|file| file.name.clone()).collect()
}

#[tokio::test]
async fn a_broken_file_leaves_the_old_rules_in_force_even_over_a_restart() {
    let place = Place::new();
    place.write("secrets/values/acme.yaml", RULE);
    place.write("dictionary/team/words", "quay\n");
    place.write("dictionary/team/..data", "what a volume keeps\n");
    let mut keeper = place.start().await;
    let in_force = keeper.in_force();
    let old = in_force.borrow().clone();
    assert_eq!(
        (names(&old), keeper.refusal.clone()),
        (vec!["team/words".into(), "values/acme.yaml".into()], None)
    );
    assert_eq!(old.revisions.keys().collect::<Vec<_>>(), ["secret", "weak-password"]);

    place.write("secrets/values/acme.yaml", "rules:\n- id: acme\n");
    place.write("dictionary/team/words", "pier\n");
    keeper.look().await;
    let reason = keeper.refusal.clone().unwrap();
    assert!(reason.starts_with("secrets/values/acme.yaml: line 2: "), "{reason}");
    assert_eq!((in_force.borrow().clone(), keeper.metrics.refused.get()), (old.clone(), 1));
    let again = place.start().await;
    assert_eq!((again.in_force().borrow().clone(), again.refusal), (old.clone(), Some(reason)));

    place.write("secrets/values/acme.yaml", RULE);
    keeper.look().await;
    let new = in_force.borrow().clone();
    assert_eq!((new.revisions["secret"] == old.revisions["secret"], keeper.refusal.clone()), (true, None));
    assert_ne!(new.revisions["weak-password"], old.revisions["weak-password"]);
    assert_eq!((keeper.metrics.refused.get(), keeper.metrics.files.get()), (0, 2));
}

#[tokio::test]
async fn broken_from_the_first_on_no_scan_is_all_that_is_wanted() {
    let place = Place::new();
    place.write("hashes/values/bad.txt", "nonsense\n");
    let keeper = place.start().await;
    assert_eq!(**keeper.in_force().borrow(), Rules::wanting());
    assert!(keeper.refusal.unwrap().starts_with("hashes/values/bad.txt: line 1: "));
}

#[tokio::test]
async fn without_files_there_are_no_rules_and_too_many_are_refused() {
    let place = Place::new();
    let mut keeper = place.start().await;
    assert_eq!(
        (keeper.in_force().borrow().as_ref().clone(), keeper.refusal.clone()),
        (Rules::default(), None)
    );
    place.write("hashes/values/long", &"#".repeat(MAX_BYTES + 1));
    keeper.look().await;
    assert!(keeper.refusal.unwrap().contains("too long"));
}

const YARA: &[u8] = b"rule Gate { condition: true }";

#[tokio::test]
async fn an_artifact_is_pulled_anew_and_a_broken_one_leaves_the_old_rules_in_force() {
    let (place, registry) = (Place::new(), RegistryDaemon::plain());
    let push = |files: &[(&str, &[u8])]| registry.push_artifact("rules", "1", files, None);
    push(&[("team/own.yar", YARA), ("shop.yaml", RULE.as_bytes())]);
    place.write("dictionary/values/words", "quay\n");
    let mut keeper = place.start_with(Some(&registry)).await;
    let in_force = keeper.in_force();
    let old = in_force.borrow().clone();
    assert_eq!(names(&old), ["values/words", "oci/shop.yaml", "oci/team/own.yar"]);
    assert_eq!((keeper.troubles(), keeper.metrics.files.get()), (Vec::new(), 3));

    push(&[("team/own.yar", b"rule Gate {\n  condition: $x }"), ("shop.yaml", RULE.as_bytes())]);
    pull(&mut keeper).await;
    let (reason, note) = keeper.troubles().remove(0);
    assert_eq!((reason, keeper.metrics.refused.get()), ("RulesRefused", 1));
    assert!(note.contains("stay in force: yara/oci/team/own.yar: line 2: ") && note.contains("$x"), "{note}");
    assert_eq!(*in_force.borrow(), old);
    let again = place.start_with(Some(&registry)).await;
    assert_eq!((again.in_force().borrow().clone(), again.troubles()), (old.clone(), vec![(reason, note)]));

    push(&[("team/own.yar", b"rule Gate { condition: false }")]);
    pull(&mut keeper).await;
    let new = in_force.borrow().clone();
    assert_eq!(
        (names(&new), keeper.troubles()),
        (vec!["values/words".into(), "oci/team/own.yar".into()], vec![])
    );
    assert!(new.revisions["malware"] != old.revisions["malware"] && !new.revisions.contains_key("secret"));
    assert_eq!((keeper.metrics.files.get(), keeper.metrics.refused.get()), (2, 0));
}

#[tokio::test]
async fn without_the_registry_what_was_pulled_stays_in_force_and_files_still_change() {
    let (place, registry) = (Place::new(), RegistryDaemon::plain());
    registry.push_artifact("rules", "1", &[("own.yar", YARA)], None);
    let mut keeper = place.start_with(Some(&registry)).await;
    let settings = settings(registry.port, "rules:1");
    drop(registry);
    pull(&mut keeper).await;
    let (reason, note) = keeper.troubles().remove(0);
    assert_eq!((reason, keeper.metrics.refused.get()), ("RulesNotPulled", 1));
    assert!(note.contains(&settings.address.to_string()) && note.contains("check host and port"), "{note}");
    place.write("dictionary/values/words", "quay\n");
    keeper.look().await;
    assert_eq!(names(&keeper.in_force().borrow()), ["values/words", "oci/own.yar"]);

    // A restart finds what the store kept, and says that there is no more.
    let store = ReportStore::open(&place.0.path().join("store")).unwrap();
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let again = Keeper::start(place.0.path().join("rules"), Some(settings), store, metrics).await;
    assert_eq!(names(&again.in_force().borrow()), ["values/words", "oci/own.yar"]);
    assert_eq!(again.troubles(), [(reason, note)]);
}

#[tokio::test]
async fn an_artifact_that_was_never_had_or_is_none_of_rules_is_no_empty_set_of_rules() {
    let (place, registry) = (Place::new(), RegistryDaemon::plain());
    place.write("secrets/values/acme.yaml", RULE);
    let mut keeper = place.start_with(Some(&registry)).await;
    for (files, reason) in [
        (&[][..], "404"),
        (&[("words.txt", &b"quay"[..])], "`words.txt`"),
        (&[("../own.yar", YARA)], "`../own.yar` is no name"),
        (&[("long.md5", &vec![b'#'; MAX_BYTES + 1][..])], "4194304 bytes together"),
    ] {
        if !files.is_empty() {
            registry.push_artifact("rules", "1", files, None);
        }
        pull(&mut keeper).await;
        let troubles = keeper.troubles();
        assert!(troubles.len() == 1 && troubles[0].0 == "RulesNotPulled", "{troubles:?}");
        assert!(troubles[0].1.contains(reason), "{troubles:?}");
        assert_eq!(**keeper.in_force().borrow(), Rules::wanting());
    }
    registry.push_artifact("rules", "1", &[("own.yar", YARA)], None);
    pull(&mut keeper).await;
    assert_eq!(names(&keeper.in_force().borrow()), ["values/acme.yaml", "oci/own.yar"]);
    assert_eq!(keeper.troubles(), []);
}

#[tokio::test]
async fn an_artifact_by_its_digest_is_asked_for_until_it_is_there() {
    let (place, registry) = (Place::new(), RegistryDaemon::plain());
    let digest = registry.push_artifact("rules", "1", &[("own.yar", YARA)], None);
    registry.push_artifact("rules", "1", &[("other.yar", YARA)], None);
    let store = ReportStore::open(&place.0.path().join("store")).unwrap();
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let named = settings(registry.port, &format!("rules@{digest}"));
    let keeper = Keeper::start(place.0.path().join("rules"), Some(named), store, metrics).await;
    assert_eq!(names(&keeper.in_force().borrow()), ["oci/own.yar"]);
    let mut pulled = keeper.artifact.as_ref().unwrap().pulled.clone();
    pulled.borrow_and_update();
    let ended = tokio::time::timeout(Duration::from_secs(60), pulled.changed()).await.unwrap();
    assert!(ended.is_err(), "nobody asks any more");
}
