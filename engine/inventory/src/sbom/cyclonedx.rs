//! CycloneDX in JSON, all versions (<https://cyclonedx.org/docs/1.6/json/>).

use serde::Deserialize;

use super::{Component, is_package};

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
    /// Those that it is made of.
    #[serde(default)]
    components: Vec<Item>,
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
            });
            open.extend(item.components.into_iter().map(|item| (item, false)));
        }
        found
    }
}

impl Choice {
    fn text(self) -> Option<String> {
        let license = || self.license.and_then(|license| license.id.or(license.name));
        self.expression.or_else(license).filter(|text| !text.is_empty())
    }
}
