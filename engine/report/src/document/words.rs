//! Schemas of strings that are one of some words.

use pratique_core::facts::Trust;
use pratique_core::package::{Ecosystem, Evidence};
use pratique_core::{Category, GapKind, Severity, Verdict, lineage};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::report::{Origin, TargetKind, Vulnerabilities};

/// A string that is one of these words.
fn words(words: Vec<&'static str>) -> Schema {
    json_schema!({ "type": "string", "enum": words })
}

pub(super) fn verdict(_: &mut SchemaGenerator) -> Schema {
    words(Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect())
}

pub(super) fn vulnerabilities(_: &mut SchemaGenerator) -> Schema {
    words(Vulnerabilities::NAMES.to_vec())
}

pub(super) fn severity(_: &mut SchemaGenerator) -> Schema {
    words(Severity::ALL.iter().map(|severity| severity.as_str()).collect())
}

pub(super) fn category(_: &mut SchemaGenerator) -> Schema {
    words(Category::ALL.iter().map(|category| category.as_str()).collect())
}

pub(super) fn gap_kind(_: &mut SchemaGenerator) -> Schema {
    words(GapKind::ALL.iter().map(|kind| kind.as_str()).collect())
}

pub(super) fn target_kind(_: &mut SchemaGenerator) -> Schema {
    words(TargetKind::ALL.iter().map(|kind| kind.as_str()).collect())
}

pub(super) fn evidence(_: &mut SchemaGenerator) -> Schema {
    words(Evidence::ALL.iter().map(|evidence| evidence.as_str()).collect())
}

pub(super) fn ecosystem(_: &mut SchemaGenerator) -> Schema {
    words(Ecosystem::ALL.iter().map(|ecosystem| ecosystem.purl_type()).collect())
}

pub(super) fn origin(_: &mut SchemaGenerator) -> Schema {
    words(Origin::ALL.iter().map(|origin| origin.as_str()).collect())
}

pub(super) fn evidence_of_base(_: &mut SchemaGenerator) -> Schema {
    words(lineage::Evidence::ALL.iter().map(|evidence| evidence.as_str()).collect())
}

pub(super) fn trust(_: &mut SchemaGenerator) -> Schema {
    words(Trust::ALL.iter().map(|trust| trust.as_str()).collect())
}
