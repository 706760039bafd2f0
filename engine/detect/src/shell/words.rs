//! From a script to its commands.

use super::{MAX_COMMANDS, MAX_DEPTH};

/// A word with its quotes taken off, and the scripts of the command substitutions in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) inner: Vec<Vec<Pipeline>>,
}

/// A command: its words and where its output goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Line of its first word, from 1.
    pub(super) line: u32,
    pub(super) words: Vec<Word>,
    /// Targets of `>`, `>>`, `<` and their like.
    pub(super) redirections: Vec<Word>,
    /// The here-document that is its input.
    pub(super) input: Option<String>,
}

/// Commands of which each reads what the one before writes.
pub(super) type Pipeline = Vec<Command>;

/// The pipelines of a script, in its order; false if not all of it was read.
pub(super) fn parse(script: &str) -> (Vec<Pipeline>, bool) {
    let mut reader = Reader { text: script, at: 0, line: 1, commands: 0, whole: true, pending: Vec::new() };
    let pipelines = reader.list(0, None);
    (pipelines, reader.whole)
}

struct Reader<'s> {
    text: &'s str,
    at: usize,
    line: u32,
    commands: usize,
    whole: bool,
    /// Here-documents that begin on the next line: the word that ends each, and whether tabs are stripped.
    pending: Vec<(String, bool)>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        self.line += u32::from(next == '\n');
        Some(next)
    }

    fn take(&mut self, text: &str) -> bool {
        let taken = self.rest().starts_with(text);
        if taken {
            self.at += text.len();
        }
        taken
    }

    /// Pipelines up to the end, or to what closes a substitution.
    fn list(&mut self, depth: usize, close: Option<char>) -> Vec<Pipeline> {
        let mut pipelines = Vec::new();
        let (mut pipeline, mut command) = (Pipeline::new(), Command::default());
        let mut documents = Vec::new();
        loop {
            while self.take("\\\n") || matches!(self.peek(), Some(' ' | '\t' | '\r')) {
                if matches!(self.peek(), Some(' ' | '\t' | '\r')) {
                    self.next();
                }
            }
            let Some(next) = self.peek() else { break };
            if Some(next) == close {
                self.next();
                break;
            }
            match next {
                '#' => {
                    let end = self.rest().find('\n').unwrap_or(self.rest().len());
                    self.at += end;
                }
                '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '}' if self.ends_command(next) => {
                    if self.take("&>>") || self.take("&>") {
                        self.redirection(&mut command, depth);
                        continue;
                    }
                    let pipes = next == '|' && !self.rest().starts_with("||");
                    self.next();
                    let _ = (next == '|' && (self.take("|") || self.take("&")))
                        || (next == '&' && self.take("&"));
                    if next == '\n' {
                        for (end, tabs) in std::mem::take(&mut self.pending) {
                            documents.push(self.document(&end, tabs));
                        }
                    }
                    self.close_command(&mut command, &mut pipeline, &mut documents);
                    // `{ …; } | sh` and `(…) | sh`: what is in the group is a pipeline's part.
                    if !pipes && !pipeline.is_empty() && !self.group_is_piped(next) {
                        pipelines.push(std::mem::take(&mut pipeline));
                    }
                    if self.commands > MAX_COMMANDS {
                        self.whole = false;
                        self.at = self.text.len();
                    }
                }
                '<' | '>' => {
                    if self.take("<(") || self.take(">(") {
                        let inner = self.nested(depth);
                        self.open_command(&mut command);
                        command.words.push(Word { text: String::new(), inner: vec![inner] });
                    } else if self.take("<<<") {
                        let word = self.after_blanks(depth);
                        command.input = Some(word.text);
                        // What is substituted in it is read as well.
                        command.redirections.push(Word { text: String::new(), inner: word.inner });
                    } else if self.take("<<") {
                        let tabs = self.take("-");
                        let word = self.after_blanks(depth);
                        self.pending.push((word.text, tabs));
                    } else {
                        while matches!(self.peek(), Some('<' | '>' | '&' | '|')) {
                            self.next();
                        }
                        self.redirection(&mut command, depth);
                    }
                }
                _ => {
                    self.open_command(&mut command);
                    let word = self.word(depth);
                    command.words.push(word);
                }
            }
        }
        self.close_command(&mut command, &mut pipeline, &mut documents);
        if !pipeline.is_empty() {
            pipelines.push(pipeline);
        }
        pipelines
    }

    /// Braces group only where they stand alone.
    fn ends_command(&self, next: char) -> bool {
        !matches!(next, '{' | '}')
            || self.rest()[1..]
                .chars()
                .next()
                .is_none_or(|c| c.is_whitespace() || matches!(c, ';' | '|' | '&' | ')'))
    }

    /// Whether the group that was just closed feeds a pipe.
    fn group_is_piped(&self, closed: char) -> bool {
        let rest = self.rest().trim_start_matches([' ', '\t']);
        matches!(closed, ')' | '}' | ';') && {
            let rest = if closed == ';' { rest.trim_start_matches(['}', ')', ' ']) } else { rest };
            let was_group = closed != ';' || self.rest().trim_start().starts_with(['}', ')']);
            was_group && rest.starts_with('|') && !rest.starts_with("||")
        }
    }

    fn open_command(&mut self, command: &mut Command) {
        if command.words.is_empty() {
            command.line = self.line;
        }
    }

    fn close_command(&mut self, command: &mut Command, pipeline: &mut Pipeline, documents: &mut Vec<String>) {
        let mut done = std::mem::take(command);
        if let Some(document) = documents.pop() {
            documents.clear();
            if done.words.is_empty() && done.redirections.is_empty() {
                if let Some(last) = pipeline.last_mut() {
                    last.input = Some(document);
                }
            } else {
                done.input = Some(document);
            }
        }
        if !done.words.is_empty() || !done.redirections.is_empty() {
            self.commands += 1;
            pipeline.push(done);
        }
    }

    fn after_blanks(&mut self, depth: usize) -> Word {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.next();
        }
        self.word(depth)
    }

    fn redirection(&mut self, command: &mut Command, depth: usize) {
        let mut target = self.after_blanks(depth);
        // `< <(…)`.
        if target.text.is_empty() && self.take("(") {
            target.inner = vec![self.nested(depth)];
        }
        command.redirections.push(target);
    }

    /// A here-document: the lines up to one that is `end`.
    fn document(&mut self, end: &str, tabs: bool) -> String {
        let mut document = String::new();
        while self.at < self.text.len() {
            let rest = self.rest();
            let length = rest.find('\n').unwrap_or(rest.len());
            let line = rest[..length].to_owned();
            self.at += (length + 1).min(rest.len());
            self.line += 1;
            let line = if tabs { line.trim_start_matches('\t') } else { &line };
            if line == end {
                break;
            }
            document.push_str(line);
            document.push('\n');
        }
        document
    }

    /// One word; at least one character is taken.
    fn word(&mut self, depth: usize) -> Word {
        let mut word = Word::default();
        let start = self.at;
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | ')' => break,
                '(' if self.at > start => break,
                '\'' => {
                    self.next();
                    let end = self.rest().find('\'').unwrap_or(self.rest().len());
                    let quoted = self.rest()[..end].to_owned();
                    self.line += quoted.matches('\n').count() as u32;
                    self.at = (self.at + end + 1).min(self.text.len());
                    word.text.push_str(&quoted);
                }
                '"' => {
                    self.next();
                    self.quoted(&mut word, depth);
                }
                '`' | '$' => self.expansion(&mut word, depth),
                '\\' => {
                    self.next();
                    match self.next() {
                        Some('\n') | None => {}
                        Some(escaped) => word.text.push(escaped),
                    }
                }
                _ => {
                    self.next();
                    word.text.push(next);
                }
            }
        }
        if self.at == start {
            self.next();
        }
        word
    }

    fn quoted(&mut self, word: &mut Word, depth: usize) {
        while let Some(next) = self.peek() {
            match next {
                '"' => {
                    self.next();
                    return;
                }
                '`' | '$' => self.expansion(word, depth),
                '\\' => {
                    self.next();
                    match self.next() {
                        Some('\n') | None => {}
                        Some(escaped @ ('"' | '\\' | '$' | '`')) => word.text.push(escaped),
                        Some(other) => word.text.extend(['\\', other]),
                    }
                }
                _ => {
                    self.next();
                    word.text.push(next);
                }
            }
        }
    }

    /// `$(...)`, a script in backquotes, or anything else that begins with a dollar sign, which is kept as text.
    fn expansion(&mut self, word: &mut Word, depth: usize) {
        if self.take("$((") {
            word.text.push_str("$((");
        } else if self.take("$(") {
            let inner = self.nested(depth);
            word.inner.push(inner);
        } else if self.take("`") {
            let rest = self.rest();
            let end = rest.find('`').unwrap_or(rest.len());
            let script = rest[..end].to_owned();
            self.at = (self.at + end + 1).min(self.text.len());
            self.line += script.matches('\n').count() as u32;
            if depth < MAX_DEPTH {
                let mut inner = Reader {
                    text: &script,
                    at: 0,
                    line: self.line,
                    commands: self.commands,
                    whole: true,
                    pending: Vec::new(),
                };
                word.inner.push(inner.list(depth + 1, None));
                self.commands = inner.commands;
                self.whole &= inner.whole;
            } else {
                self.whole = false;
            }
        } else if let Some(next) = self.next() {
            word.text.push(next);
        }
    }

    /// The script of a substitution whose opening was taken.
    fn nested(&mut self, depth: usize) -> Vec<Pipeline> {
        if depth < MAX_DEPTH {
            let pending = std::mem::take(&mut self.pending);
            let inner = self.list(depth + 1, Some(')'));
            self.pending = pending;
            return inner;
        }
        self.whole = false;
        self.at = self.text.len();
        Vec::new()
    }
}
