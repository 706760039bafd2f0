//! Pages with programs in them: JSP (Jakarta Server Pages 3.1) and ASP.NET (`<% … %>`, `<script runat="server">`).

/// Bytes of a tag before and behind what is looked for in it.
const MAX_TAG: usize = 1024;
/// Controls, objects and directives of a page.
const MAX_CONTROLS: usize = 256;
/// Why not all of a page was followed.
pub(super) const TOO_MANY: &str = "the page has more controls, objects or directives than are read";

/// A part of a page that is program, and the line it begins on.
pub(super) struct Part<'s> {
    pub(super) source: std::borrow::Cow<'s, [u8]>,
    pub(super) line: u32,
    /// The tag of a script that runs on the server.
    pub(super) tag: Option<&'s [u8]>,
}

/// Whose pages they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Jakarta's, where expressions may stand in the text: `${…}`.
    Java,
    /// Microsoft's.
    Asp,
}

/// The programs of a page in their order.
pub(super) fn parts(page: &[u8], kind: Kind) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut at, mut counted, mut line) = (0, 0, 1);
    while let Some(found) = memchr::memchr3(b'<', b'$', b'#', &page[at..]) {
        at += found;
        let rest = &page[at..];
        let Some((head, end)) = opened(rest, kind) else {
            at += 1;
            continue;
        };
        let body = &rest[head..];
        let length = memchr::memmem::find(body, end).unwrap_or(body.len());
        line += page[counted..at + head].iter().filter(|byte| **byte == b'\n').count() as u32;
        counted = at + head;
        parts.extend(part(&rest[..head], &body[..length], line));
        at += (head + length + end.len()).min(rest.len());
    }
    parts
}

/// The controls of a page of ASP.NET, declared by their names: what is typed into them is the request's.
/// Whether there are more than are read.
pub(super) fn controls(page: &[u8]) -> (Vec<Part<'static>>, bool) {
    let mut parts = Vec::new();
    let lower = page.to_ascii_lowercase();
    for found in memchr::memmem::find_iter(&lower, b"runat") {
        let from = found.saturating_sub(MAX_TAG);
        let Some(start) = memchr::memrchr(b'<', &lower[from..found]).map(|start| from + start) else {
            continue;
        };
        let to = (found + MAX_TAG).min(lower.len());
        let end = memchr::memchr(b'>', &lower[found..to]).map_or(to, |end| found + end);
        let tag = &lower[start..end];
        let class =
            if tag.starts_with(b"<asp:fileupload") || memchr::memmem::find(tag, b"type=\"file\"").is_some() {
                "FileUpload"
            } else if [&b"<asp:textbox"[..], b"<input", b"<textarea", b"<asp:hiddenfield"]
                .iter()
                .any(|name| tag.starts_with(name))
            {
                "TextBox"
            } else {
                continue;
            };
        let Some(id) = memchr::memmem::find(tag, b" id=") else { continue };
        let rest = &page[start + id + 4..end];
        let name: Vec<u8> = rest
            .iter()
            .skip_while(|byte| matches!(byte, b'"' | b'\''))
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .copied()
            .collect();
        if parts.len() == MAX_CONTROLS {
            return (parts, true);
        }
        if !name.is_empty() {
            let line = 1 + page[..start].iter().filter(|byte| **byte == b'\n').count() as u32;
            let source = [b"var ", &name[..], b" = ", class.as_bytes(), b";"].concat();
            parts.push(Part { source: source.into(), line, tag: None });
        }
    }
    (parts, false)
}

/// Whether a page has more directives than are read.
pub(super) fn has_more_directives(page: &[u8]) -> bool {
    memchr::memmem::find_iter(page, b"<%@").nth(MAX_CONTROLS).is_some()
}

/// What the page says of itself: `<%@ … %>`.
pub(super) fn directives(page: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memmem::find_iter(page, b"<%@").take(MAX_CONTROLS).map(|start| {
        let rest = &page[start + 3..];
        let rest = &rest[..rest.len().min(MAX_TAG)];
        &rest[..memchr::memmem::find(rest, b"%>").unwrap_or(rest.len())]
    })
}

