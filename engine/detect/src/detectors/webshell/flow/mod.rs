//! Follows values through a program without running it.
//!
//! Steps are taken in their order, so that a value has the line that it comes from. Of branches all are taken and what they leave is put
//! together; loops run as often as their test is known, else twice; calls of the program's own functions are followed. What is left
//! uncalled at the end is followed with parameters that nobody knows. Every loop and call is paid from one budget of steps, so that no
//! program takes long.

mod calls;
mod evaluate;
mod frame;
mod guards;
mod places;
mod run;

use std::borrow::Cow;
use std::rc::Rc;

use foldhash::fast::RandomState;

use self::frame::Frame;
use super::syntax::{Function, Unit};
use super::value::{Taint, Value};

pub(super) use self::frame::Captured;

/// Tables by names of the program, which may be anybody's: their hashes are seeded, if not as strong as the standard library's.
type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;
type HashSet<K> = std::collections::HashSet<K, RandomState>;

/// Nodes that are evaluated for one file, loops and calls included; each 64 bytes of a text that is put together count as one.
const MAX_WORK: u64 = 6_000_000;
/// Nodes that are evaluated in loops whose test is known; then they run twice, as others do, and what they make is not known.
const MAX_LOOPED: u64 = 250_000;
/// Places of one file that something is found at; one is enough to look at the file.
const MAX_HITS: usize = 48;
/// How often it counts that one variable became tainted.
const MAX_TAINTED: u8 = 3;
/// Texts run as code within one another.
const MAX_UNITS: usize = 64;

/// What is special about a language.
pub(super) trait Language {
    /// Reads a text that the program runs as code.
    fn unit(&self, source: &[u8]) -> Unit;

    /// Whether a variable is the whole program's, wherever it is named.
    fn is_shared(&self, name: &str) -> bool;

    /// Whether functions see the variables of those around them, and functions are values like any other.
    fn has_scopes(&self) -> bool {
        false
    }

    /// Whether items of lists are taken as functions are called: `a(1)`.
    fn takes_items_by_calls(&self) -> bool {
        false
    }

    /// Whether a text can be called: then it names a function. Elsewhere a value that comes from outside is called only because
    /// more was taken to come from there than does.
    fn calls_texts(&self) -> bool {
        false
    }

    /// Whether it changes anything that a value, of which nothing else is known, stands for this path and not for another.
    fn decides(&self, _path: &str) -> bool {
        true
    }

    /// What a parameter is that nobody here gives.
    fn parameter(&self, _name: &str) -> Value {
        Value::default()
    }

    /// Variables that the next request finds as this one left them.
    fn kept(&self) -> &'static [&'static str];

    /// A variable as the program writes it.
    fn shown<'n>(&self, name: &'n str) -> Cow<'n, str>;

    /// How a function's name is looked up.
    fn function_name<'n>(&self, name: &'n str) -> Cow<'n, str>;

    /// What a variable or bare word is that the program did not set.
    fn variable(&self, name: &str, line: u32) -> Value;

    /// What lies under a key of something that comes from outside of the program.
    fn index(&self, base: &Value, key: &Value, line: u32) -> Option<Value>;

    /// What lies under a name of something that the program did not set.
    fn member(&self, base: &Value, name: &str, line: u32) -> Value;

    /// Calls what the program does not define: a function by its name, or by its path.
    fn call(&self, flow: &mut Flow<'_>, name: &str, call: &Call<'_>) -> Value;

    /// Calls a method of something that the program does not define.
    fn method(&self, flow: &mut Flow<'_>, base: &Value, name: &str, call: &Call<'_>) -> Value;

    /// Makes an object of a class that the program does not define.
    fn instance(&self, flow: &mut Flow<'_>, class: &Value, call: &Call<'_>) -> Value;

    /// What two operands give.
    fn binary(&self, sign: &str, left: &Value, right: &Value) -> Value;

    /// What an operand gives.
    fn unary(&self, sign: &str, operand: &Value) -> Value;

    /// Whether a call is true only if one of its arguments is one of a few harmless values: that argument's place.
    fn checks(&self, name: &str, args: &[Value]) -> Option<usize>;
}

/// A call's arguments and where it is.
pub(super) struct Call<'a> {
    pub(super) args: &'a [Value],
    pub(super) line: u32,
}

impl Call<'_> {
    /// An argument; nothing is known of one that is not there.
    pub(super) fn arg(&self, place: usize) -> Value {
        self.args.get(place).cloned().unwrap_or_default()
    }

    pub(super) fn text(&self, place: usize) -> Option<super::syntax::Bytes> {
        self.args.get(place)?.as_text()
    }

    /// The worst taint of the arguments.
    pub(super) fn taint(&self) -> Option<Rc<Taint>> {
        self.args.iter().fold(None, |worst, arg| super::value::worse(worst.as_ref(), arg.taint.as_ref()))
    }

    /// What is made of all arguments in ways that are not followed.
    pub(super) fn derived(&self) -> Value {
        let decoded = self.args.iter().any(|arg| arg.decoded);
        Value { decoded, ..Value::tainted(self.taint()) }
    }
}

