//! SPDX 2 in JSON and as tags and values (<https://spdx.github.io/spdx-spec/v2.3/>).

use std::collections::BTreeSet;

use pratique_core::GapKind;
use serde::Deserialize;

use super::{Component, Place};
use crate::Parsed;
use crate::formats::Text;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    #[serde(borrow, default)]
    packages: Vec<Item<'a>>,
    #[serde(borrow, default)]
    document_describes: Vec<Text<'a>>,
    #[serde(borrow, default)]
    relationships: Vec<Relationship<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow, rename = "SPDXID", default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    license_declared: Text<'a>,
    #[serde(borrow, default)]
    license_concluded: Text<'a>,
    #[serde(borrow, default)]
    primary_package_purpose: Text<'a>,
    #[serde(borrow, default)]
    external_refs: Vec<Reference<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference<'a> {
    #[serde(borrow, default)]
    reference_type: Text<'a>,
    #[serde(borrow, default)]
    reference_locator: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationship<'a> {
    #[serde(borrow, default)]
    relationship_type: Text<'a>,
    #[serde(borrow, default)]
    related_spdx_element: Text<'a>,
}

impl Document<'_> {
    pub(super) fn components(self) -> Vec<Component> {
        let described =
            self.relationships.iter().filter(|one| one.relationship_type.get() == Some("DESCRIBES"));
        let roots: BTreeSet<&str> = described
            .filter_map(|one| one.related_spdx_element.get())
            .chain(self.document_describes.iter().filter_map(Text::get))
            .collect();
        let component = |item: &Item<'_>| {
            let is_purl = |one: &&Reference<'_>| is_purl_type(one.reference_type.get().unwrap_or_default());
            let purl = item.external_refs.iter().find(is_purl).and_then(|one| one.reference_locator.get());
            let licenses = [item.license_declared.get(), item.license_concluded.get()];
            Component {
                purl: purl.map(str::to_owned),
                licenses: licenses
                    .into_iter()
                    .flatten()
                    .find(|text| is_license(text))
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
                root: item.id.get().is_some_and(|id| roots.contains(id)),
                counts: is_package(item.primary_package_purpose.get().unwrap_or_default()),
                place: Place::default(),
            }
        };
        self.packages.iter().map(component).collect()
    }
}

/// The packages of a document of tags and values; texts of several lines are skipped.
///
/// # Errors
/// A problem if it does not say that it is SPDX 2.
pub(super) fn tags(text: &str) -> Result<Vec<Component>, Parsed> {
    let mut found: Vec<(String, Component)> = Vec::new();
    let mut roots = BTreeSet::new();
    let (mut is_spdx, mut in_text, mut in_package) = (false, false, false);
    for line in text.lines() {
        if in_text {
            in_text = !line.contains("</text>");
            continue;
        }
        let Some((tag, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        in_text = value.starts_with("<text>") && !value.contains("</text>");
        let package = found.last_mut().filter(|_| in_package);
        match (tag.trim(), package) {
            ("SPDXVersion", _) => is_spdx |= value.starts_with("SPDX-2."),
            ("PackageName", _) => {
                in_package = true;
                found.push((String::new(), Component { counts: true, ..Component::default() }));
            }
            ("FileName" | "SnippetSPDXID" | "LicenseID", _) => in_package = false,
            ("Relationship", _) => {
                if let [_, "DESCRIBES", root] = value.split_whitespace().collect::<Vec<_>>()[..] {
                    roots.insert(root);
                }
            }
            ("SPDXID", Some((id, _))) => *id = value.to_owned(),
            ("ExternalRef", Some((_, package))) => {
                if let [_, kind, locator, ..] = value.split_whitespace().collect::<Vec<_>>()[..]
                    && is_purl_type(kind)
                {
                    package.purl.get_or_insert_with(|| locator.to_owned());
                }
            }
            ("PackageLicenseDeclared", Some((_, package))) if is_license(value) => {
                package.licenses = vec![value.to_owned()];
            }
            ("PackageLicenseConcluded", Some((_, package)))
                if is_license(value) && package.licenses.is_empty() =>
            {
                package.licenses = vec![value.to_owned()];
            }
            ("PrimaryPackagePurpose", Some((_, package))) => package.counts = is_package(value),
            _ => {}
        }
    }
    if !is_spdx {
        return Err(Parsed::problem(GapKind::Malformed, "neither CycloneDX nor SPDX"));
    }
    let root =
        |(id, component): (String, Component)| Component { root: roots.contains(id.as_str()), ..component };
    Ok(found.into_iter().map(root).collect())
}

/// A type of reference: some write the address of its definition.
fn is_purl_type(kind: &str) -> bool {
    kind.rsplit('/').next() == Some("purl")
}

fn is_license(text: &str) -> bool {
    !matches!(text, "" | "NOASSERTION" | "NONE")
}

/// By its purpose: empty, or that of something that is built from packages.
fn is_package(purpose: &str) -> bool {
    matches!(purpose, "" | "LIBRARY" | "FRAMEWORK" | "APPLICATION")
}
