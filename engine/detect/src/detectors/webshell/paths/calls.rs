//! Calls of what is outside of the program.

use std::rc::Rc;

use super::fold;
use super::names::Names;
use super::{METHOD, Paths};
use super::{asp, basic, com};
use crate::detectors::webshell::command;
use crate::detectors::webshell::flow::{Call, Flow, Hit, Language, Sink};
use crate::detectors::webshell::value::{Key, Known, Origin, Taint, Value, worse};

/// A shorter text of the program that is run hides nothing.
const MIN_HIDDEN: usize = 16;
/// Items of a list that a function is called with one by one.
const MAX_ITEMS: usize = 64;
/// Ends of files that servers run.
const PROGRAMS: [&str; 14] = [
    ".jsp", ".jspx", ".jspf", ".war", ".class", ".aspx", ".ashx", ".asmx", ".asp", ".asa", ".cer", ".php",
    ".py", ".cdx",
];
/// In a path: a file that is written, and how its name ends.
const FILE: &str = "file:";

impl Paths {
    pub(super) fn call_method(
        &self,
        flow: &mut Flow<'_>,
        base: &Value,
        name: &str,
        call: &Call<'_>,
    ) -> Value {
        if matches!(base.known, Known::Function(_)) {
            if name == METHOD {
                return self.call_path(flow, &self.maker(), call);
            }
            // `f.call(this, a)`, `f.apply(this, [a])`, and the one method of a lambda.
            let args = match (name, call.args) {
                ("call", [_, args @ ..]) if self.names.packages.is_empty() => args.to_vec(),
                ("apply", [_, list]) => spread(list),
                ("bind", _) => return base.clone(),
                _ => call.args.to_vec(),
            };
            return flow.call_value(base, &args, call.line);
        }
        if let Some(value) = self.callbacks(flow, base, name, call).or_else(|| fold::method(base, name, call))
        {
            return value;
        }
        if let Some(file) = base.path.as_deref().and_then(|path| path.strip_prefix(FILE)) {
            return self.write_file(flow, base, file, name, call);
        }
        if let Some(path) = base.path.as_ref().filter(|path| path.starts_with(com::OBJECT)) {
            return self.call_object(flow, path, name, call);
        }
        if let Some(value) = changed(flow, base, name, call) {
            return value;
        }
        if let Some(value) = self.kept(flow, name, call) {
            return value;
        }
        if let Some(taint) = &base.taint {
            self.of_tainted(flow, base, taint, name, call);
            if base.path.is_none() || taint.origin == Origin::Upload {
                return self.member(base, name, call.line);
            }
        }
        if matches!(base.path.as_deref(), Some("self" | "handler")) && flow.has_method(name) {
            return flow.call_method(&Value::default(), name, call.args, call.line);
        }
        let path = self.path(base.path.as_deref().unwrap_or("?"), name);
        // What reads what it was made of runs that.
        if base.taint.is_some()
            && let Some(place) = Names::place(self.names.code, &path)
            && call.args.get(place).is_none()
        {
            return self.code(flow, name, base, call.line);
        }
        let value = self.call_path(flow, &path, call);
        match &base.taint {
            Some(_) => Value { taint: worse(base.taint.as_ref(), value.taint.as_ref()), ..value },
            None => value,
        }
    }

    /// What is done with something from outside by its own methods.
    fn of_tainted(&self, flow: &mut Flow<'_>, base: &Value, taint: &Rc<Taint>, name: &str, call: &Call<'_>) {
        let to = call.arg(0);
        match name {
            // An upload is kept.
            "write" | "SaveAs" | "mv" | "transferTo" if taint.origin == Origin::Upload => {
                if is_program(&to.end()) {
                    let hit = Hit {
                        sink: Sink::Write,
                        by: name.into(),
                        line: call.line,
                        taint: Some(Rc::clone(taint)),
                        part: false,
                    };
                    flow.hit(hit);
                } else if to.end().is_empty() {
                    let last = Value::tainted(to.last());
                    if !flow.is_checked(&last) {
                        flow.reach(Sink::Upload, name, call.line, &last, !to.start().is_empty());
                    }
                }
            }
            // A connection into a shell.
            "pipe" if to.path.as_deref().is_some_and(|path| path.ends_with(".stdin")) => {
                flow.reach(Sink::Command, name, call.line, base, false);
            }
            _ => {}
        }
    }

