//! What images are made of: listed on the nodes, kept by the operator, read by people with the right to.

use std::fs;
use std::path::PathBuf;

use pratique_e2e::cluster::NAMESPACE;
use pratique_e2e::images::base;
use pratique_e2e::reports::report;
use pratique_e2e::{Cluster, Image, Namespace, Pushed, eventually, stock};
use pratique_testkit::LayerBuilder;
use serde_json::{Value, json};

/// An image with two Debian packages and a Python one.
fn image(cluster: &Cluster, name: &str) -> Pushed {
    let status = ["openssl", "zlib1g"].map(|package| {
        format!("Package: {package}\nStatus: install ok installed\nVersion: 1:2.0-3\nArchitecture: amd64\n\n")
    });
    let packages = LayerBuilder::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
        .file("var/lib/dpkg/status", status.concat())
        .file(
            "usr/lib/python3/dist-packages/freight-4.2.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: freight\nVersion: 4.2\n",
        );
    Image::of(name, [base(name), packages]).push(cluster)
}

/// The image's ScanReport once it counts packages.
fn listed(cluster: &Cluster, image: &Pushed) -> Value {
    eventually(120, "the report counts packages", || {
        let found = report(cluster, image.built.config.as_str());
        if found["status"]["packages"].is_object() { Ok(found) } else { Err(found.to_string()) }
    })
}

/// The purls that `pratique report` prints.
fn purls(cluster: &Cluster, image: &str) -> Result<String, String> {
    cluster.pratique(&["report", image, "--format", "purls"], None).success()
}

#[test]
fn packages_show_in_the_wide_column_and_by_ecosystem() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "packages");
    let image = image(&cluster, "packages/app:1");
    stock(&namespace, &cluster.nodes()[..1], &[&image.reference]);
    let found = listed(&cluster, &image);
    let counts = &found["status"]["packages"];
    assert_eq!(
        (&counts["byEcosystem"]["deb"], &counts["byEcosystem"]["pypi"]),
        (&json!(2), &json!(1)),
        "{counts}"
    );
    let name = found["metadata"]["name"].as_str().expect("a name");
    let wide = cluster.kubectl(&["get", "scanreport", name, "-o", "wide"]).stdout;
    let mut lines = wide.lines();
    let (head, row) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let start = head.find("PACKAGES").unwrap_or_else(|| panic!("no column PACKAGES: {wide}"));
    let shown = row[start..].split_whitespace().next().unwrap_or_default();
    assert_eq!(shown, counts["total"].to_string(), "{wide}");
}

#[test]
fn pratique_report_prints_what_the_cluster_knows_in_every_format() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "report");
    let image = image(&cluster, "report/app:1");
    stock(&namespace, &cluster.nodes()[..1], &[&image.reference]);
    let found = listed(&cluster, &image);
    let name = found["metadata"]["name"].as_str().expect("a name");
    for known_as in
        [image.reference.as_str(), image.built.config.as_str(), image.built.manifest.as_str(), name]
    {
        // Whichever replica is asked, the one that has the inventory answers.
        for _ in 0..4 {
            let printed = purls(&cluster, known_as).unwrap_or_else(|error| panic!("{known_as}: {error}"));
            for purl in ["pkg:deb/debian/openssl@", "pkg:deb/debian/zlib1g@", "pkg:pypi/freight@4.2"] {
                assert!(printed.contains(purl), "{known_as}: {printed}");
            }
        }
    }
    for (format, words) in [
        ("table", "freight"),
        ("json", "\"freight\""),
        ("cyclonedx", "\"bomFormat\""),
        ("spdx", "\"spdxVersion\""),
        ("sarif", "\"runs\""),
    ] {
        let arguments = ["report", &image.reference, "--format", format, "--packages"];
        let printed =
            cluster.pratique(&arguments, None).success().unwrap_or_else(|error| panic!("{format}: {error}"));
        assert!(printed.contains(words), "{format}: {printed}");
    }
    let unknown = cluster.pratique(&["report", "nowhere.test/none:1"], None);
    assert!(!unknown.ok && unknown.stderr.contains("no image is known as"), "{}", unknown.stderr);
}

