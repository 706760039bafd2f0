//! What broker and scanner may do, seen from inside.

use pratique_e2e::Cluster;
use pratique_e2e::cluster::NAMESPACE;

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

/// A field of the status of the node's process with this command line, read on the node itself.
fn status(cluster: &Cluster, program: &str, field: &str) -> String {
    let node = &cluster.nodes()[0];
    let script = r#"for p in /proc/[0-9]*; do [ "$(tr '\0' ' ' <$p/cmdline 2>/dev/null | cut -d' ' -f1)" = "$1" ] && grep "^$2:" $p/status && exit; done; exit 1"#;
    let line = cluster.ctl(&["node-exec", node, "--", "sh", "-c", script, "sh", program, field]);
    line.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn each_container_has_its_one_capability_and_no_other() {
    let Some(cluster) = Cluster::own("each_container_has_its_one_capability") else { return };
    for (program, wanted) in [("/pratique-scanner", DAC_READ_SEARCH), ("/pratique-agent", SYS_PTRACE)] {
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
