//! Foreign text made harmless. Names, paths and messages come from images: they may hold what drives terminals, breaks
//! lines, turns the direction of writing or may not stand in XML.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character is shown as it is: no control character (C0, DEL, C1), nothing that changes lines or the
/// direction of writing (<https://trojansource.codes>), no character that has no shape of its own, none that XML 1.0 bans
/// (<https://www.w3.org/TR/xml/#charsets>).
pub(crate) fn is_plain(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}'))
}

/// The text on one line, with everything that is not plain written as `\n`, `\t`, `\x1b` or `\u{202e}`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(|c| !is_plain(c)) else { return Cow::Borrowed(text) };
    let mut clean = String::with_capacity(text.len() + 16);
    clean.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            c if is_plain(c) => clean.push(c),
            c if u32::from(c) < 0x100 => push(&mut clean, format_args!("\\x{:02x}", u32::from(c))),
            c => push(&mut clean, format_args!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(clean)
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(arguments);
}

/// Whether a text can stand where a package URL is demanded: the characters of a URI, well-formed escapes, a type and a
/// name (<https://github.com/package-url/purl-spec>). Those in a report may come from SBOMs that lie in images.
pub(crate) fn is_purl(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("pkg:") else { return false };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let has_parts = path.rsplit_once('/').is_some_and(|(kind, name)| {
        !kind.trim_matches('/').is_empty() && name.split('@').next().is_some_and(|name| !name.is_empty())
    });
    has_parts && text.matches('#').count() <= 1 && is_uri(text)
}

/// Whether a text has only the characters of a URI (RFC 3986), and escapes of two digits.
fn is_uri(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(place, byte)| match byte {
        b'%' => {
            bytes.get(place + 1..place + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        }
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=".contains(byte),
    })
}

/// The text as part of a URI: everything but letters, digits, `-._~` and what `keep` names is escaped.
pub(crate) fn percent(text: &str, keep: &str) -> String {
    let mut uri = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-._~".contains(c) || (byte.is_ascii() && keep.contains(c)) {
            uri.push(c);
        } else {
            push(&mut uri, format_args!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_terminals_or_breaks_lines_is_shown_instead() {
        for (text, expected) in [
            ("libc6", "libc6"),
            ("größe 数", "größe 数"),
            ("a\u{1b}[31mb", "a\\x1b[31mb"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{9b}2J\u{7f}\0", "\\x9b2J\\x7f\\x00"),
            ("evil\u{202e}gpj.exe", "evil\\u{202e}gpj.exe"),
            ("\u{ffff}\u{feff}", "\\u{ffff}\\u{feff}"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }

    #[test]
    fn only_well_formed_package_urls_pass() {
        for good in ["pkg:npm/%40babel/core@7.1.0", "pkg:deb/debian/libc6@2.36?arch=amd64#x", "pkg:a/b"] {
            assert!(is_purl(good), "{good}");
        }
        for bad in [
            "",
            "pkg:",
            "pkg:npm",
            "pkg:/x",
            "pkg:npm/",
            "pkg:npm/a b",
            "pkg:npm/%4",
            "pkg:npm/%zz",
            "npm/a",
            "pkg:npm/a\n",
            "pkg:npm/ä",
            "pkg:npm/a#b#c",
            "pkg:npm/@1",
        ] {
            assert!(!is_purl(bad), "{bad}");
        }
    }

    #[test]
    fn a_path_becomes_part_of_a_uri() {
        assert_eq!(percent("etc/a b#c%ä", "/"), "etc/a%20b%23c%25%C3%A4");
    }
}
