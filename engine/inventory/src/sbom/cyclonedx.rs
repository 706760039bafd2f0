//! CycloneDX in JSON, all versions (<https://cyclonedx.org/docs/1.6/json/>).

use serde::Deserialize;

use super::{Component, Place, is_package};

#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    components: Vec<Item>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    component: Option<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type", default)]
    kind: String,
    purl: Option<String>,
    #[serde(default)]
    licenses: Vec<Choice>,
    #[serde(default)]
    properties: Vec<Property>,
    /// Those that it is made of.
    #[serde(default)]
    components: Vec<Item>,
}

#[derive(Deserialize)]
struct Property {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Choice {
    license: Option<License>,
    expression: Option<String>,
}

#[derive(Deserialize)]
struct License {
    id: Option<String>,
    name: Option<String>,
}

impl Document {
    pub(super) fn components(self) -> Vec<Component> {
        let mut found = Vec::new();
        let root = self.metadata.component.into_iter().map(|item| (item, true));
        let mut open: Vec<(Item, bool)> =
            root.chain(self.components.into_iter().map(|item| (item, false))).collect();
        while let Some((item, root)) = open.pop() {
            found.push(Component {
                purl: item.purl.filter(|purl| !purl.is_empty()),
                licenses: item.licenses.into_iter().filter_map(Choice::text).collect(),
                root,
                counts: is_package(&item.kind),
                place: place(item.properties),
            });
            open.extend(item.components.into_iter().map(|item| (item, false)));
        }
        found
    }
}

/// Where a component lies, by the properties that our own documents have.
fn place(properties: Vec<Property>) -> Place {
    let mut place = Place::default();
    for Property { name, value } in properties {
        match name.as_str() {
            "pratique:path" => place.path = Some(value),
            "pratique:layer" => place.layer = Some(value),
            "pratique:ownedBy" => place.owned_by = Some(value),
            _ => {}
        }
    }
    place
}

impl Choice {
    fn text(self) -> Option<String> {
        let license = || self.license.and_then(|license| license.id.or(license.name));
        self.expression.or_else(license).filter(|text| !text.is_empty())
    }
}