/// The objects of a page of classic ASP, made by their names. Whether there are more than are read.
pub(super) fn objects(page: &[u8]) -> (Vec<Part<'static>>, bool) {
    let mut parts = Vec::new();
    let lower = page.to_ascii_lowercase();
    for (number, start) in memchr::memmem::find_iter(&lower, b"<object").enumerate() {
        if number == MAX_CONTROLS {
            return (parts, true);
        }
        let tag = &lower[start..(start + MAX_TAG).min(lower.len())];
        let tag = &tag[..memchr::memchr(b'>', tag).unwrap_or(tag.len())];
        let class = attribute(tag, b"progid").or_else(|| attribute(tag, b"classid"));
        let (Some(id), Some(class), Some(_)) = (attribute(tag, b"id"), class, attribute(tag, b"runat"))
        else {
            continue;
        };
        let line = 1 + page[..start].iter().filter(|byte| **byte == b'\n').count() as u32;
        let source = [id, b" = CreateObject(\"", class, b"\")"].concat();
        parts.push(Part { source: source.into(), line, tag: None });
    }
    (parts, false)
}

/// The value of a tag's attribute, with quotes or without.
fn attribute<'t>(tag: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let is_it = |place: &usize| {
        tag.get(place.wrapping_sub(1)).is_some_and(u8::is_ascii_whitespace)
            && tag[place + name.len()..].trim_ascii_start().starts_with(b"=")
    };
    let place = memchr::memmem::find_iter(tag, name).find(is_it)?;
    let value = tag[place + name.len()..].trim_ascii_start()[1..].trim_ascii_start();
    let (value, end) = match value.first()? {
        quote @ (b'"' | b'\'') => (&value[1..], memchr::memchr(*quote, &value[1..])),
        _ => (value, value.iter().position(u8::is_ascii_whitespace)),
    };
    Some(&value[..end.unwrap_or(value.len())])
}

/// How long what opens a program here is, and what closes it.
fn opened(rest: &[u8], kind: Kind) -> Option<(usize, &'static [u8])> {
    if rest.starts_with(b"<%--") {
        return Some((4, b"--%>"));
    }
    if rest.starts_with(b"<%") {
        let more = rest.get(2).is_some_and(|byte| matches!(byte, b'=' | b'!' | b'@' | b'#' | b':'));
        return Some((2 + usize::from(more), b"%>"));
    }
    if kind == Kind::Java && (rest.starts_with(b"${") || rest.starts_with(b"#{")) {
        return Some((2, b"}"));
    }
    // `<jsp:scriptlet>`, whatever its prefix is.
    let tag = rest.get(..256.min(rest.len()))?;
    let close = memchr::memchr(b'>', tag)?;
    let tag = tag[..close].to_ascii_lowercase();
    for (name, end) in [
        (&b":scriptlet"[..], &b"scriptlet>"[..]),
        (b":declaration", b"declaration>"),
        (b":expression", b"expression>"),
    ] {
        if tag.ends_with(name) && !tag.starts_with(b"</") {
            return Some((close + 1, end));
        }
    }
    let is_server = tag.starts_with(b"<script") && memchr::memmem::find(&tag, b"runat").is_some();
    is_server.then_some((close + 1, b"</script>"))
}

fn begins_script(tag: &[u8]) -> bool {
    tag.get(..7).is_some_and(|name| name.eq_ignore_ascii_case(b"<script"))
}

fn part<'s>(head: &'s [u8], body: &'s [u8], line: u32) -> Option<Part<'s>> {
    let source: std::borrow::Cow<'s, [u8]> = match head {
        b"<%--" | b"<%@" => return None,
        b"<%=" | b"<%:" | b"<%#" | b"${" | b"#{" => [b"(", body, b");"].concat().into(),
        _ if head.ends_with(b"expression>") => [b"(", &unescaped(body)[..], b");"].concat().into(),
        _ if head.ends_with(b">") && !begins_script(head) => unescaped(body).into(),
        _ => body.into(),
    };
    Some(Part { source, line, tag: begins_script(head).then_some(head) })
}

