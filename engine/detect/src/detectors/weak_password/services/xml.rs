//! What files of XML have in common.

use pratique_core::GapKind;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::Reading;

/// Elements within elements that are followed.
const MAX_DEPTH: usize = 32;
/// Bytes of an element's text that are kept.
const MAX_TEXT: usize = 4 << 10;

/// An element, without those in it.
#[derive(Default)]
pub(super) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
}

impl Element {
    /// Its text, without white space around it.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    /// An attribute, if it has it.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn of(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().flatten().map(|attribute| {
            let value = attribute.value.into_owned();
            let value =
                quick_xml::escape::unescape(&value).map_or(value.clone(), std::borrow::Cow::into_owned);
            (attribute.key.local_name().as_ref().to_owned(), value)
        });
        Self {
            name: start.local_name().as_ref().to_owned(),
            attributes: attributes.collect(),
            text: String::new(),
        }
    }
}

/// Hands over each element of `text` where it ends, with the names of those that it lies in and its own. What is no XML is
/// told, and what stands before it is handed over.
pub(super) fn elements(text: &str, reading: &mut Reading, each: &mut dyn FnMut(&[&str], &Element)) {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                return reading
                    .problem(GapKind::Malformed, format!("not the XML that was expected: {error}"));
            }
        };
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                if open.len() == MAX_DEPTH {
                    let reason =
                        format!("more than {MAX_DEPTH} elements within one another are not followed");
                    return reading.problem(GapKind::Limit, reason);
                }
                open.push(Element::of(start));
            }
            Event::Text(text) => add(&mut open, &text.xml10_content()),
            Event::CData(text) => add(&mut open, &text.xml10_content()),
            Event::GeneralRef(entity) => {
                let reference = format!("&{};", entity.xml10_content());
                add(&mut open, &quick_xml::escape::unescape(&reference).unwrap_or(reference.as_str().into()));
            }
            Event::Eof if open.is_empty() => return,
            Event::Eof => {
                return reading
                    .problem(GapKind::Malformed, "not the XML that was expected: it ends within an element");
            }
            _ => {}
        }
        if matches!(event, Event::Empty(_) | Event::End(_))
            && let Some(element) = open.pop()
        {
            let path: Vec<&str> =
                open.iter().chain([&element]).map(|element| element.name.as_str()).collect();
            each(&path, &element);
        }
    }
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut()
        && element.text.len() + text.len() <= MAX_TEXT
    {
        element.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<GapKind>) {
        let (mut reading, mut all) = (Reading::default(), Vec::new());
        elements(text, &mut reading, &mut |path, element| {
            let class = element.attribute("class").unwrap_or_default();
            all.push(format!("{} {class} {}", path.join("/"), element.text()));
        });
        (all, reading.finish().1.into_iter().map(|(kind, _)| kind).collect())
    }

    #[test]
    fn elements_have_their_path_attributes_and_text() {
        let text = "<?xml version='1.1'?><a><!-- <b/> --><b class='x&amp;y'> one &lt; <c/>two </b><d><![CDATA[<e/>]]></d></a>";
        let (all, gaps) = read(text);
        assert_eq!(all, ["a/b/c  ", "a/b x&y one < two", "a/d  <e/>", "a  "]);
        assert!(gaps.is_empty());
    }

    #[test]
    fn what_is_no_xml_or_too_deep_is_told() {
        assert_eq!(read("<a><b/></c>"), (vec!["a/b  ".to_owned()], vec![GapKind::Malformed]));
        assert_eq!(read("<a><b/>"), (vec!["a/b  ".to_owned()], vec![GapKind::Malformed]));
        assert_eq!(read(&"<a>".repeat(1_000)), (vec![], vec![GapKind::Limit]));
    }
}
