//! Java, C# and JavaScript as tokens (JLS 3, ECMA-334 §6.4, ECMA-262 §12).
//!
//! Texts with expressions in them (`` `a${b}` ``, `$"a{b}"`) become the concatenation that they mean.

use std::rc::Rc;

use super::Dialect;
use crate::detectors::webshell::syntax::{Token, Tokens};

/// The signs that begin with this byte, longest first, so that the first that fits is the one.
fn signs_of(first: u8) -> &'static [&'static str] {
    match first {
        b'(' => &["("],
        b')' => &[")"],
        b'[' => &["["],
        b']' => &["]"],
        b'{' => &["{"],
        b'}' => &["}"],
        b';' => &[";"],
        b',' => &[","],
        b'.' => &["...", "."],
        b'=' => &["===", "=>", "==", "="],
        b'!' => &["!==", "!=", "!"],
        b'<' => &["<<=", "<=", "<<", "<"],
        b'>' => &[">>>=", ">>=", ">>>", ">=", ">"],
        b'*' => &["**=", "*=", "**", "*"],
        b'&' => &["&&=", "&&", "&=", "&"],
        b'|' => &["||=", "||", "|=", "|"],
        b'?' => &["??=", "?.", "??", "?"],
        b':' => &["::", ":"],
        b'+' => &["++", "+=", "+"],
        b'-' => &["->", "--", "-=", "-"],
        b'/' => &["/=", "/"],
        b'%' => &["%=", "%"],
        b'^' => &["^=", "^"],
        b'~' => &["~"],
        b'@' => &["@"],
        b'#' => &["#"],
        _ => &[],
    }
}

/// Texts in expressions in texts are not read deeper.
const MAX_MODES: usize = 64;

enum Mode {
    /// An expression in a text, up to the brace that closes it.
    Code { open: usize },
    /// A text of which parts are expressions, up to this quote.
    Text { quote: u8, escapes: bool },
}

/// Reads a program of this dialect that begins on this line.
pub(super) fn tokens(source: &[u8], dialect: Dialect, line: u32, out: &mut Tokens) {
    let mut lexer = Lexer { source, at: 0, line, out, modes: Vec::new(), dialect };
    while lexer.at < source.len() && !lexer.out.cut {
        match lexer.modes.last() {
            Some(Mode::Text { quote, escapes }) => {
                let (quote, escapes) = (*quote, *escapes);
                lexer.template(quote, escapes);
            }
            _ => lexer.code(),
        }
    }
    while lexer.modes.pop().is_some() {
        lexer.sign(")");
    }
}

struct Lexer<'s> {
    source: &'s [u8],
    at: usize,
    line: u32,
    out: &'s mut Tokens,
    modes: Vec<Mode>,
    dialect: Dialect,
}

fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$') || byte >= 0x80
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

    fn push(&mut self, token: Token) {
        self.out.push(token, self.line);
    }

    fn sign(&mut self, sign: &'static str) {
        self.push(Token::Sign(sign));
    }

    fn code(&mut self) {
        let rest = self.rest();
        let (byte, next) = (rest[0], rest.get(1).copied().unwrap_or(0));
        match byte {
            byte if byte.is_ascii_whitespace() || byte == 0x0b => self.advance(1),
            b'/' if next == b'/' => {
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                self.advance(end);
            }
            b'/' if next == b'*' => {
                let end = memchr::memmem::find(&rest[2..], b"*/").map_or(rest.len(), |found| found + 4);
                self.advance(end);
            }
            b'/' if self.dialect == Dialect::Script && self.begins_operand() => self.pattern(),
            b'@' if self.dialect == Dialect::CSharp && next == b'"' => self.verbatim(2),
            b'$' if self.dialect == Dialect::CSharp
                && matches!(next, b'"' | b'@')
                && memchr::memchr(b'"', &rest[..3.min(rest.len())]).is_some() =>
            {
                let skip = if next == b'@' { 3 } else { 2 };
                self.open(b'"', next != b'@', skip);
            }
            b'"' if self.dialect == Dialect::Java && rest.starts_with(b"\"\"\"") => {
                let end = memchr::memmem::find(&rest[3..], b"\"\"\"").map_or(rest.len(), |found| found + 3);
                self.push(Token::Text(rest[3..end].into()));
                self.advance(end + 3);
            }
            b'"' => self.text(byte),
            b'\'' => self.text(byte),
            b'`' if self.dialect == Dialect::Script => self.open(b'`', true, 1),
            b'0'..=b'9' => self.number(),
            byte if starts_name(byte) || byte == b'\\' && next == b'u' => self.name(),
            _ => {
                let Some(sign) = signs_of(byte).iter().find(|sign| rest.starts_with(sign.as_bytes())) else {
                    self.advance(1);
                    return;
                };
                if let Some(Mode::Code { open }) = self.modes.last_mut() {
                    match *sign {
                        "{" => *open += 1,
                        "}" if *open == 0 => {
                            self.modes.pop();
                            self.sign(")");
                            self.advance(1);
                            return;
                        }
                        "}" => *open -= 1,
                        _ => {}
                    }
                }
                self.sign(sign);
                self.advance(sign.len());
            }
        }
    }

    /// Whether what comes is an operand: then `/` begins a pattern.
    fn begins_operand(&self) -> bool {
        match self.out.tokens.last() {
            None => true,
            Some((Token::Sign(sign), _)) => !matches!(*sign, ")" | "]" | "}" | "++" | "--"),
            Some((Token::Name(name), _)) => {
                matches!(
                    &**name,
                    "return" | "typeof" | "case" | "in" | "of" | "void" | "delete" | "throw" | "new" | "else"
                )
            }
            Some(_) => false,
        }
    }

    /// `/pattern/flags`.
    fn pattern(&mut self) {
        let rest = self.rest();
        let (mut at, mut in_class) = (1, false);
        while at < rest.len() && rest[at] != b'\n' {
            match rest[at] {
                b'\\' => at += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => break,
                _ => {}
            }
            at += 1;
        }
        let flags = rest
            .get(at + 1..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let end = (at + 1 + flags).min(rest.len());
        self.out.name(b"RegExp", self.line);
        self.sign("(");
        self.push(Token::Text(rest[..end].into()));
        self.sign(")");
        self.advance(end);
    }

    fn name(&mut self) {
        let rest = self.rest();
        let plain = |from: usize| {
            let of_name = |byte: &&u8| starts_name(**byte) || byte.is_ascii_digit();
            &rest[from..from + rest[from..].iter().take_while(of_name).count()]
        };
        let start = plain(0);
        let mut at = start.len();
        if at > 0 && rest.get(at) != Some(&b'\\') {
            self.out.name(start, self.line);
            // No name has a line's end in it.
            self.at += at;
            return;
        }
        let mut name = start.to_vec();
        while rest.get(at) == Some(&b'\\') {
            let taken = escape(&rest[at..], &mut name);
            if taken < 3 {
                break;
            }
            at += taken;
            let more = plain(at.min(rest.len()));
            name.extend_from_slice(more);
            at += more.len();
        }
        self.out.name(&name, self.line);
        self.advance(at.max(1));
    }

    fn number(&mut self) {
        let rest = self.rest();
        let length =
            rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(rest.len());
        let fraction =
            rest.get(length) == Some(&b'.') && rest.get(length + 1).is_some_and(u8::is_ascii_digit);
        let text: String =
            rest[..length].iter().filter(|byte| **byte != b'_').map(|byte| char::from(*byte)).collect();
        let text = text.to_ascii_lowercase();
        let plain = text.trim_end_matches(['l', 'n', 'u', 'm']);
        let value = match plain.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None if plain.starts_with("0b") => i64::from_str_radix(&plain[2..], 2).ok(),
            None if plain.starts_with("0o") => i64::from_str_radix(&plain[2..], 8).ok(),
            None => plain.parse().ok(),
        };
        self.push(Token::Number(value.filter(|_| !fraction)));
        let behind = if fraction {
            1 + rest[length + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
        } else {
            0
        };
        self.advance(length + behind);
    }

    fn text(&mut self, quote: u8) {
        let rest = self.rest();
        let mut text = Vec::new();
        let mut at = 1;
        while at < rest.len() && rest[at] != quote && rest[at] != b'\n' {
            if rest[at] == b'\\' {
                at += escape(&rest[at..], &mut text);
            } else {
                text.push(rest[at]);
                at += 1;
            }
        }
        self.push(Token::Text(text.into()));
        self.advance(at + 1);
    }

    /// `@"…"`, in which a quote is doubled.
    fn verbatim(&mut self, skip: usize) {
        let rest = self.rest();
        let mut text = Vec::new();
        let mut at = skip;
        while at < rest.len() {
            if rest[at] == b'"' {
                if rest.get(at + 1) != Some(&b'"') {
                    break;
                }
                at += 1;
            }
            text.push(rest[at]);
            at += 1;
        }
        self.push(Token::Text(text.into()));
        self.advance(at + 1);
    }

    fn open(&mut self, quote: u8, escapes: bool, skip: usize) {
        self.sign("(");
        self.push(Token::Text(Rc::from(&b""[..])));
        self.advance(skip);
        self.enter(Mode::Text { quote, escapes });
    }

    fn enter(&mut self, mode: Mode) {
        if self.modes.len() == MAX_MODES {
            self.out.cut = true;
        } else {
            self.modes.push(mode);
        }
    }

    /// A part of a text: up to its end, or to an expression.
    fn template(&mut self, quote: u8, escapes: bool) {
        let rest = self.rest();
        let opening: &[u8] = if quote == b'`' { b"${" } else { b"{" };
        let mut text = Vec::new();
        let mut at = 0;
        while at < rest.len() && rest[at] != quote && !rest[at..].starts_with(opening) {
            if escapes && rest[at] == b'\\' {
                at += escape(&rest[at..], &mut text);
            } else {
                text.push(rest[at]);
                at += 1;
            }
        }
        if !text.is_empty() {
            self.sign("+");
            self.push(Token::Text(text.into()));
        }
        self.advance(at);
        if at < rest.len() && rest[at] != quote {
            self.sign("+");
            self.sign("(");
            self.advance(opening.len());
            self.enter(Mode::Code { open: 0 });
        } else {
            self.modes.pop();
            self.sign(")");
            self.advance(1);
        }
    }
}