    /// Calls what a path stands for.
    pub(super) fn call_path(&self, flow: &mut Flow<'_>, path: &str, call: &Call<'_>) -> Value {
        if let Some(value) = self.reflected(flow, path, call).or_else(|| self.sink(flow, path, call)) {
            return value;
        }
        if com::makes(path) {
            return com::object(&call.arg(0));
        }
        let may_end = self.words().may_end(path);
        if may_end
            && Names::has(self.names.indexed, path)
            && let Some(value) = self.index(&Value::path(path), &call.arg(0), call.line)
        {
            return value;
        }
        if path == "request.servervariables" && call.text(0).is_some_and(|name| asp::is_of_server(&name)) {
            return Value::default();
        }
        if self.names.is_basic
            && let Some(value) = basic::function(path, call)
        {
            return value;
        }
        let last = path.rsplit('.').next().unwrap_or(path);
        if matches!(last, "fromCharCode" | "fromCodePoint" | "chr" | "Chr" | "ChrW")
            && let Some(text) = fold::characters(call.args)
        {
            return text;
        }
        let first = fold::text_of_bytes(&call.arg(0));
        if let Some(text) = first.as_text()
            && matches!(first.known, Known::Text(_))
            && let Some(text) = fold::decoder(path, &text, call)
        {
            return Value { decoded: true, ..Value::text(text) };
        }
        if matches!(last, "parseInt" | "Number" | "int" | "ToInt32" | "len" | "range" | "float" | "bool") {
            return call.args.first().and_then(Value::as_number).map(Value::from).unwrap_or_default();
        }
        if may_end && Names::has(self.names.derives, path) {
            return match first.known {
                Known::Nothing | Known::List(_) => call.derived(),
                _ => first,
            };
        }
        for arg in call.args.iter().filter(|arg| matches!(arg.known, Known::Function(_))) {
            let from = if path.starts_with("request.")
                || path.starts_with("net.")
                || path.ends_with("createServer.on")
            {
                Value::tainted(Some(Taint::new(Origin::Request, call.line, path)))
            } else {
                Value::default()
            };
            flow.call_back(arg, &from, call.line);
        }
        let value = self.value(path.into(), call.line);
        match (&value.taint, call.args.first().and_then(Value::as_text)) {
            // It is called like its parameter.
            (Some(taint), Some(key)) => {
                let shown = format!("{path}('{}')", String::from_utf8_lossy(&key));
                Value { taint: Some(Taint::new(taint.origin, call.line, shown)), ..value }
            }
            _ => value,
        }
    }

