//! Bytes as text for people: file names need not be UTF-8, and control characters have no place in a report.

use std::fmt;

/// Displays bytes with those that are no UTF-8 and control characters escaped as `\xNN`, and a backslash as `\\`.
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            let (text, mut written) = (chunk.valid(), 0);
            for (place, character) in text.char_indices().filter(|(_, c)| *c == '\\' || c.is_control()) {
                f.write_str(&text[written..place])?;
                written = place + character.len_utf8();
                if character == '\\' {
                    f.write_str("\\\\")?;
                    continue;
                }
                for byte in &text.as_bytes()[place..written] {
                    write!(f, "\\x{byte:02x}")?;
                }
            }
            f.write_str(&text[written..])?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}
