//! Languages that are written with braces: Java, C# and JavaScript, which are near enough to one another to be read by one reader.

mod class;
mod declared;
mod expression;
mod lex;
mod statement;

use std::rc::Rc;

use super::page::Part;
use super::parser::Parser;
use super::syntax::{Tokens, Unit};

/// What differs between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Java,
    CSharp,
    Script,
}

/// Reads parts of a page as one program.
pub(super) fn unit(parts: &[Part<'_>], dialect: Dialect) -> Unit {
    let mut tokens = Tokens::default();
    for part in parts {
        lex::tokens(&part.source, dialect, part.line, &mut tokens);
    }
    let mut reader = Reader { parser: Parser::new(tokens), dialect, class: None };
    while !reader.parser.is_end() {
        reader.statement();
    }
    reader.parser.unit
}

/// Reads one program.
struct Reader {
    parser: Parser,
    dialect: Dialect,
    /// The class at hand.
    class: Option<Rc<str>>,
}

impl Reader {
    fn is_script(&self) -> bool {
        self.dialect == Dialect::Script
    }

    /// Reads something one level deeper, or passes over it.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> T, otherwise: impl FnOnce(&mut Self) -> T) -> T {
        if self.parser.enter() {
            let read = read(self);
            self.parser.leave();
            read
        } else {
            otherwise(self)
        }
    }

    /// Reads an expression and evaluates it here.
    fn evaluate(&mut self, read: impl FnOnce(&mut Self) -> u32) -> u32 {
        let (range, id) = self.range(read);
        self.parser.step(super::syntax::Step::Eval(range));
        id
    }

    /// The nodes that `read` writes.
    fn range<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> (std::ops::Range<u32>, T) {
        let start = self.parser.function().nodes.len() as u32;
        let value = read(self);
        (start..self.parser.function().nodes.len() as u32, value)
    }
}
