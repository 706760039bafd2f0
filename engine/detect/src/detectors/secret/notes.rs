//! What is noted of a file: its secrets, masked, and what tells them again.

mod hidden;

use std::collections::BTreeMap;
use std::sync::Arc;

use memchr::memchr_iter;
use pratique_core::inspect::{OVERLAP, Piece};
use pratique_core::mask::mask;
use pratique_core::{ArchiveFormat, GapKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::assigned;
use super::commands;
use super::custom::CustomFinder;
use super::database::{Place, Within};
use super::finder::{Finder, Match};
use super::manifest::{self, MANIFEST};
use super::mylogin;
use super::pgp;
use super::shapes::{self, SHAPES, Shape};
use super::stores::{STORED, Store};
use crate::sums::{Hasher, Sums};
use crate::{Fact, FileReport, SecretRules, Stream};
use hidden::MAX_ENCODINGS;

/// Different secrets that are noted of one file.
const MAX_SECRETS: usize = 100;
/// Of which so many may be told by a name alone, so that they leave room to others.
const MAX_ASSIGNED: usize = 20;
/// Bytes of a file's start in which a zero tells that it is no text (git looks at as many).
const TEXT_HEAD: usize = 8000;

/// A file with secrets, or an archive, whose checksums tell whose its files are. Holds none of the secrets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Noted {
    /// Whether it lies in an archive. Its checksums are nobody's then.
    pub(super) is_member: bool,
    /// Its checksums, if it is an archive or not longer than one piece: what packages bring as samples seldom is.
    pub(super) sums: Option<Sums>,
    /// In the file's order.
    pub(super) secrets: Vec<Secret>,
    /// Of Firefox's key: whether the empty password opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<bool>,
}

/// A secret, as far as it may be shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Secret {
    /// Id of its shape.
    pub(super) shape: String,
    /// The secret, masked.
    pub(super) masked: String,
    /// See [`digest`].
    pub(super) digest: String,
    /// Line of its first place, from 1; none where the file is no text.
    pub(super) line: Option<u64>,
    /// Where in the file its first place begins.
    pub(super) offset: u64,
    /// In how many places of the file it stands.
    pub(super) times: u32,
    /// How it is encoded in its first place, in words.
    pub(super) encoding: Option<String>,
    /// Places of the user's entries that allow it by what it is, as far as that goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) allowed: Vec<usize>,
    /// Where in a database its first place is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<Place>,
    /// Of a stored login whose password is not looked at: whose it is, and where it leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) opens: Option<String>,
}

/// What tells whether two secrets are the same: the start of the SHA-256, 32 hexadecimal digits. It is compared, and
/// leaves the node only when [`super::judge`] has made a fingerprint of it.
pub(super) fn digest(secret: &[u8]) -> String {
    Sha256::digest(secret)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Those of `matches` that do not overlap one of an earlier shape. What a name alone tells comes last.
pub(super) fn best(mut matches: Vec<Match>) -> Vec<Match> {
    let rank = |found: &Match| (assigned::is(found.shape), found.shape);
    matches.sort_by_key(|found| (found.secret.start, rank(found)));
    let mut kept: Vec<Match> = Vec::new();
    'matches: for found in matches {
        while let Some(last) = kept.last().filter(|last| found.secret.start < last.secret.end) {
            if rank(last) <= rank(&found) {
                continue 'matches;
            }
            kept.pop();
        }
        kept.push(found);
    }
    kept
}

/// Takes one file piece by piece.
#[derive(Default)]
pub(super) struct Search {
    finder: Finder,
    custom: Option<CustomFinder>,
    secrets: BTreeMap<String, Secret>,
    is_member: bool,
    /// The value of a database that is being looked at.
    within: Option<Within>,
    /// Of an archive.
    hasher: Option<Hasher>,
    is_text: bool,
    /// Whether its lines are commands.
    are_commands: bool,
    /// Which program keeps passwords in it.
    store: Option<&'static Store>,
    /// Whether its lines are sealed as MySQL's are.
    is_mylogin: bool,
    /// See [`Noted::key`].
    key: Option<bool>,
    /// Bytes of manifests of Secrets that were read.
    manifests: usize,
    /// Whether one of them was too long to be read as one.
    has_long_line: bool,
    /// Lines that end before the piece.
    lines: u64,
    sums: Option<Sums>,
    /// Bytes of the file so far.
    length: u64,
    /// Bytes that encoded text said.
    decoded: u64,
    /// Different secrets that a name alone tells.
    assigned: usize,
    /// Whether there is text that is encoded more often than is undone.
    is_deep: bool,
    stopped: Option<String>,
}

impl Search {
    /// For a file of the image, or one in an archive.
    pub(super) fn new(path: &[u8], is_member: bool, rules: Option<Arc<SecretRules>>) -> Self {
        let custom = rules.map(CustomFinder::new);
        let are_commands = commands::is_history(path);
        let (store, is_mylogin) = (Store::of(path), mylogin::is(path));
        Self { is_member, custom, are_commands, store, is_mylogin, ..Self::default() }
    }