    /// Functions and classes by their names as texts.
    fn reflected(&self, flow: &mut Flow<'_>, path: &str, call: &Call<'_>) -> Option<Value> {
        let (base, last) = path.rsplit_once('.').unwrap_or(("", path));
        if self.words().may_end(path) && Names::has(self.names.modules, path) {
            let name = call.arg(0);
            if name.taint.is_some() && name.start().is_empty() && self.names.packages.is_empty() {
                flow.reach(Sink::Include, last, call.line, &name, !name.end().is_empty());
            }
            let text = String::from_utf8_lossy(&name.as_text()?).into_owned();
            let text = text.strip_prefix("node:").unwrap_or(&text);
            return Some(match text.rsplit_once('.').filter(|_| !self.names.packages.is_empty()) {
                Some((package, class)) => Value::path(self.path(package, class)),
                None => Value::path(text),
            });
        }
        if path == "getattr" {
            let object = call.arg(0);
            let name = call.text(1)?;
            return Some(self.member(&object, &String::from_utf8_lossy(&name), call.line));
        }
        match last {
            "getMethod" | "getDeclaredMethod" | "GetMethod" | "getDeclaredField" | "getField"
            | "loadClass" | "findMethod" => {
                let name = call.arg(0);
                let text = name.as_text();
                match text {
                    Some(text) if last == "loadClass" => {
                        let text = String::from_utf8_lossy(&text).into_owned();
                        let (package, class) = text.rsplit_once('.')?;
                        Some(Value::path(self.path(package, class)))
                    }
                    Some(text) => Some(Value::path(self.path(base, &String::from_utf8_lossy(&text)))),
                    // Whoever names the method runs what he likes.
                    None if last != "loadClass" => {
                        Some(Value { path: Some("named".into()), ..name.derived() })
                    }
                    None => None,
                }
            }
            "invoke" | "Invoke" => {
                let args: Vec<Value> = match call.args.get(1..) {
                    Some([list]) if list.items().is_some() => {
                        list.items()?.items().iter().map(|(_, item)| item.clone()).collect()
                    }
                    Some(args) => args.to_vec(),
                    None => Vec::new(),
                };
                if base == "named" && args.iter().any(|arg| arg.taint.is_some()) {
                    let taint = args.iter().find_map(|arg| arg.taint.clone());
                    let by = "the method that the request names".into();
                    flow.hit(Hit { sink: Sink::Code, by, line: call.line, taint, part: false });
                }
                Some(self.call_path(flow, base, &Call { args: &args, line: call.line }))
            }
            "apply" if base == "Reflect" => {
                Some(flow.call_value(&call.arg(0), &spread(&call.arg(2)), call.line))
            }
            "construct" if base == "Reflect" => {
                let args = spread(&call.arg(1));
                Some(self.make(flow, &call.arg(0), &Call { args: &args, line: call.line }))
            }
            "newInstance" | "CreateInstance" if !base.is_empty() => {
                let class = base
                    .strip_suffix(".getDeclaredConstructor")
                    .or_else(|| base.strip_suffix(".getConstructor"));
                Some(self.make(flow, &Value::path(class.unwrap_or(base)), call))
            }
            "getClass" | "GetType" if !base.is_empty() => Some(Value::path(base)),
            _ => None,
        }
    }

    fn sink(&self, flow: &mut Flow<'_>, path: &str, call: &Call<'_>) -> Option<Value> {
        let last = path.rsplit('.').next().unwrap_or(path);
        if !self.words().may_end(path) && !matches!(last, "Start" | "set") {
            return None;
        }
        if let Some(place) = Names::place(self.names.code, path) {
            // `new Function(a, b, code)`.
            let place = if last == "Function" { call.args.len().saturating_sub(1) } else { place };
            let told = call.arg(place);
            if matches!(told.known, Known::Function(_)) {
                return Some(flow.call_back(&told, &Value::default(), call.line));
            }
            // Of bytes that are defined as a class any argument may be the bytes.
            let told = if last.starts_with("define") { call.derived() } else { told };
            return Some(self.code(flow, last, &told, call.line));
        }
        if let Some(place) = Names::place(self.names.shell, path) {
            let told = call.arg(place);
            if told.items().is_some() {
                self.program(flow, last, call, place);
                return Some(Value::path(path));
            }
            if told.taint.as_ref().is_some_and(|taint| taint.origin != Origin::Upload) {
                flow.reach(Sink::Command, last, call.line, &told, !command::is_free(&told.start()));
            }
            self.done(flow, call);
            return Some(Value::path(path));
        }
        if let Some(place) = Names::place(self.names.program, path) {
            self.program(flow, last, call, place);
            self.done(flow, call);
            return Some(Value::path(path));
        }
        if path.ends_with("Process.Start") || path.ends_with("Process.StartInfo.Start") {
            self.start(flow, call);
            return Some(Value::path(path));
        }
        // Fields and methods of a class that is made of bytes.
        if path.ends_with("_bytecodes.set") {
            return Some(self.code(flow, "TemplatesImpl", &call.derived(), call.line));
        }
        if Names::has(self.names.writes, path) {
            let data = Value {
                taint: call.args.iter().skip(1).find_map(|arg| arg.taint.clone()),
                ..Value::default()
            };
            write(flow, last, &call.arg(0), &data, call.line);
            self.done(flow, call);
            return Some(Value::default());
        }
        Names::has(self.names.opens, path).then(|| opened(&call.arg(0)))
    }

