//! Vulnerable packages: advisories that a server beside the cluster has, matched by the operator; no layer is read for it.
//! What else goes wrong with advisories is in the operator's own tests.

use pratique_e2e::cluster::{ForNow, HOST, NAMESPACE};
use pratique_e2e::images::base;
use pratique_e2e::reports::report;
use pratique_e2e::{Cluster, Image, Namespace, Pushed, eventually, pod, stock};
use pratique_testkit::{
    Asked, CVSS_CRITICAL, CVSS_LOW, LayerBuilder, Spoil, WebServer, osv_archive, osv_record,
};
use serde_json::{Value, json};

/// A server of advisories that the operator asks every two seconds, until this is dropped.
struct Advisories<'c> {
    server: WebServer,
    _values: ForNow<'c>,
}

impl<'c> Advisories<'c> {
    fn serve(cluster: &'c Cluster, records: &[Value]) -> Self {
        let server = WebServer::on(HOST.into());
        server.put("/Debian/all.zip", osv_archive(records));
        // The cluster's own DNS is made of modules of Go, and images of other tests are made of Python.
        for (id, ecosystem) in [("GO-2026-0001", "Go"), ("PYSEC-2026-1", "PyPI")] {
            let record =
                osv_record(id, "CVE-2026-0004", ecosystem, "shop.example/till", Some("2.0.0"), CVSS_LOW);
            server.put(&format!("/{ecosystem}/all.zip"), osv_archive(&[record]));
        }
        let values = format!(
            "vulnerabilities.enabled=true,vulnerabilities.source={},vulnerabilities.interval=2s",
            server.address()
        );
        Self { _values: cluster.upgrade_for_now(&values), server }
    }
}

/// A ConfigMap beside the operator, until this is dropped.
struct ConfigMap<'c> {
    cluster: &'c Cluster,
    name: &'static str,
}

impl<'c> ConfigMap<'c> {
    fn new(cluster: &'c Cluster, name: &'static str, files: &[(&str, &[u8])]) -> Self {
        let map = Self { cluster, name };
        map.set(files);
        map
    }

    fn set(&self, files: &[(&str, &[u8])]) {
        let folder = tempfile::tempdir().expect("a folder");
        for (key, content) in files {
            std::fs::write(folder.path().join(key), content).expect("a file is written");
        }
        let from = format!("--from-file={}", folder.path().display());
        let arguments =
            ["create", "configmap", self.name, "-n", NAMESPACE, &from, "--dry-run=client", "-o", "json"];
        let object = self.cluster.kubectl(&arguments).success().expect("a ConfigMap");
        let object = serde_json::from_str(&object).expect("JSON");
        self.cluster.apply(&object).expect("the ConfigMap is taken");
    }
}

impl Drop for ConfigMap<'_> {
    fn drop(&mut self) {
        self.cluster.kubectl(&["delete", "configmap", self.name, "-n", NAMESPACE, "--ignore-not-found"]);
    }
}

/// A Debian 12 with one package.
fn image(cluster: &Cluster, name: &str, package: &str, version: &str) -> Pushed {
    let packages = LayerBuilder::new().file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n").file(
        "var/lib/dpkg/status",
        format!(
            "Package: {package}\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\n\n"
        ),
    );
    Image::of(name, [base(name), packages]).push(cluster)
}

/// The image's report, once it has been matched and `wanted` holds for it.
fn matched(cluster: &Cluster, image: &Pushed, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(120, what, || {
        let found = report(cluster, image.built.config.as_str());
        let is_matched = found["status"]["detectors"]["vulnerability"].is_string();
        if is_matched && wanted(&found["status"]) { Ok(found) } else { Err(found["status"].to_string()) }
    })
}

/// Layers that the agents of all nodes have read.
fn layers_read(cluster: &Cluster) -> f64 {
    let agents = cluster.nodes().into_iter().map(|node| cluster.agent_on(&node));
    agents.map(|agent| cluster.metric(&agent, "pratique_agent_layers_read_total")).sum()
}

/// Waits for an Event about the object of this name, with this reason and these words in its note.
fn wait_for_event(cluster: &Cluster, namespace: &str, name: &str, reason: &str, words: &[&str]) {
    eventually(120, &format!("an Event {reason} of {name} with {words:?}"), || {
        let events = cluster.list(&["events", "-n", namespace]);
        let mut notes = events
            .iter()
            .filter(|event| event["reason"] == reason && event["involvedObject"]["name"] == name)
            .filter_map(|event| event["message"].as_str());
        match notes.any(|note| words.iter().all(|word| note.contains(word))) {
            true => Ok(()),
            false => Err(Value::from(events).to_string()),
        }
    });
}

