//! Namespaces, policies and pods of tests. Namespaces and policies go away with their value.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::Cluster;

/// A namespace of one test, with the label `e2e: <name>`.
#[derive(Debug)]
pub struct Namespace {
    cluster: Cluster,
    short: String,
    /// Its name.
    pub name: String,
}

impl Namespace {
    /// Creates it, under a name that no earlier try of the test had: what ran in that one is known and may be under a grace
    /// period. Waits until pods can be created in it.
    pub fn new(cluster: &Cluster, short: &str) -> Self {
        let name = format!("e2e-{short}-{}", std::process::id());
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"e2e": name}},
        });
        crate::eventually(60, &format!("namespace {name} is created"), || cluster.apply(&object));
        let namespace = Self { cluster: cluster.clone(), short: short.to_owned(), name };
        // The controller manager makes it, a moment later if the API server was just restarted.
        crate::eventually(60, &format!("{} has its service account", namespace.name), || {
            cluster.get_json(&["serviceaccount", "default", "-n", &namespace.name])
        });
        namespace
    }

    /// A policy that speaks of this namespace only; `spec` is merged into it.
    pub fn policy(&self, name: &str, spec: Value) -> Policy {
        let mut spec = spec;
        spec["match"]["namespaceSelector"] = json!({"matchLabels": {"e2e": self.name}});
        Policy::new(&self.cluster, &format!("{}-{name}", self.name), spec)
    }

    /// Creates a pod; what kubectl printed, or the refusal.
    pub fn create(&self, object: &Value) -> Result<String, String> {
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(self.name);
        self.cluster.create(&object)
    }

    /// Asks whether a pod would be admitted, without creating it.
    pub fn dry_run(&self, object: &Value) -> Result<String, String> {
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(self.name);
        let done =
            self.cluster.kubectl_with(&["create", "--dry-run=server", "-f", "-"], Some(&object.to_string()));
        if done.ok { Ok(done.stdout + &done.stderr) } else { Err(done.stderr) }
    }
}

/// Brings images to nodes as an earlier deployment would have, and waits until that has happened. It happens in a namespace of
/// its own, which is gone then: an image that already ran in the guarded one could be under the policy's grace period.
pub fn stock(namespace: &Namespace, nodes: &[String], images: &[&str]) {
    static NUMBER: AtomicUsize = AtomicUsize::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let depot = Namespace::new(&namespace.cluster, &format!("{}-stock-{number}", namespace.short));
    for (n, image) in images.iter().enumerate() {
        for node in nodes {
            let mut object = pod(&format!("stock-{n}-{node}"), image);
            object["spec"]["nodeName"] = json!(node);
            object["spec"]["restartPolicy"] = json!("Never");
            object["spec"]["containers"][0]["command"] = json!(["/bin/busybox", "true"]);
            object["metadata"]["namespace"] = json!(depot.name);
            crate::eventually(60, &format!("stock {image} on {node}"), || depot.cluster.apply(&object));
        }
    }
    crate::eventually(120, &format!("{images:?} are on {nodes:?}"), || {
        let pods = depot.cluster.list(&["pods", "-n", &depot.name]);
        match pods.iter().find(|pod| pod["status"]["phase"] != "Succeeded") {
            Some(pod) => Err(pod["status"].to_string()),
            None if pods.is_empty() => Err("there are no pods".to_owned()),
            None => Ok(()),
        }
    });
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.cluster.kubectl(&["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"]);
    }
}

/// A ScanPolicy of one test.
#[derive(Debug)]
pub struct Policy {
    cluster: Cluster,
    /// Its name.
    pub name: String,
}

impl Policy {
    /// Applies it and waits until its condition Ready says it is in force.
    pub fn new(cluster: &Cluster, name: &str, spec: Value) -> Self {
        let policy = Self { cluster: cluster.clone(), name: name.to_owned() };
        policy.set(spec);
        policy
    }

    /// Changes it and waits until the change is in force on every replica.
    pub fn set(&self, spec: Value) {
        let object = json!({
            "apiVersion": "pratique.dev/v1alpha1", "kind": "ScanPolicy",
            "metadata": {"name": self.name}, "spec": spec,
        });
        self.cluster.apply(&object).unwrap_or_else(|error| panic!("policy {}: {error}", self.name));
        let generation = crate::eventually(30, &format!("policy {} is Ready", self.name), || {
            let policy = self.cluster.get_json(&["scanpolicy", &self.name])?;
            let ready = policy["status"]["conditions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"));
            match policy["metadata"]["generation"].as_f64() {
                Some(generation)
                    if ready
                        && policy["status"]["observedGeneration"] == policy["metadata"]["generation"] =>
                {
                    Ok(generation)
                }
                _ => Err(policy["status"].to_string()),
            }
        });
        // Ready is the leader's word; the other replicas decide on pods too.
        let metric = format!("pratique_policy_generation{{policy=\"{}\"}}", self.name);
        for operator in self.cluster.pods("operator") {
            crate::eventually(30, &format!("policy {} is in force on {operator}", self.name), || {
                let seen = self.cluster.metric(&operator, &metric);
                if seen == generation { Ok(()) } else { Err(format!("generation {seen}, not {generation}")) }
            });
        }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        self.cluster.kubectl(&["delete", "scanpolicy", &self.name, "--ignore-not-found"]);
    }
}

/// A pod with one container that sleeps, pulled only where it is missing.
pub fn pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [container("main", image)],
        },
    })
}

/// A container that sleeps.
pub fn container(name: &str, image: &str) -> Value {
    json!({
        "name": name, "image": image, "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/busybox", "sleep", "1000000"],
    })
}