    /// What is called when something is done.
    fn done(&self, flow: &mut Flow<'_>, call: &Call<'_>) {
        for arg in call.args.iter().filter(|arg| matches!(arg.known, Known::Function(_))) {
            flow.call_back(arg, &Value::default(), call.line);
        }
    }

    /// Runs a value as code.
    pub(super) fn code(&self, flow: &mut Flow<'_>, by: &str, value: &Value, line: u32) -> Value {
        if value.taint.as_ref().is_some_and(|taint| taint.origin != Origin::Upload) {
            flow.reach(Sink::Code, by, line, value, false);
            return value.derived();
        }
        let texts = value.texts();
        if value.decoded && texts.iter().any(|text| text.len() >= MIN_HIDDEN) {
            flow.hit(Hit { sink: Sink::Hidden, by: by.into(), line, taint: None, part: false });
        }
        if !self.names.runs_own {
            return Value::default();
        }
        let results: Vec<Value> = texts.iter().map(|text| flow.run_text(text, line)).collect();
        results.into_iter().reduce(|one, other| one.or(&other)).unwrap_or_default()
    }

    /// Runs a program with arguments, which no shell reads: a list, or a text that is split at blanks.
    pub(super) fn program(&self, flow: &mut Flow<'_>, by: &str, call: &Call<'_>, place: usize) {
        let told = call.arg(place);
        let rest = call.args.get(place + 1..).unwrap_or_default();
        let first = told.items().and_then(|list| list.get(&Key::Number(0)).cloned());
        let all = rest.iter().fold(told.clone(), |all, arg| Value {
            taint: worse(all.taint.as_ref(), arg.taint.as_ref()),
            ..Value::default()
        });
        let runs_shell = match &first {
            Some(first) => {
                first.taint.is_some() || first.as_text().is_some_and(|text| command::is_shell(&text))
            }
            None => {
                told.taint.is_some() && command::is_free(&told.start())
                    || told.texts().iter().any(|text| command::is_shell(text))
            }
        };
        if runs_shell && all.taint.as_ref().is_some_and(|taint| taint.origin != Origin::Upload) {
            flow.reach(Sink::Command, by, call.line, &all, false);
        } else if first.is_none() && command::is_script(&told.start()) {
            flow.reach(Sink::Command, by, call.line, &told, true);
        }
    }

    /// `Process.Start`: what it was given, or what its members say.
    fn start(&self, flow: &mut Flow<'_>, call: &Call<'_>) {
        let is_given = call.args.first().is_some_and(|arg| arg.path.as_deref() != Some("ProcessStartInfo"));
        let (file, args) = if is_given {
            (call.arg(0), call.arg(1))
        } else {
            let member = |name: &str| flow.get_shared(name).unwrap_or_default();
            (member("->FileName"), member("->Arguments"))
        };
        if file.taint.is_some() {
            flow.reach(Sink::Command, "Process.Start", call.line, &file, false);
        } else if file.texts().iter().any(|file| command::is_shell(file)) {
            flow.reach(Sink::Command, "Process.Start", call.line, &args, false);
        }
    }

