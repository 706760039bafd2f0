use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as k8s;
use pratique_core::Reference;
use rstest::rstest;

use super::*;
use crate::testing::{at, digest, facts, node, node_image, pod};

const WEB: &str = "docker.io/shop/web:1";

/// Three nodes, of which `new` has no agent yet. Image 1 is `web:1` on n1; on n2 the same tag is image 2. Image 3 is
/// on n1 alone. Facts are known of 1 and 3.
fn index() -> Index {
    let mut index = Index::default();
    for (name, zone) in [("n1", "a"), ("n2", "b"), ("new", "c")] {
        index.apply_node(&node(name, "linux", "amd64", &[("zone", zone)]));
    }
    index.reset_node_images("n1", vec![node_image(1, &[WEB]), node_image(3, &["docker.io/shop/tool:1"])]);
    index.reset_node_images("n2", vec![node_image(2, &[WEB])]);
    index.apply_facts(Arc::new(facts(1, "amd64", false)));
    index.apply_facts(Arc::new(facts(3, "amd64", false)));
    index.set_freshness(Freshness::Leading);
    index
}

#[test]
fn the_base_of_an_image_is_the_known_one_with_the_most_of_its_layers() {
    let mut index = Index::default();
    let built = |image: u8, layers: &[u8]| {
        let layers = layers.iter().map(|byte| digest(*byte)).collect();
        Arc::new(ImageFacts { layers, ..facts(image, "amd64", false) })
    };
    for (image, layers) in [(1, &[101][..]), (2, &[101, 102]), (3, &[101, 102, 103]), (4, &[101, 102, 103])] {
        index.apply_facts(built(image, layers));
    }
    index.reset_node_images("n1", vec![node_image(1, &["docker.io/library/debian:12"])]);
    index.reset_node_images(
        "n2",
        vec![node_image(2, &["docker.io/library/python:3", "docker.io/b/python:3"])],
    );
    let base = |index: &Index, image: u8| {
        index.base(index.facts().get(&digest(image)).unwrap()).map(|base| (base.name, base.layers))
    };
    let named = |name: &str, layers| Some((Some(name.to_owned()), layers));
    assert_eq!(base(&index, 1), None, "itself is no base");
    assert_eq!(base(&index, 2), named("docker.io/library/debian:12", 1));
    assert_eq!(base(&index, 3), named("docker.io/b/python:3", 2), "an image with the same layers is none");
    index.remove_facts(&digest(2));
    assert_eq!(base(&index, 3), named("docker.io/library/debian:12", 1));
    index.apply_facts(built(1, &[104]));
    assert_eq!(base(&index, 3), None, "what an image was before is forgotten");
}

/// Candidates in short: `3` scanned, `2?` known and unscanned, `?reason`, `!` unsupported.
fn resolve(index: &Index, reference: &str, pull: PullPolicy, nodes: &[&str], now: Instant) -> Vec<String> {
    let reference: Reference = reference.parse().unwrap();
    let nodes: Vec<&Node> = nodes.iter().map(|name| index.cluster().node(name).unwrap()).collect();
    let byte = |digest: &Digest| u8::from_str_radix(&digest.hex()[..2], 16).unwrap();
    let candidates = index.resolve(&reference, pull, &nodes, now);
    let short = candidates.iter().map(|candidate| match candidate {
        Candidate::Scanned(facts) => byte(&facts.image).to_string(),
        Candidate::Unscanned { image: Some(image), .. } => format!("{}?", byte(image)),
        Candidate::Unscanned { image: None, reason } => format!("?{reason}"),
        Candidate::Unsupported { .. } => "!".to_owned(),
    });
    short.collect()
}

#[rstest]
#[case::the_tag_is_another_image_per_node(WEB, PullPolicy::IfNotPresent, &["n1", "n2"], &["1", "2?"])]
#[case::only_the_nodes_that_fit_count(WEB, PullPolicy::IfNotPresent, &["n1"], &["1"])]
#[case::a_node_that_lacks_it_would_pull("shop/tool:1", PullPolicy::IfNotPresent, &["n1", "n2"],
    &["3", "?node n2 would pull it, and the registry's digest is not known"])]
