//! From the facts of all files together to findings and gaps.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use pratique_core::{DetectorInfo, Finding, Gap, GapKind, Severity, mask::mask};

use super::{
    accounts::{Accounts, Entry, Password, Table},
    crack::{self, Answer},
    guess::{self, Clues},
    severity::{self, Standing},
};
use crate::{
    ImageInput, LocatedFact, Outcome,
    crypt::{self, HashError, Scheme},
};

/// Distinct hashes worked on in one image; the rest is a gap.
const MAX_HASHES: usize = 256;
/// An image may take this many times the budget of one hash.
const IMAGE_BUDGETS: u32 = 32;
/// Names of other accounts that are tried as passwords.
const MAX_OTHERS: usize = 32;

/// See [`crate::Detector::judge`].
pub(super) fn judge(info: &DetectorInfo, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut files = Vec::new();
    for located in facts {
        match serde_json::from_slice::<Accounts>(&located.fact.0) {
            Ok(accounts) => files.push((located, accounts)),
            Err(error) => outcome.gaps.push(Gap {
                kind: GapKind::Malformed,
                detector: Some(info.id.into()),
                path: Some(located.path.clone()),
                layer: located.layer.clone(),
                reason: format!("what was noted of it cannot be read: {error}; scan the layer again"),
            }),
        }
    }
    files.sort_by(|a, b| a.0.path.cmp(&b.0.path));

    let suspects = suspects(&files);
    let verdicts = try_hashes(image, &suspects);
    for suspect in &suspects {
        match suspect.password.map(|hash| &verdicts[hash]) {
            None => outcome.findings.push(suspect.finding(info, None)),
            Some(Verdict::Guessed(scheme, guess)) => {
                outcome.findings.push(suspect.finding(info, Some((*scheme, guess))));
            }
            Some(Verdict::Withstood) => {}
            Some(Verdict::Unknown(kind, reason)) => outcome.gaps.push(suspect.gap(info, *kind, reason)),
        }
    }
    outcome.findings.sort();
    outcome.gaps.sort();
    outcome
}

/// An entry that asks for no password or has a hash.
struct Suspect<'a> {
    located: &'a LocatedFact,
    is_group: bool,
    name: &'a str,
    id: Option<u32>,
    standing: Standing,
    severity: Severity,
    /// The hash; none: no password is asked for.
    password: Option<&'a str>,
}

/// What is known of accounts or groups from the files that logins use, by name; of two lines the first counts.
struct Live<'a> {
    /// passwd or group; none if the image has no such file.
    public: Option<HashMap<&'a str, &'a Entry>>,
    /// Names and hashes in force.
    hashes: HashSet<(&'a str, &'a str)>,
}

impl<'a> Live<'a> {
    fn of(files: &'a [(&'a LocatedFact, Accounts)], groups: bool) -> Self {
        let wanted = if groups { Table::Group } else { Table::Passwd };
        let mut live = Self { public: None, hashes: HashSet::new() };
        for (_, file) in files.iter().filter(|(_, file)| file.table == wanted && !file.backup) {
            let entries = live.public.get_or_insert_default();
            for entry in &file.entries {
                entries.entry(entry.name.as_str()).or_insert(entry);
            }
        }
        for (_, file) in files.iter().filter(|(_, file)| file.table.is_of_groups() == groups && !file.backup)
        {
            let mut names = HashSet::new();
            for entry in &file.entries {
                let first = names.insert(entry.name.as_str());
                if let (Password::Hash(hash), Standing::InForce) =
                    (&entry.password, live.standing(file, entry, first))
                {
                    live.hashes.insert((entry.name.as_str(), hash.as_str()));
                }
            }
        }
        live
    }

    /// Whether `entry` of `file` counts at login; `first`: no line above has its name.
    fn standing(&self, file: &Accounts, entry: &Entry, first: bool) -> Standing {
        let public = self.public.as_ref().map(|entries| entries.get(entry.name.as_str()));
        if let (Some(None), true) =
            (public, file.backup || matches!(file.table, Table::Shadow | Table::Gshadow))
        {
            return Standing::NoAccount;
        }
        if file.backup {
            return match &entry.password {
                Password::Hash(hash) if self.hashes.contains(&(entry.name.as_str(), hash.as_str())) => {
                    Standing::InForce
                }
                _ => Standing::Copy,
            };
        }
        if !first {
            return Standing::Later;
        }
        match public {
            Some(Some(own)) if file.table == Table::Shadow && own.password != Password::Elsewhere => {
                Standing::NotConsulted
            }
            _ => Standing::InForce,
        }
    }
}

