//! Statements (JLS 14, ECMA-334 §13, ECMA-262 §14), read with forbearance: what is not understood is passed over.

use std::rc::Rc;

use super::class::MODIFIERS;
use super::{Dialect, Reader};
use crate::detectors::webshell::syntax::{Id, NodeKind, Step, Token};

impl Reader {
    pub(super) fn statement(&mut self) {
        let before = self.parser.at;
        self.deeper(Self::known_statement, |_| ());
        if self.parser.at == before {
            self.parser.at += 1;
        }
    }

    /// `{ … }`.
    pub(super) fn block(&mut self) {
        let end = self.parser.closing();
        self.parser.at += 1;
        while self.parser.at < end && !self.parser.is_end() {
            self.statement();
        }
        self.parser.past(end);
    }

    fn known_statement(&mut self) {
        match self.parser.sign(0) {
            ";" | ")" | "]" | "}" => {
                self.parser.at += 1;
                return;
            }
            "{" => return self.block(),
            "@" => {
                self.parser.at += 1;
                self.parser.take_name();
                if self.parser.sign(0) == "(" {
                    self.parser.past_bracket();
                }
                return;
            }
            _ => {}
        }
        // Words of these languages are written in small letters alone.
        let word = match self.parser.token(0) {
            Some(Token::Name(name)) => Rc::clone(name),
            _ => "".into(),
        };
        let next = self.parser.sign(1);
        let is_declared = !self.is_script() && self.declared().is_some();
        if next == "=" || next == "." && !is_declared {
            return self.expression_statement();
        }
        match &*word {
            "if" if next == "(" => self.branch(),
            "while" if next == "(" => {
                self.parser.at += 1;
                self.parser.step(Step::Loop);
                let condition = self.condition();
                self.parser.step(Step::While(condition));
                self.statement();
                self.parser.step(Step::EndLoop);
            }
            "do" => {
                self.parser.at += 1;
                self.parser.step(Step::Loop);
                self.statement();
                if self.parser.take_word("while") && self.parser.sign(0) == "(" {
                    let condition = self.condition();
                    self.parser.step(Step::While(condition));
                }
                self.parser.step(Step::EndLoop);
            }
            "for" | "foreach" => self.for_loop(),
            "switch" if next == "(" => self.switch(),
            "try" | "finally" | "else" | "unsafe" | "checked" => {
                self.parser.at += 1;
                // What is opened here is closed at the end of the block, whatever happens.
                if self.parser.sign(0) == "(" {
                    let end = self.parser.closing();
                    self.parser.at += 1;
                    while self.parser.at < end {
                        self.statement();
                    }
                    self.parser.past(end);
                }
            }
            "catch" => {
                self.parser.at += 1;
                if self.parser.sign(0) == "(" {
                    self.parser.past_bracket();
                }
                self.parser.step(Step::If(None));
                self.statement();
                self.parser.step(Step::EndIf);
            }
            "return" => {
                self.parser.at += 1;
                let is_empty = matches!(self.parser.sign(0), ";" | "}") || self.parser.is_end();
                let value = if is_empty { None } else { Some(self.evaluate(|reader| reader.expression(0))) };
                self.parser.step(Step::Return(value));
            }
            "break" | "continue" => {
                self.parser.at += 1;
                self.parser.skip_past(&[";"]);
                self.parser.step(Step::Leave { ends: false });
            }
            "throw" => {
                self.parser.at += 1;
                self.expression_statement();
                self.parser.step(Step::Leave { ends: true });
            }
            "package" | "namespace" if next != "{" => {
                self.parser.at += 1;
                while self.parser.take_name().is_some() && self.parser.take(".") {}
                self.parser.take("{");
            }
            "import" if self.is_script() && next != "(" => self.import(),
            "import" if !self.is_script() => self.parser.skip_past(&[";"]),
            "using"
                if next != "("
                    && self.dialect == Dialect::CSharp
                    && self.declared_behind_using().is_none() =>
            {
                self.parser.skip_past(&[";"]);
            }
            "using" | "lock" | "synchronized" | "with" | "fixed" if next == "(" => {
                self.parser.at += 1;
                let end = self.parser.closing();
                self.parser.at += 1;
                while self.parser.at < end {
                    self.statement();
                }
                self.parser.past(end);
            }
            "class" | "interface" | "enum" | "struct"
                if matches!(self.parser.token(1), Some(Token::Name(_))) =>
            {
                self.parser.at += 1;
                if let Some(name) = self.parser.take_name() {
                    self.class_body(name);
                }
            }
            "function"
                if matches!(self.parser.token(1), Some(Token::Name(_))) || self.parser.sign(1) == "*" =>
            {
                self.parser.at += 1;
                self.parser.take("*");
                let name = self.parser.take_name();
                self.function(name, None);
            }
            "var" | "let" | "const" if self.is_script() => {
                self.parser.at += 1;
                self.declarations(true);
            }
            _ if MODIFIERS.contains(&&*word) && matches!(self.parser.token(1), Some(Token::Name(_))) => {
                self.parser.at += 1
            }
            _ => match self.declared().filter(|_| !self.is_script()) {
                Some(length) if self.parser.sign(length + 1) == "(" => {
                    if !self.is_function(length + 1) {
                        return self.expression_statement();
                    }
                    self.parser.at += length;
                    let name = self.parser.take_name();
                    let class = self.class.clone();
                    self.function(name, class);
                }
                Some(length) => {
                    self.parser.at += length;
                    self.declarations(false);
                }
                None => self.expression_statement(),
            },
        }
    }