/// What is done with a value from outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sink {
    Code,
    Command,
    /// A file that is run.
    Include,
    /// A file that is written, with a name that makes it a program.
    Write,
    /// A file that is kept under the name the request gives.
    Upload,
    /// Code that a text of the program hides, without anything from outside.
    Hidden,
}

/// Something found.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) sink: Sink,
    /// What does it, such as `eval`.
    pub(super) by: Rc<str>,
    pub(super) line: u32,
    /// None for [`Sink::Hidden`].
    pub(super) taint: Option<Rc<Taint>>,
    /// Whether only a part comes from outside, and what is run is the program's.
    pub(super) part: bool,
}

/// What is told of a function before it is followed for the first time.
struct Prepared {
    /// For each step that begins a block, the one that ends it; for a branch the one that begins the other.
    ends: Vec<usize>,
    /// Names that are its own, its parameters among them.
    locals: Rc<HashSet<Rc<str>>>,
}

impl Prepared {
    fn of(function: &Function) -> Self {
        let names = function.locals.iter().chain(function.params.iter().map(|param| &param.name));
        Self { ends: run::ends(&function.steps), locals: Rc::new(names.cloned().collect()) }
    }
}

/// What a variable was before it was set.
struct Change {
    frame: usize,
    name: Rc<str>,
    before: Option<Value>,
}

/// Arguments by place, and what they are after a call.
type Outs = Vec<(usize, Value)>;

/// Follows one program.
pub(super) struct Flow<'l> {
    language: &'l dyn Language,
    source: &'l [u8],
    units: Vec<Rc<Unit>>,
    /// What is told of each unit's functions once.
    prepared: Vec<Rc<[Prepared]>>,
    /// For each unit the line of the file that its code comes from; none for the file itself.
    origins: Vec<Option<u32>>,
    functions: HashMap<String, (usize, usize)>,
    /// Methods by `class::name`, and by `::name` the last one of any class.
    methods: HashMap<String, (usize, usize)>,
    /// The names of all methods.
    method_names: HashSet<String>,
    parents: HashMap<String, String>,
    frames: Vec<Frame>,
    /// How many there were so far.
    calls: u64,
    changes: Vec<Change>,
    /// Room for the values of nodes that is used again.
    spare: Vec<Vec<Value>>,
    /// The unit and function being followed, the innermost last.
    stack: Vec<(usize, usize)>,
    called: HashSet<(usize, usize)>,
    results: HashMap<(usize, usize, u64), (Value, Outs)>,
    /// What arguments that are passed by reference are after the call at hand.
    outs: Outs,
    /// What the object is after the call of its method at hand.
    changed: Option<Value>,
    inlined: HashMap<(usize, usize), u32>,
    /// How often variables of the whole program and members became tainted: what was known of calls is no longer. Of each the
    /// first times count.
    epoch: u64,
    tainted: HashMap<Rc<str>, u8>,
    /// Members that something was put into, whatever object has them.
    members: HashSet<Rc<str>>,
    /// Sources of which a part was compared with known values.
    checked: HashSet<(u32, Rc<str>)>,
    pub(super) hits: Vec<Hit>,
    work: u64,
    /// What of the work was in loops whose test is known.
    looped: u64,
    /// Why not all was followed.
    pub(super) cut: Option<&'static str>,
}

const TOO_DEEP: &str = "it nests deeper, or is more, than is read";
const TOO_MANY: &str = "something is found at more places than are noted";
const TOO_LONG: &str = "following it takes more steps than are taken";

impl<'l> Flow<'l> {
    /// Follows a program to its end.
    pub(super) fn of(language: &'l dyn Language, unit: Unit, source: &'l [u8]) -> Self {
        let mut flow = Self {
            language,
            source,
            units: Vec::new(),
            prepared: Vec::new(),
            origins: Vec::new(),
            functions: HashMap::default(),
            methods: HashMap::default(),
            method_names: HashSet::default(),
            parents: HashMap::default(),
            frames: vec![Frame::default()],
            calls: 0,
            changes: Vec::new(),
            spare: Vec::new(),
            stack: Vec::new(),
            called: HashSet::default(),
            results: HashMap::default(),
            outs: Vec::new(),
            changed: None,
            inlined: HashMap::default(),
            epoch: 0,
            tainted: HashMap::default(),
            members: HashSet::default(),
            checked: HashSet::default(),
            hits: Vec::new(),
            work: 0,
            looped: 0,
            cut: None,
        };
        let place = flow.add(unit, None);
        flow.run(place, 0);
        flow.follow_the_rest();
        // What one request leaves to the next.
        if language.kept().iter().any(|name| flow.get_shared(name).is_some_and(|kept| kept.taint.is_some())) {
            flow.run(place, 0);
        }
        flow
    }

