//! How an image is to be run: what of its config is risky.

mod accounts;

use std::collections::BTreeSet;

use pratique_core::detector::{RUNS_AS_ROOT, described};
use pratique_core::lineage::BASE_NAME;
use pratique_core::{DetectorInfo, Finding, Gap, GapKind, ImageConfig, Severity};

use crate::signs::{WINDOW, word};
use crate::{Detector, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome, Rule, shell};

/// The detector `image-config`.
pub(super) static DETECTOR: Config = Config;

/// See the module.
pub(super) struct Config;

const INFO: &DetectorInfo = described("image-config");

const RULES: &[Rule] = &[
    Rule {
        id: "remote-login-port",
        severity: "Low to Medium",
        reference: "ATT&CK T1133, CIS Docker 5.6",
        what: "exposed ports of sshd, telnet, Docker's API, kubelet, VNC, RDP and the r-services, and a command that starts sshd, telnet, the r-services, a terminal in the browser or Docker's API on the network, whatever its port",
        why: "they let people in, or hand out the node",
        remedy: "leave the service out: kubectl exec needs none",
    },
    Rule {
        id: "start-command",
        severity: "Medium to Critical",
        reference: "ATT&CK T1525, T1059.004",
        what: "an entry point or command that fetches or decodes code and runs it, opens a shell to the network or runs a program from a hidden or open folder",
        why: "what runs is not what was scanned",
        remedy: "put the code into the image",
    },
    Rule {
        id: "moving-base",
        severity: "Negligible",
        reference: "CIS Docker 4.2",
        what: "images that say, or of which Buildah's history says, that their base is tagged latest or not at all",
        why: "the next build has another base, and nobody decided so",
        remedy: "name the base by a version and a digest",
    },
    Rule {
        id: RUNS_AS_ROOT,
        severity: "Negligible",
        reference: "CIS Docker 4.1, CWE-250",
        what: "images that set no user, root, or one whose uid is 0 by the image's /etc/passwd",
        why: "whoever breaks into the process is root in the container, and a flaw of the kernel or the runtime away from the node",
        remedy: "USER 65532 (a number, so that runAsNonRoot can tell) in the last stage; refuse root by a policy's image.runsAsRoot",
    },
    Rule {
        id: "no-health-check",
        severity: "Negligible",
        reference: "CIS Docker 4.6",
        what: "images that expose a port and have no health check",
        why: "Docker, Podman and Swarm cannot tell a process that hangs from one that works; Kubernetes asks the pod's probes instead",
        remedy: "HEALTHCHECK in the Dockerfile, or a livenessProbe in the pod",
    },
];

/// Ports that let people in, and what listens there.
const PORTS: [(u16, &str, Severity); 17] = [
    (22, "sshd", Severity::Medium),
    (23, "telnet", Severity::Medium),
    (512, "rexec", Severity::Medium),
    (513, "rlogin", Severity::Medium),
    (514, "rsh", Severity::Low),
    (2375, "Docker's API without TLS", Severity::Medium),
    (2376, "Docker's API", Severity::Low),
    (2377, "Docker's swarm", Severity::Low),
    (4243, "Docker's API without TLS", Severity::Medium),
    (3389, "RDP", Severity::Low),
    (5900, "VNC", Severity::Low),
    (5901, "VNC", Severity::Low),
    (6000, "X11", Severity::Low),
    (5985, "WinRM", Severity::Low),
    (5986, "WinRM", Severity::Low),
    (10250, "the kubelet's API", Severity::Low),
    (10255, "the kubelet's API", Severity::Low),
];

impl Detector for Config {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(accounts::PLACES, WINDOW)] }
    }

    fn rules(&self) -> &'static [Rule] {
        RULES
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        accounts::note(file)
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        let (mut told, mut gaps) = (Vec::new(), Vec::new());
        if let Some(config) = image.config {
            ports(config, &mut told);
            let command = command(config);
            gaps.extend(start(&command, &mut told));
            service(&command, &mut told);
            base(config, &mut told);
            user(config, facts, &mut told);
            health(config, &mut told);
        }
        let finding = |(rule, severity, message)| INFO.finding(rule, severity, message);
        let mut findings: Vec<Finding> = told.into_iter().map(finding).collect();
        findings.sort();
        findings.dedup();
        Outcome { findings, gaps, ..Outcome::default() }
    }
}

