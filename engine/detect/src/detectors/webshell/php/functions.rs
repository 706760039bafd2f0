//! PHP's functions of texts and lists (PHP manual, "Function Reference"): what they give if their arguments are known.

use std::rc::Rc;

use super::{names, patterns};
use crate::detectors::webshell::decode::{self, Packing};
use crate::detectors::webshell::flow::Call;
use crate::detectors::webshell::syntax::Bytes;
use crate::detectors::webshell::value::{Key, Known, MAX_TEXT, Value};

/// What a function gives, if that can be said.
pub(super) fn call(name: &str, call: &Call<'_>) -> Option<Value> {
    if names::HARMLESS.contains(&name) {
        return Some(fold(name, call).unwrap_or_default().clean());
    }
    let derived = call.derived();
    if let Some(known) = fold(name, call) {
        let decoded = derived.decoded || names::DECODERS.contains(&name);
        let taint = known.taint.clone().or(derived.taint);
        return Some(Value { decoded, taint, ..known });
    }
    names::DERIVING.contains(&name).then(|| {
        let decoded = derived.decoded || names::DECODERS.contains(&name);
        Value { decoded, ..derived }
    })
}

fn fold(name: &str, call: &Call<'_>) -> Option<Value> {
    text_of_texts(name, call)
        .map(Value::text)
        .or_else(|| of_lists(name, call))
        .or_else(|| numbers(name, call))
}

