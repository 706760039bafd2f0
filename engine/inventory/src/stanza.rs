//! Paragraphs of `Field: value` lines, as dpkg and opkg write them
//! (<https://www.debian.org/doc/debian-policy/ch-controlfields.html#syntax-of-control-files>).

use pratique_core::inspect::FileInput;
use pratique_core::package::{Checksum, FileFacts, OwnedFile, OwnedFiles};

/// One paragraph.
pub(crate) struct Stanza<'a>(&'a str);

/// The paragraphs of a text. They are separated by empty lines.
pub(crate) fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    text.split("\n\n").filter(|stanza| !stanza.trim().is_empty()).map(Stanza)
}

/// The text of a file. Of a file that was cut, the paragraph that may be broken off is left out.
pub(crate) fn whole_stanzas<'a>(file: &FileInput<'a>) -> std::borrow::Cow<'a, str> {
    let mut bytes = file.bytes;
    if file.is_cut() {
        let end = bytes.windows(2).rposition(|pair| pair == b"\n\n").unwrap_or(0);
        bytes = &bytes[..end];
    }
    String::from_utf8_lossy(bytes)
}

impl<'a> Stanza<'a> {
    /// The value of a field, with the lines that continue it; empty if there is none.
    pub(crate) fn get(&self, field: &str) -> &'a str {
        let mut place = 0;
        let mut found: Option<std::ops::Range<usize>> = None;
        for line in self.0.split_inclusive('\n') {
            let end = place + line.len();
            match &mut found {
                Some(value) if line.starts_with([' ', '\t']) => value.end = end,
                Some(_) => break,
                None => {
                    if let Some((name, value)) = line.split_once(':')
                        && name.eq_ignore_ascii_case(field)
                    {
                        found = Some(end - value.len()..end);
                    }
                }
            }
            place = end;
        }
        found.map(|value| self.0[value].trim()).unwrap_or_default()
    }

    /// Whether its files are there: of the last word of its `Status`, such as `install ok installed`, two say no. Files
    /// without that field describe what is there.
    pub(crate) fn is_installed(&self) -> bool {
        !matches!(self.get("Status").rsplit(' ').next(), Some("config-files" | "not-installed"))
    }

    /// Its `Conffiles`: path and MD5 on each line.
    pub(crate) fn config_files(&self) -> OwnedFiles {
        let lines = self.get("Conffiles").lines();
        let file = |line: &str| {
            let mut words = line.split_whitespace();
            let path = words.next()?;
            let checksum = words.next().and_then(Checksum::from_hex);
            Some(OwnedFile::with(path, FileFacts { checksum, config: true, permissions: None }))
        };
        lines.filter_map(file).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_reach_over_the_lines_that_continue_them() {
        let text = "Package: a\nConffiles:\n /etc/a 1\n /etc/b 2\nVersion:1\nEmpty:\nLast: x\n y";
        let stanza = Stanza(text);
        for (field, value) in [
            ("package", "a"),
            ("Conffiles", "/etc/a 1\n /etc/b 2"),
            ("Version", "1"),
            ("Empty", ""),
            ("Last", "x\n y"),
            ("None", ""),
        ] {
            assert_eq!(stanza.get(field), value, "{field}");
        }
        assert_eq!(Stanza("A: é\n").get("A"), "é");
        assert_eq!(stanzas("\n\na: 1\n\n\n\nb: 2\n").count(), 2);
    }
}
