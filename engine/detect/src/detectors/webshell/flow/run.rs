//! Taking a function's steps.

use std::ops::Range;
use std::rc::Rc;

use super::{Change, Flow, HashMap, HashSet, MAX_LOOPED};
use crate::detectors::webshell::syntax::{Id, Node, NodeKind, Step, Unit};
use crate::detectors::webshell::value::{Key, Value};

/// Rounds of a loop whose test is known.
const MAX_ROUNDS: u32 = 20_000;

/// Values of variables, by frame and name; none: not set.
type Values = HashMap<(usize, Rc<str>), Option<Value>>;

/// A block that is not ended.
struct Block {
    kind: BlockKind,
    /// Where the changes made in it begin.
    mark: usize,
    /// What its branches left so far.
    branches: Vec<Values>,
    /// Whether the branch at hand goes nowhere.
    left: bool,
    ended: bool,
    /// Whether one branch is taken for sure: there is nothing to put together.
    certain: bool,
    /// What is checked where the condition does not hold.
    otherwise: Vec<(Id, Value)>,
}

impl Block {
    fn is_certain(&self) -> bool {
        self.certain || matches!(self.kind, BlockKind::Loop { known: Some(true), .. })
    }
}

#[derive(Clone, Copy)]
enum BlockKind {
    If { other: bool },
    Switch { subject: Id, otherwise: bool, open: bool },
    Loop { start: usize, round: u32, known: Option<bool>, item: usize, was_certain: bool, since: u64 },
}

/// One run of a function.
pub(super) struct Run {
    pub(super) unit: usize,
    function: usize,
    code: Rc<Unit>,
    /// Values of the nodes evaluated last, and the first of these.
    base: Id,
    values: Vec<Value>,
    /// Values of expressions, which later steps may speak of, by their nodes.
    roots: Vec<(Id, Value)>,
    nothing: Value,
    blocks: Vec<Block>,
    result: Option<Value>,
}

impl Run {
    pub(super) fn value(&self, id: Id) -> &Value {
        let place = id.checked_sub(self.base).map(|place| place as usize);
        place
            .and_then(|place| self.values.get(place))
            .or_else(|| Some(&self.roots[self.root(id).ok()?].1))
            .unwrap_or(&self.nothing)
    }

    /// Where among the roots one is, or belongs.
    fn root(&self, id: Id) -> Result<usize, usize> {
        match self.roots.last() {
            Some((last, _)) if *last >= id => self.roots.binary_search_by_key(&id, |(id, _)| *id),
            _ => Err(self.roots.len()),
        }
    }

    pub(super) fn kind(&self, id: Id) -> &NodeKind {
        &self.nodes()[id as usize].kind
    }

    pub(super) fn line(&self, id: Id) -> u32 {
        self.nodes()[id as usize].line
    }

    /// The node that is being evaluated.
    pub(super) fn at(&self) -> Id {
        self.base + self.values.len() as Id
    }

    fn nodes(&self) -> &[Node] {
        &self.code.functions[self.function].nodes
    }
}

