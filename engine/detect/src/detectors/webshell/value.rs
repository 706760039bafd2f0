//! What is known of a value without running the program: what it is, or where it comes from.

use std::rc::Rc;

use super::flow::Captured;
use super::syntax::Bytes;

/// Longest text that is put together; a longer one is not known.
pub(super) const MAX_TEXT: usize = 4 << 20;
/// Most items of a list that are known.
const MAX_ITEMS: usize = 2048;
/// Lists within one another that are known.
const MAX_NESTING: u8 = 8;
/// Bytes that are remembered of how an unknown text begins and ends.
const MAX_END: usize = 256;
/// Different texts that something can be.
const MAX_TEXTS: usize = 16;
/// Places between source and sink that are remembered.
const MAX_TRAIL: u8 = 16;

/// Who decides over a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Whoever sends the request.
    Request,
    /// The same, by the content of a file that is uploaded: the value is its path.
    Upload,
    /// Whoever answers a request that the program sends.
    Network,
}

/// What a value was quoted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Quoted {
    No,
    /// A word of a shell's command.
    Shell,
    /// A text between quotes, in code.
    Code,
}

/// A place that a value from outside went through.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) line: u32,
    pub(super) what: Rc<str>,
    pub(super) before: Option<Rc<Trail>>,
    length: u8,
}

impl Trail {
    /// From the source to here.
    pub(super) fn places(&self) -> Vec<&Trail> {
        let mut places = vec![self];
        while let Some(before) = places.last().and_then(|place| place.before.as_deref()) {
            places.push(before);
        }
        places.reverse();
        places
    }

    pub(super) fn source(&self) -> &Trail {
        let mut trail = self;
        while let Some(before) = &trail.before {
            trail = before;
        }
        trail
    }
}

/// That a value is decided from outside.
#[derive(Debug, Clone)]
pub(super) struct Taint {
    pub(super) origin: Origin,
    /// What it was made a harmless part of.
    pub(super) quoted: Quoted,
    pub(super) trail: Rc<Trail>,
}

impl Taint {
    pub(super) fn new(origin: Origin, line: u32, what: impl Into<Rc<str>>) -> Rc<Self> {
        let trail = Trail { line, what: what.into(), before: None, length: 0 };
        Rc::new(Self { origin, quoted: Quoted::No, trail: trail.into() })
    }

    /// The same, one place further.
    pub(super) fn through(&self, line: u32, what: &str) -> Rc<Self> {
        let last = &self.trail;
        if last.length == MAX_TRAIL || *last.what == *what {
            return Rc::new(self.clone());
        }
        let trail = Trail { line, what: what.into(), before: Some(Rc::clone(last)), length: last.length + 1 };
        Rc::new(Self { trail: trail.into(), ..*self })
    }

    /// The same, quoted.
    pub(super) fn quoted(&self, quoted: Quoted) -> Rc<Self> {
        Rc::new(Self { quoted, ..self.clone() })
    }

    fn rank(&self) -> u8 {
        let origin = match self.origin {
            Origin::Request => 2,
            Origin::Network => 1,
            Origin::Upload => 0,
        };
        origin * 2 + u8::from(self.quoted == Quoted::No)
    }
}

/// The worse of two.
pub(super) fn worse(one: Option<&Rc<Taint>>, other: Option<&Rc<Taint>>) -> Option<Rc<Taint>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Rc::clone(if other.rank() > one.rank() { other } else { one })),
        (one, other) => one.or(other).cloned(),
    }
}

/// A key of a list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Key {
    Number(i64),
    Text(Bytes),
}

/// A list of which all items are known, if only as unknown values.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    items: Vec<(Key, Value)>,
    next: i64,
    nesting: u8,
}

impl List {
    pub(super) fn items(&self) -> &[(Key, Value)] {
        &self.items
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        // Most lists have their items in order.
        if let Key::Number(place) = key
            && let Some((own, value)) = usize::try_from(*place).ok().and_then(|place| self.items.get(place))
            && own == key
        {
            return Some(value);
        }
        self.items.iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }

