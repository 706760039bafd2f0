//! From what was noted of files to findings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pratique_core::{Digest, Finding, GapKind, Severity};
use sha2::{Digest as _, Sha256};

use super::archive::Archives;
use super::database::Place;
use super::notes::{Noted, Secret};
use super::published::publisher;
use super::shapes::SHAPES;
use super::{INFO, assigned, browser, config};
use crate::sums::Standing;
use crate::{ImageInput, LocatedFact, Outcome, SecretRules};

/// Findings of one image; the worst are kept.
const MAX_FINDINGS: usize = 2000;

/// A kind of secret: built in, or the user's.
#[derive(Clone, Copy)]
struct Kind<'a> {
    id: &'a str,
    what: &'a str,
    rule: &'static str,
    severity: Severity,
}

impl<'a> Kind<'a> {
    fn of(id: &str, rules: Option<&'a SecretRules>) -> Option<Self> {
        if let Some(shape) = SHAPES.iter().find(|shape| shape.id == id) {
            let (id, what, rule, severity) = (shape.id, shape.what, shape.rule, shape.severity);
            return Some(Self { id, what, rule, severity });
        }
        let own = rules?.rules.iter().find(|rule| rule.id == id)?;
        Some(Self { id: &own.id, what: &own.description, rule: "custom-rule", severity: own.severity })
    }
}

/// A secret at one place of the image.
struct Told<'a> {
    kind: Kind<'a>,
    severity: Severity,
    secret: Secret,
    /// What the message says behind the secret's name.
    place: String,
    path: Option<String>,
    layer: Option<Digest>,
    removed_by: Option<Digest>,
}