/// Waits until a pod runs.
fn wait_until_it_runs(cluster: &Cluster, namespace: &Namespace, name: &str) {
    eventually(60, &format!("the pod {name} runs"), || {
        let pod = cluster.get_json(&["pod", name, "-n", &namespace.name])?;
        if pod["status"]["phase"] == "Running" { Ok(()) } else { Err(pod["status"].to_string()) }
    });
}

#[test]
fn new_advisories_are_in_force_without_reading_a_layer_and_a_cut_download_leaves_them() {
    let Some(cluster) = Cluster::own("new_advisories_are_in_force_without_reading_a_layer") else { return };
    let old = osv_record("DSA-0001-1", "CVE-2026-0001", "Debian:12", "zlib", Some("2"), CVSS_LOW);
    let advisories = Advisories::serve(&cluster, std::slice::from_ref(&old));
    let running = Namespace::new(&cluster, "vulnerable");
    let guarded = Namespace::new(&cluster, "flaws");
    let policy = guarded.policy(
        "flaws",
        json!({
            "enforcement": "Enforce",
            "deny": [{"name": "critical-with-a-fix", "vulnerability": {"minSeverity": "Critical", "fixAvailable": true}}],
        }),
    );
    let vulnerable = image(&cluster, "flaws/vulnerable:1", "dash", "1");
    let fixed = image(&cluster, "flaws/fixed:1", "dash", "2");
    let other = image(&cluster, "flaws/other:1", "zlib", "1");
    let nodes = cluster.nodes();
    let node = &nodes[..1];
    stock(&running, node, &[&vulnerable.reference, &fixed.reference, &other.reference]);
    let on_node = |name: &str, image: &Pushed| {
        let mut object = pod(name, &image.reference);
        object["spec"]["nodeName"] = json!(node[0]);
        object
    };
    running.create(&on_node("web", &vulnerable)).expect("a pod of the vulnerable image");
    matched(&cluster, &vulnerable, "no flaw is known", |status| status["findings"].is_null());
    matched(&cluster, &fixed, "no flaw is known", |status| status["findings"].is_null());
    // Once it says what the policy says, nothing else is to be said of it.
    let others = matched(&cluster, &other, "the old flaw", |status| {
        status["summary"]["low"] == 1 && status["policies"].to_string().contains(&policy.name)
    });
    guarded.dry_run(&on_node("before", &vulnerable)).expect("nothing is known against it yet");
    wait_until_it_runs(&cluster, &running, "web");
    let read = layers_read(&cluster);

    let mut new = osv_record("DSA-0002-1", "CVE-2026-0002", "Debian:12", "dash", Some("2"), CVSS_CRITICAL);
    new["modified"] = json!("2026-02-02T00:00:00Z");
    advisories.server.put("/Debian/all.zip", osv_archive(&[old.clone(), new.clone()]));
    let found = matched(&cluster, &vulnerable, "the new flaw", |status| status["summary"]["critical"] == 1);
    let message = found["status"]["findings"][0]["message"].as_str().unwrap_or_default();
    assert!(message.contains("CVE-2026-0002 in dash 1 (fixed in 2)"), "{message}");
    let words = ["CVE-2026-0002", vulnerable.reference.as_str()];
    wait_for_event(&cluster, &running.name, "web", "CriticalVulnerability", &words);
    let now = report(&cluster, other.built.config.as_str());
    assert_eq!(
        now["metadata"]["resourceVersion"], others["metadata"]["resourceVersion"],
        "it says the same: {now}"
    );

    eventually(60, "the workload is counted", || {
        match operators(&cluster, "pratique_workloads_with_fixable_criticals") {
            1.0 => Ok(()),
            other => Err(format!("{other} are")),
        }
    });

    // Every replica decides by what the leader matched.
    for _ in 0..6 {
        let refusal = eventually(30, "the vulnerable image is refused", || {
            guarded.dry_run(&on_node("vulnerable", &vulnerable)).err().ok_or("it was let in".to_owned())
        });
        for part in ["rule critical-with-a-fix", "CVE-2026-0002", policy.name.as_str()] {
            assert!(refusal.contains(part), "the refusal lacks «{part}»: {refusal}");
        }
    }
    guarded.create(&on_node("fixed", &fixed)).expect("its fixed twin is let in");
    wait_until_it_runs(&cluster, &guarded, "fixed");
    let printed = cluster.pratique(&["report", &vulnerable.reference], None);
    assert!(printed.stdout.contains("CVE-2026-0002"), "{}{}", printed.stdout, printed.stderr);

    // Half a download changes nothing, and says so.
    new["summary"] = json!("dash forgets more");
    new["modified"] = json!("2026-03-03T00:00:00Z");
    let next = osv_archive(&[old, new]);
    // Half of it comes once; what is tried after that gets nothing more.
    let mut half = Some(next.len() / 2);
    advisories.server.spoil(move |asked| match asked.path.ends_with("all.zip") {
        true => Spoil::Cut(half.take().unwrap_or(0)),
        false => Spoil::Nothing,
    });
    advisories.server.put("/Debian/all.zip", next);
    let failing = || operators(&cluster, "pratique_advisories_failing");
    eventually(120, "the operator says that it fails", || {
        if failing() == 1.0 { Ok(()) } else { Err("it does not".to_owned()) }
    });
    let words = ["Debian", "broke off", "the old ones serve on"];
    wait_for_event(&cluster, NAMESPACE, "pratique-operator", "AdvisoriesNotRefreshed", &words);
    guarded.dry_run(&on_node("still", &vulnerable)).expect_err("the old advisories are in force");
    advisories.server.spoil(|_| Spoil::Nothing);
    eventually(120, "all is well again", || {
        if failing() == 0.0 { Ok(()) } else { Err("it still fails".to_owned()) }
    });

    assert_eq!(layers_read(&cluster), read, "no layer was read again");
}

