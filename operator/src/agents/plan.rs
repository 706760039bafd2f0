//! Who scans what: a pure state machine over claims. It does no I/O and reads no clock.
//!
//! An image is scanned by one node: one that still holds the result if there is one, else the least busy of those that
//! have the image, at random among equals. A claim whose node falls silent, disconnects or hands it back goes to
//! another; a scan that fails is tried again ever more rarely, and not for ever.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pratique_core::detector::{DETECTORS, VULNERABILITY};
use pratique_core::policy::Policy;
use pratique_core::rule_files::{Revisions, parse_rules_version};
use pratique_core::{Digest, ImageFacts};

use crate::index::{Index, NodeImage};

/// Images are not judged anew more often than this, whatever policies say.
const SHORTEST_REJUDGE: SignedDuration = SignedDuration::from_mins(10);

/// Facts with gaps are judged anew after this long: what was missing then may be there now, and an upgraded agent may read
/// what an older one could not. Layers that were read are not read again.
const INCOMPLETE_REJUDGE: SignedDuration = SignedDuration::from_hours(1);

/// Bounds of the planner.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Claims one node may hold at a time.
    pub per_node: usize,
    /// A claim that no pulse has named for this long is given to another node.
    pub quiet: Duration,
    /// A claim is void after this long, whatever its node says.
    pub longest: Duration,
    /// Wait after the first failure of an image; doubles with each further one.
    pub first_retry: Duration,
    /// Longest wait between two attempts.
    pub last_retry: Duration,
    /// Failures after which an image is left alone until this replica leads anew or a newer agent has the image.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_node: 2,
            quiet: Duration::from_secs(45),
            longest: Duration::from_secs(3600),
            first_retry: Duration::from_secs(30),
            last_retry: Duration::from_secs(3600),
            attempts: 10,
        }
    }
}

/// What is to be known of every image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Detectors by id, with the version of their rules that this operator knows.
    pub detectors: BTreeMap<String, u32>,
    /// Which of the user's files each of them is to go by.
    pub revisions: Revisions,
    /// Whether packages are listed too.
    pub inventory: bool,
    /// Facts older than this are judged anew.
    pub rejudge_after: Option<SignedDuration>,
}

impl Wanted {
    /// What these policies want together: all their detectors, and every image judged anew at half the age from
    /// which one of them calls it unscanned, so that none ever does while its agents are there.
    pub fn of(policies: &[Arc<Policy>], revisions: &Revisions) -> Self {
        let ids: BTreeSet<&str> =
            policies.iter().flat_map(|policy| policy.scan_detectors().iter().copied()).collect();
        let wanted = DETECTORS.iter().filter(|detector| ids.contains(detector.id));
        let youngest = policies.iter().map(|policy| policy.max_scan_age()).min();
        Self {
            detectors: wanted.map(|detector| (detector.id.to_owned(), detector.version)).collect(),
            revisions: revisions.clone(),
            inventory: true,
            rejudge_after: youngest.map(|age| (age / 2).max(SHORTEST_REJUDGE)),
        }
    }

    /// Whether the facts say all that is wanted. `listed`: whether the image's inventory is there.
    fn satisfied_by(&self, facts: &ImageFacts, listed: bool, wall: Timestamp) -> bool {
        let age = wall.duration_since(facts.judged_at);
        facts.error.is_none()
            && (listed || !self.inventory)
            && self.rejudge_after.is_none_or(|limit| age <= limit)
            && (is_complete(facts) || age <= INCOMPLETE_REJUDGE)
            && self.detectors.iter().all(|(id, version)| {
                facts.detectors.get(id).is_some_and(|ran| self.goes_by(id, *version, ran))
            })
    }

    /// Whether rules are as new as is wanted, and the user's own those that are in force.
    fn goes_by(&self, id: &str, version: u32, ran: &str) -> bool {
        let (known, revision) = parse_rules_version(ran);
        known >= version && revision == self.revisions.get(id).map(String::as_str)
    }

    /// Facts with those detectors alone that went by files of the user's, if there are any for them: for a policy the others
    /// did not run. With files that are older than those in force one did, until the image is scanned anew.
    pub(super) fn credited(&self, mut facts: ImageFacts) -> ImageFacts {
        facts
            .detectors
            .retain(|id, ran| !self.revisions.contains_key(id) || parse_rules_version(ran).1.is_some());
        facts
    }

    /// Whether a node's agent still holds a result that says all that is wanted.
    fn held_by(&self, image: &NodeImage) -> bool {
        self.detectors.iter().all(|(id, version)| {
            image.detectors_done.iter().any(|done| {
                done.split_once('@')
                    .is_some_and(|(known, ran)| known == id && self.goes_by(id, *version, ran))
            })
        })
    }
}

/// Whether no agent has missed anything. What advisories do not cover no agent can add.
fn is_complete(facts: &ImageFacts) -> bool {
    facts.gaps.iter().all(|gap| gap.detector.as_deref() == Some(VULNERABILITY.id))
}

