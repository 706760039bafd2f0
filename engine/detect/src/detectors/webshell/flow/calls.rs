//! Calls: of the program's own functions, which are followed, and of others, which the language knows.

use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;

use super::frame::Frame;
use super::run::Run;
use super::{Call, Captured, Flow, Hit, MAX_WORK, Outs, Sink};
use crate::detectors::webshell::syntax::{Id, NodeKind};
use crate::detectors::webshell::value::{Key, Known, Origin, Value, worse};

/// Calls within one another that are followed.
const MAX_CALLS: usize = 12;
/// Different arguments that one function is followed with as they are; with more only by where they come from.
const MAX_VARIANTS: u32 = 64;
/// Nodes of one function that these may come to: what puts texts together is short, and what is long is called with many.
const MAX_VARIED: usize = 4096;

impl Flow<'_> {
    pub(super) fn call_node(&mut self, run: &Run, line: u32, callee: Id, args: &[Id]) -> Value {
        let values = spread(run, args);
        self.outs.clear();
        let value = match run.kind(callee) {
            NodeKind::Name(name) => self.call_name(name, &values, line),
            NodeKind::Member { base, name } => {
                let object = self.class_or(run, *base);
                let value = self.call_method(&object, name, &values, line);
                if let Some(changed) = self.changed.take() {
                    self.assign(run, *base, changed);
                }
                value
            }
            NodeKind::MemberNamed { base, name } => {
                let (base, name) = (self.class_or(run, *base), run.value(*name));
                let names = name.texts();
                if names.is_empty() {
                    self.call_unknown(name, &values, line)
                } else {
                    let results = names
                        .iter()
                        .map(|name| self.call_method(&base, &String::from_utf8_lossy(name), &values, line));
                    results.reduce(|one, other| one.or(&other)).unwrap_or_default()
                }
            }
            _ => self.call_value(run.value(callee), &values, line),
        };
        for (place, value) in std::mem::take(&mut self.outs) {
            if let Some(arg) = args.get(place) {
                self.assign(run, *arg, value);
            }
        }
        self.pay_for(value)
    }

    /// The value of what is before `->` or `::`; a bare name there is a class.
    fn class_or(&self, run: &Run, id: Id) -> Value {
        match run.kind(id) {
            NodeKind::Name(name) => {
                let name = self.language.function_name(name);
                match &*name {
                    "self" | "static" => self.frame().class.clone().map(Value::path).unwrap_or_default(),
                    "parent" => {
                        let class = self.frame().class.as_deref().unwrap_or_default();
                        let parent = self.parents.get(&*self.language.function_name(class)).cloned();
                        Value::path(parent.unwrap_or_default())
                    }
                    _ => Value::path(name),
                }
            }
            _ => run.value(id).clone(),
        }
    }

    pub(in crate::detectors::webshell) fn call_name(
        &mut self,
        name: &str,
        args: &[Value],
        line: u32,
    ) -> Value {
        let known = self.language.function_name(name);
        if let Some((unit, function)) = self.functions.get(&*known).copied() {
            return self.call_own(unit, function, args, None, None, line);
        }
        let language = self.language;
        language.call(self, &known, &Call { args, line })
    }

    /// Calls whatever a value stands for.
    pub(in crate::detectors::webshell) fn call_value(
        &mut self,
        callee: &Value,
        args: &[Value],
        line: u32,
    ) -> Value {
        let is_item = self.language.takes_items_by_calls()
            && !matches!(callee.known, Known::Function(_))
            && (callee.path.is_none() || callee.items().is_some());
        if is_item && let [key, ..] = args {
            return self.index(callee, key, line);
        }
        match &callee.known {
            Known::Function(closure) => {
                let closure = Rc::clone(closure);
                self.call_own(closure.unit, closure.function, args, None, closure.captured.as_ref(), line)
            }
            Known::Text(_) | Known::Texts(_) => {
                let results = callee.texts().into_iter().map(|name| {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    match name.split_once("::") {
                        Some((class, method)) => {
                            let class = Value::path(self.language.function_name(class));
                            self.call_method(&class, method, args, line)
                        }
                        None => self.call_name(&name, args, line),
                    }
                });
                results.reduce(|one, other| one.or(&other)).unwrap_or_default()
            }
            Known::List(list) => {
                let (object, method) =
                    (list.get(&Key::Number(0)).cloned(), list.get(&Key::Number(1)).cloned());
                let (Some(object), Some(method)) = (object, method) else {
                    return self.call_unknown(callee, args, line);
                };
                let object = match &object.known {
                    Known::Text(class) => {
                        Value::path(self.language.function_name(&String::from_utf8_lossy(class)))
                    }
                    _ => object,
                };
                match method.as_text() {
                    Some(method) => self.call_method(&object, &String::from_utf8_lossy(&method), args, line),
                    None => self.call_unknown(&method, args, line),
                }
            }
            _ => match &callee.path {
                Some(class) if self.parents.contains_key(&*self.language.function_name(class)) => {
                    self.call_method(callee, "__invoke", args, line)
                }
                Some(path) if self.language.has_scopes() => self.call_path(path, args, line),
                _ => self.call_unknown(callee, args, line),
            },
        }
    }

    /// Calls a function by its bare name, or what its path stands for.
    fn call_path(&mut self, path: &Rc<str>, args: &[Value], line: u32) -> Value {
        let own = self.functions.get(&**path).or_else(|| self.methods.get(&format!("::{path}"))).copied();
        if let Some((unit, function)) = own {
            return self.call_own(unit, function, args, None, None, line);
        }
        let language = self.language;
        language.call(self, path, &Call { args, line })
    }

    /// Calls a function that something else will call: with what its parameters are called like, or with what it comes from.
    pub(in crate::detectors::webshell) fn call_back(
        &mut self,
        callback: &Value,
        from: &Value,
        line: u32,
    ) -> Value {
        let Known::Function(closure) = &callback.known else { return Value::default() };
        let code = Rc::clone(&self.units[closure.unit]);
        let given = code.functions[closure.function].params.iter().map(|param| {
            let known = self.language.parameter(&param.name);
            if known.path.is_some() || known.taint.is_some() { known } else { from.derived() }
        });
        let args: Vec<Value> = given.collect();
        self.call_value(callback, &args, line)
    }

    /// What an object is after the call of its method.
    pub(in crate::detectors::webshell) fn change(&mut self, object: Value) {
        self.changed = Some(object);
    }

    /// Calls what nobody knows. Whoever names the function and gives its argument runs what he likes.
    fn call_unknown(&mut self, callee: &Value, args: &[Value], line: u32) -> Value {
        let taint = args.iter().fold(None, |worst, arg| worse(worst.as_ref(), arg.taint.as_ref()));
        if let (Some("$functions"), Some(taint)) = (callee.path.as_deref(), &taint) {
            let by = "a function that is chosen by number".into();
            self.hit(Hit { sink: Sink::Code, by, line, taint: Some(Rc::clone(taint)), part: false });
        }
        let named = callee.taint.as_ref().filter(|taint| taint.origin != Origin::Upload);
        if let (Some(named), Some(_)) = (named, &taint)
            && self.language.calls_texts()
            && callee.start().is_empty()
            && callee.end().is_empty()
        {
            let by = "the function that the request names".into();
            let taint = Some(Rc::clone(named));
            self.hit(Hit { sink: Sink::Code, by, line, taint, part: false });
        }
        Value::tainted(taint)
    }

    pub(in crate::detectors::webshell) fn call_method(
        &mut self,
        base: &Value,
        name: &str,
        args: &[Value],
        line: u32,
    ) -> Value {
        let own = match base.items().and_then(|list| list.get(&Key::Text(name.as_bytes().into()))) {
            Some(item) => Some(item.clone()),
            None => self.get_member(name).filter(|value| matches!(value.known, Known::Function(_))),
        };
        if let Some(own) = own {
            return self.call_value(&own, args, line);
        }
        match self.find_method(base, name) {
            Some((unit, function)) => self.call_own(unit, function, args, Some(base.clone()), None, line),
            None => {
                // A class that answers to any name.
                for any in ["__call", "__callStatic"] {
                    if base.path.is_some()
                        && let Some((unit, function)) = self.find_method(base, any)
                    {
                        let args = [Value::text(name.as_bytes()), args.iter().cloned().collect()];
                        return self.call_own(unit, function, &args, Some(base.clone()), None, line);
                    }
                }
                let language = self.language;
                language.method(self, base, name, &Call { args, line })
            }
        }
    }

    /// Whether a class of the program has a method of this name.
    pub(in crate::detectors::webshell) fn has_method(&self, name: &str) -> bool {
        self.methods.contains_key(&format!("::{name}"))
    }

    fn find_method(&self, base: &Value, name: &str) -> Option<(usize, usize)> {
        let name = self.language.function_name(name);
        if !self.method_names.contains(&*name) {
            return None;
        }
        let Some(path) = &base.path else {
            return if matches!(base.known, Known::Nothing) {
                self.methods.get(&format!("::{name}")).copied()
            } else {
                None
            };
        };
        let mut class = self.language.function_name(path);
        for _ in 0..16 {
            if let Some(found) = self.methods.get(&format!("{class}::{name}")) {
                return Some(*found);
            }
            class = self.parents.get(&*class)?.into();
        }
        None
    }

    pub(super) fn new_node(&mut self, run: &Run, line: u32, class: Id, args: &[Id]) -> Value {
        let values = spread(run, args);
        let class = match self.class_or(run, class) {
            value if value.path.is_some() => value,
            value => match value.as_text() {
                Some(name) => {
                    let name = String::from_utf8_lossy(&name);
                    let name = self.language.function_name(&name);
                    Value { taint: value.taint.clone(), ..Value::path(name) }
                }
                None => value,
            },
        };
        let name = class.path.as_deref().map(|path| self.language.function_name(path)).unwrap_or_default();
        if self.parents.contains_key(&*name) {
            for constructor in ["__construct", "constructor", "__init__", &*name] {
                if let Some((unit, function)) = self.find_method(&class, constructor) {
                    self.call_own(unit, function, &values, Some(class.clone()), None, line);
                    break;
                }
            }
            return class;
        }
        let language = self.language;
        language.instance(self, &class, &Call { args: &values, line })
    }

    /// Follows a function of the program; what it returns, from where it was called.
    fn call_own(
        &mut self,
        unit: usize,
        function: usize,
        args: &[Value],
        this: Option<Value>,
        captured: Option<&Rc<Captured>>,
        line: u32,
    ) -> Value {
        let mut value = self.call_function(unit, function, args, this, captured);
        if let (Some(taint), Some(name)) = (&value.taint, &self.function(unit, function).name) {
            value.taint = Some(taint.through(line, &format!("{name}()")));
        }
        value
    }

    pub(super) fn call_function(
        &mut self,
        unit: usize,
        function: usize,
        args: &[Value],
        this: Option<Value>,
        captured: Option<&Rc<Captured>>,
    ) -> Value {
        self.called.insert((unit, function));
        let taint = args.iter().fold(None, |worst, arg| worse(worst.as_ref(), arg.taint.as_ref()));
        let is_open = self.stack.iter().filter(|open| **open == (unit, function)).count() > 1;
        if is_open || self.frames.len() > MAX_CALLS || self.is_spent() {
            return Value::tainted(taint);
        }
        let code = self.function(unit, function);
        let nodes = code.nodes.len();
        // What nobody takes makes no difference, such as the place of an item in its list.
        let takes_all = !self.language.has_scopes() || code.params.iter().any(|param| param.rest);
        let args = if takes_all { args } else { &args[..args.len().min(code.params.len())] };
        let variants = *self.inlined.entry((unit, function)).or_default();
        let few =
            variants < MAX_VARIANTS && variants as usize * nodes < MAX_VARIED && self.work < MAX_WORK / 3;
        let args: Vec<Value> = if few {
            args.to_vec()
        } else {
            args.iter().map(|arg| Value { path: arg.path.clone(), ..arg.derived() }).collect()
        };
        let key = (unit, function, self.signature(&args, this.as_ref(), captured));
        if let Some((value, outs)) = self.results.get(&key) {
            self.outs.clone_from(outs);
            return value.clone();
        }
        *self.inlined.entry((unit, function)).or_default() += 1;
        let (value, outs) = self.follow(unit, function, args, this, captured);
        self.outs.clone_from(&outs);
        self.results.insert(key, (value.clone(), outs));
        value
    }

    /// What tells two calls of a function apart.
    fn signature(&self, args: &[Value], this: Option<&Value>, captured: Option<&Rc<Captured>>) -> u64 {
        let mut hasher = self.results.hasher().build_hasher();
        self.epoch.hash(&mut hasher);
        for value in args.iter().chain(this) {
            sign(self, value, 0, &mut hasher);
        }
        let of = |name: &str, value: &Value| {
            let mut hasher = self.results.hasher().build_hasher();
            name.hash(&mut hasher);
            sign(self, value, 0, &mut hasher);
            hasher.finish()
        };
        captured.map(|captured| captured.signature(&of)).hash(&mut hasher);
        hasher.finish()
    }

    /// Whether calls with values of other paths than this one could be other calls: it comes from outside, or names something of
    /// the program or the language.
    fn tells(&self, value: &Value, path: &str) -> bool {
        value.taint.is_some()
            || self.language.decides(path)
            || self.functions.contains_key(path)
            || self.parents.contains_key(path)
            || self.method_names.contains(path)
    }

    fn follow(
        &mut self,
        unit: usize,
        function: usize,
        args: Vec<Value>,
        this: Option<Value>,
        captured: Option<&Rc<Captured>>,
    ) -> (Value, Outs) {
        let code = Rc::clone(&self.units[unit]);
        let code = &code.functions[function];
        let mark = self.changes.len();
        // Where all is known, a function is a way to hide a text, and runs as it says.
        let certain =
            !args.is_empty() && args.iter().all(|arg| !matches!(arg.known, Known::Nothing | Known::Texts(_)));
        self.calls += 1;
        // What is around it is seen as it is, while it is there.
        let scopes = self.language.has_scopes();
        let is_open = |captured: &Captured| self.frames.iter().any(|frame| frame.number == captured.frame);
        let mut frame = Frame::default();
        frame.number = self.calls;
        frame.class.clone_from(&code.class);
        frame.captured = captured.filter(|captured| !scopes || !is_open(captured)).cloned();
        frame.locals = Rc::clone(&self.prepared[unit][function].locals);
        frame.certain = certain;
        if let Some(this) = this {
            frame.put(&"this".into(), Some(this));
        }
        for (place, param) in code.params.iter().enumerate() {
            let value = if param.rest {
                Some(args.iter().skip(place).cloned().collect())
            } else {
                args.get(place).cloned()
            };
            if let Some(mut value) = value {
                if let Some(taint) = &value.taint {
                    let line = code.nodes.first().map_or(0, |node| self.line(unit, node.line));
                    value.taint = Some(taint.through(line, &self.language.shown(&param.name)));
                }
                frame.put(&param.name, Some(value));
            }
        }
        frame.args = args;
        self.frames.push(frame);
        let value = self.run(unit, function);
        let frame = self.frames.pop().unwrap_or_default();
        let value = frame.given.as_ref().map_or_else(|| value.clone(), |given| given.or(&value));
        let depth = self.frames.len();
        let changes = self.changes.split_off(mark.min(self.changes.len()));
        self.changes.extend(changes.into_iter().filter(|change| change.frame < depth));
        let outs = code.params.iter().enumerate().filter(|(_, param)| param.by_reference);
        let outs = outs.filter_map(|(place, param)| Some((place, frame.get(&param.name)?.clone())));
        (value, outs.collect())
    }

    /// The arguments of the function at hand.
    pub(in crate::detectors::webshell) fn own_args(&self) -> Vec<Value> {
        self.frame().args.clone()
    }

    /// Gives a value to whoever takes what the function at hand yields.
    pub(in crate::detectors::webshell) fn give(&mut self, value: &Value) {
        let frame = self.frame_mut();
        frame.given = Some(frame.given.as_ref().map_or_else(|| value.clone(), |given| given.or(value)));
    }

    /// What an argument that is passed by reference is after the call.
    pub(in crate::detectors::webshell) fn out(&mut self, place: usize, value: Value) {
        self.outs.push((place, value));
    }
}

