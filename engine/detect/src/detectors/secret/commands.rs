//! Passwords that commands were given, as the history of a shell keeps them, and the steps of an image's build.
//!
//! A line is read as the shell reads it, so that quotes and comments are what they are; which word is a password tells the
//! program's manual, see [`PROGRAMS`]. What a line says to a database tells [`STATEMENTS`]. Of any other file that names
//! such a program nobody knows whether its lines are commands that were run, so these are not looked at here.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;
use pratique_core::inspect::{OVERLAP, Piece};
use regex::Regex;

use super::checks::{is_login, is_own_password};
use super::shapes::{LOGIN, Shape};
use crate::shell;

/// What is reported of them. Nothing but the commands around it tells such a password.
pub(super) const COMMAND: Shape =
    Shape { id: "command-password", what: "password that a command was given", ..LOGIN };

/// Bytes of a line that is read, of a text that comes in pieces.
pub(super) const MAX_LINE: usize = 8 << 10;

// A line that begins in a piece, and not in the part that the next one brings again, ends in it.
const _: () = assert!(OVERLAP >= 2 * MAX_LINE);

/// How a program is given a password.
enum Given {
    /// As an option's value: behind it (`-pX`, `--password=X`) or as the next word.
    Option(&'static str),
    /// As an option's value, but only behind it: the next word is something else.
    Attached(&'static str),
    /// As an option's value, behind a name and this sign.
    Login(&'static str, char),
    /// In an option's value, behind these letters.
    Prefixed(&'static str, &'static str),
    /// In an option's value, which is a header of HTTP.
    Header(&'static str),
    /// So many words behind this one.
    Behind(&'static str, usize),
    /// As the last word, if an option of one dash has this letter.
    Last(char),
}

struct Program {
    names: &'static [&'static str],
    /// A word without which its options mean something else; none: they always mean it.
    with: Option<&'static str>,
    given: &'static [Given],
}

const fn program(names: &'static [&'static str], given: &'static [Given]) -> Program {
    Program { names, with: None, given }
}

use Given::{Attached, Behind, Header, Last, Login, Option as Value, Prefixed};

const PROGRAMS: &[Program] = &[
    program(
        &["curl"],
        &[
            Login("-u", ':'),
            Login("--user", ':'),
            Login("-U", ':'),
            Login("--proxy-user", ':'),
            Value("--oauth2-bearer"),
            Header("-H"),
            Header("--header"),
        ],
    ),
    program(
        &["wget"],
        &[
            Value("--password"),
            Value("--http-password"),
            Value("--ftp-password"),
            Value("--proxy-password"),
            Header("--header"),
        ],
    ),
    program(&["http", "https", "xh"], &[Login("-a", ':'), Login("--auth", ':')]),
    program(&["sshpass"], &[Value("-p")]),
    program(
        &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlsh",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
        ],
        &[Attached("-p"), Attached("--password")],
    ),
    program(
        &["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"],
        &[Value("-p"), Value("--password")],
    ),
    program(&["redis-cli", "valkey-cli"], &[Value("-a"), Value("--pass")]),
    Program {
        names: &["docker", "podman", "nerdctl", "buildah", "skopeo", "oras", "crane", "helm", "az", "oc"],
        with: Some("login"),
        given: &[Value("-p"), Value("--password"), Value("--token")],
    },
    program(&["skopeo"], &[Login("--creds", ':'), Login("--src-creds", ':'), Login("--dest-creds", ':')]),
    Program { names: &["helm"], with: Some("repo"), given: &[Value("--password")] },
    program(&["kubectl"], &[Value("--password"), Value("--token")]),
    program(
        &["ldapsearch", "ldapmodify", "ldapadd", "ldapdelete", "ldapwhoami", "ldappasswd"],
        &[Value("-w")],
    ),
    program(&["smbclient", "rpcclient", "smbget"], &[Login("-U", '%'), Login("--user", '%')]),
    program(&["mount", "mount.cifs"], &[Prefixed("-o", "password="), Prefixed("-o", "pass=")]),
    program(&["lftp"], &[Login("-u", ',')]),
    program(&["htpasswd"], &[Last('b')]),
    program(
        &["openssl"],
        &[
            Prefixed("-passin", "pass:"),
            Prefixed("-passout", "pass:"),
            Prefixed("-pass", "pass:"),
            Prefixed("-password", "pass:"),
        ],
    ),
    program(
        &["keytool", "jarsigner"],
        &[Value("-storepass"), Value("-keypass"), Value("-srcstorepass"), Value("-deststorepass")],
    ),
    program(&["ssh-keygen"], &[Value("-N"), Value("-P")]),
    program(&["gpg", "gpg2"], &[Value("--passphrase")]),
    program(&["sqlcmd", "bcp"], &[Value("-P")]),
    program(&["zip", "unzip"], &[Value("-P")]),
    program(&["7z", "7za", "7zz"], &[Attached("-p")]),
    program(&["rabbitmqctl"], &[Behind("add_user", 2), Behind("change_password", 2)]),
    Program { names: &["mc"], with: Some("alias"), given: &[Behind("set", 4)] },
    program(&["aws"], &[Behind("aws_secret_access_key", 1), Behind("aws_session_token", 1)]),
    program(&["ConvertTo-SecureString"], &[Value("-String"), Behind("ConvertTo-SecureString", 1)]),
];

/// Programs that take a password, or a name and a password, from what `echo` wrote before them: their name, a word that says so,
/// and what stands before the password.
const FROM_INPUT: &[(&str, &str, Option<char>)] = &[
    ("chpasswd", "", Some(':')),
    ("sudo", "-S", None),
    ("passwd", "--stdin", None),
    ("docker", "--password-stdin", None),
    ("podman", "--password-stdin", None),
    ("helm", "--password-stdin", None),
];

/// How names of variables end that hold a password, in capitals.
const VARIABLES: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SSHPASS",
    "MYSQL_PWD",
    "REDISCLI_AUTH",
    "TOKEN",
    "SECRET",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "SECRET_KEY",
];

/// What SQL, MongoDB's shell and Redis are told.
static STATEMENTS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?ix)
        \b (?: identified \s+ (?: with \s+ \S{1,64} \s+ )? by | password ) \s* [=(]? \s* '([^'\s]{1,200})'
        | \b pwd \s* : \s* ["']([^"'\s]{1,200})["']
        | \b db \. auth \( \s* ["'][^"']{1,100}["'] \s* , \s* ["']([^"'\s]{1,200})["']
        | ^ (?: config \s+ set \s+ (?: requirepass | masterauth ) | auth (?: \s+ \S{1,100} )? ) \s+ ["']?([^"'\s]{1,200})["']? \s* $
        "#,
    )
    .expect("a test compiles it")
});

