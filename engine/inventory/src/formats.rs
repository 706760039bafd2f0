//! Documents that several parsers read, within bounds: text, JSON, TOML, YAML.
//!
//! Each parser describes the few fields it needs; the rest is skipped as it is read. Depth is bounded by the readers
//! (JSON 128 levels, TOML 80, YAML 64), size by [`DOCUMENT`].

use std::borrow::Cow;
use std::fmt;

use pratique_core::GapKind;
use pratique_core::inspect::FileInput;
use pratique_core::package::{Package, Record};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::Parsed;

/// Largest document that is read, in bytes: ten times the largest lock file that is met in practice.
pub(crate) const DOCUMENT: usize = 16 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// All bytes of a file that was wanted as a head.
///
/// # Errors
/// A problem of kind `Limit` if the file is longer than the window.
pub(crate) fn whole<'a>(file: &FileInput<'a>) -> Result<&'a [u8], Parsed> {
    if file.is_cut() {
        let reason = format!("{} bytes, of which at most {} are read", file.size, file.bytes.len());
        return Err(Parsed::problem(GapKind::Limit, reason));
    }
    Ok(file.bytes)
}

/// Hands out the events of an XML document, each with how many elements are open behind it.
///
/// # Errors
/// A problem if it is not well-formed or ends within an element.
pub(crate) fn xml(text: &str, mut each: impl FnMut(Event<'_>, usize)) -> Result<(), (GapKind, String)> {
    let mut reader = Reader::from_str(text);
    let mut depth = 0usize;
    let problem = loop {
        match reader.read_event() {
            Ok(Event::Eof) if depth == 0 => return Ok(()),
            Ok(Event::Eof) => break "it ends within an element".to_owned(),
            Ok(event) => {
                match event {
                    Event::Start(_) => depth += 1,
                    Event::End(_) => depth = depth.saturating_sub(1),
                    _ => {}
                }
                each(event, depth);
            }
            Err(error) => break error.to_string(),
        }
    };
    Err((GapKind::Malformed, format!("not the XML that was expected: {problem}")))
}

/// An attribute of an element; none too if it cannot be read.
pub(crate) fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    start.try_get_attribute(name).ok().flatten().map(|found| found.value.into_owned())
}

/// The whole file as text, without a byte order mark.
///
/// # Errors
/// A problem if it is too long or not UTF-8.
pub(crate) fn text<'a>(file: &FileInput<'a>) -> Result<&'a str, Parsed> {
    let text = std::str::from_utf8(whole(file)?)
        .map_err(|error| Parsed::problem(GapKind::Malformed, format!("not UTF-8: {error}")))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The whole file as a JSON object.
///
/// # Errors
/// A problem if it is too long, not JSON or of another shape.
pub(crate) fn json<'a, T: Deserialize<'a>>(file: &FileInput<'a>) -> Result<T, Parsed> {
    // A list would be taken for the fields in their order.
    if start(file).first() == Some(&b'[') {
        return Err(malformed("JSON", &"a list instead of an object"));
    }
    json_or_list(file)
}

/// The whole file as JSON that may be a list.
///
/// # Errors
/// As [`json`].
pub(crate) fn json_or_list<'a, T: Deserialize<'a>>(file: &FileInput<'a>) -> Result<T, Parsed> {
    let bytes = whole(file)?;
    serde_json::from_slice(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes))
        .map_err(|error| malformed("JSON", &error))
}

/// A file's bytes from the first that is no space, without a byte order mark.
pub(crate) fn start<'a>(file: &FileInput<'a>) -> &'a [u8] {
    file.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file.bytes).trim_ascii_start()
}

/// Whether one of a format's marks is in the file. Names that other programs use too say little: a file without any of them
/// is passed over, and one with a mark that cannot be understood is told.
pub(crate) fn has_mark(file: &FileInput<'_>, marks: &[&str]) -> bool {
    marks.iter().any(|mark| memchr::memmem::find(file.bytes, mark.as_bytes()).is_some())
}

/// The whole file as TOML.
///
/// # Errors
/// A problem if it is too long, not TOML or of another shape.
pub(crate) fn toml<'a, T: Deserialize<'a>>(file: &FileInput<'a>) -> Result<T, Parsed> {
    let document =
        toml::Deserializer::parse(text(file)?).map_err(|error| malformed("TOML", &error.message()))?;
    T::deserialize(document).map_err(|error| malformed("TOML", &error.message()))
}

/// The whole file as YAML. Aliases, and what they expand to, are bounded: lock files have none.
///
/// # Errors
/// A problem if it is too long, not YAML or of another shape.
pub(crate) fn yaml<'a, T: Deserialize<'a>>(file: &FileInput<'a>) -> Result<T, Parsed> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4_000_000,
            max_nodes: 2_000_000,
            max_anchors: 100,
            max_aliases: 100,
            max_recorded_anchor_events: 100_000,
            // Yarn joins all patterns of a package to one key.
            simple_key_max_lookahead: 64 << 10,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text(file)?, options).map_err(|error| {
        let mut parsed = malformed("YAML", &error);
        // Inside aliases the breach is wrapped in other errors; its words are what all have in common.
        if parsed.problems.iter().any(|(_, reason)| reason.contains("budget breached")) {
            parsed.problems.iter_mut().for_each(|(kind, _)| *kind = GapKind::Limit);
        }
        parsed
    })
}

/// The packages of a file's entries by their names; those that were not understood are counted in one problem.
pub(crate) fn entries<'a>(entries: impl Iterator<Item = (&'a str, Option<Package>)>) -> Parsed {
    let mut parsed = Parsed::default();
    let (mut strange, mut first) = (0, "");
    for (name, package) in entries {
        match package {
            Some(package) => parsed.records.push(Record::from(package)),
            None => {
                first = if strange == 0 { name } else { first };
                strange += 1;
            }
        }
    }
    if strange > 0 {
        let first: String = first.chars().take(100).collect();
        let reason = format!("entries that are not understood: {strange}, the first is {first:?}");
        parsed.problems.push((GapKind::Malformed, reason));
    }
    parsed
}

/// Whether a line was left by a merge that failed: what follows is there twice.
pub(crate) fn is_conflict(line: &str) -> bool {
    line.starts_with("<<<<<<< ")
}

fn malformed(format: &str, error: &dyn fmt::Display) -> Parsed {
    let error = error.to_string();
    let first = error.lines().next().unwrap_or_default();
    Parsed::problem(GapKind::Malformed, format!("not the {format} that was expected: {first}"))
}

/// A string, or something else that is skipped: what one package writes wrongly must not hide the others.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Option<Cow<'a, str>>);

impl Text<'_> {
    /// The string, unless it is empty.
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
