//! CycloneDX in XML, all versions (<https://cyclonedx.org/docs/1.6/xml/>). Entities other than XML's own are not expanded.

use pratique_core::GapKind;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Component, is_package};

/// Elements within elements.
const MAX_DEPTH: usize = 128;
/// Longest value, in bytes.
const MAX_VALUE: usize = 4 << 10;

/// The components, and what kept the rest from being read.
pub(super) fn components(text: &str) -> (Vec<Component>, Option<(GapKind, String)>) {
    let mut found = Found::default();
    let problem = found.read(text).err();
    (found.components, problem)
}

#[derive(Default)]
struct Found {
    components: Vec<Component>,
    /// Elements around the current place, with the component that each one is.
    path: Vec<(String, Option<usize>)>,
    value: String,
}

impl Found {
    fn read(&mut self, text: &str) -> Result<(), (GapKind, String)> {
        let mut reader = Reader::from_str(text);
        loop {
            let event = reader
                .read_event()
                .map_err(|error| (GapKind::Malformed, format!("not the XML that was expected: {error}")))?;
            match event {
                Event::Start(start) => self.begin(&start)?,
                Event::Empty(start) => {
                    self.begin(&start)?;
                    self.path.pop();
                }
                Event::Text(text) if self.value.len() <= MAX_VALUE => {
                    self.value.push_str(&text.xml10_content())
                }
                Event::GeneralRef(entity) if &*entity.xml10_content() == "amp" => self.value.push('&'),
                Event::End(_) => self.end(),
                Event::Eof if self.path.is_empty() => return Ok(()),
                Event::Eof => {
                    let reason = "not the XML that was expected: it ends within an element";
                    return Err((GapKind::Malformed, reason.to_owned()));
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<(), (GapKind, String)> {
        let name = start.local_name().as_ref().to_owned();
        match (&*name, self.path.len()) {
            (_, MAX_DEPTH) => {
                return Err((GapKind::Limit, format!("more than {MAX_DEPTH} elements within each other")));
            }
            ("bom", 0) => {}
            (_, 0) => return Err((GapKind::Malformed, "neither CycloneDX nor SPDX".to_owned())),
            _ => {}
        }
        self.path.push((name, None));
        self.value.clear();
        let names: Vec<&str> = self.path.iter().map(|(name, _)| name.as_str()).collect();
        let root = names == ["bom", "metadata", "component"];
        if root || is_listed(&names) {
            let kind = start.try_get_attribute("type").ok().flatten();
            let counts = kind.is_some_and(|kind| is_package(&kind.value));
            if let Some((_, own)) = self.path.last_mut() {
                *own = Some(self.components.len());
            }
            self.components.push(Component { root, counts, ..Component::default() });
        }
        Ok(())
    }

    fn end(&mut self) {
        let value = std::mem::take(&mut self.value);
        let value = value.trim();
        let owner = self.path.iter().rposition(|(_, own)| own.is_some());
        if let Some(at) = owner
            && !value.is_empty()
            && value.len() <= MAX_VALUE
            && let Some(component) = self.path[at].1.and_then(|own| self.components.get_mut(own))
        {
            match self.path[at + 1..].iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()[..] {
                ["purl"] => component.purl = Some(value.to_owned()),
                ["licenses", "license", "id" | "name"] | ["licenses", "expression"] => {
                    component.licenses.push(value.to_owned());
                }
                _ => {}
            }
        }
        self.path.pop();
    }
}

/// Whether it is a component of the document, or of such a one: tools and ancestors are components too.
fn is_listed(path: &[&str]) -> bool {
    let below = match path {
        ["bom", "metadata", "component", rest @ ..] | ["bom", rest @ ..] => rest,
        _ => return false,
    };
    !below.is_empty()
        && below.len() % 2 == 0
        && below.chunks(2).all(|pair| pair == ["components", "component"])
}
