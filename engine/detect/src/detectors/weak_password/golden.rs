//! Golden cases: `testdata/weak_password/NAME.in` is an image, `NAME.out` what is found in it. A new case is these two
//! files. With `UPDATE_GOLDEN=1` the `.out` files are written anew, to be read before they are committed.
//!
//! An image is a list of lines `names: …`, `dictionary: …`, `env: NAME=VALUE`, `budget: SECONDS` and `look-alike: …`, each
//! optional, then files: a line `==> etc/shadow` and its content, or `==> etc/store < NAME` for the bytes of `stores/NAME`, or
//! `==> root/.ssh/id < key KIND` for a private key made anew (see [`services::made_key`]). Lines that begin with `//` are comments.
//!
//! `look-alike: RULE PATH NAME` says that the case holds what only looks like a finding of that rule: nothing is found by it
//! in that file of whom, or on the line, that is called so (in the file at all without NAME; of a variable without PATH). In
//! RULE's place may stand a service. Every rule and every service has at least [`EACH`] findings and as many look-alikes.

use std::collections::BTreeMap;
use std::{fmt::Write as _, path::Path, time::Duration};

use pratique_core::attempts::Attempts;
use pratique_core::{Finding, Gap, ImageConfig};

use super::*;
use crate::FileMode;

/// How many findings, and how many look-alikes, every rule and every service has.
const EACH: usize = 2;

pub(super) struct Case {
    pub(super) names: Vec<String>,
    pub(super) dictionary: Vec<String>,
    pub(super) budget: Duration,
    pub(super) attempts: Attempts,
    pub(super) config: ImageConfig,
    pub(super) files: Vec<(String, Vec<u8>)>,
    pub(super) look_alikes: Vec<LookAlike>,
}

/// What must not be found.
pub(super) struct LookAlike {
    /// A rule or a service.
    key: String,
    /// Path and name, or a variable.
    place: Vec<String>,
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/weak_password");

/// An image as it is written.
pub(super) fn parse(text: &str) -> Case {
    let mut case = Case {
        names: vec![],
        dictionary: vec![],
        budget: Duration::from_secs(60),
        attempts: Attempts::new(),
        config: ImageConfig::default(),
        files: vec![],
        look_alikes: vec![],
    };
    let words = |rest: &str| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for line in text.lines().filter(|line| !line.starts_with("//")) {
        if let Some(path) = line.strip_prefix("==> ") {
            let (path, content) = match path.split_once(" < ") {
                Some((path, name)) => (path, made(name)),
                None => (path, Vec::new()),
            };
            case.files.push((path.to_owned(), content));
        } else if let Some((_, content)) = case.files.last_mut() {
            content.extend(line.as_bytes());
            content.push(b'\n');
        } else if let Some(rest) = line.strip_prefix("names: ") {
            case.names = words(rest);
        } else if let Some(rest) = line.strip_prefix("dictionary: ") {
            case.dictionary = words(rest);
        } else if let Some(rest) = line.strip_prefix("env: ") {
            case.config.env.push(rest.to_owned());
        } else if let Some(rest) = line.strip_prefix("budget: ") {
            case.budget = Duration::from_secs(rest.parse().unwrap());
        } else if let Some(rest) = line.strip_prefix("look-alike: ") {
            let mut place = words(rest);
            case.look_alikes.push(LookAlike { key: place.remove(0), place });
        } else {
            assert!(line.is_empty(), "what is `{line}`?");
        }
    }
    case
}

/// The bytes of a store, or a key.
fn made(name: &str) -> Vec<u8> {
    match name.strip_prefix("key ") {
        Some(kind) => services::made_key(kind).into_bytes(),
        None => std::fs::read(Path::new(FOLDER).join("stores").join(name)).unwrap(),
    }
}

/// What is found in it, and the gaps.
pub(super) fn scan(case: &Case) -> Outcome {
    let (mut facts, mut problems) = (Vec::new(), Vec::new());
    for (path, content) in &case.files {
        let mode = FileMode { permissions: 0o640, uid: 0, gid: 42 };
        let report = DETECTOR.inspect(&FileInput::in_memory(path.as_bytes(), mode, content));
        let gap = |(kind, reason)| Gap {
            kind,
            detector: Some(INFO.id.to_owned()),
            path: Some(format!("/{path}")),
            layer: None,
            reason,
        };
        problems.extend(report.problems.into_iter().map(gap));
        let located = |fact| LocatedFact { path: format!("/{path}"), layer: None, removed_by: None, fact };
        facts.extend(report.facts.into_iter().map(located));
    }
    let mut outcome = DETECTOR.judge(
        &ImageInput {
            names: &case.names,
            config: Some(&case.config),
            dictionary: &case.dictionary,
            hash_budget: case.budget,
            attempts: &case.attempts,
            ..ImageInput::default()
        },
        &facts,
    );
    outcome.gaps.extend(problems);
    outcome
}

/// That as text.
pub(super) fn render(outcome: &Outcome) -> String {
    let mut text = String::new();
    for finding in &outcome.findings {
        assert_eq!(finding.detector, INFO.id);
        assert!(INFO.rules.contains(&finding.rule.as_str()), "{} is no rule of {}", finding.rule, INFO.id);
        let path = finding.path.as_deref().unwrap_or_default();
        writeln!(text, "{} {} {path}: {}", finding.severity, finding.rule, finding.message).unwrap();
        let attributes: Vec<_> =
            finding.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        writeln!(text, "  {}", attributes.join(" ")).unwrap();
    }
    for gap in &outcome.gaps {
        assert_eq!(gap.detector.as_deref(), Some(INFO.id));
        writeln!(text, "gap {} {}: {}", gap.kind, gap.path.as_deref().unwrap_or("-"), gap.reason).unwrap();
    }
    if text.is_empty() { "nothing\n".into() } else { text }
}

/// Whether `key` is the finding's rule or service.
fn is_of(finding: &Finding, key: &str) -> bool {
    finding.rule == key || finding.attributes.get("service").is_some_and(|service| service == key)
}

impl LookAlike {
    /// Whether `finding` is of what must not be found.
    fn is_found(&self, finding: &Finding) -> bool {
        let path = finding.path.as_deref().unwrap_or_default().trim_start_matches('/');
        let named = |name: &String| {
            let names = ["user", "group", "line", "variable"];
            names.iter().any(|key| finding.attributes.get(*key) == Some(name))
        };
        is_of(finding, &self.key)
            && match self.place.as_slice() {
                [name] => named(name) || path == name,
                [file, name] => path == file && named(name),
                other => panic!("a look-alike has a path and a name, not {other:?}"),
            }
    }