impl Flow<'_> {
    /// Follows a function in the frame at hand; what it returns.
    pub(super) fn run(&mut self, unit: usize, function: usize) -> Value {
        let unit_code = Rc::clone(&self.units[unit]);
        let code = &unit_code.functions[function];
        self.stack.push((unit, function));
        let mut run = Run {
            unit,
            function,
            code: Rc::clone(&unit_code),
            base: 0,
            values: self.spare.pop().unwrap_or_default(),
            roots: Vec::new(),
            nothing: Value::default(),
            blocks: Vec::new(),
            result: None,
        };
        let prepared = Rc::clone(&self.prepared[unit]);
        let ends = &prepared[function].ends;
        let mut at = 0;
        while let Some(step) = code.steps.get(at) {
            if self.is_spent() {
                break;
            }
            self.pay(1);
            if self.stack.len() == 1 && run.blocks.is_empty() {
                // Nobody will take them back.
                self.changes.clear();
            }
            at = self.step(&mut run, step, at, ends).unwrap_or(at + 1);
        }
        self.stack.pop();
        run.values.clear();
        self.spare.push(run.values);
        run.result.unwrap_or_default()
    }

    pub(super) fn evaluate(&mut self, run: &mut Run, range: Range<Id>) {
        self.pay(range.len() as u64);
        run.base = range.start;
        run.values.clear();
        let code = Rc::clone(&run.code);
        let nodes = &code.functions[run.function].nodes;
        for id in range.clone() {
            if self.is_spent() {
                break;
            }
            let value = self.node(run, &nodes[id as usize]);
            run.values.push(value);
        }
        if let Some(value) = run.values.last().filter(|_| run.values.len() == range.len()).cloned() {
            match run.root(range.end - 1) {
                Ok(place) => run.roots[place].1 = value,
                Err(place) => run.roots.insert(place, (range.end - 1, value)),
            }
        }
    }

    /// Takes a step; where the next one is, if it is not the one behind.
    fn step(&mut self, run: &mut Run, step: &Step, at: usize, ends: &[usize]) -> Option<usize> {
        match step {
            Step::Eval(range) => self.evaluate(run, range.clone()),
            Step::If(condition) => return self.begin_if(run, *condition, ends[at]),
            Step::Else => return self.begin_else(run, ends[at]),
            Step::EndIf => self.end_if(run),
            Step::Switch(subject) => {
                let kind = BlockKind::Switch { subject: *subject, otherwise: false, open: false };
                self.begin(run, kind, false);
            }
            Step::Case(value) => self.case(run, *value),
            Step::EndSwitch => self.end_switch(run),
            Step::Loop => {
                let was_certain = self.frame().certain;
                let kind = BlockKind::Loop {
                    start: at,
                    round: 0,
                    known: None,
                    item: 0,
                    was_certain,
                    since: self.work,
                };
                self.begin(run, kind, false);
            }
            Step::While(condition) => return self.test(run, *condition, ends),
            Step::Each { subject, targets, key, value } => {
                self.evaluate(run, targets.clone());
                return self.each(run, *subject, *key, *value, ends);
            }
            Step::EndLoop => return self.end_loop(run),
            Step::Default(place, range) => {
                if self.frame().args.len() <= *place {
                    self.evaluate(run, range.clone());
                    let value = run.value(range.end - 1).clone();
                    let (unit, function) = self.stack.last().copied().unwrap_or_default();
                    if let Some(param) = self.function(unit, function).params.get(*place) {
                        let name = Rc::clone(&param.name);
                        self.set(&name, value);
                    }
                }
            }
            Step::Global(names) => self.frame_mut().globals.extend(names.iter().cloned()),
            Step::Return(value) => {
                let value = value.map(|id| run.value(id).clone()).unwrap_or_default();
                run.result = Some(run.result.take().map_or_else(|| value.clone(), |known| known.or(&value)));
                if run.blocks.iter().all(Block::is_certain) && self.frames.len() > 1 {
                    return Some(usize::MAX);
                }
                leave(run, true);
            }
            Step::Leave { ends: ended } => {
                if !ended && let Some(next) = break_for_sure(run, ends) {
                    self.leave_loop(run);
                    return Some(next);
                }
                leave(run, *ended);
            }
        }
        None
    }

    fn begin(&mut self, run: &mut Run, kind: BlockKind, certain: bool) {
        run.blocks.push(Block {
            kind,
            mark: self.changes.len(),
            branches: Vec::new(),
            left: false,
            ended: false,
            certain,
            otherwise: Vec::new(),
        });
    }

    // Branches

    fn begin_if(&mut self, run: &mut Run, condition: Option<Id>, end: usize) -> Option<usize> {
        let known = condition.filter(|_| self.frame().certain).and_then(|id| run.value(id).as_bool());
        self.begin(run, BlockKind::If { other: known == Some(false) }, known.is_some());
        if known == Some(false) {
            // To the step that begins the other branch, or that ends this one.
            return Some(end);
        }
        if let Some(condition) = condition {
            let otherwise = self.checked_by(run, condition, false);
            self.guard(run, condition, true);
            if let Some(block) = run.blocks.last_mut() {
                block.otherwise = otherwise;
            }
        }
        None
    }

    fn begin_else(&mut self, run: &mut Run, end: usize) -> Option<usize> {
        let block = run.blocks.last_mut()?;
        let BlockKind::If { other } = &mut block.kind else { return None };
        if block.certain {
            // Whoever jumped here takes this branch, whoever comes from the other one passes it.
            return if *other { None } else { Some(end) };
        }
        *other = true;
        let otherwise = block.otherwise.clone();
        self.end_branch(run);
        self.mark_checked(run, &otherwise);
        None
    }

    fn end_if(&mut self, run: &mut Run) {
        let Some(block) = run.blocks.last() else { return };
        let BlockKind::If { other } = block.kind else { return };
        if block.certain {
            run.blocks.pop();
            return;
        }
        let (left, otherwise) = (block.left, block.otherwise.clone());
        self.end_branch(run);
        if !other {
            self.mark_checked(run, &otherwise);
            self.end_branch(run);
        }
        let Some(block) = run.blocks.pop() else { return };
        self.put_together(&block.branches);
        // Whoever comes here did not take the branch that goes nowhere.
        if left && !other {
            self.mark_checked(run, &otherwise);
        }
    }

    /// Takes back what the branch at hand changed, and keeps it for the end.
    fn end_branch(&mut self, run: &mut Run) {
        let Some(block) = run.blocks.last_mut() else { return };
        let mut values = Values::default();
        for change in self.changes.drain(block.mark.min(self.changes.len())..).rev() {
            let Some(frame) = self.frames.get_mut(change.frame) else { continue };
            let now = frame.put(&change.name, change.before);
            values.entry((change.frame, change.name)).or_insert(now);
        }
        if !block.ended {
            block.branches.push(values);
        }
        (block.left, block.ended) = (false, false);
    }

    /// Sets every variable that a branch changed to what the branches left in it.
    fn put_together(&mut self, branches: &[Values]) {
        let mut changed: Vec<&(usize, Rc<str>)> = branches.iter().flat_map(HashMap::keys).collect();
        changed.sort();
        changed.dedup();
        for key in changed {
            let before = self.frames.get(key.0).and_then(|frame| frame.get(&key.1)).cloned();
            let mut joined: Option<Value> = None;
            for branch in branches {
                let value = branch.get(key).unwrap_or(&before).clone();
                joined = match (joined, value) {
                    (Some(one), Some(other)) => Some(one.or(&other)),
                    (one, other) => one.or(other),
                };
            }
            if let Some(value) = joined {
                self.set_in(key.0, &key.1, value);
            }
        }
    }

    fn case(&mut self, run: &mut Run, value: Option<Id>) {
        let Some(Block { kind: BlockKind::Switch { subject, otherwise, open }, .. }) = run.blocks.last_mut()
        else {
            return;
        };
        let (subject, was_open) = (*subject, *open);
        *open = true;
        *otherwise |= value.is_none();
        if was_open {
            self.end_branch(run);
        }
        if let Some(value) = value {
            let value = run.value(value).clone();
            self.guard_case(run, subject, &value);
        }
    }

    fn end_switch(&mut self, run: &mut Run) {
        let Some(Block { kind: BlockKind::Switch { otherwise, .. }, .. }) = run.blocks.last() else { return };
        let otherwise = *otherwise;
        self.end_branch(run);
        let Some(mut block) = run.blocks.pop() else { return };
        if !otherwise {
            block.branches.push(Values::default());
        }
        self.put_together(&block.branches);
    }

    // Loops

    fn test(&mut self, run: &mut Run, condition: Id, ends: &[usize]) -> Option<usize> {
        let is_literal = !matches!(run.kind(condition), NodeKind::Binary { .. } | NodeKind::Call { .. });
        let value = if is_literal { None } else { run.value(condition).as_bool() };
        let block = run.blocks.last_mut()?;
        let BlockKind::Loop { start, round, known, .. } = &mut block.kind else { return None };
        let first = *round == 0;
        let start = *start;
        *known = value.filter(|_| self.looped < MAX_LOOPED);
        match *known {
            Some(false) if !first => {
                block.certain = true;
                self.leave_loop(run);
                return Some(ends[start] + 1);
            }
            Some(true) => self.frame_mut().certain = true,
            _ => {}
        }
        if value.is_none() {
            self.guard(run, condition, true);
        }
        None
    }

    fn each(
        &mut self,
        run: &mut Run,
        subject: Id,
        key: Option<Id>,
        value: Id,
        ends: &[usize],
    ) -> Option<usize> {
        let subject = run.value(subject).clone();
        let block = run.blocks.last_mut()?;
        let BlockKind::Loop { start, known, item, .. } = &mut block.kind else { return None };
        let (start, place) = (*start, *item);
        *item += 1;
        let items = subject.items().map(|list| list.items()).filter(|items| !items.is_empty());
        if let Some(items) = items {
            let Some((own, item)) = items.get(place) else {
                block.certain = true;
                self.leave_loop(run);
                return Some(ends[start] + 1);
            };
            *known = Some(true);
            self.frame_mut().certain = true;
            let own = match own {
                Key::Number(number) => Value::from(*number),
                Key::Text(text) => Value::text(Rc::clone(text)),
            };
            if let Some(key) = key {
                self.assign(run, key, own);
            }
            self.assign(run, value, item.clone());
        } else {
            let item = Value { path: subject.path.clone(), ..subject.derived() };
            if let Some(key) = key {
                self.assign(run, key, subject.derived());
            }
            self.assign(run, value, item);
        }
        None
    }

    fn end_loop(&mut self, run: &mut Run) -> Option<usize> {
        let block = run.blocks.last_mut()?;
        let BlockKind::Loop { start, round, known, since, .. } = &mut block.kind else { return None };
        *round += 1;
        (block.left, block.ended) = (false, false);
        if known.is_some() {
            self.looped += self.work - std::mem::replace(since, self.work);
        }
        let again = match known {
            Some(true) => *round < MAX_ROUNDS && self.looped < MAX_LOOPED,
            Some(false) => false,
            None => *round < 2,
        };
        if again {
            let (start, mark) = (*start, block.mark);
            self.forget_all_but_first(mark);
            return Some(start + 1);
        }
        self.leave_loop(run);
        None
    }

    /// Ends a loop: what it changed may have been changed, or not.
    fn leave_loop(&mut self, run: &mut Run) {
        while let Some(block) = run.blocks.last() {
            if let BlockKind::Loop { was_certain, .. } = block.kind {
                self.frame_mut().certain = was_certain;
                break;
            }
            run.blocks.pop();
        }
        let Some(block) = run.blocks.last() else { return };
        if block.certain {
            run.blocks.pop();
            return;
        }
        self.end_branch(run);
        if let Some(mut block) = run.blocks.pop() {
            block.branches.push(Values::default());
            self.put_together(&block.branches);
        }
    }

    /// What a variable was before the loop is all that counts of its changes.
    fn forget_all_but_first(&mut self, mark: usize) {
        let mut seen = HashSet::default();
        let mark = mark.min(self.changes.len());
        let later = self.changes.split_off(mark);
        self.pay(later.len() as u64);
        self.changes
            .extend(later.into_iter().filter(|change| seen.insert((change.frame, Rc::clone(&change.name)))));
    }

    pub(super) fn note_change(&mut self, frame: usize, name: &Rc<str>, before: Option<Value>) {
        self.changes.push(Change { frame, name: Rc::clone(name), before });
    }
}

