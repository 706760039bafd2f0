//! What happens to a pod at the door.

use std::time::{Duration, Instant};

use pratique_e2e::reports::report;
use pratique_e2e::{Cluster, Image, Namespace, Pushed, container, eventually, pod, stock};
use serde_json::{Value, json};

/// Refuses what the weak-password detector finds.
fn refuse(enforcement: &str) -> Value {
    json!({
        "enforcement": enforcement,
        "deny": [{"name": "planted", "finding": {"categories": ["WeakPassword"], "minSeverity": "Low"}}],
    })
}

/// A clean and a risky image, on every node and scanned.
fn images(cluster: &Cluster, namespace: &Namespace, name: &str) -> (Pushed, Pushed) {
    let clean = Image::clean(&format!("{name}/clean:1")).push(cluster);
    let risky = Image::risky(&format!("{name}/risky:1")).push(cluster);
    stock(namespace, &cluster.nodes(), &[&clean.reference, &risky.reference]);
    report(cluster, clean.built.config.as_str());
    report(cluster, risky.built.config.as_str());
    (clean, risky)
}

/// Everything a person needs to act on a refusal.
fn assert_says_why(refusal: &str, image: &Pushed, policy: &str) {
    let report_name = format!("risky-{}", image.built.config.short());
    for part in [
        image.reference.as_str(),
        image.built.config.short(),
        policy,
        "rule planted",
        "account root",
        "/etc/shadow",
        report_name.as_str(),
    ] {
        assert!(refusal.contains(part), "the refusal lacks «{part}»: {refusal}");
    }
    assert!(!refusal.contains("changeme"), "the refusal shows the password: {refusal}");
}

#[test]
fn a_pod_with_a_refused_image_is_denied_and_its_clean_twin_runs() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "deny");
    let (clean, risky) = images(&cluster, &namespace, "deny");
    let policy = namespace.policy("planted", refuse("Enforce"));

    let refusal = namespace.create(&pod("risky", &risky.reference)).expect_err("the risky pod is refused");
    assert_says_why(&refusal, &risky, &policy.name);
    let refusal = namespace.create(&pod("risky", &risky.by_digest())).expect_err("by digest too");
    assert!(refusal.contains("rule planted"), "{refusal}");

    let mut with_init = pod("init", &clean.reference);
    with_init["spec"]["initContainers"] = json!([container("prepare", &risky.reference)]);
    let refusal = namespace.create(&with_init).expect_err("a risky init container is refused");
    assert_says_why(&refusal, &risky, &policy.name);
    assert!(refusal.contains("prepare"), "the container is named: {refusal}");

    namespace.create(&pod("clean", &clean.reference)).expect("the clean pod is admitted");
    eventually(60, "the clean pod runs", || {
        let pod = cluster.get_json(&["pod", "clean", "-n", &namespace.name])?;
        if pod["status"]["phase"] == "Running" { Ok(()) } else { Err(pod["status"].to_string()) }
    });

    let debug = cluster.kubectl(&[
        "debug",
        "clean",
        "-n",
        &namespace.name,
        "--image",
        &risky.reference,
        "--container",
        "dbg",
        "--",
        "/bin/busybox",
        "true",
    ]);
    assert!(!debug.ok, "a risky ephemeral container is admitted: {}{}", debug.stdout, debug.stderr);
    assert_says_why(&debug.stderr, &risky, &policy.name);

    // An update that changes no image passes, even of a pod that would be refused today.
    let labelled = cluster.kubectl(&["label", "pod", "clean", "-n", &namespace.name, "seen=yes"]);
    assert!(labelled.ok, "{}", labelled.stderr);
}

#[test]
fn an_update_of_a_running_pod_that_changes_no_image_passes() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "update");
    let (clean, risky) = images(&cluster, &namespace, "update");
    namespace.create(&pod("early", &risky.reference)).expect("nothing guards the namespace yet");
    let _policy = namespace.policy("planted", refuse("Enforce"));

    let label = cluster.kubectl(&["label", "pod", "early", "-n", &namespace.name, "seen=yes"]);
    assert!(label.ok, "{}", label.stderr);
    namespace.create(&pod("other", &clean.reference)).expect("clean");
    let image = format!("main={}", risky.reference);
    let update = cluster.kubectl(&["set", "image", "pod/other", "-n", &namespace.name, &image]);
    assert!(!update.ok && update.stderr.contains("rule planted"), "{}{}", update.stdout, update.stderr);
    let delete = cluster.kubectl(&["delete", "pod", "early", "-n", &namespace.name, "--now"]);
    assert!(delete.ok, "{}", delete.stderr);
}

#[test]
fn controllers_with_a_refused_image_are_warned_about() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "controllers");
    let (_, risky) = images(&cluster, &namespace, "controllers");
    let _policy = namespace.policy("planted", refuse("Enforce"));
    let template = json!({
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [container("main", &risky.reference)]},
    });
    let mut job_template = template.clone();
    job_template["spec"]["restartPolicy"] = json!("Never");
    let selector = json!({"matchLabels": {"app": "x"}});
    for (kind, version, spec) in [
        ("Deployment", "apps/v1", json!({"replicas": 0, "selector": selector, "template": template})),
        (
            "StatefulSet",
            "apps/v1",
            json!({"replicas": 0, "serviceName": "x", "selector": selector, "template": template}),
        ),
        ("DaemonSet", "apps/v1", json!({"selector": selector, "template": template})),
        ("Job", "batch/v1", json!({"suspend": true, "template": job_template})),
        (
            "CronJob",
            "batch/v1",
            json!({"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {"spec": {"template": job_template}}}),
        ),
    ] {
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        let printed = namespace.dry_run(&object).unwrap_or_else(|error| panic!("{kind} is refused: {error}"));
        assert!(
            printed.contains("Warning:") && printed.contains("planted"),
            "no warning for a {kind}: {printed}"
        );
    }
}

#[test]
fn warn_admits_with_a_warning_and_audit_admits_in_silence() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "modes");
    let (_, risky) = images(&cluster, &namespace, "modes");
    let policy = namespace.policy("planted", refuse("Warn"));
    let printed = eventually(20, "a warning is printed", || {
        let printed = namespace.dry_run(&pod("risky", &risky.reference))?;
        if printed.contains("Warning:") { Ok(printed) } else { Err(printed) }
    });
    assert!(printed.contains("rule planted"), "{printed}");

    let mut audit = refuse("Audit");
    audit["match"]["namespaceSelector"] = json!({"matchLabels": {"e2e": namespace.name}});
    policy.set(audit);
    eventually(20, "nothing is printed in audit mode", || {
        let printed = namespace.dry_run(&pod("risky", &risky.reference))?;
        if printed.contains("planted") { Err(printed) } else { Ok(()) }
    });
}

