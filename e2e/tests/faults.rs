//! Each fault that can be caused, caused. What must hold afterwards: nothing is lost, nothing is called clean that nobody looked at,
//! and no pod waits that need not.

use std::thread;

use pratique_e2e::cluster::NAMESPACE;
use pratique_e2e::images::{base, weak_root};
use pratique_e2e::reports::{find, report, report_within};
use pratique_e2e::{Cluster, Image, Namespace, eventually, pod, refused_throughout, stock};
use pratique_testkit::LayerBuilder;
use serde_json::{Value, json};

/// Refuses weak passwords.
fn refuse() -> Value {
    json!({"enforcement": "Enforce", "deny": [{"name": "planted", "finding": {"categories": ["WeakPassword"]}}]})
}

/// The leader's pod.
fn leader(cluster: &Cluster) -> String {
    eventually(60, "somebody leads", || {
        let lease = cluster.get_json(&["lease", "pratique-operator", "-n", NAMESPACE])?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let pods = cluster.list(&["pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=operator"]);
        pods.iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .filter_map(|pod| pod["metadata"]["name"].as_str())
            .find(|name| holder.contains(*name))
            .map(str::to_owned)
            .ok_or_else(|| format!("holder is «{holder}»"))
    })
}

/// Waits until a risky pod is refused: the whole chain works.
fn refused_again(namespace: &Namespace, image: &str) {
    eventually(120, "the risky pod is refused", || match namespace.dry_run(&pod("risky", image)) {
        Ok(printed) => Err(format!("admitted: {printed}")),
        Err(refusal) if refusal.contains("planted") => Ok(()),
        Err(other) => Err(other),
    });
}

/// Waits until the last replica has ended.
fn no_operator_runs(cluster: &Cluster) {
    eventually(90, "no operator runs", || {
        let pods = cluster.pods("operator");
        if pods.is_empty() { Ok(()) } else { Err(pods.join(", ")) }
    });
}

/// An image of `layers` weak-password layers that takes a moment to scan.
fn many_layers(name: &str, layers: usize) -> Image {
    let mut all = vec![base(name)];
    all.extend((0..layers).map(|n| LayerBuilder::new().file(format!("opt/{name}/{n}"), vec![b'x'; 1 << 16])));
    all.push(weak_root(name));
    Image::of(name, all)
}

/// Brings images to `nodes` and kills a pod of Pratique when it has scanned the first of them, by `metric`, its number of scans.
fn kill_while_scanning(
    namespace: &Namespace,
    cluster: &Cluster,
    nodes: &[String],
    victim: &str,
    metric: &str,
) {
    let images: Vec<_> =
        (0..6).map(|n| many_layers(&format!("{victim}/app{n}:1"), 8).push(cluster)).collect();
    let references: Vec<&str> = images.iter().map(|image| image.reference.as_str()).collect();
    let before = cluster.metric(victim, metric);
    thread::scope(|scope| {
        scope.spawn(|| stock(namespace, nodes, &references));
        eventually(120, "the first image is scanned", || {
            let scans = cluster.metric(victim, metric) - before;
            if scans > 0.0 { Ok(()) } else { Err(format!("{scans} scans")) }
        });
        let killed =
            cluster.kubectl(&["delete", "pod", victim, "-n", NAMESPACE, "--grace-period=0", "--force"]);
        assert!(killed.ok, "{}", killed.stderr);
    });
    for image in &images {
        assert_eq!(report(cluster, image.built.config.as_str())["status"]["verdict"], "Findings");
    }
    let _policy = namespace.policy("planted", refuse());
    refused_again(namespace, references[5]);
}

#[test]
fn the_leader_is_killed_while_scanning() {
    let Some(cluster) = Cluster::own("the_leader_is_killed_while_scanning") else { return };
    let namespace = Namespace::new(&cluster, "leader");
    let old = leader(&cluster);
    kill_while_scanning(&namespace, &cluster, &cluster.nodes(), &old, "pratique_scans_total");
    assert_ne!(leader(&cluster), old, "another replica leads");
}

#[test]
fn an_agent_is_killed_while_scanning() {
    let Some(cluster) = Cluster::own("an_agent_is_killed_while_scanning") else { return };
    let namespace = Namespace::new(&cluster, "agent");
    let node = cluster.nodes()[0].clone();
    let agent = cluster.agent_on(&node);
    kill_while_scanning(&namespace, &cluster, &[node], &agent, "pratique_agent_scans_total");
}

#[test]
fn containerd_is_restarted() {
    let Some(cluster) = Cluster::own("containerd_is_restarted") else { return };
    let namespace = Namespace::new(&cluster, "containerd");
    let node = cluster.nodes()[0].clone();
    cluster.ctl(&["restart", &format!("{node}/containerd")]);
    let image = Image::risky("containerd/app:1").push(&cluster);
    stock(&namespace, &[node], &[&image.reference]);
    assert_eq!(report(&cluster, image.built.config.as_str())["status"]["verdict"], "Findings");
}