fn text_of_texts(name: &str, call: &Call<'_>) -> Option<Vec<u8>> {
    let text = || call.text(0);
    let set = || call.text(1).map_or_else(|| b" \t\n\r\0\x0b".to_vec(), |set| set.to_vec());
    Some(match name {
        "strrev" => text()?.iter().rev().copied().collect(),
        "str_rot13" => decode::rot13(&text()?),
        "base64_decode" => decode::base64(&text()?),
        "base64_encode" => decode::to_base64(&text()?),
        "hex2bin" => decode::hex(&text()?)?,
        "bin2hex" => decode::to_hex(&text()?),
        "gzinflate" => decode::unpack(&text()?, Packing::Deflate)?,
        "gzuncompress" => decode::unpack(&text()?, Packing::Zlib)?,
        "gzdecode" => decode::unpack(&text()?, Packing::Gzip)?,
        "zlib_decode" => {
            let text = text()?;
            [Packing::Gzip, Packing::Zlib, Packing::Deflate]
                .into_iter()
                .find_map(|one| decode::unpack(&text, one))?
        }
        "urldecode" => decode::percent(&text()?, true),
        "rawurldecode" => decode::percent(&text()?, false),
        "convert_uudecode" => decode::uudecode(&text()?),
        "md5" => {
            use md5::Digest as _;
            decode::to_hex(&md5::Md5::digest(&*text()?))
        }
        "sha1" => {
            use sha1::Digest as _;
            decode::to_hex(&sha1::Sha1::digest(&*text()?))
        }
        "chr" => vec![call.args.first()?.as_number()?.rem_euclid(256) as u8],
        "strtolower" | "mb_strtolower" => text()?.to_ascii_lowercase(),
        "strtoupper" | "mb_strtoupper" => text()?.to_ascii_uppercase(),
        "ucfirst" | "ucwords" => {
            let mut text = text()?.to_vec();
            if let Some(first) = text.first_mut() {
                first.make_ascii_uppercase();
            }
            text
        }
        "lcfirst" => {
            let mut text = text()?.to_vec();
            if let Some(first) = text.first_mut() {
                first.make_ascii_lowercase();
            }
            text
        }
        "trim" | "ltrim" | "rtrim" | "chop" => {
            let (text, set) = (text()?, set());
            let in_set = |byte: &u8| set.contains(byte);
            let start = if matches!(name, "rtrim" | "chop") {
                0
            } else {
                text.iter().take_while(|b| in_set(b)).count()
            };
            let rest = &text[start..];
            let end = if name == "ltrim" { 0 } else { rest.iter().rev().take_while(|b| in_set(b)).count() };
            rest[..rest.len() - end].to_vec()
        }
        "substr" | "mb_substr" => {
            let text = text()?;
            let length = call.args.get(2).filter(|arg| !matches!(arg.known, Known::Null));
            let length = match length {
                Some(length) => Some(length.as_number()?),
                None => None,
            };
            slice(&text, call.args.get(1)?.as_number()?, length)?.to_vec()
        }
        "strstr" => {
            let (text, part) = (text()?, call.text(1)?);
            let found = memchr::memmem::find(&text, &part)?;
            if call.args.len() > 2 { text[..found].to_vec() } else { text[found..].to_vec() }
        }
        "str_replace" | "str_ireplace" => return replaced(call, name == "str_ireplace"),
        "strtr" => translated(call)?,
        "preg_replace" if call.args.len() == 3 => {
            patterns::replace(&text()?, &call.text(1)?, &call.text(2)?)?
        }
        "str_pad" => {
            let text = text()?;
            let length =
                usize::try_from(call.args.get(1)?.as_number()?).ok().filter(|length| *length <= MAX_TEXT)?;
            let with = call.args.get(2).map_or(Some(Rc::from(&b" "[..])), Value::as_text)?;
            // On another side than the right one if it is told which.
            if call.args.len() > 3 {
                return None;
            }
            let more = with.iter().copied().cycle().take(length.saturating_sub(text.len()));
            text.iter().copied().chain(more).collect()
        }
        "chunk_split" => {
            let size = call.args.get(1).map_or(Some(76), Value::as_number)?;
            let end = call.args.get(2).map_or(Some(Rc::from(&b"\r\n"[..])), Value::as_text)?;
            let text = text()?;
            let chunks = text.chunks(usize::try_from(size).ok().filter(|size| *size > 0)?);
            (chunks.len().checked_mul(end.len())? <= MAX_TEXT)
                .then(|| chunks.flat_map(|chunk| [chunk, &end].concat()).collect())?
        }
        "str_repeat" => {
            let (text, times) = (text()?, usize::try_from(call.args.get(1)?.as_number()?).ok()?);
            (text.len().checked_mul(times)? <= MAX_TEXT).then(|| text.repeat(times))?
        }
        "implode" | "join" => {
            let (between, list) = match (call.args.first()?, call.args.get(1)) {
                (between, Some(list)) if list.items().is_some() => (between.as_text()?, list.items()?),
                (list, Some(between)) => (between.as_text()?, list.items()?),
                (list, None) => (Rc::from(&b""[..]), list.items()?),
            };
            let parts: Option<Vec<Bytes>> = list.items().iter().map(|(_, item)| item.as_text()).collect();
            let parts = parts?;
            let length: usize = parts.iter().map(|part| part.len() + between.len()).sum();
            (length <= MAX_TEXT).then(|| parts.join(&*between))?
        }
        "sprintf" => formatted(&text()?, call.args.get(1..)?)?,
        "vsprintf" => {
            let items: Vec<Value> =
                call.args.get(1)?.items()?.items().iter().map(|(_, item)| item.clone()).collect();
            formatted(&text()?, &items)?
        }
        "pack" => packed(call)?,
        "stripslashes" | "stripcslashes" => {
            let text = text()?;
            let mut plain = Vec::new();
            let mut bytes = text.iter();
            while let Some(byte) = bytes.next() {
                plain.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
            }
            plain
        }
        "html_entity_decode" | "htmlspecialchars_decode" => entities(&text()?),
        "json_decode" => {
            let text: String = serde_json::from_slice(&text()?).ok()?;
            text.into_bytes()
        }
        "basename" => text()?.rsplit(|byte| *byte == b'/').next()?.to_vec(),
        "dechex" => format!("{:x}", call.args.first()?.as_number()?).into_bytes(),
        "strval" => text()?.to_vec(),
        _ => return None,
    })
}

