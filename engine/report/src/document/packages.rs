//! Packages and the release of the system.

use std::collections::BTreeMap;

use pratique_core::package::{LocatedPackage, Package, Release, RemovedPackage, Source};
use schemars::JsonSchema;
use serde::Serialize;

use super::words;

/// The operating system's release, by the fields of os-release.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Release")]
pub(super) struct ReleaseView<'a> {
    /// `ID`, such as `debian`.
    id: &'a str,
    /// `VERSION_ID`; empty for rolling distributions.
    version: &'a str,
    /// `VERSION_CODENAME`.
    codename: &'a str,
    /// `ID_LIKE`.
    like: &'a [String],
    /// `PRETTY_NAME`.
    name: &'a str,
    /// `VARIANT_ID`.
    variant: &'a str,
}

/// A package where it was found.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Package")]
pub(crate) struct PackageView<'a> {
    /// Its world, by the type of its package URL.
    #[schemars(schema_with = "words::ecosystem")]
    ecosystem: &'static str,
    name: &'a str,
    version: &'a str,
    /// Package URL.
    purl: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'a str>,
    /// The source package it was built from, if that has another name or version.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceView<'a>>,
    /// SPDX identifiers or expressions where the metadata use them, else the metadata's words.
    licenses: &'a [String],
    /// How it is known: `Installed`, `Embedded` (built into a program), `Locked`, `Declared`, `Binary` (a version
    /// string in a program), `Sbom` (an SBOM in the target says so) or `Archived` (a package's archive, not installed).
    #[schemars(schema_with = "words::evidence")]
    evidence: &'static str,
    /// Absolute path of the file that says so.
    path: &'a str,
    /// The layer (diff ID) that brought that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'a str>,
    /// Package URL of the system package that owns that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    owned_by: Option<&'a str>,
    /// How many files it owns.
    files: u64,
    /// More by name.
    attributes: &'a BTreeMap<String, String>,
    /// The layer (diff ID) that removed it; in `removedPackages` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_by: Option<&'a str>,
}

/// The package that others were built from.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Source")]
struct SourceView<'a> {
    name: &'a str,
    version: &'a str,
}

impl<'a> ReleaseView<'a> {
    pub(super) fn of(release: &'a Release) -> Self {
        Self {
            id: &release.id,
            version: &release.version,
            codename: &release.codename,
            like: &release.like,
            name: &release.name,
            variant: &release.variant,
        }
    }
}

impl<'a> PackageView<'a> {
    pub(crate) fn of(located: &'a LocatedPackage) -> Self {
        let Package { ecosystem, name, version, architecture, source, licenses, evidence, attributes } =
            &located.package;
        let source = source.as_ref().map(|Source { name, version }| SourceView { name, version });
        Self {
            ecosystem: ecosystem.purl_type(),
            name,
            version,
            purl: &located.purl,
            architecture: architecture.as_deref(),
            source,
            licenses,
            evidence: evidence.as_str(),
            path: &located.path,
            layer: located.layer.as_ref().map(|digest| digest.as_str()),
            owned_by: located.owned_by.as_deref(),
            files: located.files,
            attributes,
            removed_by: None,
        }
    }

    pub(super) fn of_removed(removed: &'a RemovedPackage) -> Self {
        Self { removed_by: Some(removed.removed_by.as_str()), ..Self::of(&removed.package) }
    }
}
