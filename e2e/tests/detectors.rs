//! What each detector finds, from an image in containerd's store to a pod that is refused.

use pratique_e2e::images::{base, weak_root};
use pratique_e2e::reports::report;
use pratique_e2e::{Cluster, Image, Namespace, Pushed, eventually, pod, stock};
use pratique_testkit::{ImageBuilder, LayerBuilder};
use serde_json::json;

/// A rule's name, its category, and an image that has what it speaks of.
fn planted() -> Vec<(&'static str, &'static str, Image)> {
    let program = b"\x7fELF\x02\x01\x01 no real program".to_vec();
    // In parts, so that nothing takes this file for them.
    let miner = format!("#!/bin/sh\n/opt/worker -o {}+tcp://pool.test:3333 --donate-level=1\n", "stratum");
    let webshell = format!("<?php {}($_POST['c']);\n", "system");
    let above = |name: &str, layer: LayerBuilder| {
        let name = format!("detectors/{name}:1");
        Image::of(&name, [base(&name), layer])
    };
    let config = |name: &str, change: fn(ImageBuilder) -> ImageBuilder| {
        Image::clean(&format!("detectors/{name}:1")).with(change)
    };
    vec![
        ("weak-password", "WeakPassword", above("weak-password", weak_root("detectors"))),
        (
            "backdoor",
            "Backdoor",
            above("backdoor", LayerBuilder::new().file("etc/ld.so.preload", "/usr/lib/libhide.so\n")),
        ),
        (
            "escalation",
            "Escalation",
            above(
                "escalation",
                LayerBuilder::new().dir("etc/cron.d").owned(0o777, 0, 0).file("etc/cron.d/.placeholder", ""),
            ),
        ),
        (
            "tampering",
            "Tampering",
            above("tampering", LayerBuilder::new().file("usr/lib/.cache/agent", program).owned(0o755, 0, 0)),
        ),
        ("image-config", "ImageConfig", config("image-config", |image| image.port("22/tcp"))),
        (
            "build-history",
            "History",
            config("build-history", |image| {
                image.step("RUN curl -k https://example.com/app.tar -o /app.tar")
            }),
        ),
        ("malware", "Malware", above("malware", LayerBuilder::new().file("opt/start", miner))),
        (
            "webshell",
            "Webshell",
            above("webshell", LayerBuilder::new().file("var/www/html/uploads/help.php", webshell)),
        ),
    ]
}

#[test]
fn a_pod_with_what_a_detector_finds_is_refused_by_its_category_and_the_clean_twin_runs() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "detectors");
    let clean = Image::clean("detectors/clean:1").push(&cluster);
    let planted: Vec<(&str, &str, Pushed)> =
        planted().into_iter().map(|(rule, category, image)| (rule, category, image.push(&cluster))).collect();
    let mut references: Vec<&str> = planted.iter().map(|(_, _, image)| image.reference.as_str()).collect();
    references.push(&clean.reference);
    stock(&namespace, &cluster.nodes(), &references);
    for image in planted.iter().map(|(_, _, image)| image).chain([&clean]) {
        report(&cluster, image.built.config.as_str());
    }
    let rules: Vec<_> = planted
        .iter()
        .map(|(rule, category, _)| {
            json!({"name": rule, "finding": {"categories": [category], "minSeverity": "Medium"}})
        })
        .collect();
    let _policy = namespace.policy("detectors", json!({"enforcement": "Enforce", "deny": rules}));

    for (rule, _, image) in &planted {
        let refusal = namespace.create(&pod(rule, &image.reference)).expect_err(rule);
        assert!(refusal.contains(&format!("rule {rule}")), "{rule}: {refusal}");
        for (other, ..) in planted.iter().filter(|(other, ..)| other != rule) {
            assert!(!refusal.contains(&format!("rule {other}")), "{rule} is refused for {other}: {refusal}");
        }
    }
    namespace.create(&pod("clean", &clean.reference)).expect("the clean pod is admitted");
    eventually(60, "the clean pod runs", || {
        let pod = cluster.get_json(&["pod", "clean", "-n", &namespace.name])?;
        if pod["status"]["phase"] == "Running" { Ok(()) } else { Err(pod["status"].to_string()) }
    });
}