fn numbers(name: &str, call: &Call<'_>) -> Option<Value> {
    let radix = |radix: u32| i64::from_str_radix(std::str::from_utf8(&call.text(0)?).ok()?, radix).ok();
    Some(match name {
        "ord" => Value::from(i64::from(call.text(0)?.first().copied().unwrap_or(0))),
        "strlen" | "mb_strlen" => Value::from(call.text(0)?.len() as i64),
        "count" | "sizeof" => Value::from(call.args.first()?.items()?.items().len() as i64),
        "intval" => Value::from(call.args.first()?.as_number()?),
        "hexdec" => Value::from(radix(16)?),
        "bindec" => Value::from(radix(2)?),
        "octdec" => Value::from(radix(8)?),
        "base_convert" => {
            let (from, to) = (call.args.get(1)?.as_number()?, call.args.get(2)?.as_number()?);
            let (from, to) = (u32::try_from(from).ok()?, u64::try_from(to).ok()?);
            if !(2..=36).contains(&from) || !(2..=36).contains(&to) {
                return None;
            }
            let mut number = u64::from_str_radix(std::str::from_utf8(&call.text(0)?).ok()?, from).ok()?;
            let mut digits = Vec::new();
            while number > 0 || digits.is_empty() {
                digits.push(char::from_digit((number % to) as u32, 36)? as u8);
                number /= to;
            }
            digits.reverse();
            Value::text(digits)
        }
        "strpos" => {
            let (text, part) = (call.text(0)?, call.text(1)?);
            memchr::memmem::find(&text, &part).map_or(Value::from(false), |found| Value::from(found as i64))
        }
        "abs" => Value::from(call.args.first()?.as_number()?.checked_abs()?),
        "floor" | "ceil" | "round" => Value::from(match call.args.first()?.known {
            Known::Number(number) => number,
            _ => return None,
        }),
        _ => return None,
    })
}

fn of_lists(name: &str, call: &Call<'_>) -> Option<Value> {
    let list = || call.args.first()?.items().map(|list| list.items());
    let values = |items: &[(Key, Value)]| items.iter().map(|(_, item)| item.clone()).collect::<Vec<_>>();
    Some(match name {
        "str_split" | "mb_str_split" => {
            let size = call.args.get(1).map_or(Some(1), Value::as_number)?;
            let text = call.text(0)?;
            text.chunks(usize::try_from(size).ok().filter(|size| *size > 0)?).map(Value::text).collect()
        }
        "explode" => {
            let (between, text) = (call.text(0)?, call.text(1)?);
            if between.is_empty() {
                return None;
            }
            let mut parts = Vec::new();
            let mut from = 0;
            for found in memchr::memmem::find_iter(&text, &between).take(1 << 16) {
                parts.push(Value::text(&text[from..found]));
                from = found + between.len();
            }
            parts.push(Value::text(&text[from..]));
            parts.into_iter().collect()
        }
        "array_values" => values(list()?).into_iter().collect(),
        "array_reverse" => values(list()?).into_iter().rev().collect(),
        "array_keys" => list()?.iter().map(|(key, _)| of_key(key)).collect(),
        "array_flip" => {
            Value::list(list()?.iter().map(|(key, item)| (item.as_key(), of_key(key))).collect::<Vec<_>>())
        }
        "array_merge" => {
            let lists: Option<Vec<&[(Key, Value)]>> =
                call.args.iter().map(|arg| arg.items().map(|list| list.items())).collect();
            let items = lists?.concat();
            Value::list(
                items
                    .into_iter()
                    .map(|(key, item)| (Some(key).filter(|key| matches!(key, Key::Text(_))), item)),
            )
        }
        "array_combine" => {
            let (keys, items) = (list()?, call.args.get(1)?.items()?.items());
            let pairs = keys.iter().zip(items).map(|((_, key), (_, item))| (key.as_key(), item.clone()));
            Value::list(pairs.collect::<Vec<_>>())
        }
        "array_slice" => {
            let items = list()?;
            let start = call.args.get(1)?.as_number()?;
            let length = call.args.get(2).and_then(Value::as_number);
            let from = if start < 0 {
                items.len().saturating_sub(start.unsigned_abs() as usize)
            } else {
                start as usize
            };
            let rest = items.get(from.min(items.len())..)?;
            let take = length.map_or(rest.len(), |length| (length.max(0) as usize).min(rest.len()));
            values(&rest[..take]).into_iter().collect()
        }
        "end" | "array_pop" => list()?.last()?.1.clone(),
        "current" | "reset" | "pos" | "array_shift" => list()?.first()?.1.clone(),
        "key" => of_key(&list()?.first()?.0),
        "range" => {
            let (from, to) = (call.args.first()?, call.args.get(1)?);
            let letter = |value: &Value| match &value.known {
                Known::Text(text) if text.len() == 1 && !text[0].is_ascii_digit() => Some(i64::from(text[0])),
                _ => None,
            };
            let is_letters = letter(from).is_some() && letter(to).is_some();
            let number = |value: &Value| letter(value).filter(|_| is_letters).or_else(|| value.as_number());
            let (from, to) = (number(from)?, number(to)?);
            if from.abs_diff(to) > 2048 {
                return None;
            }
            let one =
                |number: i64| if is_letters { Value::text(vec![number as u8]) } else { Value::from(number) };
            if from <= to { (from..=to).map(one).collect() } else { (to..=from).rev().map(one).collect() }
        }
        _ => return None,
    })
}

