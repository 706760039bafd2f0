//! What broker and scanner may do, seen from inside.

use pratique_e2e::cluster::NAMESPACE;
use pratique_e2e::reports::report;
use pratique_e2e::{Cluster, Image, Namespace, eventually, stock};
use serde_json::{Value, json};

/// CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE as bits of /proc/PID/status.
const DAC_READ_SEARCH: u64 = 1 << 2;
const SYS_PTRACE: u64 = 1 << 19;

/// Lines of `agent check` on the first node.
fn check(cluster: &Cluster) -> String {
    let agent = cluster.agent_on(&cluster.nodes()[0]);
    let done =
        cluster.kubectl(&["exec", &agent, "-n", NAMESPACE, "-c", "broker", "--", "/pratique-agent", "check"]);
    done.stdout + &done.stderr
}

/// Waits until `check` says that exactly these are lacking. For a moment after its start an agent lacks more.
fn check_lacks(cluster: &Cluster, wanted: &[&str]) {
    eventually(60, &format!("what check says is lacking is {wanted:?}"), || {
        let text = check(cluster);
        let mut lacking: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("LACKS  ")).collect();
        lacking.sort_unstable();
        let as_wanted = lacking.iter().zip(wanted).all(|(line, wanted)| line.starts_with(wanted));
        if as_wanted && lacking.len() == wanted.len() && text.contains("ok     ") {
            Ok(())
        } else {
            Err(text)
        }
    });
}