#[case::a_node_that_lacks_it_will_not_pull("shop/tool:1", PullPolicy::Never, &["n1", "n2"], &["3"])]
#[case::nobody_has_it_and_nobody_pulls("shop/none:1", PullPolicy::Never, &["n1"],
    &["?pull policy Never, and no node that fits has the image"])]
#[case::the_registry_decides(WEB, PullPolicy::Always, &["n1"],
    &["?pull policy Always: the registry decides, its digest is not known"])]
#[case::no_agent_has_reported(WEB, PullPolicy::Never, &["n1", "new"], &["1", "?no agent has reported node new yet"])]
#[case::no_node_fits(WEB, PullPolicy::Never, &[], &["?no node fits the pod's node name, selector or affinity"])]
fn tags_mean_what_the_kubelets_would_run(
    #[case] reference: &str,
    #[case] pull: PullPolicy,
    #[case] nodes: &[&str],
    #[case] expected: &[&str],
) {
    assert_eq!(resolve(&index(), reference, pull, nodes, Instant::now()), expected);
}

#[rstest]
#[case::config(1, &["1"])]
#[case::manifest(101, &["1"])]
#[case::manifest_of_an_image_nobody_scanned(102, &["2?"])]
#[case::unknown(77, &["?no node has an image with this digest yet"])]
fn digests_mean_one_image_whatever_the_pull_policy(#[case] byte: u8, #[case] expected: &[&str]) {
    for pull in [PullPolicy::Always, PullPolicy::IfNotPresent, PullPolicy::Never] {
        let reference = format!("shop/web@{}", digest(byte));
        assert_eq!(resolve(&index(), &reference, pull, &["n1", "new"], Instant::now()), expected);
    }
}

#[test]
fn an_image_id_in_place_of_a_name_is_a_digest() {
    let id = digest(1).to_string();
    assert_eq!(resolve(&index(), &id, PullPolicy::Never, &["n1"], Instant::now()), ["1"]);
}

#[test]
fn an_index_digest_means_one_image_per_platform_of_the_nodes() {
    let mut index = index();
    index.apply_facts(Arc::new(facts(4, "amd64", true)));
    let reference = format!("shop/multi@{}", digest(200));
    let ask = |index: &Index, nodes: &[&str]| {
        resolve(index, &reference, PullPolicy::IfNotPresent, nodes, Instant::now())
    };
    assert_eq!(ask(&index, &["n1"]), ["4"]);
    index.apply_node(&node("arm", "linux", "arm64", &[]));
    assert_eq!(ask(&index, &["n1", "arm"]), ["4", "?the image for linux/arm64 is on no node yet"]);
    index.apply_facts(Arc::new(facts(5, "arm64", true)));
    assert_eq!(ask(&index, &["n1", "arm"]), ["4", "5"]);
    assert_eq!(ask(&index, &["arm"]), ["5"]);
}

#[test]
fn nodes_that_nobody_can_scan_are_unsupported() {
    let mut index = index();
    index.apply_node(&node("win", "windows", "amd64", &[]));
    assert_eq!(resolve(&index, WEB, PullPolicy::Never, &["n1", "win"], Instant::now()), ["1", "!"]);
    assert_eq!(resolve(&index, WEB, PullPolicy::Always, &["win"], Instant::now()), ["!"]);
}

#[test]
fn a_replica_that_is_behind_knows_nothing() {
    let mut index = index();
    let received = Instant::now();
    index.set_freshness(Freshness::Following { received, lag: Duration::ZERO });
    let ask = |index: &Index, seconds| {
        resolve(index, WEB, PullPolicy::Never, &["n1"], received + Duration::from_secs(seconds))
    };
    assert_eq!(ask(&index, 30), ["1"]);
    assert_eq!(ask(&index, 31), ["?this replica of the operator has lost touch with its leader"]);
    index.set_freshness(Freshness::Following { received, lag: Duration::from_secs(20) });
    assert_eq!(ask(&index, 11), ["?this replica of the operator has lost touch with its leader"]);
    index.set_freshness(Freshness::Never);
    assert_eq!(ask(&index, 0).len(), 1);
}