    /// False if it would be too much.
    #[must_use]
    pub(super) fn set(&mut self, key: Option<Key>, value: Value) -> bool {
        let nesting = match &value.known {
            Known::List(list) => list.nesting + 1,
            _ => 0,
        };
        self.nesting = self.nesting.max(nesting);
        let is_new = key.is_none();
        let key = key.unwrap_or(Key::Number(self.next));
        if let Key::Number(number) = key {
            self.next = self.next.max(number.saturating_add(1));
        }
        match self.items.iter_mut().find(|(own, _)| !is_new && *own == key) {
            Some((_, own)) => *own = value,
            None => self.items.push((key, value)),
        }
        self.items.len() <= MAX_ITEMS && self.nesting <= MAX_NESTING
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<T: IntoIterator<Item = Value>>(values: T) -> Self {
        Self::list(values.into_iter().map(|value| (None, value)))
    }
}

/// What a value is known to be.
#[derive(Debug, Clone, Default)]
pub(super) enum Known {
    #[default]
    Nothing,
    Null,
    Bool(bool),
    Number(i64),
    Text(Bytes),
    /// One of these.
    Texts(Rc<Vec<Bytes>>),
    List(Rc<List>),
    /// A function, and what it sees of where it was made.
    Function(Rc<Closure>),
}

#[derive(Debug)]
pub(super) struct Closure {
    pub(super) unit: usize,
    pub(super) function: usize,
    pub(super) captured: Option<Rc<Captured>>,
}

/// In [`Value::start`] and [`Value::end`]: something that the program decides, if nobody knows what.
const OPAQUE: &[u8] = b"\0";

/// How a text begins and ends of which not all is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends {
    start: Vec<u8>,
    end: Vec<u8>,
    /// Who decides over its last part.
    last: Option<Rc<Taint>>,
}

/// A value.
#[derive(Debug, Clone, Default)]
pub(super) struct Value {
    pub(super) known: Known,
    pub(super) taint: Option<Rc<Taint>>,
    /// What it stands for outside of the program: a class, a module, the result of a call.
    pub(super) path: Option<Rc<str>>,
    pub(super) ends: Option<Rc<Ends>>,
    /// Whether it was hidden: made by decoding a text of the program.
    pub(super) decoded: bool,
}

impl Ends {
    pub(super) fn start(&self) -> &[u8] {
        &self.start
    }
}

