//! Applications of Erlang/OTP, in Erlang, Elixir or Gleam: the resource file of each, beside its compiled modules
//! (<https://www.erlang.org/doc/apps/kernel/app.html>).
//!
//! What was fetched from Hex does not say so there; its application almost always has the package's name, so Hex's
//! advisories are asked.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package, Record};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: OtpApplication = OtpApplication;

pub(super) struct OtpApplication;

impl Parser for OtpApplication {
    fn id(&self) -> &'static str {
        "otp-application"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/ebin/*.app"], 1 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let bytes = match formats::whole(file) {
            Ok(bytes) => bytes,
            Err(problem) => return problem,
        };
        let text = String::from_utf8_lossy(bytes);
        let tokens: Vec<Token<'_>> = tokens(&text);
        let name = tokens.windows(4).find_map(|window| match window {
            [Token::Open, Token::Word("application"), Token::Comma, Token::Word(name)] => Some(*name),
            _ => None,
        });
        let version = tokens.windows(4).find_map(|window| match window {
            [Token::Open, Token::Word("vsn"), Token::Comma, Token::Text(version)] => Some(*version),
            _ => None,
        });
        match (name, version) {
            (Some(name), Some(version)) if !name.is_empty() && !version.is_empty() => {
                let package = Package::new(Ecosystem::Otp, name, version);
                Parsed { records: vec![Record::from(package)], problems: Vec::new() }
            }
            _ => Parsed::problem(GapKind::Malformed, "an application without a name and a version"),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// `{`
    Open,
    Comma,
    /// An atom, quoted or not.
    Word(&'a str),
    /// A string; what is escaped in it stays so.
    Text(&'a str),
    Other,
}

/// The tokens of Erlang terms, without comments. A text that is not closed is the last.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '@');
        let length = match first {
            '%' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => {
                let Some(inner) = quoted(&rest[1..], first) else { break };
                tokens.push(if first == '"' { Token::Text(inner) } else { Token::Word(inner) });
                inner.len() + 2
            }
            _ if is_word(first) => {
                let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
                tokens.push(Token::Word(&rest[..end]));
                end
            }
            _ => {
                tokens.push(match first {
                    '{' => Token::Open,
                    ',' => Token::Comma,
                    _ => Token::Other,
                });
                first.len_utf8()
            }
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

/// What stands before the quote that closes it.
fn quoted(text: &str, quote: char) -> Option<&str> {
    let mut escaped = false;
    let end = text.char_indices().find(|(_, character)| {
        let closes = !escaped && *character == quote;
        escaped = !escaped && *character == '\\';
        closes
    });
    Some(&text[..end?.0])
}
