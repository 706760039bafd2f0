//! Variables that a script sets to words, and what they hide: `S=curl; $S x | $SHELL`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::plain::is_assignment;
use super::words::{Command, Pipeline, Word};

/// Variables that are known of one script, and bytes of each value and of a word that they are put into.
pub(super) const MAX_VARIABLES: usize = 1_000;
const MAX_VALUE: usize = 256;
const MAX_WORD: usize = 4 << 10;

/// What the variables of a script hold, as far as it was read. Nothing is run: what a command answers is not known, but for the
/// path of a program (`$(command -v curl)`).
#[derive(Default)]
pub(super) struct Variables(HashMap<String, String>);

/// A word's only part, if that is a variable: its name, and what it is if it is not set.
pub(super) fn variable(text: &str) -> Option<(&str, Option<&str>)> {
    let name = text.strip_prefix('$')?;
    let (name, default) = match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        Some(inner) => match inner.split_once(":-").or_else(|| inner.split_once('-')) {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        },
        None => (name, None),
    };
    (!name.is_empty() && name.chars().all(is_of_name)).then_some((name, default))
}

/// The words of a command that set variables: those before its program, or what `export` and its like are handed.
pub(super) fn assignments(command: &Command) -> impl Iterator<Item = (&str, &str, &Word)> {
    let declares = |word: &&Word| {
        matches!(word.text.as_str(), "export" | "local" | "declare" | "typeset" | "readonly")
            || word.text.starts_with('-')
    };
    let words = command.words.iter().skip_while(declares).take_while(|word| is_assignment(&word.text));
    words.filter_map(|word| word.text.split_once('=').map(|(name, value)| (name, value, word)))
}

impl Variables {
    /// Takes what a command sets.
    pub(super) fn set(&mut self, command: &Command) {
        for (name, value, word) in assignments(command) {
            let is_known = word.inner.is_empty() && value.len() <= MAX_VALUE;
            let value = answer(word)
                .map(str::to_owned)
                .or_else(|| is_known.then(|| self.put_into(value).into_owned()));
            match value.filter(|_| self.0.len() < MAX_VARIABLES) {
                Some(value) => _ = self.0.insert(name.to_owned(), value),
                None => _ = self.0.remove(name),
            }
        }
    }

    /// The commands of a pipeline with their variables replaced by what they hold. Scripts that are handed over as a word stay as
    /// they are.
    pub(super) fn expand<'c>(&self, pipeline: &'c Pipeline) -> Vec<Cow<'c, Command>> {
        pipeline.iter().map(|command| self.expand_command(command)).collect()
    }

    fn expand_command<'c>(&self, command: &'c Command) -> Cow<'c, Command> {
        let is_fixed = |word: &Word| answer(word).is_none() && !word.text.contains('$');
        if command.words.iter().chain(&command.redirections).all(is_fixed) {
            return Cow::Borrowed(command);
        }
        let mut expanded = Command { words: Vec::new(), ..command.clone() };
        for word in &command.words {
            match answer(word) {
                Some(program) => expanded.words.push(Word { text: program.to_owned(), inner: Vec::new() }),
                None => {
                    let text = self.put_into(&word.text);
                    // Without quotes, of which nothing is known here, a value falls into words.
                    let is_all = variable(&word.text).is_some() && text.contains(' ') && is_plain(&text);
                    let mut inner = word.inner.clone();
                    for part in text.split(' ').filter(|part| is_all && !part.is_empty()) {
                        expanded
                            .words
                            .push(Word { text: part.to_owned(), inner: std::mem::take(&mut inner) });
                    }
                    if !is_all {
                        expanded.words.push(Word { text: text.into_owned(), inner });
                    }
                }
            }
        }
        for word in &mut expanded.redirections {
            word.text = self.put_into(&word.text).into_owned();
        }
        Cow::Owned(expanded)
    }

    /// A text with variables in it, if it is one word.
    fn put_into<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if let Some((name, default)) = variable(text) {
            let shell = (name == "SHELL").then_some("sh");
            let value = self.0.get(name).map(String::as_str).or(default).or(shell);
            return Cow::Owned(value.unwrap_or(text).to_owned());
        }
        if !text.contains('$') || !is_plain(text) || text.contains(' ') {
            return Cow::Borrowed(text);
        }
        let mut parts = text.split('$');
        let mut all = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
                Some(braced) => braced,
                None => part.split_at(part.find(|c: char| !is_of_name(c)).unwrap_or(part.len())),
            };
            let fits = |value: &&String| is_plain(value) && all.len() + value.len() + rest.len() <= MAX_WORD;
            match self.0.get(name).filter(fits) {
                Some(value) => all.extend([value.as_str(), rest]),
                None => all.extend(["$", part]),
            }
        }
        Cow::Owned(all)
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether a text is nothing but words.
fn is_plain(text: &str) -> bool {
    !text.contains([';', '|', '&', '(', ')', '<', '>', '\'', '"', '`', '\n'])
}

/// The program that a word asks the path of: `$(command -v curl)`.
fn answer(word: &Word) -> Option<&str> {
    let [pipelines] = word.inner.as_slice() else { return None };
    let [pipeline] = pipelines.as_slice() else { return None };
    let [command] = pipeline.as_slice() else { return None };
    let (asks, rest) = command.words.split_first()?;
    let is_asked = match asks.text.as_str() {
        "which" => rest.len() == 1,
        "command" | "type" => rest.len() == 2 && matches!(rest[0].text.as_str(), "-v" | "-p" | "-P"),
        _ => false,
    };
    rest.last().map(|program| program.text.as_str()).filter(|_| is_asked && !word.text.contains(' '))
}