#[rstest]
#[case(None, "nginx", PullPolicy::Always)]
#[case(None, "nginx:latest", PullPolicy::Always)]
#[case(None, "nginx:1", PullPolicy::IfNotPresent)]
#[case(Some("Never"), "nginx", PullPolicy::Never)]
#[case(Some("Always"), "nginx:1", PullPolicy::Always)]
fn the_default_pull_policy_is_kubernetes(
    #[case] written: Option<&str>,
    #[case] image: &str,
    #[case] expected: PullPolicy,
) {
    assert_eq!(PullPolicy::of(written, &image.parse().unwrap()), expected);
}

#[test]
fn a_digest_is_not_pulled_anew_by_default() {
    let reference = format!("nginx@{}", digest(1)).parse().unwrap();
    assert_eq!(PullPolicy::of(None, &reference), PullPolicy::IfNotPresent);
}

fn affinity(operator: &str, key: &str, values: &[&str], field: bool) -> k8s::PodSpec {
    let requirement = vec![k8s::NodeSelectorRequirement {
        key: key.into(),
        operator: operator.into(),
        values: Some(values.iter().map(|&value| value.to_owned()).collect()),
    }];
    let term = if field {
        k8s::NodeSelectorTerm { match_fields: Some(requirement), ..Default::default() }
    } else {
        k8s::NodeSelectorTerm { match_expressions: Some(requirement), ..Default::default() }
    };
    let selector = k8s::NodeSelector { node_selector_terms: vec![k8s::NodeSelectorTerm::default(), term] };
    k8s::PodSpec {
        affinity: Some(k8s::Affinity {
            node_affinity: Some(k8s::NodeAffinity {
                required_during_scheduling_ignored_during_execution: Some(selector),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[rstest]
#[case::anywhere(k8s::PodSpec::default(), &["n1", "n2", "new"])]
#[case::bound(k8s::PodSpec { node_name: Some("n2".into()), ..Default::default() }, &["n2"])]
#[case::selector(
    k8s::PodSpec { node_selector: Some([("zone".to_owned(), "a".to_owned())].into()), ..Default::default() }, &["n1"])]
#[case::windows(k8s::PodSpec { os: Some(k8s::PodOS { name: "windows".into() }), ..Default::default() }, &[])]
#[case::in_(affinity("In", "zone", &["a", "b"], false), &["n1", "n2"])]
#[case::not_in(affinity("NotIn", "zone", &["a", "b"], false), &["new"])]
#[case::not_in_of_a_label_nobody_has(affinity("NotIn", "disk", &["ssd"], false), &["n1", "n2", "new"])]
#[case::exists(affinity("Exists", "disk", &[], false), &[])]
#[case::does_not_exist(affinity("DoesNotExist", "disk", &[], false), &["n1", "n2", "new"])]
#[case::greater_than_what_is_no_number(affinity("Gt", "zone", &["1"], false), &[])]
#[case::one_node_by_its_field(affinity("In", "metadata.name", &["n2"], true), &["n2"])]
#[case::an_operator_nobody_knows(affinity("Near", "zone", &["a"], false), &[])]
fn nodes_are_eligible_as_the_scheduler_has_it(#[case] spec: k8s::PodSpec, #[case] expected: &[&str]) {
    let index = index();
    let names: Vec<&str> = index.eligible_nodes(&spec).iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, expected);
}

#[test]
fn numbers_are_compared_as_numbers() {
    let mut index = Index::default();
    for (name, cores) in [("small", "9"), ("large", "10")] {
        index.apply_node(&node(name, "linux", "amd64", &[("cores", cores)]));
    }
    let names = |spec: &k8s::PodSpec| {
        index.eligible_nodes(spec).iter().map(|node| node.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&affinity("Gt", "cores", &["9"], false)), ["large"]);
    assert_eq!(names(&affinity("Lt", "cores", &["10"], false)), ["small"]);
}

#[test]
fn a_tag_that_moves_on_a_node_leaves_nothing_behind() {
    let mut index = index();
    // The agent says first that the tag is another image's, then that the old image lost it.
    index.apply_node_images("n1", vec![node_image(9, &[WEB])], &[]);
    index.apply_node_images("n1", vec![node_image(1, &[])], &[]);
    assert_eq!(resolve(&index, WEB, PullPolicy::Never, &["n1"], Instant::now()), ["9?"]);
    index.apply_node_images("n1", vec![], &[digest(9), digest(1), digest(3)]);
    index.remove_node_images("n2");
    assert_eq!(index.nodes().images().len(), 0);
    assert_eq!(index.nodes().by_alias(&digest(101)).count(), 0);
}

#[test]
fn a_manifest_on_two_nodes_is_known_until_the_last_loses_it() {
    let mut index = index();
    index.apply_node_images("n2", vec![node_image(3, &[])], &[]);
    index.remove_facts(&digest(3));
    index.apply_node_images("n1", vec![], &[digest(3)]);
    assert_eq!(index.images_of(&digest(103)), [digest(3)].into());
    index.apply_node_images("n2", vec![], &[digest(3)]);
    assert!(index.images_of(&digest(103)).is_empty());
}

fn note(index: &mut Index, second: i64) {
    let running = index.running_since(at(second));
    index.refresh_seen(running, at(second), Duration::from_secs(100));
}

#[test]
fn what_runs_is_first_seen_when_its_pod_started() {
    let mut index = index();
    index.apply_pod(&pod("shop", "a", "n1", &digest(101), 500));
    note(&mut index, 1_000);
    assert_eq!(index.seen().get("shop", &digest(1)), Some(at(500)));
    index.apply_pod(&pod("shop", "b", "n1", &digest(101), 400));
    note(&mut index, 1_001);
    assert_eq!(index.seen().get("shop", &digest(1)), Some(at(400)), "an older pod counts");

    index.remove_pod("shop", "a");
    index.remove_pod("shop", "b");
    note(&mut index, 1_101);
    assert_eq!(index.seen().get("shop", &digest(1)), Some(at(400)));
    note(&mut index, 1_102);
    assert_eq!(index.seen().get("shop", &digest(1)), None, "and is forgotten when it has not run for long");
}

#[test]
fn a_pod_that_has_ended_is_gone() {
    let mut index = index();
    let mut ended = pod("shop", "a", "n1", &digest(101), 500);
    index.apply_pod(&ended);
    assert_eq!(index.running_images().count(), 1);
    ended.status.as_mut().unwrap().phase = Some("Failed".into());
    index.apply_pod(&ended);
    assert!(index.cluster().pod("shop", "a").is_none());
}

#[test]
fn facts_that_say_the_same_again_are_known_since_the_first() {
    let mut index = Index::default();
    index.apply_facts(Arc::new(facts(1, "amd64", false)));
    let mut changes = index.subscribe();
    let again = ImageFacts { judged_at: at(2_000), ..facts(1, "amd64", false) };
    index.apply_facts(Arc::new(again.clone()));
    assert_eq!(index.facts().since(&digest(1)), Some(at(1_000)));
    assert_eq!(changes.try_recv(), Ok(Change::Facts(digest(1))));
    index.apply_facts(Arc::new(again));
    assert!(changes.try_recv().is_err(), "nothing new, no change");
    let failed = ImageFacts { judged_at: at(3_000), error: Some("gone".into()), ..facts(1, "amd64", false) };
    index.apply_facts(Arc::new(failed));
    assert_eq!(index.facts().since(&digest(1)), Some(at(3_000)));
}
