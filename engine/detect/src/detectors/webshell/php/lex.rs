//! PHP as tokens (PHP manual, "Language Reference").
//!
//! Strings that have variables in them become the concatenation that they mean, backticks a call of `shell_exec`, and what stands
//! outside of `<?php … ?>` nothing but the end of a statement.

use std::rc::Rc;

use crate::detectors::webshell::syntax::{Token, Tokens, sign};

/// Longest first, so that the first that fits is the one.
const SIGNS: &[&str] = &[
    "<<<", "<=>", "**=", "...", "<<=", ">>=", "===", "!==", "??=", "?->", "::", "->", "=>", "==", "!=", "<>",
    "<=", ">=", "&&", "||", "??", "++", "--", "+=", "-=", "*=", "/=", ".=", "%=", "&=", "|=", "^=", "<<",
    ">>", "**", "(", ")", "[", "]", "{", "}", ";", ",", ".", "+", "-", "*", "/", "%", "=", "<", ">", "!",
    "?", ":", "&", "|", "^", "~", "@", "$", "#", "\\",
];

/// Where the reader is: what is around it is on a stack, as strings nest in code and code in strings.
enum Mode {
    /// Code inside a string, up to the `}` that closes as many as were opened; what is written for that one.
    Code { open: usize, close: &'static [&'static str] },
    /// A string up to a quote.
    Text { end: End, started: bool },
}

/// What ends a string.
#[derive(Clone)]
enum End {
    Quote(u8),
    /// A heredoc's label, and where its line begins.
    Label(Rc<[u8]>, usize),
}

/// Strings in code in strings are not read deeper.
const MAX_MODES: usize = 64;

/// Reads a file that begins outside of PHP; `code` is for a text that begins inside.
pub(super) fn tokens(source: &[u8], code: bool) -> Tokens {
    let mut lexer = Lexer { source, at: 0, line: 1, out: Tokens::default(), modes: Vec::new() };
    if !code {
        lexer.html();
    }
    while lexer.at < source.len() && !lexer.out.cut {
        match lexer.modes.last() {
            Some(Mode::Text { .. }) => lexer.text(),
            _ => lexer.code(),
        }
    }
    while let Some(mode) = lexer.modes.pop() {
        lexer.sign(if matches!(mode, Mode::Text { .. }) { ")" } else { ";" });
    }
    lexer.out
}

struct Lexer<'s> {
    source: &'s [u8],
    at: usize,
    line: u32,
    out: Tokens,
    modes: Vec<Mode>,
}

fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn in_name(byte: u8) -> bool {
    starts_name(byte) || byte.is_ascii_digit()
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

    fn name_at(&self, at: usize) -> &'s [u8] {
        let rest = &self.source[at.min(self.source.len())..];
        let length = rest.iter().position(|byte| !in_name(*byte)).unwrap_or(rest.len());
        &rest[..length]
    }

    /// Up to where PHP begins, and past it.
    fn html(&mut self) {
        let mut from = self.at;
        loop {
            let Some(found) = memchr::memchr(b'<', &self.source[from..]) else {
                self.advance(self.source.len() - self.at);
                return;
            };
            let tag = &self.source[from + found..];
            let length = if tag.len() >= 5 && tag[..5].eq_ignore_ascii_case(b"<?php") {
                5
            } else if tag.starts_with(b"<?=") {
                3
            } else if tag.starts_with(b"<?") && !(tag.len() >= 5 && tag[..5].eq_ignore_ascii_case(b"<?xml")) {
                2
            } else {
                script_tag(tag)
            };
            if length > 0 {
                self.advance(from + found + length - self.at);
                if length == 3 {
                    self.out.name(b"echo", self.line);
                }
                return;
            }
            from += found + 1;
        }
    }

    fn code(&mut self) {
        let rest = self.rest();
        let byte = rest[0];
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.advance(1),
            b'?' if rest.starts_with(b"?>") => {
                self.advance(2);
                self.sign(";");
                self.html();
            }
            b'<' if rest.len() > 8 && rest[..8].eq_ignore_ascii_case(b"</script") => {
                self.sign(";");
                self.html();
            }
            b'#' if !rest.starts_with(b"#[") => self.comment(),
            b'/' if rest.starts_with(b"//") => self.comment(),
            b'/' if rest.starts_with(b"/*") => {
                let end = memchr::memmem::find(&rest[2..], b"*/").map_or(rest.len(), |found| found + 4);
                self.advance(end);
            }
            b'$' if rest.get(1).is_some_and(|next| starts_name(*next)) => {
                let name = self.name_at(self.at + 1);
                self.out.variable(name, self.line);
                self.advance(1 + name.len());
            }
            b'\'' => self.single(),
            b'"' => self.open(End::Quote(b'"'), 1),
            b'`' => {
                self.out.name(b"shell_exec", self.line);
                self.open(End::Quote(b'`'), 1);
            }
            b'<' if rest.starts_with(b"<<<") && self.heredoc() => {}
            b'0'..=b'9' => self.number(),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            byte if starts_name(byte)
                || (byte == b'\\' && rest.get(1).is_some_and(|next| starts_name(*next))) =>
            {
                let length =
                    rest.iter().position(|byte| !in_name(*byte) && *byte != b'\\').unwrap_or(rest.len());
                let name = &rest[..length];
                if name.eq_ignore_ascii_case(b"__halt_compiler") {
                    self.advance(self.source.len() - self.at);
                    return;
                }
                self.out.name(name, self.line);
                self.advance(name.len());
            }
            _ => {
                let Some(sign) = sign(SIGNS, rest) else {
                    self.advance(1);
                    return;
                };
                // Code in a string ends with its last brace.
                if let Some(Mode::Code { open, close }) = self.modes.last_mut() {
                    match sign {
                        "{" => *open += 1,
                        "}" if *open == 0 => {
                            let close = *close;
                            self.modes.pop();
                            close.iter().for_each(|sign| self.sign(sign));
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

    /// A comment to the end of its line, or of PHP.
    fn comment(&mut self) {
        let rest = self.rest();
        let line = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let end = memchr::memmem::find(&rest[..line], b"?>").unwrap_or(line);
        self.advance(end);
    }

    fn number(&mut self) {
        let rest = self.rest();
        let length = rest
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')))
            .unwrap_or(rest.len())
            .max(1);
        // `1..'x'` and `1.'x'` are concatenations.
        let text: String =
            rest[..length].iter().filter(|byte| **byte != b'_').map(|byte| char::from(*byte)).collect();
        let lower = text.to_ascii_lowercase();
        let (value, taken) = if let Some(digits) = lower.strip_prefix("0x") {
            let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
            (i64::from_str_radix(&digits[..end], 16).ok(), length - (digits.len() - end))
        } else if let Some(digits) = lower.strip_prefix("0b") {
            let end = digits.find(|c: char| !c.is_digit(2)).unwrap_or(digits.len());
            (i64::from_str_radix(&digits[..end], 2).ok(), length - (digits.len() - end))
        } else {
            let end = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
            let fraction =
                lower[end..].starts_with('.') && lower[end + 1..].starts_with(|c: char| c.is_ascii_digit());
            let exponent =
                lower[end..].starts_with('e') && lower[end + 1..].starts_with(|c: char| c.is_ascii_digit());
            if fraction || exponent || end == 0 {
                (None, length)
            } else if lower.starts_with('0') && end > 1 {
                let digits = lower[..end].trim_start_matches("0o");
                (i64::from_str_radix(digits, 8).ok(), length - (lower.len() - end))
            } else {
                (lower[..end].parse().ok(), length - (lower.len() - end))
            }
        };
        self.push(Token::Number(value));
        self.advance(taken.max(1));
    }

    fn single(&mut self) {
        let rest = self.rest();
        let mut text = Vec::new();
        let mut at = 1;
        while at < rest.len() && rest[at] != b'\'' {
            if rest[at] == b'\\' && matches!(rest.get(at + 1), Some(b'\\' | b'\'')) {
                at += 1;
            }
            text.push(rest[at]);
            at += 1;
        }
        self.push(Token::Text(text.into()));
        self.advance(at + 1);
    }

    /// Begins a string of which parts may be code.
    fn open(&mut self, end: End, skip: usize) {
        self.sign("(");
        self.advance(skip);
        self.enter(Mode::Text { end, started: false });
    }

    fn enter(&mut self, mode: Mode) {
        if self.modes.len() == MAX_MODES {
            self.out.cut = true;
        } else {
            self.modes.push(mode);
        }
    }

    /// `<<<LABEL`, `<<<"LABEL"` and `<<<'LABEL'`.
    fn heredoc(&mut self) -> bool {
        let rest = self.rest();
        let mut at = 3;
        while matches!(rest.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        let quote = rest.get(at).copied().filter(|byte| matches!(byte, b'\'' | b'"'));
        at += usize::from(quote.is_some());
        let label = self.name_at(self.at + at);
        at += label.len() + usize::from(quote.is_some());
        let Some(line) = rest.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)) else { return false };
        if label.is_empty() || !rest[at..at + line].iter().all(u8::is_ascii_whitespace) {
            return false;
        }
        at += line + 1;
        if quote == Some(b'\'') {
            let length = heredoc_end(&rest[at..], label).unwrap_or(rest.len() - at);
            let text = &rest[at..at + length];
            self.push(Token::Text(text.strip_suffix(b"\n").unwrap_or(text).into()));
            self.advance(at + length);
            self.skip_label(label);
        } else {
            let end =
                heredoc_end(&rest[at..], label).map_or(self.source.len(), |length| self.at + at + length);
            self.open(End::Label(label.into(), end), at);
        }
        true
    }

    fn skip_label(&mut self, label: &[u8]) {
        let blank = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.advance(blank + label.len());
    }

    /// A part of a string: the text up to its end or to what is code, and the beginning of that.
    fn text(&mut self) {
        let Some(Mode::Text { end, started }) = self.modes.last() else { return };
        let (end, started) = (end.clone(), *started);
        let (quote, limit) = match &end {
            End::Quote(quote) => (Some(*quote), self.source.len()),
            End::Label(_, limit) => (None, *limit),
        };
        let rest = &self.source[self.at.min(limit)..limit];
        let mut text = Vec::new();
        let mut at = 0;
        while at < rest.len() {
            match rest[at] {
                byte if Some(byte) == quote => break,
                b'\\' => at += escape(&rest[at..], quote, &mut text),
                b'$' if rest.get(at + 1).is_some_and(|next| starts_name(*next) || *next == b'{') => break,
                b'{' if rest.get(at + 1) == Some(&b'$') => break,
                byte => {
                    text.push(byte);
                    at += 1;
                }
            }
        }
        let is_end = at >= rest.len() || Some(rest[at]) == quote;
        if is_end && quote.is_none() && text.last() == Some(&b'\n') {
            text.pop();
        }
        // What begins with code begins with an empty text, so that it is a string whatever the code gives.
        if !text.is_empty() || !started {
            if started {
                self.sign(".");
            }
            self.push(Token::Text(text.into()));
            if let Some(Mode::Text { started, .. }) = self.modes.last_mut() {
                *started = true;
            }
        }
        self.advance(at);
        if !is_end {
            self.sign(".");
            self.embedded();
            return;
        }
        self.modes.pop();
        self.sign(")");
        match end {
            End::Quote(_) => self.advance(1),
            End::Label(label, _) => self.skip_label(&label),
        }
    }

    /// `{$…}`, `${…}`, `$name`, `$name[key]`, `$name->member`.
    fn embedded(&mut self) {
        let rest = self.rest();
        if rest.starts_with(b"{$") {
            self.sign("(");
            self.advance(1);
            self.enter(Mode::Code { open: 0, close: &[")"] });
            return;
        }
        if rest.starts_with(b"${") {
            self.sign("(");
            // `${name}` and `${name[key]}` are the variable, `${expression}` the one of that name.
            let name = self.name_at(self.at + 2);
            if !name.is_empty() && matches!(rest.get(2 + name.len()), Some(b'}' | b'[')) {
                self.out.variable(name, self.line);
                self.advance(2 + name.len());
                self.enter(Mode::Code { open: 0, close: &[")"] });
            } else {
                self.sign("$");
                self.sign("{");
                self.advance(2);
                self.enter(Mode::Code { open: 0, close: &["}", ")"] });
            }
            return;
        }
        let name = self.name_at(self.at + 1);
        self.out.variable(name, self.line);
        self.advance(1 + name.len());
        let rest = self.rest();
        if rest.first() == Some(&b'[') {
            let length = rest.iter().take(256).position(|byte| *byte == b']').unwrap_or(0);
            let key = &rest[1..length.max(1)];
            if length > 1 {
                self.sign("[");
                let unquoted = key.strip_prefix(b"'").and_then(|key| key.strip_suffix(b"'")).unwrap_or(key);
                match std::str::from_utf8(key).ok().and_then(|key| key.parse().ok()) {
                    Some(number) => self.push(Token::Number(Some(number))),
                    None if key[0] == b'$' => self.out.variable(&key[1..], self.line),
                    None => self.push(Token::Text(unquoted.into())),
                }
                self.sign("]");
                self.advance(length + 1);
            }
        } else if rest.starts_with(b"->") && rest.get(2).is_some_and(|next| starts_name(*next)) {
            let member = self.name_at(self.at + 2);
            self.sign("->");
            self.out.name(member, self.line);
            self.advance(2 + member.len());
        }
    }
}

/// `<script language="php">`, which old versions know: its length, or 0.
fn script_tag(tag: &[u8]) -> usize {
    if tag.len() < 22 || !tag[..7].eq_ignore_ascii_case(b"<script") {
        return 0;
    }
    let head = &tag[..tag.len().min(64)];
    let Some(end) = memchr::memchr(b'>', head) else { return 0 };
    let lower = head[..end].to_ascii_lowercase();
    let is_php = [&b"language=\"php\""[..], b"language='php'", b"language=php"]
        .iter()
        .any(|word| memchr::memmem::find(&lower, word).is_some());
    if is_php { end + 1 } else { 0 }
}

/// Where a heredoc's last line begins.
fn heredoc_end(text: &[u8], label: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(text, label).find_map(|found| {
        let line = memchr::memrchr(b'\n', &text[..found]).map_or(0, |at| at + 1);
        let is_alone = text[line..found].iter().all(|byte| matches!(byte, b' ' | b'\t'))
            && !text.get(found + label.len()).is_some_and(|byte| in_name(*byte));
        is_alone.then_some(line)
    })
}

/// One escape sequence of a string; how many bytes it takes.
fn escape(text: &[u8], quote: Option<u8>, out: &mut Vec<u8>) -> usize {
    let Some(next) = text.get(1) else {
        out.push(b'\\');
        return 1;
    };
    let digits = |from: usize, most: usize, radix: u32| {
        text[from..].iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count()
    };
    let value = |from: usize, count: usize, radix: u32| {
        std::str::from_utf8(&text[from..from + count])
            .ok()
            .and_then(|text| u32::from_str_radix(text, radix).ok())
    };
    match next {
        b'n' => out.push(b'\n'),
        b't' => out.push(b'\t'),
        b'r' => out.push(b'\r'),
        b'v' => out.push(0x0b),
        b'e' => out.push(0x1b),
        b'f' => out.push(0x0c),
        b'\\' | b'$' => out.push(*next),
        byte if Some(*byte) == quote => out.push(*byte),
        b'0'..=b'7' => {
            let count = digits(1, 3, 8);
            out.push(value(1, count, 8).unwrap_or(0) as u8);
            return 1 + count;
        }
        b'x' if digits(2, 2, 16) > 0 => {
            let count = digits(2, 2, 16);
            out.push(value(2, count, 16).unwrap_or(0) as u8);
            return 2 + count;
        }
        b'u' if text.get(2) == Some(&b'{') => {
            let count = digits(3, 6, 16);
            if let Some(c) =
                value(3, count, 16).and_then(char::from_u32).filter(|_| text.get(3 + count) == Some(&b'}'))
            {
                out.extend(c.to_string().bytes());
                return 4 + count;
            }
            out.extend(b"\\u");
        }
        byte => out.extend([b'\\', *byte]),
    }
    2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> String {
        let show = |(token, _): &(Token, u32)| match token {
            Token::Name(name) => name.to_string(),
            Token::Variable(name) => format!("${name}"),
            Token::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
            Token::Number(Some(number)) => number.to_string(),
            Token::Number(None) => "#".to_owned(),
            Token::Sign(sign) => (*sign).to_owned(),
        };
        tokens(source.as_bytes(), false).tokens.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_what_is_php_is_read() {
        assert_eq!(shown("a <b> <?xml?> <?php x();?> y <?=1?>"), "x ( ) ; ; echo 1 ;");
        assert_eq!(shown("<?php # a ?> b <? c // ?><?php d /* ?> e */ f"), "; c ; d f");
        assert_eq!(shown("<script language='php'>x();</script> y"), "x ( ) ; ;");
        assert_eq!(shown("<?php a(); __halt_compiler(); b()"), "a ( ) ;");
    }

    #[test]
    fn strings_with_variables_are_what_they_mean() {
        assert_eq!(
            shown(r#"<?php "a$b[c]d{$e['f']}g""#),
            "( 'a' . $b [ 'c' ] . 'd' . ( $e [ 'f' ] ) . 'g' )"
        );
        assert_eq!(shown(r#"<?php "$a[0]$b->c ${d}""#), "( '' . $a [ 0 ] . $b -> c . ' ' . ( $d ) )");
        assert_eq!(shown(r#"<?php "{$e["x{$f}"]}""#), "( '' . ( $e [ ( 'x' . ( $f ) ) ] ) )");
        assert_eq!(shown(r#"<?php "${'a'.'b'}c""#), "( '' . ( $ { 'a' . 'b' } ) . 'c' )");
        assert_eq!(shown(r#"<?php "\x41\101\u{41}\$x\q""#), "( 'AAA$x\\q' )");
        assert_eq!(shown("<?php '\\x41\\''"), "'\\x41''");
        assert_eq!(shown("<?php `id $x`"), "shell_exec ( 'id ' . $x )");
        assert_eq!(shown("<?php $a = <<<X\nb $c\n  X;\n1"), "$a = ( 'b ' . $c ) ; 1");
        assert_eq!(shown("<?php <<<'X'\nb $c\nX\n. 1"), "'b $c' . 1");
    }

    #[test]
    fn numbers_are_read_as_php_writes_them() {
        assert_eq!(shown("<?php 0x1F 0b11 017 1_000 1.5 1e3 1.'a'"), "31 3 15 1000 # # 1 . 'a'");
    }

    #[test]
    fn what_nests_without_end_is_read_without_a_stall() {
        for source in
            ["\"{$a[".repeat(20_000), "\"${".repeat(20_000), "<<<A\n$a".repeat(20_000), "(".repeat(100_000)]
        {
            tokens(source.as_bytes(), true);
        }
    }
}