    fn declared_behind_using(&self) -> Option<usize> {
        let length = self.type_length(1)?;
        (self.parser.sign(length + 2) == "=").then_some(length)
    }

    fn expression_statement(&mut self) {
        self.evaluate(|reader| {
            let mut value = reader.expression(0);
            while reader.parser.take(",") {
                value = reader.expression(0);
            }
            value
        });
        self.parser.take(";");
    }

    /// `a = 1, b[] = c` from the first name on.
    fn declarations(&mut self, script: bool) {
        loop {
            if !self.declaration(script) || !self.parser.take(",") {
                break;
            }
        }
        self.parser.take(";");
    }

    fn declaration(&mut self, script: bool) -> bool {
        let before = self.parser.at;
        self.evaluate(|reader| {
            let target = if script && matches!(reader.parser.sign(0), "{" | "[") {
                reader.pattern()
            } else {
                match reader.parser.take_name() {
                    Some(name) => {
                        reader.parser.local(&name);
                        reader.parser.node(NodeKind::Variable(name))
                    }
                    None => reader.parser.node(NodeKind::Unknown),
                }
            };
            while reader.parser.sign(0) == "[" {
                reader.parser.past_bracket();
            }
            if reader.parser.take("=") {
                let value = reader.expression(1);
                reader.parser.node(NodeKind::Assign { sign: "", target, value })
            } else {
                target
            }
        });
        self.parser.at > before
    }

    fn condition(&mut self) -> Id {
        self.evaluate(|reader| {
            let end = reader.parser.closing();
            reader.parser.at += 1;
            let condition = reader.expression(0);
            reader.parser.past(end);
            condition
        })
    }

    fn branch(&mut self) {
        let mut open = 0;
        loop {
            self.parser.at += 1;
            let condition = self.condition();
            self.parser.step(Step::If(Some(condition)));
            open += 1;
            self.statement();
            if self.parser.is_word(0, "else") && self.parser.is_word(1, "if") && self.parser.sign(2) == "(" {
                self.parser.at += 1;
                self.parser.step(Step::Else);
            } else {
                break;
            }
        }
        if self.parser.take_word("else") {
            self.parser.step(Step::Else);
            self.statement();
        }
        for _ in 0..open {
            self.parser.step(Step::EndIf);
        }
    }

