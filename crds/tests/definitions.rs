//! The generated definitions: in step with the types, bounded, described.

use std::path::Path;

use pratique_crds::generate::{definitions, files};
use serde_json::Value;

/// Folders that hold a copy.
const COPIES: [&str; 3] = ["yaml", "../charts/pratique/crds", "../deploy/manifests/crds"];

#[test]
fn the_yaml_in_the_tree_is_what_the_types_say() {
    for folder in COPIES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let generated = files().unwrap();
        for (name, yaml) in &generated {
            let path = folder.join(name);
            let kept =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(kept == *yaml, "{} is not what the types say; run `make crds`", path.display());
        }
        let kept = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(kept, generated.len(), "{} has files of kinds that are gone", folder.display());
    }
}

/// Calls `visit` for every schema below `schema` with its path.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&Value, &str)) {
    visit(schema, path);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), visit);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), visit);
    }
    if schema["additionalProperties"].is_object() {
        walk(&schema["additionalProperties"], &format!("{path}{{}}"), visit);
    }
}

fn walk_all(mut visit: impl FnMut(&Value, &str)) {
    for definition in definitions() {
        let kind = definition.spec.names.kind.clone();
        let value = serde_json::to_value(&definition).expect("it can be written");
        let schema = &value["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for part in ["spec", "status"] {
            walk(&schema["properties"][part], &format!("{kind}.{part}"), &mut visit);
        }
    }
}

#[test]
fn every_list_map_and_string_is_bounded() {
    let mut unbounded = Vec::new();
    walk_all(|schema, path| {
        // Kubernetes' own type, whose bounds are the API server's.
        if path.contains(".conditions[]") {
            return;
        }
        let is_bounded = match schema["type"].as_str() {
            Some("array") => schema["maxItems"].is_number(),
            Some("string") => {
                schema["maxLength"].is_number()
                    || schema["enum"].is_array()
                    || schema["format"] == "date-time"
            }
            Some("object") => schema["additionalProperties"].is_null() || schema["maxProperties"].is_number(),
            _ => true,
        };
        if !is_bounded {
            unbounded.push(path.to_owned());
        }
    });
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn every_field_is_described() {
    let mut silent = Vec::new();
    walk_all(|schema, path| {
        let is_field = !path.ends_with("[]") && !path.ends_with("{}");
        if is_field && schema["description"].as_str().unwrap_or_default().is_empty() {
            silent.push(path.to_owned());
        }
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn kinds_have_their_names_columns_and_status() {
    let said: Vec<String> = definitions()
        .iter()
        .map(|definition| {
            let names = &definition.spec.names;
            let version = &definition.spec.versions[0];
            assert_eq!(names.categories, Some(vec!["pratique".to_owned()]));
            assert!(version.subresources.as_ref().is_some_and(|sub| sub.status.is_some()));
            assert_eq!(definition.metadata.annotations.as_ref().unwrap()["pratique.dev/schema-version"], "4");
            let columns: Vec<&str> = version
                .additional_printer_columns
                .iter()
                .flatten()
                .map(|column| column.name.as_str())
                .collect();
            let short = names.short_names.clone().unwrap_or_default().join(",");
            format!("{} {short} {}: {}", definition.spec.scope, names.plural, columns.join(" "))
        })
        .collect();
    assert_eq!(
        said,
        [
            "Cluster scp scanpolicies: Enforcement Ready Matched Denied Unscanned Reason Age",
            "Cluster scr scanreports: Image Verdict Critical High Findings Policy Packages Nodes Scanned-By Digest Age",
            "Namespaced wlr workloadreports: Kind Workload Verdict Findings Age",
        ]
    );
}

#[test]
fn nothing_may_be_null() {
    walk_all(|schema, path| assert!(schema["nullable"].is_null(), "{path}"));
}