type Told = Vec<(&'static str, Severity, String)>;

fn ports(config: &ImageConfig, told: &mut Told) {
    for exposed in &config.exposed_ports {
        let (number, protocol) = exposed.split_once('/').unwrap_or((exposed, "tcp"));
        // Some builders leave a range as it was written.
        let (first, last) = number.split_once('-').unwrap_or((number, number));
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { continue };
        if !protocol.eq_ignore_ascii_case("tcp") {
            continue;
        }
        for (number, service, severity) in PORTS.iter().filter(|(port, ..)| (first..=last).contains(port)) {
            let what = format!("port {number} is exposed, that of {service}");
            told.push(("remote-login-port", *severity, what));
        }
    }
}

/// What the image starts, as a script again, so that what is handed to a shell is read as one.
fn command(config: &ImageConfig) -> String {
    let words: Vec<&String> = config.entrypoint.iter().chain(&config.cmd).collect();
    shell::quoted(&words)
}

/// What lets people in by the image's command, whatever its port.
fn service(command: &str, told: &mut Told) {
    for (_, words) in shell::commands(command).0 {
        if let Some((service, severity)) = started(&words) {
            let what = format!("the image's command starts {service}");
            told.push(("remote-login-port", severity, what));
        }
    }
}

/// What a command starts that lets people in, behind what only starts it.
fn started(words: &[String]) -> Option<(&'static str, Severity)> {
    const STARTERS: [&str; 12] = [
        "exec",
        "sudo",
        "env",
        "nohup",
        "setsid",
        "tini",
        "tini-static",
        "dumb-init",
        "catatonit",
        "gosu",
        "su-exec",
        "init",
    ];
    let mut words = words.iter().map(String::as_str);
    loop {
        let program = words.next()?;
        let name = program.rsplit('/').next().unwrap_or_default();
        match name {
            // The user that it is started as.
            "gosu" | "su-exec" => _ = words.next(),
            name if STARTERS.contains(&name) || program.starts_with('-') || program.contains('=') => {}
            "sshd" | "dropbear" => return Some(("sshd", Severity::Medium)),
            "telnetd" | "in.telnetd" | "utelnetd" => return Some(("telnet", Severity::Medium)),
            "rshd" | "in.rshd" | "rlogind" | "in.rlogind" | "rexecd" | "in.rexecd" => {
                return Some(("an r-service", Severity::Medium));
            }
            "ttyd" | "gotty" | "wetty" | "shellinaboxd" => {
                return Some(("a terminal in the browser", Severity::Medium));
            }
            // `service ssh start`, and the script by itself.
            "service" | "rc-service" => {
                return words.next().filter(|name| is_sshd(name)).map(|_| ("sshd", Severity::Medium));
            }
            name if program.contains("/init.d/") && is_sshd(name) => return Some(("sshd", Severity::Medium)),
            "dockerd" | "docker" | "podman" => {
                let words: Vec<&str> = words.collect();
                let is_open = |word: &&str| {
                    let address = word.split_once('=').map_or(*word, |(_, address)| address);
                    let host = address.strip_prefix("tcp://").or_else(|| address.strip_prefix("tcp:"));
                    host.is_some_and(|host| !host.starts_with("127.") && !host.starts_with("localhost"))
                };
                let serves =
                    name == "dockerd" || words.iter().any(|word| matches!(*word, "daemon" | "service"));
                let severity = match words.iter().any(|word| word.starts_with("--tlsverify")) {
                    true => Severity::Low,
                    false => Severity::Medium,
                };
                return (serves && words.iter().any(is_open))
                    .then_some(("Docker's API on the network", severity));
            }
            _ => return None,
        }
    }
}

fn is_sshd(name: &str) -> bool {
    matches!(name, "ssh" | "sshd" | "dropbear")
}

/// The gap is that not all of the command was read.
fn start(command: &str, told: &mut Told) -> Option<Gap> {
    let (acts, whole) = shell::acts(command);
    for act in acts {
        let what = format!("the image's command {} ({})", act.kind.in_words(), word(&act.subject));
        told.push(("start-command", act.kind.severity(), what));
    }
    let reason = "the image's command is longer or deeper than scripts are read";
    (!whole).then(|| INFO.gap(GapKind::Limit, reason))
}

/// By the annotation, and by the remark that Buildah leaves at its first step.
fn base(config: &ImageConfig, told: &mut Told) {
    let said = config.history.iter().filter_map(|step| step.comment.strip_prefix("FROM "));
    let bases: BTreeSet<&str> =
        config.labels.get(BASE_NAME).map(String::as_str).into_iter().chain(said).map(str::trim).collect();
    for base in bases {
        let last = base.rsplit('/').next().unwrap_or_default();
        // A digest names it, and Buildah has numbers for images without a name.
        let is_digest =
            last.contains('@') || (last.len() == 64 && last.bytes().all(|b| b.is_ascii_hexdigit()));
        let is_moving = !last.contains(':') || last.ends_with(":latest");
        if is_moving && !is_digest && !matches!(last, "" | "scratch") {
            told.push(("moving-base", Severity::Negligible, format!("its base is {}", word(base))));
        }
    }
}

fn user(config: &ImageConfig, facts: &[LocatedFact], told: &mut Told) {
    let what = if config.user.is_empty() {
        "it sets no user, so its process runs as root".to_owned()
    } else if config.runs_as_root() {
        format!("its process runs as root (user {})", word(&config.user))
    } else if accounts::is_root(&config.user, facts) {
        format!("its process runs as root (user {}, whose uid is 0 in /etc/passwd)", word(&config.user))
    } else {
        return;
    };
    told.push((RUNS_AS_ROOT, Severity::Negligible, what));
}

/// Only what listens can be asked whether it is well.
fn health(config: &ImageConfig, told: &mut Told) {
    if let Some(port) = config.exposed_ports.first().filter(|_| !config.healthcheck) {
        let what = format!("it exposes a port ({}) and has no health check", word(port));
        told.push(("no-health-check", Severity::Negligible, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_cases() {
        crate::golden::check(&DETECTOR);
    }

    #[test]
    fn what_is_not_read_of_the_command_is_a_gap() {
        let start = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            let (mut told, config) =
                (Vec::new(), ImageConfig { entrypoint: words, ..ImageConfig::default() });
            let gap = super::start(&super::command(&config), &mut told);
            assert!(
                gap.iter().all(|gap| gap.kind == GapKind::Limit && gap.detector.as_deref() == Some(INFO.id))
            );
            (told.len(), gap.is_some())
        };
        assert_eq!(start(&["sh", "-c", "exec server"]), (0, false));
        assert_eq!(start(&["sh", "-c", &"$(".repeat(10_000)]), (0, true));
        assert_eq!(start(&["sh", "-c", &"a;".repeat(60_000)]), (0, true));
        assert_eq!(start(&["/tmp/x", &"a".repeat(1 << 20)]), (1, false));
        let mut nested = "x".to_owned();
        for _ in 0..8 {
            nested = format!("eval '{}'", nested.replace('\'', "'\\''"));
        }
        assert_eq!(start(&["sh", "-c", &nested]), (0, true));
    }
}
