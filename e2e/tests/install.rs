//! Installing, upgrading and removing.

use pratique_e2e::cluster::NAMESPACE;
use pratique_e2e::reports::report;
use pratique_e2e::{Cluster, Image, Namespace, eventually, pod, refused_throughout, stock};
use serde_json::json;

/// The names of all objects of a kind, cluster-wide, that belong to Pratique.
fn ours(cluster: &Cluster, kind: &str) -> Vec<String> {
    cluster
        .list(&[kind, "-A"])
        .iter()
        .filter_map(|object| object["metadata"]["name"].as_str())
        .filter(|name| name.starts_with("pratique"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn uninstalled_it_leaves_reports_alone_and_installed_again_it_finds_what_is_there() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "install");
    let values = cluster.helm(&["get", "values", "pratique", "-n", NAMESPACE, "-o", "yaml"]);
    assert!(values.ok, "{}", values.stderr);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), &values.stdout).expect("values are written");

    let removed = cluster.helm(&["uninstall", "pratique", "-n", NAMESPACE, "--wait", "--timeout", "3m"]);
    assert!(removed.ok, "{}{}", removed.stdout, removed.stderr);
    for kind in [
        "validatingwebhookconfigurations",
        "clusterroles",
        "clusterrolebindings",
        "deployments",
        "daemonsets",
        "services",
        "serviceaccounts",
        "leases",
        "poddisruptionbudgets",
        "networkpolicies",
        "jobs",
    ] {
        eventually(60, &format!("no {kind} of ours is left"), || {
            let left = ours(&cluster, kind);
            if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
        });
    }
    assert!(!cluster.list(&["crds"]).is_empty(), "CRDs are kept");
    assert!(cluster.kubectl(&["get", "scanpolicies"]).ok, "and with them policies");

    // Present on the nodes before Pratique is.
    let image = Image::risky("install/early:1").push(&cluster);
    stock(&namespace, &cluster.nodes(), &[&image.reference]);

    let values = file.path().to_string_lossy();
    let installed = cluster.helm(&[
        "install",
        "pratique",
        "charts/pratique",
        "-n",
        NAMESPACE,
        "--create-namespace",
        "--wait",
        "--timeout",
        "3m",
        "-f",
        &values,
    ]);
    assert!(installed.ok, "{}{}", installed.stdout, installed.stderr);
    assert_eq!(report(&cluster, image.built.config.as_str())["status"]["verdict"], "Findings");
    let tested = cluster.helm(&["test", "pratique", "-n", NAMESPACE, "--timeout", "2m"]);
    assert!(tested.ok, "helm test: {}{}", tested.stdout, tested.stderr);
}

#[test]
fn upgrade_and_rollback_keep_serving() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "upgrade");
    let image = Image::risky("upgrade/app:1").push(&cluster);
    stock(&namespace, &cluster.nodes(), &[&image.reference]);
    report(&cluster, image.built.config.as_str());
    let _policy = namespace.policy(
        "planted",
        json!({"enforcement": "Enforce", "deny": [{"name": "planted", "finding": {"categories": ["WeakPassword"]}}]}),
    );
    let refusals = refused_throughout(&namespace, &pod("risky", &image.reference), || {
        cluster.upgrade("operator.logLevel=debug");
        let back = cluster.helm(&["rollback", "pratique", "-n", NAMESPACE, "--wait", "--timeout", "3m"]);
        assert!(back.ok, "helm rollback: {}{}", back.stdout, back.stderr);
        cluster.settle();
    });
    println!("{refusals} admissions during an upgrade and a rollback, every one answered");
}

#[test]
fn the_plain_manifests_are_what_the_api_server_takes() {
    let cluster = Cluster::get();
    let done = cluster.kubectl(&[
        "apply",
        "-k",
        "deploy/manifests",
        "--dry-run=server",
        "--server-side",
        "--force-conflicts",
    ]);
    assert!(done.ok, "{}{}", done.stdout, done.stderr);
    for object in
        ["daemonset.apps/pratique-agent", "deployment.apps/pratique-operator", "scanpolicies.pratique.dev"]
    {
        assert!(done.stdout.contains(object), "{object} is missing: {}", done.stdout);
    }
}

#[test]
fn kubectl_explain_says_what_every_field_of_a_policy_means() {
    let cluster = Cluster::get();
    let text =
        cluster.kubectl(&["explain", "scanpolicy.spec", "--recursive"]).success().expect("kubectl explain");
    for field in
        ["match", "enforcement", "unscanned", "maxScanAge", "existingWorkloads", "deny", "exceptions"]
    {
        assert!(text.contains(field), "{field} is missing: {text}");
        let one = cluster
            .kubectl(&["explain", &format!("scanpolicy.spec.{field}")])
            .success()
            .expect("kubectl explain");
        assert!(!one.contains("<empty>"), "{field} has no description: {one}");
    }
}
