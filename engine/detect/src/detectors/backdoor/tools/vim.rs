//! Vim's script, as far as it runs something outside the editor: usr_41 and autocmd of vim's manual (<https://vimhelp.org/>).

use super::super::variables::loads;
use super::code::{self, Block};
use super::loaded;
use crate::shell::foreign_code;
use crate::signs::{Excuse, Notes};

const WHO: &str = "vim's start";
/// Depth to which commands in commands (`autocmd`, `execute`) are read.
const MAX_DEPTH: usize = 4;

pub(super) fn read(text: &str, notes: &mut Notes) {
    // A line that begins with a backslash goes on with the one before.
    let mut lines: Vec<(u32, String)> = Vec::new();
    for (line, content) in notes.lines(text) {
        match (content.trim_start().strip_prefix('\\'), lines.last_mut()) {
            (Some(rest), Some((_, last))) => last.push_str(rest),
            _ => lines.push((line, content.to_owned())),
        }
    }
    let (mut block, mut end) = (None, "");
    for (line, content) in &lines {
        if Block::take(&mut block, content, |line| line == end, WHO, notes) {
            continue;
        }
        // `python3 << EOF`, `lua <<trim EOF`
        let code = content.split_once("<<").filter(|(language, _)| is_language(language.trim()));
        if let Some((_, named)) = code {
            let named = named.trim().trim_start_matches("trim").trim();
            end = if named.is_empty() { "." } else { named };
            block = Some(Block::new(line + 1));
            continue;
        }
        command(content, *line, 0, notes);
    }
    block.into_iter().for_each(|block| block.judge(WHO, notes));
}

fn strings(expression: &str) -> Vec<String> {
    code::strings(expression, code::QUOTES)
}

fn is_language(word: &str) -> bool {
    matches!(word, "python" | "py" | "python3" | "py3" | "pythonx" | "pyx" | "lua" | "perl" | "ruby" | "tcl")
}

/// One command, and those behind its bars.
fn command(content: &str, line: u32, depth: usize, notes: &mut Notes) {
    let content = content.trim().trim_start_matches(':').trim_start();
    // A comment.
    if depth > MAX_DEPTH || content.starts_with('"') {
        return;
    }
    let (verb, rest) = content.split_once([' ', '\t']).unwrap_or((content, ""));
    let rest = rest.trim_start();
    // Of `!…` and what is run when something happens the bars are its own.
    if let Some(shell) = content.strip_prefix('!') {
        return notes.script(shell, line, WHO, None);
    }
    match verb.trim_end_matches('!') {
        "silent" | "sil" | "noautocmd" | "noa" | "keepalt" | "keepjumps" | "verbose" | "try" | "unsilent" => {
            return command(rest, line, depth + 1, notes);
        }
        // Perhaps a group, events, a pattern, perhaps `++once`, then the command.
        "autocmd" | "au" => {
            let mut rest = rest;
            for _ in 0..5 {
                let Some((word, behind)) = rest.split_once([' ', '\t']) else { return };
                if is_command(word) {
                    break;
                }
                rest = behind.trim_start();
            }
            return command(rest, line, depth + 1, notes);
        }
        "execute" | "exe" => return command(&strings(rest).concat(), line, depth + 1, notes),
        verb if is_language(verb) => {
            if let Some(kind) = foreign_code(rest) {
                notes.sign(
                    kind.severity(),
                    Excuse::Genuine,
                    Some(line),
                    format!("{WHO} {}", kind.in_words()),
                );
            }
        }
        // Run by a key.
        verb if verb.ends_with("map") || verb.ends_with("abbrev") => {
            if let Some((_, shell)) = rest.split_once(":!").or_else(|| rest.split_once(":silent !")) {
                let end = shell.to_ascii_lowercase().find("<cr>").unwrap_or(shell.len());
                notes.script(&shell[..end], line, "a key of vim", None);
            }
        }
        "read" | "r" | "write" | "w" | "%" => {
            if let Some(shell) = rest.strip_prefix('!') {
                return notes.script(shell, line, WHO, None);
            }
        }
        "set" | "se" | "setlocal" | "setglobal" => option(rest, line, notes),
        "let" => {
            let set = rest.strip_prefix('$').and_then(|set| set.split_once('='));
            if let Some(told) = set.and_then(|(name, value)| loads(name, &strings(value).concat())) {
                told.note(" for what vim starts", line, notes);
            }
        }
        "source" | "so" | "luafile" | "pyfile" | "py3file" | "rubyfile" | "packadd" => {
            loaded("vim", rest, line, notes);
        }
        _ => {}
    }
    if content.contains("libcall") {
        strings(content).first().into_iter().for_each(|library| loaded("vim", library, line, notes));
    }
    for script in code::commands(content, code::QUOTES) {
        notes.script(&script, line, WHO, None);
    }
    for behind in content.split(" | ").skip(1) {
        let behind = behind.trim_start();
        if is_command(behind.split([' ', '\t']).next().unwrap_or_default()) {
            command(behind, line, depth + 1, notes);
        }
    }
}

/// Whether a word begins a command that may run something.
fn is_command(word: &str) -> bool {
    let word = word.trim_start_matches(':');
    word.starts_with('!')
        || is_language(word)
        || matches!(
            word.trim_end_matches('!'),
            "silent"
                | "sil"
                | "call"
                | "execute"
                | "exe"
                | "source"
                | "so"
                | "let"
                | "read"
                | "r"
                | "write"
                | "w"
        )
}

/// `shell=…` and other programs that vim is told to run; folders that it loads code from.
fn option(settings: &str, line: u32, notes: &mut Notes) {
    for setting in settings.split([' ', '\t']) {
        let Some((name, value)) = setting.split_once('=') else { continue };
        match name.trim_end_matches(['+', '^', '-']) {
            "shell" | "sh" | "makeprg" | "mp" | "grepprg" | "gp" | "formatprg" | "fp" | "equalprg" | "ep"
            | "keywordprg" | "kp" => notes.script(&value.replace("\\ ", " "), line, WHO, None),
            "runtimepath" | "rtp" | "packpath" | "pp" => {
                value.split(',').for_each(|folder| loaded("vim", folder, line, notes));
            }
            _ => {}
        }
    }
}