#[test]
fn the_api_server_is_restarted() {
    let Some(cluster) = Cluster::own("the_api_server_is_restarted") else { return };
    let namespace = Namespace::new(&cluster, "apiserver");
    let before = Image::risky("apiserver/before:1").push(&cluster);
    stock(&namespace, &cluster.nodes(), &[&before.reference]);
    report(&cluster, before.built.config.as_str());
    let _policy = namespace.policy("planted", refuse());

    cluster.ctl(&["restart", "control/kube-apiserver"]);
    // Pods reach it again when kube-proxy has, which itself waits up to half a minute between two attempts.
    cluster.settle();
    refused_again(&namespace, &before.reference);
    let free = Namespace::new(&cluster, "apiserver-free");
    let after = Image::risky("apiserver/after:1").push(&cluster);
    stock(&free, &cluster.nodes()[..1], &[&after.reference]);
    assert_eq!(report(&cluster, after.built.config.as_str())["status"]["verdict"], "Findings");
    cluster.settle();
}

#[test]
fn the_operators_store_is_emptied() {
    let Some(cluster) = Cluster::own("the_operators_store_is_emptied") else { return };
    let namespace = Namespace::new(&cluster, "store");
    let image = Image::risky("store/app:1").push(&cluster);
    // On one node: another would have to read it, and whose agent comes back first is chance.
    stock(&namespace, &cluster.nodes()[..1], &[&image.reference]);
    report(&cluster, image.built.config.as_str());
    let scans = || -> Vec<Value> {
        let nodes = cluster.nodes();
        let logs = nodes
            .iter()
            .map(|node| cluster.kubectl(&["logs", &cluster.agent_on(node), "-n", NAMESPACE, "-c", "broker"]));
        let lines: Vec<String> =
            logs.flat_map(|log| log.stdout.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line["message"] == "scanned" && line["image"] == image.built.config.as_str())
            .collect()
    };
    let scanned = |times: usize| {
        eventually(30, &format!("the agents' logs tell of {times} scans"), || {
            let all = scans();
            if all.len() >= times { Ok(all) } else { Err(format!("{all:?}")) }
        })
    };
    let first = scanned(1);
    assert_eq!(first.len(), 1, "one node has scanned it: {first:?}");

    // The store is an emptyDir: it goes with the pods. Reports too, so that only what agents send again can bring them back.
    cluster.kubectl(&["scale", "deployment/pratique-operator", "-n", NAMESPACE, "--replicas=0"]);
    no_operator_runs(&cluster);
    cluster.kubectl(&["delete", "scanreports", "--all"]);
    cluster.kubectl(&["scale", "deployment/pratique-operator", "-n", NAMESPACE, "--replicas=2"]);
    cluster.settle();
    assert_eq!(report(&cluster, image.built.config.as_str())["status"]["verdict"], "Findings");
    let mut all = scanned(2);
    all.sort_by_key(|scan| scan["timestamp"].as_str().map(str::to_owned));
    let again = &all[1];
    assert_eq!(
        (&again["layers_read"], &again["layers_cached"]),
        (&json!(0), &json!(2)),
        "no layer is read again: {all:?}"
    );
}

#[test]
fn an_agents_cache_is_corrupted() {
    let Some(cluster) = Cluster::own("an_agents_cache_is_corrupted") else { return };
    let namespace = Namespace::new(&cluster, "cache");
    let node = cluster.nodes()[0].clone();
    let agent = cluster.agent_on(&node);
    cluster.ctl(&[
        "node-exec",
        &node,
        "--",
        "sh",
        "-c",
        "head -c 65536 /dev/urandom | dd of=/var/lib/pratique/cache.redb conv=notrunc status=none",
    ]);
    cluster.kubectl(&["delete", "pod", &agent, "-n", NAMESPACE, "--grace-period=0", "--force"]);
    cluster.settle();
    let image = Image::risky("cache/app:1").push(&cluster);
    stock(&namespace, std::slice::from_ref(&node), &[&image.reference]);
    assert_eq!(report(&cluster, image.built.config.as_str())["status"]["verdict"], "Findings");
    let log = cluster.kubectl(&["logs", &cluster.agent_on(&node), "-n", NAMESPACE, "-c", "scanner"]);
    assert!(log.stdout.contains("cache"), "the scanner says that it rebuilt its cache: {}", log.stdout);
}

#[test]
fn a_scan_that_wants_more_memory_than_it_may_have_ends_as_incomplete() {
    let Some(cluster) = Cluster::own("a_scan_that_wants_more_memory_than_it_may_have_ends_as_incomplete")
    else {
        return;
    };
    let namespace = Namespace::new(&cluster, "memory");
    let node = cluster.nodes()[0].clone();
    let upgrade = |memory: &str| cluster.upgrade(&format!("agent.scanMemory={memory}"));
    // So little that the process cannot even begin: what a bomb would do to any limit.
    upgrade("1Mi");
    let image = Image::risky("memory/app:1").push(&cluster);
    stock(&namespace, &[node], &[&image.reference]);
    let found = report_within(&cluster, image.built.config.as_str(), 180);
    upgrade("192Mi");
    assert_eq!(found["status"]["verdict"], "Incomplete", "{found}");
    assert!(found["status"]["gaps"].to_string().contains("Crashed"), "{found}");
    cluster.settle();
}

