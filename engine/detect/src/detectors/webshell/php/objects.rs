//! Objects of PHP's own classes, and what their methods run.

use super::{callbacks, sinks};
use crate::detectors::webshell::flow::{Call, Flow};
use crate::detectors::webshell::value::{Known, Origin, Taint, Value};

pub(super) fn instance(flow: &mut Flow<'_>, class: &Value, call: &Call<'_>) -> Value {
    let name = class.path.as_deref().unwrap_or_default().to_ascii_lowercase();
    let taint = call.taint();
    match name.as_str() {
        // It is called like what it stands for.
        "reflectionfunction" => Value { path: Some("reflection".into()), ..call.arg(0) },
        "reflectionmethod" => {
            Value { path: Some("reflection".into()), ..call.args.iter().cloned().collect::<Value>() }
        }
        "arrayobject" | "arrayiterator" | "splfixedarray" => {
            Value { path: Some("list".into()), ..call.arg(0) }
        }
        "callbackfilteriterator" | "recursivecallbackfilteriterator" => {
            for item in callbacks::items(&call.arg(0)) {
                flow.call_value(&call.arg(1), &[item], call.line);
            }
            Value::default()
        }
        "com" => {
            let what = call.text(0).map(|name| String::from_utf8_lossy(&name).to_ascii_lowercase());
            Value::path(format!("com:{}", what.unwrap_or_default()))
        }
        "splfileobject" | "splfileinfo" => {
            let opened = sinks::read(flow, "fopen", call);
            Value { path: opened.path, taint: opened.taint, ..Value::default() }
        }
        _ => Value { taint, ..Value::path(name) },
    }
}

pub(super) fn method(flow: &mut Flow<'_>, base: &Value, name: &str, call: &Call<'_>) -> Value {
    match (base.path.as_deref().unwrap_or_default(), name) {
        ("reflection", "invoke" | "invokeargs") => {
            let callee = Value { path: None, ..base.clone() };
            let args = match (name, call.arg(0).items()) {
                ("invokeargs", Some(list)) => list.items().iter().map(|(_, item)| item.clone()).collect(),
                ("invokeargs", None) => vec![call.arg(0).derived()],
                _ => call.args.to_vec(),
            };
            // Of a method the first argument is its object.
            let args = if callee.items().is_some() { args.into_iter().skip(1).collect() } else { args };
            flow.call_value(&callee, &args, call.line)
        }
        ("list", "uasort" | "uksort") => {
            for item in callbacks::items(&Value { path: None, ..base.clone() }) {
                flow.call_value(&call.arg(0), &[item.clone(), item], call.line);
            }
            Value::default()
        }
        (com, "exec" | "run" | "shellexecute") if com.starts_with("com:") => {
            sinks::shell(flow, "COM", call, 0)
        }
        ("ffi", "cdef" | "load") => Value::path("ffi"),
        ("ffi", "system" | "popen" | "execl" | "execv" | "execve" | "execvp") => {
            sinks::shell(flow, "FFI", call, 0)
        }
        ("closure", "fromcallable") => call.arg(0),
        (_, "bindto" | "bind") if matches!(base.known, Known::Function(_)) => base.clone(),
        (_, "call") if matches!(base.known, Known::Function(_)) => {
            let args: Vec<Value> = call.args.iter().skip(1).cloned().collect();
            flow.call_value(base, &args, call.line)
        }
        (_, "__invoke") if !matches!(base.known, Known::Nothing) => {
            flow.call_value(base, call.args, call.line)
        }
        (path, "fwrite") if path.starts_with("file:") => {
            let file = Value { taint: base.taint.clone(), ..Value::text(&path.as_bytes()[5..]) };
            sinks::write(flow, name, &file, &call.arg(0), call.line);
            Value::default()
        }
        _ => base.derived(),
    }
}

pub(super) fn member(base: &Value, name: &str, line: u32) -> Value {
    match base.path.as_deref() {
        Some("$request")
            if matches!(name, "query" | "request" | "cookies" | "headers" | "attributes" | "server") =>
        {
            let taint = Taint::new(Origin::Request, line, format!("$request->{name}"));
            Value { taint: Some(taint), ..Value::path("$request->bag") }
        }
        _ => base.derived(),
    }
}
