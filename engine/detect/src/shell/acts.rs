//! From commands to what they do.

use std::collections::{HashMap, HashSet};

use pratique_core::Severity;

use super::fetched::{fetches, files};
use super::plain::{Plain, SHELLS, base};
use super::variables::{MAX_VARIABLES, Variables, assignments, variable};
use super::words::{Command, Pipeline, Word, parse};
use super::{MAX_ACTS, MAX_DEPTH, hidden_place, node};

/// Something that a script does and that few honest ones do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) kind: ActKind,
    /// Line of the script, from 1.
    pub(crate) line: u32,
    /// The program that does it, or what it does it with. No arguments: they may hold a password.
    pub(crate) subject: String,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ActKind {
    /// A shell is handed to a peer on the network.
    ReverseShell,
    /// The shell itself opens a connection, and what is read from it is not known.
    OpensConnection,
    /// Code is fetched from the network and run.
    FetchAndRun,
    /// Code that is encoded is decoded and run.
    DecodeAndRun,
    /// A program is run from a place where no package puts one.
    HiddenProgram,
    /// A way in or up is opened: a key, an account, a rule of sudo, a preloaded library is written.
    OpensAccess,
    /// A file becomes setuid or gains a capability.
    RaisesPrivilege,
    /// A kernel module that no package manager knows is loaded.
    LoadsModule,
    /// A container is started that has the node in its hand, or the container is left for it.
    TakesNode,
}

impl ActKind {
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::ReverseShell => Severity::Critical,
            Self::OpensConnection
            | Self::FetchAndRun
            | Self::DecodeAndRun
            | Self::HiddenProgram
            | Self::OpensAccess
            | Self::TakesNode => Severity::High,
            Self::RaisesPrivilege | Self::LoadsModule => Severity::Medium,
        }
    }

    /// What is done, to follow "it".
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::ReverseShell => "hands a shell to a peer on the network",
            Self::OpensConnection => "opens a connection from within the shell",
            Self::FetchAndRun => "fetches code from the network and runs it",
            Self::DecodeAndRun => "decodes code and runs it",
            Self::HiddenProgram => "runs a program from a place where none belongs",
            Self::OpensAccess => "writes a file that decides who gets in",
            Self::RaisesPrivilege => "gives a file privileges",
            Self::LoadsModule => "loads a kernel module from a file",
            Self::TakesNode => "takes hold of the node from a container",
        }
    }
}

/// What a script does, in its order; false if not all of it was read.
pub(crate) fn acts(script: &str) -> (Vec<Act>, bool) {
    let (pipelines, whole) = parse(script);
    let mut found = Found { whole, ..Found::default() };
    found.list(&pipelines, 0);
    let full = found.acts.len() > MAX_ACTS;
    found.acts.truncate(MAX_ACTS);
    (found.acts, found.whole && !full)
}

#[derive(Default)]
struct Found {
    acts: Vec<Act>,
    whole: bool,
    /// Files that were fetched so far.
    fetched: HashSet<String>,
    /// Variables that hold what was fetched or decoded, and by which program.
    held: HashMap<String, (ActKind, String)>,
    variables: Variables,
}

impl Found {
    fn add(&mut self, kind: ActKind, line: u32, subject: &str) {
        let subject: String = subject.chars().filter(|c| !c.is_control()).take(100).collect();
        let act = Act { kind, line, subject };
        if self.acts.len() <= MAX_ACTS && !self.acts.contains(&act) {
            self.acts.push(act);
        }
    }

