//! Credential helpers: programs that keep logins, such as those of the clouds.
//!
//! Protocol: <https://github.com/docker/docker-credential-helpers#development>.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use crate::login::Credential;

/// How long a helper may take: those of the clouds ask their own services.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an answer at most.
const ANSWER_LIMIT: u64 = 1 << 20;
/// The user name by which a helper says that its secret is an identity token.
const IDENTITY_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks `docker-credential-NAME` for the login of a registry; none if it has none. The error says no word of what the
/// helper said, which may hold a secret.
pub(crate) fn get(name: &str, server: &str, patience: Duration) -> Result<Option<Credential>, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || !name.bytes().all(good) {
        return Err("a credential helper's name has letters, digits, `.`, `_` and `-` only".to_owned());
    }
    let program = format!("docker-credential-{name}");
    let (success, output) = run(&program, server, patience)?;
    if success {
        return parse(&output).map_err(|_| {
            format!("{program} answered {server} with something else than a login; try {program} by hand")
        });
    }
    // The protocol's only word for «there is none».
    let none = b"credentials not found in native keychain";
    if output.trim_ascii().starts_with(none) {
        return Ok(None);
    }
    Err(format!("{program} failed for {server}; try `echo {server} | {program} get` by hand"))
}

/// The login in a helper's answer.
pub fn parse(output: &[u8]) -> Result<Option<Credential>, &'static str> {
    let answer: Answer = serde_json::from_slice(output).map_err(|_| "it is no login")?;
    Ok(match (answer.username.as_str(), answer.secret) {
        (_, secret) if secret.is_empty() => None,
        (IDENTITY_USER, secret) => Some(Credential::Identity(secret)),
        ("", _) => None,
        (user, password) => Some(Credential::Password { user: user.to_owned(), password }),
    })
}

/// Runs `PROGRAM get` with a line on its standard input; whether it succeeded, and its standard output.
fn run(program: &str, input: &str, patience: Duration) -> Result<(bool, Vec<u8>), String> {
    let deadline = Instant::now() + patience;
    let child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{program} cannot be started: {error}; install it or log in without it"))?;
    let mut running = Running(child);
    if let Some(mut stdin) = running.0.stdin.take() {
        // A helper that reads nothing closes its end; what it answers counts.
        let _ = stdin.write_all(format!("{input}\n").as_bytes());
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = running.0.stdout.take() {
        thread::spawn(move || {
            let mut output = Vec::new();
            let read = stdout.take(ANSWER_LIMIT).read_to_end(&mut output);
            let _ = sender.send(read.map(|_| output));
        });
    }
    let late = || format!("{program} did not answer within {} s", patience.as_secs_f32());
    let output = receiver
        .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        .map_err(|_| late())?
        .map_err(|error| format!("{program}: {error}"))?;
    loop {
        match running.0.try_wait() {
            Ok(Some(status)) => return Ok((status.success(), output)),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Ok(None) => return Err(late()),
            Err(error) => return Err(format!("{program}: {error}")),
        }
    }
}

/// Ends the program, and what it started, when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_logins_identity_tokens_or_nothing() {
        let password = |user: &str, secret: &str| {
            Ok(Some(Credential::Password { user: user.to_owned(), password: secret.to_owned() }))
        };
        assert_eq!(parse(br#"{"ServerURL":"r","Username":"AWS","Secret":"s"}"#), password("AWS", "s"));
        let identity = Ok(Some(Credential::Identity("t".to_owned())));
        assert_eq!(parse(br#"{"Username":"<token>","Secret":"t"}"#), identity);
        assert_eq!(parse(br#"{"Username":"","Secret":""}"#), Ok(None));
        for wrong in ["", "{", "null", r#"{"Username":1}"#, "secret"] {
            assert_eq!(parse(wrong.as_bytes()), Err("it is no login"), "{wrong}");
        }
    }

    #[test]
    fn a_name_cannot_be_a_path_or_an_option() {
        for name in ["", "../evil", "a/b", "a b", "a;b", "a\0b", "é"] {
            let error = get(name, "r.example", PATIENCE).unwrap_err();
            assert!(error.contains("letters, digits"), "{name}: {error}");
        }
    }

    fn script(folder: &tempfile::TempDir, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join("docker-credential-test");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_helper_is_asked_with_the_host_on_its_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(&folder, r#"read -r host; echo "$1 $host"; exit 3"#);
        let (success, output) = run(&program, "r.example:5000", PATIENCE).unwrap();
        assert_eq!((success, output.as_slice()), (false, &b"get r.example:5000\n"[..]));
    }

    #[test]
    fn a_helper_that_hangs_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(&folder, "sleep 1000 & sleep 1000");
        let error = run(&program, "r.example", Duration::from_millis(100)).unwrap_err();
        assert!(error.contains("did not answer within 0.1 s"), "{error}");
    }

    #[test]
    fn a_missing_helper_is_named() {
        let error = get("pratique-has-no-such", "r.example", PATIENCE).unwrap_err();
        assert!(error.contains("docker-credential-pratique-has-no-such cannot be started"), "{error}");
    }
}
