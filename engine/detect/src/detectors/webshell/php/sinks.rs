//! PHP's functions that bring something in from outside, and those that run or write something.

use std::rc::Rc;

use super::callbacks::MAX_ITEMS;
use super::{callbacks, functions, patterns, variables};
use crate::detectors::webshell::command;
use crate::detectors::webshell::decode;
use crate::detectors::webshell::flow::{Call, Flow, Hit, Sink};
use crate::detectors::webshell::value::{Closure, Key, Known, Origin, Quoted, Taint, Value};

/// A shorter text of the program that is run hides nothing.
const MIN_HIDDEN: usize = 16;

pub(super) fn call(flow: &mut Flow<'_>, name: &str, call: &Call<'_>) -> Value {
    if let Some(value) = source(flow, name, call) {
        return value;
    }
    if let Some(value) = sink(flow, name, call) {
        return value;
    }
    if let Some(value) = callbacks::call(flow, name, call) {
        return value;
    }
    if let Some(value) = variables::call(flow, name, call) {
        return value;
    }
    functions::call(name, call).unwrap_or_default()
}

pub(super) fn request(call: &Call<'_>, what: &str) -> Value {
    Value::tainted(Some(Taint::new(Origin::Request, call.line, what)))
}

// What comes from outside

fn source(flow: &Flow<'_>, name: &str, call: &Call<'_>) -> Option<Value> {
    let path = |place: usize| call.args.get(place).and_then(|arg| arg.path.as_deref());
    Some(match name {
        "getallheaders" | "apache_request_headers" | "http_get_request_headers" | "http_get_request_body" => {
            request(call, &format!("{name}()"))
        }
        "session_id" if call.args.is_empty() => request(call, "session_id()"),
        "filter_input" => match path(0) {
            Some("INPUT_GET" | "INPUT_POST" | "INPUT_COOKIE" | "INPUT_REQUEST") => {
                let checked = path(2).is_some_and(|filter| {
                    filter.contains("VALIDATE") || filter.contains("NUMBER") || filter.contains("ENCODED")
                });
                let key = call
                    .text(1)
                    .map_or_else(|| "…".to_owned(), |key| format!("'{}'", String::from_utf8_lossy(&key)));
                if checked { Value::default() } else { request(call, &format!("filter_input({key})")) }
            }
            _ => Value::default(),
        },
        "filter_input_array" => request(call, "filter_input_array()"),
        "getenv" | "apache_getenv" => match call.text(0) {
            Some(name) if super::is_header(&name) => {
                request(call, &format!("getenv('{}')", String::from_utf8_lossy(&name)))
            }
            _ => Value::default(),
        },
        "tempnam" => Value::path("tempnam"),
        "get_defined_vars" => Value::path("$GLOBALS"),
        "file_get_contents"
        | "file"
        | "fopen"
        | "readfile"
        | "stream_get_contents"
        | "fread"
        | "fgets"
        | "fgetc"
        | "fgetss"
        | "gzfile"
        | "gzopen"
        | "gzread"
        | "curl_exec"
        | "simplexml_load_file"
        | "hex_file"
        | "php_strip_whitespace" => {
            return Some(read(flow, name, call));
        }
        "fsockopen"
        | "pfsockopen"
        | "stream_socket_client"
        | "stream_socket_accept"
        | "socket_accept"
        | "socket_read"
        | "socket_recv" => Value::tainted(Some(Taint::new(Origin::Network, call.line, format!("{name}()")))),
        "curl_init" => Value::default(),
        "dns_get_record" | "gethostbyaddr" => {
            Value::tainted(Some(Taint::new(Origin::Network, call.line, format!("{name}()"))))
        }
        "exif_read_data" | "read_exif_data" => {
            Value::tainted(Some(Taint::new(Origin::Network, call.line, "what an image says of itself")))
        }
        _ => return None,
    })
}