/// Whether a file of this path is the history of a shell or of a client that reads lines as one does.
pub(super) fn is_history(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.ends_with(b"_history")
        || [&b".history"[..], b".histfile", b".dbshell", b"ConsoleHost_history.txt"].contains(&name)
}

/// Puts the places of passwords in the piece's own lines of commands into `found`; false if a line was too long.
pub(super) fn passwords(piece: &Piece<'_>, mut found: impl FnMut(Range<usize>)) -> bool {
    let (mut whole, mut next) = (true, 0);
    // Lines that begin before are the last piece's, those that begin behind are the next one's.
    let first = if piece.offset == 0 { 0 } else { MAX_LINE };
    let end = piece.bytes.len() - if piece.last { 0 } else { OVERLAP - MAX_LINE };
    // A step of a build is one line, often a long one.
    let most = if piece.offset == 0 && piece.last { piece.bytes.len() } else { MAX_LINE };
    for line in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
        let start = next;
        next += line.len();
        if !(first..end).contains(&start) {
            continue;
        }
        if line.len() > most {
            whole = false;
            continue;
        }
        let words = of_line(command(&String::from_utf8_lossy(line)));
        for password in words.iter().filter(|word| is_password(word)) {
            // What is quoted in parts stands nowhere as it is: then all of the line counts.
            let place = memmem::find(line, password.as_bytes());
            let range = place.map_or(0..line.len(), |place| place..place + password.len());
            found(start + range.start..start + range.end);
        }
    }
    whole
}

/// What was typed, without what zsh and fish write before it.
fn command(line: &str) -> &str {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("- cmd: ") {
        return rest;
    }
    match line.strip_prefix(": ").and_then(|rest| rest.split_once(';')) {
        Some((times, typed)) if times.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') => typed,
        _ => line,
    }
}

