//! Linux accounts and groups: from what was noted of passwd, shadow and their like to those that may be open.

use std::collections::{HashMap, HashSet};

use pratique_core::{DetectorInfo, Finding, Gap, GapKind, Severity};
use pratique_crypt::{Scheme, Stored};

use super::{
    accounts::{Accounts, Entry, Password, Table},
    severity::{self, Standing},
    suspect::{self, Suspect},
};
use crate::LocatedFact;

/// An entry that asks for no password or has a hash.
struct Account<'a> {
    located: &'a LocatedFact,
    is_group: bool,
    name: &'a str,
    id: Option<u32>,
    standing: Standing,
    severity: Severity,
    /// The hash; none: no password is asked for.
    stored: Option<Stored>,
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

/// What of these files opens without a password, or may.
pub(super) fn suspects<'a>(files: &'a [(&'a LocatedFact, Accounts)]) -> Vec<Box<dyn Suspect + 'a>> {
    let lives = [false, true].map(|groups| Live::of(files, groups));
    let mut suspects: Vec<Box<dyn Suspect + 'a>> = Vec::new();
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
            let stored = password.map(|hash| Stored::Crypt(hash.to_owned()));
            let name = entry.name.as_str();
            suspects.push(Box::new(Account { located, is_group, name, id, standing, severity, stored }));
        }
    }
    suspects
}

impl Account<'_> {
    fn noun(&self) -> &'static str {
        if self.is_group { "group" } else { "account" }
    }
}

impl Suspect for Account<'_> {
    fn stored(&self) -> Option<&Stored> {
        self.stored.as_ref()
    }

    fn owner(&self) -> &str {
        self.name
    }

    fn severity(&self) -> Severity {
        self.severity
    }

    fn product(&self) -> &'static [&'static str] {
        &[]
    }

    fn finding(&self, info: &DetectorInfo, guessed: Option<(Scheme, &str)>) -> Finding {
        let what = suspect::what(guessed);
        let remark = match self.standing {
            Standing::InForce => "",
            Standing::Later => ", in a line that an earlier one of the same name overrides",
            Standing::NotConsulted => ", which is not in use: the account has a password field elsewhere",
            Standing::NoAccount if self.is_group => ", though no such group exists",
            Standing::NoAccount => ", though no such account exists",
            Standing::Copy => ", a copy that is not in use",
        };
        let noun = self.noun();
        let mut attributes = suspect::attributes(guessed);
        attributes.insert(if self.is_group { "group" } else { "user" }.into(), self.name.to_owned());
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
