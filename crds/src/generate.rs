//! The CustomResourceDefinitions, ready to be applied or written.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::core::CustomResourceExt;

use crate::{SCHEMA_VERSION, SCHEMA_VERSION_ANNOTATION, ScanPolicy, ScanReport, WorkloadReport};

/// All definitions there are.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut all = vec![ScanPolicy::crd(), ScanReport::crd(), WorkloadReport::crd()];
    for definition in &mut all {
        let annotations = definition.metadata.annotations.get_or_insert_default();
        annotations.insert(SCHEMA_VERSION_ANNOTATION.to_owned(), SCHEMA_VERSION.to_string());
        for version in &mut definition.spec.versions {
            if let Some(schema) =
                version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut())
            {
                tidy(schema);
            }
        }
    }
    all
}

/// File name and content of each definition's YAML.
pub fn files() -> Result<Vec<(String, String)>, serde_yaml::Error> {
    definitions()
        .into_iter()
        .map(|definition| {
            let yaml = serde_yaml::to_string(&definition)?;
            let name = format!("{}.yaml", definition.spec.names.plural);
            Ok((name, format!("# Generated from the types in crds/src by `make crds`; do not edit.\n{yaml}")))
        })
        .collect()
}

/// Makes of what schemars writes what Kubernetes expects: an absent field is absent and not null (the API server drops
/// nulls where none is allowed, which is what CEL's `has` needs), and descriptions are one paragraph.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(description) = &mut schema.description {
        *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        tidy(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}
