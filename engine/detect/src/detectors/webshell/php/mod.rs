//! PHP: what its variables and functions bring in from outside, and what they run.

mod callbacks;
mod expression;
mod functions;
mod lex;
mod names;
mod objects;
mod parse;
mod patterns;
mod sinks;
mod variables;

use std::borrow::Cow;
use std::rc::Rc;

use super::flow::{Call, Flow, Language};
use super::syntax::Unit;
use super::value::{Known, Origin, Taint, Value};

/// See the module.
pub(super) struct Php;

/// Reads a file.
pub(super) fn read(source: &[u8]) -> Unit {
    parse::unit(source, false)
}

/// Variables that hold what the request says.
const REQUEST: [&str; 10] = [
    "_GET",
    "_POST",
    "_REQUEST",
    "_COOKIE",
    "HTTP_RAW_POST_DATA",
    "HTTP_GET_VARS",
    "HTTP_POST_VARS",
    "HTTP_COOKIE_VARS",
    "HTTP_REQUEST_VARS",
    "php_input",
];

/// Names of `$_SERVER` that the request decides.
fn is_header(name: &[u8]) -> bool {
    name.starts_with(b"HTTP_")
        || matches!(
            name,
            b"QUERY_STRING"
                | b"REQUEST_URI"
                | b"PATH_INFO"
                | b"ORIG_PATH_INFO"
                | b"PHP_AUTH_USER"
                | b"PHP_AUTH_PW"
                | b"PHP_AUTH_DIGEST"
                | b"CONTENT_TYPE"
                | b"REQUEST_METHOD"
                | b"argv"
        ) && name != b"HTTP_HOST"
            && name != b"argv"
}

impl Language for Php {
    fn unit(&self, source: &[u8]) -> Unit {
        parse::unit(source, true)
    }

    fn is_shared(&self, name: &str) -> bool {
        name == "_SESSION" || name == "_SERVER" || name == "_ENV" || REQUEST.contains(&name)
    }

    fn calls_texts(&self) -> bool {
        true
    }

    fn kept(&self) -> &'static [&'static str] {
        &["_SESSION"]
    }

    fn shown<'n>(&self, name: &'n str) -> Cow<'n, str> {
        format!("${name}").into()
    }

    fn function_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let last = name.rsplit('\\').next().unwrap_or(name);
        let has_capitals = last.bytes().any(|byte| byte.is_ascii_uppercase());
        if has_capitals { last.to_ascii_lowercase().into() } else { last.into() }
    }

    fn variable(&self, name: &str, line: u32) -> Value {
        let Some(variable) = name.strip_prefix('$') else { return constant(name) };
        match variable {
            "GLOBALS" => Value::path("$GLOBALS"),
            "_SERVER" | "HTTP_SERVER_VARS" => Value::path("$_SERVER"),
            "_ENV" | "HTTP_ENV_VARS" => Value::path("$_ENV"),
            "_FILES" | "HTTP_POST_FILES" => {
                let taint = Taint::new(Origin::Upload, line, "$_FILES");
                Value { taint: Some(taint), ..Value::path("$_FILES") }
            }
            _ if REQUEST.contains(&variable) => {
                Value { taint: Some(Taint::new(Origin::Request, line, name)), ..Value::path(name) }
            }
            _ => Value::default(),
        }
    }

    fn index(&self, base: &Value, key: &Value, line: u32) -> Option<Value> {
        let path = base.path.as_deref()?;
        let text = key.as_text();
        let shown = || match &text {
            Some(text) => format!("{path}['{}']", String::from_utf8_lossy(text)),
            None => format!("{path}[…]"),
        };
        match path {
            "$functions" => Some(Value::path("$functions")),
            "$_SERVER" | "$_ENV" => Some(match &text {
                Some(name) if is_header(name) => {
                    Value::tainted(Some(Taint::new(Origin::Request, line, shown())))
                }
                _ => key.taint.as_ref().map_or_else(Value::default, |_| key.derived()),
            }),
            "$_FILES" => Some(match text.as_deref() {
                Some(b"name" | b"type" | b"full_path") => {
                    Value::tainted(Some(Taint::new(Origin::Request, line, "$_FILES[…]['name']")))
                }
                Some(b"size" | b"error") => Value::default(),
                Some(b"tmp_name") => Value::tainted(base.taint.clone()),
                _ => base.clone(),
            }),
            _ if path.starts_with('$') && base.items().is_none() => {
                let taint = base.taint.as_ref()?;
                // The first key names the parameter.
                let is_source = taint.trail.before.is_none() && !path.contains('[');
                let path: Rc<str> = shown().into();
                let taint = if is_source {
                    Taint::new(taint.origin, line, Rc::clone(&path))
                } else {
                    Rc::clone(taint)
                };
                Some(Value { taint: Some(taint), ..Value::default() })
            }
            _ => None,
        }
    }

    fn member(&self, base: &Value, name: &str, line: u32) -> Value {
        objects::member(base, name, line)
    }

    fn call(&self, flow: &mut Flow<'_>, name: &str, call: &Call<'_>) -> Value {
        sinks::call(flow, name, call)
    }

    fn method(&self, flow: &mut Flow<'_>, base: &Value, name: &str, call: &Call<'_>) -> Value {
        objects::method(flow, base, &name.to_ascii_lowercase(), call)
    }

    fn instance(&self, flow: &mut Flow<'_>, class: &Value, call: &Call<'_>) -> Value {
        objects::instance(flow, class, call)
    }

    fn binary(&self, sign: &str, left: &Value, right: &Value) -> Value {
        binary(sign, left, right)
    }

    fn unary(&self, sign: &str, operand: &Value) -> Value {
        unary(sign, operand)
    }

    fn checks(&self, name: &str, args: &[Value]) -> Option<usize> {
        let is_own = |place: usize| args.get(place).is_some_and(|arg| arg.taint.is_none());
        let place = match name {
            "in_array" | "array_key_exists" | "key_exists" | "array_search" if is_own(1) => 0,
            "hash_equals" if is_own(0) => 1,
            "ctype_alnum" | "ctype_alpha" | "ctype_digit" | "ctype_xdigit" | "ctype_lower"
            | "ctype_upper" | "is_numeric" | "is_int" | "is_integer" | "is_bool" | "is_float" => 0,
            "filter_var" if args.len() > 1 => 0,
            "preg_match" if args.first()?.as_text().is_some_and(|pattern| patterns::is_strict(&pattern)) => 1,
            _ => return None,
        };
        args.get(place).map(|_| place)
    }
}

