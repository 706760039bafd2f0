//! VBScript's expressions (MS-VBAL §5.6).

use std::rc::Rc;

use super::{Reader, WITH};
use crate::detectors::webshell::syntax::{Id, NodeKind, Token};

/// How tight an operator binds.
fn binding(token: Option<&Token>) -> Option<(&'static str, u8)> {
    Some(match token? {
        Token::Sign(sign) => match *sign {
            "=" => ("==", 6),
            "<>" => ("!=", 6),
            "<" | ">" | "<=" | ">=" => (sign, 6),
            "&" => ("concat", 7),
            "+" | "-" => (sign, 8),
            "\\" => ("/", 10),
            "*" | "/" => (sign, 11),
            "^" => ("**", 13),
            _ => return None,
        },
        Token::Name(name) => match &**name {
            "xor" => ("^", 2),
            "or" => ("||", 3),
            "and" => ("&&", 4),
            "is" => ("is", 6),
            "mod" => ("%", 9),
            _ => return None,
        },
        _ => return None,
    })
}

impl Reader {
    /// Reads an expression of operators that bind at least so tight.
    pub(super) fn expression(&mut self, least: u8) -> Id {
        if !self.parser.enter() {
            return self.parser.node(NodeKind::Unknown);
        }
        let mut left = self.prefixed();
        while let Some((sign, power)) = binding(self.parser.token(0)).filter(|(_, power)| *power >= least) {
            let line = self.parser.line();
            self.parser.at += 1;
            let right = self.expression(power + 1);
            left = self.parser.node_at(line, NodeKind::Binary { sign, left, right });
        }
        self.parser.leave();
        left
    }

    /// Signs before an operand: read one after the other, so that many cost no depth.
    fn prefixed(&mut self) -> Id {
        let mut before: Vec<(u32, &'static str)> = Vec::new();
        loop {
            let line = self.parser.line();
            match self.parser.sign(0) {
                "-" => before.push((line, "-")),
                "+" => {}
                _ if self.parser.is_word(0, "not") => before.push((line, "!")),
                _ => break,
            }
            self.parser.at += 1;
        }
        // `Not a = b` is `Not (a = b)`.
        let mut value =
            if matches!(before.last(), Some((_, "!"))) { self.expression(5) } else { self.operand() };
        while let Some((line, sign)) = before.pop() {
            value = self.parser.node_at(line, NodeKind::Unary { sign, operand: value });
        }
        value
    }

    fn operand(&mut self) -> Id {
        let mut value = self.primary();
        loop {
            let line = self.parser.line();
            value = match self.parser.sign(0) {
                "(" => {
                    let args = self.arguments();
                    self.parser.node_at(line, NodeKind::Call { callee: value, args: args.into() })
                }
                "." => match self.member(value) {
                    Some(member) => member,
                    None => return value,
                },
                _ => return value,
            };
        }
    }

    /// `.name` behind a value.
    pub(super) fn member(&mut self, base: Id) -> Option<Id> {
        let line = self.parser.line();
        self.parser.at += 1;
        let name = self.parser.take_name()?;
        Some(self.parser.node_at(line, NodeKind::Member { base, name }))
    }

    /// `(a, b)`.
    pub(super) fn arguments(&mut self) -> Vec<Id> {
        let end = self.parser.closing();
        self.parser.at += 1;
        let mut args = Vec::new();
        while self.parser.at < end && !self.parser.is_end() {
            let before = self.parser.at;
            args.push(self.expression(0));
            if !self.parser.take(",") && self.parser.at == before {
                self.parser.at += 1;
            }
        }
        self.parser.past(end);
        args
    }

    /// A name, or the object of the `With` around before a point: what a statement begins with.
    pub(super) fn named(&mut self) -> Id {
        let line = self.parser.line();
        match self.parser.take_name() {
            Some(name) => self.parser.node_at(line, NodeKind::Variable(name)),
            None => self.parser.node_at(line, NodeKind::Variable(WITH.into())),
        }
    }

    fn primary(&mut self) -> Id {
        let line = self.parser.line();
        let Some(token) = self.parser.token(0).cloned() else { return self.parser.node(NodeKind::Unknown) };
        let kind = match token {
            Token::Text(text) => NodeKind::Text(text),
            Token::Number(number) => number.map_or(NodeKind::Unknown, NodeKind::Number),
            Token::Sign("(") => {
                let end = self.parser.closing();
                self.parser.at += 1;
                let value = self.expression(0);
                self.parser.past(end);
                return value;
            }
            Token::Sign(".") => return self.named(),
            Token::Name(name) => match &*name {
                "true" => NodeKind::Number(1),
                "false" => NodeKind::Number(0),
                "nothing" | "null" => NodeKind::Unknown,
                "empty" | "vbnullstring" => NodeKind::Text(Rc::from(&b""[..])),
                "vbcrlf" | "vbnewline" => NodeKind::Text(Rc::from(&b"\r\n"[..])),
                "vbcr" => NodeKind::Text(Rc::from(&b"\r"[..])),
                "vblf" => NodeKind::Text(Rc::from(&b"\n"[..])),
                "vbtab" => NodeKind::Text(Rc::from(&b"\t"[..])),
                "new" => {
                    self.parser.at += 1;
                    let class = self.parser.take_name().unwrap_or_else(|| "".into());
                    let class = self.parser.node_at(line, NodeKind::Name(class));
                    return self.parser.node_at(line, NodeKind::New { class, args: [].into() });
                }
                // A function that takes nothing is called by its name; in itself that is what it returns.
                _ if self.parser.sign(1) != "("
                    && self.functions.contains(&name)
                    && self.own_name() != Some(&name) =>
                {
                    let callee = self.named();
                    return self.parser.node_at(line, NodeKind::Call { callee, args: [].into() });
                }
                _ => return self.named(),
            },
            Token::Variable(_) | Token::Sign(_) => return self.parser.node(NodeKind::Unknown),
        };
        self.parser.at += 1;
        self.parser.node_at(line, kind)
    }
}
