//! PHP's regular expressions, as far as they say what a text can be (PHP manual, "PCRE Patterns").

use crate::detectors::webshell::value::MAX_TEXT;

/// The pattern between its delimiters, and the letters behind.
fn parts(pattern: &[u8]) -> Option<(&[u8], &[u8])> {
    let pattern = pattern.trim_ascii_start();
    let open = *pattern.first()?;
    let close = match open {
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        _ => open,
    };
    let end = pattern.iter().rposition(|byte| *byte == close).filter(|end| *end > 0)?;
    Some((&pattern[1..end], &pattern[end + 1..]))
}

/// Whether what is put in the place of a match is run as code: the modifier `e` of PHP before version 7.
pub(super) fn runs_code(pattern: &[u8]) -> bool {
    parts(pattern).is_some_and(|(_, modifiers)| {
        modifiers.contains(&b'e') && modifiers.iter().all(u8::is_ascii_alphabetic)
    })
}

/// The text with what matches replaced, if this is a pattern that needs no looking back and the replacement is plain.
pub(super) fn replace(pattern: &[u8], with: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let (body, modifiers) = parts(pattern)?;
    if with.iter().any(|byte| matches!(byte, b'$' | b'\\'))
        || !modifiers.iter().all(|byte| matches!(byte, b'i' | b's' | b'm'))
    {
        return None;
    }
    let regex = regex::bytes::RegexBuilder::new(std::str::from_utf8(body).ok()?)
        .unicode(false)
        .case_insensitive(modifiers.contains(&b'i'))
        .dot_matches_new_line(modifiers.contains(&b's'))
        .multi_line(modifiers.contains(&b'm'))
        .size_limit(1 << 18)
        .build()
        .ok()?;
    let replaced = regex.replace_all(text, regex::bytes::NoExpand(with));
    (replaced.len() <= MAX_TEXT).then(|| replaced.into_owned())
}

/// Whether all of a text that matches is made of a few harmless characters.
pub(super) fn is_strict(pattern: &[u8]) -> bool {
    let Some((body, _)) = parts(pattern) else { return false };
    let anchored = (body.starts_with(b"^") || body.starts_with(b"\\A"))
        && (body.ends_with(b"$") || body.ends_with(b"\\z") || body.ends_with(b"\\Z"));
    anchored && !is_open(body)
}

/// Whether a pattern matches any character that has a meaning to a shell or in code.
fn is_open(body: &[u8]) -> bool {
    let mut in_class = false;
    let mut bytes = body.iter().enumerate();
    while let Some((place, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                if matches!(bytes.next(), Some((_, b'S' | b'W' | b'D' | b's' | b'X' | b'n'))) {
                    return true;
                }
            }
            b'[' if !in_class => {
                in_class = true;
                if body.get(place + 1) == Some(&b'^') {
                    return true;
                }
            }
            b']' => in_class = false,
            b'.' if !in_class => return true,
            b';' | b'|' | b'&' | b'`' | b'$' if in_class => return true,
            _ => {}
        }
    }
    false
}

/// Whether replacing what matches by nothing leaves harmless characters alone: `/[^a-z0-9]/`.
pub(super) fn strips(pattern: &[u8]) -> bool {
    let Some((body, _)) = parts(pattern) else { return false };
    let body = body.strip_suffix(b"+").unwrap_or(body);
    let class = body.strip_prefix(b"[^").and_then(|body| body.strip_suffix(b"]"));
    class.is_some_and(|class| {
        let mut bytes = class.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' if matches!(bytes.next(), Some(b'S' | b'W' | b'D')) => return false,
                b';' | b'|' | b'&' | b'`' | b'$' | b'[' | b']' => return false,
                _ => {}
            }
        }
        true
    }) || body == b"\\W"
        || body == b"\\D"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_say_what_they_let_through() {
        for pattern in ["/^[a-z0-9_-]+$/i", "#^\\d+$#", "~\\A(start|stop)\\z~", "/^v[0-9]+\\.[0-9]+$/"] {
            assert!(is_strict(pattern.as_bytes()), "{pattern}");
        }
        for pattern in ["/^.*$/", "/[a-z]/", "/^[^a]+$/", "/^\\S+$/", "/^[a-z;]+$/", "/^a"] {
            assert!(!is_strict(pattern.as_bytes()), "{pattern}");
        }
        assert!(runs_code(b"/.*/e") && runs_code(b"{a}ie") && !runs_code(b"/e/i") && !runs_code(b"/a/x"));
        assert!(strips(b"/[^a-z]/") && strips(b"/\\W/") && !strips(b"/[a-z]/") && !strips(b"/[^a-z;]/"));
    }
}