    /// The secrets of a text that is in memory, read as a file of this path is, and why not all of it was looked at, if so.
    pub(super) fn of(
        bytes: &[u8],
        path: &str,
        rules: Option<&Arc<SecretRules>>,
    ) -> (Vec<Secret>, Option<String>) {
        let mut search = Self::new(path.as_bytes(), false, rules.cloned());
        search.take(&Piece { bytes, offset: 0, seen: 0, last: true });
        search.secrets()
    }

    /// What is taken next, from its start, is a value that lies in the file.
    pub(super) fn begin(&mut self, value: Within) {
        self.within = Some(value);
        if let Some(custom) = &mut self.custom {
            custom.restart();
        }
    }

    /// Whether the file's checksums tell whose the secrets are that were noted.
    pub(super) fn wants_sums(&self) -> bool {
        !self.is_member && !self.secrets.is_empty()
    }

    /// The checksums of the file, of which values were taken.
    pub(super) fn set_sums(&mut self, sums: Sums) {
        self.sums = Some(sums);
    }

    /// Notes a stored login by what its store says of it. Its password is sealed.
    pub(super) fn note_login(&mut self, shape: &Shape, opens: String, sealed: &[u8]) {
        let digest = digest(&[opens.as_bytes(), b"\n", sealed].concat());
        if self.secrets.len() == MAX_SECRETS && !self.secrets.contains_key(&digest) {
            return self.stop(format!("it stores more than {MAX_SECRETS} secrets; the rest are not listed"));
        }
        self.secrets.entry(digest.clone()).or_insert(Secret {
            shape: shape.id.to_owned(),
            masked: String::new(),
            digest,
            line: None,
            offset: 0,
            times: 1,
            encoding: None,
            allowed: Vec::new(),
            place: None,
            opens: Some(opens),
        });
    }

    /// Notes whether the empty password opens Firefox's key.
    pub(super) fn note_key(&mut self, is_open: bool) {
        self.key = Some(is_open);
    }

    fn secrets(self) -> (Vec<Secret>, Option<String>) {
        let mut secrets: Vec<Secret> = self.secrets.into_values().collect();
        secrets.sort_by_key(|secret| secret.offset);
        let deep = self.is_deep.then(|| {
            format!(
                "it holds text that is encoded more than {MAX_ENCODINGS} times over, which was not decoded"
            )
        });
        let more = (self.assigned > MAX_ASSIGNED).then(|| {
            format!(
                "it assigns more than {MAX_ASSIGNED} values to names like password; the rest are not listed"
            )
        });
        let long = self.has_long_line.then(|| {
            format!("it has lines of more than {} bytes, which were not read as commands", commands::MAX_LINE)
        });
        let manifests = (self.manifests > manifest::MAX_BYTES).then(|| {
            format!(
                "it has manifests of Secrets of more than {} bytes; the rest were read as any file",
                manifest::MAX_BYTES
            )
        });
        (secrets, self.stopped.or(deep).or(more).or(long).or(manifests))
    }

    fn stop(&mut self, reason: String) {
        self.stopped.get_or_insert(reason);
    }

    /// Id of a match's shape: a built-in one, or the user's rule.
    fn kind(&self, shape: usize) -> &str {
        let custom = || self.custom.as_ref()?.rules().rules.get(shape - SHAPES.len());
        match SHAPES.get(shape) {
            Some(shape) => shape.id,
            None => custom().map_or("", |rule| &rule.id),
        }
    }

    fn allowed(&self, secret: &[u8]) -> Vec<usize> {
        let entries = self.custom.iter().flat_map(|custom| custom.rules().allowed.iter().enumerate());
        entries.filter(|(_, entry)| entry.names(secret)).map(|(place, _)| place).collect()
    }

    /// Notes a secret that begins at `place` in the piece.
    fn note(
        &mut self,
        piece: &Piece<'_>,
        place: usize,
        shape: usize,
        secret: &[u8],
        encoding: Option<String>,
    ) {
        let digest = digest(secret);
        let within = self.within.as_ref();
        let offset = within.map_or(piece.offset + place as u64, |value| value.offset);
        let stored = within.map(|value| value.place.clone());
        if let Some(known) = self.secrets.get_mut(&digest) {
            if known.place.as_ref().is_some_and(|place| !place.counts()) && stored > known.place {
                (known.place, known.offset, known.encoding) = (stored, offset, encoding);
            } else if stored.is_none_or(|place| place.counts()) {
                known.times += 1;
            }
            return;
        }
        if assigned::is(shape) {
            self.assigned += 1;
            if self.assigned > MAX_ASSIGNED {
                return;
            }
        }
        if self.secrets.len() == MAX_SECRETS {
            self.stop(format!(
                "it holds more than {MAX_SECRETS} secrets; from byte {offset} on it was not looked at"
            ));
            return;
        }
        let before = &piece.bytes[..place];
        let noted = Secret {
            shape: self.kind(shape).to_owned(),
            masked: mask(&String::from_utf8_lossy(secret)),
            digest: digest.clone(),
            line: self.is_text.then(|| self.lines + memchr_iter(b'\n', before).count() as u64 + 1),
            offset,
            times: 1,
            encoding,
            allowed: self.allowed(secret),
            place: stored,
            opens: None,
        };
        self.secrets.insert(digest, noted);
    }
}