    fn add(&mut self, unit: Unit, origin: Option<u32>) -> usize {
        if unit.cut {
            self.cut = self.cut.or(Some(TOO_DEEP));
        }
        let place = self.units.len();
        for (number, function) in unit.functions.iter().enumerate() {
            let Some(name) = &function.name else { continue };
            let name = self.language.function_name(name);
            match &function.class {
                Some(class) => {
                    let class = self.language.function_name(class);
                    self.methods.insert(format!("::{name}"), (place, number));
                    self.methods.insert(format!("{class}::{name}"), (place, number));
                    self.method_names.insert(name.into_owned());
                }
                None => {
                    self.functions.insert(name.into_owned(), (place, number));
                }
            }
        }
        for (class, parent) in &unit.classes {
            let class = self.language.function_name(class).into_owned();
            let parent = parent.as_ref().map(|parent| self.language.function_name(parent).into_owned());
            self.parents.insert(class, parent.unwrap_or_default());
        }
        self.prepared.push(unit.functions.iter().map(Prepared::of).collect());
        self.units.push(Rc::new(unit));
        self.origins.push(origin);
        place
    }

    /// Functions that nobody calls here are called by others, or from outside.
    fn follow_the_rest(&mut self) {
        let mut unit = 0;
        while unit < self.units.len() {
            for function in 1..self.units[unit].functions.len() {
                if self.called.contains(&(unit, function)) {
                    continue;
                }
                let code = self.function(unit, function);
                let this = code.class.clone().map(Value::path);
                let args: Vec<Value> =
                    code.params.iter().map(|param| self.language.parameter(&param.name)).collect();
                self.call_function(unit, function, &args, this, None);
            }
            unit += 1;
        }
    }

    /// Runs a text as code where the program is.
    pub(super) fn run_text(&mut self, source: &[u8], line: u32) -> Value {
        if self.units.len() >= MAX_UNITS {
            self.cut = Some(TOO_DEEP);
            return Value::default();
        }
        self.pay(source.len() as u64);
        let unit = self.language.unit(source);
        let place = self.add(unit, Some(line));
        self.run(place, 0)
    }

    /// A function with this body and these parameters, as a value.
    pub(super) fn function_of_text(&mut self, source: &[u8], line: u32) -> Option<(usize, usize)> {
        if self.units.len() >= MAX_UNITS {
            self.cut = Some(TOO_DEEP);
            return None;
        }
        self.pay(source.len() as u64);
        let unit = self.language.unit(source);
        let place = self.add(unit, Some(line));
        (self.units[place].functions.len() > 1).then_some((place, 1))
    }

    /// The whole file.
    pub(super) fn source(&self) -> &'l [u8] {
        self.source
    }

    fn function(&self, unit: usize, function: usize) -> &Function {
        &self.units[unit].functions[function]
    }

    /// The line of the file, also of code that it hides.
    fn line(&self, unit: usize, line: u32) -> u32 {
        self.origins[unit].unwrap_or(line)
    }

    /// Takes steps from the budget; false if it is used up.
    pub(super) fn pay(&mut self, steps: u64) -> bool {
        self.work += steps;
        if self.work > MAX_WORK {
            self.cut = self.cut.or(Some(TOO_LONG));
            return false;
        }
        true
    }

    fn is_spent(&self) -> bool {
        self.work > MAX_WORK
    }

    /// Notes what is done with a value, if it comes from outside.
    pub(super) fn reach(&mut self, sink: Sink, by: &str, line: u32, value: &Value, part: bool) {
        if let Some(taint) = &value.taint {
            self.hit(Hit { sink, by: by.into(), line, taint: Some(Rc::clone(taint)), part });
        }
    }

    pub(super) fn hit(&mut self, hit: Hit) {
        let known = self.hits.iter().position(|known| known.line == hit.line && known.sink == hit.sink);
        match known {
            Some(place) if self.hits[place].part && !hit.part => self.hits[place] = hit,
            Some(_) => {}
            None if self.hits.len() < MAX_HITS => self.hits.push(hit),
            None => self.cut = self.cut.or(Some(TOO_MANY)),
        }
    }

    /// That a part of a source is one of known values.
    fn note_checked(&mut self, value: &Value) {
        if let Some(taint) = &value.taint {
            let source = taint.trail.source();
            self.checked.insert((source.line, Rc::clone(&source.what)));
            self.checked.insert((0, Rc::clone(&source.what)));
        }
    }

    pub(super) fn is_checked(&self, value: &Value) -> bool {
        value
            .taint
            .as_ref()
            .is_some_and(|taint| self.checked.contains(&(0, Rc::clone(&taint.trail.source().what))))
    }
}
