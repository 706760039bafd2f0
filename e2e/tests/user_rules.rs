//! A user's own rules, from a chart value to a pod that is refused.

use pratique_core::Digest;
use pratique_e2e::cluster::NAMESPACE;
use pratique_e2e::images::base;
use pratique_e2e::reports::report;
use pratique_e2e::{Cluster, Image, Namespace, Pushed, eventually, pod, stock};
use pratique_testkit::LayerBuilder;
use serde_json::json;

const RULE: &str =
    "rules: [{id: acme-key, description: a key of ours, regex: 'ACME-[0-9]{12}', severity: High}]";

/// Puts rules for secrets into the ConfigMap that the chart's value names.
fn set(cluster: &Cluster, secrets: &str) {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "user-rules", "namespace": NAMESPACE},
        "data": {"acme.yaml": secrets},
    });
    cluster.apply(&map).expect("the ConfigMap is taken");
}

/// Deletes the ConfigMap when the test ends.
struct Cleanup<'c>(&'c Cluster);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        self.0.kubectl(&["delete", "configmap", "user-rules", "-n", NAMESPACE, "--ignore-not-found"]);
    }
}

/// Waits until a pod with the image is refused, and for these words.
fn refused(namespace: &Namespace, name: &str, image: &Pushed, words: &str) {
    eventually(180, &format!("{name} is refused for {words}"), || {
        match namespace.dry_run(&pod(name, &image.reference)) {
            Err(refusal) if refusal.contains(words) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

#[test]
fn a_users_own_rules_refuse_a_pod_and_a_broken_file_leaves_them_in_force() {
    let Some(cluster) = Cluster::own("a_users_own_rules_refuse_a_pod") else { return };
    let namespace = Namespace::new(&cluster, "user-rules");
    let tool = "#!/bin/sh\necho a tool that only this test knows\n";
    let key = LayerBuilder::new().dir("opt").file("opt/settings.conf", "key = ACME-204681357912\n");
    let key = Image::of("rules/key:1", [base("key"), key]).push(&cluster);
    let listed = LayerBuilder::new().dir("opt").file("opt/tool.sh", tool);
    let listed = Image::of("rules/listed:1", [base("listed"), listed]).push(&cluster);
    let _policy = namespace.policy(
        "own-rules",
        json!({"enforcement": "Enforce", "deny": [
            {"name": "own-secret", "finding": {"categories": ["Secret"], "minSeverity": "High"}},
            {"name": "own-list", "finding": {"categories": ["Malware"], "minSeverity": "Low"}},
        ]}),
    );
    stock(&namespace, &cluster.nodes(), &[&key.reference, &listed.reference]);
    // Without the rules there is nothing to find.
    for image in [&key, &listed] {
        report(&cluster, image.built.config.as_str());
        namespace.dry_run(&pod("before", &image.reference)).expect("it is let in");
    }

    let _cleanup = Cleanup(&cluster);
    set(&cluster, RULE);
    let sum = Digest::of(tool.as_bytes());
    let values = format!(
        "rules.secrets.configMaps={{user-rules}},rules.hashes.files.bad\\.txt={}  tool.sh",
        sum.hex()
    );
    let _values = cluster.upgrade_for_now(&values);
    refused(&namespace, "key", &key, "own-secret");
    refused(&namespace, "listed", &listed, "own-list");

    set(&cluster, "rules:\n- id: acme-key\n");
    eventually(240, "an Event names the broken file", || {
        let events = cluster.list(&["events", "-n", NAMESPACE]);
        let words = "secrets/configmap.user-rules/acme.yaml: line 2: ";
        let is_told = events.iter().any(|event| {
            event["reason"] == "RulesRefused"
                && event["involvedObject"]["name"] == "pratique-operator"
                && event["message"].as_str().is_some_and(|note| note.contains(words))
        });
        if is_told { Ok(()) } else { Err(json!(events).to_string()) }
    });
    refused(&namespace, "key", &key, "own-secret");
    // The old rules hold for what comes now, too.
    let later = LayerBuilder::new().dir("srv").file("srv/settings.conf", "key = ACME-918273645546\n");
    let later = Image::of("rules/later:1", [base("later"), later]).push(&cluster);
    stock(&namespace, &cluster.nodes()[..1], &[&later.reference]);
    report(&cluster, later.built.config.as_str());
    refused(&namespace, "later", &later, "own-secret");

    set(&cluster, "rules: []\n");
    eventually(240, "the rule is gone", || namespace.dry_run(&pod("key", &key.reference)).map(|_| ()));
}
