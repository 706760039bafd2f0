//! What programs of all languages are read into: functions that are flat lists of steps over flat lists of nodes.
//!
//! A node's operands come before it, and a block is a step that begins it and one that ends it. So whoever follows a program goes along
//! two lists and never recurses, however deep the source nests.

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use foldhash::fast::RandomState;

/// Bytes of a string of the program.
pub(super) type Bytes = Rc<[u8]>;

/// A node of the function at hand, by its place.
pub(super) type Id = u32;

/// An expression.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: u32,
    pub(super) kind: NodeKind,
}

#[derive(Debug, Clone)]
pub(super) enum NodeKind {
    /// What could not be read, and what says nothing.
    Unknown,
    Text(Bytes),
    Number(i64),
    /// A bare word: a constant, a function, a class, or a variable where these have no mark.
    Name(Rc<str>),
    /// A variable with a mark (`$name`), without it.
    Variable(Rc<str>),
    /// The variable whose name is the value.
    VariableNamed(Id),
    Index {
        base: Id,
        key: Option<Id>,
    },
    Member {
        base: Id,
        name: Rc<str>,
    },
    MemberNamed {
        base: Id,
        name: Id,
    },
    Call {
        callee: Id,
        args: Box<[Id]>,
    },
    New {
        class: Id,
        args: Box<[Id]>,
    },
    Binary {
        sign: &'static str,
        left: Id,
        right: Id,
    },
    Unary {
        sign: &'static str,
        operand: Id,
    },
    /// `sign` is what is done before assigning, such as `.` in `.=`; empty for none.
    Assign {
        sign: &'static str,
        target: Id,
        value: Id,
    },
    /// One up or down; the value is that before, or after.
    Increment {
        target: Id,
        by: i64,
        before: bool,
    },
    Choice {
        condition: Id,
        yes: Option<Id>,
        no: Id,
    },
    List(Box<[(Option<Id>, Id)]>),
    /// A function of the same unit, as a value.
    Function(usize),
}

/// A step of a function.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Evaluates the nodes in this range, of which the last is the expression's.
    Eval(Range<Id>),
    /// A branch that is taken if the condition holds; none: nobody knows when.
    If(Option<Id>),
    /// What happens if it does not hold.
    Else,
    EndIf,
    /// Begins one of several branches on a value; the first of them also ends what went before.
    Switch(Id),
    Case(Option<Id>),
    EndSwitch,
    /// A loop: up to its end and again while its test holds.
    Loop,
    /// Leaves the loop if the condition does not hold.
    While(Id),
    /// Takes the next item of what is iterated over; `targets` are the nodes of what it is assigned to.
    Each {
        subject: Id,
        targets: Range<Id>,
        key: Option<Id>,
        value: Id,
    },
    EndLoop,
    /// Gives a parameter that was not given its value.
    Default(usize, Range<Id>),
    /// These variables are the whole program's.
    Global(Vec<Rc<str>>),
    Return(Option<Id>),
    /// Nothing that follows in the block is done. If the program `ends`, neither is what follows the block.
    Leave {
        ends: bool,
    },
}

/// A parameter.
#[derive(Debug, Clone)]
pub(super) struct Param {
    pub(super) name: Rc<str>,
    /// What is assigned to it the caller sees.
    pub(super) by_reference: bool,
    /// Takes all arguments from here.
    pub(super) rest: bool,
}

/// A function, or the program itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Function {
    pub(super) name: Option<Rc<str>>,
    pub(super) class: Option<Rc<str>>,
    pub(super) params: Vec<Param>,
    /// Variables of its maker that it sees; all of them if there is no list.
    pub(super) captures: Option<Vec<Rc<str>>>,
    /// Variables that are its own though others have some of that name, where functions see those around them.
    pub(super) locals: Vec<Rc<str>>,
    pub(super) nodes: Vec<Node>,
    pub(super) steps: Vec<Step>,
}

/// A file, or a text that is run as code.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// The first is the program itself.
    pub(super) functions: Vec<Function>,
    /// Classes and what each extends.
    pub(super) classes: Vec<(Rc<str>, Option<Rc<str>>)>,
    /// What was not read because it nests too deep or is too much.
    pub(super) cut: bool,
}

/// What a source is split into.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(Rc<str>),
    /// A variable with a mark, without it.
    Variable(Rc<str>),
    Text(Bytes),
    /// None if it is not whole or too large.
    Number(Option<i64>),
    Sign(&'static str),
}

/// The first of these signs that the source begins with.
pub(super) fn sign(signs: &[&'static str], source: &[u8]) -> Option<&'static str> {
    let first = source.first()?;
    // Nearly all differ in their first byte.
    let mut fits = signs.iter().filter(|sign| sign.as_bytes().first() == Some(first));
    fits.find(|sign| source.starts_with(sign.as_bytes())).copied()
}

/// A source as tokens, and the line of each, from 1.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) tokens: Vec<(Token, u32)>,
    /// Whether something was left out, because it is too much.
    pub(super) cut: bool,
    /// Each name once: programs say the same ones again and again.
    names: HashSet<Rc<str>, RandomState>,
}

impl Tokens {
    /// More are not read.
    const MAX: usize = 1 << 20;

    pub(super) fn push(&mut self, token: Token, line: u32) {
        if self.tokens.len() >= Self::MAX {
            self.cut = true;
            return;
        }
        self.tokens.push((token, line));
    }

    /// A bare word. What of it is no UTF-8 is replaced.
    pub(super) fn name(&mut self, name: &[u8], line: u32) {
        let name = self.once(name);
        self.push(Token::Name(name), line);
    }

    /// A variable with a mark, without it.
    pub(super) fn variable(&mut self, name: &[u8], line: u32) {
        let name = self.once(name);
        self.push(Token::Variable(name), line);
    }

    fn once(&mut self, name: &[u8]) -> Rc<str> {
        let name = String::from_utf8_lossy(name);
        if let Some(known) = self.names.get(&*name) {
            return Rc::clone(known);
        }
        let name: Rc<str> = name.into();
        self.names.insert(Rc::clone(&name));
        name
    }

    /// For each opening bracket where it closes: in one pass, so that skipping what is too deep costs nothing.
    pub(super) fn closings(&self) -> Vec<u32> {
        let mut closings = vec![0; self.tokens.len()];
        let mut open: Vec<usize> = Vec::new();
        for (place, (token, _)) in self.tokens.iter().enumerate() {
            match token {
                Token::Sign("(" | "[" | "{") => open.push(place),
                Token::Sign(")" | "]" | "}") => {
                    if let Some(start) = open.pop() {
                        closings[start] = place as u32;
                    }
                }
                _ => {}
            }
        }
        for start in open {
            closings[start] = self.tokens.len() as u32;
        }
        closings
    }
}
