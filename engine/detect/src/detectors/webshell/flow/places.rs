//! Where values are kept: variables, members, items of lists.

use std::rc::Rc;

use super::run::Run;
use super::{Flow, Frame, MAX_TAINTED};
use crate::detectors::webshell::syntax::{Id, NodeKind};
use crate::detectors::webshell::value::{Key, Value, worse};

/// Items of items that are assigned to.
const MAX_NESTING: usize = 16;

impl Flow<'_> {
    pub(super) fn frame(&self) -> &Frame {
        // There is always the program's own.
        &self.frames[self.frames.len() - 1]
    }

    pub(super) fn frame_mut(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// The frame that has a variable.
    fn home(&self, name: &str) -> usize {
        let last = self.frames.len() - 1;
        let frame = &self.frames[last];
        if frame.globals.contains(name) || self.language.is_shared(name) {
            return 0;
        }
        if !self.language.has_scopes() || frame.locals.contains(name) {
            return last;
        }
        // Whoever calls is most often also around it.
        let open = self.frames.iter().rposition(|frame| frame.has_own(name));
        open.or_else(|| self.frames.iter().rposition(|frame| frame.get(name).is_some())).unwrap_or(last)
    }

    /// What the program set a variable to.
    pub(in crate::detectors::webshell) fn get(&self, name: &str) -> Option<Value> {
        let frame = &self.frames[self.home(name)];
        match frame.get(name) {
            Some(value) => Some(value.clone()),
            None => frame.any.as_ref().map(|taint| Value::tainted(Some(Rc::clone(taint)))),
        }
    }

    pub(in crate::detectors::webshell) fn set(&mut self, name: &Rc<str>, value: Value) {
        let home = self.home(name);
        self.set_in(home, name, value);
    }

    pub(super) fn set_in(&mut self, frame: usize, name: &Rc<str>, value: Value) {
        let is_tainted = value.taint.is_some();
        let Some(own) = self.frames.get_mut(frame) else { return };
        let before = own.put(name, Some(value));
        if frame == 0 && is_tainted && before.as_ref().is_none_or(|before| before.taint.is_none()) {
            let times = self.tainted.entry(Rc::clone(name)).or_default();
            if *times < MAX_TAINTED {
                *times += 1;
                self.epoch += 1;
            }
        }
        self.note_change(frame, name, before);
        if self.frames[frame].checked.iter().any(|checked| is_part(checked, name)) {
            let stale: Vec<Rc<str>> =
                self.frames[frame].checked.iter().filter(|checked| is_part(checked, name)).cloned().collect();
            for checked in stale {
                let before = self.frames[frame].put(&checked, None);
                self.note_change(frame, &checked, before);
            }
        }
    }

    /// A variable of the whole program, such as a constant or a member.
    pub(in crate::detectors::webshell) fn get_shared(&self, name: &str) -> Option<Value> {
        self.frames[0].get(name).cloned()
    }

    /// A member that the program put something into.
    pub(super) fn get_member(&self, name: &str) -> Option<Value> {
        if self.members.contains(name) { self.get_shared(&format!("->{name}")) } else { None }
    }

    pub(in crate::detectors::webshell) fn set_shared(&mut self, name: &str, value: Value) {
        if let Some(member) = name.strip_prefix("->")
            && !self.members.contains(member)
        {
            self.members.insert(member.into());
        }
        self.set_in(0, &name.into(), value);
    }

    /// That variables which nobody set may be set from outside.
    pub(in crate::detectors::webshell) fn set_any(&mut self, value: &Value) {
        let frame = self.frame_mut();
        frame.any = worse(frame.any.as_ref(), value.taint.as_ref());
    }

    /// The name under which it is kept that a place was checked: `_GET[a]`.
    pub(super) fn place(&self, run: &Run, id: Id) -> Option<Rc<str>> {
        let mut parts: Vec<String> = Vec::new();
        let mut at = id;
        for _ in 0..MAX_NESTING {
            match run.kind(at) {
                NodeKind::Variable(name) | NodeKind::Name(name) => {
                    if parts.is_empty() {
                        return Some(Rc::clone(name));
                    }
                    // A function may give another value each time.
                    if self.language.takes_items_by_calls() && self.functions.contains_key(&**name) {
                        return None;
                    }
                    parts.push(name.to_string());
                    parts.reverse();
                    return Some(parts.concat().into());
                }
                NodeKind::Index { base, key: Some(key) } => {
                    parts.push(shown(run.kind(*key))?);
                    at = *base;
                }
                NodeKind::Call { callee, args } if self.language.takes_items_by_calls() => {
                    let [key] = args[..] else { return None };
                    parts.push(shown(run.kind(key))?);
                    at = *callee;
                }
                NodeKind::Member { base, name } => {
                    parts.push(format!(".{name}"));
                    at = *base;
                }
                _ => return None,
            }
        }
        None
    }

    /// What was checked of a place that is no variable.
    pub(super) fn checked_place(&self, run: &Run, id: Id) -> Option<Value> {
        if self.frame().checked.is_empty() {
            return None;
        }
        let place = self.place(run, id)?;
        if self.frame().checked.contains(&place) { self.frame().get(&place).cloned() } else { None }
    }

    pub(super) fn set_checked(&mut self, place: Rc<str>, value: Value) {
        self.frame_mut().checked.insert(Rc::clone(&place));
        let last = self.frames.len() - 1;
        let before = self.frames[last].put(&place, Some(value));
        self.note_change(last, &place, before);
    }

    /// Puts a value where an expression says.
    pub(super) fn assign(&mut self, run: &Run, target: Id, value: Value) {
        self.assign_nested(run, target, value, 0);
    }

    fn assign_nested(&mut self, run: &Run, target: Id, mut value: Value, depth: usize) {
        if depth > MAX_NESTING {
            return;
        }
        let line = self.line(run.unit, run.line(target));
        match run.kind(target) {
            NodeKind::Variable(name) | NodeKind::Name(name) => {
                if let Some(taint) = &value.taint {
                    value.taint = Some(taint.through(line, &self.language.shown(name)));
                }
                self.set(name, value);
            }
            NodeKind::VariableNamed(name) => match run.value(*name).as_text() {
                Some(name) => self.set(&String::from_utf8_lossy(&name).into(), value),
                None => self.set_any(&value),
            },
            NodeKind::Index { base, key } => {
                let key = key.map(|key| run.value(key));
                let container = self.place_value(run, *base);
                if container.path.as_deref() == Some("$GLOBALS") {
                    if let Some(name) = key.and_then(|key| key.as_text()) {
                        self.set_shared(&String::from_utf8_lossy(&name), value);
                    }
                    return;
                }
                let container = match key {
                    Some(key) => match key.as_key() {
                        Some(key) => container.with(Some(key), value),
                        None => Value::tainted(worse(container.taint.as_ref(), value.taint.as_ref())),
                    },
                    None => container.with(None, value),
                };
                self.pay(container.items().map_or(0, |list| list.items().len() as u64 / 8));
                self.assign_nested(run, *base, container, depth + 1);
            }
            NodeKind::Member { name, .. } => self.set_member(name, value, line),
            NodeKind::MemberNamed { name, .. } => {
                if let Some(name) = run.value(*name).as_text() {
                    self.set_member(&String::from_utf8_lossy(&name), value, line);
                }
            }
            NodeKind::List(targets) => {
                let targets = targets.clone();
                for ((key, target), place) in targets.iter().zip(0_i64..) {
                    let key = key.map_or(Some(Key::Number(place)), |key| run.value(key).as_key());
                    let known =
                        value.items().zip(key.as_ref()).and_then(|(list, key)| list.get(key).cloned());
                    let item = known.unwrap_or_else(|| self.taken_out(&value, key.as_ref(), line));
                    self.assign_nested(run, *target, item, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// `const {name} = value`.
    fn taken_out(&mut self, value: &Value, key: Option<&Key>, line: u32) -> Value {
        match key {
            Some(Key::Text(name)) if self.language.has_scopes() => {
                self.member(value, &String::from_utf8_lossy(name), line)
            }
            _ => value.derived(),
        }
    }

    fn set_member(&mut self, name: &str, mut value: Value, line: u32) {
        if let Some(taint) = &value.taint {
            value.taint = Some(taint.through(line, name));
        }
        self.set_shared(&format!("->{name}"), value);
    }

    /// What lies at a place that is assigned to: that it is no string makes it a list.
    fn place_value(&self, run: &Run, id: Id) -> Value {
        match run.kind(id) {
            NodeKind::Variable(name) | NodeKind::Name(name) => {
                self.get(name).unwrap_or_else(|| self.language.variable(&self.language.shown(name), 0))
            }
            NodeKind::Member { name, .. } => self.get_member(name).unwrap_or_default(),
            _ => run.value(id).clone(),
        }
    }
}

/// A key in the name of a place.
fn shown(key: &NodeKind) -> Option<String> {
    Some(match key {
        NodeKind::Text(text) => format!("[{}]", String::from_utf8_lossy(text)),
        NodeKind::Number(number) => format!("[{number}]"),
        NodeKind::Variable(name) => format!("[${name}]"),
        _ => return None,
    })
}

/// Whether `checked` is an item or member of what this variable holds.
fn is_part(checked: &str, name: &str) -> bool {
    checked.strip_prefix(name).is_some_and(|rest| rest.starts_with(['[', '.']))
}
