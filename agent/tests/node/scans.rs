//! What the agent makes of a node's images.

use std::os::unix::fs::FileExt;
use std::process::Command;

use pratique_core::{Category, GapKind, RuleKind};
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, LayerBuilder, zip_archive};
use pratique_wire::agents::from_agent;

use super::daemon::Node;
use super::operator::Operator;

/// Guesses at hashes of passwords.
const GUESSES: &str = "pratique_agent_password_guesses_total";

const PLANTED: &str = "registry.test/shop/planted:1";

/// `root` without a password, so that no hash has to be guessed.
fn planted() -> LayerBuilder {
    LayerBuilder::new()
        .dir("etc")
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        .file("etc/shadow", "root::19000:0:99999:7:::\n")
}

fn image(layers: &[LayerBuilder]) -> BuiltImage {
    layers
        .iter()
        .fold(ImageBuilder::new(), |image, layer| image.layer(layer.clone(), Compression::Gzip))
        .build()
}

fn base() -> LayerBuilder {
    LayerBuilder::new().dir("etc").file("etc/hostname", "base\n").dir("usr")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_password_is_reported_once_read_and_again_without_reading() {
    let mut node = Node::new();
    let mut operator = Operator::start(&node).await;
    let built = image(&[base(), planted()]);
    node.import(&built, PLANTED);
    node.start_scanner(&[]);
    node.start_broker(&operator.address);

    let told = operator.hear_of(&node, built.config.as_str()).await;
    assert_eq!(told.references, [PLANTED]);
    assert_eq!(told.manifests, [built.manifest.to_string()]);
    let (facts, read, cached) = operator.scan(&node, "first", built.config.as_str()).await;
    assert_eq!((read, cached), (2, 0));
    assert_eq!((facts.scanned_by.as_str(), &facts.gaps[..], &facts.error), ("node1", &[][..], &None));
    let finding =
        facts.findings.iter().find(|finding| finding.category == Category::WeakPassword).expect("a finding");
    assert_eq!(finding.path.as_deref(), Some("/etc/shadow"));
    assert_eq!(finding.layer.as_ref(), facts.layers.last());

    // The operator's store was emptied: the same facts come back, and no layer is read.
    let (again, read, cached) = operator.scan(&node, "second", built.config.as_str()).await;
    assert_eq!((read, cached), (0, 2));
    assert_eq!((again.findings, again.gaps), (facts.findings, facts.gaps));

    // A new image of which only one layer is new, told by the event alone.
    let other = image(&[base(), LayerBuilder::new().dir("opt").file("opt/x", "x")]);
    node.import(&other, "registry.test/shop/clean:1");
    operator.hear_of(&node, other.config.as_str()).await;
    let (facts, read, cached) = operator.scan(&node, "third", other.config.as_str()).await;
    assert_eq!((read, cached, &facts.findings[..], &facts.gaps[..]), (1, 1, &[][..], &[][..]));

    node.remove("registry.test/shop/clean:1");
    let gone = operator.hear(&node, |message| match message {
        from_agent::Message::Gone(gone) => Some(gone.images),
        _ => None,
    });
    assert_eq!(gone.await, [other.config.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_guessed_is_guessed_again_by_one_guess() {
    let mut node = Node::new();
    let mut operator = Operator::start(&node).await;
    // `password` by MD5-crypt.
    let shadow = "captain:$1$salt$qJH7.N4xYta3aEG/dfqo/0:19000:0:99999:7:::\n";
    let weak = LayerBuilder::new().dir("etc").file("etc/shadow", shadow);
    let images = [image(std::slice::from_ref(&weak)), image(&[base(), weak])];
    node.start_scanner(&[]);
    node.start_broker(&operator.address);
    let mut found = Vec::new();
    for (image, name) in images.iter().zip([PLANTED, "registry.test/yard/crane:1"]) {
        node.import(image, name);
        operator.hear_of(&node, image.config.as_str()).await;
        let (facts, ..) = operator.scan(&node, image.config.as_str(), image.config.as_str()).await;
        let weak = facts.findings.iter().find(|finding| finding.category == Category::WeakPassword);
        found.push((weak.expect("a finding").message.clone(), operator.told, node.metric(GUESSES)));
    }
    let [(first, told, guesses), (second, nothing, more)] = &found[..] else { panic!("{found:?}") };
    assert!(first.contains("account captain has a weak password"), "{first}");
    assert_eq!((second, nothing), (first, &0));
    assert!(*told == 3 && *guesses > 40 && *more == guesses + 1, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_rules_are_gone_by_and_new_ones_have_layers_read_again() {
    let mut node = Node::new();
    let mut operator = Operator::start(&node).await;
    let tool = "#!/bin/sh\necho a tool of nobody\n";
    let own = LayerBuilder::new()
        .dir("opt")
        .file("opt/settings.conf", "key = ACME-204681357912\n")
        .file("opt/tool.sh", tool);
    let built = image(&[base(), own]);
    let image = built.config.as_str();
    node.import(&built, PLANTED);
    node.start_scanner(&[]);
    node.start_broker(&operator.address);
    operator.hear_of(&node, image).await;
    let (facts, read, _) = operator.scan(&node, "none", image).await;
    assert_eq!((read, &facts.findings[..], &facts.gaps[..]), (2, &[][..], &[][..]));

    let rule = "rules: [{id: acme-key, description: a key of ours, regex: 'ACME-[0-9]{12}', severity: High}]";
    let sum = pratique_core::Digest::of(tool.as_bytes());
    let yara = "rule Tool { strings: $a = \"a tool of nobody\" condition: $a }";
    let rules = [(RuleKind::Secrets, rule), (RuleKind::Hashes, sum.hex()), (RuleKind::Yara, yara)];
    operator.give(&rules).await;
    let (facts, read, cached) = operator.scan(&node, "rules", image).await;
    assert_eq!((read, cached, &facts.gaps[..]), (2, 0, &[][..]));
    let found = |category| {
        facts.findings.iter().filter(move |finding| finding.category == category).collect::<Vec<_>>()
    };
    let [secret] = found(Category::Secret)[..] else { panic!("{:?}", facts.findings) };
    assert_eq!(secret.path.as_deref(), Some("/opt/settings.conf"));
    let [listed, matched] = found(Category::Malware)[..] else { panic!("{:?}", facts.findings) };
    assert_eq!((listed.rule.as_str(), listed.path.as_deref()), ("known-file", Some("/opt/tool.sh")));
    assert_eq!((matched.rule.as_str(), matched.path.as_deref()), ("yara-rule", Some("/opt/tool.sh")));
    assert!(facts.detectors["secret"].contains('+') && !facts.detectors["backdoor"].contains('+'));

    // Words are tried when an image is judged.
    operator.give(&[&rules[..], &[(RuleKind::Dictionary, "quay")]].concat()).await;
    let (again, read, cached) = operator.scan(&node, "words", image).await;
    assert_eq!((read, cached, &again.findings), (0, 2, &facts.findings));
    assert!(again.detectors["weak-password"].contains('+'));

    operator.give(&[]).await;
    let (facts, read, cached) = operator.scan(&node, "none again", image).await;
    assert_eq!((read, cached, &facts.findings[..]), (0, 2, &[][..]));
}

/// The database of a Debian with these packages.
fn dpkg(packages: &[&str]) -> LayerBuilder {
    let status: String = packages
        .iter()
        .map(|name| {
            format!(
                "Package: {name}\nStatus: install ok installed\nVersion: 1:2.0-3\nArchitecture: amd64\n\n"
            )
        })
        .collect();
    LayerBuilder::new().dir("var/lib/dpkg").file("var/lib/dpkg/status", status)
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_travel_with_the_result_and_again_without_reading() {
    let mut node = Node::new();
    let mut operator = Operator::start(&node).await;
    let release = LayerBuilder::new().dir("etc").file("etc/os-release", "ID=debian\nVERSION_ID=12\n");
    // A jar that does not fit into memory whole: in a compressed layer it is read through the scratch file.
    let pom = "groupId=test.pratique\nartifactId=freight\nversion=4.2\n";
    let mut noise = 1u32;
    let mut next = || {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise.to_be_bytes()[0]
    };
    let padding: Vec<u8> = std::iter::repeat_with(&mut next).take(17 << 20).collect();
    let jar = zip_archive(&[
        ("padding", padding.as_slice()),
        ("META-INF/maven/test.pratique/freight/pom.properties", pom.as_bytes()),
    ]);
    let built = image(&[
        release,
        dpkg(&["openssl", "zlib1g"]),
        dpkg(&["zlib1g"]).dir("opt").file("opt/freight.jar", jar),
    ]);
    node.import(&built, PLANTED);
    node.start_scanner(&[]);
    node.start_broker(&operator.address);
    operator.hear_of(&node, built.config.as_str()).await;
    let (facts, inventory, read, _) = operator.list(&node, "first", built.config.as_str()).await;
    assert_eq!((read, &facts.gaps[..]), (3, &[][..]), "{}", node.logs());
    let purls: Vec<&str> = inventory.packages.iter().map(|located| located.purl.as_str()).collect();
    assert_eq!(
        purls,
        ["pkg:deb/debian/zlib1g@1:2.0-3?arch=amd64&distro=debian-12", "pkg:maven/test.pratique/freight@4.2"]
    );
    assert_eq!(inventory.packages[0].layer.as_ref(), facts.layers.last());
    let removed: Vec<&str> =
        inventory.removed.iter().map(|removed| removed.package.package.name.as_str()).collect();
    assert_eq!(removed, ["openssl"]);

    let (_, again, read, cached) = operator.list(&node, "second", built.config.as_str()).await;
    assert_eq!((read, cached, again), (0, 3, inventory));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_containerd_or_a_damaged_cache_loses_nothing() {
    let mut node = Node::new();
    let mut operator = Operator::start(&node).await;
    let built = image(&[planted()]);
    node.import(&built, PLANTED);
    node.start_scanner(&[]);
    node.start_broker(&operator.address);
    operator.hear_of(&node, built.config.as_str()).await;
    operator.scan(&node, "before", built.config.as_str()).await;

    node.containerd = None;
    node.start_containerd();
    let other = image(&[base(), planted()]);
    node.import(&other, "registry.test/shop/after:1");
    operator.hear_of(&node, other.config.as_str()).await;
    let (facts, ..) = operator.scan(&node, "after", other.config.as_str()).await;
    assert_eq!((facts.findings.is_empty(), &facts.gaps[..]), (false, &[][..]));

    node.scanner = None;
    let cache = std::fs::OpenOptions::new().write(true).open(node.at("cache.redb")).expect("the cache");
    cache.write_all_at(&[0xEE; 8192], 0).expect("damage");
    node.start_scanner(&[]);
    let (facts, read, _) = operator.scan(&node, "damaged", other.config.as_str()).await;
    assert_eq!((facts.findings.is_empty(), read), (false, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_that_die_end_as_a_gap_and_nothing_else_dies() {
    let mut node = Node::new();
    let mut operator = Operator::start(&node).await;
    // More accounts than fit the memory a process has when it starts.
    let accounts: String = (0..20_000).map(|number| format!("user{number}:!:19000:0:99999:7:::\n")).collect();
    let built = image(&[LayerBuilder::new().dir("etc").file("etc/shadow", accounts)]);
    node.import(&built, PLANTED);
    node.start_scanner(&["--child-memory", "65536"]);
    let scanner = node.scanner.as_ref().expect("a scanner").0.id();
    node.start_broker(&operator.address);
    operator.hear_of(&node, built.config.as_str()).await;
    let (facts, read, _) = operator.scan(&node, "dies", built.config.as_str()).await;
    assert_eq!((read, facts.findings.len()), (0, 0));
    let crash = facts.gaps.iter().find(|gap| gap.kind == GapKind::Crashed).expect("a gap");
    assert!(crash.reason.contains("after 3") && crash.reason.contains("memory limit"), "{crash:?}");
    let running = node.scanner.as_mut().expect("a scanner");
    assert_eq!((running.0.id(), running.0.try_wait().expect("a child")), (scanner, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_stopped_hands_its_work_back() {
    let mut node = Node::new();
    let mut operator = Operator::start(&node).await;
    let built = image(&[planted()]);
    node.import(&built, PLANTED);
    node.start_scanner(&[]);
    node.start_broker(&operator.address);
    operator.hear_of(&node, built.config.as_str()).await;
    // Without a scanner the scan waits.
    node.scanner = None;
    operator.assign("waits", built.config.as_str()).await;
    operator.hear(&node, |message| matches!(message, from_agent::Message::Claimed(_)).then_some(())).await;
    let mut broker = node.broker.take().expect("a broker");
    broker.terminate();
    let claim = operator
        .hear(&node, |message| match message {
            from_agent::Message::HandedBack(back) => Some(back.claim),
            _ => None,
        })
        .await;
    assert_eq!(claim, "waits");
}

#[test]
fn the_check_tells_what_is_and_what_is_not() {
    let mut node = Node::new();
    std::fs::write(node.at("token"), "t").expect("a token");
    node.start_scanner(&[]);
    let deadline = std::time::Instant::now() + super::daemon::PATIENCE;
    let (output, text) = loop {
        let output =
            Command::output(node.agent("check").args(["--operator", "127.0.0.1:1"])).expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !text.contains("scanner: answers") {
            break (output, text);
        }
        assert!(std::time::Instant::now() < deadline, "{text}\n{}", node.logs());
    };
    let line = |words: &str| {
        text.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}:\n{text}"))
    };
    for fine in [
        "broker: containerd:",
        "broker: token",
        "capabilities: DAC_READ_SEARCH alone",
        "no_new_privs",
        "seccomp",
        "socket() is denied",
        "ptrace is denied",
        "open_by_handle_at is denied",
        "layer cache",
    ] {
        assert!(line(fine).starts_with("ok"), "{}", line(fine));
    }
    for lacking in
        ["certificate authority", "operator can be reached", "scanner: runtime's root is read-only"]
    {
        assert!(line(lacking).starts_with("LACKS"), "{}", line(lacking));
    }
    assert_eq!(output.status.code(), Some(1));
}
