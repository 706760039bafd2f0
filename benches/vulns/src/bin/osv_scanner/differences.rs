//! The file that explains where both answers differ.
//!
//! A line starting with `#` is an explanation, the lines after it the differences that it explains, each of six words:
//! side (`ours`, `theirs`: who alone names the advisory), ecosystem, package, version, advisory, and what is peculiar about
//! it ([`Difference::peculiarity`]). `*` stands for any text.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::draw::{Drawn, Statement};

/// Who alone names an advisory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// We.
    Ours,
    /// The peer.
    Theirs,
}

/// One advisory that one side alone names for a package.
pub(crate) struct Difference<'a> {
    /// Which side.
    pub(crate) side: Side,
    /// The package.
    pub(crate) drawn: &'a Drawn,
    /// The advisory, with a `?` before it if we cannot judge it.
    pub(crate) advisory: &'a str,
    /// What the records say of the package.
    pub(crate) statements: &'a [Statement],
}

impl Difference<'_> {
    /// What the record and the package have about them that can make answers differ, read from the record and not by the
    /// code under test: `other-stream` of RPM modules than the package's, a `spelling` of the name in the record that is not how the peer
    /// asks for it, `no-revision` in an Alpine version, else `-`.
    fn peculiarity(&self) -> &'static str {
        let speaks = |statement: &&Statement| {
            statement.id == self.advisory
                && statement.ecosystem == self.drawn.ecosystem
                && statement.name == self.drawn.name
        };
        let mut about = self.statements.iter().filter(speaks).peekable();
        if about.peek().is_some() && about.all(|statement| statement.module != self.drawn.module) {
            return "other-stream";
        }
        let has_upper = self.drawn.name.chars().any(char::is_uppercase);
        match self.drawn.base() {
            "Go" if has_upper => "spelling",
            "PyPI" if has_upper || self.drawn.name.contains(['.', '_']) => "spelling",
            "Alpine" if !self.drawn.version.contains("-r") => "no-revision",
            _ => "-",
        }
    }

    fn words(&self) -> [&str; 6] {
        let side = match self.side {
            Side::Ours => "ours",
            Side::Theirs => "theirs",
        };
        [
            side,
            &self.drawn.ecosystem,
            &self.drawn.name,
            &self.drawn.version,
            self.advisory,
            self.peculiarity(),
        ]
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))?;
        self.drawn.module.iter().try_for_each(|module| write!(f, "  (module {module})"))
    }
}

/// What the file explains.
pub(crate) struct Differences {
    lines: Vec<(usize, Vec<String>)>,
    reasons: Vec<String>,
    met: BTreeMap<usize, usize>,
}

impl Differences {
    /// Reads the file.
    ///
    /// # Errors
    /// If it cannot be read or a line is not of its form.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let (mut lines, mut reasons) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            if let Some(reason) = line.strip_prefix('#') {
                reasons.push(reason.trim().to_owned());
                continue;
            }
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            ensure!(
                words.len() == 6 && !reasons.is_empty(),
                "{}:{}: not `SIDE ECOSYSTEM PACKAGE VERSION ADVISORY PECULIARITY` below an explanation",
                path.display(),
                index + 1
            );
            lines.push((reasons.len() - 1, words));
        }
        Ok(Self { lines, reasons, met: BTreeMap::new() })
    }

    /// Whether the file explains it; counts it if so.
    pub(crate) fn explain(&mut self, difference: &Difference<'_>) -> bool {
        let words = difference.words();
        let explains = |line: &[String]| line.iter().zip(words).all(|(pattern, word)| is_like(pattern, word));
        let found = self.lines.iter().find(|(_, line)| explains(line)).map(|(reason, _)| *reason);
        found.into_iter().for_each(|reason| *self.met.entry(reason).or_default() += 1);
        found.is_some()
    }

    /// How often each explanation was met.
    pub(crate) fn tally(&self) -> String {
        let counted =
            self.met.iter().map(|(reason, count)| format!("\n  {count} × {}", self.reasons[*reason]));
        if self.met.is_empty() { "none".to_owned() } else { counted.collect() }
    }
}

/// Whether a text is like a pattern in which `*` stands for any text.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| is_like(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in
            [("*", ""), ("a", "a"), ("a*c", "ac"), ("a*c", "abcc"), ("*:9", "Alma:9"), ("a*b*", "axbx")]
        {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", "ab"), ("a*c", "abcd"), ("*:9", "Alma:10"), ("a*b*", "ax")] {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
    }
}
