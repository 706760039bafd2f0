//! Signs: what detectors that interpret a system's files note of one, and how they become findings.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pratique_core::{DetectorInfo, Finding, Gap, GapKind, Severity};
use serde::{Deserialize, Serialize};

use crate::bounded::Findings;
use crate::shell::{self, ActKind};
use crate::sums::{Standing, Sums};
use crate::{Fact, FileInput, FileReport, ImageInput, Kind, LocatedFact, Outcome};

/// Bytes of a file that are read; configuration is never longer.
pub(crate) const WINDOW: usize = 1 << 20;
/// A longer line is not read.
const MAX_LINE: usize = 64 << 10;
/// Lines of a file that are read.
const MAX_LINES: usize = 20_000;
/// Signs noted of one file.
const MAX_SIGNS: usize = 64;
/// Characters of a foreign word in a message.
const MAX_WORD: usize = 120;

/// What takes a sign back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Excuse {
    /// That a package brought the file, unless its content differs.
    Owned,
    /// That the file is as its package brought it: its checksum says so.
    Genuine,
    /// As [`Self::Owned`], and that nobody knows: the sign is that a package should have brought the file.
    Unknown,
    /// Nothing.
    Never,
}

/// Something in a file, or about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sign {
    pub(crate) rule: Cow<'static, str>,
    pub(crate) severity: Severity,
    pub(crate) excuse: Excuse,
    /// Line of the file, from 1.
    pub(crate) line: Option<u32>,
    /// What it is, to follow the file's name and a colon.
    pub(crate) what: String,
}

/// The fact noted of one file.
#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    /// None if it was not read as a whole.
    sums: Option<Sums>,
    signs: Vec<Sign>,
}

/// Collects the signs of one file.
pub(crate) struct Notes {
    rule: &'static str,
    signs: Vec<Sign>,
    problems: Vec<(GapKind, String)>,
    more: usize,
}

impl Notes {
    pub(crate) fn new(rule: &'static str) -> Self {
        Self { rule, signs: Vec::new(), problems: Vec::new(), more: 0 }
    }

    /// From here on signs are of this rule.
    pub(crate) fn of_rule(&mut self, rule: &'static str) {
        self.rule = rule;
    }

    pub(crate) fn sign(
        &mut self,
        severity: Severity,
        excuse: Excuse,
        line: Option<u32>,
        what: impl Into<String>,
    ) {
        let sign = Sign { rule: Cow::Borrowed(self.rule), severity, excuse, line, what: what.into() };
        if self.signs.contains(&sign) {
            return;
        }
        if self.signs.len() == MAX_SIGNS {
            self.more += 1;
            return;
        }
        self.signs.push(sign);
    }

