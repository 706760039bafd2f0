//! VBScript as tokens (MS-VBAL §3; VBScript leaves out most of it). Names are in small letters, as their case says nothing; the end of a
//! line is `;`, what parts statements of one line is `:`.

use crate::detectors::webshell::syntax::{Token, Tokens, sign};

/// Longest first, so that the first that fits is the one.
const SIGNS: &[&str] =
    &["<>", "<=", ">=", "(", ")", ",", ".", "&", "+", "-", "*", "/", "\\", "^", "=", "<", ">", ":", ";"];

/// Reads a program that begins on this line.
pub(super) fn tokens(source: &[u8], line: u32, out: &mut Tokens) {
    let mut lexer = Lexer { source, at: 0, line };
    while lexer.at < source.len() && !out.cut {
        lexer.token(out);
    }
    out.push(Token::Sign(";"), lexer.line);
}

struct Lexer<'s> {
    source: &'s [u8],
    at: usize,
    line: u32,
}

fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

fn is_of_name(byte: u8) -> bool {
    starts_name(byte) || byte.is_ascii_digit() || byte == b'_'
}

impl Lexer<'_> {
    fn token(&mut self, out: &mut Tokens) {
        let rest = &self.source[self.at..];
        let (byte, next) = (rest[0], rest.get(1).copied().unwrap_or(0));
        let count = |is: fn(u8) -> bool| rest.iter().take_while(|byte| is(**byte)).count();
        let to_line_end = || memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let length = match byte {
            b'\n' | b'\r' => {
                out.push(Token::Sign(";"), self.line);
                // What ends a line may be two bytes; the line counts once.
                1 + usize::from(byte == b'\r' && next == b'\n')
            }
            _ if byte.is_ascii_whitespace() => 1,
            b'\'' => to_line_end(),
            b'_' => {
                // The statement goes on in the next line.
                let end = to_line_end();
                let is_last = rest[1..end.max(1)].iter().all(u8::is_ascii_whitespace);
                let ends =
                    rest[end..].iter().take(2).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                if is_last { end + ends.min(1 + usize::from(rest[end..].starts_with(b"\r\n"))) } else { 1 }
            }
            b'"' => {
                let (text, length) = text(rest);
                out.push(Token::Text(text.into()), self.line);
                length
            }
            b'[' => {
                let end = memchr::memchr2(b']', b'\n', rest).unwrap_or(rest.len());
                self.name(&rest[1..end], out);
                end + 1
            }
            // A date.
            b'#' => memchr::memchr2(b'#', b'\n', &rest[1..]).map_or(rest.len(), |end| end + 2),
            b'&' if matches!(next, b'h' | b'H') && rest.get(2).is_some_and(u8::is_ascii_hexdigit) => {
                let digits = rest[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                let number = std::str::from_utf8(&rest[2..2 + digits]).ok();
                out.push(
                    Token::Number(number.and_then(|text| i64::from_str_radix(text, 16).ok())),
                    self.line,
                );
                2 + digits + usize::from(rest.get(2 + digits) == Some(&b'&'))
            }
            b'0'..=b'9' => {
                let length = count(|byte| byte.is_ascii_digit() || byte == b'.');
                let number = std::str::from_utf8(&rest[..length]).ok();
                out.push(Token::Number(number.and_then(|text| text.parse().ok())), self.line);
                length
            }
            _ if starts_name(byte) => {
                let length = count(is_of_name);
                let begins = matches!(out.tokens.last(), None | Some((Token::Sign(";" | ":"), _)));
                if begins && rest[..length].eq_ignore_ascii_case(b"rem") {
                    to_line_end()
                } else {
                    self.name(&rest[..length], out);
                    length
                }
            }
            _ => match sign(SIGNS, rest) {
                Some(sign) => {
                    out.push(Token::Sign(sign), self.line);
                    sign.len()
                }
                None => 1,
            },
        };
        let end = (self.at + length).min(self.source.len());
        self.line += self.source[self.at..end].iter().filter(|byte| **byte == b'\n').count() as u32;
        self.at = end;
    }

    fn name(&self, name: &[u8], out: &mut Tokens) {
        out.name(&name.to_ascii_lowercase(), self.line);
    }
}

/// A text up to its end, or the line's; a quote in it is doubled. How many bytes it takes.
fn text(rest: &[u8]) -> (Vec<u8>, usize) {
    let mut text = Vec::new();
    let mut at = 1;
    while at < rest.len() && !matches!(rest[at], b'\n' | b'\r') {
        if rest[at] == b'"' {
            if rest.get(at + 1) != Some(&b'"') {
                return (text, at + 1);
            }
            at += 1;
        }
        text.push(rest[at]);
        at += 1;
    }
    (text, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_texts_numbers_and_comments_are_read_as_vbscript_writes_them() {
        let mut out = Tokens::default();
        let source = b"A = \"x\"\"y\" & _\r\n &H41 ' no\r\nRem no: no\n[If]=#1/2/03#:b_1=2";
        tokens(source, 1, &mut out);
        let name = |name: &str| Token::Name(name.into());
        let expected = [
            (name("a"), 1),
            (Token::Sign("="), 1),
            (Token::Text(b"x\"y"[..].into()), 1),
            (Token::Sign("&"), 1),
            (Token::Number(Some(0x41)), 2),
            (Token::Sign(";"), 2),
            (Token::Sign(";"), 3),
            (name("if"), 4),
            (Token::Sign("="), 4),
            (Token::Sign(":"), 4),
            (name("b_1"), 4),
            (Token::Sign("="), 4),
            (Token::Number(Some(2)), 4),
            (Token::Sign(";"), 4),
        ];
        assert_eq!(out.tokens, expected);
    }
}
