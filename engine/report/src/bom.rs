//! A CycloneDX bill of materials, version 1.6 (<https://cyclonedx.org/docs/1.6/json/>): the model that JSON and XML
//! share. All foreign text in it has been made harmless.

use std::collections::BTreeMap;

use pratique_core::package::{Ecosystem, Evidence, LocatedPackage, Release};
use serde::Serialize;

use crate::Error;
use crate::bom_flaws::{Flaw, flaws};
use crate::id::uuid;
use crate::licenses::License;
use crate::place::{gap_line, image_purl, owners, target_digest, unique_names};
use crate::report::{Report, TargetKind, Vulnerabilities};
use crate::text::{is_purl, visible};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bom {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) serial_number: Option<String>,
    version: u32,
    pub(crate) metadata: Metadata,
    pub(crate) components: Vec<Component>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) compositions: Vec<Composition>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) vulnerabilities: Vec<Flaw>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) timestamp: String,
    pub(crate) tools: Tools,
    pub(crate) component: Component,
    pub(crate) properties: Vec<Property>,
}

#[derive(Serialize)]
pub(crate) struct Tools {
    pub(crate) components: Vec<Component>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Component {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    pub(crate) bom_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) licenses: Vec<LicenseChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) properties: Vec<Property>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<Occurrences>,
}

