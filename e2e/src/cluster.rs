//! The cluster under test.

use std::env;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where Pratique is installed.
pub const NAMESPACE: &str = "pratique";

/// This machine's address in our own cluster's network (`HOST_IP` of e2e/cluster), where pods reach a test's servers.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 254);

/// What a command printed and how it ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// Whether it exited with 0.
    pub ok: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Standard output, if it succeeded.
    pub fn success(self) -> Result<String, String> {
        if self.ok { Ok(self.stdout) } else { Err(self.stderr) }
    }
}

/// Runs `program` with `arguments` and `input`.
fn run(program: &Path, arguments: &[&str], input: Option<&str>) -> Run {
    run_command(Command::new(program).args(arguments), input)
}

/// Runs a command with `input`.
fn run_command(command: &mut Command, input: Option<&str>) -> Run {
    let mut child = command
        .current_dir(root())
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        // A command that refuses early closes its input: what it says counts, not this.
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Run {
        ok: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The cluster that `e2e/run` prepared: its kubectl and context come from the environment.
#[derive(Debug, Clone)]
pub struct Cluster {
    kubectl: PathBuf,
    helm: PathBuf,
    pratique: PathBuf,
    context: Option<String>,
    /// Where images are pushed and pulled, such as `registry.example.com/team`.
    pub registry: String,
}

impl Cluster {
    /// The cluster of this run, [at rest](Self::settle). Fails with what to do where `e2e/run` was not used.
    pub fn get() -> Self {
        let cluster = Self::named();
        cluster.settle();
        cluster
    }

    fn named() -> Self {
        let need = |name: &str| {
            env::var(name)
                .unwrap_or_else(|_| panic!("{name} is not set: run these tests by e2e/run (make test-e2e)"))
        };
        Self {
            kubectl: need("E2E_KUBECTL").into(),
            helm: need("E2E_HELM").into(),
            pratique: need("E2E_PRATIQUE").into(),
            context: env::var("DEMO_CONTEXT").ok().filter(|context| !context.is_empty()),
            registry: need("REGISTRY"),
        }
    }

    /// The cluster, if it is one of our own whose parts may be stopped. Says on the terminal when a test is left out.
    pub fn own(test: &str) -> Option<Self> {
        let cluster = Self::named();
        if cluster.context.is_some() {
            eprintln!("{test}: left out, DEMO_CONTEXT is set and this test stops parts of the cluster");
            return None;
        }
        cluster.settle();
        Some(cluster)
    }

    /// Waits until whatever was done to Pratique has come to rest: all pods are ready and the old ones gone, one leads and
    /// renews its lease, every agent is connected to it and the other replicas follow it, and no scan is under way. Tests begin
    /// so, whatever the one before them broke.
    pub fn settle(&self) {
        let mut renewed = None;
        crate::eventually(300, "Pratique is at rest", || self.is_at_rest(&mut renewed));
    }

    /// `renewed`: the lease's time of renewal when it was first looked at.
    fn is_at_rest(&self, renewed: &mut Option<Value>) -> Result<(), String> {
        let number = |object: &Value, path: &str| object.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        let rolled_out = |kind: &str, name: &str, wanted: &str, counts: &[&str]| -> Result<u64, String> {
            let object = self.get_json(&[kind, name, "-n", NAMESPACE])?;
            let wanted = number(&object, wanted);
            let all = counts.iter().all(|count| number(&object, &format!("/status/{count}")) == wanted);
            if all && object["status"]["observedGeneration"] == object["metadata"]["generation"] {
                Ok(wanted)
            } else {
                Err(format!("{kind} {name}: {}", object["status"]))
            }
        };
        let counts = ["replicas", "updatedReplicas", "readyReplicas"];
        let operators = rolled_out("deployment", "pratique-operator", "/spec/replicas", &counts)?;
        let counts = ["currentNumberScheduled", "updatedNumberScheduled", "numberReady"];
        let agents = rolled_out("daemonset", "pratique-agent", "/status/desiredNumberScheduled", &counts)?;
        let operator_pods = self.pods("operator");
        for (pods, wanted) in [(&operator_pods, operators), (&self.pods("agent"), agents)] {
            if pods.len() as u64 != wanted {
                return Err(format!("{} pods where {wanted} are wanted: {pods:?}", pods.len()));
            }
        }
        let lease = self.get_json(&["lease", "pratique-operator", "-n", NAMESPACE])?;
        if renewed.get_or_insert_with(|| lease["spec"]["renewTime"].clone()) == &lease["spec"]["renewTime"] {
            return Err("the lease is not renewed".to_owned());
        }
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let leader = operator_pods
            .iter()
            .find(|pod| holder.starts_with(&format!("{pod}_")))
            .ok_or_else(|| format!("the lease's holder is «{holder}»"))?;
        let metrics = self.metrics(leader)?;
        for (metric, wanted) in [
            ("pratique_leader", 1),
            ("pratique_agents_connected", agents),
            ("pratique_followers_connected", operators - 1),
            ("pratique_scan_queue_length", 0),
            ("pratique_claims_open", 0),
            ("pratique_webhook_configuration_applied", 1),
        ] {
            let found = sum(&metrics, metric);
            if found != wanted as f64 {
                return Err(format!("{metric} is {found}, not {wanted}"));
            }
        }
        Ok(())
    }

    /// The names of all pods of a component of Pratique, those on their way out too.
    pub fn pods(&self, component: &str) -> Vec<String> {
        let label = format!("app.kubernetes.io/component={component}");
        let pods = self.list(&["pods", "-n", NAMESPACE, "-l", &label]);
        pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned)).collect()
    }

    /// Runs kubectl.
    pub fn kubectl(&self, arguments: &[&str]) -> Run {
        self.kubectl_with(arguments, None)
    }

    /// Runs kubectl with `input`.
    pub fn kubectl_with(&self, arguments: &[&str], input: Option<&str>) -> Run {
        let mut all = Vec::new();
        if let Some(context) = &self.context {
            all.extend(["--context", context]);
        }
        all.extend_from_slice(arguments);
        run(&self.kubectl, &all, input)
    }

    /// Runs the command `pratique`, as whoever this kubeconfig says; none: as the tests themselves.
    pub fn pratique(&self, arguments: &[&str], kubeconfig: Option<&Path>) -> Run {
        let mut command = Command::new(&self.pratique);
        command.args(arguments);
        match (kubeconfig, &self.context) {
            (Some(path), _) => drop(command.env("KUBECONFIG", path)),
            (None, Some(context)) => drop(command.args(["--context", context])),
            (None, None) => {}
        }
        run_command(&mut command, None)
    }

    /// Runs helm.
    pub fn helm(&self, arguments: &[&str]) -> Run {
        let mut all = Vec::new();
        if let Some(context) = &self.context {
            all.extend(["--kube-context", context]);
        }
        all.extend_from_slice(arguments);
        run(&self.helm, &all, None)
    }

    /// Upgrades the installed chart with values changed, such as `webhook.failurePolicy=Fail`, and waits until all of it is in
    /// force: helm itself is content before every node has its new agent. Fails the test if helm does.
    pub fn upgrade(&self, values: &str) {
        let done = self.helm(&[
            "upgrade",
            "pratique",
            "charts/pratique",
            "-n",
            NAMESPACE,
            "--reuse-values",
            "--wait",
            "--timeout",
            "3m",
            "--set",
            values,
        ]);
        assert!(done.ok, "helm upgrade --set {values}: {}{}", done.stdout, done.stderr);
        self.settle();
    }

    /// [Upgrades](Self::upgrade) until what this gives is dropped.
    pub fn upgrade_for_now(&self, values: &str) -> ForNow<'_> {
        let status = self.helm(&["status", "pratique", "-n", NAMESPACE, "-o", "json"]);
        let status: Value =
            status.success().ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let revision =
            status["version"].as_u64().unwrap_or_else(|| panic!("helm knows no revision: {status}"));
        let for_now = ForNow { cluster: self, revision };
        self.upgrade(values);
        for_now
    }

    /// Runs `e2e/cluster/ctl`; fails the test if it fails.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let done = run(&root().join("e2e/cluster/ctl"), arguments, None);
        assert!(done.ok, "e2e/cluster/ctl {arguments:?}: {}{}", done.stdout, done.stderr);
        done.stdout
    }

    /// The processes of a node whose command line begins with these words, as the node numbers them.
    pub fn processes(&self, node: &str, words: &str) -> Vec<String> {
        let script = r#"for p in /proc/[0-9]*; do case "$(tr '\0' ' ' <$p/cmdline 2>/dev/null) " in "$1 "*) echo "${p#/proc/}";; esac; done"#;
        let found = self.ctl(&["node-exec", node, "--", "sh", "-c", script, "sh", words]);
        found.lines().map(str::to_owned).collect()
    }

    /// Creates or changes an object. What kubectl printed (warnings included), or why it was refused.
    pub fn apply(&self, object: &Value) -> Result<String, String> {
        let done = self.kubectl_with(&["apply", "-f", "-"], Some(&object.to_string()));
        if done.ok { Ok(done.stdout + &done.stderr) } else { Err(done.stderr) }
    }

    /// Creates an object that must not exist. What kubectl printed (warnings included), or why it was refused.
    pub fn create(&self, object: &Value) -> Result<String, String> {
        let done = self.kubectl_with(&["create", "-f", "-"], Some(&object.to_string()));
        if done.ok { Ok(done.stdout + &done.stderr) } else { Err(done.stderr) }
    }

    /// What `kubectl get … -o json` gives.
    pub fn get_json(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut all = vec!["get", "-o", "json"];
        all.extend_from_slice(arguments);
        let text = self.kubectl(&all).success()?;
        serde_json::from_str(&text).map_err(|error| format!("kubectl get printed no JSON: {error}"))
    }

    /// The items of a list. An API server that does not answer is no empty list: it is asked again for a while.
    pub fn list(&self, arguments: &[&str]) -> Vec<Value> {
        crate::eventually(60, &format!("kubectl get {arguments:?}"), || {
            match self.get_json(arguments)?["items"].take() {
                Value::Array(items) => Ok(items),
                other => Err(format!("no list: {other}")),
            }
        })
    }

    /// Names of the nodes, sorted.
    pub fn nodes(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .list(&["nodes"])
            .iter()
            .filter_map(|node| node["metadata"]["name"].as_str().map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    /// The agent's pod on a node.
    pub fn agent_on(&self, node: &str) -> String {
        eventually_pod(self, "app.kubernetes.io/component=agent", |pod| pod["spec"]["nodeName"] == node)
    }

    /// All Prometheus samples of a pod of ours whose name is `metric`, summed.
    pub fn metric(&self, pod: &str, metric: &str) -> f64 {
        sum(&crate::eventually(30, &format!("metrics of {pod}"), || self.metrics(pod)), metric)
    }

    fn metrics(&self, pod: &str) -> Result<String, String> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics");
        self.kubectl(&["get", "--raw", &path]).success()
    }
}

