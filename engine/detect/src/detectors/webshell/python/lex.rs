//! Python as tokens (The Python Language Reference, 2): what is indented becomes a block in braces, and the end of a line a semicolon.
//!
//! `f"a{b}"` becomes the concatenation that it means.

use std::rc::Rc;

use crate::detectors::webshell::syntax::{Token, Tokens, sign};

/// Longest first, so that the first that fits is the one.
const SIGNS: &[&str] = &[
    "**=", "//=", ">>=", "<<=", "...", ":=", "->", "==", "!=", "<=", ">=", "<<", ">>", "**", "//", "+=",
    "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=", "(", ")", "[", "]", "{", "}", ",", ":", ".", ";", "@",
    "=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">",
];
/// Blocks within one another, of which more are one.
const MAX_INDENTS: usize = 200;
/// Texts in expressions in texts are not read deeper.
const MAX_NESTING: usize = 8;

/// Reads a program that begins on this line.
pub(super) fn tokens(source: &[u8], line: u32, out: &mut Tokens) {
    let mut lexer = Lexer { source, at: 0, line, brackets: 0, indents: vec![0], nesting: 0 };
    lexer.indent(out);
    while lexer.at < source.len() && !out.cut {
        lexer.token(out);
    }
    out.push(Token::Sign(";"), lexer.line);
    for _ in 1..lexer.indents.len() {
        out.push(Token::Sign("}"), lexer.line);
    }
}

struct Lexer<'s> {
    source: &'s [u8],
    at: usize,
    line: u32,
    /// Brackets that are open: in them lines do not count.
    brackets: usize,
    indents: Vec<usize>,
    nesting: usize,
}

fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s [u8] {
        &self.source[self.at.min(self.source.len())..]
    }

    fn advance(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.source.len());
        self.line += self.source[self.at..end].iter().filter(|byte| **byte == b'\n').count() as u32;
        self.at = end;
    }

    /// At the beginning of a line: blocks that begin or end.
    fn indent(&mut self, out: &mut Tokens) {
        let mut width = 0;
        while let Some(byte) = self.rest().first() {
            match byte {
                b' ' => width += 1,
                b'\t' => width = (width / 8 + 1) * 8,
                b'\x0c' => width = 0,
                b'\r' | b'\n' => width = 0,
                b'#' => {
                    let end = memchr::memchr(b'\n', self.rest()).unwrap_or(self.rest().len());
                    self.advance(end);
                    continue;
                }
                _ => break,
            }
            self.advance(1);
        }
        if self.at >= self.source.len() {
            return;
        }
        let current = self.indents.last().copied().unwrap_or(0);
        if width > current && self.indents.len() < MAX_INDENTS {
            self.indents.push(width);
            out.push(Token::Sign("{"), self.line);
        } else if width > current {
            out.cut = true;
        }
        while self.indents.len() > 1 && self.indents.last().is_some_and(|indent| *indent > width) {
            self.indents.pop();
            out.push(Token::Sign("}"), self.line);
        }
    }

    fn token(&mut self, out: &mut Tokens) {
        let rest = self.rest();
        let byte = rest[0];
        match byte {
            b'\n' if self.brackets == 0 => {
                out.push(Token::Sign(";"), self.line);
                self.advance(1);
                self.indent(out);
            }
            b'\\' if rest.get(1) == Some(&b'\n') => self.advance(2),
            b'#' => {
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                self.advance(end);
            }
            _ if byte.is_ascii_whitespace() || byte == 0x0c => self.advance(1),
            b'"' | b'\'' => self.text(0, out),
            b'0'..=b'9' => self.number(out),
            _ if starts_name(byte) => {
                let length = rest
                    .iter()
                    .position(|byte| !starts_name(*byte) && !byte.is_ascii_digit())
                    .unwrap_or(rest.len());
                let is_prefix = length <= 3
                    && matches!(rest.get(length), Some(b'"' | b'\''))
                    && rest[..length].iter().all(|byte| b"rbufRBUF".contains(byte));
                if is_prefix {
                    return self.text(length, out);
                }
                out.name(&rest[..length], self.line);
                self.advance(length);
            }
            _ => {
                let Some(sign) = sign(SIGNS, rest) else {
                    self.advance(1);
                    return;
                };
                match sign {
                    "(" | "[" | "{" => self.brackets += 1,
                    ")" | "]" | "}" => self.brackets = self.brackets.saturating_sub(1),
                    _ => {}
                }
                out.push(Token::Sign(sign), self.line);
                self.advance(sign.len());
            }
        }
    }

    fn number(&mut self, out: &mut Tokens) {
        let rest = self.rest();
        let length = rest
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.'))
            .unwrap_or(rest.len());
        let text: String =
            rest[..length].iter().filter(|byte| **byte != b'_').map(|byte| char::from(*byte)).collect();
        let text = text.to_ascii_lowercase();
        let value = match text.get(..2) {
            Some("0x") => i64::from_str_radix(&text[2..], 16).ok(),
            Some("0o") => i64::from_str_radix(&text[2..], 8).ok(),
            Some("0b") => i64::from_str_radix(&text[2..], 2).ok(),
            _ => text.parse().ok(),
        };
        out.push(Token::Number(value), self.line);
        self.advance(length.max(1));
    }

    /// A text behind a prefix of so many letters.
    fn text(&mut self, prefix: usize, out: &mut Tokens) {
        let rest = self.rest();
        let letters = rest[..prefix].to_ascii_lowercase();
        let (raw, formatted) = (letters.contains(&b'r'), letters.contains(&b'f'));
        let quote = rest[prefix];
        let is_long = rest[prefix..].starts_with(&[quote; 3]);
        let width = if is_long { 3 } else { 1 };
        let closing = &[quote; 3][..width];
        let line = self.line;
        let mut text = Vec::new();
        let mut at = prefix + width;
        if formatted {
            out.push(Token::Sign("("), line);
            out.push(Token::Text(Rc::from(&b""[..])), line);
        }
        let flush = |text: &mut Vec<u8>, out: &mut Tokens| {
            if formatted && !text.is_empty() {
                out.push(Token::Sign("+"), line);
                out.push(Token::Text(std::mem::take(text).into()), line);
            }
        };
        while at < rest.len() && !rest[at..].starts_with(closing) {
            match rest[at] {
                b'\n' if !is_long => break,
                b'\\' if raw => {
                    text.extend(&rest[at..(at + 2).min(rest.len())]);
                    at += 2;
                }
                b'\\' => at += escape(&rest[at..], &mut text),
                b'{' if formatted && rest.get(at + 1) != Some(&b'{') => {
                    flush(&mut text, out);
                    let end = embedded(&rest[at + 1..]);
                    let inner = &rest[at + 1..at + 1 + end];
                    if self.nesting < MAX_NESTING {
                        out.push(Token::Sign("+"), line);
                        out.push(Token::Sign("("), line);
                        let mut lexer = Lexer {
                            source: inner,
                            at: 0,
                            line,
                            brackets: 1,
                            indents: vec![0],
                            nesting: self.nesting + 1,
                        };
                        while lexer.at < inner.len() && !out.cut {
                            lexer.token(out);
                        }
                        out.push(Token::Sign(")"), line);
                    } else {
                        out.cut = true;
                    }
                    at += end + 2;
                }
                byte => {
                    let is_doubled =
                        formatted && matches!(byte, b'{' | b'}') && rest.get(at + 1) == Some(&byte);
                    text.push(byte);
                    at += 1 + usize::from(is_doubled);
                }
            }
        }
        if formatted {
            flush(&mut text, out);
            out.push(Token::Sign(")"), line);
        } else if let Some((Token::Text(before), _)) = out.tokens.last_mut() {
            // Texts one behind the other are one.
            *before = [&**before, &text[..]].concat().into();
        } else {
            out.push(Token::Text(text.into()), line);
        }
        self.advance((at + width).min(rest.len()).max(1));
    }
}

