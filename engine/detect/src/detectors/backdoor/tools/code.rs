//! Commands in code of languages that tools are set up in: what is handed to `system` and its like.

use pratique_core::Severity;

use crate::shell::{foreign_code, quoted};
use crate::signs::{Excuse, Notes};

/// How a language is read.
pub(super) struct Language {
    /// What begins a comment at the start of a line.
    pub(super) comment: &'static str,
    /// What strings stand between.
    pub(super) quotes: &'static [char],
    /// How bad it is that there is code at all.
    pub(super) plain: Option<Severity>,
}

pub(super) const QUOTES: &[char] = &['"', '\''];

/// Perl, Python, R and Ruby.
pub(super) const SCRIPT: Language = Language { comment: "#", quotes: QUOTES, plain: None };
pub(super) const LUA: Language = Language { comment: "--", quotes: QUOTES, plain: None };
pub(super) const LISP: Language = Language { comment: ";", quotes: &['"'], plain: None };

/// Names of functions of which a string that is handed to them is run.
const CALLS: [&str; 25] = [
    "system",
    "systemlist",
    "system2",
    "shell",
    "exec",
    "qx",
    "popen",
    "Popen",
    "run",
    "call",
    "check_call",
    "check_output",
    "execute",
    "spawn",
    "getoutput",
    "job_start",
    "jobstart",
    "term_start",
    "termopen",
    "shell-command",
    "async-shell-command",
    "shell-command-to-string",
    "call-process",
    "call-process-shell-command",
    "start-process",
];

/// Judges a file of code.
pub(super) fn read(text: &str, language: &Language, who: &str, notes: &mut Notes) {
    of_lines(text, 1, language, who, notes);
}

/// Judges code that begins in line `first`.
pub(super) fn of_lines(text: &str, first: u32, language: &Language, who: &str, notes: &mut Notes) {
    let is_code = |line: &&str| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with(language.comment)
    };
    let code: String = text.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect();
    if let Some(kind) = foreign_code(&code) {
        notes.sign(kind.severity(), Excuse::Genuine, Some(first), format!("{who} {}", kind.in_words()));
    } else if let Some(severity) = language.plain.filter(|_| !code.is_empty()) {
        notes.sign(severity, Excuse::Owned, Some(first), format!("{who} runs what is in it"));
    }
    for (line, content) in notes.lines(text).into_iter().filter(|(_, content)| is_code(content)) {
        for script in commands(content, language.quotes) {
            notes.script(&script, first + line - 1, who, None);
        }
    }
}

/// Code between lines of a tool's own, up to one that ends it or the end of the file.
pub(super) struct Block {
    first: u32,
    code: String,
}

impl Block {
    /// One that begins in line `first`.
    pub(super) fn new(first: u32) -> Self {
        Self { first, code: String::new() }
    }

    /// Takes a line if a block is open, and judges it at its end; false if none is.
    pub(super) fn take(
        open: &mut Option<Self>,
        line: &str,
        is_end: impl Fn(&str) -> bool,
        who: &str,
        notes: &mut Notes,
    ) -> bool {
        let Some(mut block) = open.take() else { return false };
        if is_end(line.trim()) {
            block.judge(who, notes);
        } else {
            block.code.extend([line, "\n"]);
            *open = Some(block);
        }
        true
    }

    pub(super) fn judge(self, who: &str, notes: &mut Notes) {
        of_lines(&self.code, self.first, &SCRIPT, who, notes);
    }
}

/// Scripts for a shell that a line of code has run: the strings behind the name of such a function, and what stands in
/// backquotes.
pub(super) fn commands(line: &str, quotes: &[char]) -> Vec<String> {
    let mut scripts = Vec::new();
    let mut rest = line;
    // Each string belongs to one call.
    while let Some((place, name)) = first_call(rest, quotes) {
        let behind = &rest[place + name.len()..];
        let end = first_call(behind, quotes).map_or(behind.len(), |(next, _)| next);
        let strings = strings(&behind[..end], quotes);
        if strings.len() > 1 {
            // As words, and each that may be a script by itself.
            let alone = strings.iter().filter(|one| one.contains(' ')).cloned();
            scripts.push(std::iter::once(quoted(&strings)).chain(alone).collect::<Vec<_>>().join("; "));
        } else {
            scripts.extend(strings);
        }
        rest = &behind[end..];
    }
    scripts.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
    scripts
}

/// The first name of a function that runs commands, outside of strings, behind which one begins, and its place.
fn first_call(line: &str, quotes: &[char]) -> Option<(usize, &'static str)> {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let mut quote = None;
    let bytes = line.as_bytes();
    let mut place = 0;
    while place < bytes.len() {
        let byte = bytes[place];
        match quote {
            Some(open) => {
                if byte == b'\\' {
                    place += 1;
                } else if byte == open {
                    quote = None;
                }
            }
            None if quotes.contains(&char::from(byte)) => quote = Some(byte),
            None if is_of_name(&byte) => {
                let length = bytes[place..].iter().take_while(|byte| is_of_name(byte)).count();
                let name = CALLS.into_iter().find(|name| name.as_bytes() == &bytes[place..place + length]);
                let behind = bytes[place + length..].iter().find(|byte| **byte != b' ');
                let is_call = behind.is_some_and(|next| matches!(next, b'(' | b'"' | b'\'' | b'{'));
                if let Some(name) = name.filter(|_| is_call) {
                    return Some((place, name));
                }
                place += length;
                continue;
            }
            None => {}
        }
        place += 1;
    }
    None
}

/// The strings of a piece of code without their quotes; those that are put together by `.`, `..`, `+` or `~` are one.
pub(super) fn strings(code: &str, quotes: &[char]) -> Vec<String> {
    let mut strings: Vec<String> = Vec::new();
    let mut between = String::new();
    let mut rest = code.chars().peekable();
    while let Some(next) = rest.next() {
        let close = match next {
            quote if quotes.contains(&quote) => quote,
            '[' if rest.peek() == Some(&'[') => {
                rest.next();
                ']'
            }
            other => {
                between.push(other);
                continue;
            }
        };
        let mut string = String::new();
        while let Some(next) = rest.next() {
            match next {
                '\\' => match rest.next() {
                    Some('n') => string.push('\n'),
                    Some(escaped) => string.push(escaped),
                    None => {}
                },
                _ if next == close => break,
                _ => string.push(next),
            }
        }
        let sign = between.trim();
        let is_joined = !sign.contains([',', '(', '{', '[', ';', ')'])
            && (sign.starts_with(['.', '+', '~']) || sign.ends_with(['.', '+', '~']));
        match strings.last_mut().filter(|_| is_joined) {
            Some(last) => last.push_str(&string),
            None => strings.push(string),
        }
        between.clear();
    }
    strings
}