#[test]
fn a_namespace_outside_the_selector_is_let_through() {
    let cluster = Cluster::get();
    let guarded = Namespace::new(&cluster, "inside");
    let free = Namespace::new(&cluster, "outside");
    let (_, risky) = images(&cluster, &guarded, "selector");
    let _policy = guarded.policy("planted", refuse("Enforce"));
    guarded.dry_run(&pod("risky", &risky.reference)).expect_err("guarded");
    let printed = free.dry_run(&pod("risky", &risky.reference)).expect("not guarded");
    assert!(!printed.contains("planted"), "{printed}");
}

#[test]
fn a_tag_is_judged_by_the_digests_of_the_nodes_where_the_pod_may_run() {
    let cluster = Cluster::get();
    let nodes = cluster.nodes();
    assert!(nodes.len() >= 2, "this test needs two nodes");
    let namespace = Namespace::new(&cluster, "tags");
    // The same tag, pushed twice: node 0 pulled the clean one, node 1 the risky one.
    let clean = Image::clean("tags/moving:1").push(&cluster);
    stock(&namespace, &nodes[..1], &[&clean.reference]);
    let risky = Image::risky("tags/moving:1").push(&cluster);
    stock(&namespace, &nodes[1..2], &[&risky.reference]);
    report(&cluster, clean.built.config.as_str());
    report(&cluster, risky.built.config.as_str());
    let _policy = namespace.policy("planted", refuse("Enforce"));

    let on = |node: Option<&str>| {
        let mut object = pod("moving", &clean.reference);
        object["spec"]["containers"][0]["imagePullPolicy"] = json!("Never");
        if let Some(node) = node {
            object["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
        }
        namespace.dry_run(&object)
    };
    on(Some(&nodes[0])).expect("the node with the clean image");
    on(Some(&nodes[1])).expect_err("the node with the risky image");
    let refusal = on(None).expect_err("any node: it may be the risky one");
    assert!(refusal.contains(risky.built.config.short()), "{refusal}");
}

#[test]
fn a_policy_change_is_in_force_once_both_replicas_have_seen_it() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "change");
    let (_, risky) = images(&cluster, &namespace, "change");
    let policy = namespace.policy("planted", refuse("Audit"));
    namespace.dry_run(&pod("risky", &risky.reference)).expect("audit only");

    let mut enforce = refuse("Enforce");
    enforce["match"]["namespaceSelector"] = json!({"matchLabels": {"e2e": namespace.name}});
    let start = Instant::now();
    policy.set(enforce);
    // The API server spreads its calls over both replicas: twenty refusals in a row mean both.
    let mut in_a_row = 0;
    eventually(20, "both replicas refuse", || {
        in_a_row = if namespace.dry_run(&pod("risky", &risky.reference)).is_err() { in_a_row + 1 } else { 0 };
        if in_a_row >= 20 { Ok(()) } else { Err(format!("{in_a_row} refusals in a row")) }
    });
    println!("a policy change was in force on both replicas after at most {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(40));
}

#[test]
fn a_wrong_policy_is_refused_by_the_api_server_with_a_sentence_that_names_the_field() {
    let cluster = Cluster::get();
    for (spec, words) in [
        (json!({"enforcement": "Sometimes"}), "spec.enforcement"),
        (json!({"enforcment": "Warn"}), "enforcment"),
        (json!({"maxScanAge": "soon"}), "spec.maxScanAge"),
        (json!({"unscanned": {"action": "Wait"}}), "spec.unscanned.action"),
        (json!({"deny": [{"name": "empty"}]}), "spec.deny"),
        (json!({"deny": [{"name": "empty-body", "finding": {}}]}), "finding"),
        (
            json!({"deny": [{"name": "two", "finding": {"categories": ["WeakPassword"]}, "workload": {"privileged": true}}]}),
            "exactly one",
        ),
        (json!({"deny": [{"name": "x", "finding": {"categories": ["Ghosts"]}}]}), "categories"),
        (
            json!({"deny": [{"name": "x", "workload": {"privileged": true}}, {"name": "x", "workload": {"privileged": true}}]}),
            "Duplicate",
        ),
        (
            json!({"exceptions": [{"name": "forever", "findings": {"rules": ["weak-password/linux-account"]}, "images": ["*/**"]}]}),
            "expires",
        ),
    ] {
        let object = json!({
            "apiVersion": "pratique.dev/v1alpha1", "kind": "ScanPolicy", "metadata": {"name": "wrong"}, "spec": spec,
        });
        let refusal = cluster.create(&object).expect_err(&format!("{spec} is accepted"));
        assert!(refusal.contains(words), "{spec}: the refusal lacks «{words}»: {refusal}");
    }
}
