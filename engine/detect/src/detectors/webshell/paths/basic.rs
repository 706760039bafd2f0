//! VBScript's own functions, by their names in small letters (VBScript Language Reference, "Functions").

use super::fold;
use crate::detectors::webshell::flow::Call;
use crate::detectors::webshell::value::{Known, MAX_TEXT, Value};

/// Calls a function; none if it is none of these.
pub(super) fn function(name: &str, call: &Call<'_>) -> Option<Value> {
    let first = call.arg(0);
    let rest = call.args.get(1..).unwrap_or_default();
    let method = |name: &str, args: &[Value]| {
        fold::method(&first, name, &Call { args, line: call.line }).unwrap_or_else(|| call.derived())
    };
    let number = |place: usize| call.args.get(place).and_then(Value::as_number);
    Some(match name {
        "strreverse" => method("reverse", &[]),
        "replace" => method("replace", rest),
        "lcase" => method("lower", &[]),
        "ucase" => method("upper", &[]),
        "trim" | "ltrim" | "rtrim" => method("strip", &[]),
        "split" => method("split", rest),
        "left" => method("substr", &[Value::from(0), call.arg(1)]),
        "right" => match (first.as_text(), number(1)) {
            (Some(text), Some(count)) => {
                let count = usize::try_from(count).unwrap_or(0).min(text.len());
                Value { decoded: first.decoded, ..Value::text(&text[text.len() - count..]) }
            }
            _ => call.derived(),
        },
        "mid" | "midb" => match number(1) {
            // Places are counted from one.
            Some(place) => {
                let place = Value::from(place.saturating_sub(1));
                let args: Vec<Value> = std::iter::once(place).chain(call.args.get(2).cloned()).collect();
                method("substr", &args)
            }
            None => call.derived(),
        },
        "join" => match first.items() {
            Some(list) => {
                let between = rest.first().cloned().unwrap_or_else(|| Value::text(&b" "[..]));
                fold::joined(list.items().iter().map(|(_, item)| item.clone()), &between)
            }
            None => call.derived(),
        },
        "array" => call.args.iter().cloned().collect(),
        "asc" | "ascw" | "ascb" => match first.as_text() {
            Some(text) => text.first().map(|byte| Value::from(i64::from(*byte))).unwrap_or_default(),
            None => first.derived(),
        },
        "chr" | "chrw" | "chrb" => match number(0) {
            Some(code) => Value { decoded: true, ..fold::character(code) },
            None => first.derived(),
        },
        "hex" => number(0).map(|number| Value::text(format!("{number:X}").as_bytes())).unwrap_or_default(),
        "len" | "lenb" => first.as_text().map(|text| Value::from(text.len() as i64)).unwrap_or_default(),
        "ubound" => first.items().map(|list| Value::from(list.items().len() as i64 - 1)).unwrap_or_default(),
        "lbound" => Value::from(0),
        "space" => Value::text(&b" "[..]).repeated(number(0)),
        "string" => match &call.arg(1).known {
            Known::Number(code) => fold::character(*code).repeated(number(0)),
            _ => call.arg(1).repeated(number(0)),
        },
        // What is made a number is none of the request's.
        "cint" | "clng" | "cdbl" | "csng" | "cbyte" | "cbool" | "int" | "fix" | "abs" => {
            whole(&first).map(Value::from).unwrap_or_default()
        }
        "cstr" | "server.mappath" => first,
        "getref" => {
            first.as_text().map(|name| Value::path(&*String::from_utf8_lossy(&name))).unwrap_or_default()
        }
        _ => return None,
    })
}

/// A number, or a text such as `12` or `&H1F`.
fn whole(value: &Value) -> Option<i64> {
    if let Known::Text(text) = &value.known {
        let text = String::from_utf8_lossy(text).to_ascii_lowercase();
        if let Some(digits) = text.trim().strip_prefix("&h") {
            return i64::from_str_radix(digits, 16).ok();
        }
    }
    value.as_number()
}

impl Value {
    /// A text so many times; not known if it is too long.
    fn repeated(&self, times: Option<i64>) -> Value {
        let times = times.and_then(|times| usize::try_from(times).ok());
        match (self.as_text(), times) {
            (Some(text), Some(times)) if text.len().saturating_mul(times) <= MAX_TEXT => {
                Value::text(text.repeat(times))
            }
            _ => self.derived(),
        }
    }
}

/// What two operands give, where that is not as in other languages.
pub(super) fn binary(sign: &str, left: &Value, right: &Value) -> Option<Value> {
    match sign {
        "concat" => Some(written(left).join(&written(right))),
        // A part of a text that is calculated with may become one again: `Chr(Asc(a) Xor 7)`.
        "-" | "*" | "/" | "%" | "^" | "**" if left.taint.is_some() || right.taint.is_some() => {
            Some(left.derived().or(&right.derived()))
        }
        _ => None,
    }
}

/// What was not set is an empty text.
fn written(value: &Value) -> Value {
    let is_unset = value.taint.is_none()
        && matches!(value.known, Known::Nothing)
        && value.ends.is_none()
        && value.path.as_deref().is_some_and(|path| !path.contains(['.', ':']));
    if is_unset { Value::text(&b""[..]) } else { value.clone() }
}
