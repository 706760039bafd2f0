//! Who may log in to a service, as noted of a file, and what is said of it.

use pratique_core::{DetectorInfo, Finding, Gap, GapKind, Severity};
use pratique_crypt::{Scheme, Stored};
use serde::{Deserialize, Serialize};

use super::super::suspect::{self, Suspect};
use super::{SERVICES, Service};
use crate::LocatedFact;

/// Logins noted of one file.
const MAX_LOGINS: usize = 10_000;
/// Problems told of one file.
const MAX_PROBLEMS: usize = 16;
/// Bytes of a name that are kept.
const MAX_NAME: usize = 256;

/// The fact noted of one file of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Logins {
    /// [`Service::id`].
    pub(in super::super) service: String,
    /// In the file's order.
    pub(in super::super) logins: Vec<Login>,
}

/// One way to log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Login {
    /// The name; empty where the service asks for a password alone.
    pub(in super::super) account: String,
    pub(in super::super) secret: Secret,
    pub(in super::super) rank: Rank,
    /// Where in a file of lines, from 1.
    pub(in super::super) line: Option<u32>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) enum Secret {
    /// Nothing, for this reason: a sentence that begins with what is wrong, such as `its user x needs no password`.
    Open(String),
    /// A password that is compared with this.
    Stored(Stored),
}

/// What whoever logs in may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in super::super) enum Rank {
    /// Little: read, or from its own container alone.
    Limited,
    /// What users may.
    User,
    /// Everything in the service.
    Administrator,
}

impl Rank {
    /// An administrator if so, else a user.
    pub(in super::super) fn of(is_administrator: bool) -> Self {
        if is_administrator { Self::Administrator } else { Self::User }
    }

    fn severity(self) -> Severity {
        match self {
            Self::Limited => Severity::Low,
            Self::User => Severity::Medium,
            Self::Administrator => Severity::High,
        }
    }
}

/// What a product's reader collects of a file.
#[derive(Default)]
pub(in super::super) struct Reading {
    logins: Vec<Login>,
    more: bool,
    problems: Vec<(GapKind, String)>,
    more_problems: usize,
}

impl Reading {
    /// Notes one login; the same twice is one.
    pub(in super::super) fn add(&mut self, account: &str, secret: Secret, rank: Rank, line: Option<u32>) {
        if self.logins.len() >= MAX_LOGINS {
            self.more = true;
            return;
        }
        let end =
            account.char_indices().map(|(at, _)| at).find(|at| *at >= MAX_NAME).unwrap_or(account.len());
        let account: String = account[..end].chars().filter(|character| !character.is_control()).collect();
        self.logins.push(Login { account, secret, rank, line });
    }

    /// Notes a login by a password.
    pub(in super::super) fn stored(&mut self, account: &str, stored: Stored, rank: Rank, line: Option<u32>) {
        self.add(account, Secret::Stored(stored), rank, line);
    }

    /// Notes a login by a password that is stored as it is typed; not if another program fills it in.
    pub(in super::super) fn plain(&mut self, account: &str, password: &str, rank: Rank, line: Option<u32>) {
        if !super::is_placeholder(password) {
            self.stored(account, Stored::plain(password.as_bytes()), rank, line);
        }
    }

    /// Notes that no password is asked for.
    pub(in super::super) fn open(
        &mut self,
        account: &str,
        reason: impl Into<String>,
        rank: Rank,
        line: Option<u32>,
    ) {
        self.add(account, Secret::Open(reason.into()), rank, line);
    }

    /// Notes what was not understood.
    pub(in super::super) fn problem(&mut self, kind: GapKind, reason: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push((kind, reason.into()));
        } else {
            self.more_problems += 1;
        }
    }

    /// What came of it.
    pub(super) fn finish(mut self) -> (Vec<Login>, Vec<(GapKind, String)>) {
        if self.more {
            self.problems.push((GapKind::Limit, format!("only its first {MAX_LOGINS} logins were read")));
        }
        if self.more_problems > 0 {
            let reason = format!("{} more of its lines or records were not understood", self.more_problems);
            self.problems.push((GapKind::Malformed, reason));
        }
        let mut seen = std::collections::HashSet::new();
        self.logins.retain(|login| match &login.secret {
            Secret::Stored(stored) => seen.insert((login.account.clone(), stored.clone())),
            Secret::Open(_) => true,
        });
        (self.logins, self.problems)
    }
}

/// What of `noted` opens without a password, or may.
pub(in super::super) fn suspects<'a>(
    place: &'a LocatedFact,
    noted: &'a Logins,
) -> impl Iterator<Item = Box<dyn Suspect + 'a>> {
    // Not known: noted by another version, whose facts are not taken.
    let service = SERVICES.iter().find(|service| service.id == noted.service);
    service.into_iter().flat_map(move |service| {
        let suspect = move |login| Box::new(Account { service, place, login }) as Box<dyn Suspect + 'a>;
        noted.logins.iter().map(suspect)
    })
}

/// A login of a service.
struct Account<'a> {
    service: &'static Service,
    place: &'a LocatedFact,
    login: &'a Login,
}

impl Account<'_> {
    /// `account admin of Grafana`, or the product alone.
    fn whose(&self) -> String {
        match self.login.account.as_str() {
            "" => self.service.name.to_owned(),
            account => format!("account {account} of {}", self.service.name),
        }
    }
}

impl Suspect for Account<'_> {
    fn stored(&self) -> Option<&Stored> {
        match &self.login.secret {
            Secret::Stored(stored) => Some(stored),
            Secret::Open(_) => None,
        }
    }

    fn owner(&self) -> &str {
        &self.login.account
    }

    fn severity(&self) -> Severity {
        self.login.rank.severity()
    }

    fn product(&self) -> &'static [&'static str] {
        self.service.words
    }

    fn finding(&self, info: &DetectorInfo, guessed: Option<(Scheme, &str)>) -> Finding {
        let (rule, message) = match &self.login.secret {
            Secret::Open(reason) => (self.service.open, format!("{}: {reason}", self.service.name)),
            Secret::Stored(_) => {
                ("service-account", format!("{} has {}", self.whose(), suspect::what(guessed)))
            }
        };
        let mut attributes = suspect::attributes(guessed);
        attributes.insert("service".to_owned(), self.service.id.to_owned());
        if !self.login.account.is_empty() {
            attributes.insert("user".to_owned(), self.login.account.clone());
        }
        if let Some(line) = self.login.line {
            attributes.insert("line".to_owned(), line.to_string());
        }
        Finding {
            path: Some(self.place.path.clone()),
            layer: self.place.layer.clone(),
            attributes,
            ..info.finding(rule, self.severity(), message)
        }
    }

    fn gap(&self, info: &DetectorInfo, kind: GapKind, reason: &str) -> Gap {
        Gap {
            kind,
            detector: Some(info.id.into()),
            path: Some(self.place.path.clone()),
            layer: self.place.layer.clone(),
            reason: format!("the password of {} was not judged: {reason}", self.whose()),
        }
    }
}