/// A field of the status of the node's process whose command line starts so, read on the node itself.
fn status(cluster: &Cluster, start: &str, field: &str) -> String {
    let node = &cluster.nodes()[0];
    let processes = cluster.processes(node, start);
    let process = processes.first().unwrap_or_else(|| panic!("no `{start}` runs on {node}"));
    let line = cluster.ctl(&[
        "node-exec",
        node,
        "--",
        "grep",
        &format!("^{field}:"),
        &format!("/proc/{process}/status"),
    ]);
    line.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn each_container_has_its_one_capability_and_no_other() {
    let Some(cluster) = Cluster::own("each_container_has_its_one_capability") else { return };
    for (program, wanted) in
        [("/pratique-agent scanner", DAC_READ_SEARCH), ("/pratique-agent run", SYS_PTRACE)]
    {
        for field in ["CapEff", "CapPrm", "CapBnd"] {
            let text = status(&cluster, program, field);
            assert_eq!(u64::from_str_radix(&text, 16), Ok(wanted), "{program} {field} is {text}");
        }
        assert_eq!(status(&cluster, program, "NoNewPrivs"), "1", "{program}");
        assert_eq!(status(&cluster, program, "Seccomp"), "2", "{program}");
    }
}

#[test]
fn check_says_item_by_item_that_everything_is_in_order() {
    let cluster = Cluster::get();
    check_lacks(&cluster, &[]);
    let text = check(&cluster);
    for item in
        ["socket", "ptrace", "open_by_handle_at", "Landlock", "read-only", "no_new_privs", "token", "cache"]
    {
        assert!(text.to_lowercase().contains(&item.to_lowercase()), "check says nothing of {item}: {text}");
    }
}

#[test]
fn the_agent_has_no_rights_in_the_kubernetes_api() {
    let cluster = Cluster::get();
    let user = format!("system:serviceaccount:{NAMESPACE}:pratique-agent");
    let done = cluster.kubectl(&["auth", "can-i", "--list", "--as", &user, "-n", NAMESPACE]);
    // What every authenticated user may: ask about itself, and read the API's description.
    for line in done.stdout.lines().skip(1) {
        assert!(
            line.contains("selfsubject") || line.contains("[/") || line.trim().is_empty(),
            "the agent may do more than nothing: {line}"
        );
    }
    let agent = cluster.agent_on(&cluster.nodes()[0]);
    let pod = cluster.get_json(&["pod", &agent, "-n", NAMESPACE]).expect("the agent's pod");
    let scanner = pod["spec"]["containers"]
        .as_array()
        .and_then(|all| all.iter().find(|container| container["name"] == "scanner"))
        .expect("the scanner's container")
        .clone();
    assert!(!scanner["volumeMounts"].to_string().contains("secrets"), "the scanner sees no token: {scanner}");
}

/// Agents that lack something, until the value is dropped.
struct Deprived(Cluster);

impl Deprived {
    /// Changes the broker's and the scanner's container and waits until the first node's agent runs so.
    fn new(cluster: &Cluster, change: impl Fn(&mut Value)) -> Self {
        let generation = eventually(30, "the DaemonSet is changed", || {
            let mut object = cluster.get_json(&["daemonset", "pratique-agent", "-n", NAMESPACE])?;
            let generation = object["metadata"]["generation"].as_u64().unwrap_or_default();
            let containers =
                object["spec"]["template"]["spec"]["containers"].as_array_mut().ok_or("no containers")?;
            containers.iter_mut().for_each(&change);
            cluster.kubectl_with(&["replace", "-f", "-"], Some(&object.to_string())).success()?;
            Ok(generation)
        });
        let deprived = Self(cluster.clone());
        let old = cluster.agent_on(&cluster.nodes()[0]);
        let template = format!("{}", generation + 1);
        cluster.kubectl(&["delete", "pod", &old, "-n", NAMESPACE, "--grace-period=1"]);
        eventually(90, "the first node's agent is a new one", || {
            let pods = cluster.list(&["pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=agent"]);
            let new = pods.iter().any(|pod| {
                pod["spec"]["nodeName"] == cluster.nodes()[0].as_str()
                    && pod["metadata"]["labels"]["pod-template-generation"] == template.as_str()
                    && pod["status"]["phase"] == "Running"
            });
            if new { Ok(()) } else { Err(format!("no pod of generation {template} runs")) }
        });
        deprived
    }
}

impl Drop for Deprived {
    fn drop(&mut self) {
        self.0.kubectl(&["rollout", "undo", "daemonset/pratique-agent", "-n", NAMESPACE]);
        self.0.kubectl(&[
            "delete",
            "pods",
            "-n",
            NAMESPACE,
            "-l",
            "app.kubernetes.io/component=agent",
            "--grace-period=1",
        ]);
        self.0.kubectl(&["rollout", "status", "daemonset/pratique-agent", "-n", NAMESPACE, "--timeout=120s"]);
    }
}

/// Takes a mount from a container.
fn unmount(container: &mut Value, volume: &str) {
    if let Some(mounts) = container["volumeMounts"].as_array_mut() {
        mounts.retain(|mount| mount["name"] != volume);
    }
}

#[test]
fn without_ptrace_the_agent_says_so_and_scans_all_the_same() {
    let Some(cluster) = Cluster::own("without_ptrace_the_agent_says_so") else { return };
    let namespace = Namespace::new(&cluster, "no-ptrace");
    let _deprived = Deprived::new(&cluster, |container| {
        if container["name"] == "broker" {
            container["securityContext"]["capabilities"]["add"] = json!([]);
        }
    });
    check_lacks(&cluster, &["broker: other processes' roots"]);
    let image = Image::risky("no-ptrace/app:1").push(&cluster);
    stock(&namespace, &cluster.nodes()[..1], &[&image.reference]);
    assert_eq!(report(&cluster, image.built.config.as_str())["status"]["verdict"], "Findings");
}

#[test]
fn without_the_folder_the_agent_says_so_and_no_image_is_called_clean() {
    let Some(cluster) = Cluster::own("without_the_folder_the_agent_says_so") else { return };
    let namespace = Namespace::new(&cluster, "no-folder");
    let deprived = Deprived::new(&cluster, |container| unmount(container, "runtime-root"));
    let lacks = [
        "broker: folders of layers",
        "broker: runtime's root is mounted",
        "broker: runtime's root is read-only",
        "scanner: runtime's root is mounted",
        "scanner: runtime's root is read-only",
    ];
    check_lacks(&cluster, &lacks);
    let image = Image::clean("no-folder/app:1").push(&cluster);
    stock(&namespace, &cluster.nodes()[..1], &[&image.reference]);
    let found = report(&cluster, image.built.config.as_str());
    assert_eq!(found["status"]["verdict"], "Error", "{found}");
    let why = found["status"]["error"].as_str().unwrap_or_default();
    assert!(why.contains("no layer of the image could be read"), "{found}");

    drop(deprived);
    eventually(120, "the image is scanned once the folder is back", || {
        let verdict = report(&cluster, image.built.config.as_str())["status"]["verdict"].clone();
        if verdict == "Clean" { Ok(()) } else { Err(verdict.to_string()) }
    });
}

#[test]
fn without_the_socket_the_agent_says_so_and_stays() {
    let Some(cluster) = Cluster::own("without_the_socket_the_agent_says_so") else { return };
    let _deprived = Deprived::new(&cluster, |container| unmount(container, "runtime-socket"));
    check_lacks(&cluster, &["broker: containerd"]);
    let agent = cluster.agent_on(&cluster.nodes()[0]);
    let pod = cluster.get_json(&["pod", &agent, "-n", NAMESPACE]).expect("the agent's pod");
    let restarts: Vec<&Value> = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| &c["restartCount"])
        .collect();
    assert_eq!(restarts, [0, 0], "neither container was restarted");
}
