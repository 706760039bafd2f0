//! What the readers of all languages share: going along the tokens, and writing down nodes and steps.

use std::ops::Range;
use std::rc::Rc;

use super::syntax::{Function, Id, Node, NodeKind, Step, Token, Tokens, Unit};

/// Blocks and expressions within one another that are read; what is deeper is passed over, which is said.
const MAX_DEPTH: usize = 160;

/// Goes along tokens and writes a unit.
pub(super) struct Parser {
    tokens: Vec<(Token, u32)>,
    closings: Vec<u32>,
    pub(super) at: usize,
    depth: usize,
    pub(super) unit: Unit,
    /// The functions at hand, the innermost last.
    functions: Vec<usize>,
}

impl Parser {
    pub(super) fn new(tokens: Tokens) -> Self {
        let closings = tokens.closings();
        let unit = Unit { functions: vec![Function::default()], classes: Vec::new(), cut: tokens.cut };
        Self { tokens: tokens.tokens, closings, at: 0, depth: 0, unit, functions: vec![0] }
    }

    // Going along

    pub(super) fn is_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(super) fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|(token, _)| token)
    }

    pub(super) fn line(&self) -> u32 {
        self.tokens.get(self.at.min(self.tokens.len().saturating_sub(1))).map_or(1, |(_, line)| *line)
    }

    /// The sign ahead; empty if it is none.
    pub(super) fn sign(&self, ahead: usize) -> &'static str {
        match self.token(ahead) {
            Some(Token::Sign(sign)) => sign,
            _ => "",
        }
    }

    /// Whether the name ahead is this keyword, in small letters, whatever its case.
    pub(super) fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.token(ahead), Some(Token::Name(name)) if name.eq_ignore_ascii_case(word))
    }

    /// The keyword ahead in small letters; empty if it is no name.
    pub(super) fn word(&self) -> String {
        match self.token(0) {
            Some(Token::Name(name)) => name.to_ascii_lowercase(),
            _ => String::new(),
        }
    }

    /// Passes the sign if it is there.
    pub(super) fn take(&mut self, sign: &str) -> bool {
        let is_there = self.sign(0) == sign && !sign.is_empty();
        self.at += usize::from(is_there);
        is_there
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let is_there = self.is_word(0, word);
        self.at += usize::from(is_there);
        is_there
    }

    pub(super) fn take_name(&mut self) -> Option<Rc<str>> {
        let Some(Token::Name(name)) = self.token(0) else { return None };
        let name = Rc::clone(name);
        self.at += 1;
        Some(name)
    }

    /// Behind the bracket that closes the one ahead; ahead if there is none.
    pub(super) fn past_bracket(&mut self) {
        self.at = match self.sign(0) {
            "(" | "[" | "{" => self.closings[self.at] as usize + 1,
            _ => self.at + 1,
        };
    }

    /// Behind what stands at `end`.
    pub(super) fn past(&mut self, end: usize) {
        self.at = self.at.max(end.saturating_add(1));
    }

    /// The token at a place from the beginning.
    pub(super) fn token_at(&self, place: usize) -> Option<&Token> {
        self.tokens.get(place).map(|(token, _)| token)
    }

    /// Where the bracket at a place from the beginning closes.
    pub(super) fn closing_of(&self, place: usize) -> usize {
        self.closings.get(place).map_or(place, |closing| *closing as usize)
    }

    /// Where the bracket so many tokens ahead closes.
    pub(super) fn closing_at(&self, ahead: usize) -> usize {
        self.closing_of(self.at + ahead)
    }

    /// Where the bracket ahead closes.
    pub(super) fn closing(&self) -> usize {
        self.closings.get(self.at).map_or(self.at, |place| *place as usize)
    }

    /// Behind the next of these signs that is in no bracket, or before what closes the bracket around.
    pub(super) fn skip_past(&mut self, signs: &[&str]) {
        while !self.is_end() {
            let sign = self.sign(0);
            if signs.contains(&sign) {
                self.at += 1;
                return;
            }
            match sign {
                ")" | "]" | "}" => return,
                _ => self.past_bracket(),
            }
        }
    }

    /// Whether something one level deeper is read; then [`Self::leave`] ends it. Else it is passed over.
    pub(super) fn enter(&mut self) -> bool {
        if self.depth == MAX_DEPTH {
            self.unit.cut = true;
            self.past_bracket();
            return false;
        }
        self.depth += 1;
        true
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Reads something one level deeper, or passes over it.
    pub(super) fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> T,
        otherwise: impl FnOnce(&mut Self) -> T,
    ) -> T {
        if !self.enter() {
            return otherwise(self);
        }
        let read = read(self);
        self.leave();
        read
    }

    // Writing down

    pub(super) fn function(&mut self) -> &mut Function {
        let current = self.functions.last().copied().unwrap_or_default();
        &mut self.unit.functions[current]
    }

    /// Whatever is written until [`Self::end_function`] is a new function's.
    pub(super) fn begin_function(&mut self, name: Option<Rc<str>>, class: Option<Rc<str>>) {
        self.functions.push(self.unit.functions.len());
        self.unit.functions.push(Function { name, class, ..Function::default() });
    }

    pub(super) fn end_function(&mut self) -> usize {
        if self.functions.len() > 1 { self.functions.pop().unwrap_or_default() } else { 0 }
    }

    pub(super) fn node_at(&mut self, line: u32, kind: NodeKind) -> Id {
        let nodes = &mut self.function().nodes;
        nodes.push(Node { line, kind });
        (nodes.len() - 1) as Id
    }

    pub(super) fn node(&mut self, kind: NodeKind) -> Id {
        let line = self.line();
        self.node_at(line, kind)
    }

    pub(super) fn kind(&mut self, id: Id) -> &NodeKind {
        &self.function().nodes[id as usize].kind
    }

    pub(super) fn text(&mut self, text: &str) -> Id {
        self.node(NodeKind::Text(text.as_bytes().into()))
    }

    pub(super) fn call_named(&mut self, line: u32, name: &str, args: Vec<Id>) -> Id {
        let callee = self.node_at(line, NodeKind::Name(name.into()));
        self.node_at(line, NodeKind::Call { callee, args: args.into() })
    }

    /// That a variable is the function's own, whatever others call theirs.
    pub(super) fn local(&mut self, name: &Rc<str>) {
        if self.functions.len() > 1 {
            self.function().locals.push(Rc::clone(name));
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        self.function().steps.push(step);
    }

    /// The nodes that `read` writes.
    pub(super) fn range<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> (Range<Id>, T) {
        let start = self.function().nodes.len() as Id;
        let value = read(self);
        (start..self.function().nodes.len() as Id, value)
    }

    /// Reads an expression and evaluates it here.
    pub(super) fn evaluate(&mut self, read: impl FnOnce(&mut Self) -> Id) -> Id {
        let (range, id) = self.range(read);
        self.step(Step::Eval(range));
        id
    }
}