/// What the operators count under `metric`, all replicas together.
fn operators(cluster: &Cluster, metric: &str) -> f64 {
    cluster.pods("operator").iter().map(|pod| cluster.metric(pod, metric)).sum()
}

fn refreshes(cluster: &Cluster) -> f64 {
    operators(cluster, "pratique_advisories_refreshes_total")
}

/// Where the content begins that is asked for.
fn first_byte(asked: &Asked) -> usize {
    let range = asked.headers.get("range").and_then(|range| range.strip_prefix("bytes="));
    range.and_then(|range| range.trim_end_matches('-').parse().ok()).unwrap_or(0)
}

/// Kills the processes of the only operator; its pod and the pod's volumes stay. Waits until it serves again.
fn crash_operator(cluster: &Cluster) {
    let pods = cluster.pods("operator");
    let [pod] = pods.as_slice() else { panic!("one operator is wanted: {pods:?}") };
    let restarts = || -> Result<(u64, Value), String> {
        let pod = cluster.get_json(&["pod", pod, "-n", NAMESPACE])?;
        let count = pod.pointer("/status/containerStatuses/0/restartCount").and_then(Value::as_u64);
        Ok((count.ok_or_else(|| pod["status"].to_string())?, pod["spec"]["nodeName"].clone()))
    };
    let (before, node) = eventually(30, "the operator's pod is known", restarts);
    let node = node.as_str().expect("a node");
    let processes = cluster.processes(node, "/pratique-operator");
    let mut kill = vec!["node-exec", node, "--", "kill", "-9"];
    kill.extend(processes.iter().map(String::as_str));
    cluster.ctl(&kill);
    eventually(60, "the operator starts again", || match restarts()? {
        (count, _) if count > before => Ok(()),
        (count, _) => Err(format!("{count} restarts")),
    });
    cluster.settle();
}