/// A scan given to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// Its node.
    pub node: String,
    /// The image (config digest).
    pub image: Digest,
    /// Detectors to run.
    pub detectors: BTreeSet<String>,
}

/// What the planner wants said to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Give this node this claim.
    Assign {
        /// The claim's id.
        id: String,
        /// What it is.
        claim: Claim,
    },
    /// Tell this node that the claim is void.
    Withdraw {
        /// The claim's id.
        id: String,
        /// Its node.
        node: String,
    },
}

/// Detectors with their versions, and the user's files that they go by.
type Rules = Arc<(BTreeMap<String, u32>, Revisions)>;

#[derive(Debug)]
struct Open {
    claim: Claim,
    /// The rules when it was given.
    rules: Rules,
    assigned: Instant,
    heard: Instant,
}

#[derive(Debug, Default)]
struct History {
    failures: u32,
    not_before: Option<Instant>,
    /// Nodes that handed the image back, and until when they are passed over.
    avoid: HashMap<String, Instant>,
    /// Rule sets of agents whose result did not satisfy what is wanted: asking them again would change nothing.
    insufficient: HashSet<String>,
}

/// The planner. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Planner {
    limits: Limits,
    agents: BTreeMap<String, String>,
    claims: HashMap<String, Open>,
    claimed: HashMap<Digest, String>,
    history: HashMap<Digest, History>,
    rule_sets: HashSet<String>,
    rules: Rules,
    next: u64,
    epoch: u64,
}

impl Planner {
    /// A planner without agents.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// A reign begins: claims and failures of an earlier one are forgotten; agents that have connected stay. `epoch`
    /// makes the ids of claims differ from those of every other reign.
    pub(super) fn begin(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.claims.clear();
        self.claimed.clear();
        self.history.clear();
    }

    /// A node's agent connected; claims of its earlier connection are void.
    pub(super) fn connect(&mut self, node: &str, rule_set: &str) {
        self.disconnect(node);
        if self.rule_sets.insert(rule_set.to_owned()) {
            // Another release may succeed where the known ones gave up.
            for history in self.history.values_mut() {
                history.failures = 0;
            }
        }
        self.agents.insert(node.to_owned(), rule_set.to_owned());
    }

    /// A node's agent is gone; its claims are free again.
    pub(super) fn disconnect(&mut self, node: &str) {
        self.agents.remove(node);
        let lost: Vec<String> = self
            .claims
            .iter()
            .filter(|(_, open)| open.claim.node == node)
            .map(|(id, _)| id.clone())
            .collect();
        for id in lost {
            self.release(&id);
        }
    }

