//! Files that users write: ignore files, policies, and rules of each kind.
#![no_main]

#[path = "../../../cli/src/ignore.rs"]
mod ignore;

use std::collections::BTreeMap;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use pratique_core::policy::{Policy, contradictions};
use pratique_core::{Category, Finding, RuleFile, RuleFiles, RuleKind, Severity};
use pratique_crds::ScanPolicy;
use pratique_detect::UserRules;
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
    for kind in RuleKind::ALL {
        let file = RuleFile { kind, name: "file".to_owned(), content: text.as_bytes().to_vec() };
        let Ok(files) = RuleFiles::new(vec![file]) else { continue };
        if let Err(error) = UserRules::read(&files) {
            assert_eq!(error.file, format!("{}/file", kind.id()));
            // Where it is no line's, it is a rule's, which is named.
            let is_placed = ["line ", "rule "].iter().any(|place| error.reason.starts_with(place));
            assert!(kind != RuleKind::Yara || is_placed, "{}", error.reason);
        }
    }
    for document in serde_yaml::Deserializer::from_str(text) {
        let Ok(Some(object)) = Option::<ScanPolicy>::deserialize(document) else { return };
        let Ok(spec) = object.to_policy() else { continue };
        let _ = contradictions(&spec, now);
        let _ = Policy::compile(&spec);
    }
});