fn of_line(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for groups in STATEMENTS.captures_iter(line) {
        found.extend(groups.iter().skip(1).flatten().map(|group| group.as_str().to_owned()));
    }
    let (commands, _) = shell::commands(line);
    let commands: Vec<&[String]> = commands.iter().map(|(_, words)| words.as_slice()).collect();
    for words in &commands {
        variables(words, &mut found);
        // Also behind those that start others, such as sudo and docker exec.
        for (place, word) in words.iter().enumerate() {
            let known = PROGRAMS.iter().filter(|program| program.names.contains(&name(word)));
            let arguments = &words[place + 1..];
            for program in known.filter(|program| program.with.is_none_or(|with| contains(arguments, with))) {
                program.given.iter().for_each(|given| arguments_of(given, &words[place..], &mut found));
            }
        }
    }
    for two in commands.windows(2) {
        let ([echo, rest @ ..], Some(said)) = (two[0], two[0].last()) else { continue };
        let reader = FROM_INPUT.iter().find(|(name, word, _)| {
            two[1].first().is_some_and(|first| self::name(first) == *name)
                && (word.is_empty() || contains(two[1], word))
        });
        if let Some((_, _, sign)) =
            reader.filter(|_| matches!(echo.as_str(), "echo" | "printf") && !rest.is_empty())
        {
            let said = said.trim_end_matches("\\n");
            found.push(
                sign.and_then(|sign| said.split_once(sign)).map_or(said, |(_, behind)| behind).to_owned(),
            );
        }
    }
    found
}

/// A program without the folder it is in.
fn name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or_default()
}

fn contains(words: &[String], wanted: &str) -> bool {
    words.iter().any(|word| word == wanted)
}

/// Variables that are set, by `NAME=X` before a command or behind `export`, or by csh's and fish's `set`.
fn variables(words: &[String], found: &mut Vec<String>) {
    let is_secret = |name: &str| VARIABLES.iter().any(|end| name.ends_with(end));
    for word in words {
        if let Some((name, value)) = word.split_once('=')
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            && is_secret(name)
        {
            found.push(value.to_owned());
        }
    }
    if let [set, .., name, value] = words
        && matches!(set.as_str(), "set" | "setenv")
        && is_secret(name)
    {
        found.push(value.clone());
    }
}

/// What `words`, which begin with the program, give as a password in this way.
fn arguments_of(given: &Given, words: &[String], found: &mut Vec<String>) {
    let behind = |value: &str, sign: char| value.split_once(sign).map(|(_, password)| password.to_owned());
    match given {
        Value(option) => found.extend(values(words, option, true)),
        Attached(option) => found.extend(values(words, option, false)),
        Login(option, sign) => {
            found.extend(values(words, option, true).iter().filter_map(|value| behind(value, *sign)));
        }
        Prefixed(option, prefix) => {
            let values = values(words, option, true);
            let parts = values.iter().flat_map(|value| value.split(','));
            found.extend(parts.filter_map(|part| part.strip_prefix(prefix)).map(str::to_owned));
        }
        Header(option) => found.extend(values(words, option, true).iter().filter_map(|value| header(value))),
        Behind(word, places) => {
            let place = words.iter().position(|one| one == word);
            found.extend(place.and_then(|place| words.get(place + places)).cloned());
        }
        Last(letter) => {
            let is_flag = |word: &String| {
                word.strip_prefix('-')
                    .is_some_and(|letters| !letters.starts_with('-') && letters.contains(*letter))
            };
            found.extend(words.last().filter(|_| words[1..].iter().any(is_flag)).cloned());
        }
    }
}

/// The values of an option: behind it, or, if `apart` may be, the next word.
fn values(words: &[String], option: &str, apart: bool) -> Vec<String> {
    let is_letter = option.len() == 2;
    let mut values = Vec::new();
    for (place, word) in words.iter().enumerate().skip(1) {
        let Some(rest) = word.strip_prefix(option) else { continue };
        match rest.strip_prefix('=') {
            Some(value) if !is_letter => values.push(value.to_owned()),
            _ if rest.is_empty() => values.extend(words.get(place + 1).filter(|_| apart).cloned()),
            _ if is_letter => values.push(rest.to_owned()),
            _ => {}
        }
    }
    values
}

/// The token in a header that says who asks.
fn header(header: &str) -> Option<String> {
    let (name, value) = header.split_once(':')?;
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    if name.ends_with("authorization") {
        let (scheme, token) = value.split_once(' ')?;
        return (!scheme.eq_ignore_ascii_case("basic") || is_login(token.as_bytes()))
            .then(|| token.to_owned());
    }
    let ends = ["token", "key", "secret", "auth", "password"];
    ends.iter().any(|end| name.ends_with(end)).then(|| value.to_owned())
}

/// Whether a word is a password, and neither what stands for one nor what an option or a port is.
fn is_password(word: &str) -> bool {
    let signs = ["$", "`", "<", ">", "{", "}", "***", "xxx", "..."];
    word.len() >= 6
        && !signs.iter().any(|sign| word.contains(sign))
        && !word.starts_with(['-', '@', '/'])
        && is_own_password(word.as_bytes())
}
