//! Which language a file is of, and following it.

use super::flow::Flow;
use super::page::{self, Part};
use super::{paths, php};

/// Words of which a program of Node.js has one that runs something: without one there is nothing to follow.
const RUNS: [&[u8]; 7] =
    [b"child_process", b"eval", b"Function(", b"runIn", b"_compile", b"constructor", b"spawn_sync"];

/// Words of which a program of Python has one that runs or writes something.
const PYTHON_RUNS: [&[u8]; 12] = [
    b"exec",
    b"eval",
    b"system",
    b"popen",
    b"subprocess",
    b"getattr",
    b"__import__",
    b"spawn",
    b"pickle",
    b"commands",
    b"render_template_string",
    b"open(",
];
/// Words of which it has one that brings something in from outside, or hides something.
const PYTHON_BRINGS: [&[u8]; 14] = [
    b"request",
    b"FieldStorage",
    b"rfile",
    b"self.path",
    b"recv",
    b"urlopen",
    b"get_argument",
    b"b64decode",
    b"fromhex",
    b"decompress",
    b"unhexlify",
    b"decode(",
    b"chr(",
    b"[::-1]",
];

/// Follows a file; none if it is no program.
pub(super) fn follow<'s>(path: &[u8], source: &'s [u8]) -> Option<Flow<'s>> {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path).to_ascii_lowercase();
    let end = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let whole = || vec![Part { source: source.into(), line: 1 }];
    Some(match end {
        b"jsp" | b"jspx" | b"jspf" | b"jspa" | b"tag" => {
            Flow::of(&paths::JAVA, paths::JAVA.read(&page::parts(source)), source)
        }
        b"aspx" | b"ascx" | b"ashx" | b"asmx" => {
            let language = if is_script(source) { &paths::SCRIPT } else { &paths::CSHARP };
            let mut parts = page::controls(source);
            // Of handlers all behind the directive is program.
            match source.starts_with(b"<%@") && matches!(end, b"ashx" | b"asmx") {
                true => {
                    let start = memchr::memmem::find(source, b"%>").map_or(0, |found| found + 2);
                    let line = 1 + source[..start].iter().filter(|byte| **byte == b'\n').count() as u32;
                    parts.push(Part { source: source[start..].into(), line });
                }
                false => parts.extend(page::parts(source)),
            }
            Flow::of(language, language.read(&parts), source)
        }
        b"js" | b"mjs" | b"cjs" => {
            if !may_run(source) {
                return None;
            }
            Flow::of(&paths::SCRIPT, paths::SCRIPT.read(&whole()), source)
        }
        _ if matches!(end, b"py" | b"pyw") || is_run_by_python(source) => {
            if !may_run_python(source) {
                return None;
            }
            Flow::of(&paths::PYTHON, paths::PYTHON.read(&whole()), source)
        }
        _ => Flow::of(&php::Php, php::read(source), source),
    })
}

/// Whether a program of Node.js names something that runs code or commands, or a module by something else than a text.
fn may_run(source: &[u8]) -> bool {
    RUNS.iter().any(|word| memchr::memmem::find(source, word).is_some())
        || memchr::memmem::find_iter(source, b"require(")
            .any(|found| source.get(found + 8).is_some_and(|next| !matches!(next, b'"' | b'\'' | b'`')))
}

/// Whether a program of Python has something that runs or writes, and something that comes from outside or hides it.
fn may_run_python(source: &[u8]) -> bool {
    let has = |words: &[&[u8]]| words.iter().any(|word| memchr::memmem::find(source, word).is_some());
    has(&PYTHON_RUNS) && has(&PYTHON_BRINGS)
}

/// Whether a program's first line says that Python runs it.
fn is_run_by_python(source: &[u8]) -> bool {
    let line = source.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.starts_with(b"#!") && memchr::memmem::find(&line[..line.len().min(256)], b"python").is_some()
}

/// Whether a page's directive says that it is written in JScript.
fn is_script(source: &[u8]) -> bool {
    let head = source[..source.len().min(4096)].to_ascii_lowercase();
    [&b"language=\"jscript\""[..], b"language='jscript'", b"language=jscript", b"language=\"javascript\""]
        .iter()
        .any(|word| memchr::memmem::find(&head, word).is_some())
}
