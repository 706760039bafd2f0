//! Actions and workflows of GitHub that a repository's workflows and composite actions take their steps from
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>).
//!
//! They run where the repository is built, not in an image; what is declared is a tag, a branch or a commit. Steps of the
//! repository itself and container images are no packages.

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use crate::formats::{self, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: GithubActions = GithubActions;

pub(super) struct GithubActions;

/// A workflow has jobs, a composite action what it runs.
#[derive(Deserialize)]
struct File<'a> {
    #[serde(default, borrow)]
    jobs: BTreeMap<String, Job<'a>>,
    #[serde(default, borrow)]
    runs: Steps<'a>,
}

#[derive(Deserialize)]
struct Job<'a> {
    #[serde(default, borrow)]
    uses: Text<'a>,
    #[serde(flatten, borrow)]
    own: Steps<'a>,
}

#[derive(Deserialize, Default)]
struct Steps<'a> {
    #[serde(default, borrow)]
    steps: Vec<Step<'a>>,
}

#[derive(Deserialize)]
struct Step<'a> {
    #[serde(default, borrow)]
    uses: Text<'a>,
}

impl Parser for GithubActions {
    fn id(&self) -> &'static str {
        "github-actions"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/.github/workflows/*.{yml,yaml}", "**/action.{yml,yaml}"], 1 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if !formats::has_mark(file, &["uses:"]) {
            return Parsed::default();
        }
        let read: File<'_> = match formats::yaml(file) {
            Ok(read) => read,
            Err(problem) => return problem,
        };
        let steps = read.jobs.values().flat_map(|job| &job.own.steps).chain(&read.runs.steps);
        let used = read.jobs.values().map(|job| &job.uses).chain(steps.map(|step| &step.uses));
        // Steps of many jobs use the same.
        let packages: BTreeSet<Package> = used.filter_map(|used| package(used.get()?)).collect();
        Parsed { records: packages.into_iter().map(Record::from).collect(), problems: Vec::new() }
    }
}

/// `owner/repository/path@reference`.
fn package(used: &str) -> Option<Package> {
    let (action, reference) = used.split_once('@')?;
    if action.starts_with('.') || action.contains("://") || used.contains("${{") {
        return None;
    }
    let mut parts = action.splitn(3, '/');
    let (owner, repository, path) = (parts.next()?, parts.next()?, parts.next());
    if owner.is_empty() || repository.is_empty() || reference.is_empty() {
        return None;
    }
    let mut package = Package::new(Ecosystem::GitHubActions, format!("{owner}/{repository}"), reference);
    package.evidence = Evidence::Declared;
    package.attributes.extend(path.map(|path| ("path".to_owned(), path.to_owned())));
    Some(package)
}
