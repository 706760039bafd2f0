//! The custom resource definitions: applied before an upgrade, checked before work begins.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use pratique_crds::generate::definitions;
use pratique_crds::{SCHEMA_VERSION, SCHEMA_VERSION_ANNOTATION};
use tracing::{info, warn};

use crate::webhook_config::FIELD_MANAGER;

/// Pause before the API server is asked again.
const RETRY: Duration = Duration::from_secs(2);

/// How often a definition that was applied is looked at until it is established.
const ATTEMPTS: usize = 30;

/// Fields that an error names at most.
const NAMED: usize = 5;

/// Why the operator does not run against these definitions.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A definition is not there.
    #[error(
        "CustomResourceDefinition {name} is not installed; install it with `pratique-operator apply-crds`, or with \
             the chart's crds folder: kubectl apply --server-side -f charts/pratique/crds"
    )]
    Missing {
        /// Its name.
        name: String,
    },
    /// A definition is older than this release.
    #[error(
        "CustomResourceDefinition {name} has schema version {found}, and this operator needs {SCHEMA_VERSION}{missing}; \
             upgrade it with `pratique-operator apply-crds`, or with `helm upgrade`, which does it first"
    )]
    Older {
        /// Its name.
        name: String,
        /// Its version; 0 if it says none.
        found: u32,
        /// Fields it lacks, as a clause.
        missing: String,
    },
    /// A definition was applied, and the API server does not serve it.
    #[error(
        "CustomResourceDefinition {name} was applied, and is not established after a minute: see kubectl describe crd {name}"
    )]
    NotEstablished {
        /// Its name.
        name: String,
    },
    /// The API server refused.
    #[error("CustomResourceDefinition {name} could not be applied: {source}")]
    Refused {
        /// Its name.
        name: String,
        /// Why.
        source: kube::Error,
    },
}

/// Checks that the cluster's definitions are as new as this release. Waits for an API server that does not answer.
///
/// # Errors
/// If one is missing or older.
pub async fn check(client: &Client) -> Result<(), SchemaError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for own in definitions() {
        let name = own.name_any();
        let found = loop {
            match api.get_opt(&name).await {
                Ok(found) => break found,
                Err(error) => warn!(%error, name, "definition not read; asking again"),
            }
            tokio::time::sleep(RETRY).await;
        };
        compare(&own, found.as_ref())?;
    }
    Ok(())
}

/// Creates or upgrades all definitions, and waits until they are served. A newer one is left alone: its fields may be in
/// use.
///
/// # Errors
/// If the API server refuses, or does not serve one in time.
pub async fn apply(client: &Client) -> Result<(), SchemaError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for own in definitions() {
        let name = own.name_any();
        let refused = |source| SchemaError::Refused { name: name.clone(), source };
        if api.get_opt(&name).await.map_err(refused)?.is_some_and(|found| version(&found) > SCHEMA_VERSION) {
            info!(name, "the cluster has a newer one; it is left as it is");
            continue;
        }
        api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&own))
            .await
            .map_err(refused)?;
        let mut attempts = 0..ATTEMPTS;
        while !is_established(&api.get(&name).await.map_err(refused)?) {
            if attempts.next().is_none() {
                return Err(SchemaError::NotEstablished { name });
            }
            tokio::time::sleep(RETRY).await;
        }
        info!(name, version = SCHEMA_VERSION, "applied");
    }
    Ok(())
}

fn compare(
    own: &CustomResourceDefinition,
    found: Option<&CustomResourceDefinition>,
) -> Result<(), SchemaError> {
    let name = own.name_any();
    let Some(found) = found else { return Err(SchemaError::Missing { name }) };
    if version(found) >= version(own) {
        return Ok(());
    }
    let (own, known) = (fields(own), fields(found));
    let lacks: Vec<&str> = own.difference(&known).map(String::as_str).collect();
    let missing = match lacks.len() {
        0 => String::new(),
        count if count > NAMED => {
            format!(" (it lacks {} and {} more)", lacks[..NAMED].join(", "), count - NAMED)
        }
        _ => format!(" (it lacks {})", lacks.join(", ")),
    };
    Err(SchemaError::Older { name, found: version(found), missing })
}

fn version(definition: &CustomResourceDefinition) -> u32 {
    definition
        .annotations()
        .get(SCHEMA_VERSION_ANNOTATION)
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Established" && c.status == "True"))
}

/// All fields as paths, such as `spec.deny.name`.
fn fields(definition: &CustomResourceDefinition) -> BTreeSet<String> {
    fn collect(schema: &JSONSchemaProps, path: &str, fields: &mut BTreeSet<String>) {
        for (name, property) in schema.properties.iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(property, &path, fields);
            fields.insert(path);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
            collect(items, path, fields);
        }
    }
    let mut all = BTreeSet::new();
    for version in &definition.spec.versions {
        if let Some(schema) = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()) {
            collect(schema, "", &mut all);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> CustomResourceDefinition {
        definitions()
            .into_iter()
            .find(|definition| definition.name_any() == "scanpolicies.pratique.dev")
            .unwrap()
    }

    fn with_version(text: &str) -> CustomResourceDefinition {
        let mut definition = own();
        definition.annotations_mut().insert(SCHEMA_VERSION_ANNOTATION.to_owned(), text.to_owned());
        definition
    }

    #[test]
    fn the_same_and_newer_definitions_are_accepted() {
        compare(&own(), Some(&own())).unwrap();
        compare(&own(), Some(&with_version(&(SCHEMA_VERSION + 1).to_string()))).unwrap();
    }

    #[test]
    fn an_older_one_is_refused_with_the_fields_it_lacks() {
        let mut old = with_version("0");
        let schema = old.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
        let spec = schema.properties.as_mut().unwrap().get_mut("spec").unwrap();
        spec.properties.as_mut().unwrap().remove("enforcement").unwrap();
        let error = compare(&own(), Some(&old)).unwrap_err().to_string();
        assert!(error.contains("it lacks spec.enforcement)") && error.contains("apply-crds"), "{error}");
    }

    #[test]
    fn none_or_one_without_a_version_is_refused() {
        assert!(matches!(compare(&own(), None), Err(SchemaError::Missing { .. })));
        assert!(matches!(
            compare(&own(), Some(&with_version("new"))),
            Err(SchemaError::Older { found: 0, .. })
        ));
    }
}
