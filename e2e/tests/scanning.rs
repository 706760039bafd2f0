//! Which images are scanned, by whom, how often, and what their reports say.

use pratique_e2e::images::{base, new_weak_hash, weak_root};
use pratique_e2e::reports::{find, report};
use pratique_e2e::{Cluster, Image, Namespace, eventually, pod, stock};
use pratique_testkit::LayerBuilder;
use serde_json::json;

/// Sum of a metric over the agents of all nodes.
fn over_agents(cluster: &Cluster, metric: &str) -> f64 {
    cluster.nodes().iter().map(|node| cluster.metric(&cluster.agent_on(node), metric)).sum()
}

#[test]
fn an_image_on_both_nodes_is_scanned_by_one_of_them() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "once");
    let image = Image::risky("once/app:1").push(&cluster);
    let before = over_agents(&cluster, "pratique_agent_layers_read_total");
    stock(&namespace, &cluster.nodes(), &[&image.reference]);
    let found = report(&cluster, image.built.config.as_str());

    assert_eq!(found["status"]["verdict"], "Findings", "{found}");
    let scanner = found["status"]["scannedBy"].as_str().unwrap_or_default().to_owned();
    assert!(cluster.nodes().contains(&scanner), "scannedBy names a node: {found}");
    let text = found.to_string();
    assert!(
        text.contains("account root") && text.contains("/etc/shadow") && !text.contains("changeme"),
        "{text}"
    );
    let read = over_agents(&cluster, "pratique_agent_layers_read_total") - before;
    assert_eq!(read, 2.0, "both layers are read once over all nodes");
}

#[test]
fn layers_that_two_images_share_are_read_once() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "shared");
    let node = &cluster.nodes()[..1];
    let first = Image::of("shared/first:1", [base("shared"), LayerBuilder::new().file("opt/first", "1")])
        .push(&cluster);
    stock(&namespace, node, &[&first.reference]);
    report(&cluster, first.built.config.as_str());

    let agent = cluster.agent_on(&node[0]);
    let (read, cached) = (
        cluster.metric(&agent, "pratique_agent_layers_read_total"),
        cluster.metric(&agent, "pratique_agent_layers_cached_total"),
    );
    let second = Image::of("shared/second:1", [base("shared"), weak_root("shared")]).push(&cluster);
    stock(&namespace, node, &[&second.reference]);
    let found = report(&cluster, second.built.config.as_str());
    assert_eq!(found["status"]["verdict"], "Findings", "{found}");
    assert_eq!(
        cluster.metric(&agent, "pratique_agent_layers_read_total") - read,
        1.0,
        "only the new layer is read"
    );
    assert_eq!(
        cluster.metric(&agent, "pratique_agent_layers_cached_total") - cached,
        1.0,
        "the shared one comes from the cache"
    );
}

#[test]
fn a_hash_on_two_nodes_is_guessed_on_one_of_them() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "hash");
    let nodes = cluster.nodes();
    let shadow = format!("root:{}:19000:0:99999:7:::\n", new_weak_hash());
    let weak = LayerBuilder::new().file("etc/shadow", shadow).owned(0o640, 0, 42);
    let mut guesses = Vec::new();
    for (node, name) in nodes.iter().zip(["hash/first:1", "hash/second:1"]) {
        let agent = cluster.agent_on(node);
        let made = || cluster.metric(&agent, "pratique_agent_password_guesses_total");
        let before = made();
        let image = Image::of(name, [base(name), weak.clone()]).push(&cluster);
        stock(&namespace, std::slice::from_ref(node), &[&image.reference]);
        let found = report(&cluster, image.built.config.as_str()).to_string();
        assert!(found.contains("account root has a weak password"), "{found}");
        guesses.push(made() - before);
    }
    assert!(guesses[0] > 40.0, "the first node guesses: {guesses:?}");
    assert_eq!(guesses[1], 1.0, "the second makes the one guess that hit: {guesses:?}");
}