    /// The lines of a text with their numbers, without those that are too long or too many.
    pub(crate) fn lines<'t>(&mut self, text: &'t str) -> Vec<(u32, &'t str)> {
        let mut lines = Vec::new();
        for (line, number) in text.lines().zip(1_u32..) {
            if lines.len() == MAX_LINES {
                self.problem(GapKind::Limit, format!("only its first {MAX_LINES} lines were read"));
                break;
            }
            if line.len() > MAX_LINE {
                self.problem(
                    GapKind::Limit,
                    format!("line {number} is longer than {MAX_LINE} bytes and was not read"),
                );
                continue;
            }
            lines.push((number, line));
        }
        lines
    }

    /// The same with lines joined that end in a backslash; the number is the first one's. A comment does not go on, and within a
    /// joined line it is passed over, as systemd, udev, PAM and sudo do: else it would hide the line below it.
    pub(crate) fn joined_lines(&mut self, text: &str) -> Vec<(u32, String)> {
        let mut joined: Vec<(u32, String)> = Vec::new();
        let (mut open, mut cut) = (false, false);
        for (number, line) in self.lines(text) {
            // In sudoers a number behind the sign is a user's.
            let mut start = line.trim_start().chars();
            let is_comment = match start.next() {
                Some('#') => !start.next().is_some_and(|next| next.is_ascii_digit()),
                first => first == Some(';'),
            };
            if is_comment && open {
                continue;
            }
            let (line, goes_on) = match line.strip_suffix('\\') {
                Some(line) => (line, !is_comment),
                None => (line, false),
            };
            match joined.last_mut().filter(|_| open) {
                Some((_, last)) if last.len() < MAX_LINE => {
                    last.push(' ');
                    last.push_str(line.trim_start());
                }
                Some(_) => cut = true,
                None => joined.push((number, line.to_owned())),
            }
            open = goes_on;
        }
        if cut {
            self.problem(
                GapKind::Limit,
                format!("it has a line of more than {MAX_LINE} bytes, joined by backslashes"),
            );
        }
        joined
    }

    /// What a script does that few honest ones do, `line` being its first line. If it does nothing of the kind, that it
    /// is there at all is a sign of `otherwise`.
    pub(crate) fn script(&mut self, script: &str, line: u32, who: &str, otherwise: Option<Severity>) {
        self.acts(script, line, who, otherwise, &|_| true);
    }

    /// The same of a file that is run as a whole: of a program its being there is all that is said.
    pub(crate) fn program(&mut self, file: &FileInput<'_>, who: &str, otherwise: Option<Severity>) {
        let script = if file.bytes.starts_with(b"\x7fELF") { Cow::Borrowed("") } else { text(file) };
        self.script(&script, 1, who, otherwise);
    }

    /// The same for acts that `counts` only.
    pub(crate) fn acts(
        &mut self,
        script: &str,
        line: u32,
        who: &str,
        otherwise: Option<Severity>,
        counts: &dyn Fn(ActKind) -> bool,
    ) {
        let (acts, whole) = shell::acts(script);
        if !whole {
            self.problem(GapKind::Limit, "it is longer or deeper than scripts are read".to_owned());
        }
        let mut any = false;
        for act in acts.iter().filter(|act| counts(act.kind)) {
            any = true;
            let what = format!("{who} {} ({})", act.kind.in_words(), word(&act.subject));
            self.sign(act.kind.severity(), Excuse::Genuine, Some(line + act.line.max(1) - 1), what);
        }
        if let (false, Some(severity)) = (any, otherwise) {
            let program = script.split_whitespace().find(|word| !word.contains('=')).unwrap_or_default();
            let line = Some(line);
            match program.starts_with('#') || program.is_empty() {
                true => self.sign(severity, Excuse::Owned, line, who.to_owned()),
                false => self.sign(severity, Excuse::Owned, line, format!("{who} runs {}", word(program))),
            }
        }
    }

    pub(crate) fn problem(&mut self, kind: GapKind, reason: String) {
        if self.problems.len() < 16 && !self.problems.iter().any(|(_, known)| *known == reason) {
            self.problems.push((kind, reason));
        }
    }

    /// The report of the file.
    pub(crate) fn finish(mut self, file: &FileInput<'_>) -> FileReport {
        if self.more > 0 {
            self.problem(
                GapKind::Limit,
                format!("{} more signs in it were not noted (limit: {MAX_SIGNS})", self.more),
            );
        }
        if file.is_cut() && !file.bytes.is_empty() {
            self.problem(
                GapKind::Limit,
                format!("only the first {} of its {} bytes were read", file.bytes.len(), file.size),
            );
        }
        let whole = file.kind == Kind::File && !file.is_cut();
        let sums = (whole && !self.signs.is_empty()).then(|| Sums::of(file.bytes));
        let problems = std::mem::take(&mut self.problems);
        FileReport { facts: self.fact(sums).into_iter().collect(), problems }
    }

    /// The signs as a fact of a file with these checksums, for signs that only all files together give.
    pub(crate) fn fact(self, sums: Option<Sums>) -> Option<Fact> {
        let signed = Signed { sums, signs: self.signs };
        serde_json::to_vec(&signed).ok().filter(|_| !signed.signs.is_empty()).map(Fact)
    }
}

/// A foreign word for a message.
pub(crate) fn word(word: &str) -> String {
    let mut short: String = word.chars().filter(|c| !c.is_control()).take(MAX_WORD).collect();
    if short.len() < word.len() {
        short.push('…');
    }
    short
}

/// A file's bytes as text; what is no UTF-8 is replaced, which changes no word that anything here looks for.
pub(crate) fn text<'f>(file: &FileInput<'f>) -> Cow<'f, str> {
    String::from_utf8_lossy(file.bytes)
}

/// Findings from the signs of all files.
pub(crate) fn judge<'f>(
    info: &DetectorInfo,
    image: &ImageInput<'_>,
    facts: impl IntoIterator<Item = &'f LocatedFact>,
) -> Outcome {
    let (mut outcome, mut findings) = (Outcome::default(), Findings::default());
    for located in facts {
        let signed = match serde_json::from_slice::<Signed>(&located.fact.0) {
            Ok(signed) => signed,
            Err(error) => {
                outcome.gaps.push(Gap {
                    kind: GapKind::Malformed,
                    detector: Some(info.id.into()),
                    path: Some(located.path.clone()),
                    layer: located.layer.clone(),
                    reason: format!("what was noted of it cannot be read: {error}; scan the layer again"),
                });
                continue;
            }
        };
        let standing = Standing::of(image.ownership, &located.path, signed.sums.as_ref());
        for sign in signed.signs {
            let excused = match (sign.excuse, standing) {
                (Excuse::Never, _) => false,
                (Excuse::Unknown, Standing::NoDatabase) => true,
                (Excuse::Owned | Excuse::Unknown, Standing::Owned(_)) => true,
                (_, Standing::Genuine(_)) => true,
                _ => false,
            };
            if !excused {
                findings.push(finding(info, located, &sign, standing));
            }
        }
    }
    findings.finish(info, &mut outcome);
    outcome.gaps.sort();
    outcome
}

fn finding(info: &DetectorInfo, located: &LocatedFact, sign: &Sign, standing: Standing<'_>) -> Finding {
    let mut attributes = BTreeMap::new();
    if let Some(line) = sign.line {
        attributes.insert("line".to_owned(), line.to_string());
    }
    if let Standing::Owned(package) | Standing::Changed(package) | Standing::Genuine(package) = standing {
        attributes.insert("package".to_owned(), package.to_owned());
    }
    let message = format!("{}; {}", sign.what, standing.in_words());
    Finding {
        path: Some(located.path.clone()),
        layer: located.layer.clone(),
        attributes,
        ..info.finding(sign.rule.as_ref(), sign.severity, message)
    }
}
