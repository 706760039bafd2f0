//! What a shell script does, as far as its words tell: bytes in, [`Act`]s out.
//!
//! It reads as a POSIX shell splits its input (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html>):
//! comments, quotes, pipelines, redirections, here-documents, command substitution. Nothing is expanded or run. What
//! is quoted as data (`echo "curl x | sh"`) is data; what is handed to a shell as a script (`sh -c "..."`) is a script.

mod acts;
mod fetched;
mod node;
mod plain;
mod variables;
mod words;

pub(crate) use acts::{Act, ActKind, acts, foreign_code};
pub(crate) use plain::is_shell;

/// The commands of a script, each with its line and words, those in substitutions and in scripts within included; false if
/// not all of it was read.
pub(crate) fn commands(script: &str) -> (Vec<(u32, Vec<String>)>, bool) {
    let mut commands = Commands { all: Vec::new(), whole: true };
    commands.script(script, 1, 0);
    (commands.all, commands.whole)
}

struct Commands {
    all: Vec<(u32, Vec<String>)>,
    whole: bool,
}

impl Commands {
    fn script(&mut self, script: &str, line: u32, depth: usize) {
        if depth > MAX_DEPTH {
            self.whole = false;
            return;
        }
        let (pipelines, whole) = words::parse(script);
        self.whole &= whole;
        self.list(pipelines, line, depth);
    }

    fn list(&mut self, pipelines: Vec<words::Pipeline>, first: u32, depth: usize) {
        for command in pipelines.into_iter().flatten() {
            let line = first + command.line.max(1) - 1;
            let scripts = plain::Plain::of(&command).map(|plain| plain.shell_scripts()).unwrap_or_default();
            let mut own = Vec::new();
            for word in command.words {
                own.push(word.text);
                word.inner.into_iter().for_each(|inner| self.list(inner, first, depth));
            }
            self.all.push((line, own));
            scripts.iter().for_each(|script| self.script(script, line, depth + 1));
        }
    }
}

/// The files that the commands of a script run: programs with a folder, and what interpreters are handed.
pub(crate) fn programs(script: &str) -> Vec<String> {
    let mut files = Vec::new();
    for command in words::parse(script).0.iter().flatten() {
        if let Some(plain) = plain::Plain::of(command) {
            files.extend(plain.file().map(str::to_owned));
        }
    }
    files
}

/// The words of a line that is quoted as a shell's, and nothing else: of settings of other programs. Cut at blanks where a
/// quote does not end.
pub(crate) fn split(line: &str) -> Vec<String> {
    shlex::split(line).unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect())
}

/// Words as a shell reads them again one by one.
pub(crate) fn quoted<W: AsRef<str>>(words: &[W]) -> String {
    let quoted = words.iter().map(|word| format!("'{}'", word.as_ref().replace('\'', "'\\''")));
    quoted.collect::<Vec<_>>().join(" ")
}

/// Depth to which scripts within scripts are read.
const MAX_DEPTH: usize = 6;
/// Commands read of one script, those in it included.
const MAX_COMMANDS: usize = 50_000;
/// Acts told of one script.
const MAX_ACTS: usize = 32;

/// Whether it lies in a folder that everybody may write to.
pub(crate) fn is_in_open_place(path: &str) -> bool {
    ["/tmp/", "/var/tmp/", "/dev/shm/", "/run/shm/", "/dev/mqueue/"].iter().any(|open| path.starts_with(open))
}

/// Whether a program is kept where no package puts one: where everybody writes, or in a folder that is not listed.
pub(crate) fn hidden_place(path: &str) -> Option<&'static str> {
    // Tools that people install for themselves keep programs in such folders.
    const KNOWN: [&str; 22] = [
        ".local",
        ".cargo",
        ".rustup",
        ".nvm",
        ".npm",
        ".pyenv",
        ".rbenv",
        ".rvm",
        ".sdkman",
        ".config",
        ".venv",
        ".vim",
        ".asdf",
        ".bun",
        ".deno",
        ".dotnet",
        ".oh-my-zsh",
        ".bash_profile",
        ".bashrc",
        ".profile",
        ".krew",
        ".fzf",
    ];
    if !path.starts_with('/') {
        return None;
    }
    if is_in_open_place(path) {
        return Some("a folder that everybody may write to");
    }
    let hidden =
        |part: &str| part.len() > 1 && part.starts_with('.') && part != ".." && !KNOWN.contains(&part);
    let is_home = path.starts_with("/root/") || path.starts_with("/home/");
    let is_build = path
        .split('/')
        .any(|part| matches!(part, "node_modules" | "site-packages" | "dist-packages" | ".git"));
    (!is_home && !is_build && path.split('/').any(hidden)).then_some("a hidden file or folder")
}
