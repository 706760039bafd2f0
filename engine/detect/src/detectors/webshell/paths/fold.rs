//! What texts, numbers and lists become, by the names that methods and functions have in these languages.

use crate::detectors::webshell::decode::{self, Packing};
use crate::detectors::webshell::flow::Call;
use crate::detectors::webshell::value::{Known, MAX_TEXT, Value};

pub(super) fn binary(sign: &str, left: &Value, right: &Value) -> Value {
    let numbers = match (&left.known, &right.known) {
        (Known::Number(one), Known::Number(other)) => Some((*one, *other)),
        // A character counts as its number, but where texts are put together.
        (Known::Text(_), Known::Number(other)) if sign != "+" => byte_of(left).map(|one| (one, *other)),
        (Known::Number(one), Known::Text(_)) if sign != "+" => byte_of(right).map(|other| (*one, other)),
        (Known::Text(_), Known::Text(_)) if matches!(sign, "^" | "-") => byte_of(left).zip(byte_of(right)),
        _ => None,
    };
    if let Some((one, other)) = numbers {
        return number(sign, one, other);
    }
    match sign {
        "+" => left.join(right),
        // What is made of one by one, in ways that are not followed.
        "made of" => left.derived().or(&right.derived()),
        "%" => match left.as_text() {
            Some(format) => filled(&format, b'%', right),
            None => left.derived().or(&right.derived()),
        },
        "??" | "||" | "&&" => match left.as_bool() {
            Some(true) if sign == "&&" => right.clone(),
            Some(false) if sign == "||" => right.clone(),
            Some(_) => left.clone(),
            None if left.taint.is_none() && left.path.is_none() => right.clone(),
            None if sign == "&&" => right.clone(),
            None => left.or(right),
        },
        "==" | "===" => match (left.as_text(), right.as_text()) {
            (Some(one), Some(other)) => Value::from(one == other),
            _ => Value::default(),
        },
        "!=" | "!==" => match (left.as_text(), right.as_text()) {
            (Some(one), Some(other)) => Value::from(one != other),
            _ => Value::default(),
        },
        // What was calculated is a number.
        _ => Value::default(),
    }
}

fn byte_of(value: &Value) -> Option<i64> {
    match &value.known {
        Known::Text(text) if text.len() == 1 => Some(i64::from(text[0])),
        _ => None,
    }
}

fn number(sign: &str, one: i64, other: i64) -> Value {
    let shift = u32::try_from(other).unwrap_or(64);
    let number = match sign {
        "+" => one.checked_add(other),
        "-" => one.checked_sub(other),
        "*" => one.checked_mul(other),
        "/" | "//" => one.checked_div(other),
        "%" => one.checked_rem(other),
        "^" => Some(one ^ other),
        "&" => Some(one & other),
        "|" => Some(one | other),
        "<<" => one.checked_shl(shift),
        ">>" | ">>>" => one.checked_shr(shift),
        "<" => return Value::from(one < other),
        ">" => return Value::from(one > other),
        "<=" => return Value::from(one <= other),
        ">=" => return Value::from(one >= other),
        "==" | "===" => return Value::from(one == other),
        "!=" | "!==" => return Value::from(one != other),
        "&&" => return Value::from(if one == 0 { one } else { other }),
        "||" => return Value::from(if one == 0 { other } else { one }),
        _ => None,
    };
    number.map(Value::from).unwrap_or_default()
}

pub(super) fn unary(sign: &str, operand: &Value) -> Value {
    match sign {
        "..." => operand.clone(),
        "char" => match operand.as_number().filter(|_| matches!(operand.known, Known::Number(_))) {
            Some(code) => character(code),
            None => operand.clone(),
        },
        "int" => byte_of(operand).map(Value::from).unwrap_or_else(|| match operand.known {
            Known::Number(_) => operand.clone(),
            _ => Value::default(),
        }),
        "!" => operand.as_bool().map(|value| Value::from(!value)).unwrap_or_default(),
        "-" => operand.as_number().and_then(i64::checked_neg).map(Value::from).unwrap_or_default(),
        "~" => operand.as_number().map(|number| Value::from(!number)).unwrap_or_default(),
        "++" | "--" => match operand.known {
            Known::Number(number) => {
                let by = if sign == "++" { 1 } else { -1 };
                number.checked_add(by).map(Value::from).unwrap_or_default()
            }
            _ => Value::default(),
        },
        _ => Value::default(),
    }
}

/// The text of one character; below 256 a byte, as what is decoded further is bytes.
pub(super) fn character(code: i64) -> Value {
    match u8::try_from(code) {
        Ok(byte) => Value::text([byte].as_slice()),
        Err(_) => u32::try_from(code)
            .ok()
            .and_then(char::from_u32)
            .map(|one| Value::text(one.to_string().as_bytes()))
            .unwrap_or_default(),
    }
}