#[test]
fn an_operator_that_starts_with_old_advisories_keeps_them_whatever_breaks_until_new_ones_come() {
    let Some(cluster) = Cluster::own("an_operator_that_starts_with_old_advisories_keeps_them") else {
        return;
    };
    let old = osv_record("DSA-0005-1", "CVE-2026-0005", "Debian:12", "dash", Some("2"), CVSS_CRITICAL);
    let advisories = Advisories::serve(&cluster, std::slice::from_ref(&old));
    // With one replica it is certain who has fetched them.
    let _one = cluster.upgrade_for_now("operator.replicas=1");
    let guarded = Namespace::new(&cluster, "old-advisories");
    let _policy = guarded.policy(
        "flaws",
        json!({
            "enforcement": "Enforce",
            "deny": [{"name": "critical", "vulnerability": {"minSeverity": "Critical"}}],
        }),
    );
    let known = image(&cluster, "old/known:1", "dash", "1");
    let node = &cluster.nodes()[..1];
    stock(&guarded, node, &[&known.reference]);
    matched(&cluster, &known, "the old flaw", |status| status["summary"]["critical"] == 1);

    advisories.server.spoil(|_| Spoil::Status(503, vec![]));
    crash_operator(&cluster);
    let refused = || {
        let mut object = pod("asked", &known.reference);
        object["spec"]["nodeName"] = json!(node[0]);
        eventually(60, "the old advisories are in force", || {
            guarded.dry_run(&object).err().ok_or("it was let in".to_owned())
        })
    };
    assert!(refused().contains("CVE-2026-0005"));
    let words = ["503", "the old ones serve on"];
    wait_for_event(&cluster, NAMESPACE, "pratique-operator", "AdvisoriesNotRefreshed", &words);
    // What comes while they cannot be renewed is matched with them too.
    let arrived = image(&cluster, "old/arrived:1", "dash", "1.5");
    stock(&guarded, node, &[&arrived.reference]);
    matched(&cluster, &arrived, "the old flaw", |status| status["summary"]["critical"] == 1);
    let other = image(&cluster, "old/other:1", "zlib", "1");
    stock(&guarded, node, &[&other.reference]);
    matched(&cluster, &other, "no flaw is known", |status| status["findings"].is_null());
    let read = layers_read(&cluster);

    let mut new = osv_record("DSA-0006-1", "CVE-2026-0006", "Debian:12", "zlib", Some("2"), CVSS_LOW);
    new["modified"] = json!("2026-02-02T00:00:00Z");
    let fresh = osv_archive(&[old, new]);
    advisories.server.put("/Debian/all.zip", fresh.clone());
    let wrong = vec![("x-goog-hash".to_owned(), "md5=AAAAAAAAAAAAAAAAAAAAAA==".to_owned())];
    let later = vec![("retry-after".to_owned(), "3600".to_owned())];
    // The library's own tests cut at every tenth.
    let faults = [0, 5, 9]
        .map(|tenth| Spoil::Cut(fresh.len() * tenth / 10))
        .into_iter()
        .chain([Spoil::Headers(wrong), Spoil::Status(429, later)]);
    for fault in faults {
        let spoil = fault.clone();
        advisories.server.spoil(move |asked| match (asked.path.ends_with("all.zip"), &spoil) {
            (false, _) => Spoil::Nothing,
            // What is there by now is not sent again: the download ends where the fault says, however often it is taken up.
            (true, Spoil::Cut(end)) => Spoil::Cut(end.saturating_sub(first_byte(asked))),
            (true, spoil) => spoil.clone(),
        });
        advisories.server.asked();
        let before = refreshes(&cluster);
        let mut met = false;
        eventually(60, &format!("{fault:?} is met"), || {
            met |= advisories.server.asked().iter().any(|asked| asked.path.ends_with("all.zip"));
            let more = refreshes(&cluster) - before;
            if met && more > 0.0 { Ok(()) } else { Err(format!("met: {met}, {more} refreshes")) }
        });
        assert_eq!(operators(&cluster, "pratique_advisories_failing"), 1.0, "{fault:?} is told");
        refused();
        let still = report(&cluster, other.built.config.as_str());
        assert!(still["status"]["findings"].is_null(), "{fault:?}: {still}");
    }
    advisories.server.spoil(|_| Spoil::Nothing);
    matched(&cluster, &other, "the new flaw", |status| status["summary"]["low"] == 1);
    refused();
    assert_eq!(layers_read(&cluster), read, "no layer was read again");
}