/// A kubeconfig for a service account of the namespace, and nothing else.
fn kubeconfig(
    cluster: &Cluster,
    namespace: &Namespace,
    account: &str,
    folder: &tempfile::TempDir,
) -> PathBuf {
    let made = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace.name},
    });
    cluster.apply(&made).expect("an account");
    let token =
        cluster.kubectl(&["create", "token", account, "-n", &namespace.name]).success().expect("a token");
    let own = cluster.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]).success();
    let mut config: Value = serde_json::from_str(&own.expect("a kubeconfig")).expect("a kubeconfig");
    config["users"] = json!([{"name": account, "user": {"token": token.trim()}}]);
    config["contexts"][0]["context"]["user"] = json!(account);
    let path = folder.path().join(account);
    fs::write(&path, config.to_string()).expect("a kubeconfig");
    path
}

#[test]
fn whoever_lacks_the_viewers_role_reads_no_report() {
    let cluster = Cluster::get();
    let namespace = Namespace::new(&cluster, "viewer");
    let image = image(&cluster, "viewer/app:1");
    stock(&namespace, &cluster.nodes()[..1], &[&image.reference]);
    listed(&cluster, &image);
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["report", image.reference.as_str(), "--format", "purls"];

    let stranger = kubeconfig(&cluster, &namespace, "stranger", &folder);
    let refused = cluster.pratique(&arguments, Some(&stranger));
    assert!(!refused.ok && !refused.stdout.contains("pkg:"), "{}{}", refused.stdout, refused.stderr);
    assert!(
        refused.stderr.contains("pratique-viewer") && refused.stderr.contains("forbidden"),
        "{}",
        refused.stderr
    );

    let viewer = kubeconfig(&cluster, &namespace, "reader", &folder);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": namespace.name, "labels": {"e2e": namespace.name}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "pratique-viewer"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace.name}],
    });
    cluster.apply(&binding).expect("a binding");
    let printed =
        eventually(30, "the viewer reads", || cluster.pratique(&arguments, Some(&viewer)).success());
    cluster.kubectl(&["delete", "clusterrolebinding", &namespace.name]);
    assert!(printed.contains("pkg:pypi/freight@4.2"), "{printed}");

    // The proxy alone opens nothing, whoever uses it: the operator wants the reader's token.
    let path = format!(
        "/api/v1/namespaces/{NAMESPACE}/services/https:pratique-reports:reports/proxy/v1/report?image={}",
        image.built.config
    );
    let bare = cluster.kubectl(&["get", "--raw", &path]);
    assert!(!bare.ok && !bare.stdout.contains("freight"), "{}", bare.stdout);
}

#[test]
fn inventories_come_back_when_the_operators_store_is_emptied() {
    let Some(cluster) = Cluster::own("inventories_come_back_when_the_operators_store_is_emptied") else {
        return;
    };
    let namespace = Namespace::new(&cluster, "relisted");
    let image = image(&cluster, "relisted/app:1");
    stock(&namespace, &cluster.nodes()[..1], &[&image.reference]);
    listed(&cluster, &image);
    let before = purls(&cluster, &image.reference).expect("a report");
    let agent = cluster.agent_on(&cluster.nodes()[0]);
    let read = cluster.metric(&agent, "pratique_agent_layers_read_total");

    // The store is an emptyDir: it goes with the pods.
    cluster.kubectl(&["scale", "deployment/pratique-operator", "-n", NAMESPACE, "--replicas=0"]);
    eventually(90, "no operator runs", || {
        let pods = cluster.pods("operator");
        if pods.is_empty() { Ok(()) } else { Err(pods.join(", ")) }
    });
    cluster.kubectl(&["scale", "deployment/pratique-operator", "-n", NAMESPACE, "--replicas=2"]);
    cluster.settle();
    let after = eventually(60, "the inventory is there again", || {
        let printed = purls(&cluster, &image.reference)?;
        if printed == before { Ok(printed) } else { Err(printed) }
    });
    assert!(after.contains("pkg:deb/debian/zlib1g@"), "{after}");
    assert_eq!(cluster.metric(&agent, "pratique_agent_layers_read_total"), read, "no layer was read again");
}