/// One escape sequence; how many bytes it takes.
fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(next) = text.get(1) else { return 1 };
    let number = |from: usize, most: usize, radix: u32| {
        let count = text[from.min(text.len())..]
            .iter()
            .take(most)
            .take_while(|b| char::from(**b).is_digit(radix))
            .count();
        let digits = std::str::from_utf8(&text[from.min(text.len())..from.min(text.len()) + count]).ok()?;
        Some((u32::from_str_radix(digits, radix).ok()?, count))
    };
    let mut character = |code: u32| match char::from_u32(code) {
        // A text is bytes to whoever decodes it further.
        Some(c) if code < 0x100 => out.push(c as u8),
        Some(c) => out.extend(c.to_string().bytes()),
        None => {}
    };
    match next {
        b'n' => character(10),
        b't' => character(9),
        b'r' => character(13),
        b'b' => character(8),
        b'f' => character(12),
        b'v' => character(11),
        b'\n' => {}
        b'x' => {
            if let Some((code, count)) = number(2, 2, 16) {
                character(code);
                return 2 + count;
            }
        }
        b'u' if text.get(2) == Some(&b'{') => {
            if let Some((code, count)) = number(3, 6, 16) {
                character(code);
                return 4 + count;
            }
        }
        b'u' => {
            let more = text[2..].iter().take_while(|byte| **byte == b'u').count();
            if let Some((code, count)) = number(2 + more, 4, 16) {
                character(code);
                return 2 + more + count;
            }
        }
        b'0'..=b'7' => {
            if let Some((code, count)) = number(1, 3, 8) {
                character(code & 255);
                return 1 + count;
            }
        }
        byte => out.push(*byte),
    }
    2
}