impl Value {
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self::from(Known::Text(text.into()))
    }

    pub(super) fn path(path: impl Into<Rc<str>>) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    pub(super) fn tainted(taint: Option<Rc<Taint>>) -> Self {
        Self { taint, ..Self::default() }
    }

    /// A list; tainted as its worst item is. One that is too long or too deep is not known.
    pub(super) fn list(items: impl IntoIterator<Item = (Option<Key>, Value)>) -> Self {
        let (mut list, mut taint, mut whole) = (List::default(), None, true);
        for (key, value) in items {
            taint = worse(taint.as_ref(), value.taint.as_ref());
            whole = whole && list.set(key, value);
        }
        let known = if whole { Known::List(list.into()) } else { Known::Nothing };
        Self { taint, ..Self::from(known) }
    }

    /// The same list with one item more or another.
    pub(super) fn with(&self, key: Option<Key>, value: Value) -> Self {
        let taint = worse(self.taint.as_ref(), value.taint.as_ref());
        let list = match &self.known {
            Known::List(list) => Some(List::clone(list)),
            Known::Null => Some(List::default()),
            Known::Nothing if self.taint.is_none() && self.path.is_none() => Some(List::default()),
            _ => None,
        };
        let known = list.and_then(|mut list| list.set(key, value).then(|| Known::List(list.into())));
        Self { taint, path: self.path.clone(), ..Self::from(known.unwrap_or_default()) }
    }

    pub(super) fn items(&self) -> Option<&List> {
        match &self.known {
            Known::List(list) => Some(list),
            _ => None,
        }
    }

    /// As text, if that is known.
    pub(super) fn as_text(&self) -> Option<Bytes> {
        Some(match &self.known {
            Known::Text(text) => Rc::clone(text),
            Known::Number(number) => number.to_string().into_bytes().into(),
            Known::Bool(true) => Rc::from(&b"1"[..]),
            Known::Bool(false) | Known::Null => Rc::from(&b""[..]),
            Known::List(_) => Rc::from(&b"Array"[..]),
            Known::Nothing | Known::Texts(_) | Known::Function(_) => return None,
        })
    }

    /// All that it can be, if that is known.
    pub(super) fn texts(&self) -> Vec<Bytes> {
        match &self.known {
            Known::Texts(texts) => texts.to_vec(),
            Known::Text(text) => vec![Rc::clone(text)],
            _ => Vec::new(),
        }
    }

    pub(super) fn as_number(&self) -> Option<i64> {
        match &self.known {
            Known::Number(number) => Some(*number),
            Known::Bool(value) => Some(i64::from(*value)),
            Known::Null => Some(0),
            Known::Text(text) => Some(leading_number(text)),
            _ => None,
        }
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        Some(match &self.known {
            Known::Null => false,
            Known::Bool(value) => *value,
            Known::Number(number) => *number != 0,
            Known::Text(text) => !text.is_empty() && **text != *b"0",
            Known::List(list) => !list.items.is_empty(),
            Known::Function(_) => true,
            Known::Nothing | Known::Texts(_) => return None,
        })
    }

    /// As the key of a list.
    pub(super) fn as_key(&self) -> Option<Key> {
        match &self.known {
            Known::Text(text) => {
                let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
                let number = number.filter(|number| number.to_string().as_bytes() == &**text);
                Some(number.map_or_else(|| Key::Text(Rc::clone(text)), Key::Number))
            }
            Known::Null => Some(Key::Text(Rc::from(&b""[..]))),
            _ => self.as_number().filter(|_| !matches!(self.known, Known::List(_))).map(Key::Number),
        }
    }

    /// How it begins as a text, as far as the program decides that.
    pub(super) fn start(&self) -> Vec<u8> {
        match (self.as_text(), &self.ends) {
            (Some(text), _) => text[..text.len().min(MAX_END)].to_vec(),
            (None, Some(ends)) => ends.start.clone(),
            (None, None) => self.unknown_end(),
        }
    }

    /// How it ends as a text, as far as the program decides that.
    pub(super) fn end(&self) -> Vec<u8> {
        match (self.as_text(), &self.ends) {
            (Some(text), _) => text[text.len().saturating_sub(MAX_END)..].to_vec(),
            (None, Some(ends)) => ends.end.clone(),
            (None, None) => self.unknown_end(),
        }
    }

    /// Who decides over its last part.
    pub(super) fn last(&self) -> Option<Rc<Taint>> {
        self.ends.as_ref().map_or_else(|| self.taint.clone(), |ends| ends.last.clone())
    }

    /// How it begins, and ends, where that is not the known part of a text: by what nobody knows, or by what comes from outside.
    fn unknown_end(&self) -> Vec<u8> {
        if self.taint.is_some() { Vec::new() } else { OPAQUE.to_vec() }
    }

    /// The texts one behind the other.
    pub(super) fn join(&self, right: &Value) -> Value {
        let taint = worse(self.taint.as_ref(), right.taint.as_ref());
        let decoded = self.decoded || right.decoded;
        let (one, other) = (self.as_text(), right.as_text());
        if let (Some(one), Some(other)) = (&one, &other) {
            let known = if one.len() + other.len() > MAX_TEXT {
                Known::Nothing
            } else if other.is_empty() {
                Known::Text(Rc::clone(one))
            } else {
                Known::Text([&**one, &**other].concat().into())
            };
            return Value { known, taint, decoded, ..Value::default() };
        }
        let mut start = self.start();
        if one.is_some() && start.len() < MAX_END {
            start.extend(right.start());
            start.truncate(MAX_END);
        }
        let mut end = right.end();
        if other.is_some() && end.len() < MAX_END {
            end = [self.end(), end].concat();
            end.drain(..end.len().saturating_sub(MAX_END));
        }
        let last =
            if other.as_ref().is_some_and(|other| other.is_empty()) { self.last() } else { right.last() };
        let ends = Rc::new(Ends { start, end, last });
        Value { taint, ends: Some(ends), decoded, ..Value::default() }
    }

    /// What is one or the other.
    pub(super) fn or(&self, other: &Value) -> Value {
        let taint = worse(self.taint.as_ref(), other.taint.as_ref());
        let decoded = self.decoded || other.decoded;
        let path = self.path.clone().or_else(|| other.path.clone());
        let (one, two) = (self.texts(), other.texts());
        let known = match (&self.known, &other.known) {
            (Known::Text(one), Known::Text(other)) if one == other => self.known.clone(),
            (Known::Number(one), Known::Number(other)) if one == other => self.known.clone(),
            (Known::Function(_), _) => self.known.clone(),
            (_, Known::Function(_)) => other.known.clone(),
            // A list that was empty, or that is as it was.
            (Known::List(one), Known::List(other)) if Rc::ptr_eq(one, other) => self.known.clone(),
            (Known::Null | Known::Nothing, Known::Null) | (Known::Null, Known::Nothing) => Known::Nothing,
            _ if one.is_empty() && two.is_empty() => Known::Nothing,
            // What else it can be is no text, or not known: names of functions count all the same.
            _ => {
                let mut texts = one;
                for text in two {
                    if !texts.contains(&text) && texts.len() < MAX_TEXTS {
                        texts.push(text);
                    }
                }
                Known::Texts(texts.into())
            }
        };
        let ends =
            if self.ends.is_some() && self.start() == other.start() { self.ends.clone() } else { None };
        Value { known, taint, path, ends, decoded }
    }

    /// The same without its taint.
    pub(super) fn clean(&self) -> Value {
        Value { taint: None, ..self.clone() }
    }

    /// The taint alone, for what is made of it in ways that are not followed.
    pub(super) fn derived(&self) -> Value {
        Value { taint: self.taint.clone(), decoded: self.decoded, ..Value::default() }
    }
}

impl From<Known> for Value {
    fn from(known: Known) -> Self {
        Self { known, ..Self::default() }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Known::Bool(value).into()
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Known::Number(value).into()
    }
}

fn leading_number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..sign + digits]).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
