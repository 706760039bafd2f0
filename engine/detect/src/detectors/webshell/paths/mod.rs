//! Languages in which everything outside of the program is known by a path of names, such as `child_process.exec`: Java, C#, JavaScript,
//! Python and VBScript. What a path stands for is in tables ([`names`], [`asp`]), and what texts become in [`fold`].

mod asp;
mod basic;
mod calls;
mod com;
mod fold;
mod names;
mod words;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::OnceLock;

use super::braces::{self, Dialect};
use super::flow::{Call, Flow, Language};
use super::page::Part;
use super::python;
use super::syntax::Unit;
use super::value::{Known, Origin, Taint, Value};
use super::vbscript;
use names::Names;
use words::Words;

/// Bytes of a path; a longer one stands for nothing.
const MAX_PATH: usize = 160;
/// Every path that decides nothing, however it goes on.
const UNKNOWN: &str = "?";

/// Methods of lists and texts, by which programs of Node.js come to a function without making one.
const METHODS: [&str; 24] = [
    "at", "big", "bold", "charAt", "concat", "every", "fill", "filter", "find", "flat", "forEach", "join",
    "link", "map", "match", "pop", "push", "replace", "slice", "some", "sort", "split", "sub", "trim",
];
/// A path that stands for a function of the language itself: what its constructor is given runs.
const METHOD: &str = "constructor";

/// A language of this kind.
pub(super) struct Paths {
    names: &'static Names,
    words: OnceLock<Words>,
    read: fn(&[Part<'_>]) -> Unit,
}

/// Pages and servlets.
pub(super) static JAVA: Paths = Paths::of(&names::JAVA, |parts| braces::unit(parts, Dialect::Java));
/// ASP.NET.
pub(super) static CSHARP: Paths = Paths::of(&names::CSHARP, |parts| braces::unit(parts, Dialect::CSharp));
/// Node.js, and the scripts of ASP.NET.
pub(super) static SCRIPT: Paths = Paths::of(&names::SCRIPT, |parts| braces::unit(parts, Dialect::Script));
/// Scripts of classic ASP.
pub(super) static JSCRIPT: Paths = Paths::of(&asp::JSCRIPT, |parts| braces::unit(parts, Dialect::Script));
/// The other language of classic ASP.
pub(super) static VBSCRIPT: Paths = Paths::of(&asp::VBSCRIPT, vbscript::unit);
/// Python.
pub(super) static PYTHON: Paths = Paths::of(&names::PYTHON, python::unit);

impl Paths {
    const fn of(names: &'static Names, read: fn(&[Part<'_>]) -> Unit) -> Self {
        Self { names, words: OnceLock::new(), read }
    }

    /// The words of its names.
    fn words(&self) -> &Words {
        self.words.get_or_init(|| Words::of(self.names))
    }