fn constant(name: &str) -> Value {
    match name.to_ascii_lowercase().as_str() {
        "true" => Value::from(true),
        "false" => Value::from(false),
        "null" => Known::Null.into(),
        "__file__" => Value::path("__FILE__"),
        "php_eol" => Value::text(&b"\n"[..]),
        "directory_separator" => Value::text(&b"/"[..]),
        _ if name.starts_with("INPUT_") || name.starts_with("FILTER_") || name.starts_with("ASSERT_") => {
            Value::path(name)
        }
        // What nobody defined is its own name; what is in capitals was most likely defined elsewhere.
        _ if name.bytes().any(|byte| byte.is_ascii_lowercase()) && !name.contains('\\') => {
            Value::text(name.as_bytes())
        }
        _ => Value::default(),
    }
}

fn number(sign: &str, left: i64, right: i64) -> Option<i64> {
    Some(match sign {
        "+" => left.checked_add(right)?,
        "-" => left.checked_sub(right)?,
        "*" => left.checked_mul(right)?,
        "/" if right != 0 && left.checked_rem(right)? == 0 => left.checked_div(right)?,
        "%" => left.checked_rem(right)?,
        "**" => left.checked_pow(u32::try_from(right).ok()?)?,
        "&" => left & right,
        "|" => left | right,
        "^" => left ^ right,
        "<<" => left.checked_shl(u32::try_from(right).ok()?)?,
        ">>" => left.checked_shr(u32::try_from(right).ok()?)?,
        _ => return None,
    })
}