    /// Makes an object of a class that is not the program's.
    pub(super) fn make(&self, flow: &mut Flow<'_>, class: &Value, call: &Call<'_>) -> Value {
        let Some(path) = class.path.clone() else { return call.derived() };
        let last = path.rsplit('.').next().unwrap_or(&path);
        let first = call.arg(0);
        match last {
            "StringBuilder" | "StringBuffer" | "String" | "string" => {
                return match call.args.first() {
                    Some(arg) if !matches!(arg.known, Known::Number(_)) => fold::text_of_bytes(arg),
                    _ => Value::text(&b""[..]),
                };
            }
            "ArrayList" | "LinkedList" | "HashMap" | "Hashtable" | "List" | "Dictionary" | "Vector"
            | "LinkedHashMap" | "TreeMap" | "Array" | "HashSet" => {
                return if first.items().is_some() {
                    first
                } else {
                    Value { taint: first.taint, ..Value::list([]) }
                };
            }
            "ProcessBuilder" => {
                let args =
                    if first.items().is_some() { first.clone() } else { call.args.iter().cloned().collect() };
                self.program(flow, last, &Call { args: &[args], line: call.line }, 0);
                return Value::path(path);
            }
            "ProcessStartInfo" => {
                flow.set_shared("->FileName", first);
                flow.set_shared("->Arguments", call.arg(1));
                return Value::path(path);
            }
            // A folder and a name in it.
            "ActiveXObject" => return com::object(&first),
            "File" if call.args.len() > 1 => return first.join(&Value::text(&b"/"[..])).join(&call.arg(1)),
            "File" => return first,
            // Where it leads is known by what is read from it.
            "URL" => return Value { taint: first.taint, ..Value::path(path) },
            "URLClassLoader" | "MLet" => {
                let taint = call.taint();
                if taint.as_ref().is_some_and(|taint| taint.origin != Origin::Upload) {
                    return self.code(flow, last, &Value::tainted(taint), call.line);
                }
            }
            _ => {}
        }
        if first.path.as_deref().is_some_and(|path| path.starts_with(FILE)) {
            return first;
        }
        if let Some(value) = self.sink(flow, &path, call) {
            return value;
        }
        // What is around a stream, a reader or a writer is what it is around.
        if ["Stream", "Reader", "Writer"].iter().any(|end| last.ends_with(end)) && first.path.is_some() {
            return first;
        }
        let value = self.value(Rc::clone(&path), call.line);
        if Names::has(self.names.derives, &path) {
            let taint = call.taint();
            return match first.known {
                Known::Nothing | Known::List(_) => Value { taint, ..value },
                _ => first,
            };
        }
        value
    }

    /// What is kept under a name from one request to the next.
    fn kept(&self, flow: &mut Flow<'_>, name: &str, call: &Call<'_>) -> Option<Value> {
        let key = call.args.first().and_then(Value::as_text)?;
        let key = format!("@{}", String::from_utf8_lossy(&key));
        match (name, call.args.len()) {
            ("setAttribute" | "putValue", 2) => {
                flow.set_shared(&key, call.arg(1));
                Some(Value::default())
            }
            ("getAttribute" | "getValue", 1) => flow.get_shared(&key),
            _ => None,
        }
    }

    /// Whether a value is a function that runs its first argument as code.
    fn runs(&self, value: &Value) -> bool {
        value.path.as_deref().is_some_and(|path| Names::place(self.names.code, path) == Some(0))
    }