    /// Reads the programs of a file.
    pub(super) fn read(&self, parts: &[Part<'_>]) -> Unit {
        (self.read)(parts)
    }

    /// A member of what a path stands for; packages and what is around everything are left out.
    fn path(&self, base: &str, name: &str) -> Rc<str> {
        let last = base.rsplit('.').next().unwrap_or(base);
        let is_package = !self.names.packages.is_empty()
            && name.starts_with(|first: char| first.is_ascii_uppercase())
            && (self.names.roots.contains(&last)
                || base
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.'))
            && self.names.packages.iter().any(|package| base.split('.').next() == Some(package));
        if is_package || self.names.roots.contains(&base) || self.names.requests.contains(&name) {
            return self.names.alias(name).into();
        }
        if base == "request" && self.names.indexed.contains(&"=request") {
            return longer(base, &name.to_ascii_lowercase());
        }
        if self.tells_by_words() && !self.words().decide_with(base, name) {
            return UNKNOWN.into();
        }
        longer(base, name)
    }

    /// What makes functions of texts.
    fn maker(&self) -> Rc<str> {
        self.path(METHOD, METHOD)
    }

    /// Whether the words of a path say all about it: packages are told by their letters.
    fn tells_by_words(&self) -> bool {
        self.names.packages.is_empty() && !self.names.is_basic
    }

    /// What a path gives: itself, or what comes from outside.
    fn value(&self, path: Rc<str>, line: u32) -> Value {
        if !self.words().may_end(&path) {
            return Value::path(path);
        }
        let origin = if Names::has(self.names.sources, &path) {
            Origin::Request
        } else if Names::has(self.names.uploads, &path) {
            Origin::Upload
        } else if Names::has(self.names.network, &path) {
            Origin::Network
        } else {
            return Value::path(path);
        };
        Value { taint: Some(Taint::new(origin, line, Rc::clone(&path))), ..Value::path(path) }
    }
}

/// A path with one name more.
fn longer(base: &str, name: &str) -> Rc<str> {
    if base.len() + name.len() > MAX_PATH { base.into() } else { format!("{base}.{name}").into() }
}

impl Language for Paths {
    fn unit(&self, source: &[u8]) -> Unit {
        self.read(&[Part { source: source.into(), line: 1, tag: None }])
    }

    fn is_shared(&self, _name: &str) -> bool {
        false
    }

    fn has_scopes(&self) -> bool {
        true
    }

    fn takes_items_by_calls(&self) -> bool {
        self.names.is_basic
    }

    fn decides(&self, path: &str) -> bool {
        !self.tells_by_words() || self.words().decide(path)
    }

    fn parameter(&self, name: &str) -> Value {
        if self.names.requests.contains(&name) {
            Value::path(self.names.alias(name))
        } else {
            Value::default()
        }
    }

    fn kept(&self) -> &'static [&'static str] {
        &[]
    }

    fn shown<'n>(&self, name: &'n str) -> Cow<'n, str> {
        name.into()
    }

    fn function_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        name.into()
    }

    fn variable(&self, name: &str, line: u32) -> Value {
        // What lasts from one page to the next is kept in lists.
        if self.names.is_basic && matches!(name, "session" | "application") {
            return Value::default();
        }
        self.value(self.names.alias(name).into(), line)
    }

    fn index(&self, base: &Value, key: &Value, line: u32) -> Option<Value> {
        if matches!(base.known, Known::Function(_))
            && let Some(name) = key.as_text()
        {
            return Some(self.member(base, &String::from_utf8_lossy(&name), line));
        }
        let path = base.path.as_deref().filter(|_| base.items().is_none())?;
        if base.taint.is_some() {
            // The first key names the parameter.
            let taint = base.taint.as_ref()?;
            let Some(key) = key.as_text().filter(|_| taint.trail.before.is_none() && !path.contains('['))
            else {
                return Some(base.derived());
            };
            let shown = format!("{path}['{}']", String::from_utf8_lossy(&key));
            return Some(Value::tainted(Some(Taint::new(taint.origin, line, shown))));
        }
        if Names::has(self.names.indexed, path) {
            let shown = match key.as_text() {
                Some(key) => format!("{path}['{}']", String::from_utf8_lossy(&key)),
                None => format!("{path}[…]"),
            };
            return Some(Value::tainted(Some(Taint::new(Origin::Request, line, shown))));
        }
        match key.as_text() {
            Some(name) if !name.is_empty() => Some(self.member(base, &String::from_utf8_lossy(&name), line)),
            _ => Some(Value::path(path)),
        }
    }

    fn member(&self, base: &Value, name: &str, line: u32) -> Value {
        if let Known::Text(text) = &base.known
            && matches!(name, "length" | "Length")
        {
            return Value::from(text.len() as i64);
        }
        if let Known::List(list) = &base.known
            && matches!(name, "length" | "Length" | "Count")
        {
            return Value::from(list.items().len() as i64);
        }
        if base.taint.is_some() {
            let of_upload = base.taint.as_ref().is_some_and(|taint| taint.origin == Origin::Upload);
            return match name {
                "length" | "size" => Value::default(),
                // The name of an upload is the request's, and so is what is in it.
                _ if of_upload && Names::has(self.names.of_uploads, name) => {
                    Value::tainted(Some(Taint::new(Origin::Request, line, format!("an upload's {name}"))))
                }
                _ => base.derived(),
            };
        }
        match &base.path {
            _ if matches!(base.known, Known::Function(_)) && name == METHOD => Value::path(self.maker()),
            None if matches!(base.known, Known::Text(_) | Known::List(_)) && METHODS.contains(&name) => {
                Value::path(self.names.alias(METHOD))
            }
            Some(path) if path.starts_with(com::OBJECT) => com::member(path, name, line),
            Some(path) => self.value(self.path(path, name), line),
            None => Value::path(self.names.alias(name)),
        }
    }

    fn call(&self, flow: &mut Flow<'_>, name: &str, call: &Call<'_>) -> Value {
        self.call_path(flow, name, call)
    }

    fn method(&self, flow: &mut Flow<'_>, base: &Value, name: &str, call: &Call<'_>) -> Value {
        self.call_method(flow, base, name, call)
    }

    fn instance(&self, flow: &mut Flow<'_>, class: &Value, call: &Call<'_>) -> Value {
        self.make(flow, class, call)
    }

    fn binary(&self, sign: &str, left: &Value, right: &Value) -> Value {
        let basic = if self.names.is_basic { basic::binary(sign, left, right) } else { None };
        basic.unwrap_or_else(|| fold::binary(sign, left, right))
    }

    fn unary(&self, sign: &str, operand: &Value) -> Value {
        fold::unary(sign, operand)
    }

    fn checks(&self, name: &str, args: &[Value]) -> Option<usize> {
        let is_own = args.first().is_some_and(|arg| arg.taint.is_some());
        // `ALLOWED.contains(x)`, `allowed.includes(x)`.
        (matches!(
            name,
            "contains"
                | "Contains"
                | "includes"
                | "containsKey"
                | "ContainsKey"
                | "has"
                | "equals"
                | "Equals"
                | "isnumeric"
        ) && is_own
            && args.len() == 1)
            .then_some(0)
    }
}
