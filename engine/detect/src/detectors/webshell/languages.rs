//! Which language a file is of, and following it.

use super::flow::Flow;
use super::page::{self, Kind, Part};
use super::{hints, paths, php};

/// Follows a file: once for each language that it is written in, none if it is no program.
pub(super) fn follow<'s>(path: &[u8], source: &'s [u8]) -> Vec<Flow<'s>> {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path).to_ascii_lowercase();
    let end = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let whole = || vec![Part { source: source.into(), line: 1, tag: None }];
    let flow = match end {
        b"jsp" | b"jspx" | b"jspf" | b"jspa" | b"tag" => {
            Flow::of(&paths::JAVA, paths::JAVA.read(&page::parts(source, Kind::Java)), source)
        }
        b"aspx" | b"ascx" | b"ashx" | b"asmx" => {
            let programs = page::parts(source, Kind::Asp);
            let mut tags = programs.iter().filter_map(|part| part.tag).chain(page::directives(source));
            let language = if tags.any(is_script) { &paths::SCRIPT } else { &paths::CSHARP };
            let (mut parts, more) = page::controls(source);
            // Of handlers all behind the directive is program.
            match source.starts_with(b"<%@") && matches!(end, b"ashx" | b"asmx") {
                true => {
                    let start = memchr::memmem::find(source, b"%>").map_or(0, |found| found + 2);
                    let line = 1 + source[..start].iter().filter(|byte| **byte == b'\n').count() as u32;
                    parts.push(Part { source: source[start..].into(), line, tag: None });
                }
                false => parts.extend(programs),
            }
            cut(Flow::of(language, language.read(&parts), source), more || page::has_more_directives(source))
        }
        b"js" | b"mjs" | b"cjs" => {
            if !hints::node(source) {
                return Vec::new();
            }
            Flow::of(&paths::SCRIPT, paths::SCRIPT.read(&whole()), source)
        }
        _ if matches!(end, b"py" | b"pyw") || is_run_by_python(source) => {
            if !hints::python(source) {
                return Vec::new();
            }
            Flow::of(&paths::PYTHON, paths::PYTHON.read(&whole()), source)
        }
        b"asp" | b"asa" | b"cer" | b"cdx" => {
            let of_page = page::directives(source).any(is_script);
            let (script, mut basic): (Vec<Part<'_>>, Vec<Part<'_>>) = page::parts(source, Kind::Asp)
                .into_iter()
                .partition(|part| part.tag.map_or(of_page, is_script));
            let (objects, more) = page::objects(source);
            basic.splice(0..0, objects);
            let script = Flow::of(&paths::JSCRIPT, paths::JSCRIPT.read(&script), source);
            return vec![
                cut(script, more || page::has_more_directives(source)),
                Flow::of(&paths::VBSCRIPT, paths::VBSCRIPT.read(&basic), source),
            ];
        }
        _ => Flow::of(&php::Php, php::read(source), source),
    };
    vec![flow]
}

/// A flow that says so if not all of its page was read.
fn cut(mut flow: Flow<'_>, is_cut: bool) -> Flow<'_> {
    flow.cut = flow.cut.or(is_cut.then_some(page::TOO_MANY));
    flow
}

/// Whether a program's first line says that Python runs it.
fn is_run_by_python(source: &[u8]) -> bool {
    let line = source.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.starts_with(b"#!") && memchr::memmem::find(&line[..line.len().min(256)], b"python").is_some()
}

/// Whether a page's directive, or a tag, says that what it speaks of is written in JScript.
fn is_script(tag: &[u8]) -> bool {
    let plain = |byte: &u8| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'');
    let tag: Vec<u8> = tag.iter().copied().filter(plain).map(|byte| byte.to_ascii_lowercase()).collect();
    [&b"language=jscript"[..], b"language=javascript"]
        .iter()
        .any(|word| memchr::memmem::find(&tag, word).is_some())
}