#[test]
fn both_replicas_are_down() {
    let Some(cluster) = Cluster::own("both_replicas_are_down") else { return };
    let namespace = Namespace::new(&cluster, "down");
    let image = Image::risky("down/app:1").push(&cluster);
    stock(&namespace, &cluster.nodes(), &[&image.reference]);
    report(&cluster, image.built.config.as_str());
    let _policy = namespace.policy("planted", refuse());
    refused_again(&namespace, &image.reference);
    let kill_both = || {
        cluster.kubectl(&["scale", "deployment/pratique-operator", "-n", NAMESPACE, "--replicas=0"]);
        no_operator_runs(&cluster);
    };
    let back = || {
        cluster.kubectl(&["scale", "deployment/pratique-operator", "-n", NAMESPACE, "--replicas=2"]);
        cluster.settle();
    };

    // Ignore: the pod starts, and is judged afterwards.
    kill_both();
    eventually(30, "the pod is admitted", || namespace.create(&pod("unjudged", &image.reference)));
    back();
    eventually(60, "the pod is judged afterwards", || {
        let reports = cluster.list(&["workloadreports", "-n", &namespace.name]);
        let text = Value::from(reports).to_string();
        if text.contains("planted") { Ok(()) } else { Err(text) }
    });

    // Fail: pods of guarded namespaces wait, system namespaces do not.
    let policy = |value: &str| {
        cluster.upgrade(&format!("webhook.failurePolicy={value}"));
        eventually(60, &format!("the webhook's failure policy is {value}"), || {
            let configuration = cluster.get_json(&["validatingwebhookconfiguration", "pratique"])?;
            let all = configuration["webhooks"].to_string();
            if all.contains(&format!("\"failurePolicy\":\"{value}\"")) { Ok(()) } else { Err(all) }
        });
    };
    policy("Fail");
    kill_both();
    namespace.create(&pod("waits", &image.reference)).expect_err("with Fail a guarded namespace waits");
    let mut system = pod("e2e-passes", &image.reference);
    system["metadata"]["namespace"] = json!("kube-system");
    cluster.create(&system).expect("system namespaces do not wait");
    cluster.kubectl(&["delete", "pod", "e2e-passes", "-n", "kube-system", "--now"]);
    back();
    policy("Ignore");
}

#[test]
fn the_whole_cluster_starts_from_nothing_with_the_webhook_configuration_in_place() {
    let Some(cluster) = Cluster::own("the_whole_cluster_starts_from_nothing") else { return };
    let namespace = Namespace::new(&cluster, "cold");
    let image = Image::risky("cold/app:1").push(&cluster);
    stock(&namespace, &cluster.nodes(), &[&image.reference]);
    report(&cluster, image.built.config.as_str());
    let _policy = namespace.policy("planted", refuse());
    cluster.get_json(&["validatingwebhookconfiguration", "pratique"]).expect("the configuration is there");

    cluster.ctl(&["restart", "all"]);
    cluster.settle();
    refused_again(&namespace, &image.reference);
    assert!(find(&cluster, image.built.config.as_str()).is_some(), "reports survive");
}

#[test]
fn certificates_rotate_under_a_steady_load_of_admissions() {
    let Some(cluster) = Cluster::own("certificates_rotate_under_a_steady_load") else { return };
    let namespace = Namespace::new(&cluster, "rotation");
    let image = Image::risky("rotation/app:1").push(&cluster);
    stock(&namespace, &cluster.nodes(), &[&image.reference]);
    report(&cluster, image.built.config.as_str());
    let _policy = namespace.policy("planted", refuse());
    let upgrade = |lifetime: &str| cluster.upgrade(&format!("webhook.certificateLifetime={lifetime}"));
    upgrade("30s");
    refused_again(&namespace, &image.reference);

    let serial = || {
        let pods = cluster.pods("operator");
        let ends =
            pods.iter().map(|pod| cluster.metric(pod, "pratique_certificate_expiry_timestamp_seconds"));
        ends.fold(0.0, f64::max)
    };
    let first = serial();
    assert!(first > 0.0, "the certificate's end is a metric");
    let refusals = refused_throughout(&namespace, &pod("risky", &image.reference), || {
        eventually(120, "certificates were renewed three times", || {
            let now = serial();
            if now > first + 60.0 { Ok(()) } else { Err(format!("{first} → {now}")) }
        });
    });
    println!("{refusals} admissions while the certificate was renewed three times, every one answered");
    upgrade("24h");
    cluster.settle();
}
