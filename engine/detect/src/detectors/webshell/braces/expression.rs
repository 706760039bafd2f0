//! Expressions (JLS 15, ECMA-334 §12, ECMA-262 §13).

use std::rc::Rc;

use super::{Dialect, Reader};
use crate::detectors::webshell::syntax::{Id, NodeKind, Token};

const ASSIGNMENTS: [&str; 16] =
    ["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "??=", "<<=", ">>=", "**=", ">>>=", "&&=", "||="];

impl Reader {
    /// How tight an operator binds; assignments 1, choices 5.
    fn binding(&self) -> Option<(&'static str, u8)> {
        Some(match self.parser.token(0)? {
            Token::Sign(sign) => {
                let power = match *sign {
                    "??" => 6,
                    "||" => 7,
                    "&&" => 8,
                    "|" => 9,
                    "^" => 10,
                    "&" => 11,
                    "==" | "!=" | "===" | "!==" => 12,
                    "<" | ">" | "<=" | ">=" => 13,
                    "<<" | ">>" | ">>>" => 15,
                    "+" | "-" => 16,
                    "*" | "/" | "%" => 17,
                    "**" => 19,
                    _ => return None,
                };
                (*sign, power)
            }
            Token::Name(name) => match &**name {
                "instanceof" | "is" => ("instanceof", 14),
                "as" if !self.is_script() => ("as", 14),
                "in" if self.is_script() => ("in", 14),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Reads an expression of operators that bind at least so tight; 1 leaves out what follows a comma.
    pub(super) fn expression(&mut self, least: u8) -> Id {
        self.deeper(|reader| reader.operators(least), |reader| reader.parser.node(NodeKind::Unknown))
    }

    fn operators(&mut self, least: u8) -> Id {
        let mut left = self.prefixed();
        loop {
            let line = self.parser.line();
            let sign = self.parser.sign(0);
            if least <= 2
                && let Some(sign) = ASSIGNMENTS.into_iter().find(|known| *known == sign)
            {
                self.parser.at += 1;
                let value = self.expression(1);
                let sign = &sign[..sign.len() - 1];
                left = self.parser.node_at(line, NodeKind::Assign { sign, target: left, value });
                continue;
            }
            if sign == "?" && least <= 5 {
                self.parser.at += 1;
                let yes = Some(self.expression(1));
                self.parser.take(":");
                let no = self.expression(2);
                left = self.parser.node_at(line, NodeKind::Choice { condition: left, yes, no });
                continue;
            }
            let Some((sign, power)) = self.binding() else { return left };
            if power < least {
                return left;
            }
            self.parser.at += 1;
            match sign {
                "instanceof" | "as" => {
                    let length = self.type_length(0).unwrap_or(1);
                    self.parser.at += length;
                    if sign == "instanceof" {
                        left = self.parser.node_at(line, NodeKind::Unknown);
                    }
                }
                _ => {
                    let right = self.expression(if sign == "**" { power } else { power + 1 });
                    left = self.parser.node_at(line, NodeKind::Binary { sign, left, right });
                }
            }
        }
    }

    /// Signs before an operand: read one after the other, so that many cost no depth.
    fn prefixed(&mut self) -> Id {
        let mut before: Vec<(u32, &'static str)> = Vec::new();
        loop {
            let line = self.parser.line();
            let sign = self.parser.sign(0);
            match sign {
                "!" | "-" | "+" | "~" | "&" | "*" | "++" | "--" | "..." => before.push((line, sign)),
                "(" if !self.is_script() => match self.cast() {
                    Some((cast, length)) => {
                        before.push((line, cast));
                        self.parser.at += length;
                        continue;
                    }
                    None => break,
                },
                _ => match self.parser.token(0) {
                    Some(Token::Name(word))
                        if matches!(&**word, "await" | "typeof" | "void" | "delete")
                            && !matches!(self.parser.sign(1), "." | "=" | ")" | ",") =>
                    {
                        // What `await` gives is what it waits for.
                        if &**word != "await" {
                            before.push((line, "typeof"));
                        }
                    }
                    _ => break,
                },
            }
            self.parser.at += 1;
        }
        let mut value = self.operand();
        while let Some((line, sign)) = before.pop() {
            value = match sign {
                "+" | "&" | "*" | "" => value,
                "++" | "--" => {
                    let by = if sign == "++" { 1 } else { -1 };
                    self.parser.node_at(line, NodeKind::Increment { target: value, by, before: true })
                }
                _ => self.parser.node_at(line, NodeKind::Unary { sign, operand: value }),
            };
        }
        value
    }

    /// `(Type)` before an operand, and how many tokens it has.
    fn cast(&self) -> Option<(&'static str, usize)> {
        let length = self.type_length(1)?;
        if self.parser.sign(length + 1) != ")" {
            return None;
        }
        let is_operand = match self.parser.token(length + 2)? {
            Token::Name(name) => !matches!(&**name, "instanceof" | "is" | "as" | "in"),
            Token::Text(_) | Token::Number(_) | Token::Variable(_) => true,
            Token::Sign(sign) => matches!(*sign, "(" | "!" | "~"),
        };
        if !is_operand {
            return None;
        }
        let Some(Token::Name(name)) = self.parser.token(1) else { return None };
        let cast = match &**name {
            _ if length > 1 => "",
            "char" => "char",
            "int" | "short" | "long" | "byte" => "int",
            _ => "",
        };
        Some((cast, length + 2))
    }

    fn operand(&mut self) -> Id {
        let mut value = self.primary();
        loop {
            let line = self.parser.line();
            value = match self.parser.sign(0) {
                "(" => {
                    let value = self.callee(value, line);
                    let args = self.arguments();
                    self.parser.node_at(line, NodeKind::Call { callee: value, args: args.into() })
                }
                "[" => {
                    let end = self.parser.closing();
                    self.parser.at += 1;
                    let key = (self.parser.at < end).then(|| self.expression(0));
                    self.parser.past(end);
                    self.parser.node_at(line, NodeKind::Index { base: value, key })
                }
                "." | "?." | "::" | "->" if self.is_member() => {
                    self.parser.at += 1;
                    match self.parser.sign(0) {
                        // `a?.[b]`, `a?.(b)`.
                        "[" | "(" => continue,
                        // `a.<T>b()`.
                        "<" => {
                            let length = self.past_generic(0).unwrap_or(1);
                            self.parser.at += length;
                        }
                        _ => {}
                    }
                    self.parser.take("#");
                    match self.parser.take_name() {
                        Some(name) => self.parser.node_at(line, NodeKind::Member { base: value, name }),
                        None => return value,
                    }
                }
                "++" | "--" => {
                    let by = if self.parser.sign(0) == "++" { 1 } else { -1 };
                    self.parser.at += 1;
                    self.parser.node_at(line, NodeKind::Increment { target: value, by, before: false })
                }
                _ => return value,
            };
        }
    }

    fn is_member(&self) -> bool {
        match self.parser.sign(0) {
            // Of a lambda.
            "->" => false,
            _ => matches!(self.parser.token(1), Some(Token::Name(_) | Token::Sign("[" | "(" | "<" | "#"))),
        }
    }

    /// What is called: `a['b'](…)` is a method.
    fn callee(&mut self, value: Id, line: u32) -> Id {
        let NodeKind::Index { base, key: Some(key) } = *self.parser.kind(value) else { return value };
        match self.parser.kind(key) {
            NodeKind::Text(text) => {
                let name: Rc<str> = String::from_utf8_lossy(text).into();
                self.parser.node_at(line, NodeKind::Member { base, name })
            }
            NodeKind::Binary { .. } | NodeKind::Call { .. } => {
                self.parser.node_at(line, NodeKind::MemberNamed { base, name: key })
            }
            _ => value,
        }
    }

    fn arguments(&mut self) -> Vec<Id> {
        let end = self.parser.closing();
        self.parser.at += 1;
        let mut args = Vec::new();
        while self.parser.at < end && !self.parser.is_end() {
            let before = self.parser.at;
            // `name: value`, `out name`.
            if matches!(self.parser.token(0), Some(Token::Name(_))) && self.parser.sign(1) == ":" {
                self.parser.at += 2;
            }
            if self.dialect == Dialect::CSharp
                && (self.parser.is_word(0, "out") || self.parser.is_word(0, "ref"))
            {
                self.parser.at += 1;
            }
            args.push(self.expression(1));
            if !self.parser.take(",") && self.parser.at == before {
                self.parser.at += 1;
            }
        }
        self.parser.past(end);
        args
    }

    /// `[a, b]`, `{a, b}` of values alone, up to the bracket that closes it.
    fn items(&mut self, line: u32) -> Id {
        let items: Vec<_> = self.arguments().into_iter().map(|item| (None, item)).collect();
        self.parser.node_at(line, NodeKind::List(items.into()))
    }

    /// What is assigned to: `a`, `{a, b: c}`, `[a, b]`.
    pub(super) fn pattern(&mut self) -> Id {
        let line = self.parser.line();
        match self.parser.sign(0) {
            "{" => self.object(line, true),
            "[" => self.items(line),
            _ => match self.parser.take_name() {
                Some(name) => {
                    self.parser.local(&name);
                    self.parser.node_at(line, NodeKind::Variable(name))
                }
                None => self.parser.node(NodeKind::Unknown),
            },
        }
    }

    /// `{a: b, c, d() { … }, ...e}`; names of a pattern are new.
    fn object(&mut self, line: u32, pattern: bool) -> Id {
        let end = self.parser.closing();
        self.parser.at += 1;
        let mut items = Vec::new();
        while self.parser.at < end && !self.parser.is_end() {
            let before = self.parser.at;
            if let Some(item) = self.property(pattern) {
                items.push(item);
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
        self.parser.node_at(line, NodeKind::List(items.into()))
    }

    fn property(&mut self, pattern: bool) -> Option<(Option<Id>, Id)> {
        let line = self.parser.line();
        if self.parser.take("...") {
            return Some((None, self.expression(1)));
        }
        let is_word = |word: &str| matches!(word, "async" | "get" | "set");
        if is_word(&self.parser.word())
            && matches!(self.parser.token(1), Some(Token::Name(_) | Token::Text(_)))
        {
            self.parser.at += 1;
        }
        self.parser.take("*");
        let (key, name) = match self.parser.token(0).cloned()? {
            Token::Name(name) => {
                self.parser.at += 1;
                (self.parser.text(&name), Some(name))
            }
            Token::Text(text) => {
                self.parser.at += 1;
                (self.parser.node_at(line, NodeKind::Text(text)), None)
            }
            Token::Sign("[") => {
                let close = self.parser.closing();
                self.parser.at += 1;
                let key = self.expression(0);
                self.parser.past(close);
                (key, None)
            }
            _ => (self.primary(), None),
        };
        let value = match self.parser.sign(0) {
            ":" => {
                self.parser.at += 1;
                if pattern { self.pattern() } else { self.expression(1) }
            }
            "(" => {
                let function = self.function(None, None);
                self.parser.node_at(line, NodeKind::Function(function))
            }
            _ => {
                let name = name?;
                if pattern {
                    self.parser.local(&name);
                }
                self.parser.node_at(line, NodeKind::Variable(name))
            }
        };
        Some((Some(key), value))
    }

    fn primary(&mut self) -> Id {
        let line = self.parser.line();
        let Some(token) = self.parser.token(0).cloned() else { return self.parser.node(NodeKind::Unknown) };
        match token {
            Token::Text(text) => {
                self.parser.at += 1;
                self.parser.node_at(line, NodeKind::Text(text))
            }
            Token::Number(number) => {
                self.parser.at += 1;
                self.parser.node_at(line, number.map_or(NodeKind::Unknown, NodeKind::Number))
            }
            Token::Name(name) => self.named(name, line),
            Token::Sign("(") => {
                let behind = self.parser.closing() + 1;
                if matches!(self.parser.token_at(behind), Some(Token::Sign("=>" | "->"))) {
                    let function = self.function(None, None);
                    return self.parser.node_at(line, NodeKind::Function(function));
                }
                let end = self.parser.closing();
                self.parser.at += 1;
                let mut value = self.expression(0);
                while self.parser.at < end && self.parser.take(",") {
                    value = self.expression(0);
                }
                self.parser.past(end);
                // The value is that of the last, wherever its nodes are.
                self.parser.node_at(line, NodeKind::Choice { condition: value, yes: None, no: value })
            }
            Token::Sign("[") => self.items(line),
            Token::Sign("{") if self.is_script() => self.object(line, false),
            Token::Sign("{") => self.items(line),
            Token::Sign("@" | "#") => {
                self.parser.at += 1;
                self.primary()
            }
            Token::Variable(_) | Token::Sign(_) => self.parser.node(NodeKind::Unknown),
        }
    }

    fn named(&mut self, name: Rc<str>, line: u32) -> Id {
        self.parser.at += 1;
        match &*name {
            "new" if self.parser.sign(0) != "." => return self.instance(line),
            "function" if self.is_script() => {
                self.parser.take("*");
                self.parser.take_name();
                let function = self.function(None, None);
                return self.parser.node_at(line, NodeKind::Function(function));
            }
            "async" | "delegate" if self.parser.sign(0) == "(" || self.parser.is_word(0, "function") => {
                if self.parser.is_word(0, "function") || self.dialect == Dialect::CSharp {
                    self.parser.take_word("function");
                    let function = self.function(None, None);
                    return self.parser.node_at(line, NodeKind::Function(function));
                }
                return self.primary();
            }
            "async" if matches!(self.parser.token(0), Some(Token::Name(_))) => return self.primary(),
            "class" if self.is_script() => {
                let name = match self.parser.sign(0) {
                    "{" => format!("class@{}", self.parser.at).into(),
                    _ => self.parser.take_name().unwrap_or_else(|| "class".into()),
                };
                self.class_body(Rc::clone(&name));
                return self.parser.node_at(line, NodeKind::Text(name.as_bytes().into()));
            }
            "this" if !self.is_script() && self.parser.sign(0) == "." => {
                // Members are kept under their bare names.
                self.parser.at += 1;
                return match self.parser.take_name() {
                    Some(name) => self.parser.node_at(line, NodeKind::Variable(name)),
                    None => self.parser.node(NodeKind::Unknown),
                };
            }
            "true" => return self.parser.node_at(line, NodeKind::Number(1)),
            "false" => return self.parser.node_at(line, NodeKind::Number(0)),
            "null" | "undefined" => return self.parser.node_at(line, NodeKind::Unknown),
            _ => {}
        }
        if matches!(self.parser.sign(0), "=>" | "->") {
            // A function of one parameter.
            self.parser.begin_function(None, None);
            let param = crate::detectors::webshell::syntax::Param { name, by_reference: false, rest: false };
            self.parser.function().params.push(param);
            self.function_body();
            let function = self.parser.end_function();
            return self.parser.node_at(line, NodeKind::Function(function));
        }
        self.parser.node_at(line, NodeKind::Variable(name))
    }

    /// `new Class(…)`, `new Type[] {…}`, `new Class() { … }`.
    fn instance(&mut self, line: u32) -> Id {
        if self.parser.sign(0) == "[" {
            self.parser.past_bracket();
            return if self.parser.sign(0) == "{" {
                self.items(line)
            } else {
                self.parser.node(NodeKind::Unknown)
            };
        }
        let mut name: Option<Rc<str>> = None;
        let class = if self.parser.sign(0) == "(" {
            self.primary()
        } else {
            let mut class = None;
            while let Some(part) = self.parser.take_name() {
                class = Some(match class {
                    Some(base) => {
                        self.parser.node_at(line, NodeKind::Member { base, name: Rc::clone(&part) })
                    }
                    None => self.parser.node_at(line, NodeKind::Variable(Rc::clone(&part))),
                });
                name = Some(part);
                if !self.parser.take(".") {
                    break;
                }
            }
            class.unwrap_or_else(|| self.parser.node(NodeKind::Unknown))
        };
        if self.parser.sign(0) == "<"
            && let Some(length) = self.past_generic(0)
        {
            self.parser.at += length;
        }
        if self.parser.sign(0) == "[" {
            while self.parser.sign(0) == "[" {
                self.parser.past_bracket();
            }
            return if self.parser.sign(0) == "{" {
                self.items(line)
            } else {
                self.parser.node(NodeKind::Unknown)
            };
        }
        let args = if self.parser.sign(0) == "(" { self.arguments() } else { Vec::new() };
        if self.parser.sign(0) == "{" && !self.is_script() {
            if self.dialect == Dialect::CSharp {
                return self.with_members(line, class, args);
            }
            let own: Rc<str> = format!("{}@{}", name.as_deref().unwrap_or_default(), self.parser.at).into();
            self.anonymous(Rc::clone(&own), name);
            let class = self.parser.node_at(line, NodeKind::Text(own.as_bytes().into()));
            return self.parser.node_at(line, NodeKind::New { class, args: args.into() });
        }
        self.parser.node_at(line, NodeKind::New { class, args: args.into() })
    }

    /// `new T(…) { A = b, C = d }`.
    fn with_members(&mut self, line: u32, class: Id, args: Vec<Id>) -> Id {
        let base = self.parser.node_at(line, NodeKind::New { class, args: args.into() });
        let end = self.parser.closing();
        self.parser.at += 1;
        while self.parser.at < end {
            match (self.parser.token(0).cloned(), self.parser.sign(1)) {
                (Some(Token::Name(name)), "=") => {
                    self.parser.at += 2;
                    let target = self.parser.node_at(line, NodeKind::Member { base, name });
                    let value = self.expression(1);
                    self.parser.node_at(line, NodeKind::Assign { sign: "", target, value });
                }
                _ => self.parser.past_bracket(),
            }
        }
        self.parser.past(end);
        self.parser.node_at(line, NodeKind::Choice { condition: base, yes: None, no: base })
    }
}
