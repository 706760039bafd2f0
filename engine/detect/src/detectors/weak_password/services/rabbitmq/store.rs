//! The broker's own store of users.
//!
//! Up to RabbitMQ 3 that is a table of Mnesia: `rabbit_user.DCD` is the table, `rabbit_user.DCL` what changed since,
//! `LATEST.LOG` what is not in either yet. All three are logs of Erlang's disk_log(3): a mark, then terms behind their
//! length. Khepri, which takes its place in RabbitMQ 4, keeps the same records in the logs and snapshots of its protocol; from these
//! they are taken by how they begin.
//!
//! A record is `{internal_user, Name, Hash, Tags, Algorithm, …}`; before 3.6 it had no algorithm and was MD5.

use std::collections::BTreeMap;

use memchr::memmem;
use pratique_core::GapKind;
use pratique_core::inspect::FileInput;

use super::super::erlang::Term;
use super::super::store::beginning;
use super::super::{Rank, Reading};
use super::hashed;

/// Bytes read.
const LIMIT: usize = 16 << 20;
/// With which a log begins, and bytes of that and of what says whether it was closed.
const MAGIC: [u8; 4] = [1, 2, 3, 4];
const HEADER: usize = 8;
/// Between a term's length and the term; the second since Erlang 5, with a digest of the length if the term is long.
const OLDER: [u8; 4] = [12, 33, 44, 55];
const NEWER: [u8; 4] = [98, 87, 76, 65];
const LONG: usize = 65_528;
const DIGEST: usize = 16;
/// The record's name.
const RECORD: &str = "internal_user";

/// Who may log in, by name: a later record takes an earlier one's place.
#[derive(Default)]
struct Users(BTreeMap<Vec<u8>, User>);

struct User {
    hash: Vec<u8>,
    algorithm: Option<String>,
    rank: Rank,
}

/// Reads one of Mnesia's logs.
pub(super) fn mnesia(file: &FileInput<'_>, reading: &mut Reading) {
    let bytes = beginning(file, LIMIT, reading);
    if !bytes.starts_with(&MAGIC) || bytes.len() < HEADER {
        return reading.problem(GapKind::Malformed, "is no log of Mnesia");
    }
    let mut users = Users::default();
    let mut rest = &bytes[HEADER..];
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let Some((term, later)) = item(rest) else {
            reading.problem(GapKind::Malformed, format!("its entry at byte {at} breaks off or is none"));
            break;
        };
        rest = later;
        match Term::alone(term) {
            Some(term) => term.walk(&mut |tuple| users.change(tuple)),
            // Other tables' entries may be anything.
            None if memmem::find(term, RECORD.as_bytes()).is_none() => {}
            None => reading
                .problem(GapKind::Malformed, format!("the users in its entry at byte {at} cannot be read")),
        }
    }
    users.note(reading);
}

/// Takes the records of users out of a log or snapshot of Khepri.
pub(super) fn khepri(file: &FileInput<'_>, reading: &mut Reading) {
    let bytes = beginning(file, LIMIT, reading);
    let mut users = Users::default();
    for at in memmem::find_iter(&bytes, RECORD) {
        // A tuple of few members, and an atom with a length of one byte or two.
        for (tags, before) in [(&[119, 115], 4), (&[118, 100], 5)] {
            let start = at.checked_sub(before).and_then(|start| bytes.get(start..));
            if let Some(start) = start.filter(|start| start[0] == 104 && tags.contains(&start[2]))
                && let Some(Term::Tuple(members)) = Term::first(start)
            {
                users.change(&members);
            }
        }
    }
    users.note(reading);
}

