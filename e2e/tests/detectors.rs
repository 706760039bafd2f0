//! What each detector finds, from an image in containerd's store to a pod that is refused.

use pratique_core::detector::{DETECTORS, described};
use pratique_core::{Category, DetectorInfo};
use pratique_e2e::images::{base, weak_root};
use pratique_e2e::reports::report;
use pratique_e2e::{Cluster, Image, Namespace, Pushed, eventually, pod, stock};
use pratique_testkit::{ImageBuilder, LayerBuilder};
use serde_json::json;

/// A pod's name, the detector that is to speak, and an image that has what it speaks of.
fn planted() -> Vec<(&'static str, &'static DetectorInfo, Image)> {
    let program = b"\x7fELF\x02\x01\x01 no real program".to_vec();
    // In parts, so that nothing takes this file for them.
    let miner = format!("#!/bin/sh\n/opt/worker -o {}+tcp://pool.test:3333 --donate-level=1\n", "stratum");
    let webshell = format!("<?php {}($_POST['c']);\n", "system");
    let login = format!("https://ann:{}@git.pinewood.net\n", "Vq83mZt05Lw2");
    let queue = format!("bind 0.0.0.0\n{} redis123\n", "requirepass");
    let file = |name: &'static str, detector, layer: LayerBuilder| {
        let reference = format!("detectors/{name}:1");
        (name, described(detector), Image::of(&reference, [base(&reference), layer]))
    };
    let config = |name: &'static str, detector, change: fn(ImageBuilder) -> ImageBuilder| {
        (name, described(detector), Image::clean(&format!("detectors/{name}:1")).with(change))
    };
    vec![
        file("weak-password", "weak-password", weak_root("detectors")),
        file("weak-service", "weak-password", LayerBuilder::new().file("etc/redis/redis.conf", queue)),
        file("secret", "secret", LayerBuilder::new().file("root/.git-credentials", login)),
        file("backdoor", "backdoor", LayerBuilder::new().file("etc/ld.so.preload", "/usr/lib/libhide.so\n")),
        file(
            "escalation",
            "escalation",
            LayerBuilder::new().dir("etc/cron.d").owned(0o777, 0, 0).file("etc/cron.d/.placeholder", ""),
        ),
        file(
            "tampering",
            "tampering",
            LayerBuilder::new().file("usr/lib/.cache/agent", program).owned(0o755, 0, 0),
        ),
        config("image-config", "image-config", |image| image.port("22/tcp")),
        config("build-history", "build-history", |image| {
            image.step("RUN curl -k https://example.com/app.tar -o /app.tar")
        }),
        file("malware", "malware", LayerBuilder::new().file("opt/start", miner)),
        file("webshell", "webshell", LayerBuilder::new().file("var/www/html/uploads/help.php", webshell)),
    ]
}

/// A policy's rule on a category is called after it.
fn named(category: Category) -> String {
    category.as_str().to_ascii_lowercase()
}

#[test]
fn a_pod_with_what_a_detector_finds_is_refused_by_its_category_and_the_clean_twin_runs() {
    let planted = planted();
    // Of two detectors of one category one will do: it is the category that a policy speaks of.
    let mut categories: Vec<Category> = DETECTORS.iter().map(|detector| detector.category).collect();
    categories.sort();
    categories.dedup();
    for category in &categories {
        assert!(planted.iter().any(|(_, info, _)| info.category == *category), "no image for {category}");
    }
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "detectors");
    let clean = Image::clean("detectors/clean:1").push(&cluster);
    let planted: Vec<(&str, Category, Pushed)> =
        planted.into_iter().map(|(name, info, image)| (name, info.category, image.push(&cluster))).collect();
    let mut references: Vec<&str> = planted.iter().map(|(_, _, image)| image.reference.as_str()).collect();
    references.push(&clean.reference);
    stock(&namespace, &cluster.nodes(), &references);
    for image in planted.iter().map(|(_, _, image)| image).chain([&clean]) {
        report(&cluster, image.built.config.as_str());
    }
    let rules: Vec<_> = categories
        .iter()
        .map(|category| {
            json!({"name": named(*category), "finding": {"categories": [category], "minSeverity": "Medium"}})
        })
        .collect();
    let _policy = namespace.policy("detectors", json!({"enforcement": "Enforce", "deny": rules}));

    for (name, own, image) in &planted {
        let refusal = namespace.create(&pod(name, &image.reference)).expect_err(name);
        for category in &categories {
            let is_told = refusal.contains(&format!("rule {}", named(*category)));
            assert_eq!(is_told, category == own, "{name}, {category}: {refusal}");
        }
    }
    namespace.create(&pod("clean", &clean.reference)).expect("the clean pod is admitted");
    eventually(60, "the clean pod runs", || {
        let pod = cluster.get_json(&["pod", "clean", "-n", &namespace.name])?;
        if pod["status"]["phase"] == "Running" { Ok(()) } else { Err(pod["status"].to_string()) }
    });
}