pub(super) fn of_key(key: &Key) -> Value {
    match key {
        Key::Number(number) => Value::from(*number),
        Key::Text(text) => Value::text(Rc::clone(text)),
    }
}

fn slice(text: &[u8], start: i64, length: Option<i64>) -> Option<&[u8]> {
    let size = text.len() as i64;
    let from = if start < 0 { (size + start).max(0) } else { start.min(size) };
    let to = match length {
        None => size,
        Some(length) if length < 0 => (size + length).max(from),
        Some(length) => from.saturating_add(length).min(size),
    };
    text.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
}

/// One text or several.
fn texts(value: &Value) -> Option<Vec<Bytes>> {
    match value.items() {
        Some(list) => list.items().iter().map(|(_, item)| item.as_text()).collect(),
        None => Some(vec![value.as_text()?]),
    }
}

fn replaced(call: &Call<'_>, any_case: bool) -> Option<Vec<u8>> {
    let (from, to) = (texts(call.args.first()?)?, texts(call.args.get(1)?)?);
    let mut text = call.text(2)?.to_vec();
    let single = call.args.get(1)?.items().is_none();
    if from.len() > 256 {
        return None;
    }
    for (place, part) in from.iter().enumerate() {
        let with = if single { to.first() } else { to.get(place) }.map_or(&b""[..], |with| &**with);
        if part.is_empty() {
            continue;
        }
        let haystack = if any_case { text.to_ascii_lowercase() } else { text.clone() };
        let needle = if any_case { part.to_ascii_lowercase() } else { part.to_vec() };
        let mut result = Vec::with_capacity(text.len());
        let mut last = 0;
        for found in memchr::memmem::find_iter(&haystack, &needle) {
            result.extend_from_slice(&text[last..found]);
            result.extend_from_slice(with);
            last = found + part.len();
            if result.len() > MAX_TEXT {
                return None;
            }
        }
        result.extend_from_slice(&text[last..]);
        text = result;
    }
    Some(text)
}

fn translated(call: &Call<'_>) -> Option<Vec<u8>> {
    let text = call.text(0)?;
    if call.args.len() > 2 {
        let (from, to) = (call.text(1)?, call.text(2)?);
        let mut map: [u8; 256] = std::array::from_fn(|byte| byte as u8);
        for (from, to) in from.iter().zip(to.iter()) {
            map[usize::from(*from)] = *to;
        }
        return Some(text.iter().map(|byte| map[usize::from(*byte)]).collect());
    }
    let mut pairs: Vec<(Bytes, Bytes)> = Vec::new();
    for (key, item) in call.args.get(1)?.items()?.items() {
        pairs.push((of_key(key).as_text()?, item.as_text()?));
    }
    if pairs.len() > 512 {
        return None;
    }
    // The longest counts.
    pairs.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
    let mut result = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match pairs.iter().find(|(from, _)| !from.is_empty() && text[at..].starts_with(from)) {
            Some((from, to)) => {
                result.extend_from_slice(to);
                at += from.len();
            }
            None => {
                result.push(text[at]);
                at += 1;
            }
        }
        if result.len() > MAX_TEXT {
            return None;
        }
    }
    Some(result)
}

