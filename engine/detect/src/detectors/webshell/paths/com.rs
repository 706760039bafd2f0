//! Objects that scripts of Windows make by a name: shells, files, streams, requests to other servers. Their members' case says nothing.

use std::rc::Rc;

use super::Paths;
use super::calls::{opened, write};
use crate::detectors::webshell::flow::{Call, Flow, Sink};
use crate::detectors::webshell::value::{Origin, Taint, Value};

/// In a path: such an object, then its name.
pub(super) const OBJECT: &str = "com:";

/// What was put into a stream that is no file yet.
const STREAM: &str = "@stream";

/// Classes by their numbers, which serve as names too.
const CLASSES: [(&str, &str); 6] = [
    ("72c24dd5-d70a-438b-8a42-98424b88afb8", "wscript.shell"),
    ("f935dc22-1cf0-11d0-adb9-00c04fd58a0b", "wscript.shell"),
    ("13709620-c279-11ce-a49e-444553540000", "shell.application"),
    ("0d43fe01-f093-11cf-8940-00a0c9054228", "scripting.filesystemobject"),
    ("00000566-0000-0010-8000-00aa006d2ea4", "adodb.stream"),
    ("0e59f1d5-1fbe-11d0-8ff2-00a0d10038bc", "msscriptcontrol.scriptcontrol"),
];

/// Whether a function or class makes an object by its name.
pub(super) fn makes(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    ["CreateObject", "GetObject", "ActiveXObject"].iter().any(|name| last.eq_ignore_ascii_case(name))
}

/// The object of a name, such as `WScript.Shell.1`, `new:{…}` or `winmgmts:…`.
pub(super) fn object(name: &Value) -> Value {
    let Some(name) = name.as_text() else { return Value::path(format!("{OBJECT}?")) };
    let name = String::from_utf8_lossy(&name).trim().to_ascii_lowercase();
    let number = name.strip_prefix("new:").or_else(|| name.strip_prefix("clsid:")).unwrap_or(&name);
    let number = number.trim_matches(['{', '}']);
    let class = match CLASSES.iter().find(|(known, _)| *known == number) {
        Some((_, class)) => class,
        // Without the number of its version.
        None => {
            name.split(':').next().unwrap_or(&name).trim_end_matches(|c: char| c == '.' || c.is_ascii_digit())
        }
    };
    match class {
        "scripting.dictionary" => Value::list([]),
        class => Value::path(format!("{OBJECT}{class}")),
    }
}

/// A member of an object.
pub(super) fn member(path: &str, name: &str, line: u32) -> Value {
    let name = name.to_ascii_lowercase();
    let is_answer = matches!(&*name, "responsetext" | "responsebody" | "responsestream");
    let taint = is_answer.then(|| {
        let shown = format!("{}.{name}", path.strip_prefix(OBJECT).unwrap_or(path));
        Taint::new(Origin::Network, line, shown)
    });
    Value { taint, ..Value::path(super::longer(path, &name)) }
}

impl Paths {
    /// Calls a method of an object.
    pub(super) fn call_object(
        &self,
        flow: &mut Flow<'_>,
        path: &Rc<str>,
        name: &str,
        call: &Call<'_>,
    ) -> Value {
        let after = member(path, name, call.line);
        let own = after.path.as_deref().unwrap_or_default().strip_prefix(OBJECT).unwrap_or_default();
        match own {
            "wscript.shell.run" | "wscript.shell.exec" | "shell.application.shellexecute" => {
                self.program(flow, name, call, 0);
            }
            "wscript.shell.exec.stdin.write" | "wscript.shell.exec.stdin.writeline" => {
                flow.reach(Sink::Command, name, call.line, &call.arg(0), false);
            }
            "msscriptcontrol.scriptcontrol.eval"
            | "msscriptcontrol.scriptcontrol.executestatement"
            | "msscriptcontrol.scriptcontrol.addcode" => {
                return self.code(flow, name, &call.arg(0), call.line);
            }
            "scripting.filesystemobject.createtextfile" | "scripting.filesystemobject.opentextfile" => {
                return opened(&call.arg(0));
            }
            "adodb.stream.write" | "adodb.stream.writetext" => {
                let before = flow.get_shared(STREAM).unwrap_or_default();
                flow.set_shared(STREAM, before.or(&call.arg(0).derived()));
            }
            "adodb.stream.read" | "adodb.stream.readtext" => {
                return flow.get_shared(STREAM).unwrap_or_default();
            }
            "adodb.stream.savetofile" => {
                let data = flow.get_shared(STREAM).unwrap_or_default();
                write(flow, name, &call.arg(0), &data, call.line);
            }
            // Windows Management: any way to the class of processes.
            _ if own.starts_with("winmgmts.") && own.ends_with(".create") => {
                self.program(flow, name, call, 0);
            }
            _ => {}
        }
        after
    }
}
