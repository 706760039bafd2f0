//! Facts as bytes, and their key.

use pratique_core::{RuleFile, RuleFiles, RuleKind};
use pratique_detect::{Detector, UserRules};
use pratique_fs::{Opacity, Proof};
use proptest::prelude::*;

use pratique_testkit::sha256;

use super::fake::{Fake, FakeLayer, detector, engine};
use crate::{Engine, LayerFacts, LayerKey};

fn facts() -> LayerFacts {
    let lines =
        "d etc; f etc/shadow=weak; f etc/odd=odd; l etc/link>/x; w etc/gone; o opt; c etc/null; f b=y";
    FakeLayer::of(7, lines).facts(&engine(&["etc/*", "opt/*"]))
}

#[test]
fn facts_survive_being_bytes() {
    let facts = facts();
    assert!(!facts.files.is_empty() && !facts.links.is_empty() && !facts.opaque.is_empty());
    assert_eq!(LayerFacts::decode(&facts.encode()), Ok(facts));
}

#[test]
fn other_versions_and_what_follows_are_refused() {
    let sealed = |content: &[u8]| [content, &crate::sealed::checksum(content)].concat();
    let bytes = facts().encode();
    let content = &bytes[..bytes.len() - 16];
    assert!(LayerFacts::decode(&sealed(content)).is_ok());
    let mut newer = content.to_vec();
    newer[4] += 1;
    assert!(LayerFacts::decode(&sealed(&newer)).unwrap_err().to_string().contains("schema"));
    let longer = [content, b"x"].concat();
    assert!(LayerFacts::decode(&sealed(&longer)).unwrap_err().to_string().contains("follow"));
    assert!(LayerFacts::decode(&sealed(b"PqLF")).is_err());
    assert!(LayerFacts::decode(b"").is_err());
}

#[test]
fn unsorted_sets_are_refused() {
    let mut facts = facts();
    facts.files.reverse();
    assert!(LayerFacts::decode(&facts.encode()).is_err());
}

#[test]
fn the_key_differs_by_all_that_changes_facts_and_by_nothing_else() {
    let with = |fake: Fake| Engine::of(vec![detector(fake)], &[]).unwrap().rule_set().clone();
    let base = with(Fake::DEFAULT);
    assert_eq!(base, with(Fake::DEFAULT));
    for other in [
        Fake { id: "other", ..Fake::DEFAULT },
        Fake { version: 2, ..Fake::DEFAULT },
        Fake { globs: &["etc/shadow", "etc/passwd"], ..Fake::DEFAULT },
        Fake { window: 101, ..Fake::DEFAULT },
    ] {
        assert_ne!(base, with(other));
    }
    let both = |first: Fake, second: Fake| {
        Engine::of(vec![detector(first), detector(second)], &[]).unwrap().rule_set().clone()
    };
    let other = Fake { id: "other", ..Fake::DEFAULT };
    assert_eq!(both(Fake::DEFAULT, other), both(other, Fake::DEFAULT));

    let facts = facts();
    let keys = [Opacity::FromBlob, Opacity::FromFolder, Opacity::FromFolderBlind]
        .map(|opacity| LayerKey::new(&facts.diff_id, opacity, &Proof::DiffId, &facts.rule_set));
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    assert_eq!(facts.key(), keys[0]);
    let proved = |proof: Proof| {
        LayerKey::new(&facts.diff_id, facts.opacity, &proof, &facts.rule_set).map(|key| key.to_string())
    };
    let (one, other) = (Proof::Blob(sha256(b"one")), Proof::Blob(sha256(b"other")));
    assert_ne!(proved(one.clone()), proved(other));
    assert_ne!(proved(one), proved(Proof::DiffId));
    assert_eq!(proved(Proof::None), None);
}

#[test]
fn a_users_files_count_by_their_content_whether_or_not_they_are_read() {
    let files = |kind: RuleKind, content: &str| {
        RuleFiles::new(vec![RuleFile { kind, name: "a".to_owned(), content: content.into() }]).unwrap()
    };
    let engine = || Engine::new(&["secret".to_owned(), "weak-password".to_owned()], &[]).unwrap();
    let rules = "rules: [{id: acme, description: ours, regex: 'ACME-[0-9]+', severity: High}]";
    let (own, other) = (files(RuleKind::Secrets, rules), files(RuleKind::Secrets, "rules: []"));
    let (read, _) = UserRules::read(&own).unwrap_or_else(|error| panic!("{error}")).into_detectors(0);
    let read: Vec<&'static dyn Detector> =
        read.into_iter().map(|own| Box::leak(own) as &'static dyn Detector).collect();
    let given = |files: &RuleFiles| engine().given(files, &[]).unwrap();
    let with = engine().given(&own, &read).unwrap();
    assert_eq!(with.rule_set(), given(&own).rule_set());
    assert_eq!(with.versions(), given(&own).versions());
    assert_ne!(given(&own).rule_set(), engine().rule_set());
    assert_ne!(given(&own).rule_set(), given(&other).rule_set());
    assert!(with.versions()["secret"].contains('+') && !with.versions()["weak-password"].contains('+'));
    // Words are tried when an image is judged; checksums are of no detector that was selected.
    for none in [files(RuleKind::Dictionary, "quay"), files(RuleKind::Hashes, "#"), RuleFiles::default()] {
        assert_eq!(given(&none).rule_set(), engine().rule_set());
    }
    let words = given(&files(RuleKind::Dictionary, "quay"));
    assert_ne!(words.versions()["weak-password"], engine().versions()["weak-password"]);
}

#[test]
fn a_selection_is_checked() {
    assert!(Engine::new(&["no-such".to_owned()], &[]).err().unwrap().to_string().contains("`no-such`"));
    assert!(Engine::new(&[], &[]).err().unwrap().to_string().contains("no detector"));
    let all = Engine::new(&["*".to_owned()], &[]).unwrap();
    assert_eq!(all.versions().len(), pratique_detect::detectors::DETECTORS.len());
    let first = pratique_detect::detectors::DETECTORS[0].info().id.to_owned();
    assert_eq!(Engine::new(&[first.clone(), first], &[]).unwrap().detectors().len(), 1);
}

proptest! {
    #[test]
    fn random_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(LayerFacts::decode(&bytes).is_err());
    }

    /// Damage that the checksum sees.
    #[test]
    fn damaged_facts_are_an_error(place in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut bytes = facts().encode();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        prop_assert!(LayerFacts::decode(&bytes).is_err());
    }

    /// Hostile bytes with a checksum that fits: whatever comes out can be merged and written again.
    #[test]
    fn forged_facts_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
        let mut content = facts().encode();
        content.truncate(content.len() - 16);
        for (place, value) in changes {
            let place = place.index(content.len());
            content[place] = value;
        }
        content.truncate(content.len() - cut.index(3));
        let sum = crate::sealed::checksum(&content);
        content.extend(sum);
        if let Ok(facts) = LayerFacts::decode(&content) {
            let engine = engine(&["etc/*", "opt/*"]);
            let below = FakeLayer::of(1, "f etc/shadow=a").facts(&engine);
            crate::merge(&engine, &[&below, &facts]);
            prop_assert_eq!(LayerFacts::decode(&facts.encode()), Ok(facts));
        }
    }
}
