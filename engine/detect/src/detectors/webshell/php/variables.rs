//! PHP's functions that set variables, that speak of the program itself, and those that quote.

use super::callbacks::MAX_ITEMS;
use super::{patterns, sinks};
use crate::detectors::webshell::decode;
use crate::detectors::webshell::flow::{Call, Flow};
use crate::detectors::webshell::value::{Key, Quoted, Value};

pub(super) fn call(flow: &mut Flow<'_>, name: &str, call: &Call<'_>) -> Option<Value> {
    Some(match name {
        "extract" => {
            let list = call.arg(0);
            match list.items() {
                Some(items) => {
                    for (key, item) in items.items().iter().take(MAX_ITEMS) {
                        if let Key::Text(name) = key {
                            flow.set(&String::from_utf8_lossy(name).into(), item.clone());
                        }
                    }
                }
                None => flow.set_any(&list),
            }
            Value::default()
        }
        "import_request_variables" => {
            flow.set_any(&sinks::request(call, "import_request_variables()"));
            Value::default()
        }
        "parse_str" | "mb_parse_str" => {
            let text = call.arg(0);
            let parsed = match text.as_text().filter(|_| text.taint.is_none()) {
                Some(text) => parsed(&text),
                None => text.derived(),
            };
            if call.args.len() > 1 {
                flow.out(1, parsed);
            } else if let Some(items) = parsed.items() {
                for (key, item) in items.items().iter().take(MAX_ITEMS) {
                    if let Key::Text(name) = key {
                        flow.set(&String::from_utf8_lossy(name).into(), item.clone());
                    }
                }
            } else {
                flow.set_any(&parsed);
            }
            Value::default()
        }
        "preg_match" | "preg_match_all" => {
            let subject = call.arg(1);
            let strict = call.text(0).is_some_and(|pattern| patterns::is_strict(&pattern));
            flow.out(2, if strict { Value::default() } else { subject.derived() });
            Value::default()
        }
        "define" => {
            if let Some(name) = call.text(0) {
                flow.set_shared(&format!("::{}", String::from_utf8_lossy(&name)), call.arg(1));
            }
            Value::default()
        }
        "constant" => {
            let name = call.text(0)?;
            flow.get_shared(&format!("::{}", String::from_utf8_lossy(&name))).unwrap_or_default()
        }
        "func_get_args" => flow.own_args().into_iter().collect(),
        "func_get_arg" => {
            let place = usize::try_from(call.arg(0).as_number()?).ok()?;
            flow.own_args().get(place).cloned().unwrap_or_default()
        }
        "compact" => {
            let names = call.args.iter().filter_map(Value::as_text);
            let items = names.map(|name| {
                let value = flow.get(&String::from_utf8_lossy(&name)).unwrap_or_default();
                (Some(Key::Text(name)), value)
            });
            Value::list(items.collect::<Vec<_>>())
        }
        "sscanf" if call.args.len() > 2 => {
            for place in 2..call.args.len() {
                flow.out(place, call.arg(0).derived());
            }
            Value::default()
        }
        "yield" => {
            flow.give(&call.arg(0));
            Value::default()
        }
        "get_defined_functions" => Value::path("$functions"),
        "match" => call.args.iter().cloned().reduce(|one, other| one.or(&other)).unwrap_or_default(),
        "static" => Value::default(),
        "escapeshellarg" | "escapeshellcmd" => {
            let arg = call.arg(0);
            let quoted = arg.taint.as_ref().map(|taint| taint.quoted(Quoted::Shell));
            Value { taint: quoted, ..arg }
        }
        "addslashes" if call.arg(0).taint.is_some() => {
            let taint = call.taint().map(|taint| taint.quoted(Quoted::Code));
            Value { taint, ..call.derived() }
        }
        "stripslashes" | "stripcslashes" if call.arg(0).taint.is_some() => {
            let taint = call.taint().map(|taint| taint.quoted(Quoted::No));
            Value { taint, ..call.derived() }
        }
        "unserialize" => {
            // It gives objects of the program, with members of the sender's.
            if call.arg(0).taint.is_some() {
                flow.set_shared("->*", call.arg(0).derived());
            }
            call.derived()
        }
        _ => return None,
    })
}

/// `a=b&c=d`.
fn parsed(text: &[u8]) -> Value {
    let pairs = text.split(|byte| *byte == b'&').map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let value = pair.get(at + 1..).unwrap_or_default();
        (
            Some(Key::Text(decode::percent(&pair[..at], true).into())),
            Value::text(decode::percent(value, true)),
        )
    });
    Value::list(pairs.take(MAX_ITEMS).collect::<Vec<_>>())
}
