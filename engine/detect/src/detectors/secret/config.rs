//! Secrets in an image's config: whoever may pull the image reads it, and a step that unsets a variable takes nothing
//! back.

use std::sync::Arc;

use pratique_core::ImageConfig;

use super::notes::{Search, Secret};
use crate::SecretRules;
use crate::signs::word;

/// What a variable, a step of the build, and any other text is read as: a file of this name.
const VARIABLE: &str = ".env";
const STEP: &str = ".history";
const TEXT: &str = "";

/// Bytes of one value that are looked at.
const MAX_VALUE: usize = 1 << 20;

/// The secrets of a config, each with the words that say where it stands; and what was not looked at, and why.
pub(super) fn secrets(
    config: &ImageConfig,
    rules: Option<&Arc<SecretRules>>,
) -> (Vec<(String, Secret)>, Vec<String>) {
    let mut texts: Vec<(String, &str, &str)> = Vec::new();
    for variable in &config.env {
        let name = variable.split('=').next().unwrap_or_default();
        texts.push((format!("in the environment variable {}", word(name)), VARIABLE, variable));
    }
    for (name, label) in &config.labels {
        texts.push((format!("in the label {}", word(name)), TEXT, label));
    }
    for argument in config.entrypoint.iter().chain(&config.cmd) {
        texts.push(("in the image's command".to_owned(), TEXT, argument));
    }
    for (place, step) in config.history.iter().enumerate() {
        for text in [&step.created_by, &step.comment] {
            texts.push((format!("in step {} of the build history", place + 1), STEP, text));
        }
    }
    let (mut secrets, mut missed) = (Vec::new(), Vec::new());
    for (place, path, text) in texts {
        let bytes = &text.as_bytes()[..text.len().min(MAX_VALUE)];
        let (found, stopped) = Search::of(bytes, path, rules);
        secrets.extend(found.into_iter().map(|secret| (place.clone(), secret)));
        let cut = (bytes.len() < text.len()).then(|| format!("it has more than {MAX_VALUE} bytes"));
        missed.extend(stopped.or(cut).map(|reason| format!("{place}: {reason}")));
    }
    (secrets, missed)
}