/// `%s`, `%d`, `%c`, `%x`, `%%`, `%1$s`; none if there is anything else.
fn formatted(format: &[u8], args: &[Value]) -> Option<Vec<u8>> {
    let mut result = Vec::new();
    let (mut at, mut next) = (0, 0);
    while at < format.len() {
        let byte = format[at];
        at += 1;
        if byte != b'%' {
            result.push(byte);
            continue;
        }
        let digits = format[at..].iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        let mut place = next;
        if digits > 0 && format.get(at + digits) == Some(&b'$') {
            place =
                std::str::from_utf8(&format[at..at + digits]).ok()?.parse::<usize>().ok()?.checked_sub(1)?;
            at += digits + 1;
        } else if format.get(at) != Some(&b'%') {
            next += 1;
        }
        match format.get(at)? {
            b'%' => result.push(b'%'),
            b's' => result.extend_from_slice(&args.get(place)?.as_text()?),
            b'd' | b'u' => result.extend(args.get(place)?.as_number()?.to_string().into_bytes()),
            b'c' => result.push(args.get(place)?.as_number()?.rem_euclid(256) as u8),
            b'x' => result.extend(format!("{:x}", args.get(place)?.as_number()?).into_bytes()),
            _ => return None,
        }
        at += 1;
        if result.len() > MAX_TEXT {
            return None;
        }
    }
    Some(result)
}

/// `pack('H*', …)`, `pack('C*', …)` and their like of bytes and texts.
fn packed(call: &Call<'_>) -> Option<Vec<u8>> {
    let format = call.text(0)?;
    let mut args = call.args.iter().skip(1);
    let mut result = Vec::new();
    let mut at = 0;
    while at < format.len() {
        let code = format[at];
        at += 1;
        let count = format[at..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'*').count();
        let times = &format[at..at + count];
        at += count;
        match code {
            b'H' => result.extend(decode::hex(&args.next()?.as_text()?)?),
            b'h' => {
                let text = args.next()?.as_text()?;
                let turned: Vec<u8> = text.chunks(2).flat_map(|pair| pair.iter().rev().copied()).collect();
                result.extend(decode::hex(&turned)?);
            }
            b'A' | b'a' => result.extend_from_slice(&args.next()?.as_text()?),
            b'C' | b'c' => {
                let times = match times {
                    b"*" => usize::MAX,
                    b"" => 1,
                    digits => std::str::from_utf8(digits).ok()?.parse().ok()?,
                };
                for _ in 0..times {
                    match args.next() {
                        Some(arg) => result.push(arg.as_number()?.rem_euclid(256) as u8),
                        None => break,
                    }
                }
            }
            _ => return None,
        }
    }
    Some(result)
}

/// `&lt;`, `&#60;`, `&#x3c;` and the few others that code is made of.
fn entities(text: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let end = if rest[0] == b'&' { rest.iter().take(10).position(|byte| *byte == b';') } else { None };
        let character = end.and_then(|end| match &rest[1..end] {
            b"lt" => Some('<'),
            b"gt" => Some('>'),
            b"amp" => Some('&'),
            b"quot" => Some('"'),
            [b'#', b'x' | b'X', hex @ ..] => {
                u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok().and_then(char::from_u32)
            }
            [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok().and_then(char::from_u32),
            _ => None,
        });
        match (character, end) {
            (Some(character), Some(end)) => {
                result.extend(character.to_string().bytes());
                at += end + 1;
            }
            _ => {
                result.push(rest[0]);
                at += 1;
            }
        }
    }
    result
}
