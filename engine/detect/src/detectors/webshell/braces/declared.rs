//! Where a statement declares something: `Type name`, `Type<A, B>[] name`.

use super::Reader;
use crate::detectors::webshell::syntax::Token;

/// Tokens of a type that are looked at.
const MAX_TYPE: usize = 64;

impl Reader {
    /// How many tokens the type ahead has, from `from` tokens on; none if there is none.
    pub(super) fn type_length(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let Some(Token::Name(_)) = self.parser.token(at) else { return None };
            at += 1;
            if self.parser.sign(at) != "." {
                break;
            }
            at += 1;
        }
        if self.parser.sign(at) == "<" {
            at = self.past_generic(at)?;
        }
        while self.parser.sign(at) == "[" && matches!(self.parser.sign(at + 1), "]") {
            at += 2;
        }
        at += usize::from(self.parser.sign(at) == "?" || self.parser.sign(at) == "...");
        Some(at - from)
    }

    /// Behind the `>` that closes the `<` there.
    pub(super) fn past_generic(&self, from: usize) -> Option<usize> {
        let mut open = 0_usize;
        for at in from..from + MAX_TYPE {
            match self.parser.token(at)? {
                Token::Sign("<") => open += 1,
                Token::Sign(">") => open -= 1,
                Token::Sign(">>") => open = open.saturating_sub(2),
                Token::Sign(">>>") => open = open.saturating_sub(3),
                Token::Name(_) | Token::Sign("," | "." | "?" | "[" | "]" | "&") => {}
                _ => return None,
            }
            if open == 0 {
                return Some(at + 1);
            }
        }
        None
    }

    /// How many tokens ahead the name is that a type declares there, if one does.
    pub(super) fn declared(&self) -> Option<usize> {
        let length = self.type_length(0)?;
        let Some(Token::Name(_)) = self.parser.token(length) else { return None };
        matches!(self.parser.sign(length + 1), "=" | ";" | "," | ":" | "(" | ")" | "[" | "").then_some(length)
    }

    /// Whether the brackets `at` tokens ahead are a function's parameters: a body follows.
    pub(super) fn is_function(&self, at: usize) -> bool {
        let mut behind = self.parser.closing_at(at) + 1;
        for _ in 0..MAX_TYPE {
            match self.parser.token_at(behind) {
                Some(Token::Sign("{" | "=>")) => return true,
                // `throws A, B`, `where T : B`, `: base(…)`, the type of a result.
                Some(Token::Name(_) | Token::Sign("," | "." | ":" | "<" | ">" | "[" | "]")) => behind += 1,
                Some(Token::Sign("(")) => behind = self.parser.closing_of(behind) + 1,
                _ => return false,
            }
        }
        false
    }
}