/// The text of XML: what is in `<![CDATA[…]]>` as it is, entities as what they stand for.
fn unescaped(body: &[u8]) -> Vec<u8> {
    let body = body.strip_suffix(b"</jsp:").unwrap_or(body);
    let mut text = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        if let Some(data) = rest.strip_prefix(b"<![CDATA[") {
            let length = memchr::memmem::find(data, b"]]>").unwrap_or(data.len());
            text.extend_from_slice(&data[..length]);
            at += 9 + length + 3;
        } else {
            let (byte, length) = entity(rest);
            text.extend(byte);
            at += length;
        }
    }
    text
}

fn entity(rest: &[u8]) -> (Vec<u8>, usize) {
    for (name, byte) in
        [(&b"&lt;"[..], b'<'), (b"&gt;", b'>'), (b"&amp;", b'&'), (b"&quot;", b'"'), (b"&apos;", b'\'')]
    {
        if rest.starts_with(name) {
            return (vec![byte], name.len());
        }
    }
    if let Some(digits) = rest.strip_prefix(b"&#") {
        let end = digits.iter().take(9).position(|byte| *byte == b';').unwrap_or(0);
        let text = std::str::from_utf8(&digits[..end]).unwrap_or_default();
        let code = match text.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
        if let Some(character) = code.and_then(char::from_u32) {
            return (character.to_string().into_bytes(), end + 3);
        }
    }
    (rest[..1].to_vec(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_of_a_page_are_read_with_their_lines() {
        let page = b"<%-- a(); --%><html>\n<%@ page x %><% b(); %>\n<%= c %>${d}<jsp:scriptlet><![CDATA[e<f]]>&#103;&lt;</jsp:scriptlet>\n<script runat=server>h()</script>";
        let parts: Vec<(String, u32)> = parts(page, Kind::Java)
            .iter()
            .map(|part| (String::from_utf8_lossy(&part.source).into_owned(), part.line))
            .collect();
        let parts: Vec<(&str, u32)> = parts.iter().map(|(source, line)| (source.as_str(), *line)).collect();
        assert_eq!(parts, [(" b(); ", 2), ("( c );", 3), ("(d);", 3), ("e<fg<", 3), ("h()", 4)]);
    }

    #[test]
    fn what_is_not_closed_is_read_to_the_end() {
        assert_eq!(parts(b"<% a", Kind::Java).len(), 1);
        assert_eq!(parts(&b"<%".repeat(10_000), Kind::Java).len(), 1);
    }

    #[test]
    fn pages_of_asp_have_no_expressions_in_their_text_but_objects_and_scripts() {
        let page = b"${<%@ Language=JScript %><% a %>}<SCRIPT RunAt=server Language=VBScript>b</script>\n<object runat=\"server\" classid='clsid:1' id=x>";
        let parts = parts(page, Kind::Asp);
        assert_eq!(parts.iter().map(|part| &part.source[..]).collect::<Vec<_>>(), [&b" a "[..], b"b"]);
        assert!(parts[0].tag.is_none() && parts[1].tag.is_some());
        assert_eq!(directives(page).collect::<Vec<_>>(), [b" Language=JScript "]);
        let (objects, more) = objects(page);
        assert!(!more);
        assert_eq!((&objects[0].source[..], objects[0].line), (&b"x = CreateObject(\"clsid:1\")"[..], 2));
        assert!(super::objects(&b"<object runat=server id= classid=\"".repeat(1_000)).1);
        assert!(controls(&b"<input type=text id=a runat=server>".repeat(1_000)).1);
        assert!(!controls(&b"<asp:Label id=a runat=server>".repeat(1_000)).1);
        assert!(has_more_directives(&b"<%@ x %>".repeat(1_000)) && !has_more_directives(page));
    }
}