impl Stream for Search {
    fn take(&mut self, piece: &Piece<'_>) {
        let bytes = piece.bytes;
        let is_value = self.within.is_some();
        if piece.offset == 0 && !self.is_member && !is_value && ArchiveFormat::of(bytes).is_some() {
            self.hasher = Some(Hasher::default());
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[piece.seen..]);
        }
        if self.stopped.is_some() {
            return;
        }
        self.length += (bytes.len() - piece.seen) as u64;
        if piece.offset == 0 {
            self.is_text = !is_value && !bytes[..bytes.len().min(TEXT_HEAD)].contains(&0);
        }
        let mut matches = Vec::new();
        if piece.offset == 0
            && let Some((id, secret)) = pgp::binary(bytes)
            && let Some(shape) = shapes::place(id)
        {
            matches.push(Match { shape, secret });
        }
        if self.are_commands
            && let Some(shape) = shapes::place(commands::COMMAND.id)
            && !commands::passwords(piece, |secret| matches.push(Match { shape, secret }))
        {
            self.has_long_line = true;
        }
        if let Some(store) = self.store
            && let Some(shape) = shapes::place(STORED.id)
        {
            matches.extend(store.passwords(piece).map(|secret| Match { shape, secret }));
        }
        let values = manifest::values(piece, &mut self.manifests);
        if let Some(shape) = shapes::place(MANIFEST.id) {
            let written = values.iter().filter(|value| value.decoded.is_none());
            matches.extend(written.map(|value| Match { shape, secret: value.place.clone() }));
        }
        if !self.finder.search(piece, |found| matches.push(found)) {
            self.stop(format!(
                "it looks like secrets in too many places; from byte {} on it was not wholly looked at",
                piece.offset
            ));
        }
        if let Some(custom) = &mut self.custom
            && let Err(rule) = custom.search(piece, |found| matches.push(found))
        {
            self.stop(format!(
                "your rule `{rule}` speaks of too many places; from byte {} on it was not wholly looked at",
                piece.offset
            ));
        }
        let is_cut = piece.last && self.within.as_ref().is_some_and(|value| value.is_cut);
        let mut plain = best(matches);
        // What goes on behind the end would be told as another secret.
        plain.retain(|found| !is_cut || found.secret.end < bytes.len());
        let mut hidden = self.hidden(piece, values);
        // What a value says tells more than its name, and what it is for more than what else it says.
        plain.retain(|found| {
            let mut within = hidden.range(found.secret.clone());
            !assigned::is(found.shape) || within.all(|(_, one)| assigned::is(one.shape))
        });
        hidden.retain(|place, _| {
            let next = plain.partition_point(|found| found.secret.end <= *place);
            plain.get(next).is_none_or(|found| found.secret.start > *place)
        });
        for found in plain {
            let secret = &bytes[found.secret.clone()];
            self.note(piece, found.secret.start, found.shape, secret, None);
        }
        for (place, one) in hidden {
            self.note(piece, place, one.shape, &one.secret, Some(one.encoding));
        }
        let is_small = piece.last && piece.offset == 0;
        if is_small && !is_value && self.hasher.is_none() && self.wants_sums() {
            self.sums = Some(Sums::of(bytes));
        }
        if self.is_text && !piece.last {
            self.lines += memchr_iter(b'\n', &bytes[..bytes.len() - OVERLAP]).count() as u64;
        }
    }

    fn finish(mut self: Box<Self>) -> FileReport {
        let is_member = self.is_member;
        let archive = self.hasher.take().map(Hasher::finish);
        let is_archive = archive.is_some();
        let (sums, key) = (archive.or(self.sums), self.key);
        let (secrets, stopped) = self.secrets();
        let mut report = FileReport::default();
        report.problems.extend(stopped.map(|reason| (GapKind::Limit, reason)));
        if is_archive || !secrets.is_empty() || key.is_some() {
            match serde_json::to_vec(&Noted { is_member, sums, secrets, key }) {
                Ok(json) => report.facts.push(Fact(json)),
                Err(error) => {
                    report
                        .problems
                        .push((GapKind::Malformed, format!("its secrets cannot be noted: {error}")));
                }
            }
        }
        report
    }
}
