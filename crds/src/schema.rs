//! Pieces of schemas that several kinds share. Every list, string and duration has a bound: objects stay small, and the
//! API server can tell what a CEL rule costs at most.

use pratique_core::detector::DETECTORS;
use pratique_core::{Category, Severity};
use schemars::{Schema, SchemaGenerator, json_schema};

/// A duration as Go writes it, in hours, minutes and seconds. Three parts of five digits stay within Go's range. A CEL
/// rule and no `pattern`: people get a sentence and not a regular expression.
const IS_DURATION: &str = "self.matches('^([0-9]{1,5}[hms]){1,3}$')";
const NO_DURATION: &str = "must be a duration in hours, minutes and seconds, such as 720h or 1h30m";

/// A duration longer than nothing.
pub(crate) fn positive_duration(_: &mut SchemaGenerator) -> Schema {
    let positive = format!("!{IS_DURATION} || duration(self) > duration('0s')");
    json_schema!({
        "type": "string",
        "maxLength": 18,
        "x-kubernetes-validations": [
            {"rule": IS_DURATION, "message": NO_DURATION},
            {"rule": positive, "message": "must be longer than 0s, such as 720h"},
        ],
    })
}

/// A duration that may be nothing.
pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 18,
        "x-kubernetes-validations": [{"rule": IS_DURATION, "message": NO_DURATION}],
    })
}

/// A map of short words to short texts.
pub(crate) fn short_texts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 256},
    })
}

/// Patterns over image references.
pub(crate) fn image_patterns(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 64,
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 512,
            "pattern": "^[A-Za-z0-9._:/@*?-]+$",
            "x-kubernetes-validations": [
                {
                    "rule": r"self.matches('^([*][*]|localhost/.+|[^/]*[.:*?][^/]*/.+)$')",
                    "message": "an image pattern starts with a registry, as in docker.io/library/nginx:* or */**",
                },
                {
                    "rule": r"!self.matches('[^/][*][*]|[*][*][^/:@]')",
                    "message": "in an image pattern ** stands alone between slashes",
                },
            ],
        },
    })
}

/// Globs over absolute paths.
pub(crate) fn path_globs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 64,
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 512,
            "x-kubernetes-validations": [
                {
                    "rule": r"self.matches('^[/*]')",
                    "message": "a path glob starts with / or *",
                },
                {
                    "rule": r"!self.matches('[\\[\\]{}\\\\]')",
                    "message": "the wildcards of a path glob are *, ** and ?",
                },
                {
                    "rule": r"!self.matches('[^/][*][*]|[*][*][^/]')",
                    "message": "in a path glob ** stands alone between slashes",
                },
            ],
        },
    })
}

/// Categories that some detector gives: another would never hold.
pub(crate) fn categories(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Category::ALL
        .into_iter()
        .filter(|category| DETECTORS.iter().any(|detector| detector.category == *category))
        .map(Category::as_str)
        .collect();
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": Category::ALL.len(),
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "enum": names},
    })
}

/// Severities that can be a minimum: `Unknown` satisfies none.
pub(crate) fn min_severity(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Severity::ALL
        .into_iter()
        .filter(|severity| *severity != Severity::Unknown)
        .map(Severity::as_str)
        .collect();
    json_schema!({"type": "string", "enum": names})
}

/// Conditions, one of each type.
pub(crate) fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let condition = generator.subschema_for::<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>();
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "items": condition,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}