    /// Whether the case has it at all.
    fn is_in(&self, case: &Case) -> bool {
        let variable =
            |name: &str| case.config.env.iter().any(|variable| variable.starts_with(&format!("{name}=")));
        let file = |name: &str| case.files.iter().find(|(path, _)| path == name).map(|(_, content)| content);
        match self.place.as_slice() {
            [name] => variable(name) || file(name).is_some(),
            [path, name] => file(path).is_some_and(|content| {
                let text = String::from_utf8_lossy(content);
                name.parse::<usize>().map_or(text.contains(name), |line| text.lines().count() >= line)
            }),
            _ => false,
        }
    }
}

#[test]
fn golden_cases() {
    let folder = Path::new(FOLDER);
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let (mut findings, mut look_alikes) = (Vec::new(), BTreeMap::<String, usize>::new());
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "in") {
            continue;
        }
        let case = parse(&std::fs::read_to_string(&path).unwrap());
        let outcome = scan(&case);
        let (actual, golden) = (render(&outcome), path.with_extension("out"));
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if update {
            std::fs::write(&golden, actual).unwrap();
        } else if actual != expected {
            wrong.push(format!("{}\nexpected\n{expected}\nactual\n{actual}", path.display()));
        }
        for like in &case.look_alikes {
            let place = format!("{}: {} {}", path.display(), like.key, like.place.join(" "));
            assert!(like.is_in(&case), "{place}: the case has no such thing");
            assert!(!outcome.findings.iter().any(|finding| like.is_found(finding)), "{place} is found");
            *look_alikes.entry(like.key.clone()).or_default() += 1;
        }
        findings.extend(outcome.findings);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let services = services::SERVICES.iter().map(|service| service.id());
    for key in INFO.rules.iter().copied().chain(services) {
        let found = findings.iter().filter(|finding| is_of(finding, key)).count();
        let look_alikes = look_alikes.get(key).copied().unwrap_or_default();
        assert!(found >= EACH, "{key}: found {found} times in all cases");
        assert!(look_alikes >= EACH, "{key}: {look_alikes} look-alikes in all cases");
    }
}