fn suspects<'a>(files: &'a [(&'a LocatedFact, Accounts)]) -> Vec<Suspect<'a>> {
    let lives = [false, true].map(|groups| Live::of(files, groups));
    let mut suspects = Vec::new();
    for (located, file) in files {
        let is_group = file.table.is_of_groups();
        let live = &lives[usize::from(is_group)];
        // Names seen in this file, each with its passwords: the same line twice is one risk.
        let mut seen: HashMap<&str, HashSet<Option<&str>>> = HashMap::new();
        for entry in &file.entries {
            let first = !seen.contains_key(entry.name.as_str());
            let passwords = seen.entry(&entry.name).or_default();
            let password = match &entry.password {
                Password::Locked | Password::Elsewhere => continue,
                // A group without a password lets its members alone in.
                Password::Empty if is_group => continue,
                Password::Empty => None,
                Password::Hash(hash) => Some(hash.as_str()),
            };
            if !passwords.insert(password) {
                continue;
            }
            let standing = live.standing(file, entry, first);
            let public = live.public.as_ref().and_then(|entries| entries.get(entry.name.as_str()).copied());
            let id = entry.id.or_else(|| public?.id);
            let shell = entry.shell.as_deref().or_else(|| public?.shell.as_deref());
            let severity = if is_group {
                severity::of_group(id, &entry.name, standing)
            } else {
                severity::of_account(id, &entry.name, shell, standing, password.is_none())
            };
            suspects.push(Suspect { located, is_group, name: &entry.name, id, standing, severity, password });
        }
    }
    suspects
}

impl Suspect<'_> {
    fn noun(&self) -> &'static str {
        if self.is_group { "group" } else { "account" }
    }

    fn finding(&self, info: &DetectorInfo, guessed: Option<(Scheme, &str)>) -> Finding {
        let what = match guessed {
            None => "no password".to_owned(),
            Some((scheme, "")) => format!("an empty password (scheme {scheme})"),
            Some((scheme, password)) => format!("a weak password ({}, scheme {scheme})", mask(password)),
        };
        let remark = match self.standing {
            Standing::InForce => "",
            Standing::Later => ", in a line that an earlier one of the same name overrides",
            Standing::NotConsulted => ", which is not in use: the account has a password field elsewhere",
            Standing::NoAccount if self.is_group => ", though no such group exists",
            Standing::NoAccount => ", though no such account exists",
            Standing::Copy => ", a copy that is not in use",
        };
        let noun = self.noun();
        let password = match guessed {
            None | Some((_, "")) => "empty".to_owned(),
            Some((_, password)) => mask(password),
        };
        let name_key = if self.is_group { "group" } else { "user" };
        let mut attributes =
            BTreeMap::from([(name_key.to_owned(), self.name.to_owned()), ("password".to_owned(), password)]);
        if let Some((scheme, _)) = guessed {
            attributes.insert("scheme".into(), scheme.to_string());
        }
        if let Some(id) = self.id {
            attributes.insert(if self.is_group { "gid" } else { "uid" }.into(), id.to_string());
        }
        // Without the file: readers who may not learn it get the message alone.
        let message = format!("{noun} {} has {what}{remark}", self.name);
        Finding {
            path: Some(self.located.path.clone()),
            layer: self.located.layer.clone(),
            attributes,
            ..info.finding(format!("linux-{noun}"), self.severity, message)
        }
    }

    fn gap(&self, info: &DetectorInfo, kind: GapKind, reason: &str) -> Gap {
        Gap {
            kind,
            detector: Some(info.id.into()),
            path: Some(self.located.path.clone()),
            layer: self.located.layer.clone(),
            reason: format!("the password of {} {} was not judged: {reason}", self.noun(), self.name),
        }
    }
}

/// What is known of one hash.
enum Verdict {
    Guessed(Scheme, String),
    Withstood,
    Unknown(GapKind, String),
}

/// Tries every distinct hash once, the worst first.
fn try_hashes<'a>(image: &ImageInput<'_>, suspects: &[Suspect<'a>]) -> HashMap<&'a str, Verdict> {
    let mut owners: HashMap<&str, (Severity, Vec<&str>)> = HashMap::new();
    for suspect in suspects {
        let Some(hash) = suspect.password else { continue };
        let (worst, names) = owners.entry(hash).or_insert((suspect.severity, Vec::new()));
        *worst = suspect.severity.max(*worst);
        if !names.contains(&suspect.name) {
            names.push(suspect.name);
        }
    }
    let mut queue: Vec<_> = owners.iter().collect();
    queue.sort_by_key(|(hash, (worst, _))| (std::cmp::Reverse(*worst), **hash));

    let words = guess::image_words(image.names);
    let mut others: Vec<&str> = suspects.iter().map(|suspect| suspect.name).collect();
    others.sort_unstable();
    others.dedup();
    others.truncate(MAX_OTHERS);

    let mut left = image.hash_budget.saturating_mul(IMAGE_BUDGETS);
    let mut verdicts = HashMap::new();
    for (at, (hash, (_, names))) in queue.into_iter().enumerate() {
        let verdict = if at >= MAX_HASHES {
            Verdict::Unknown(GapKind::Limit, format!("the image has more than {MAX_HASHES} hashes"))
        } else {
            let clues = Clues { owners: names, others: &others, image: &words, dictionary: image.dictionary };
            try_hash(hash, &clues, image.hash_budget, &mut left)
        };
        verdicts.insert(*hash, verdict);
    }
    verdicts
}

fn try_hash(text: &str, clues: &Clues<'_>, budget: Duration, left: &mut Duration) -> Verdict {
    let hash = match crypt::parse(text) {
        Ok(hash) => hash,
        Err(error @ HashError::Unsupported(_)) => {
            return Verdict::Unknown(GapKind::Unsupported, error.to_string());
        }
        Err(error) => return Verdict::Unknown(GapKind::Malformed, error.to_string()),
    };
    let scheme = hash.scheme();
    let each = hash.cost().time;
    if *left < each && each <= budget {
        let reason = format!("the image's other hashes used up the time for {IMAGE_BUDGETS} hashes");
        return Verdict::Unknown(GapKind::Timeout, reason);
    }
    let guesses = guess::guesses(clues, each);
    let (answer, spent) = crack::crack(hash.as_ref(), &guesses, budget.min(*left));
    *left = left.saturating_sub(spent);
    match answer {
        Answer::Guessed(guess) => Verdict::Guessed(scheme, guess),
        Answer::Withstood => Verdict::Withstood,
        Answer::GaveUp(kind, reason) => {
            Verdict::Unknown(kind, format!("its hash is of scheme {scheme}: {reason}"))
        }
    }
}