/// How long the expression in a formatted text is, up to its brace, `!r` or `:format`.
fn embedded(rest: &[u8]) -> usize {
    let mut open = 0_usize;
    for (place, byte) in rest.iter().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => open += 1,
            b'}' if open == 0 => return place,
            b'}' | b')' | b']' => open = open.saturating_sub(1),
            b'\n' => return place,
            _ => {}
        }
    }
    rest.len()
}

/// One escape sequence; how many bytes it takes.
fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(next) = text.get(1) else { return 1 };
    let number = |from: usize, most: usize, radix: u32| {
        let rest = text.get(from..).unwrap_or_default();
        let count = rest.iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count();
        let digits = std::str::from_utf8(&rest[..count]).ok()?;
        Some((u32::from_str_radix(digits, radix).ok()?, count))
    };
    let mut character = |code: u32| match char::from_u32(code) {
        Some(_) if code < 0x100 => out.push(code as u8),
        Some(one) => out.extend(one.to_string().bytes()),
        None => {}
    };
    match next {
        b'n' => character(10),
        b't' => character(9),
        b'r' => character(13),
        b'\n' => {}
        b'x' | b'u' | b'U' => {
            let most = match next {
                b'x' => 2,
                b'u' => 4,
                _ => 8,
            };
            if let Some((code, count)) = number(2, most, 16) {
                character(code);
                return 2 + count;
            }
        }
        b'0'..=b'7' => {
            if let Some((code, count)) = number(1, 3, 8) {
                character(code & 255);
                return 1 + count;
            }
        }
        b'\\' | b'\'' | b'"' => out.push(*next),
        byte => out.extend([b'\\', *byte]),
    }
    2
}