/// The bytes of a log's next term, and what follows.
fn item(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (magic, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let skipped = if *magic == NEWER && length >= LONG { DIGEST } else { 0 };
    (*magic == NEWER || *magic == OLDER).then_some(())?;
    rest.get(skipped..)?.split_at_checked(length)
}

impl Users {
    /// Takes in a record, or that one was deleted; true if the tuple was either.
    fn change(&mut self, tuple: &[Term<'_>]) -> bool {
        match tuple {
            [record, Term::Binary(name), hash, Term::List(tags), more @ ..] if record.is_atom(RECORD) => {
                let algorithm = match more.first() {
                    Some(Term::Atom(name)) => Some(String::from_utf8_lossy(name).into_owned()),
                    _ => None,
                };
                let rank = Rank::of(tags.iter().any(|tag| tag.is_atom("administrator")));
                let hash = if let Term::Binary(hash) = hash { hash.to_vec() } else { Vec::new() };
                self.0.insert(name.to_vec(), User { hash, algorithm, rank });
                true
            }
            [Term::Tuple(what), _, act] if act.is_atom("delete") || act.is_atom("delete_object") => {
                if let [table, Term::Binary(name)] = what.as_slice()
                    && table.is_atom("rabbit_user")
                {
                    self.0.remove(*name);
                }
                true
            }
            _ => false,
        }
    }

    fn note(self, reading: &mut Reading) {
        for (name, user) in self.0 {
            // Without a hash nobody logs in by a password.
            if !user.hash.is_empty() {
                let name = String::from_utf8_lossy(&name);
                hashed(&name, user.rank, user.algorithm.as_deref(), Some(user.hash), reading);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::FileInput;
    use super::*;
    use crate::FileMode;

    const MODE: FileMode = FileMode { permissions: 0o600, uid: 0, gid: 0 };
    const TABLE: &[u8] = include_bytes!("../../../../../testdata/weak_password/stores/rabbit_user.DCD");

    fn names(read: fn(&FileInput<'_>, &mut Reading), bytes: &[u8]) -> (Vec<String>, Vec<GapKind>) {
        let mut reading = Reading::default();
        read(&FileInput::in_memory(b"x", MODE, &bytes.to_vec()), &mut reading);
        let (logins, problems) = reading.finish();
        (
            logins.into_iter().map(|login| login.account).collect(),
            problems.into_iter().map(|(kind, _)| kind).collect(),
        )
    }

    #[test]
    fn a_later_record_counts_and_a_deleted_one_does_not() {
        let all = ["crane", "guest", "strong", "winch"].map(str::to_owned).to_vec();
        assert_eq!(names(mnesia, TABLE), (all, vec![]));
        let log = include_bytes!("../../../../../testdata/weak_password/stores/rabbit_user.DCL");
        assert_eq!(names(mnesia, log), (vec!["hoist".to_owned()], vec![]), "bosun was deleted");
        let log = include_bytes!("../../../../../testdata/weak_password/stores/rabbit-LATEST.LOG");
        assert_eq!(names(mnesia, log), (vec!["keel".to_owned()], vec![]));
    }

    #[test]
    fn a_log_that_breaks_off_is_told() {
        let (some, problems) = names(mnesia, &TABLE[..TABLE.len() - 300]);
        assert!(!some.is_empty() && some.len() < 4, "{some:?}");
        assert_eq!(problems, [GapKind::Malformed]);
        assert_eq!(names(mnesia, b"something else").1, [GapKind::Malformed]);
        // The record's first tag is none.
        let at = memmem::find(TABLE, RECORD.as_bytes()).unwrap() - 5;
        let damaged = [&TABLE[..at], &[0], &TABLE[at + 1..]].concat();
        assert_eq!(names(mnesia, &damaged).1, [GapKind::Malformed]);
    }

    #[test]
    fn records_are_taken_out_of_a_log_of_another_kind() {
        let record = b"h\x06w\x0dinternal_userm\0\0\0\x04pilem\0\0\0\x14\x01\x02\x03\x04aaaaaaaaaaaaaaaajw\x1brabbit_password_hashing_md5t\0\0\0\0";
        let segment = [b"RASG\0\x02internal_user h\x06", &record[..], b"behind"].concat();
        assert_eq!(names(khepri, &segment), (vec!["pile".to_owned()], vec![]));
        assert_eq!(names(khepri, b"internal_user"), (vec![], vec![]));
    }
}