/// Values of the installed chart that go back to what they were when this is dropped.
#[derive(Debug)]
pub struct ForNow<'c> {
    cluster: &'c Cluster,
    revision: u64,
}

impl Drop for ForNow<'_> {
    fn drop(&mut self) {
        let revision = self.revision.to_string();
        self.cluster.helm(&["rollback", "pratique", &revision, "-n", NAMESPACE, "--wait", "--timeout", "3m"]);
    }
}

/// All samples of a metric, whatever their labels, summed.
fn sum(metrics: &str, name: &str) -> f64 {
    metrics
        .lines()
        .filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
        })
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// The name of the one running pod with this label that `wanted` holds for.
fn eventually_pod(cluster: &Cluster, label: &str, wanted: impl Fn(&Value) -> bool) -> String {
    crate::eventually(60, &format!("a running pod with {label}"), || {
        cluster
            .list(&["pods", "-n", NAMESPACE, "-l", label])
            .iter()
            .find(|pod| {
                pod["status"]["phase"] == "Running"
                    && pod["metadata"]["deletionTimestamp"].is_null()
                    && wanted(pod)
            })
            .and_then(|pod| pod["metadata"]["name"].as_str().map(str::to_owned))
            .ok_or_else(|| "there is none".to_owned())
    })
}
