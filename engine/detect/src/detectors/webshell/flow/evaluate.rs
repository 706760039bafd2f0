//! What an expression gives.

use std::rc::Rc;

use super::run::Run;
use super::{Captured, Flow};
use crate::detectors::webshell::syntax::{Id, Node, NodeKind};
use crate::detectors::webshell::value::{Closure, Key, Known, Value, worse};

impl Flow<'_> {
    /// The value of a node whose operands have theirs.
    pub(super) fn node(&mut self, run: &mut Run, node: &Node) -> Value {
        let line = self.line(run.unit, node.line);
        match &node.kind {
            NodeKind::Unknown => Value::default(),
            NodeKind::Text(text) => Value::text(Rc::clone(text)),
            NodeKind::Number(number) => Value::from(*number),
            NodeKind::Name(name) => self.name(name, line),
            NodeKind::Variable(name) => self.variable(name, line),
            NodeKind::VariableNamed(name) => {
                let name = run.value(*name);
                match name.as_text() {
                    Some(name) => self.variable(&String::from_utf8_lossy(&name), line),
                    // Whoever names the variable names `_POST`, too.
                    None => name.derived(),
                }
            }
            NodeKind::Index { base, key } => {
                let checked = self.checked_place(run, run.at());
                checked.unwrap_or_else(|| {
                    let base = run.value(*base);
                    match key {
                        Some(key) => self.index(base, run.value(*key), line),
                        None => base.derived(),
                    }
                })
            }
            NodeKind::Member { base, name } => {
                let checked = self.checked_place(run, run.at());
                checked.unwrap_or_else(|| self.member(run.value(*base), name, line))
            }
            NodeKind::MemberNamed { base, name } => {
                let (base, name) = (run.value(*base), run.value(*name));
                match name.as_text() {
                    Some(name) => self.member(base, &String::from_utf8_lossy(&name), line),
                    None => base.derived(),
                }
            }
            NodeKind::Call { callee, args } => {
                let is_item = self.language.takes_items_by_calls();
                let checked = if is_item { self.checked_place(run, run.at()) } else { None };
                checked.unwrap_or_else(|| self.call_node(run, line, *callee, args))
            }
            NodeKind::New { class, args } => self.new_node(run, line, *class, args),
            NodeKind::Binary { sign, left, right } => {
                let value = self.language.binary(sign, run.value(*left), run.value(*right));
                self.pay_for(value)
            }
            NodeKind::Unary { sign, operand } => {
                let value = self.language.unary(sign, run.value(*operand));
                self.pay_for(value)
            }
            NodeKind::Assign { sign, target, value } => {
                let mut value = run.value(*value).clone();
                if !sign.is_empty() {
                    value = self.language.binary(sign, run.value(*target), &value);
                    value = self.pay_for(value);
                }
                self.assign(run, *target, value.clone());
                value
            }
            NodeKind::Increment { target, by, before } => {
                let old = run.value(*target);
                let new = self.language.unary(if *by > 0 { "++" } else { "--" }, old);
                self.assign(run, *target, new.clone());
                if *before { new } else { old.clone() }
            }
            NodeKind::Choice { condition, yes, no } => self.choice(run, *condition, *yes, *no),
            NodeKind::List(items) => {
                let items = items.iter().map(|(key, value)| {
                    let key = key.map(|key| run.value(key));
                    let value = run.value(*value);
                    let taint = worse(value.taint.as_ref(), key.and_then(|key| key.taint.as_ref()));
                    (key.and_then(Value::as_key), Value { taint, ..value.clone() })
                });
                Value::list(items.collect::<Vec<_>>())
            }
            NodeKind::Function(function) => self.closure(run.unit, *function),
        }
    }

    /// Charges for a text that was put together.
    pub(super) fn pay_for(&mut self, value: Value) -> Value {
        if let Known::Text(text) = &value.known {
            self.pay(text.len() as u64 / 64);
        }
        value
    }

    fn name(&mut self, name: &Rc<str>, line: u32) -> Value {
        self.get_shared(&format!("::{name}")).unwrap_or_else(|| self.language.variable(name, line))
    }

    fn variable(&mut self, name: &str, line: u32) -> Value {
        self.get(name).unwrap_or_else(|| self.language.variable(&self.language.shown(name), line))
    }

    pub(super) fn index(&mut self, base: &Value, key: &Value, line: u32) -> Value {
        if base.path.as_deref() == Some("$GLOBALS") {
            return match key.as_text() {
                Some(name) => {
                    let name = String::from_utf8_lossy(&name);
                    let own = self.get_shared(&name);
                    own.unwrap_or_else(|| self.language.variable(&self.language.shown(&name), line))
                }
                None => key.derived(),
            };
        }
        if let Some(value) = self.language.index(base, key, line) {
            return value;
        }
        match (&base.known, key.as_key()) {
            (Known::List(list), Some(key)) => list.get(&key).cloned().unwrap_or_default(),
            (Known::List(list), None) => {
                // One of them.
                let items = list.items();
                self.pay(items.len() as u64);
                items
                    .iter()
                    .map(|(_, value)| value.clone())
                    .reduce(|one, other| one.or(&other))
                    .unwrap_or_default()
            }
            (Known::Text(text), Some(_)) => {
                let place = key.as_number().unwrap_or(0);
                let length = text.len() as i64;
                let place = if place < 0 { place + length } else { place };
                let byte = usize::try_from(place).ok().and_then(|place| text.get(place));
                let known = byte.map_or(Known::Nothing, |byte| Known::Text(Rc::from(&[*byte][..])));
                Value { known, ..base.derived() }
            }
            _ => base.derived(),
        }
    }

    pub(super) fn member(&mut self, base: &Value, name: &str, line: u32) -> Value {
        if let Some(item) = base.items().and_then(|list| list.get(&Key::Text(name.as_bytes().into()))) {
            return item.clone();
        }
        match self.get_member(name) {
            Some(value) => value,
            None => match self.get_member("*") {
                Some(any) => any,
                None => self.language.member(base, name, line),
            },
        }
    }

    fn choice(&mut self, run: &Run, condition: Id, yes: Option<Id>, no: Id) -> Value {
        let mut taken = run.value(yes.unwrap_or(condition)).clone();
        let mut other = run.value(no).clone();
        match run.value(condition).as_bool().filter(|_| self.frame().certain) {
            Some(true) => return taken,
            Some(false) => return other,
            None => {}
        }
        for (id, value, holds) in [(yes, &mut taken, true), (Some(no), &mut other, false)] {
            let Some(id) = id.filter(|_| value.taint.is_some()) else { continue };
            let checked = self.checked_by(run, condition, holds);
            let place = self.place(run, id);
            if place.is_some() && checked.iter().any(|(checked, _)| self.place(run, *checked) == place) {
                self.note_checked(value);
                *value = value.clean();
            }
        }
        taken.or(&other)
    }

    fn closure(&mut self, unit: usize, function: usize) -> Value {
        let captured = match &self.function(unit, function).captures {
            Some(names) => {
                let value = |name: &Rc<str>| Some((Rc::clone(name), self.get(name)?));
                Some(Rc::new(Captured::of(names.iter().filter_map(value))))
            }
            // The program's own variables are there as long as it runs; copying them for each function would take more time than
            // all else in a file of thousands.
            None if self.frames.len() == 1 && self.language.has_scopes() => None,
            // Whatever its maker has.
            None => {
                let (captured, copied) = self.frame_mut().capture();
                self.pay(copied as u64);
                Some(captured)
            }
        };
        Known::Function(Closure { unit, function, captured }.into()).into()
    }
}
