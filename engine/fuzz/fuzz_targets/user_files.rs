//! Files that users write: ignore files, policies and rules for secrets.
#![no_main]

#[path = "../../../cli/src/ignore.rs"]
mod ignore;

use std::collections::BTreeMap;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use pratique_core::policy::{Policy, contradictions};
use pratique_core::{Category, Finding, Severity};
use pratique_crds::ScanPolicy;
use pratique_detect::SecretRules;
use serde::Deserialize;

fuzz_target!(|text: &str| {
    let now = Timestamp::UNIX_EPOCH;
    let finding = Finding {
        detector: "secret".to_owned(),
        rule: "key".to_owned(),
        category: Category::Secret,
        severity: Severity::High,
        path: Some("/a/b".to_owned()),
        layer: None,
        message: String::new(),
        attributes: BTreeMap::new(),
    };
    for entry in ignore::parse(text.as_bytes(), "file").unwrap_or_default() {
        let _ = (entry.holds(&finding), entry.holds_at(now), entry.by());
        assert!(!entry.reason().trim().is_empty());
    }
    let _ = SecretRules::default().add("file", &mut text.as_bytes());
    for document in serde_yaml::Deserializer::from_str(text) {
        let Ok(Some(object)) = Option::<ScanPolicy>::deserialize(document) else { return };
        let Ok(spec) = object.to_policy() else { continue };
        let _ = contradictions(&spec, now);
        let _ = Policy::compile(&spec);
    }
});