    /// `for (a; b; c)`, `for (T a : b)`, `foreach (T a in b)`, `for (const a of b)`.
    fn for_loop(&mut self) {
        self.parser.at += 1;
        self.parser.take_word("await");
        if self.parser.sign(0) != "(" {
            return;
        }
        let end = self.parser.closing();
        self.parser.at += 1;
        let split = (0..32).find(|ahead| {
            self.parser.at + ahead < end
                && (self.parser.sign(*ahead) == ":"
                    || self.parser.is_word(*ahead, "in")
                    || self.parser.is_word(*ahead, "of"))
        });
        let first = (0..).find(|ahead| self.parser.sign(*ahead) == ";" || self.parser.at + ahead >= end);
        match split.filter(|split| first.is_none_or(|first| *split < first)) {
            Some(split) => {
                let start = self.parser.at;
                let is_keys = self.is_script() && self.parser.is_word(split, "in");
                self.parser.at = start + split + 1;
                let subject = self.evaluate(|reader| reader.expression(0));
                self.parser.at = start;
                let (targets, target) = self.range(|reader| {
                    if reader.is_script() {
                        let _ = reader.parser.take_word("const")
                            || reader.parser.take_word("let")
                            || reader.parser.take_word("var");
                        reader.pattern()
                    } else {
                        reader.parser.at = start + split - 1;
                        match reader.parser.take_name() {
                            Some(name) => {
                                reader.parser.local(&name);
                                reader.parser.node(NodeKind::Variable(name))
                            }
                            None => reader.parser.node(NodeKind::Unknown),
                        }
                    }
                });
                self.parser.at = end;
                self.parser.past(end);
                self.parser.step(Step::Loop);
                let (targets, key, value) = if is_keys {
                    // Its keys alone.
                    let value = self.parser.node(NodeKind::Unknown);
                    (targets.start..value + 1, Some(target), value)
                } else {
                    (targets, None, target)
                };
                self.parser.step(Step::Each { subject, targets, key, value });
                self.statement();
                self.parser.step(Step::EndLoop);
            }
            None => {
                self.statement_within(end);
                let (test, condition) = self.range(|reader| reader.part(end));
                let (next, _) = self.range(|reader| reader.part(end));
                self.parser.past(end);
                self.parser.step(Step::Loop);
                self.parser.step(Step::Eval(test));
                if let Some(condition) = condition {
                    self.parser.step(Step::While(condition));
                }
                self.statement();
                self.parser.step(Step::Eval(next));
                self.parser.step(Step::EndLoop);
            }
        }
    }

    fn statement_within(&mut self, end: usize) {
        if self.parser.at < end && !self.parser.take(";") {
            self.statement();
        }
    }

    fn part(&mut self, end: usize) -> Option<Id> {
        let mut last = None;
        while self.parser.at < end && self.parser.sign(0) != ";" {
            let before = self.parser.at;
            last = Some(self.expression(0));
            if !self.parser.take(",") || self.parser.at == before {
                break;
            }
        }
        self.parser.skip_past(&[";"]);
        last
    }

    fn switch(&mut self) {
        self.parser.at += 1;
        let subject = self.condition();
        self.parser.step(Step::Switch(subject));
        let end = self.parser.closing();
        self.parser.at += 1;
        while self.parser.at < end && !self.parser.is_end() {
            if self.parser.take_word("case") {
                let value = self.evaluate(|reader| reader.expression(6));
                self.parser.step(Step::Case(Some(value)));
                let _ = self.parser.take(":") || self.parser.take("->");
            } else if self.parser.is_word(0, "default") && matches!(self.parser.sign(1), ":" | "->") {
                self.parser.at += 2;
                self.parser.step(Step::Case(None));
            } else {
                self.statement();
            }
        }
        self.parser.past(end);
        self.parser.step(Step::EndSwitch);
    }

    /// `import a, {b as c} from 'm'`, `import * as a from 'm'`.
    fn import(&mut self) {
        let line = self.parser.line();
        self.parser.at += 1;
        let mut names: Vec<(Option<Rc<str>>, Rc<str>)> = Vec::new();
        let mut in_braces = false;
        let mut module = None;
        while !self.parser.is_end() {
            match self.parser.token(0).cloned() {
                Some(Token::Text(text)) => {
                    module = Some(text);
                    self.parser.at += 1;
                    break;
                }
                Some(Token::Sign(";")) => break,
                Some(Token::Sign(sign)) => {
                    in_braces = sign == "{" || (in_braces && sign != "}");
                    if sign == "*" {
                        names.push((None, "*".into()));
                    }
                }
                Some(Token::Name(word)) if &*word == "as" => {
                    self.parser.at += 1;
                    if let (Some(Token::Name(name)), Some(last)) =
                        (self.parser.token(0).cloned(), names.last_mut())
                    {
                        last.1 = name;
                    }
                }
                Some(Token::Name(word)) if &*word == "from" && !in_braces => {}
                Some(Token::Name(name)) => names.push((in_braces.then(|| Rc::clone(&name)), name)),
                _ => {}
            }
            self.parser.at += 1;
        }
        let Some(module) = module else { return };
        for (member, name) in names {
            self.evaluate(|reader| {
                let parser = &mut reader.parser;
                let target = parser.node_at(line, NodeKind::Variable(name));
                let callee = parser.node_at(line, NodeKind::Variable("require".into()));
                let text = parser.node_at(line, NodeKind::Text(Rc::clone(&module)));
                let mut value = parser.node_at(line, NodeKind::Call { callee, args: [text].into() });
                if let Some(name) = member {
                    value = parser.node_at(line, NodeKind::Member { base: value, name });
                }
                parser.node_at(line, NodeKind::Assign { sign: "", target, value })
            });
        }
    }
}