/// Arguments, with those of `...list` one by one.
fn spread(run: &Run, args: &[Id]) -> Vec<Value> {
    let mut values = Vec::new();
    for arg in args {
        let value = run.value(*arg);
        match (run.kind(*arg), value.items()) {
            (NodeKind::Unary { sign: "...", .. }, Some(list)) => {
                values.extend(list.items().iter().map(|(_, item)| item.clone()));
            }
            // Nobody knows how many; few functions take more.
            (NodeKind::Unary { sign: "...", .. }, None) => {
                values.extend(std::iter::repeat_n(value.derived(), 4))
            }
            _ => values.push(value.clone()),
        }
    }
    values
}

/// Puts what tells a value from others into a hash.
fn sign(flow: &Flow<'_>, value: &Value, depth: usize, hasher: &mut impl Hasher) {
    value.taint.as_ref().map(|taint| (taint.quoted, taint.origin as u8)).hash(hasher);
    value.path.as_deref().map(|path| if flow.tells(value, path) { path } else { "" }).hash(hasher);
    std::mem::discriminant(&value.known).hash(hasher);
    match &value.known {
        Known::Text(text) => text.hash(hasher),
        Known::Texts(texts) => texts.hash(hasher),
        Known::Number(number) => number.hash(hasher),
        Known::Bool(known) => known.hash(hasher),
        Known::Function(closure) => (closure.unit, closure.function).hash(hasher),
        Known::List(list) if depth < 4 => {
            for (key, item) in list.items().iter().take(64) {
                if let Key::Text(text) = key {
                    text.hash(hasher);
                }
                sign(flow, item, depth + 1, hasher);
            }
            list.items().len().hash(hasher);
        }
        _ => value.ends.as_ref().map(|ends| ends.start()).hash(hasher),
    }
}