#[test]
fn each_field_of_a_rule_decides_and_a_vex_document_suppresses_visibly_without_a_network() {
    let cluster = Cluster::get();
    let flaw = osv_record("DSA-0003-1", "CVE-2026-0003", "Debian:12", "dash", Some("2"), CVSS_CRITICAL);
    let _advisories = ConfigMap::new(
        &cluster,
        "e2e-advisories",
        &[
            ("debian", &osv_archive(&[flaw])),
            ("exploited", br#"{"vulnerabilities": [{"cveID": "CVE-2026-0003", "dateAdded": "2026-01-03"}]}"#),
            ("estimates", b"#model\ncve,epss,percentile\nCVE-2026-0003,0.5,0.9\n"),
        ],
    );
    let about = |flaw: &str| {
        json!({
            "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://shop.example/vex/1", "author": "security@shop.example",
            "timestamp": "2026-03-01T00:00:00Z", "version": 1,
            "statements": [{
                "vulnerability": {"name": flaw}, "products": [{"@id": "pkg:deb/debian/dash"}],
                "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
            }],
        })
        .to_string()
    };
    let vex = ConfigMap::new(&cluster, "e2e-vex", &[("shop.json", about("CVE-2026-9999").as_bytes())]);
    let mut values = "vulnerabilities.enabled=true,vulnerabilities.vex.configMap=e2e-vex".to_owned();
    let volume = "vulnerabilities.offline.volume.configMap";
    values.push_str(&format!(",{volume}.name=e2e-advisories"));
    let files = [
        ("debian", "Debian/all.zip"),
        ("exploited", "known_exploited_vulnerabilities.json"),
        ("estimates", "epss_scores-current.csv.gz"),
    ];
    for (n, (key, path)) in files.into_iter().enumerate() {
        values.push_str(&format!(",{volume}.items[{n}].key={key},{volume}.items[{n}].path={path}"));
    }
    let _values = cluster.upgrade_for_now(&values);
    let guarded = Namespace::new(&cluster, "fields");
    let vulnerable = image(&cluster, "fields/vulnerable:1", "dash", "1");
    stock(&guarded, &cluster.nodes(), &[&vulnerable.reference]);
    matched(&cluster, &vulnerable, "the flaw", |status| status["summary"]["critical"] == 1);

    let asked = pod("asked", &vulnerable.reference);
    let rule = |name: &str, fields: Value| json!({"name": name, "vulnerability": fields});
    let policy =
        |name: &str, rules: Value| guarded.policy(name, json!({"enforcement": "Enforce", "deny": rules}));
    let others = policy(
        "others",
        json!([
            rule("no-fix", json!({"fixAvailable": false})),
            rule("older", json!({"minAge": "87600h"})),
            rule("likelier", json!({"minEpss": 0.6})),
            rule("more", json!({"minCount": 2})),
            rule("another", json!({"ids": ["CVE-2026-0001"]})),
            rule("elsewhere", json!({"minSeverity": "Low", "knownExploited": true, "packages": ["zlib"]})),
        ]),
    );
    guarded.dry_run(&asked).expect("no rule speaks of it");
    drop(others);
    for (name, fields) in [
        ("fix", json!({"fixAvailable": true})),
        ("age", json!({"minAge": "24h"})),
        ("exploited", json!({"knownExploited": true})),
        ("estimate", json!({"minEpss": 0.4})),
        ("count", json!({"minCount": 1})),
        ("id", json!({"ids": ["CVE-2026-0003"]})),
        ("package", json!({"packages": ["dash"]})),
        (
            "all",
            json!({"minSeverity": "Critical", "fixAvailable": true, "knownExploited": true, "minEpss": 0.5}),
        ),
    ] {
        let _policy = policy(name, json!([rule(name, fields)]));
        let refusal = guarded.dry_run(&asked).expect_err(name);
        assert!(
            refusal.contains(&format!("rule {name}: ")) && refusal.contains("CVE-2026-0003"),
            "{refusal}"
        );
    }

    let excepted = |flaw: &str| {
        guarded.policy(
            "excepted",
            json!({
                "enforcement": "Enforce",
                "deny": [rule("critical", json!({"minSeverity": "Critical"}))],
                "exceptions": [{
                    "name": "accepted", "findings": {"vulnerabilities": [flaw]}, "images": ["**"], "expires": "2999-01-01T00:00:00Z",
                    "reason": "the shell reads nothing from outside",
                }],
            }),
        )
    };
    let another = excepted("CVE-2026-9999");
    guarded.dry_run(&asked).expect_err("the exception is about another flaw");
    drop(another);
    let accepted = excepted("CVE-2026-0003");
    guarded.dry_run(&asked).expect("the flaw is accepted");
    let listed = eventually(60, "the report says that it is accepted", || {
        let found = report(&cluster, vulnerable.built.config.as_str());
        let policies = found["status"]["policies"].to_string();
        let said = "accepted, until 2999-01-01: the shell reads nothing from outside";
        if policies.contains(said) { Ok(found) } else { Err(policies) }
    });
    assert_eq!(
        listed["status"]["summary"]["critical"], 1,
        "an exception of one policy hides nothing: {listed}"
    );
    drop(accepted);

    let _critical = policy("critical", json!([rule("critical", json!({"minSeverity": "Critical"}))]));
    guarded.dry_run(&asked).expect_err("nobody says yet that it does not matter");
    vex.set(&[("shop.json", about("CVE-2026-0003").as_bytes())]);
    let found =
        matched(&cluster, &vulnerable, "the flaw does not count", |status| status["findings"].is_null());
    let suppressed = &found["status"]["suppressed"][0];
    assert_eq!(
        (suppressed["by"].as_str(), suppressed["reason"].as_str()),
        (Some("security@shop.example"), Some("vulnerable_code_not_in_execute_path")),
        "{found}"
    );
    assert!(suppressed["message"].as_str().is_some_and(|said| said.contains("CVE-2026-0003")), "{found}");
    eventually(30, "it is let in", || guarded.dry_run(&asked));
    let printed = cluster.pratique(&["report", &vulnerable.reference], None);
    assert!(printed.stdout.contains("security@shop.example"), "{}{}", printed.stdout, printed.stderr);
}