pub(super) fn read(flow: &Flow<'_>, name: &str, call: &Call<'_>) -> Value {
    let from = call.arg(0);
    let start = String::from_utf8_lossy(&from.start()).to_ascii_lowercase();
    if start.starts_with("php://input") {
        return request(call, "php://input");
    }
    if name == "curl_exec" {
        return Value::tainted(Some(Taint::new(Origin::Network, call.line, "curl_exec()")));
    }
    if start.starts_with("data:") {
        return included_text(&from).map(Value::text).unwrap_or_else(|| from.derived());
    }
    if from.path.as_deref() == Some("__FILE__") && name == "file_get_contents" {
        return Value { decoded: true, ..Value::text(flow.source()) };
    }
    let taint = match &from.taint {
        // The path of an uploaded file: its content is the request's.
        Some(taint) => {
            let origin = if taint.origin == Origin::Network { Origin::Network } else { Origin::Request };
            Some(Rc::new(Taint { origin, ..Taint::clone(&taint.through(call.line, &format!("{name}()"))) }))
        }
        None if ["http://", "https://", "ftp://"].iter().any(|scheme| start.starts_with(scheme)) => {
            let host = start
                .split("://")
                .nth(1)
                .unwrap_or_default()
                .split(['/', '?', '@'])
                .next()
                .unwrap_or_default();
            Some(Taint::new(Origin::Network, call.line, format!("{name}() of {host}")))
        }
        None => None,
    };
    if name == "fopen" {
        // What is written to it depends on its name.
        let known = String::from_utf8_lossy(&from.end()).into_owned();
        return Value { taint, ..Value::path(format!("file:{known}")) };
    }
    Value::tainted(taint)
}

// What runs or writes something

fn sink(flow: &mut Flow<'_>, name: &str, call: &Call<'_>) -> Option<Value> {
    Some(match name {
        "eval" => code(flow, name, &call.arg(0), call.line),
        "assert" => {
            let told = call.arg(0);
            if matches!(told.known, Known::Text(_)) || told.taint.is_some() {
                code(flow, name, &told, call.line)
            } else {
                Value::default()
            }
        }
        "create_function" => {
            for arg in call.args {
                flow.reach(Sink::Code, name, call.line, arg, false);
            }
            let (params, body) = (call.text(0), call.text(1));
            match (params, body) {
                (Some(params), Some(body)) => {
                    let source = [b"function __lambda(", &*params, b"){", &*body, b"\n}"].concat();
                    hidden(flow, name, &call.arg(1), call.line);
                    let made = flow.function_of_text(&source, call.line);
                    made.map(|(unit, function)| {
                        Value::from(Known::Function(Closure { unit, function, captured: None }.into()))
                    })
                    .unwrap_or_default()
                }
                _ => call.derived(),
            }
        }
        "system" | "exec" | "shell_exec" | "passthru" | "popen" | "proc_open" | "expect_popen"
        | "win_shell_execute" => shell(flow, name, call, 0),
        "pcntl_exec" => {
            for arg in call.args {
                flow.reach(Sink::Command, name, call.line, arg, false);
            }
            Value::default()
        }
        "ssh2_exec" => Value::default(),
        "preg_replace" | "preg_filter" => replace(flow, name, call),
        "mb_ereg_replace" | "mb_eregi_replace" => {
            if call.text(3).is_some_and(|options| options.contains(&b'e')) {
                code(flow, name, &call.arg(1), call.line);
            }
            return None;
        }
        "include" | "include_once" | "require" | "require_once" => include(flow, name, call),
        "file_put_contents" => {
            write(flow, name, &call.arg(0), &call.arg(1), call.line);
            Value::default()
        }
        "fwrite" | "fputs" => {
            let handle = call.arg(0);
            if let Some(known) = handle.path.as_deref().and_then(|path| path.strip_prefix("file:")) {
                let name_of_file = Value { taint: handle.taint.clone(), ..Value::text(known.as_bytes()) };
                write(flow, name, &name_of_file, &call.arg(1), call.line);
            }
            Value::default()
        }
        "move_uploaded_file" | "copy" | "rename" => {
            let (from, to) = (call.arg(0), call.arg(1));
            match from.taint.as_ref().map(|taint| taint.origin) {
                Some(Origin::Upload) => {
                    let end = to.end();
                    if is_program(&end) {
                        let taint = from.taint.clone();
                        let hit =
                            Hit { sink: Sink::Write, by: name.into(), line: call.line, taint, part: false };
                        flow.hit(hit);
                    } else if end.is_empty() {
                        let last = Value::tainted(to.last());
                        if !flow.is_checked(&last) {
                            flow.reach(Sink::Upload, name, call.line, &last, !to.start().is_empty());
                        }
                    }
                }
                Some(_) if name == "copy" => write(flow, name, &to, &from, call.line),
                _ => {}
            }
            Value::default()
        }
        "ini_set" | "ini_alter" => {
            if call
                .text(0)
                .is_some_and(|key| key.starts_with(b"auto_prepend") || key.starts_with(b"auto_append"))
            {
                flow.reach(Sink::Include, name, call.line, &call.arg(1), false);
            }
            Value::default()
        }
        "echo" | "print" => {
            if let Some(callback) = flow.get_shared("->output") {
                flow.call_value(&callback, call.args, call.line);
            }
            Value::default()
        }
        "trigger_error" | "user_error" => {
            if let Some(callback) = flow.get_shared("->error-handler") {
                let args = [Value::default(), call.arg(0), call.arg(0), call.arg(0)];
                flow.call_value(&callback, &args, call.line);
            }
            Value::default()
        }
        _ => return None,
    })
}