/// A list of bytes as the text that it is; other values as they are.
pub(super) fn text_of_bytes(value: &Value) -> Value {
    let Some(list) = value.items() else { return value.clone() };
    let bytes: Option<Vec<u8>> = list
        .items()
        .iter()
        .map(|(_, item)| match &item.known {
            Known::Number(number) => Some(number.rem_euclid(256) as u8),
            Known::Text(text) if text.len() == 1 => Some(text[0]),
            _ => None,
        })
        .collect();
    match bytes.filter(|bytes| !bytes.is_empty()) {
        Some(bytes) => Value { decoded: true, ..Value::text(bytes) },
        None => value.clone(),
    }
}

/// A method of a text or list of which all is known; none if it is none of these.
pub(super) fn method(base: &Value, name: &str, call: &Call<'_>) -> Option<Value> {
    let number = |place: usize| call.args.get(place).and_then(Value::as_number);
    if let Known::List(list) = &base.known {
        let texts = || list.items().iter().map(|(_, item)| item.clone());
        return match name {
            "join" | "Join" => {
                let between = call.args.first().map_or_else(|| Value::text(&b","[..]), |_| call.arg(0));
                Some(joined(texts(), &between))
            }
            "reverse" => Some(list.items().iter().rev().map(|(_, item)| item.clone()).collect()),
            "slice" => {
                let start = usize::try_from(number(0).unwrap_or(0)).unwrap_or(0);
                Some(texts().skip(start).collect())
            }
            "concat" => Some(
                texts()
                    .chain(call.args.iter().flat_map(|arg| match arg.items() {
                        Some(list) => list.items().iter().map(|(_, item)| item.clone()).collect(),
                        None => vec![arg.clone()],
                    }))
                    .collect(),
            ),
            "get" | "at" | "elementAt" | "item" | "Item" => {
                call.arg(0).as_key().and_then(|key| list.get(&key).cloned())
            }
            "toString" if call.args.is_empty() => Some(joined(texts(), &Value::text(&b","[..]))),
            _ => None,
        };
    }
    // What joins may be the object.
    if let ("join" | "Join", Some(text), Some(list)) = (name, base.as_text(), call.arg(0).items()) {
        return Some(joined(list.items().iter().map(|(_, item)| item.clone()), &Value::text(text)));
    }
    let Known::Text(text) = &base.known else { return None };
    let made = |bytes: Vec<u8>| Some(Value { decoded: base.decoded, ..Value::text(bytes) });
    let hidden = |bytes: Vec<u8>| Some(Value { decoded: true, ..Value::text(bytes) });
    let place = |number: Option<i64>, or: usize| {
        number.map_or(or, |number| {
            let length = text.len() as i64;
            let from_end = if number < 0 && name == "slice" { number + length } else { number };
            usize::try_from(from_end.clamp(0, length)).unwrap_or(0)
        })
    };
    match name {
        "substring" | "slice" | "subSequence" => {
            let (start, end) = (place(number(0), 0), place(number(1), text.len()));
            made(text[start.min(end)..end].to_vec())
        }
        "substr" | "Substring" => {
            let start = place(number(0), 0);
            let end = number(1)
                .map_or(text.len(), |length| (start + usize::try_from(length).unwrap_or(0)).min(text.len()));
            made(text[start..end.max(start)].to_vec())
        }
        "charAt" => made(text.get(place(number(0), 0)).map(|byte| vec![*byte]).unwrap_or_default()),
        "charCodeAt" | "codePointAt" => {
            text.get(place(number(0), 0)).map(|byte| Value::from(i64::from(*byte)))
        }
        "toLowerCase" | "ToLower" | "lower" => made(text.to_ascii_lowercase()),
        "toUpperCase" | "ToUpper" | "upper" => made(text.to_ascii_uppercase()),
        "trim" | "Trim" | "strip" => made(text.trim_ascii().to_vec()),
        "concat" => Some(call.args.iter().fold(base.clone(), |joined, arg| joined.join(arg))),
        "intern" | "valueOf" | "getBytes" | "toCharArray" | "ToCharArray" | "encode" => Some(base.clone()),
        "toString" | "ToString" if call.args.is_empty() => Some(base.clone()),
        "toString" => match call.text(0).as_deref() {
            Some(b"hex") => made(decode::to_hex(text)),
            Some(b"base64") => made(decode::to_base64(text)),
            Some(_) => Some(base.clone()),
            None => None,
        },
        "reverse" => made(text.iter().rev().copied().collect()),
        "repeat" => {
            let times = usize::try_from(number(0)?).ok()?;
            (times.checked_mul(text.len())? <= MAX_TEXT).then(|| made(text.repeat(times)))?
        }
        "replace" | "replaceAll" | "Replace" => {
            let (from, to) = (call.text(0)?, call.text(1)?);
            let from = literal(&from);
            // Where it is still there, it was escaped.
            let is_escaped = memchr::memmem::find(&to, from).is_some();
            replaced(text, from, &to).and_then(|bytes| if is_escaped { made(bytes) } else { hidden(bytes) })
        }
        "split" | "Split" => {
            let by = call.args.first().and_then(Value::as_text).unwrap_or_else(|| b" "[..].into());
            let by = literal(&by);
            let parts: Vec<&[u8]> = if by.is_empty() {
                text.chunks(1).collect()
            } else {
                let mut parts = Vec::new();
                let mut last = 0;
                for found in memchr::memmem::find_iter(text, by) {
                    parts.push(&text[last..found]);
                    last = found + by.len();
                }
                parts.push(&text[last..]);
                parts
            };
            Some(parts.into_iter().map(Value::text).collect())
        }
        "format" => Some(filled(text, b'{', &call.derived())),
        "decode" => decoded(text, &call.text(0).unwrap_or_else(|| b""[..].into())).and_then(hidden),
        _ => None,
    }
}

