//! Aliases of sudoers(5): names for lists of commands, and of users whom they are run as.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use pratique_core::Severity;

use super::sudo::{Weight, commands, weigh};

/// What an alias stands for. The same name may be one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Command,
    Runas,
}

const DEFINITIONS: [(&str, Kind); 3] =
    [("Cmnd_Alias", Kind::Command), ("Cmd_Alias", Kind::Command), ("Runas_Alias", Kind::Runas)];

/// The worst that each alias stands for, by whatever other aliases.
pub(super) struct Aliases<'l> {
    worst: BTreeMap<(Kind, &'l str), Weight>,
}

impl<'l> Aliases<'l> {
    /// Whether a line defines aliases of any kind.
    pub(super) fn is_definition(line: &str) -> bool {
        line.split_whitespace().next().is_some_and(|first| first.ends_with("_Alias"))
    }

    /// The aliases that these lines define.
    pub(super) fn of(lines: impl Iterator<Item = &'l str>) -> Self {
        let mut own: Vec<((Kind, &str), Weight)> = Vec::new();
        let mut named_by: BTreeMap<(Kind, &str), Vec<(Kind, &str)>> = BTreeMap::new();
        for line in lines {
            let Some((first, rest)) = line.split_once([' ', '\t']) else { continue };
            let Some((_, kind)) = DEFINITIONS.iter().find(|(word, _)| *word == first) else { continue };
            for (name, list) in sections(rest).into_iter().filter_map(|section| section.split_once('=')) {
                let alias = (*kind, name.trim());
                for member in named(*kind, list) {
                    own.extend(own_weight(*kind, member).map(|weight| (alias, weight)));
                    named_by.entry((*kind, member)).or_default().push(alias);
                }
            }
        }
        // From the worst on, so that what an alias is first reached from is the worst that it stands for.
        own.sort_by_key(|(_, (severity, _))| Reverse(*severity));
        let mut worst = BTreeMap::new();
        for (alias, weight) in own {
            let mut open = vec![alias];
            while let Some(alias) = open.pop() {
                if let std::collections::btree_map::Entry::Vacant(place) = worst.entry(alias) {
                    place.insert(weight.clone());
                    open.extend(named_by.get(&alias).into_iter().flatten());
                }
            }
        }
        Self { worst }
    }

    /// How bad it is what a member of a list stands for, be it an alias or not; none of a user who is not root.
    pub(super) fn weight(&self, kind: Kind, member: &str) -> Option<Weight> {
        self.worst.get(&(kind, member)).cloned().or_else(|| own_weight(kind, member))
    }
}

fn own_weight(kind: Kind, member: &str) -> Option<Weight> {
    match kind {
        Kind::Command => Some(weigh(member)),
        Kind::Runas => {
            matches!(member, "root" | "ALL" | "#0" | "").then(|| (Severity::High, "root".to_owned()))
        }
    }
}

/// What a list names, without what it takes out (`!`); of users none if it takes root out.
pub(super) fn named(kind: Kind, list: &str) -> Vec<&str> {
    let members: Vec<&str> = commands(list).into_iter().map(str::trim).collect();
    if kind == Kind::Runas && members.iter().any(|one| matches!(*one, "!root" | "!#0")) {
        return Vec::new();
    }
    members.into_iter().filter(|one| !one.starts_with('!')).collect()
}

/// Words behind which a colon is theirs.
const TAGS: [&str; 18] = [
    "EXEC",
    "NOEXEC",
    "FOLLOW",
    "NOFOLLOW",
    "INTERCEPT",
    "NOINTERCEPT",
    "LOG_INPUT",
    "NOLOG_INPUT",
    "LOG_OUTPUT",
    "NOLOG_OUTPUT",
    "MAIL",
    "NOMAIL",
    "PASSWD",
    "NOPASSWD",
    "SETENV",
    "NOSETENV",
    "sha256",
    "sha512",
];

/// The parts of a line that colons separate: definitions of aliases, or what holds on other hosts.
pub(super) fn sections(text: &str) -> Vec<&str> {
    let (mut sections, mut start, mut depth, mut escaped) = (Vec::new(), 0, 0_u32, false);
    for (place, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && !escaped => {
                let before = text[start..place].trim_end();
                let last = before.rsplit([' ', '\t', ',', '=', ')', ':']).next().unwrap_or_default();
                if !TAGS.contains(&last) {
                    sections.push(&text[start..place]);
                    start = place + 1;
                }
            }
            _ => {}
        }
        escaped = character == '\\';
    }
    sections.push(&text[start..]);
    sections
}
