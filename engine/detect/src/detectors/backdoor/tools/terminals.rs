//! Terminals within terminals: tmux(1), screen(1).

use super::super::variables::loads;
use super::loaded;
use crate::shell::{quoted, split};
use crate::signs::Notes;

/// Depth to which commands of tmux in commands of tmux are read.
const MAX_DEPTH: usize = 3;

/// `run-shell`, `if-shell`, `default-command`, programs of windows, and `#(…)` wherever it stands.
pub(super) fn tmux(text: &str, notes: &mut Notes) {
    for (line, content) in notes.joined_lines(text) {
        if !content.trim_start().starts_with('#') {
            tmux_commands(&content, line, 0, notes);
        }
    }
}

fn tmux_commands(content: &str, line: u32, depth: usize, notes: &mut Notes) {
    const WHO: &str = "tmux's start";
    if depth > MAX_DEPTH {
        return;
    }
    // A command may be a word of another (`bind`, `if-shell`).
    for words in split(content).split(|word| word == ";") {
        words.iter().for_each(|word| status(word, line, notes));
        let mut words = words;
        while let [first, rest @ ..] = words {
            match first.as_str() {
                "run-shell" | "run" | "if-shell" | "if" | "new-session" | "new" | "new-window" | "neww"
                | "split-window" | "splitw" | "respawn-pane" | "respawnp" | "display-popup" | "popup"
                | "pipe-pane" | "pipep" => {
                    let mut operands = operands(rest);
                    if let Some(shell) = operands.next() {
                        notes.script(shell, line, WHO, None);
                    }
                    if first.starts_with("if") {
                        operands.for_each(|inner| tmux_commands(inner, line, depth + 1, notes));
                    }
                }
                "default-command" | "default-shell" | "lock-command" | "copy-command" | "editor" => {
                    rest.first().into_iter().for_each(|shell| notes.script(shell, line, WHO, None));
                }
                "source-file" | "source" => operands(rest).for_each(|file| loaded("tmux", file, line, notes)),
                "set-environment" | "setenv" => {
                    let set = operands(rest).next().zip(operands(rest).nth(1));
                    if let Some(told) = set.and_then(|(name, value)| loads(name, value)) {
                        told.note(" for what tmux starts", line, notes);
                    }
                }
                "set-hook" => {
                    operands(rest).skip(1).for_each(|inner| tmux_commands(inner, line, depth + 1, notes))
                }
                _ => {
                    words = rest;
                    continue;
                }
            }
            break;
        }
    }
}

/// Each `#(…)` in a word.
fn status(word: &str, line: u32, notes: &mut Notes) {
    let mut rest = word;
    while let Some((_, inner)) = rest.split_once("#(") {
        let mut open = 0_u32;
        let end = inner.find(|c| {
            open += u32::from(c == '(');
            let closes = c == ')' && open == 0;
            open -= u32::from(c == ')' && !closes);
            closes
        });
        let (shell, behind) = inner.split_at(end.unwrap_or(inner.len()));
        notes.script(shell, line, "the status line of tmux", None);
        rest = behind;
    }
}

/// Words behind options; `-t`, `-c`, `-n`, `-s`, `-d` and their like of tmux take one.
fn operands(words: &[String]) -> impl Iterator<Item = &str> {
    let mut takes_value = false;
    words.iter().map(String::as_str).filter(move |word| {
        if std::mem::take(&mut takes_value) {
            return false;
        }
        if word.starts_with('-') {
            takes_value = word.ends_with(['t', 'c', 'n', 's', 'l', 'F', 'x', 'y', 'e']) && *word != "-bF";
            return false;
        }
        true
    })
}

/// `exec`, `screen`, `shell`, `backtick` and their like.
pub(super) fn screen(text: &str, notes: &mut Notes) {
    const WHO: &str = "screen's start";
    for (line, content) in notes.lines(text) {
        let words = split(content);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // What a key does, and in which window.
        let words = match words.as_slice() {
            ["bind" | "bindkey" | "at", _, rest @ ..] => rest,
            all => all,
        };
        match words {
            // Behind a hyphen it is one for a login.
            ["shell" | "defshell", shell, ..] => notes.script(shell.trim_start_matches('-'), line, WHO, None),
            ["exec" | "screen" | "printcmd", rest @ ..] => {
                let mut rest = rest;
                while let [first, behind @ ..] = rest {
                    rest = match behind {
                        [_, behind @ ..]
                            if matches!(*first, "-t" | "-T" | "-h" | "-S" | "-s" | "-e" | "-p") =>
                        {
                            behind
                        }
                        _ if first.starts_with(['-', '.', '!', '|', ':']) || first.parse::<u32>().is_ok() => {
                            behind
                        }
                        _ => break,
                    };
                }
                if !rest.is_empty() {
                    notes.script(&command(rest), line, WHO, None);
                }
            }
            ["backtick", _, _, _, rest @ ..] => notes.script(&command(rest), line, WHO, None),
            ["source", file] => loaded("screen", file, line, notes),
            ["setenv", name, value] => {
                if let Some(told) = loads(name, value) {
                    told.note(" for what screen starts", line, notes);
                }
            }
            _ => {}
        }
    }
}

/// A program and its words, or one word that a shell is handed.
fn command(words: &[&str]) -> String {
    match words {
        [one] => (*one).to_owned(),
        words => quoted(words),
    }
}