/// A text with a value where its first mark is.
fn filled(format: &[u8], mark: u8, value: &Value) -> Value {
    let value = match value.items() {
        Some(_) => value.derived(),
        None => value.clone(),
    };
    match memchr::memchr(mark, format) {
        Some(place) => {
            let rest = format.get(place + 2..).unwrap_or_default();
            Value::text(&format[..place]).join(&value).join(&Value::text(rest))
        }
        None => Value::text(format),
    }
}

/// A pattern without anything special in it: `/x/g` is `x`, and so is `x`.
fn literal(pattern: &[u8]) -> &[u8] {
    let end = pattern.iter().rposition(|byte| *byte == b'/').filter(|end| *end > 0);
    match (pattern.first(), end) {
        (Some(b'/'), Some(end)) => &pattern[1..end],
        _ => pattern,
    }
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    if from.is_empty() {
        return Some(text.to_vec());
    }
    let mut result = Vec::with_capacity(text.len());
    let mut last = 0;
    for found in memchr::memmem::find_iter(text, from) {
        result.extend_from_slice(&text[last..found]);
        result.extend_from_slice(to);
        last = found + from.len();
        if result.len() > MAX_TEXT {
            return None;
        }
    }
    result.extend_from_slice(&text[last..]);
    Some(result)
}

pub(super) fn joined(parts: impl Iterator<Item = Value>, between: &Value) -> Value {
    let mut joined: Option<Value> = None;
    for part in parts {
        joined = Some(match joined {
            Some(before) => before.join(between).join(&part),
            None => part,
        });
    }
    joined.unwrap_or_else(|| Value::text(&b""[..]))
}

/// A text by the name of how it is encoded.
pub(super) fn decoded(text: &[u8], encoding: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        b"base64" | b"base64url" | b"base_64" => Some(decode::base64(text)),
        b"hex" | b"hex_codec" => decode::hex(text),
        b"rot13" | b"rot_13" => Some(decode::rot13(text)),
        b"zlib" | b"zip" => decode::unpack(text, Packing::Zlib),
        _ => Some(text.to_vec()),
    }
}

/// What decodes a text, by the last part of its path.
pub(super) fn decoder(path: &str, text: &[u8], call: &Call<'_>) -> Option<Vec<u8>> {
    let last = path.rsplit('.').next().unwrap_or(path);
    match last {
        "from" if path.ends_with("Buffer.from") => {
            decoded(text, &call.text(1).unwrap_or_else(|| b""[..].into()))
        }
        "atob" | "b64decode" | "urlsafe_b64decode" | "standard_b64decode" | "decodestring"
        | "decodebytes" | "decodeBuffer" | "FromBase64String" | "parseBase64Binary" | "decodeBase64"
        | "a2b_base64" => Some(decode::base64(text)),
        "decode"
            if path.contains("Base64")
                || path.contains("getDecoder")
                || path.contains("getUrlDecoder")
                || path.contains("getMimeDecoder") =>
        {
            Some(decode::base64(text))
        }
        "decode" if path == "URLDecoder.decode" => Some(decode::percent(text, true)),
        "decode" if path == "codecs.decode" => decoded(text, &call.text(1)?),
        "unescape" | "decodeURIComponent" | "decodeURI" | "unquote" | "UrlDecode" => {
            Some(decode::percent(text, false))
        }
        "unquote_plus" => Some(decode::percent(text, true)),
        "fromhex" | "unhexlify" | "a2b_hex" | "parseHexBinary" | "decodeHex" | "b16decode" => {
            decode::hex(text)
        }
        "decompress" | "inflateSync" | "unzipSync" => {
            decode::unpack(text, Packing::Zlib).or_else(|| decode::unpack(text, Packing::Gzip))
        }
        "gunzipSync" => decode::unpack(text, Packing::Gzip),
        "inflateRawSync" => decode::unpack(text, Packing::Deflate),
        _ => None,
    }
}

/// Texts one by one of a list's numbers: `String.fromCharCode(1, 2)`.
pub(super) fn characters(args: &[Value]) -> Option<Value> {
    let codes: Option<Vec<i64>> = args.iter().map(Value::as_number).collect();
    let text = codes?.into_iter().fold(Value::text(&b""[..]), |text, code| text.join(&character(code)));
    Some(Value { decoded: true, ..text })
}