fn binary(sign: &str, left: &Value, right: &Value) -> Value {
    match sign {
        "." => left.join(right),
        "??" => match &left.known {
            Known::Null => right.clone(),
            Known::Nothing if left.taint.is_none() && left.path.is_none() => right.or(left),
            Known::Nothing | Known::Texts(_) => left.or(right),
            _ => left.clone(),
        },
        "&&" | "||" | "xor" => match (left.as_bool(), right.as_bool()) {
            (Some(left), Some(right)) => Value::from(match sign {
                "&&" => left && right,
                "||" => left || right,
                _ => left != right,
            }),
            (Some(false), _) | (_, Some(false)) if sign == "&&" => Value::from(false),
            (Some(true), _) | (_, Some(true)) if sign == "||" => Value::from(true),
            _ => Value::default(),
        },
        "^" | "|" | "&" => match (&left.known, &right.known) {
            (Known::Text(one), Known::Text(other)) => {
                let length =
                    if sign == "|" { one.len().max(other.len()) } else { one.len().min(other.len()) };
                let byte = |text: &[u8], at: usize| text.get(at).copied().unwrap_or(0);
                let bytes = (0..length).map(|at| match sign {
                    "^" => byte(one, at) ^ byte(other, at),
                    "|" => byte(one, at) | byte(other, at),
                    _ => byte(one, at) & byte(other, at),
                });
                let joined = left.join(right);
                Value { decoded: true, taint: joined.taint, ..Value::text(bytes.collect::<Vec<_>>()) }
            }
            _ => match (left.as_number(), right.as_number()) {
                (Some(one), Some(other)) => number(sign, one, other).map(Value::from).unwrap_or_default(),
                _ => Value { decoded: true, ..left.join(right).derived() },
            },
        },
        "==" | "!=" | "<>" | "===" | "!==" | "<" | ">" | "<=" | ">=" => {
            compare(sign, left, right).map(Value::from).unwrap_or_default()
        }
        "+" if left.items().is_some() || right.items().is_some() => left.or(right),
        _ => match (left.as_number(), right.as_number()) {
            (Some(one), Some(other)) => number(sign, one, other).map(Value::from).unwrap_or_default(),
            _ => Value::default(),
        },
    }
}

fn compare(sign: &str, left: &Value, right: &Value) -> Option<bool> {
    use std::cmp::Ordering;
    let order = match (&left.known, &right.known) {
        (Known::Nothing | Known::Texts(_), _) | (_, Known::Nothing | Known::Texts(_)) => return None,
        (Known::Text(one), Known::Text(other)) => one.cmp(other),
        (Known::Bool(_) | Known::Null, _) | (_, Known::Bool(_) | Known::Null) => {
            left.as_bool()?.cmp(&right.as_bool()?)
        }
        _ => left.as_number()?.cmp(&right.as_number()?),
    };
    Some(match sign {
        "==" | "===" => order == Ordering::Equal,
        "!=" | "!==" | "<>" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        ">" => order == Ordering::Greater,
        "<=" => order != Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

fn unary(sign: &str, operand: &Value) -> Value {
    match sign {
        "!" => operand.as_bool().map(|value| Value::from(!value)).unwrap_or_default(),
        "-" => operand.as_number().and_then(i64::checked_neg).map(Value::from).unwrap_or_default(),
        "~" => match &operand.known {
            Known::Text(text) => {
                let bytes: Vec<u8> = text.iter().map(|byte| !byte).collect();
                Value { decoded: true, taint: operand.taint.clone(), ..Value::text(bytes) }
            }
            Known::Number(number) => Value::from(!number),
            _ => Value { decoded: true, ..operand.derived() },
        },
        "int" | "integer" | "float" | "double" | "real" => {
            operand.as_number().map(Value::from).unwrap_or_default()
        }
        "bool" | "boolean" => operand.as_bool().map(Value::from).unwrap_or_default(),
        "string" | "binary" => match operand.as_text() {
            Some(text) => {
                Value { taint: operand.taint.clone(), decoded: operand.decoded, ..Value::text(text) }
            }
            None => operand.clone(),
        },
        "array" if operand.items().is_none() && operand.path.is_none() => {
            if matches!(operand.known, Known::Nothing) {
                operand.derived()
            } else {
                [operand.clone()].into_iter().collect()
            }
        }
        "++" | "--" => match (&operand.known, sign) {
            (Known::Text(text), "++") if text.iter().all(u8::is_ascii_alphanumeric) && !text.is_empty() => {
                if text.iter().all(u8::is_ascii_digit) {
                    return operand
                        .as_number()
                        .and_then(|n| n.checked_add(1))
                        .map(Value::from)
                        .unwrap_or_default();
                }
                Value { decoded: operand.decoded, ..Value::text(following(text)) }
            }
            _ => {
                let by = if sign == "++" { 1 } else { -1 };
                let number = if matches!(operand.known, Known::Nothing) { None } else { operand.as_number() };
                number.and_then(|number| number.checked_add(by)).map(Value::from).unwrap_or_default()
            }
        },
        _ => operand.clone(),
    }
}

/// The text after this one, as `++` counts: `a` to `b`, `Az` to `Ba`, `z` to `aa`.
fn following(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for at in (0..text.len()).rev() {
        let (next, carries) = match text[at] {
            b'z' => (b'a', true),
            b'Z' => (b'A', true),
            b'9' => (b'0', true),
            byte => (byte + 1, false),
        };
        text[at] = next;
        if !carries {
            return text;
        }
    }
    let first = match text[0] {
        b'0' => b'1',
        byte => byte,
    };
    text.insert(0, first);
    text
}