/// The branch at hand goes nowhere.
fn leave(run: &mut Run, ended: bool) {
    if let Some(block) = run.blocks.last_mut()
        && matches!(block.kind, BlockKind::If { .. } | BlockKind::Switch { .. })
    {
        // `break` ends a case, not the switch's values.
        block.left = true;
        block.ended |= ended;
    }
}

/// Behind the loop around, if everything up to it is certain.
fn break_for_sure(run: &mut Run, ends: &[usize]) -> Option<usize> {
    let mut place = run.blocks.len();
    while place > 0 {
        let block = &run.blocks[place - 1];
        match block.kind {
            BlockKind::If { .. } if block.certain => place -= 1,
            BlockKind::Loop { start, known: Some(true), .. } if place < run.blocks.len() => {
                run.blocks[place - 1].certain = true;
                return Some(ends[start] + 1);
            }
            _ => return None,
        }
    }
    None
}

/// See [`super::Prepared::ends`].
pub(super) fn ends(steps: &[Step]) -> Vec<usize> {
    let mut ends = vec![0; steps.len()];
    let mut open = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        match step {
            Step::If(_) | Step::Loop | Step::Switch(_) => open.push(place),
            Step::Else => {
                if let Some(begin) = open.pop() {
                    ends[begin] = place;
                }
                open.push(place);
            }
            Step::EndIf | Step::EndLoop | Step::EndSwitch => {
                if let Some(begin) = open.pop() {
                    ends[begin] = place;
                }
            }
            _ => {}
        }
    }
    ends
}
