//! A command without what wraps it, and the code that it is handed.

use super::words::{Command, Word};

pub(super) const SHELLS: [&str; 11] =
    ["sh", "bash", "dash", "zsh", "ash", "ksh", "mksh", "fish", "csh", "tcsh", "busybox"];
const INTERPRETERS: [&str; 8] = ["python", "perl", "ruby", "node", "php", "lua", "pwsh", "deno"];
/// Programs that run what follows their options.
const WRAPPERS: [&str; 24] = [
    "busybox", "toybox", "sudo", "doas", "env", "nohup", "setsid", "exec", "time", "nice", "ionice",
    "timeout", "stdbuf", "flock", "command", "builtin", "then", "do", "else", "if", "while", "until", "!",
    "xargs",
];
/// Options of wrappers that take a word.
const WITH_VALUE: [&str; 7] = ["-u", "-g", "-n", "-c", "-k", "-s", "-I"];

/// Whether a program of this name, without folder, is a shell.
pub(crate) fn is_shell(name: &str) -> bool {
    SHELLS.contains(&name)
}

/// A command without what wraps it.
pub(super) struct Plain<'c> {
    pub(super) command: &'c Command,
    /// Name of the program without its folder and version.
    pub(super) name: String,
    /// Program as it is written.
    pub(super) program: &'c str,
    pub(super) arguments: &'c [Word],
}

impl<'c> Plain<'c> {
    pub(super) fn of(command: &'c Command) -> Option<Self> {
        let mut words = command.words.as_slice();
        loop {
            let (first, rest) = words.split_first()?;
            let base = base(&first.text);
            if is_assignment(&first.text) {
                words = rest;
            } else if WRAPPERS.contains(&base.as_str()) {
                let mut after = rest;
                let shell_option = base == "flock" || base == "xargs";
                while let Some((option, more)) = after.split_first() {
                    let text = option.text.as_str();
                    if text.starts_with('-') && text.len() > 1 {
                        if shell_option && text == "-c" {
                            break;
                        }
                        let value = WITH_VALUE.contains(&text)
                            && !matches!(base.as_str(), "exec" | "nohup" | "setsid");
                        after = more.get(usize::from(value)..).unwrap_or_default();
                    } else if (base == "timeout" && text.starts_with(|c: char| c.is_ascii_digit()))
                        || (base == "flock" && text.starts_with('/'))
                    {
                        after = more;
                    } else {
                        break;
                    }
                }
                if after.is_empty() {
                    return None;
                }
                words = after;
            } else {
                return Some(Self { command, name: base, program: &first.text, arguments: rest });
            }
        }
    }

    pub(super) fn runs_code(&self) -> bool {
        SHELLS.contains(&self.name.as_str()) || INTERPRETERS.contains(&self.name.as_str())
    }

    pub(super) fn is_shell(&self) -> bool {
        is_shell(&self.name)
    }

    pub(super) fn has(&self, options: &[&str]) -> bool {
        self.arguments.iter().any(|word| options.contains(&word.text.as_str()))
    }

    /// The script that is handed over as an argument.
    pub(super) fn script(&self) -> Option<&'c Word> {
        let arguments = self.arguments;
        let after = |test: &dyn Fn(&str) -> bool| {
            arguments.iter().position(|word| test(&word.text)).and_then(|place| arguments.get(place + 1))
        };
        let short = |text: &str, letter: char| {
            text.starts_with('-') && !text.starts_with("--") && text.ends_with(letter)
        };
        match self.name.as_str() {
            "su" | "runuser" | "script" | "flock" => after(&|text| short(text, 'c') || text == "--command"),
            "perl" | "ruby" | "node" | "lua" => after(&|text| short(text, 'e') || short(text, 'E')),
            "php" => after(&|text| text == "-r"),
            "python" => after(&|text| short(text, 'c')),
            _ => self.operands().0,
        }
    }

    /// Of a shell the script that `-c` says it is handed, and else the file that it reads: what comes first behind its
    /// options, in whatever order these are.
    fn operands(&self) -> (Option<&'c Word>, Option<&'c Word>) {
        let (mut is_script, mut reads_input) = (false, false);
        let mut words = self.arguments.iter();
        while let Some(word) = words.next().filter(|_| self.is_shell()) {
            let text = word.text.as_str();
            match text.strip_prefix(['-', '+']) {
                Some("-" | "") => {
                    let first = words.next();
                    return if is_script { (first, None) } else { (None, first.filter(|_| !reads_input)) };
                }
                Some("-rcfile" | "-init-file") => _ = words.next(),
                Some(long) if long.starts_with('-') => {}
                Some(letters) => {
                    is_script |= text.starts_with('-') && letters.contains('c');
                    reads_input |= text.starts_with('-') && letters.contains('s');
                    // The name of an option follows.
                    if letters.ends_with(['o', 'O']) {
                        words.next();
                    }
                }
                None if is_script => return (Some(word), None),
                None => return (None, Some(word).filter(|_| !reads_input)),
            }
        }
        (None, None)
    }

    /// Scripts for a shell that it is handed as words, or as its input.
    pub(super) fn shell_scripts(&self) -> Vec<String> {
        let is_shell = self.is_shell();
        let mut scripts = Vec::new();
        if self.name == "eval" {
            let words: Vec<&str> = self.arguments.iter().map(|word| word.text.as_str()).collect();
            scripts.push(words.join(" "));
        } else if is_shell || matches!(self.name.as_str(), "su" | "runuser" | "script" | "flock") {
            scripts.extend(self.script().map(|word| word.text.clone()));
        }
        scripts.extend(self.command.input.clone().filter(|_| is_shell));
        scripts
    }

    /// The file of code that it runs: itself, or what an interpreter is handed first; of run-parts(8) the folder of them.
    pub(super) fn file(&self) -> Option<&'c str> {
        let hands_on = matches!(self.name.as_str(), "." | "source" | "run-parts");
        if self.program.contains('/') && !self.runs_code() && !hands_on {
            return Some(self.program);
        }
        if !hands_on && (!self.runs_code() || self.script().is_some()) {
            return None;
        }
        if self.is_shell() {
            return self.operands().1.map(|word| word.text.as_str());
        }
        self.arguments
            .iter()
            .map(|word| word.text.as_str())
            .find(|text| !text.starts_with('-') && !text.is_empty())
    }
}

/// The last part of a program's path without a version: `/usr/bin/python3.11` is `python`.
pub(super) fn base(program: &str) -> String {
    let name = program.rsplit('/').next().unwrap_or_default();
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if INTERPRETERS.contains(&bare) { bare.to_owned() } else { name.to_owned() }
}

pub(super) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.as_bytes()[0].is_ascii_digit()
    })
}
