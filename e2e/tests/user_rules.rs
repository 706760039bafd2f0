//! A user's own rules, from a chart value to a pod that is refused.

use pratique_core::Digest;
use pratique_e2e::cluster::NAMESPACE;
use pratique_e2e::images::{base, push_files};
use pratique_e2e::reports::report;
use pratique_e2e::{Cluster, Image, Namespace, Pushed, eventually, pod, stock};
use pratique_testkit::LayerBuilder;
use serde_json::json;

const RULE: &str =
    "rules: [{id: acme-key, description: a key of ours, regex: 'ACME-[0-9]{12}', severity: High}]";

const YARA: &str = "rule Gate { strings: $a = \"gate-of-sesame\" condition: $a }";

/// Of the artifact.
const LAMP: &str = "rule Lamp { strings: $a = \"lamp-of-sesame\" condition: $a }";

/// ConfigMaps that the chart's values name, and the file in each.
const SECRETS: (&str, &str) = ("user-rules", "acme.yaml");
const YARA_RULES: (&str, &str) = ("user-yara", "own.yar");

/// Puts rules into a ConfigMap.
fn set(cluster: &Cluster, (name, file): (&str, &str), rules: &str) {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {file: rules},
    });
    cluster.apply(&map).expect("the ConfigMap is taken");
}

/// Deletes the ConfigMaps when the test ends.
struct Cleanup<'c>(&'c Cluster);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        let (secrets, yara) = (SECRETS.0, YARA_RULES.0);
        self.0.kubectl(&["delete", "configmap", secrets, yara, "-n", NAMESPACE, "--ignore-not-found"]);
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

/// Waits for an Event of the operator that refuses rules with these words.
fn refused_rules(cluster: &Cluster, words: &str) {
    eventually(240, "an Event names the broken file", || {
        let events = cluster.list(&["events", "-n", NAMESPACE]);
        let is_told = events.iter().any(|event| {
            event["reason"] == "RulesRefused"
                && event["involvedObject"]["name"] == "pratique-operator"
                && event["message"].as_str().is_some_and(|note| note.contains(words))
        });
        if is_told { Ok(()) } else { Err(json!(events).to_string()) }
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
    let gate = LayerBuilder::new().dir("opt").file("opt/gate", "opens the gate-of-sesame\n");
    let gate = Image::of("rules/gate:1", [base("gate"), gate]).push(&cluster);
    let lamp = LayerBuilder::new().dir("opt").file("opt/lamp", "lights the lamp-of-sesame\n");
    let lamp = Image::of("rules/lamp:1", [base("lamp"), lamp]).push(&cluster);
    let _policy = namespace.policy(
        "own-rules",
        json!({"enforcement": "Enforce", "deny": [
            {"name": "own-secret", "finding": {"categories": ["Secret"], "minSeverity": "High"}},
            {"name": "own-list", "finding": {"categories": ["Malware"], "minSeverity": "Low"}},
        ]}),
    );
    stock(&namespace, &cluster.nodes(), &[&key, &listed, &gate, &lamp].map(|image| image.reference.as_str()));
    // Without the rules there is nothing to find.
    for image in [&key, &listed, &gate, &lamp] {
        report(&cluster, image.built.config.as_str());
        namespace.dry_run(&pod("before", &image.reference)).expect("it is let in");
    }

    let _cleanup = Cleanup(&cluster);
    set(&cluster, SECRETS, RULE);
    set(&cluster, YARA_RULES, YARA);
    let sum = Digest::of(tool.as_bytes());
    let artifact = push_files(&cluster, "rules/artifact", &[("team/lamp.yar", LAMP)]);
    let values = format!(
        "rules.oci.artifact={artifact},rules.oci.interval=5s,rules.oci.insecureRegistry=true,\
         rules.secrets.configMaps={{user-rules}},rules.yara.configMaps={{user-yara}},rules.hashes.files.bad\\.txt={}  tool.sh",
        sum.hex()
    );
    let _values = cluster.upgrade_for_now(&values);
    refused(&namespace, "key", &key, "own-secret");
    refused(&namespace, "listed", &listed, "own-list");
    refused(&namespace, "gate", &gate, "own-list");
    refused(&namespace, "lamp", &lamp, "own-list");

    set(&cluster, SECRETS, "rules:\n- id: acme-key\n");
    refused_rules(&cluster, "secrets/configmap.user-rules/acme.yaml: line 2: ");
    refused(&namespace, "key", &key, "own-secret");
    // The old rules hold for what comes now, too.
    let later = LayerBuilder::new().dir("srv").file("srv/settings.conf", "key = ACME-918273645546\n");
    let later = Image::of("rules/later:1", [base("later"), later]).push(&cluster);
    stock(&namespace, &cluster.nodes()[..1], &[&later.reference]);
    report(&cluster, later.built.config.as_str());
    refused(&namespace, "later", &later, "own-secret");

    set(&cluster, SECRETS, "rules: []\n");
    eventually(240, "the rule is gone", || namespace.dry_run(&pod("key", &key.reference)).map(|_| ()));

    push_files(&cluster, "rules/artifact", &[("team/lamp.yar", "rule Lamp {\n  condition: $x }")]);
    refused_rules(&cluster, "yara/oci/team/lamp.yar: line 2: ");
    refused(&namespace, "lamp", &lamp, "own-list");
    push_files(&cluster, "rules/artifact", &[("team/lamp.yar", "rule Lamp { condition: false }")]);
    eventually(240, "the artifact's rule is gone", || {
        namespace.dry_run(&pod("lamp", &lamp.reference)).map(|_| ())
    });

    set(&cluster, YARA_RULES, "rule Gate {\n  condition: $x }");
    refused_rules(&cluster, "yara/configmap.user-yara/own.yar: line 2: ");
    refused(&namespace, "gate", &gate, "own-list");
}
