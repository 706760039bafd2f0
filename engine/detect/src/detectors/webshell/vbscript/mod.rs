//! VBScript's statements (MS-VBAL §5.4, as far as VBScript has them), read with forbearance.
//!
//! A block ends with words of its own, so blocks are kept in a list and reading them never recurses.

mod expression;
mod lex;

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use super::page::Part;
use super::parser::Parser;
use super::syntax::{Id, NodeKind, Param, Step, Token, Tokens, Unit};

/// What keeps the object of a `With`: no name of a program has a blank.
const WITH: &str = "with block";

/// Reads parts of a page as one program.
pub(super) fn unit(parts: &[Part<'_>]) -> Unit {
    let mut tokens = Tokens::default();
    for part in parts {
        lex::tokens(&part.source, part.line, &mut tokens);
    }
    let functions = tokens.tokens.windows(2).filter_map(|pair| match pair {
        [(Token::Name(word), _), (Token::Name(name), _)] if &**word == "function" => Some(Rc::clone(name)),
        _ => None,
    });
    let functions = functions.collect();
    let mut reader = Reader { parser: Parser::new(tokens), functions, blocks: Vec::new() };
    while !reader.parser.is_end() {
        let before = reader.parser.at;
        reader.statement();
        if reader.parser.at == before {
            reader.parser.at += 1;
        }
    }
    while let Some(block) = reader.blocks.pop() {
        reader.close(block);
    }
    reader.parser.unit
}

/// A block that is open.
enum Block {
    /// So many branches within one another; of one line, which ends it.
    If {
        open: usize,
        one_line: bool,
    },
    Select,
    Loop,
    /// A loop that counts this variable up, by what stands at a place.
    For {
        variable: Rc<str>,
        by: Option<usize>,
    },
    With,
    Class(Rc<str>),
    /// A function and whether it gives something.
    Function {
        name: Rc<str>,
        gives: bool,
    },
}

struct Reader {
    parser: Parser,
    /// Names of the program's functions.
    functions: HashSet<Rc<str>>,
    blocks: Vec<Block>,
}

impl Reader {
    fn evaluate(&mut self, read: impl FnOnce(&mut Self) -> Id) -> Id {
        let (range, id) = self.range(read);
        self.parser.step(Step::Eval(range));
        id
    }

    fn range<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> (Range<Id>, T) {
        let start = self.parser.function().nodes.len() as Id;
        let value = read(self);
        (start..self.parser.function().nodes.len() as Id, value)
    }

    /// The function around, if it gives something.
    fn own_name(&self) -> Option<&Rc<str>> {
        self.blocks.iter().rev().find_map(|block| match block {
            Block::Function { name, gives: true } => Some(name),
            _ => None,
        })
    }

    fn is_statement_end(&self) -> bool {
        self.parser.is_end()
            || matches!(self.parser.sign(0), ";" | ":")
            || self.parser.is_word(0, "else") && matches!(self.blocks.last(), Some(Block::If { .. }))
    }

    fn skip_statement(&mut self) {
        while !self.is_statement_end() {
            self.parser.at += 1;
        }
    }

    fn statement(&mut self) {
        match self.parser.sign(0) {
            ";" => {
                self.parser.at += 1;
                // The end of the line ends what is of one line.
                while matches!(self.blocks.last(), Some(Block::If { one_line: true, .. })) {
                    self.close_last();
                }
                return;
            }
            ":" => {
                self.parser.at += 1;
                return;
            }
            "." => return self.call_or_assignment(),
            "(" => {
                self.evaluate(|reader| reader.expression(0));
                return;
            }
            _ => {}
        }
        let word = self.parser.word();
        if matches!(self.parser.sign(1), "." | "=") {
            return self.call_or_assignment();
        }
        match word.as_str() {
            "set" | "let" | "call" | "public" | "private" | "default" => self.parser.at += 1,
            "dim" | "redim" => self.dim(),
            "const" => self.parser.at += 1,
            "option" | "on" | "erase" | "randomize" => self.skip_statement(),
            "if" => self.begin_if(),
            "elseif" => self.else_if(),
            "else" => {
                self.parser.at += 1;
                if let Some(Block::If { .. }) = self.blocks.last() {
                    self.parser.step(Step::Else);
                }
            }
            "select" => {
                self.parser.at += 1;
                self.parser.take_word("case");
                let subject = self.evaluate(|reader| reader.expression(0));
                self.parser.step(Step::Switch(subject));
                self.blocks.push(Block::Select);
            }
            "case" => self.case(),
            "for" => self.begin_for(),
            "next" => {
                self.end(|block| matches!(block, Block::For { .. } | Block::Loop));
                self.skip_statement();
            }
            "do" => {
                self.parser.at += 1;
                self.parser.step(Step::Loop);
                self.blocks.push(Block::Loop);
                self.condition();
            }
            "while" => {
                self.parser.step(Step::Loop);
                self.blocks.push(Block::Loop);
                self.condition();
            }
            "loop" => {
                self.parser.at += 1;
                if self.parser.take_word("while") || self.parser.take_word("until") {
                    self.evaluate(|reader| reader.expression(0));
                }
                self.end(|block| matches!(block, Block::Loop));
            }
            "wend" => {
                self.parser.at += 1;
                self.end(|block| matches!(block, Block::Loop));
            }
            "with" => {
                self.parser.at += 1;
                self.evaluate(|reader| {
                    let value = reader.expression(0);
                    let target = reader.parser.node(NodeKind::Variable(WITH.into()));
                    reader.parser.node(NodeKind::Assign { sign: "", target, value })
                });
                self.blocks.push(Block::With);
            }
            "class" => {
                self.parser.at += 1;
                if let Some(name) = self.parser.take_name() {
                    self.parser.unit.classes.push((Rc::clone(&name), None));
                    self.blocks.push(Block::Class(name));
                }
            }
            "function" | "sub" | "property" => self.begin_function(&word),
            "exit" => self.exit(),
            "end" => self.end_of(),
            "" => {}
            _ => self.call_or_assignment(),
        }
    }

    /// `a.b(c) = d`, `a.b(c)`, `a.b c, d`.
    fn call_or_assignment(&mut self) {
        self.evaluate(|reader| {
            let line = reader.parser.line();
            let mut target = reader.named();
            loop {
                let line = reader.parser.line();
                target = match reader.parser.sign(0) {
                    "." => match reader.member(target) {
                        Some(member) => member,
                        None => break,
                    },
                    // `f (a) & b` gives one argument, `f(a)` is the whole call.
                    "(" if reader.is_whole_call() => {
                        let args = reader.arguments();
                        reader.parser.node_at(line, NodeKind::Call { callee: target, args: args.into() })
                    }
                    _ => break,
                };
            }
            if reader.parser.take("=") {
                let value = reader.expression(0);
                let node = &mut reader.parser.function().nodes[target as usize].kind;
                if let NodeKind::Call { callee, args } = node {
                    *node = NodeKind::Index { base: *callee, key: args.first().copied() };
                }
                return reader.parser.node_at(line, NodeKind::Assign { sign: "", target, value });
            }
            let mut args = Vec::new();
            while !reader.is_statement_end() {
                let before = reader.parser.at;
                args.push(reader.expression(0));
                if !reader.parser.take(",") && reader.parser.at == before {
                    reader.parser.at += 1;
                }
            }
            match reader.parser.kind(target) {
                NodeKind::Call { .. } if args.is_empty() => target,
                _ => reader.parser.node_at(line, NodeKind::Call { callee: target, args: args.into() }),
            }
        });
    }

    /// Whether what is behind the bracket ahead does not go on with an argument.
    fn is_whole_call(&self) -> bool {
        match self.parser.token_at(self.parser.closing() + 1) {
            None | Some(Token::Sign("=" | "." | "(" | ")" | ";" | ":")) => true,
            Some(Token::Name(name)) => &**name == "else",
            Some(_) => false,
        }
    }

    /// `Dim a, b(3)`: nothing, or a list.
    fn dim(&mut self) {
        self.parser.at += 1;
        let kept = self.parser.take_word("preserve");
        while let Some(name) = self.parser.take_name() {
            self.parser.local(&name);
            let is_list = self.parser.sign(0) == "(";
            if is_list {
                self.parser.past_bracket();
            }
            if !kept {
                self.evaluate(|reader| {
                    let target = reader.parser.node(NodeKind::Variable(name));
                    let value = if is_list {
                        reader.parser.node(NodeKind::List([].into()))
                    } else {
                        reader.parser.text("")
                    };
                    reader.parser.node(NodeKind::Assign { sign: "", target, value })
                });
            }
            if !self.parser.take(",") {
                break;
            }
        }
    }

    // Branches

    fn begin_if(&mut self) {
        self.parser.at += 1;
        let condition = self.evaluate(|reader| reader.expression(0));
        self.parser.step(Step::If(Some(condition)));
        self.parser.take_word("then");
        self.blocks.push(Block::If { open: 1, one_line: self.parser.sign(0) != ";" });
    }

    fn else_if(&mut self) {
        self.parser.at += 1;
        let is_of_if = matches!(self.blocks.last(), Some(Block::If { .. }));
        if is_of_if {
            self.parser.step(Step::Else);
        }
        let condition = self.evaluate(|reader| reader.expression(0));
        self.parser.take_word("then");
        if let Some(Block::If { open, .. }) = self.blocks.last_mut() {
            *open += 1;
            self.parser.step(Step::If(Some(condition)));
        }
    }

    /// `Case a, b`, `Case Is > a`, `Case Else`.
    fn case(&mut self) {
        self.parser.at += 1;
        let is_of_select = matches!(self.blocks.last(), Some(Block::Select));
        if self.parser.take_word("else") {
            if is_of_select {
                self.parser.step(Step::Case(None));
            }
            return;
        }
        while !self.is_statement_end() {
            let before = self.parser.at;
            if self.parser.take_word("is") {
                self.parser.at += 1;
            }
            let value = self.evaluate(|reader| reader.expression(0));
            if is_of_select {
                self.parser.step(Step::Case(Some(value)));
            }
            if !(self.parser.take(",") || self.parser.take_word("to")) && self.parser.at == before {
                break;
            }
        }
    }

    // Loops

    /// `While a`, `Until a` behind the beginning of a loop.
    fn condition(&mut self) {
        let until = self.parser.is_word(0, "until");
        if !(self.parser.take_word("while") || self.parser.take_word("until")) {
            return;
        }
        let condition = self.evaluate(|reader| {
            let line = reader.parser.line();
            let operand = reader.expression(0);
            if until { reader.parser.node_at(line, NodeKind::Unary { sign: "!", operand }) } else { operand }
        });
        self.parser.step(Step::While(condition));
    }

    /// `For a = b To c Step d`, `For Each a In b`.
    fn begin_for(&mut self) {
        self.parser.at += 1;
        let each = self.parser.take_word("each");
        let Some(variable) = self.parser.take_name() else { return };
        let target = |reader: &mut Self, variable: &Rc<str>| {
            reader.parser.node(NodeKind::Variable(Rc::clone(variable)))
        };
        if each {
            self.parser.take_word("in");
            let subject = self.evaluate(|reader| reader.expression(0));
            let (targets, value) = self.range(|reader| target(reader, &variable));
            self.parser.step(Step::Loop);
            self.parser.step(Step::Each { subject, targets, key: None, value });
            self.blocks.push(Block::Loop);
            return;
        }
        self.parser.take("=");
        self.evaluate(|reader| {
            let value = reader.expression(0);
            let target = target(reader, &variable);
            reader.parser.node(NodeKind::Assign { sign: "", target, value })
        });
        self.parser.take_word("to");
        self.parser.step(Step::Loop);
        let condition = self.evaluate(|reader| {
            let left = target(reader, &variable);
            let right = reader.expression(0);
            let is_down = reader.parser.is_word(0, "step") && reader.parser.sign(1) == "-";
            let sign = if is_down { ">=" } else { "<=" };
            reader.parser.node(NodeKind::Binary { sign, left, right })
        });
        self.parser.step(Step::While(condition));
        let by = self.parser.take_word("step").then_some(self.parser.at);
        self.skip_statement();
        self.blocks.push(Block::For { variable, by });
    }

    /// Counts on.
    fn count(&mut self, variable: Rc<str>, by: Option<usize>) {
        let back = self.parser.at;
        self.evaluate(|reader| {
            let left = reader.parser.node(NodeKind::Variable(Rc::clone(&variable)));
            let right = match by {
                Some(place) => {
                    reader.parser.at = place;
                    reader.expression(0)
                }
                None => reader.parser.node(NodeKind::Number(1)),
            };
            let value = reader.parser.node(NodeKind::Binary { sign: "+", left, right });
            let target = reader.parser.node(NodeKind::Variable(variable));
            reader.parser.node(NodeKind::Assign { sign: "", target, value })
        });
        self.parser.at = back;
    }

    // Functions

    fn begin_function(&mut self, word: &str) {
        self.parser.at += 1;
        let gives = match word {
            "property" => {
                let gets = self.parser.is_word(0, "get");
                self.parser.at += 1;
                gets
            }
            word => word == "function",
        };
        let Some(name) = self.parser.take_name() else { return };
        let class = self.blocks.iter().rev().find_map(|block| match block {
            Block::Class(name) => Some(Rc::clone(name)),
            _ => None,
        });
        self.parser.begin_function(Some(Rc::clone(&name)), class);
        if gives {
            self.parser.local(&name);
        }
        if self.parser.sign(0) == "(" {
            let end = self.parser.closing();
            self.parser.at += 1;
            while self.parser.at < end && !self.parser.is_end() {
                let by_value = self.parser.take_word("byval");
                self.parser.take_word("byref");
                if let Some(name) = self.parser.take_name() {
                    let param = Param { name, by_reference: !by_value, rest: false };
                    self.parser.function().params.push(param);
                } else {
                    self.parser.past_bracket();
                }
                while self.parser.at < end && self.parser.sign(0) == "(" {
                    self.parser.past_bracket();
                }
                self.parser.take(",");
            }
            self.parser.past(end);
        }
        self.blocks.push(Block::Function { name, gives });
    }

    /// Gives what was assigned to the function's name.
    fn give(&mut self) {
        let value = self
            .own_name()
            .cloned()
            .map(|name| self.evaluate(|reader| reader.parser.node(NodeKind::Variable(name))));
        self.parser.step(Step::Return(value));
    }

    // Ends

    fn exit(&mut self) {
        self.parser.at += 1;
        match self.parser.word().as_str() {
            "function" | "sub" | "property" => self.give(),
            _ => self.parser.step(Step::Leave { ends: false }),
        }
        self.skip_statement();
    }

    /// `End If` and its like; `End` alone ends the program.
    fn end_of(&mut self) {
        self.parser.at += 1;
        match self.parser.word().as_str() {
            "if" => self.end(|block| matches!(block, Block::If { .. })),
            "select" => self.end(|block| matches!(block, Block::Select)),
            "with" => self.end(|block| matches!(block, Block::With)),
            "class" => self.end(|block| matches!(block, Block::Class(_))),
            "function" | "sub" | "property" => self.end(|block| matches!(block, Block::Function { .. })),
            _ => self.parser.step(Step::Leave { ends: true }),
        }
        self.skip_statement();
    }

    /// Closes blocks up to the last one that is such a block; none if there is no such block.
    fn end(&mut self, is_it: fn(&Block) -> bool) {
        let Some(place) = self.blocks.iter().rposition(is_it) else { return };
        while self.blocks.len() > place {
            self.close_last();
        }
    }

    fn close_last(&mut self) {
        if let Some(block) = self.blocks.pop() {
            self.close(block);
        }
    }

    fn close(&mut self, block: Block) {
        match block {
            Block::If { open, .. } => {
                for _ in 0..open {
                    self.parser.step(Step::EndIf);
                }
            }
            Block::Select => self.parser.step(Step::EndSwitch),
            Block::Loop => self.parser.step(Step::EndLoop),
            Block::For { variable, by } => {
                self.count(variable, by);
                self.parser.step(Step::EndLoop);
            }
            Block::With | Block::Class(_) => {}
            Block::Function { name, gives } => {
                self.blocks.push(Block::Function { name, gives });
                self.give();
                self.blocks.pop();
                self.parser.end_function();
            }
        }
    }
}