    /// Functions that are called with items of a list one by one.
    fn callbacks(&self, flow: &mut Flow<'_>, base: &Value, name: &str, call: &Call<'_>) -> Option<Value> {
        let first =
            call.args.first().filter(|arg| matches!(arg.known, Known::Function(_)) || self.runs(arg))?;
        if !matches!(name, "map" | "forEach" | "filter" | "some" | "every" | "find" | "reduce" | "then") {
            // Handlers of what comes from outside.
            if base.taint.is_some() {
                return Some(flow.call_back(first, base, call.line));
            }
            return None;
        }
        let Some(list) = base.items() else {
            return Some(match first.known {
                Known::Function(_) => flow.call_back(first, base, call.line),
                _ => flow.call_value(first, &[base.derived()], call.line),
            });
        };
        if name == "reduce" {
            let mut all = call.args.get(1).cloned();
            for (_, item) in list.items().iter().take(MAX_ITEMS) {
                all = Some(match all {
                    Some(all) => flow.call_value(first, &[all, item.clone()], call.line),
                    None => item.clone(),
                });
            }
            return Some(all.unwrap_or_default());
        }
        let mut results = Vec::new();
        for (place, (_, item)) in list.items().iter().enumerate().take(MAX_ITEMS) {
            results.push(flow.call_value(first, &[item.clone(), Value::from(place as i64)], call.line));
        }
        Some(if name == "map" { results.into_iter().collect() } else { base.clone() })
    }

    /// A method of a file that is written.
    fn write_file(&self, flow: &mut Flow<'_>, base: &Value, end: &str, name: &str, call: &Call<'_>) -> Value {
        if matches!(
            name,
            "write"
                | "print"
                | "println"
                | "append"
                | "writeBytes"
                | "Write"
                | "WriteLine"
                | "writeline"
                | "end"
                | "writelines"
        ) {
            let file = Value { taint: base.taint.clone(), ..Value::text(end.as_bytes()) };
            for arg in call.args {
                write(flow, name, &file, arg, call.line);
            }
        }
        base.clone()
    }
}

/// The arguments that a list of them stands for; of one that is not known, a single one that comes from where it does.
fn spread(list: &Value) -> Vec<Value> {
    match list.items() {
        Some(list) => list.items().iter().map(|(_, item)| item.clone()).collect(),
        None => vec![list.derived()],
    }
}

/// A method that changes its object.
fn changed(flow: &mut Flow<'_>, base: &Value, name: &str, call: &Call<'_>) -> Option<Value> {
    let value = call.arg(0);
    let is_outside = base.path.is_some();
    let after = match (&base.known, name) {
        _ if is_outside => return None,
        (Known::Text(_) | Known::Nothing, "append" | "Append" | "AppendLine") => base.join(&value),
        (Known::Text(_), "insert") => call.arg(1).join(base),
        (Known::List(_), "put" | "set" | "setProperty" | "addAttribute" | "add" | "Add")
            if call.args.len() > 1 =>
        {
            base.with(value.as_key(), call.arg(1))
        }
        (Known::List(_), "push" | "add" | "append" | "Add" | "addElement" | "offer") => {
            base.with(None, value)
        }
        (Known::Nothing, "put" | "add" | "push" | "Add" | "write") if call.taint().is_some() => {
            Value { taint: worse(base.taint.as_ref(), call.taint().as_ref()), ..base.clone() }
        }
        _ => return None,
    };
    flow.change(after.clone());
    Some(after)
}

fn is_program(end: &[u8]) -> bool {
    let end = String::from_utf8_lossy(end).to_ascii_lowercase();
    PROGRAMS.iter().any(|one| end.ends_with(one))
}

/// A file that is opened to be written.
pub(super) fn opened(name: &Value) -> Value {
    // Who names its end decides what it is.
    let taint = if name.end().is_empty() { name.last() } else { None };
    Value { taint, ..Value::path(format!("{FILE}{}", String::from_utf8_lossy(&name.end()))) }
}

pub(super) fn write(flow: &mut Flow<'_>, by: &str, file: &Value, data: &Value, line: u32) {
    let is_content = data.taint.as_ref().is_some_and(|taint| taint.origin != Origin::Upload);
    let names_it =
        file.taint.is_some() && (file.end().is_empty() || file.as_text().is_some_and(|end| end.is_empty()));
    if is_content && is_program(&file.end()) {
        flow.reach(Sink::Write, by, line, data, false);
    } else if is_content && names_it && !flow.is_checked(file) {
        flow.reach(Sink::Write, by, line, data, true);
    }
}