/// Runs a value as code.
fn code(flow: &mut Flow<'_>, by: &str, value: &Value, line: u32) -> Value {
    if is_quoted(value) {
        return Value::default();
    }
    // An uploaded file's path is no code of whoever uploads it.
    if value.taint.as_ref().is_some_and(|taint| taint.origin != Origin::Upload) {
        flow.reach(Sink::Code, by, line, value, false);
        return value.derived();
    }
    hidden(flow, by, value, line);
    let texts = value.texts();
    let results: Vec<Value> = texts.iter().map(|text| flow.run_text(text, line)).collect();
    results.into_iter().reduce(|one, other| one.or(&other)).unwrap_or_default()
}

/// Whether it is the program's code with texts in it that were quoted for that.
fn is_quoted(value: &Value) -> bool {
    value.taint.as_ref().is_some_and(|taint| taint.quoted == Quoted::Code) && !value.start().is_empty()
}

fn hidden(flow: &mut Flow<'_>, by: &str, value: &Value, line: u32) {
    if value.decoded && value.texts().iter().any(|text| text.len() >= MIN_HIDDEN) {
        flow.hit(Hit { sink: Sink::Hidden, by: by.into(), line, taint: None, part: false });
    }
}

/// Runs a value as a shell's command.
pub(super) fn shell(flow: &mut Flow<'_>, by: &str, call: &Call<'_>, place: usize) -> Value {
    let told = call.arg(place);
    // A list is a program and its arguments, which no shell reads.
    let program = told.items().and_then(|list| list.get(&Key::Number(0)).cloned());
    if let Some(program) = program {
        let runs_shell = program.as_text().is_some_and(|program| command::is_shell(&program));
        if program.taint.is_some() || runs_shell {
            flow.reach(Sink::Command, by, call.line, &told, false);
        }
    } else if let Some(taint) = told.taint.as_ref().filter(|taint| taint.origin != Origin::Upload) {
        let whole = command::is_free(&told.start());
        if whole || taint.quoted != Quoted::Shell {
            flow.reach(Sink::Command, by, call.line, &told, !whole);
        }
    }
    // A shell whose input is a connection.
    if by == "proc_open"
        && told.texts().iter().any(|text| command::is_shell(text))
        && call.arg(1).taint.is_some_and(|taint| taint.origin == Origin::Network)
    {
        flow.reach(Sink::Command, by, call.line, &call.arg(1), false);
    }
    Value::default()
}

fn include(flow: &mut Flow<'_>, by: &str, call: &Call<'_>) -> Value {
    let file = call.arg(0);
    let start = String::from_utf8_lossy(&file.start()).to_ascii_lowercase();
    let written = kept_as(&file).and_then(|name| flow.get_shared(&name));
    if let Some(written) = written {
        flow.reach(Sink::Include, by, call.line, &written, false);
    } else if start.starts_with("php://input") {
        flow.reach(Sink::Include, by, call.line, &request(call, "php://input"), false);
    } else if start.starts_with("data:") && file.taint.is_none() {
        if let Some(text) = included_text(&file) {
            let text = Value { decoded: true, ..Value::text(text) };
            hidden(flow, by, &text, call.line);
            let source = [b"?>", &*text.as_text().unwrap_or_else(|| Rc::from(&b""[..]))].concat();
            flow.run_text(&source, call.line);
        }
    } else if ["http://", "https://", "ftp://"].iter().any(|scheme| start.starts_with(scheme))
        && file.taint.is_none()
    {
        let host = start.split("://").nth(1).unwrap_or_default().split(['/', '?']).next().unwrap_or_default();
        let taint = Taint::new(Origin::Network, call.line, host);
        flow.reach(Sink::Include, by, call.line, &Value::tainted(Some(taint)), false);
    } else if start.is_empty() || start.starts_with("data:") || start.contains("://") {
        flow.reach(Sink::Include, by, call.line, &file, !file.end().is_empty());
    }
    Value::default()
}

