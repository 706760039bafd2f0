//! Rules on what an image is.

use jiff::{SignedDuration, Timestamp};

use crate::ImageFacts;
use crate::policy::{ContainerKind, ImageRule, InvalidPolicy, RunAs};
use crate::reference::{PatternSet, Reference};

/// [`ImageRule`], compiled.
#[derive(Debug, Clone)]
pub(in crate::policy) struct CompiledImageRule {
    repositories: Option<PatternSet>,
    runs_as_root: bool,
    max_age: Option<SignedDuration>,
}

/// Why the rule holds, and since when it has had reason to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Cause {
    pub(in crate::policy) reason: String,
    pub(in crate::policy) since: Option<Timestamp>,
}

impl CompiledImageRule {
    pub(in crate::policy) fn new(rule: &ImageRule, field: &str) -> Result<Self, InvalidPolicy> {
        if rule.repositories_not_in.is_empty() && !rule.runs_as_root && rule.max_age.is_none() {
            return Err(InvalidPolicy::new(
                field,
                "set at least one of repositoriesNotIn, runsAsRoot and maxAge",
            ));
        }
        if rule.max_age.is_some_and(|age| age <= SignedDuration::ZERO) {
            return Err(InvalidPolicy::new(format!("{field}.maxAge"), "it must be longer than nothing"));
        }
        let repositories = PatternSet::new(&rule.repositories_not_in)
            .map_err(|error| InvalidPolicy::new(format!("{field}.repositoriesNotIn"), error))?;
        Ok(Self {
            repositories: (!repositories.is_empty()).then_some(repositories),
            runs_as_root: rule.runs_as_root,
            max_age: rule.max_age,
        })
    }

    /// Tests what can be told without knowing the image. A reference that could not be read is in no repository.
    pub(in crate::policy) fn test_reference(&self, reference: Option<&Reference>) -> Option<Cause> {
        let outside = self
            .repositories
            .as_ref()
            .is_some_and(|allowed| !reference.is_some_and(|reference| allowed.matches(reference)));
        outside.then(|| Cause { reason: "its repository is not an allowed one".to_owned(), since: None })
    }

    /// Tests whether the security context alone makes a container of an unknown image run as root.
    pub(in crate::policy) fn test_user(&self, kind: ContainerKind, run_as: RunAs) -> Option<Cause> {
        let as_root =
            self.runs_as_root && kind != ContainerKind::Volume && run_as.user == Some(0) && !run_as.non_root;
        as_root.then(|| Cause { reason: "its security context sets user 0 (root)".to_owned(), since: None })
    }

    /// Tests what the image itself says.
    pub(in crate::policy) fn test_facts(
        &self,
        facts: &ImageFacts,
        kind: ContainerKind,
        run_as: RunAs,
        now: Timestamp,
    ) -> impl Iterator<Item = Cause> {
        let image_decides = run_as.user.is_none() && !run_as.non_root && kind != ContainerKind::Volume;
        let as_root = self.runs_as_root && image_decides && facts.runs_as_root();
        let root = as_root.then(|| Cause { reason: "its image runs as root".to_owned(), since: None });
        let age = self.max_age.and_then(|max_age| too_old(facts.created, max_age, now));
        // The scan that failed may have failed before it read the image's configuration.
        let is_known = facts.error.is_none();
        root.into_iter().chain(age).filter(move |_| is_known)
    }
}

fn too_old(created: Option<Timestamp>, max_age: SignedDuration, now: Timestamp) -> Option<Cause> {
    let Some(created) = created else {
        return Some(Cause { reason: "its image does not say when it was built".to_owned(), since: None });
    };
    (now.duration_since(created) > max_age).then(|| Cause {
        reason: format!("its image was built on {}, more than {max_age:#} ago", created.strftime("%Y-%m-%d")),
        since: created.checked_add(max_age).ok(),
    })
}
