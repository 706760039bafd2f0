//! An SPDX 2.3 document (<https://spdx.github.io/spdx-spec/v2.3/>): the model that JSON and tag-value share. All foreign
//! text in it has been made harmless.

use std::collections::BTreeMap;

use pratique_core::facts::Trust;
use pratique_core::package::{LocatedPackage, Release};
use serde::Serialize;

use crate::Error;
use crate::id::{fingerprint, uuid};
use crate::licenses::License;
use crate::place::{gap_line, image_purl, owners, target_digest, unique_names};
use crate::report::{Report, TargetKind};
use crate::text::{is_purl, visible};

/// What SPDX says where nothing is claimed.
const NO_ASSERTION: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    pub(crate) spdx_version: &'static str,
    pub(crate) data_license: &'static str,
    #[serde(rename = "SPDXID")]
    pub(crate) id: &'static str,
    pub(crate) name: String,
    pub(crate) document_namespace: String,
    pub(crate) comment: String,
    pub(crate) creation_info: CreationInfo,
    pub(crate) packages: Vec<Package>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) has_extracted_licensing_infos: Vec<ExtractedLicense>,
    pub(crate) relationships: Vec<Relationship>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) annotations: Vec<Annotation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreationInfo {
    pub(crate) created: String,
    pub(crate) creators: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Package {
    #[serde(rename = "SPDXID")]
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version_info: Option<String>,
    pub(crate) download_location: &'static str,
    pub(crate) files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_info: Option<String>,
    pub(crate) license_concluded: &'static str,
    pub(crate) license_declared: String,
    pub(crate) copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) external_refs: Vec<ExternalRef>,
    /// As JSON writes it, with `_` where tags and values have `-`.
    pub(crate) primary_package_purpose: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checksum {
    pub(crate) algorithm: &'static str,
    pub(crate) checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExternalRef {
    pub(crate) reference_category: &'static str,
    pub(crate) reference_type: &'static str,
    pub(crate) reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExtractedLicense {
    pub(crate) license_id: String,
    pub(crate) extracted_text: String,
    pub(crate) name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Relationship {
    pub(crate) spdx_element_id: String,
    pub(crate) relationship_type: &'static str,
    pub(crate) related_spdx_element: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Annotation {
    pub(crate) annotator: String,
    pub(crate) annotation_date: String,
    pub(crate) annotation_type: &'static str,
    pub(crate) comment: String,
}

impl Document {
    /// The document over the targets of one run; there is at least one.
    pub(crate) fn of(reports: &[Report]) -> Result<Self, Error> {
        let tool = reports.first().map(|report| &report.tool);
        let tool = tool.map_or_else(String::new, |tool| {
            format!("Tool: {}-{}", named(&tool.name), visible(&tool.version))
        });
        let latest = reports.iter().map(|report| report.scanned_at).max().unwrap_or_default();
        let created = latest.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let names: Vec<_> = reports.iter().map(|report| named(&report.target.reference)).collect();
        let mut parts = Parts { annotator: tool.clone(), created: created.clone(), ..Parts::default() };
        for (place, report) in reports.iter().enumerate() {
            parts.add(place + 1, report);
        }
        let mut document = Self {
            spdx_version: "SPDX-2.3",
            data_license: "CC0-1.0",
            id: DOCUMENT,
            name: names.join(", "),
            document_namespace: String::new(),
            comment: parts.comments.join(" "),
            creation_info: CreationInfo { created, creators: vec![tool] },
            packages: parts.packages,
            has_extracted_licensing_infos: parts.licenses.into_values().collect(),
            relationships: parts.relationships,
            annotations: parts.annotations,
        };
        document.document_namespace = format!("https://pratique.dev/spdx/{}", uuid(&document)?);
        Ok(document)
    }
}

/// The lists of a document while they grow.
#[derive(Default)]
struct Parts {
    annotator: String,
    created: String,
    comments: Vec<String>,
    packages: Vec<Package>,
    licenses: BTreeMap<String, ExtractedLicense>,
    relationships: Vec<Relationship>,
    annotations: Vec<Annotation>,
}

impl Parts {
    /// Adds a target, its system and its packages.
    fn add(&mut self, number: usize, report: &Report) {
        let root = format!("SPDXRef-Target-{number}");
        self.relate(DOCUMENT, "DESCRIBES", &root);
        self.packages.push(target(report, &root));
        if let Some(release) = &report.inventory.release {
            let id = format!("SPDXRef-System-{number}");
            self.relate(&root, "CONTAINS", &id);
            self.packages.push(system(release, id));
        }
        let packages = &report.inventory.packages;
        let ids: Vec<String> = packages
            .iter()
            .zip(unique_names(packages, &[]))
            .map(|(package, name)| package_id(number, package, &name))
            .collect();
        for ((package, owner), id) in packages.iter().zip(owners(packages)).zip(&ids) {
            self.relate(owner.map_or(&root, |owner| &ids[owner]), "CONTAINS", id);
            let package = self.package(package, id.clone());
            self.packages.push(package);
        }
        self.tell(report);
    }

    fn relate(&mut self, from: &str, relationship_type: &'static str, to: &str) {
        self.relationships.push(Relationship {
            spdx_element_id: from.to_owned(),
            relationship_type,
            related_spdx_element: to.to_owned(),
        });
    }

    /// Says of a target what is missing: in the comment that it is, in annotations what.
    fn tell(&mut self, report: &Report) {
        let name = named(&report.target.reference);
        let mut comment = format!("{name}: {}", report.verdict());
        if let Some(error) = &report.error {
            comment.push_str(&format!(", {}", visible(error)));
        }
        if !report.gaps.is_empty() {
            comment
                .push_str(&format!(", {} gaps: this list lacks what could not be read", report.gaps.len()));
        }
        comment.push('.');
        self.comments.push(comment);
        for gap in &report.gaps {
            self.annotations.push(Annotation {
                annotator: self.annotator.clone(),
                annotation_date: self.created.clone(),
                annotation_type: "OTHER",
                comment: format!("Gap in {name}: {}", gap_line(gap)),
            });
        }
    }

    fn package(&mut self, located: &LocatedPackage, id: String) -> Package {
        let package = &located.package;
        let mut source = format!("{} in {}", package.evidence.as_str(), located.path);
        if let Some(layer) = &located.layer {
            source.push_str(&format!(", layer {layer}"));
        }
        if let Some(from) = &package.source {
            source.push_str(&format!("; built from {} {}", from.name, from.version));
        }
        let mut comment: Vec<String> = Vec::new();
        comment.extend(package.architecture.iter().map(|value| format!("architecture={value}")));
        comment.extend(package.attributes.iter().map(|(key, value)| format!("{key}={value}")));
        if !is_purl(&located.purl) {
            comment.push(format!("purl={}", located.purl));
        }
        let comment = comment.join("; ");
        Package {
            id,
            name: named(&package.name),
            version_info: some(&package.version),
            source_info: some(&source),
            license_declared: self.declared(&package.licenses),
            comment: some(&comment),
            external_refs: is_purl(&located.purl).then(|| purl(&located.purl)).into_iter().collect(),
            ..Package::bare("LIBRARY")
        }
    }

    /// One expression over all licences of a package. Words become references to texts that the document holds.
    fn declared(&mut self, texts: &[String]) -> String {
        let all = License::all(texts);
        let is_alone = all.len() == 1;
        let parts = all.into_iter().map(|license| match license {
            License::Id(id) => id,
            License::Expression(expression) if is_alone => expression,
            License::Expression(expression) => format!("({expression})"),
            License::Named(words) => {
                let id = format!("LicenseRef-{}", &fingerprint([words.as_str()])[..16]);
                let license = ExtractedLicense {
                    license_id: id.clone(),
                    extracted_text: words.clone(),
                    name: words.chars().take(80).collect(),
                };
                self.licenses.entry(id.clone()).or_insert(license);
                id
            }
        });
        let expression = parts.collect::<Vec<_>>().join(" AND ");
        if expression.is_empty() { NO_ASSERTION.to_owned() } else { expression }
    }
}

impl Package {
    /// A package of which nothing is known but what it is for.
    fn bare(primary_package_purpose: &'static str) -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            version_info: None,
            download_location: NO_ASSERTION,
            files_analyzed: false,
            checksums: Vec::new(),
            source_info: None,
            license_concluded: NO_ASSERTION,
            license_declared: NO_ASSERTION.to_owned(),
            copyright_text: NO_ASSERTION,
            comment: None,
            external_refs: Vec::new(),
            primary_package_purpose,
        }
    }
}

/// A text that may not be empty.
fn named(text: &str) -> String {
    let text = visible(text);
    if text.trim().is_empty() { "(unnamed)".to_owned() } else { text.into_owned() }
}

fn some(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| visible(text).into_owned())
}

fn purl(purl: &str) -> ExternalRef {
    ExternalRef {
        reference_category: "PACKAGE-MANAGER",
        reference_type: "purl",
        reference_locator: purl.to_owned(),
    }
}

/// An identifier made of the characters that SPDX allows: readable, and unique by the fingerprint.
fn package_id(number: usize, located: &LocatedPackage, name: &str) -> String {
    let readable: String = located
        .package
        .name
        .chars()
        .take(40)
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    let kind = located.package.ecosystem.purl_type();
    let fingerprint = fingerprint([number.to_string().as_str(), name]);
    format!("SPDXRef-Package-{kind}-{readable}-{}", &fingerprint[..16])
}

fn target(report: &Report, id: &str) -> Package {
    let purpose = match report.target.kind {
        TargetKind::Image | TargetKind::Container => "CONTAINER",
        TargetKind::Root => "APPLICATION",
        TargetKind::File => "FILE",
    };
    let mut facts = vec![format!("{} from {}", report.target.kind.as_str(), report.target.source)];
    if let Some(image) = &report.image {
        facts.push(format!("platform {}", image.platform));
        facts.extend(image.manifests.iter().map(|digest| format!("manifest {digest}")));
        facts.extend(image.indexes.iter().map(|digest| format!("index {digest}")));
        facts.extend(image.created.map(|time| format!("created {time}")));
        facts.extend(image.layers.iter().map(|digest| format!("layer {digest}")));
        facts.push(match image.trust {
            Trust::Blobs | Trust::Folders => format!("layers read from {}", image.trust.as_str()),
            Trust::Unchecked => "layers read without checking their digests".to_owned(),
        });
    }
    let digest = target_digest(report);
    let checksum = |digest: &pratique_core::Digest| Checksum {
        algorithm: if digest.algorithm() == "sha512" { "SHA512" } else { "SHA256" },
        checksum_value: digest.hex().to_owned(),
    };
    let image_purl = report.image.as_ref().and_then(|image| image_purl(report, image));
    Package {
        id: id.to_owned(),
        name: named(&report.target.reference),
        version_info: digest.map(|digest| digest.to_string()),
        checksums: digest.map(checksum).into_iter().collect(),
        comment: some(&facts.join("; ")),
        external_refs: image_purl.as_deref().map(purl).into_iter().collect(),
        ..Package::bare(purpose)
    }
}

fn system(release: &Release, id: String) -> Package {
    Package {
        id,
        name: named(&release.id),
        version_info: some(&release.version),
        comment: some(&release.name),
        ..Package::bare("OPERATING_SYSTEM")
    }
}