/// The text of a `data:` address (RFC 2397).
fn included_text(file: &Value) -> Option<Vec<u8>> {
    let text = file.as_text()?;
    let rest = text.get(5..)?;
    let comma = rest.iter().position(|byte| *byte == b',')?;
    let body = &rest[comma + 1..];
    Some(if rest[..comma].ends_with(b"base64") { decode::base64(body) } else { decode::percent(body, false) })
}

fn is_program(end: &[u8]) -> bool {
    let end = String::from_utf8_lossy(end).to_ascii_lowercase();
    [
        ".php",
        ".phtml",
        ".php3",
        ".php4",
        ".php5",
        ".php7",
        ".phar",
        ".htaccess",
        ".user.ini",
        ".jsp",
        ".asp",
        ".aspx",
    ]
    .iter()
    .any(|one| end.ends_with(one))
}

pub(super) fn write(flow: &mut Flow<'_>, by: &str, file: &Value, data: &Value, line: u32) {
    let names_it =
        file.taint.is_some() && file.end().is_empty() && file.start().is_empty() && !flow.is_checked(file);
    let is_content = data.taint.as_ref().is_some_and(|taint| taint.origin != Origin::Upload)
        && !is_quoted(data)
        && !ends_first(data);
    if let (true, Some(name)) = (is_content, kept_as(file)) {
        flow.set_shared(&name, data.clone());
    }
    if is_content && (is_program(&file.end()) || names_it) {
        flow.reach(Sink::Write, by, line, data, names_it && !is_program(&file.end()));
    }
}

/// Under which name it is kept what is written to a file, so that whoever runs the file is known to run that.
fn kept_as(file: &Value) -> Option<String> {
    match (file.as_text(), file.path.as_deref()) {
        (Some(name), _) => Some(format!("file:{}", String::from_utf8_lossy(&name))),
        (None, Some("tempnam")) => Some("file:tempnam".to_owned()),
        _ => None,
    }
}

/// Whether it is data behind a program that ends at once, as a guard against being read.
fn ends_first(data: &Value) -> bool {
    let start = data.start();
    [&b"<?php exit"[..], b"<?php die", b"<?php return"]
        .iter()
        .any(|end| memchr::memmem::find(&start, end).is_some())
}

fn replace(flow: &mut Flow<'_>, by: &str, call: &Call<'_>) -> Value {
    let (pattern, with, subject) = (call.arg(0), call.arg(1), call.arg(2));
    let patterns: Vec<Value> = match pattern.items() {
        Some(list) => list.items().iter().map(|(_, item)| item.clone()).collect(),
        None => vec![pattern.clone()],
    };
    for one in patterns.iter().take(MAX_ITEMS) {
        let text = one.as_text();
        let named = one.taint.is_some() && text.is_none() && one.end().is_empty();
        if !named && !text.as_ref().is_some_and(|text| patterns::runs_code(text)) {
            continue;
        }
        let with = match with.items() {
            Some(list) => list.items().first().map(|(_, item)| item.clone()).unwrap_or_default(),
            None => with.clone(),
        };
        if with.taint.is_some() {
            flow.reach(Sink::Code, by, call.line, &with, false);
        } else if !named && let Some(text) = with.as_text() {
            // A match that is put into code between quotes can still leave them.
            if text.iter().any(|byte| matches!(byte, b'\\' | b'$')) {
                flow.reach(Sink::Code, by, call.line, &subject, false);
            }
            code(flow, by, &with, call.line);
        }
    }
    let strict = patterns.len() == 1 && pattern.as_text().is_some_and(|text| patterns::strips(&text));
    if strict && with.taint.is_none() {
        return Value::default();
    }
    functions::call("preg_replace", call).unwrap_or_else(|| subject.derived())
}