#[test]
fn one_report_is_found_by_tag_manifest_index_and_config_digest() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "names");
    let (image, index) = Image::risky("names/app:1").push_as_index(&cluster);
    let by_index = format!("{}@{index}", image.repository);
    stock(&namespace, &cluster.nodes()[..1], &[&image.reference, &by_index, &image.by_digest()]);
    let names = [
        image.reference.as_str(),
        index.as_str(),
        image.built.manifest.as_str(),
        image.built.config.as_str(),
    ];
    // The scan may be done before the node has all of its names.
    eventually(60, "the report says all names", || {
        let text = report(&cluster, image.built.config.as_str()).to_string();
        match names.iter().find(|name| !text.contains(**name)) {
            Some(name) => Err(format!("the report lacks {name}: {text}")),
            None => Ok(()),
        }
    });
    let _policy = namespace.policy(
        "planted",
        json!({"enforcement": "Enforce", "deny": [{"name": "planted", "finding": {"categories": ["WeakPassword"]}}]}),
    );
    for reference in [&image.reference, &by_index, &image.by_digest()] {
        let refusal = namespace.dry_run(&pod("risky", reference)).expect_err(reference);
        assert!(
            refusal.contains(image.built.config.short()),
            "{reference} leads to another image: {refusal}"
        );
    }
    let all = cluster.list(&["scanreports"]);
    let same = all.iter().filter(|r| r["spec"]["image"] == image.built.config.as_str()).count();
    assert_eq!(same, 1, "one image, one report");
}

#[test]
fn what_a_whiteout_or_an_opaque_folder_hides_is_not_reported() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "hidden");
    let removed = Image::of(
        "hidden/whiteout:1",
        [base("whiteout"), weak_root("whiteout"), LayerBuilder::new().whiteout("etc/shadow")],
    );
    let replaced = Image::of(
        "hidden/opaque:1",
        [
            base("opaque"),
            weak_root("opaque"),
            LayerBuilder::new().opaque("etc").file("etc/passwd", "root:x:0:0::/:/bin/busybox\n"),
        ],
    );
    let again = Image::of(
        "hidden/again:1",
        [base("again"), LayerBuilder::new().whiteout("etc/shadow"), weak_root("again")],
    );
    let images = [removed, replaced, again].map(|image| image.push(&cluster));
    stock(&namespace, &cluster.nodes()[..1], &images.each_ref().map(|image| image.reference.as_str()));
    for (image, verdict) in images.iter().zip(["Clean", "Clean", "Findings"]) {
        let found = report(&cluster, image.built.config.as_str());
        assert_eq!(found["status"]["verdict"], verdict, "{}: {found}", image.reference);
    }
}

#[test]
fn a_report_of_an_image_that_is_gone_and_a_new_one_do_not_mix() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "moved");
    let first = Image::risky("moved/app:1").push(&cluster);
    stock(&namespace, &cluster.nodes()[..1], &[&first.reference]);
    report(&cluster, first.built.config.as_str());
    let second = Image::clean("moved/app:1").push(&cluster);
    let mut pull = pratique_e2e::pod("pull", &second.reference);
    pull["spec"]["containers"][0]["imagePullPolicy"] = "Always".into();
    pull["spec"]["nodeName"] = cluster.nodes()[0].clone().into();
    namespace.create(&pull).expect("nothing guards the namespace");
    let found = report(&cluster, second.built.config.as_str());
    assert_eq!(found["status"]["verdict"], "Clean", "{found}");
    eventually(60, "the tag belongs to the new image alone", || {
        let old = find(&cluster, first.built.config.as_str())
            .map_or(String::new(), |r| r["status"]["references"].to_string());
        let new = find(&cluster, second.built.config.as_str())
            .map_or(String::new(), |r| r["status"]["references"].to_string());
        if !old.contains(&format!("{}\"", first.reference)) && new.contains(&second.reference) {
            Ok(())
        } else {
            Err(format!("old: {old}; new: {new}"))
        }
    });
}
