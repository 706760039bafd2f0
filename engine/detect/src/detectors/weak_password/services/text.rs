//! What files of text have in common.

use std::borrow::Cow;

use pratique_core::GapKind;
use pratique_core::inspect::FileInput;
use serde_json::Value;

use super::Reading;

/// A longer line is not read, which is said: no program's own would be.
const MAX_LINE: usize = 64 << 10;

/// The file's text, without a byte order mark; what is no UTF-8 replaced.
pub(super) fn text<'a>(file: &FileInput<'a>) -> Cow<'a, str> {
    let bytes = file.bytes;
    String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// Its lines without white space around them, numbered from 1; not the empty ones, and not those that begin with one of
/// `comments`.
pub(super) fn lines<'a>(
    text: &'a str,
    comments: &'a [char],
    reading: &mut Reading,
) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
    let numbered = move || {
        let trimmed = text.lines().map(str::trim).enumerate();
        let numbered = trimmed.map(|(at, line)| (u32::try_from(at + 1).unwrap_or(u32::MAX), line));
        numbered.filter(move |(_, line)| !line.is_empty() && !line.starts_with(comments))
    };
    for (number, _) in numbered().filter(|(_, line)| line.len() > MAX_LINE) {
        let reason = format!("line {number} is longer than {MAX_LINE} bytes and was not read");
        reading.problem(GapKind::Limit, reason);
    }
    numbered().filter(|(_, line)| line.len() <= MAX_LINE)
}

/// The settings of an ini file: section, key, value, line.
pub(super) fn ini<'a>(
    text: &'a str,
    reading: &mut Reading,
) -> impl Iterator<Item = (&'a str, &'a str, &'a str, u32)> + use<'a> {
    let mut section = "";
    lines(text, &['#', ';'], reading).filter_map(move |(number, line)| {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.trim();
            return None;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        Some((section, key.trim(), value.trim(), number))
    })
}

/// A file of JSON; none if it is none, which is told.
pub(super) fn json(text: &str, reading: &mut Reading) -> Option<Value> {
    let read = serde_json::from_str(text);
    read.map_err(|error| reading.problem(GapKind::Malformed, format!("no JSON: {error}"))).ok()
}

/// Whether one of these roles is an administrator's, by its name.
pub(super) fn has_administrator(roles: &Value) -> bool {
    let is_administrators = |role: &Value| role.as_str().is_some_and(|role| role.contains("admin"));
    roles.as_array().is_some_and(|roles| roles.iter().any(is_administrators))
}

/// A file of YAML, within bounds; none if it is none, which is told.
pub(super) fn yaml(text: &str, reading: &mut Reading) -> Option<Value> {
    match serde_saphyr::from_str_with_options(text, crate::yaml::options()) {
        Ok(value) => Some(value),
        // Of comments alone.
        Err(_) if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) => None,
        Err(error) => {
            // The words of a file that is none could be anything.
            let place = error.location().map_or_else(String::new, |at| format!(" (line {})", at.line()));
            reading.problem(GapKind::Malformed, format!("not the YAML that was expected{place}"));
            None
        }
    }
}

/// The arguments of a line: words, and texts in quotes of either kind. In double quotes a backslash makes the next
/// character count for itself.
pub(super) fn arguments(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let mut argument = String::new();
        let mut characters = rest.char_indices();
        let mut quote = None;
        let mut end = rest.len();
        if matches!(first, '"' | '\'') {
            quote = Some(first);
            characters.next();
        }
        while let Some((at, character)) = characters.next() {
            match quote {
                Some('"') if character == '\\' => argument.extend(characters.next().map(|(_, next)| next)),
                Some(open) if character == open => {
                    end = at + 1;
                    break;
                }
                None if character.is_whitespace() => {
                    end = at;
                    break;
                }
                _ => argument.push(character),
            }
        }
        arguments.push(argument);
        rest = rest[end..].trim_start();
    }
    arguments
}

/// A value without the quotes around it.
pub(super) fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inside = |quote| value.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    inside("\"\"\"").or_else(|| inside("\"")).or_else(|| inside("'")).or_else(|| inside("`")).unwrap_or(value)
}

/// Whether a value stands for another that somebody or some program puts there before it is used.
pub(in super::super) fn is_placeholder(value: &str) -> bool {
    let between = |open: &str, close: &str| {
        value.len() > open.len() + close.len() && value.starts_with(open) && value.ends_with(close)
    };
    ["${", "$(", "$__", "{{", "{%", "<%", "%("].iter().any(|mark| value.contains(mark))
        || between("<", ">")
        || between("@", "@")
        || between("__", "__")
        || between("%", "%")
        // A variable of the shell.
        || value.strip_prefix('$').is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_as_redis_splits_them() {
        for (line, expected) in [
            ("a b", &["a", "b"][..]),
            ("  requirepass \"two words\" ", &["requirepass", "two words"]),
            (r#"a "q\"q" 'it s' x"y"#, &["a", "q\"q", "it s", "x\"y"]),
            ("a \"open", &["a", "open"]),
            ("\"\" ''", &["", ""]),
            ("", &[]),
        ] {
            assert_eq!(arguments(line), expected, "{line}");
        }
    }

    #[test]
    fn placeholders() {
        for value in [
            "${PW}",
            "$(cat /pw)",
            "$__file{/pw}",
            "{{ pw }}",
            "<password>",
            "@PW@",
            "__PW__",
            "%(pw)s",
            "$REDIS_PW",
            "%PW%",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in
            ["", "changeme", "pa$$word", "$ecret", "a<b>", "@", "<>", "__", "$1$salt$qJH7.N4xYta3aEG/dfqo/0"]
        {
            assert!(!is_placeholder(value), "{value}");
        }
    }

    #[test]
    fn ini_files() {
        let text = "a = 1\n[security]\n;b = 2\n# c = 3\nadmin_password = \"x=y\"\nflag\n";
        let all: Vec<_> = ini(text, &mut Reading::default()).collect();
        assert_eq!(
            all,
            [("", "a", "1", 1), ("security", "admin_password", "\"x=y\"", 5), ("security", "flag", "", 6)]
        );
        assert_eq!((unquoted("\"x=y\""), unquoted("'"), unquoted("\"\"\"a\"\"\"")), ("x=y", "'", "a"));
    }
}