    fn list(&mut self, pipelines: &[Pipeline], depth: usize) {
        if depth > MAX_DEPTH {
            self.whole = false;
            return;
        }
        for pipeline in pipelines {
            self.pipeline(pipeline, depth);
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, depth: usize) {
        let expanded = self.variables.expand(pipeline);
        let plain: Vec<Plain<'_>> = expanded.iter().filter_map(|command| Plain::of(command)).collect();
        // What was worst of all that went before.
        let mut before: Option<(ActKind, String)> = None;
        let mut after_shell = false;
        for command in &plain {
            // `curl x | sh`, and what lies between: `curl x | tar -xz | sh` is a shell that reads what was fetched; `sh < <(curl x)`.
            let reads_input = command.runs_code()
                && command.script().is_none()
                && command.file().is_none_or(|file| matches!(file, "/dev/stdin" | "-"));
            if reads_input {
                let line = command.command.line;
                if let Some((kind, by)) = &before {
                    self.add(*kind, line, &format!("{by} | {}", command.name));
                }
                for inner in command.command.redirections.iter().flat_map(|word| word.inner.iter().flatten())
                {
                    if let Some((kind, by)) = self.source_of(inner) {
                        self.add(kind, line, &format!("{} $({by})", command.name));
                    }
                }
            }
            // `cat /tmp/f | sh -i | nc host 1 > /tmp/f`, with a named pipe.
            if is_peer(command) && after_shell {
                self.add(ActKind::ReverseShell, command.command.line, &command.name);
            }
            after_shell |= command.is_shell();
            before = before.into_iter().chain(self.source(command)).min_by_key(|(kind, _)| *kind);
            self.command(command, depth);
        }
        for command in &expanded {
            self.redirections(command);
            self.hold(command);
            for word in command.words.iter().chain(&command.redirections) {
                for inner in &word.inner {
                    self.list(inner, depth + 1);
                }
            }
        }
    }

    /// What a command hands to the next one of its pipeline that is not as it lies in the image, and by which program.
    fn source(&self, plain: &Plain<'_>) -> Option<(ActKind, String)> {
        let kind = if is_peer(plain) {
            ActKind::ReverseShell
        } else if fetches(plain) {
            ActKind::FetchAndRun
        } else if decodes(plain) {
            ActKind::DecodeAndRun
        } else if matches!(plain.name.as_str(), "echo" | "printf") {
            return plain.arguments.iter().find_map(|word| self.holds(&word.text));
        } else {
            return None;
        };
        Some((kind, plain.name.clone()))
    }

    /// The same of a pipeline whose output is taken.
    fn source_of(&self, pipeline: &Pipeline) -> Option<(ActKind, String)> {
        let expanded = self.variables.expand(pipeline);
        let plain = expanded.iter().filter_map(|command| Plain::of(command));
        // The first of the worst.
        let source = plain.filter_map(|command| self.source(&command)).min_by_key(|(kind, _)| *kind);
        source.filter(|(kind, _)| *kind != ActKind::ReverseShell)
    }

    /// What the variable holds that is all of a word.
    fn holds(&self, text: &str) -> Option<(ActKind, String)> {
        self.held.get(variable(text)?.0).cloned()
    }

    /// Takes what a command sets: words, and what it fetched or decoded.
    fn hold(&mut self, command: &Command) {
        for (name, _, word) in assignments(command) {
            match word.inner.iter().flatten().find_map(|inner| self.source_of(inner)) {
                Some(source) if self.held.len() < MAX_VARIABLES => {
                    _ = self.held.insert(name.to_owned(), source)
                }
                _ => _ = self.held.remove(name),
            }
        }
        self.variables.set(command);
    }

    fn redirections(&mut self, command: &Command) {
        for target in &command.redirections {
            let text = target.text.as_str();
            if text.starts_with("/dev/tcp/") || text.starts_with("/dev/udp/") {
                if Plain::of(command).is_some_and(|plain| plain.is_shell()) {
                    self.add(ActKind::ReverseShell, command.line, "/dev/tcp");
                } else if command.words.first().is_some_and(|word| word.text == "exec") {
                    self.add(ActKind::OpensConnection, command.line, "/dev/tcp");
                }
            }
            if decides_access(text) {
                self.add(ActKind::OpensAccess, command.line, text);
            }
        }
    }

    fn command(&mut self, plain: &Plain<'_>, depth: usize) {
        let line = plain.command.line;
        if hands_out_shell(plain) {
            self.add(ActKind::ReverseShell, line, &plain.name);
        }
        // `sh -c "$(curl x)"`, `eval "$(curl x)"`, `bash <(curl x)`, `. <(curl x)`.
        let code: Vec<&Word> = match (plain.name.as_str(), plain.script()) {
            (_, Some(script)) => vec![script],
            ("eval" | "." | "source", None) => plain.arguments.iter().collect(),
            (_, None) if plain.runs_code() => plain.arguments.iter().collect(),
            _ => Vec::new(),
        };
        let mut sources: Vec<(ActKind, String)> = Vec::new();
        for word in &code {
            sources.extend(word.inner.iter().flatten().filter_map(|inner| self.source_of(inner)));
            // Of a shell's script the variable is found as a command of it.
            sources.extend(self.holds(&word.text).filter(|_| plain.runs_code() && !plain.is_shell()));
        }
        for (kind, by) in sources {
            self.add(kind, line, &format!("{} $({by})", plain.name));
        }
        // `$(curl x)` as a command, or a variable that holds what it said.
        let program = plain.command.words.iter().find(|word| std::ptr::eq(&*word.text, plain.program));
        let said = program
            .filter(|word| word.text.is_empty())
            .and_then(|word| word.inner.iter().flatten().find_map(|inner| self.source_of(inner)));
        if let Some((kind, by)) = said.or_else(|| self.holds(plain.program)) {
            self.add(kind, line, &format!("$({by})"));
        }
        if node::takes(plain) {
            self.add(ActKind::TakesNode, line, &plain.name);
        }
        let scripts = plain.shell_scripts();
        for script in &scripts {
            self.script(script, line, depth);
        }
        if scripts.is_empty() && plain.runs_code() {
            let code = plain.script().map(|word| &word.text).or(plain.command.input.as_ref());
            if let Some(kind) = code.and_then(|code| foreign_code(code)) {
                self.add(kind, line, &plain.name);
            }
        }
        // A shell or interpreter may be another program that is called so.
        let program = Some(plain.program).filter(|program| plain.runs_code() && program.contains('/'));
        for file in program.into_iter().chain(plain.file()) {
            if self.fetched.contains(file.strip_prefix("./").unwrap_or(file)) || self.fetched.contains(file) {
                self.add(ActKind::FetchAndRun, line, file);
            } else if hidden_place(file).is_some() {
                self.add(ActKind::HiddenProgram, line, file);
            }
        }
        self.writes(plain);
    }

    /// A script within a script.
    fn script(&mut self, text: &str, line: u32, depth: usize) {
        if depth >= MAX_DEPTH {
            self.whole = false;
            return;
        }
        let (pipelines, whole) = parse(text);
        self.whole &= whole;
        let known = self.acts.len();
        self.list(&pipelines, depth + 1);
        for act in &mut self.acts[known..] {
            act.line = line;
        }
    }

    /// What it leaves behind.
    fn writes(&mut self, plain: &Plain<'_>) {
        let line = plain.command.line;
        let arguments = || plain.arguments.iter().map(|word| word.text.as_str());
        let after = |options: &[&str]| {
            let place = arguments().position(|text| options.contains(&text))?;
            arguments().nth(place + 1)
        };
        self.fetched.extend(files(plain));
        match plain.name.as_str() {
            "tee" => {
                for target in arguments().filter(|text| decides_access(text)) {
                    self.add(ActKind::OpensAccess, line, target);
                }
            }
            "useradd" | "adduser"
                if plain.has(&["-o", "--non-unique"]) && after(&["-u", "--uid"]) == Some("0") =>
            {
                self.add(ActKind::OpensAccess, line, &plain.name);
            }
            "chmod" => {
                let raises = |mode: &str| {
                    let digits = mode.trim_start_matches('0');
                    let octal = digits.len() == 4
                        && digits.bytes().all(|b| b.is_ascii_digit())
                        && matches!(digits.as_bytes()[0], b'4' | b'6' | b'5' | b'7');
                    octal || (mode.contains('+') && mode.split(',').any(|part| matches!(part.split_once('+'), Some((who, what)) if what.contains('s') && (who.is_empty() || who.contains(['u', 'a'])))))
                };
                if arguments().find(|text| !text.starts_with('-')).is_some_and(raises) {
                    self.add(ActKind::RaisesPrivilege, line, "chmod");
                }
            }
            "setcap"
                if arguments().any(|text| text.contains("cap_setuid") || text.contains("cap_sys_admin")) =>
            {
                self.add(ActKind::RaisesPrivilege, line, "setcap");
            }
            "insmod" => self.add(ActKind::LoadsModule, line, "insmod"),
            _ => {}
        }
    }
}

fn decodes(plain: &Plain<'_>) -> bool {
    match plain.name.as_str() {
        "base64" | "base32" | "basenc" => plain.has(&["-d", "--decode", "-D", "-di", "-id"]),
        "xxd" => plain.arguments.iter().any(|word| word.text.starts_with('-') && word.text.contains('r')),
        "openssl" => plain.has(&["-d"]),
        "uudecode" => true,
        _ => false,
    }
}

/// Whether it talks to a peer on the network.
fn is_peer(plain: &Plain<'_>) -> bool {
    match plain.name.as_str() {
        "nc" | "ncat" | "netcat" | "nc.traditional" | "nc.openbsd" | "telnet" => {
            plain.arguments.iter().filter(|word| !word.text.starts_with('-')).count() >= 2
        }
        "openssl" => plain.has(&["s_client"]),
        "socat" => true,
        _ => false,
    }
}

/// Whether a program of the network is told to run a shell for its peer.
fn hands_out_shell(plain: &Plain<'_>) -> bool {
    match plain.name.as_str() {
        "nc" | "ncat" | "netcat" | "nc.traditional" => {
            let short =
                |text: &str| text.starts_with('-') && !text.starts_with("--") && text.ends_with(['e', 'c']);
            plain.arguments.windows(2).any(|pair| {
                (short(&pair[0].text) || matches!(pair[0].text.as_str(), "--exec" | "--sh-exec"))
                    && (pair[1].text.starts_with('/') || SHELLS.contains(&pair[1].text.as_str()))
            })
        }
        "socat" => plain.arguments.iter().any(|word| {
            let text = word.text.to_ascii_lowercase();
            (text.starts_with("exec:") || text.starts_with("system:"))
                && SHELLS
                    .iter()
                    .any(|shell| base(text.split([':', ',', ' ']).nth(1).unwrap_or_default()) == *shell)
        }),
        "awk" | "gawk" => plain.arguments.iter().any(|word| runs_what_a_peer_says(&word.text)),
        _ => false,
    }
}

/// Whether a program of awk reads from the network, and runs something or reads from a second source: there commands and
/// peers are read alike.
fn runs_what_a_peer_says(program: &str) -> bool {
    let mut sources: Vec<&str> = program.split("getline").collect();
    sources.pop();
    let mut sources = sources.iter().filter_map(|before| {
        let before = before.trim_end().trim_end_matches('&').strip_suffix('|')?.trim_end();
        before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next()
    });
    let first = sources.next();
    (program.contains("/inet/tcp/") || program.contains("/inet/udp/"))
        && (program.contains("system(") || sources.any(|source| Some(source) != first))
}

/// What code of another language does, as far as its words tell.
pub(crate) fn foreign_code(code: &str) -> Option<ActKind> {
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    let connects = has(&["socket", "Socket", "fsockopen"]);
    if connects
        && has(&[
            "dup2",
            "pty.spawn",
            "/bin/sh",
            "/bin/bash",
            "subprocess",
            "child_process",
            "os.execute(",
            "io.popen(",
            "STDIN->fdopen",
        ])
    {
        return Some(ActKind::ReverseShell);
    }
    // PHP and Ruby have their own words for both.
    let calls = has(&["fsockopen", "stream_socket_client", "TCPSocket"]);
    if calls && has(&["exec(", "exec \"", "system(", "passthru(", "proc_open", "popen", "spawn", "`"]) {
        return Some(ActKind::ReverseShell);
    }
    let runs =
        has(&["exec(", "eval(", "os.system", "subprocess", "__import__", "popen", "execSync", "compile("]);
    // A line for a shell in it.
    let piped = has(&["curl ", "wget "]) && has(&["| sh", "|sh", "| bash", "|bash"]);
    if runs && piped {
        return Some(ActKind::FetchAndRun);
    }
    if runs
        && has(&[
            "urllib",
            "requests.get",
            "urlopen",
            "http.client",
            "LWP::",
            "Net::HTTP",
            "https.get",
            "http.get",
        ])
    {
        return Some(ActKind::FetchAndRun);
    }
    (runs
        && has(&[
            "b64decode",
            "base64",
            "fromhex",
            "unhexlify",
            "zlib.decompress",
            "codecs.decode",
            "marshal.loads",
            "pack(",
        ]))
    .then_some(ActKind::DecodeAndRun)
}

/// Whether whoever writes this file decides who gets in or what runs as root.
fn decides_access(path: &str) -> bool {
    const FILES: [&str; 8] = [
        "/etc/passwd",
        "/etc/shadow",
        "/etc/sudoers",
        "/etc/ld.so.preload",
        "/etc/crontab",
        "/etc/group",
        "/etc/gshadow",
        "/etc/rc.local",
    ];
    FILES.contains(&path)
        || path.ends_with("/.ssh/authorized_keys")
        || ["/etc/sudoers.d/", "/etc/cron.d/", "/var/spool/cron/"]
            .iter()
            .any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests;
