//! Classes, their members, and functions (JLS 8, ECMA-334 §15, ECMA-262 §15).

use std::rc::Rc;

use super::Reader;
use crate::detectors::webshell::syntax::{NodeKind, Param, Step, Token};

/// Words before a declaration that say nothing here.
pub(super) const MODIFIERS: [&str; 25] = [
    "public",
    "private",
    "protected",
    "internal",
    "static",
    "final",
    "abstract",
    "synchronized",
    "override",
    "virtual",
    "sealed",
    "readonly",
    "unsafe",
    "partial",
    "extern",
    "transient",
    "volatile",
    "native",
    "strictfp",
    "export",
    "async",
    "declare",
    "default",
    "get",
    "set",
];

impl Reader {
    /// A class from behind its name on.
    pub(super) fn class_body(&mut self, name: Rc<str>) {
        let mut parent = None;
        while !self.parser.is_end() && !matches!(self.parser.sign(0), "{" | ";" | "}") {
            let extends = self.parser.take_word("extends") || (parent.is_none() && self.parser.take(":"));
            if extends {
                while let Some(part) = self.parser.take_name() {
                    parent = Some(part);
                    if !self.parser.take(".") {
                        break;
                    }
                }
            } else {
                self.parser.past_bracket();
            }
        }
        if self.parser.sign(0) == "{" {
            self.anonymous(name, parent);
        }
    }

    /// The body of a class without a name that extends another.
    pub(super) fn anonymous(&mut self, name: Rc<str>, parent: Option<Rc<str>>) {
        self.parser.unit.classes.push((Rc::clone(&name), parent));
        let outer = self.class.replace(name);
        self.deeper(Self::members, |_| ());
        self.class = outer;
    }

    fn members(&mut self) {
        let end = self.parser.closing();
        self.parser.at += 1;
        while self.parser.at < end && !self.parser.is_end() {
            let before = self.parser.at;
            self.member(end);
            if self.parser.at == before {
                self.parser.at += 1;
            }
        }
        self.parser.past(end);
    }

    fn member(&mut self, end: usize) {
        if self.parser.take("@") {
            self.parser.take_name();
            if self.parser.sign(0) == "(" {
                self.parser.past_bracket();
            }
            return;
        }
        if matches!(self.parser.sign(0), "[" | "(") {
            return self.parser.past_bracket();
        }
        if self.parser.sign(0) == "{" {
            return self.block();
        }
        let word: Rc<str> = match self.parser.token(0) {
            Some(Token::Name(name)) => Rc::clone(name),
            _ => "".into(),
        };
        if MODIFIERS.contains(&&*word) && !matches!(self.parser.sign(1), "(" | "=" | ";") {
            self.parser.at += 1;
            return;
        }
        if matches!(&*word, "class" | "interface" | "enum" | "struct" | "record") {
            self.parser.at += 1;
            if let Some(name) = self.parser.take_name() {
                self.class_body(name);
            }
            return;
        }
        // The name is what stands before the first of these.
        let mut at = 0;
        while self.parser.at + at < end {
            match self.parser.sign(at) {
                "(" | "=" | ";" | "{" | "}" | "=>" | "," => break,
                "<" => at = self.past_generic(at).unwrap_or(at + 1),
                _ => at += 1,
            }
        }
        let name = match at.checked_sub(1).and_then(|before| self.parser.token(before)) {
            Some(Token::Name(name)) => Some(Rc::clone(name)),
            _ => None,
        };
        match (self.parser.sign(at), name) {
            ("(", Some(name)) if self.is_function(at) => {
                self.parser.at += at;
                let class = self.class.clone();
                self.function(Some(name), class);
            }
            ("(", _) => {
                self.parser.at += at;
                self.parser.past_bracket();
            }
            ("=" | "=>", Some(name)) => {
                self.parser.at += at + 1;
                self.evaluate(|reader| {
                    let target = reader.parser.node(NodeKind::Variable(name));
                    let value = reader.expression(0);
                    reader.parser.node(NodeKind::Assign { sign: "", target, value })
                });
            }
            // A property: its parts are functions that nobody names.
            ("{", _) => {
                self.parser.at += at;
                self.block();
            }
            _ => self.parser.at += at + 1,
        }
    }

    /// A function from its parameters on; its place in the unit.
    pub(super) fn function(&mut self, name: Option<Rc<str>>, class: Option<Rc<str>>) -> usize {
        self.parser.begin_function(name, class);
        self.params();
        while !self.parser.is_end() && !matches!(self.parser.sign(0), "{" | ";" | "=>" | "->" | "}" | ")") {
            self.parser.past_bracket();
        }
        self.function_body();
        self.parser.end_function()
    }

    /// `{ … }`, `=> expression`, `-> { … }`.
    pub(super) fn function_body(&mut self) {
        let _ = self.parser.take("=>") || self.parser.take("->");
        if self.parser.sign(0) == "{" {
            self.deeper(Self::block, |_| ());
        } else if self.parser.sign(0) != ";" {
            let value = self.evaluate(|reader| reader.expression(1));
            self.parser.step(Step::Return(Some(value)));
        } else {
            self.parser.take(";");
        }
    }

    fn params(&mut self) {
        if self.parser.sign(0) != "(" {
            return;
        }
        let end = self.parser.closing();
        self.parser.at += 1;
        while self.parser.at < end && !self.parser.is_end() {
            let before = self.parser.at;
            let rest = self.parser.take("...");
            if self.is_script() {
                self.script_param(rest);
            } else {
                self.typed_param();
            }
            while self.parser.at < end && self.parser.sign(0) != "," {
                self.parser.past_bracket();
            }
            self.parser.take(",");
            if self.parser.at == before {
                self.parser.at += 1;
            }
        }
        self.parser.past(end);
    }

    fn script_param(&mut self, rest: bool) {
        let name: Rc<str> = match self.parser.token(0) {
            Some(Token::Name(name)) => Rc::clone(name),
            // `{a, b}`: taken apart once it is there.
            _ => format!("arg{}", self.parser.at).into(),
        };
        let place = self.parser.function().params.len();
        self.parser.function().params.push(Param { name: Rc::clone(&name), by_reference: false, rest });
        if matches!(self.parser.sign(0), "{" | "[") {
            self.evaluate(|reader| {
                let target = reader.pattern();
                let value = reader.parser.node(NodeKind::Variable(name));
                reader.parser.node(NodeKind::Assign { sign: "", target, value })
            });
        } else {
            self.parser.at += 1;
        }
        if self.parser.take("=") {
            let (range, _) = self.range(|reader| reader.expression(1));
            self.parser.step(Step::Default(place, range));
        }
    }

    /// The last name before `,`, `=` or the end is the parameter's.
    fn typed_param(&mut self) {
        let mut last = None;
        loop {
            match self.parser.token(0) {
                Some(Token::Name(name)) => last = Some(Rc::clone(name)),
                Some(Token::Sign("<")) => {
                    let length = self.past_generic(0).unwrap_or(1);
                    self.parser.at += length;
                    continue;
                }
                Some(Token::Sign("@" | "." | "..." | "?")) => {}
                Some(Token::Sign("[" | "(")) => {
                    self.parser.past_bracket();
                    continue;
                }
                _ => break,
            }
            self.parser.at += 1;
        }
        if let Some(name) = last {
            self.parser.function().params.push(Param { name, by_reference: false, rest: false });
        }
    }
}