#[derive(Serialize)]
pub(crate) struct Hash {
    pub(crate) alg: &'static str,
    pub(crate) content: String,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LicenseChoice {
    License(NamedLicense),
    Expression(String),
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NamedLicense {
    Id(String),
    Name(String),
}

#[derive(Serialize)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Serialize)]
pub(crate) struct Occurrences {
    pub(crate) occurrences: Vec<Occurrence>,
}

#[derive(Serialize)]
pub(crate) struct Occurrence {
    pub(crate) location: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dependency {
    #[serde(rename = "ref")]
    pub(crate) of: String,
    pub(crate) depends_on: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Composition {
    pub(crate) aggregate: &'static str,
    pub(crate) assemblies: Vec<String>,
}

/// Longest version that the schema allows, in characters. A longer one becomes a property.
const MAX_VERSION: usize = 1024;
const ROOT: &str = "target";
const SYSTEM: &str = "operating-system";

impl Bom {
    /// The bill of materials of one target.
    pub(crate) fn of(report: &Report) -> Result<Self, Error> {
        let packages = &report.inventory.packages;
        let names = unique_names(packages, &[ROOT, SYSTEM]);
        let system = report.inventory.release.as_ref().map(operating_system);
        let components = system
            .into_iter()
            .chain(packages.iter().zip(&names).map(|(package, name)| component(package, name)));
        let components: Vec<Component> = components.collect();
        // Gaps are known; that there is nothing beyond what the parsers know of is not.
        let is_whole = report.gaps.is_empty() && report.error.is_none();
        let aggregate = if is_whole { "unknown" } else { "incomplete" };
        let mut bom = Self {
            schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
            bom_format: "CycloneDX",
            spec_version: "1.6",
            serial_number: None,
            version: 1,
            metadata: Metadata {
                timestamp: report.scanned_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                tools: Tools { components: vec![tool(report)] },
                component: target(report),
                properties: result(report),
            },
            dependencies: dependencies(packages, &names, report.inventory.release.is_some()),
            compositions: vec![Composition { aggregate, assemblies: vec![ROOT.to_owned()] }],
            vulnerabilities: flaws(report, &names, ROOT),
            components,
        };
        bom.serial_number = Some(format!("urn:uuid:{}", uuid(&bom)?));
        Ok(bom)
    }
}

pub(crate) fn text(text: &str) -> String {
    visible(text).into_owned()
}

pub(crate) fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| text(value))
}

fn version(value: &str) -> Option<String> {
    some(value).filter(|version| version.chars().count() <= MAX_VERSION)
}

pub(crate) fn property(name: &str, value: &str) -> Property {
    Property { name: format!("pratique:{}", visible(name)), value: text(value) }
}

fn tool(report: &Report) -> Component {
    Component {
        kind: "application",
        name: text(&report.tool.name),
        version: version(&report.tool.version),
        ..Component::default()
    }
}

/// What was scanned.
fn target(report: &Report) -> Component {
    let kind = match report.target.kind {
        TargetKind::Image | TargetKind::Container => "container",
        TargetKind::Root => "application",
        TargetKind::File => "file",
    };
    let mut component = Component {
        kind,
        bom_ref: Some(ROOT.to_owned()),
        name: text(&report.target.reference),
        properties: vec![
            property("target:kind", report.target.kind.as_str()),
            property("target:source", &report.target.source),
        ],
        ..Component::default()
    };
    if let Some(digest) = target_digest(report) {
        component.version = Some(digest.to_string());
        let alg = if digest.algorithm() == "sha512" { "SHA-512" } else { "SHA-256" };
        component.hashes.push(Hash { alg, content: digest.hex().to_owned() });
    }
    if let Some(image) = &report.image {
        component.purl = image_purl(report, image);
        let mut add = |name: &str, value: &str| component.properties.push(property(name, value));
        add("image:id", image.id.as_str());
        image.manifests.iter().for_each(|digest| add("image:manifest", digest.as_str()));
        image.indexes.iter().for_each(|digest| add("image:index", digest.as_str()));
        add("image:platform", &image.platform.to_string());
        if let Some(created) = image.created {
            add("image:created", &created.to_string());
        }
        if !image.user.is_empty() {
            add("image:user", &image.user);
        }
        image.layers.iter().for_each(|digest| add("image:layer", digest.as_str()));
        add("image:trust", image.trust.as_str());
    }
    component
}

/// Verdict, error and gaps: a bill of materials that lacks something says so.
fn result(report: &Report) -> Vec<Property> {
    let mut properties = vec![property("verdict", report.verdict().as_str())];
    properties.extend(report.error.as_deref().map(|error| property("error", error)));
    properties.extend(report.gaps.iter().map(|gap| property("gap", &gap_line(gap))));
    if report.vulnerabilities != Vulnerabilities::NotAsked {
        properties.push(property("vulnerabilities", report.vulnerabilities.as_str()));
    }
    if let Vulnerabilities::Matched(advisories) = &report.vulnerabilities {
        properties.push(property("advisories:asOf", &advisories.as_of().to_string()));
    }
    properties
}

fn operating_system(release: &Release) -> Component {
    let mut properties = Vec::new();
    for (name, value) in [("release:codename", &release.codename), ("release:variant", &release.variant)] {
        if !value.is_empty() {
            properties.push(property(name, value));
        }
    }
    Component {
        kind: "operating-system",
        bom_ref: Some(SYSTEM.to_owned()),
        name: text(&release.id),
        version: version(&release.version),
        description: some(&release.name),
        properties,
        ..Component::default()
    }
}

fn component(located: &LocatedPackage, name: &str) -> Component {
    let package = &located.package;
    // A program is a program; whatever else there is may be a program or a library, and nothing in the metadata says
    // which.
    let is_program = package.evidence == Evidence::Binary
        || matches!(package.ecosystem, Ecosystem::Snap | Ecosystem::Flatpak | Ecosystem::Generic)
        || package.attributes.get("root").is_some_and(|root| root == "true");
    let (group, own_name) = split(package.ecosystem, &package.name);
    let mut properties = vec![
        property("ecosystem", package.ecosystem.purl_type()),
        property("evidence", package.evidence.as_str()),
        property("path", &located.path),
    ];
    let mut add = |name: &str, value: &str| properties.push(property(name, value));
    if let Some(layer) = &located.layer {
        add("layer", layer.as_str());
    }
    if let Some(architecture) = &package.architecture {
        add("architecture", architecture);
    }
    if let Some(source) = &package.source {
        add("source:name", &source.name);
        add("source:version", &source.version);
    }
    if let Some(owner) = &located.owned_by {
        add("ownedBy", owner);
    }
    if located.files > 0 {
        add("files", &located.files.to_string());
    }
    if !package.version.is_empty() && version(&package.version).is_none() {
        add("version", &package.version);
    }
    if !is_purl(&located.purl) {
        add("purl", &located.purl);
    }
    for (key, value) in &package.attributes {
        add(&format!("attribute:{key}"), value);
    }
    Component {
        kind: if is_program { "application" } else { "library" },
        bom_ref: Some(name.to_owned()),
        group: group.map(text),
        name: text(own_name),
        version: version(&package.version),
        licenses: licenses(&package.licenses),
        purl: is_purl(&located.purl).then(|| located.purl.clone()),
        properties,
        evidence: Some(Occurrences { occurrences: vec![Occurrence { location: text(&located.path) }] }),
        ..Component::default()
    }
}

/// Group and name, where the ecosystem has such a thing.
fn split(ecosystem: Ecosystem, name: &str) -> (Option<&str>, &str) {
    let parts = match ecosystem {
        Ecosystem::Maven => name.split_once(':'),
        Ecosystem::Npm if name.starts_with('@') => name.split_once('/'),
        _ => None,
    };
    parts.map_or((None, name), |(group, name)| (Some(group), name))
}

/// Either one expression or a list of licences; an expression in a list can only be told as a name.
fn licenses(texts: &[String]) -> Vec<LicenseChoice> {
    let all = License::all(texts);
    let is_alone = all.len() == 1;
    let choice = |license| match license {
        License::Id(id) => LicenseChoice::License(NamedLicense::Id(id)),
        License::Expression(expression) if is_alone => LicenseChoice::Expression(expression),
        License::Expression(name) | License::Named(name) => LicenseChoice::License(NamedLicense::Name(name)),
    };
    all.into_iter().map(choice).collect()
}

/// The target needs everything that is not a part of something else; a system package needs what lies in its files.
fn dependencies(packages: &[LocatedPackage], names: &[String], has_system: bool) -> Vec<Dependency> {
    let mut parts: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut top: Vec<String> = has_system.then(|| SYSTEM.to_owned()).into_iter().collect();
    for (owner, name) in owners(packages).into_iter().zip(names) {
        match owner {
            Some(owner) => parts.entry(owner).or_default().push(name.clone()),
            None => top.push(name.clone()),
        }
    }
    let parts =
        parts.into_iter().map(|(owner, depends_on)| Dependency { of: names[owner].clone(), depends_on });
    std::iter::once(Dependency { of: ROOT.to_owned(), depends_on: top }).chain(parts).collect()
}