/// What packages brought, by package: how many secrets, and the first file.
type Published<'a> = BTreeMap<&'a str, (usize, &'a LocatedFact)>;

/// Findings that the user allows are among them, and say so in their attributes `allowed-by` and `allowed-because`.
pub(super) fn judge(
    image: &ImageInput<'_>,
    facts: &[LocatedFact],
    rules: Option<&Arc<SecretRules>>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let noted: Vec<(&LocatedFact, Noted)> = facts
        .iter()
        .filter_map(|located| Some((located, serde_json::from_slice(&located.fact.0).ok()?)))
        .collect();
    // What a file still holds after it was replaced is no second secret.
    let visible: BTreeSet<(&str, &str)> = noted
        .iter()
        .filter(|(located, _)| located.removed_by.is_none())
        .flat_map(|(located, noted)| noted.secrets.iter().map(|s| (located.path.as_str(), s.digest.as_str())))
        .collect();
    let mut keys = BTreeMap::new();
    for (located, key) in noted.iter().filter_map(|(located, noted)| Some((located, noted.key?))) {
        *keys.entry(folder(&located.path)).or_insert(key) |= key;
    }
    let archives = Archives::of(&noted);
    let genuine: BTreeSet<(&str, &str)> = noted
        .iter()
        .filter(|(located, noted)| {
            matches!(Standing::of(image.ownership, &located.path, noted.sums.as_ref()), Standing::Genuine(_))
        })
        .flat_map(|(located, noted)| noted.secrets.iter().map(|s| (located.path.as_str(), s.digest.as_str())))
        .collect();
    let (mut told, mut published) = (Vec::new(), Published::new());
    for (located, noted) in &noted {
        let (file, sums) = archives.file(located, noted);
        let standing = Standing::of(image.ownership, file, sums);
        let is_removed = located.removed_by.is_some();
        let source = python_source(file).filter(|_| standing == Standing::Unowned);
        for secret in &noted.secrets {
            let shape = browser::with_key(&secret.shape, keys.get(folder(&located.path)).copied());
            let Some(kind) = Kind::of(shape, rules.map(AsRef::as_ref)) else { continue };
            // What a database has taken in, its log may have still.
            let database = located.path.strip_suffix("-wal").filter(|_| secret.place.is_some());
            if is_removed && visible.contains(&(&located.path, &secret.digest))
                || database.is_some_and(|database| visible.contains(&(database, &secret.digest)))
                || archives.holds(located, &secret.digest)
            {
                continue;
            }
            let is_compiled = |source: &String| genuine.contains(&(source, &secret.digest));
            if source.as_ref().is_some_and(is_compiled) {
                continue;
            }
            if let Standing::Genuine(owner) = standing {
                // It is the package's own affair, and nobody's sample.
                if kind.rule == assigned::RULE {
                    continue;
                }
                published.entry(owner).or_insert((0, located)).0 += 1;
                continue;
            }
            let (most, owner) = match publisher(&secret.digest) {
                Some(who) => (Severity::Negligible, Some(format!(" that everybody has: published by {who}"))),
                None => owned(image, file, is_removed, standing),
            };
            told.push(Told {
                kind,
                severity: kind.severity.min(most),
                secret: secret.clone(),
                place: owner.unwrap_or_default(),
                path: Some(located.path.clone()),
                layer: located.layer.clone(),
                removed_by: located.removed_by.clone(),
            });
        }
    }
    if let Some(config) = image.config {
        let (secrets, missed) = config::secrets(config, rules);
        outcome.gaps.extend(missed.into_iter().map(|reason| INFO.gap(GapKind::Limit, reason)));
        for (place, secret) in secrets {
            let Some(kind) = Kind::of(&secret.shape, rules.map(AsRef::as_ref)) else { continue };
            told.push(Told {
                kind,
                severity: kind.severity,
                secret,
                place: format!(" {place}"),
                path: None,
                layer: None,
                removed_by: None,
            });
        }
    }
    if told.len() > MAX_FINDINGS {
        told.sort_by_key(|one| std::cmp::Reverse(one.severity));
        let more = told.len() - MAX_FINDINGS;
        told.truncate(MAX_FINDINGS);
        let reason = format!(
            "{more} more secrets are not listed, none worse than those that are (limit: {MAX_FINDINGS})"
        );
        outcome.gaps.push(INFO.gap(GapKind::Limit, reason));
    }
    let mut fingerprints = BTreeMap::new();
    for one in &told {
        fingerprints.entry(one.secret.digest.clone()).or_insert_with(|| fingerprint(&one.secret.digest));
    }
    outcome.findings.extend(told.into_iter().map(|one| {
        let named = one.secret.allowed.clone();
        let mut finding = finding(one, &fingerprints);
        if let Some(rules) = rules {
            allow(&mut finding, rules, &named);
        }
        finding
    }));
    outcome.findings.extend(published.into_iter().map(|(owner, (count, located))| {
        let what = match count {
            1 => format!("a sample that {owner} brought, and that everybody has"),
            _ => format!("{count} samples that {owner} brought, and that everybody has"),
        };
        Finding {
            path: Some(located.path.clone()),
            layer: located.layer.clone(),
            attributes: BTreeMap::from([
                ("package".to_owned(), owner.to_owned()),
                ("count".to_owned(), count.to_string()),
            ]),
            ..INFO.finding("published-sample", Severity::Negligible, what)
        }
    }));
    outcome.findings.sort();
    outcome
}

/// The folder of a file, with the slash at its end.
fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// The most severe that a secret in a package's file can be, and words that say whose file it is.
fn owned(
    image: &ImageInput<'_>,
    file: &str,
    is_removed: bool,
    standing: Standing<'_>,
) -> (Severity, Option<String>) {
    let is_config = image.ownership.file(file).is_some_and(|file| file.config);
    if standing == Standing::Unowned
        && let Some(owner) = python_source(file).and_then(|source| image.ownership.owner(&source))
    {
        return (Severity::Low, Some(format!(" in what was compiled from a file of {owner}")));
    }
    if file.starts_with(APT_LISTS) {
        return (Severity::Low, Some(" in a list of packages that apt fetched".to_owned()));
    }
    match standing {
        // The database speaks of the file that took its place.
        Standing::Changed(owner) if is_removed && !is_config => {
            (Severity::Low, Some(format!(" in a file of {owner} of which another version followed")))
        }
        Standing::Owned(owner) if !is_config => {
            (Severity::Low, Some(format!(" in a file of {owner} that was not compared with what it brought")))
        }
        _ => (Severity::Critical, None),
    }
}

/// What archives publish about their packages, descriptions with examples among it.
const APT_LISTS: &str = "/var/lib/apt/lists/";

/// The file that Python compiled this one from, as its name says (PEP 3147). Installing a package compiles its files, and
/// no database knows the outcome.
fn python_source(path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once("/__pycache__/")?;
    let module = name.strip_suffix(".pyc")?.split('.').next()?;
    Some(format!("{folder}/{module}.py"))
}

/// Says in a finding who allows it, if somebody does; `named` are the entries that speak of the secret itself.
fn allow(finding: &mut Finding, rules: &SecretRules, named: &[usize]) {
    let fingerprint = finding.attributes.get("fingerprint").map_or("", String::as_str);
    let mut entries = rules.allowed.iter().enumerate();
    let holds = |place: usize| named.contains(&place);
    let entry = entries.find(|(place, one)| one.holds(fingerprint, finding.path.as_deref(), holds(*place)));
    if let Some((_, entry)) = entry {
        let who = [("allowed-by", &entry.by), ("allowed-because", &entry.reason)];
        finding.attributes.extend(who.map(|(name, value)| (name.to_owned(), value.clone())));
    }
}

fn finding(told: Told<'_>, fingerprints: &BTreeMap<String, String>) -> Finding {
    let Told { kind, severity, secret, place, path, layer, removed_by } = told;
    // Of a key the first characters say nothing.
    let mut message = match kind.rule {
        "private-key" => format!("{}{place}", kind.what),
        _ => format!("{} ({}){place}", kind.what, secret.opens.as_ref().unwrap_or(&secret.masked)),
    };
    message += &secret.place.as_ref().map(Place::in_words).unwrap_or_default();
    if let Some(encoding) = &secret.encoding {
        message += &format!(", in {encoding}");
    }
    if secret.times > 1 {
        message += &format!(", in {} places of the file", secret.times);
    }
    let mut attributes = BTreeMap::from([("type".to_owned(), kind.id.to_owned())]);
    if let Some(layer) = &removed_by {
        message += &format!("; deleted in layer {}, still readable by anyone who pulls", layer.short());
        attributes.insert("removed-by".to_owned(), layer.to_string());
    }
    if let Some(fingerprint) = fingerprints.get(&secret.digest) {
        attributes.insert("fingerprint".to_owned(), fingerprint.clone());
    }
    if path.is_some() {
        let (name, number) = secret.line.map_or(("offset", secret.offset), |line| ("line", line));
        attributes.insert(name.to_owned(), number.to_string());
    }
    Finding { path, layer, attributes, ..INFO.finding(kind.rule, severity, message) }
}

/// Rounds of SHA-256 that a guess at a secret costs whoever knows its fingerprint; about a millisecond.
const ROUNDS: usize = 4096;

/// What tells a secret again, in every scan and every image, and tells nothing of it: 16 hexadecimal digits. Salted for
/// this use and slow to make, so that neither tables nor quick guesses lead back.
fn fingerprint(digest: &str) -> String {
    let mut sum = Sha256::digest(format!("pratique secret fingerprint 1\n{digest}"));
    for _ in 1..ROUNDS {
        sum = Sha256::new().chain_update(b"pratique secret fingerprint 1\n").chain_update(sum).finalize();
    }
    sum[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
