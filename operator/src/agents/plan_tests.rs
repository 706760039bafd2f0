use pratique_core::policy::{Policy, PolicySpec};
use pratique_core::{Gap, GapKind};
use rstest::rstest;

use super::*;
use crate::testing::{at, digest, facts, node_image};

/// Claim, image, node.
type Assigned = (String, Digest, String);

/// Claim, node.
type Withdrawn = (String, String);

/// A planner with its own clock over an index of nodes and images.
struct Scene {
    planner: Planner,
    index: Index,
    wanted: Wanted,
    now: Instant,
}

impl Scene {
    /// `images`: which nodes have image 1, 2, 3…
    fn new(images: &[&[&str]]) -> Self {
        let mut index = Index::default();
        for (number, nodes) in (1..).zip(images) {
            for node in *nodes {
                index.apply_node_images(node, vec![node_image(number, &[])], &[]);
            }
        }
        let wanted = Wanted { detectors: [("weak-password".to_owned(), 1)].into(), ..Wanted::default() };
        let mut scene = Self { planner: Planner::new(Limits::default()), index, wanted, now: Instant::now() };
        for node in ["a", "b", "c"] {
            scene.planner.connect(node, "1");
        }
        scene
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// Assignments as (claim, image, node), by image; withdrawals are returned apart.
    fn plan(&mut self) -> (Vec<Assigned>, Vec<Withdrawn>) {
        self.plan_picking(&mut |_| 0)
    }

    fn plan_picking(&mut self, pick: &mut dyn FnMut(usize) -> usize) -> (Vec<Assigned>, Vec<Withdrawn>) {
        let (mut assigned, mut withdrawn) = (vec![], vec![]);
        for step in self.planner.plan(&self.index, &self.wanted, (self.now, at(2_000)), pick).0 {
            match step {
                Step::Assign { id, claim } => assigned.push((id, claim.image, claim.node)),
                Step::Withdraw { id, node } => withdrawn.push((id, node)),
            }
        }
        assigned.sort_by(|left, right| left.1.cmp(&right.1));
        (assigned, withdrawn)
    }

    /// The one assignment that is expected.
    fn plan_one(&mut self) -> (String, String) {
        let (mut assigned, _) = self.plan();
        assert_eq!(assigned.len(), 1, "{assigned:?}");
        let (id, _, node) = assigned.remove(0);
        (id, node)
    }

    fn plan_none(&mut self) {
        assert_eq!(self.plan().0, []);
    }
}

#[test]
fn an_image_on_three_nodes_is_scanned_by_one_chosen_at_random() {
    for chosen in 0..3 {
        let mut scene = Scene::new(&[&["a", "b", "c"]]);
        let (assigned, _) = scene.plan_picking(&mut |below| {
            assert_eq!(below, 3);
            chosen
        });
        assert_eq!(assigned[0].2, ["a", "b", "c"][chosen]);
        scene.plan_none();
    }
}

#[test]
fn two_images_on_the_same_two_nodes_go_to_both() {
    let mut scene = Scene::new(&[&["a", "b"], &["a", "b"]]);
    let (assigned, _) = scene.plan();
    let nodes: BTreeSet<&str> = assigned.iter().map(|(_, _, node)| node.as_str()).collect();
    assert_eq!(nodes, ["a", "b"].into());
}

#[test]
fn a_node_gets_no_more_than_its_share_and_the_rest_waits() {
    let mut scene = Scene::new(&[&["a"], &["a"], &["a"], &["a"]]);
    let (steps, waiting) =
        scene.planner.plan(&scene.index, &scene.wanted, (scene.now, at(2_000)), &mut |_| 0);
    assert_eq!((steps.len(), waiting, scene.planner.open()), (2, 2, 2));
}

#[test]
fn who_still_holds_the_result_sends_it_however_busy() {
    let mut scene = Scene::new(&[&["a", "b"], &["b"]]);
    scene.index.remove_node_images("c");
    let (_, on_b) = {
        scene.index.apply_facts(std::sync::Arc::new(facts(1, "amd64", false)));
        scene.plan_one()
    };
    assert_eq!(on_b, "b");
    let holder = NodeImage { detectors_done: vec!["weak-password@1".into()], ..node_image(1, &[]) };
    scene.index.apply_node_images("b", vec![holder], &[]);
    scene.index.remove_facts(&digest(1));
    assert_eq!(scene.plan_one().1, "b");
}

#[test]
fn who_still_holds_the_result_is_waited_for_when_it_has_its_share() {
    let mut scene = Scene::new(&[&["a", "b"], &["b"], &["b"]]);
    scene.index.apply_facts(std::sync::Arc::new(facts(1, "amd64", false)));
    let (assigned, _) = scene.plan();
    assert_eq!(assigned.len(), 2, "b has its share");
    let holder = NodeImage { detectors_done: vec!["weak-password@1".into()], ..node_image(1, &[]) };
    scene.index.apply_node_images("b", vec![holder], &[]);
    scene.index.remove_facts(&digest(1));
    scene.plan_none();
    scene.index.apply_facts(std::sync::Arc::new(facts(2, "amd64", false)));
    scene.planner.succeeded(&assigned[0].0, &facts(2, "amd64", false), false, &scene.wanted);
    assert_eq!(scene.plan_one().1, "b");
}

#[test]
fn a_quiet_claim_is_withdrawn_and_given_to_another() {
    let mut scene = Scene::new(&[&["a", "b"]]);
    let (first, node) = scene.plan_one();
    for _ in 0..10 {
        scene.pass(40);
        scene.planner.pulse(&node, [first.as_str()], scene.now);
        scene.plan_none();
    }
    scene.pass(46);
    let (assigned, withdrawn) = scene.plan();
    assert_eq!(withdrawn, [(first.clone(), node.clone())]);
    assert_ne!(assigned[0].2, node);
    assert!(scene.planner.claim(&first, &node).is_none(), "its late result is no longer wanted");
}

#[test]
fn a_pulse_of_another_node_keeps_no_claim() {
    let mut scene = Scene::new(&[&["a", "b"]]);
    let (first, node) = scene.plan_one();
    let other = if node == "a" { "b" } else { "a" };
    scene.pass(40);
    scene.planner.pulse(other, [first.as_str()], scene.now);
    scene.pass(6);
    assert_eq!(scene.plan().1.len(), 1);
}

#[test]
fn a_claim_does_not_live_for_ever_however_alive_its_node() {
    let mut scene = Scene::new(&[&["a", "b"]]);
    let (first, node) = scene.plan_one();
    for _ in 0..91 {
        scene.pass(40);
        scene.planner.pulse(&node, [first.as_str()], scene.now);
    }
    assert_eq!(scene.plan().1, [(first, node)]);
}

#[test]
fn a_node_that_goes_leaves_its_claims_to_others_at_once() {
    let mut scene = Scene::new(&[&["a", "b"]]);
    let (_, node) = scene.plan_one();
    scene.planner.disconnect(&node);
    assert_ne!(scene.plan_one().1, node);
}

#[test]
fn the_claims_of_an_earlier_stream_are_void() {
    let mut scene = Scene::new(&[&["a"]]);
    let (first, _) = scene.plan_one();
    scene.planner.connect("a", "1");
    assert!(scene.planner.claim(&first, "a").is_none());
    assert_ne!(scene.plan_one().0, first);
}

#[test]
fn what_is_handed_back_goes_to_another_and_later_to_the_same() {
    let mut scene = Scene::new(&[&["a"]]);
    let (id, node) = scene.plan_one();
    scene.planner.handed_back(&id, &node, scene.now);
    scene.plan_none();
    scene.pass(30);
    scene.plan_one();
}

#[test]
fn failures_are_tried_again_ever_more_rarely_and_not_for_ever() {
    let mut scene = Scene::new(&[&["a"]]);
    let mut waits = vec![];
    for failure in 1..=10 {
        let (id, _) = scene.plan_one();
        assert_eq!(scene.planner.failed(&id, scene.now), failure);
        if failure == 10 {
            break;
        }
        let mut waited = 0;
        while scene.planner.plan(&scene.index, &scene.wanted, (scene.now, at(2_000)), &mut |_| 0).0.is_empty()
        {
            scene.pass(30);
            waited += 30;
        }
        waits.push(waited);
        // The plan that ended the wait assigned it: hand it back without a count, from a node that is then passed over.
        scene.planner.connect("a", "1");
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    scene.pass(1_000_000);
    scene.plan_none();
    scene.planner.connect("a", "2");
    scene.plan_one();
}

#[test]
fn a_success_ends_it_and_old_facts_are_judged_anew() {
    let mut scene = Scene::new(&[&["a"]]);
    scene.wanted.rejudge_after = Some(SignedDuration::from_secs(500));
    let (id, _) = scene.plan_one();
    let fresh = ImageFacts { judged_at: at(1_600), ..facts(1, "amd64", false) };
    scene.planner.succeeded(&id, &fresh, false, &scene.wanted);
    scene.index.apply_facts(fresh.into());
    scene.plan_none();
    scene.index.apply_facts(ImageFacts { judged_at: at(1_499), ..facts(1, "amd64", false) }.into());
    scene.plan_one();
}

#[test]
fn facts_with_gaps_are_judged_anew_after_an_hour() {
    let mut scene = Scene::new(&[&["a"]]);
    let gap = Gap::of_image(GapKind::Malformed, "it breaks off in the middle");
    let incomplete = |age: i64| ImageFacts {
        judged_at: at(2_000 - age),
        gaps: vec![gap.clone()],
        ..facts(1, "amd64", false)
    };
    scene.index.apply_facts(incomplete(3_600).into());
    scene.plan_none();
    // What no advisory covers no agent can add.
    let mut uncovered = incomplete(3_601);
    uncovered.gaps[0].detector = Some("vulnerability".into());
    scene.index.apply_facts(uncovered.into());
    scene.plan_none();
    scene.index.apply_facts(incomplete(3_601).into());
    scene.plan_one();
}

#[test]
fn an_agent_with_older_rules_is_asked_once_and_a_newer_one_again() {
    let mut scene = Scene::new(&[&["a", "b"]]);
    scene.wanted.detectors = [("weak-password".to_owned(), 2)].into();
    scene.planner.disconnect("b");
    let (id, _) = scene.plan_one();
    let old = facts(1, "amd64", false);
    scene.planner.succeeded(&id, &old, false, &scene.wanted);
    scene.index.apply_facts(old.into());
    scene.plan_none();
    scene.planner.connect("b", "2");
    assert_eq!(scene.plan_one().1, "b");
}

#[test]
fn what_was_under_way_when_the_rules_changed_is_given_again_at_once() {
    let files = |revision: &str| [("weak-password".to_owned(), revision.to_owned())].into();
    let mut scene = Scene::new(&[&["a"], &["a"]]);
    scene.wanted.revisions = files("aa");
    let (under_way, _) = scene.plan();
    scene.wanted.revisions = files("bb");
    scene.plan_none();
    let mut old = facts(1, "amd64", false);
    old.detectors.insert("weak-password".into(), "1+aa".into());
    scene.planner.succeeded(&under_way[0].0, &old, false, &scene.wanted);
    scene.index.apply_facts(old.into());
    scene.planner.handed_back(&under_way[1].0, "a", scene.now);
    let (again, _) = scene.plan();
    let images =
        |assigned: &[Assigned]| assigned.iter().map(|(_, image, _)| image.clone()).collect::<Vec<_>>();
    assert_eq!(images(&again), images(&under_way));
}

#[test]
fn without_policies_nothing_is_scanned() {
    let mut scene = Scene::new(&[&["a"]]);
    scene.wanted = Wanted::of(&[], &Revisions::new());
    scene.plan_none();
}

#[test]
fn other_files_of_the_users_have_images_scanned_anew_once() {
    let mut scene = Scene::new(&[&["a"]]);
    let scanned = |ran: &str| {
        let mut facts = facts(1, "amd64", false);
        facts.detectors.insert("weak-password".into(), ran.into());
        facts
    };
    scene.index.apply_facts(scanned("1").into());
    scene.plan_none();
    for revision in ["aa", "bb"] {
        scene.wanted.revisions = [("weak-password".to_owned(), revision.to_owned())].into();
        let (id, _) = scene.plan_one();
        let facts = scanned(&format!("1+{revision}"));
        scene.planner.succeeded(&id, &facts, false, &scene.wanted);
        scene.index.apply_facts(facts.into());
        scene.plan_none();
    }
    scene.wanted.revisions.clear();
    scene.plan_one();
}

#[rstest]
#[case("1", false)]
#[case("1+older", true)]
#[case("1+aa", true)]
fn a_detector_that_went_by_no_file_of_the_users_did_not_run(#[case] ran: &str, #[case] expected: bool) {
    let revisions = [("secret".to_owned(), "aa".to_owned())].into();
    let wanted = Wanted { revisions, ..Wanted::default() };
    let mut facts = facts(1, "amd64", false);
    facts.detectors = [("secret".to_owned(), ran.to_owned()), ("malware".to_owned(), "1".to_owned())].into();
    let credited = wanted.credited(facts);
    assert_eq!(
        (credited.detectors.contains_key("secret"), credited.detectors.len()),
        (expected, 1 + usize::from(expected))
    );
}

#[rstest]
#[case(720, Some(360 * 3600))]
#[case(1, Some(30 * 60))]
fn images_are_judged_anew_at_half_the_youngest_age(#[case] hours: i64, #[case] expected: Option<i64>) {
    let policy = |name: &str, hours| {
        let spec =
            PolicySpec { max_scan_age: SignedDuration::from_hours(hours), ..PolicySpec::new(name, at(0)) };
        Arc::new(Policy::compile(&spec).unwrap())
    };
    let wanted = Wanted::of(&[policy("a", 1000), policy("b", hours)], &Revisions::new());
    assert_eq!(wanted.rejudge_after.map(|age| age.as_secs()), expected);
    assert!(wanted.detectors.contains_key("weak-password"));
}