    /// A node is alive and works on these claims.
    pub(super) fn pulse<'a>(&mut self, node: &str, claims: impl IntoIterator<Item = &'a str>, now: Instant) {
        for id in claims {
            if let Some(open) = self.claims.get_mut(id).filter(|open| open.claim.node == node) {
                open.heard = now;
            }
        }
    }

    /// The claim, if this node holds it.
    pub(super) fn claim(&self, id: &str, node: &str) -> Option<&Claim> {
        self.claims.get(id).map(|open| &open.claim).filter(|claim| claim.node == node)
    }

    /// A scan ended with usable facts, and an inventory if `listed`. `wanted` is what they should have said.
    pub(super) fn succeeded(&mut self, id: &str, facts: &ImageFacts, listed: bool, wanted: &Wanted) {
        let Some(Open { claim, rules, .. }) = self.release(id) else { return };
        if wanted.satisfied_by(facts, listed, facts.judged_at) {
            self.history.remove(&claim.image);
        } else if (&rules.0, &rules.1) == (&wanted.detectors, &wanted.revisions)
            && let Some(rule_set) = self.agents.get(&claim.node)
        {
            // What was asked for before the rules changed says nothing of what the agent can do.
            self.history.entry(claim.image).or_default().insufficient.insert(rule_set.clone());
        }
    }

    /// A scan ended without usable facts. Returns how often the image has failed by now.
    pub(super) fn failed(&mut self, id: &str, now: Instant) -> u32 {
        let Some(Open { claim, .. }) = self.release(id) else { return 0 };
        let history = self.history.entry(claim.image).or_default();
        let doubled = 1u32.checked_shl(history.failures).unwrap_or(u32::MAX);
        let wait = self.limits.first_retry.saturating_mul(doubled).min(self.limits.last_retry);
        history.failures += 1;
        history.not_before = Some(now + wait);
        history.failures
    }

    /// A node will not do a claim; it is passed over for this image for a while, unless the rules have changed meanwhile.
    pub(super) fn handed_back(&mut self, id: &str, node: &str, now: Instant) {
        if self.claim(id, node).is_some()
            && let Some(Open { claim, rules, .. }) = self.release(id)
            && rules == self.rules
        {
            let until = now + self.limits.first_retry;
            self.history.entry(claim.image).or_default().avoid.insert(node.to_owned(), until);
        }
    }

    /// An assignment could not be delivered.
    pub(super) fn undelivered(&mut self, id: &str) {
        self.release(id);
    }

    /// How many scans are under way.
    pub(super) fn open(&self) -> usize {
        self.claims.len()
    }

    /// What to say to whom now, and how many images wait for a free node. `pick` answers a number below its argument.
    pub(super) fn plan(
        &mut self,
        index: &Index,
        wanted: &Wanted,
        (now, wall): (Instant, Timestamp),
        pick: &mut dyn FnMut(usize) -> usize,
    ) -> (Vec<Step>, usize) {
        let mut steps = self.expire(now);
        self.history.retain(|image, _| index.nodes().holds(image));
        let (detectors, revisions) = &*self.rules;
        if (detectors, revisions) != (&wanted.detectors, &wanted.revisions) {
            self.rules = Arc::new((wanted.detectors.clone(), wanted.revisions.clone()));
            for history in self.history.values_mut() {
                history.insufficient.clear();
            }
        }
        if wanted.detectors.is_empty() {
            return (steps, 0);
        }
        let mut busy: HashMap<String, usize> = HashMap::new();
        for open in self.claims.values() {
            *busy.entry(open.claim.node.clone()).or_default() += 1;
        }
        let mut waiting = 0;
        for (image, holders) in index.nodes().images() {
            if self.claimed.contains_key(image) || !self.due(index, image, wanted, (now, wall)) {
                continue;
            }
            let mut able: Vec<&str> =
                holders.iter().map(String::as_str).filter(|node| self.may_scan(image, node, now)).collect();
            if able.is_empty() {
                continue;
            }
            // Whoever still holds the result sends it without reading anything: it is waited for, however busy it is.
            let holds = |node: &&str| {
                let known = index.nodes().get(node).and_then(|images| images.get(image));
                known.is_some_and(|image| wanted.held_by(image))
            };
            if able.iter().any(holds) {
                able.retain(holds);
            }
            let load = |node: &str| busy.get(node).copied().unwrap_or(0);
            able.retain(|node| load(node) < self.limits.per_node);
            let least = able.iter().map(|node| load(node)).min();
            let mut best: Vec<&str> = able.into_iter().filter(|node| Some(load(node)) == least).collect();
            if best.is_empty() {
                waiting += 1;
                continue;
            }
            best.sort_unstable();
            let node = best[pick(best.len()).min(best.len() - 1)].to_owned();
            *busy.entry(node.clone()).or_default() += 1;
            let detectors = wanted.detectors.keys().cloned().collect();
            steps.push(self.open_claim(Claim { node, image: image.clone(), detectors }, now));
        }
        (steps, waiting)
    }

    fn due(&self, index: &Index, image: &Digest, wanted: &Wanted, (now, wall): (Instant, Timestamp)) -> bool {
        let history = self.history.get(image);
        if history
            .is_some_and(|h| h.failures >= self.limits.attempts || h.not_before.is_some_and(|at| at > now))
        {
            return false;
        }
        index
            .facts()
            .get(image)
            .is_none_or(|facts| !wanted.satisfied_by(facts, index.has_inventory(image), wall))
    }

    fn may_scan(&self, image: &Digest, node: &str, now: Instant) -> bool {
        let Some(rule_set) = self.agents.get(node) else { return false };
        self.history.get(image).is_none_or(|history| {
            !history.insufficient.contains(rule_set)
                && history.avoid.get(node).is_none_or(|until| *until <= now)
        })
    }

    fn open_claim(&mut self, claim: Claim, now: Instant) -> Step {
        let id = format!("{:x}-{:x}", self.epoch, self.next);
        self.next += 1;
        self.claimed.insert(claim.image.clone(), id.clone());
        let rules = self.rules.clone();
        self.claims.insert(id.clone(), Open { claim: claim.clone(), rules, assigned: now, heard: now });
        Step::Assign { id, claim }
    }

    /// Frees claims that are quiet or too old; their nodes are passed over for the image for a while.
    fn expire(&mut self, now: Instant) -> Vec<Step> {
        let Limits { quiet, longest, .. } = self.limits;
        let lost: Vec<String> = self
            .claims
            .iter()
            .filter(|(_, open)| {
                now.saturating_duration_since(open.heard) > quiet
                    || now.saturating_duration_since(open.assigned) > longest
            })
            .map(|(id, _)| id.clone())
            .collect();
        let mut steps = Vec::new();
        for id in lost {
            if let Some(Open { claim, .. }) = self.release(&id) {
                let until = now + quiet;
                self.history.entry(claim.image).or_default().avoid.insert(claim.node.clone(), until);
                steps.push(Step::Withdraw { id, node: claim.node });
            }
        }
        steps
    }

    fn release(&mut self, id: &str) -> Option<Open> {
        let open = self.claims.remove(id)?;
        self.claimed.remove(&open.claim.image);
        Some(open)
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
