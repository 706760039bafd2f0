//! Accounts that a process of the image is root as: passwd(5), as Docker and containerd read it.

use std::collections::HashSet;

use pratique_core::GapKind;
use pratique_core::detector::RUNS_AS_ROOT;

use crate::signs::{Notes, text};
use crate::{Fact, FileInput, FileReport, LocatedFact};

pub(super) const PLACES: &[&str] = &["etc/passwd"];

/// Names of root that are noted.
const MAX_NAMES: usize = 256;

/// Notes the names whose uid is 0, one a fact: the first line of a name decides, and what is no number is 0
/// (<https://github.com/moby/sys/blob/main/user/user.go>).
pub(super) fn note(file: &FileInput<'_>) -> FileReport {
    let text = text(file);
    let (mut notes, mut facts, mut seen) = (Notes::new(RUNS_AS_ROOT), Vec::new(), HashSet::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or_default();
        let uid = fields.nth(1).and_then(|uid| uid.parse::<i64>().ok()).unwrap_or_default();
        if !seen.insert(name) || uid != 0 {
            continue;
        }
        if facts.len() == MAX_NAMES {
            let reason = format!("more than {MAX_NAMES} of its names are root: the others were not noted");
            notes.problem(GapKind::Limit, reason);
            break;
        }
        facts.push(Fact(name.as_bytes().to_vec()));
    }
    FileReport { facts, ..notes.finish(file) }
}

/// Whether the user of an image's config, with or without a group, is a name of root by these facts.
pub(super) fn is_root(user: &str, facts: &[LocatedFact]) -> bool {
    let name = user.split(':').next().unwrap_or_default();
    facts.iter().any(|located| located.fact.0 == name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileMode;

    const MODE: FileMode = FileMode { permissions: 0o644, uid: 0, gid: 0 };

    #[test]
    fn what_is_not_read_or_noted_is_a_gap() {
        let of = |text: &str| text.as_bytes().to_vec();
        let many = of(&(0..=MAX_NAMES).map(|number| format!("u{number}:x:0:0::/:\n")).collect::<String>());
        let report = note(&FileInput::in_memory(b"etc/passwd", MODE, &many));
        assert_eq!((report.facts.len(), report.problems.len()), (MAX_NAMES, 1));
        let one = of("a:x:1:1::/:\n");
        let cut = FileInput { size: 1 << 30, ..FileInput::in_memory(b"etc/passwd", MODE, &one) };
        let report = note(&cut);
        assert_eq!((report.facts.len(), report.problems.len()), (0, 1));
    }
}
