//! The variables of one call, and what functions that are made in it see of them once it is over.

use std::cell::OnceCell;
use std::rc::Rc;

use super::{HashMap, HashSet};
use crate::detectors::webshell::value::{Taint, Value};

/// Captures of one call that share what did not change between them: whoever looks a variable up may go through all of them.
const MAX_SHARED: usize = 16;
/// Captures behind one another, also of functions that are made in one another. What is further out is not known.
const MAX_DEPTH: usize = 128;

/// The variables of one call.
#[derive(Default)]
pub(super) struct Frame {
    /// Tells it from the others.
    pub(super) number: u64,
    own: HashMap<Rc<str>, Value>,
    /// What its function sees of where it was made, if that is over.
    pub(super) captured: Option<Rc<Captured>>,
    /// What the function that was made last in it sees, and which variables were set since.
    made: Option<Rc<Captured>>,
    changed: Vec<Rc<str>>,
    /// Names that are this call's, whatever others call theirs.
    pub(super) locals: Rc<HashSet<Rc<str>>>,
    /// Names that are the whole program's.
    pub(super) globals: HashSet<Rc<str>>,
    /// What any variable is that was not set: after what sets variables by names from outside.
    pub(super) any: Option<Rc<Taint>>,
    pub(super) args: Vec<Value>,
    /// What it yielded, one or the other.
    pub(super) given: Option<Value>,
    /// Places that are no variables and were checked: their values are among the variables under these names.
    pub(super) checked: HashSet<Rc<str>>,
    pub(super) class: Option<Rc<str>>,
    /// Whether branches are taken as their condition says, where it is known.
    pub(super) certain: bool,
}

impl Frame {
    /// A variable, its own or one that its function sees.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.own.get(name).or_else(|| self.captured.as_ref()?.get(name))
    }

    pub(super) fn has_own(&self, name: &str) -> bool {
        self.own.contains_key(name)
    }

    /// Sets a variable of its own, or takes it away; what it was.
    pub(super) fn put(&mut self, name: &Rc<str>, value: Option<Value>) -> Option<Value> {
        if self.made.is_some() {
            self.changed.push(Rc::clone(name));
            // Then copying all of them is no more than this.
            if self.changed.len() > self.own.len() {
                self.made = None;
            }
        }
        match value {
            Some(value) => self.own.insert(Rc::clone(name), value),
            None => self.own.remove(name),
        }
    }

    /// What a function that is made now sees, and how many variables were copied for that.
    pub(super) fn capture(&mut self) -> (Rc<Captured>, usize) {
        if let Some(made) = self.made.as_ref().filter(|_| self.changed.is_empty()) {
            return (Rc::clone(made), 0);
        }
        let mut captured = Captured { frame: self.number, ..Captured::default() };
        let copy = |(name, value): (&Rc<str>, &Value)| (Rc::clone(name), Some(value.clone()));
        match self.made.take().filter(|made| made.shared < MAX_SHARED) {
            Some(made) => {
                let own = |name: &Rc<str>| (Rc::clone(name), self.own.get(name).cloned());
                captured.changed = self.changed.iter().map(own).collect();
                (captured.shared, captured.depth) = (made.shared + 1, made.depth + 1);
                captured.before = Some(made);
            }
            None => {
                captured.changed = self.own.iter().map(copy).collect();
                captured.before = self.captured.clone().filter(|around| around.depth < MAX_DEPTH);
                captured.depth = captured.before.as_ref().map_or(0, |around| around.depth + 1);
            }
        }
        self.changed.clear();
        let (copied, captured) = (captured.changed.len(), Rc::new(captured));
        self.made = Some(Rc::clone(&captured));
        (captured, copied)
    }
}

/// The variables that a function sees of where it was made, as they were then.
#[derive(Debug, Default)]
pub(in crate::detectors::webshell) struct Captured {
    /// The call that made it.
    pub(super) frame: u64,
    /// What changed since `before`; none: taken away.
    changed: HashMap<Rc<str>, Option<Value>>,
    before: Option<Rc<Captured>>,
    shared: usize,
    depth: usize,
    signature: OnceCell<u64>,
}

impl Captured {
    /// These variables and no others.
    pub(super) fn of(variables: impl IntoIterator<Item = (Rc<str>, Value)>) -> Self {
        let changed = variables.into_iter().map(|(name, value)| (name, Some(value))).collect();
        Self { changed, ..Self::default() }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut captured = self;
        loop {
            if let Some(value) = captured.changed.get(name) {
                return value.as_ref();
            }
            captured = captured.before.as_deref()?;
        }
    }

    /// What tells these variables from others, by what tells one of them from others; made once.
    pub(super) fn signature(&self, of: &impl Fn(&str, &Value) -> u64) -> u64 {
        *self.signature.get_or_init(|| {
            let before = self.before.as_deref();
            let sum = before.map_or(0, |before| before.signature(of));
            self.changed.iter().fold(sum, |sum, (name, value)| {
                let was = before.and_then(|before| before.get(name)).map_or(0, |was| of(name, was));
                let is = value.as_ref().map_or(0, |value| of(name, value));
                sum.wrapping_sub(was).wrapping_add(is)
            })
        })
    }
}
