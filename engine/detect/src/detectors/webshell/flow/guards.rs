//! What a condition says of values from outside: that one is among a few harmless ones.

use super::Flow;
use super::run::Run;
use crate::detectors::webshell::syntax::{Id, NodeKind};
use crate::detectors::webshell::value::{Known, Value};

/// Conditions within one another that are looked at.
const MAX_CONDITIONS: usize = 64;

/// Conditions of which one holds.
const MAX_ALTERNATIVES: usize = 12;

impl Flow<'_> {
    /// Notes what holds where a condition does, or does not.
    pub(super) fn guard(&mut self, run: &Run, condition: Id, holds: bool) {
        let checked = self.checked_by(run, condition, holds);
        self.mark_checked(run, &checked);
    }

    /// The expressions that are checked where a condition holds, or does not, and their values.
    pub(super) fn checked_by(&mut self, run: &Run, condition: Id, holds: bool) -> Vec<(Id, Value)> {
        let checked = self.checked_in(run, condition, holds, 0);
        checked.into_iter().map(|id| (id, run.value(id).clone())).collect()
    }

    fn checked_in(&mut self, run: &Run, condition: Id, holds: bool, depth: usize) -> Vec<Id> {
        let mut checked = Vec::new();
        let mut open = vec![(condition, holds)];
        for _ in 0..MAX_CONDITIONS {
            let Some((id, holds)) = open.pop() else { break };
            match run.kind(id) {
                NodeKind::Unary { sign: "!", operand } => open.push((*operand, !holds)),
                NodeKind::Assign { sign: "", value, .. } => open.push((*value, holds)),
                NodeKind::Binary { sign, left, right } => match (*sign, holds) {
                    ("&&", true) | ("||", false) => open.extend([(*left, holds), (*right, holds)]),
                    // One of the two: what both of them check.
                    ("||", true) | ("&&", false) if depth < MAX_ALTERNATIVES => {
                        let other = self.checked_in(run, *right, holds, depth + 1);
                        let other: Vec<_> = other.into_iter().filter_map(|id| self.place(run, id)).collect();
                        let one = self.checked_in(run, *left, holds, depth + 1);
                        let both = |id: &Id| self.place(run, *id).is_some_and(|place| other.contains(&place));
                        checked.extend(one.into_iter().filter(both));
                    }
                    ("==" | "===", true) | ("!=" | "!==" | "<>", false) => {
                        let (one, other) = (run.value(*left), run.value(*right));
                        // What is compared with true can be anything.
                        let says = |value: &Value| {
                            value.taint.is_none() && !matches!(value.known, Known::Bool(_) | Known::Null)
                        };
                        if says(other) {
                            checked.push(*left);
                        } else if says(one) {
                            checked.push(*right);
                        }
                    }
                    // `x in ("start", "stop")`.
                    ("in", true) | ("not in", false) if run.value(*right).taint.is_none() => {
                        checked.push(*left);
                    }
                    _ => {}
                },
                NodeKind::Call { callee, args } if holds => {
                    let name = match run.kind(*callee) {
                        NodeKind::Name(name) | NodeKind::Member { name, .. } => {
                            self.language.function_name(name).into_owned()
                        }
                        // A function of the language, not of the program.
                        NodeKind::Variable(name)
                            if self.language.has_scopes() && !self.functions.contains_key(&**name) =>
                        {
                            name.to_string()
                        }
                        _ => continue,
                    };
                    if let ("isset", Some(arg)) = (name.as_str(), args.first()) {
                        if let NodeKind::Index { base, key: Some(key) } = run.kind(*arg)
                            && run.value(*base).taint.is_none()
                            && run.value(*base).path.is_none()
                        {
                            checked.push(*key);
                        }
                        continue;
                    }
                    if name == "preg_match"
                        && let Some(subject) = args.get(1)
                    {
                        // Whatever the pattern is: its end was looked at.
                        self.note_checked(run.value(*subject));
                    }
                    let values: Vec<Value> = args.iter().map(|arg| run.value(*arg).clone()).collect();
                    if let Some(arg) = self.language.checks(&name, &values).and_then(|place| args.get(place))
                    {
                        checked.push(*arg);
                    }
                }
                _ => {}
            }
        }
        checked
    }

    /// From here on what was checked is harmless.
    pub(super) fn mark_checked(&mut self, run: &Run, checked: &[(Id, Value)]) {
        for (id, value) in checked {
            self.note_checked(value);
            if value.taint.is_some() {
                self.mark_place(run, *id);
            }
        }
    }

    fn mark_place(&mut self, run: &Run, id: Id) {
        // What a harmless change of it is, it is itself: `strtolower($x) == 'a'`.
        let mut at = id;
        for _ in 0..4 {
            if let Some(place) = self.place(run, at) {
                return match run.kind(at) {
                    NodeKind::Variable(name) | NodeKind::Name(name) => {
                        let value = self.get(name).unwrap_or_default().clean();
                        self.set(name, value);
                    }
                    _ => self.set_checked(place, Value::default()),
                };
            }
            at = match run.kind(at) {
                NodeKind::Call { args, .. } if args.len() == 1 => args[0],
                NodeKind::Assign { target, .. } => *target,
                NodeKind::Binary { sign: "??", left, .. } => *left,
                _ => return,
            };
        }
    }

    /// In a case the value is that of the case.
    pub(super) fn guard_case(&mut self, run: &Run, subject: Id, case: &Value) {
        let value = run.value(subject);
        if value.taint.is_none() || case.taint.is_some() {
            return;
        }
        self.note_checked(value);
        let subject = match run.kind(subject) {
            NodeKind::Call { args, .. } if args.len() == 1 => args[0],
            _ => subject,
        };
        match (self.place(run, subject), run.kind(subject)) {
            (Some(_), NodeKind::Variable(name) | NodeKind::Name(name)) => self.set(name, case.clone()),
            (Some(place), _) => self.set_checked(place, case.clone()),
            (None, _) => {}
        }
    }
}
