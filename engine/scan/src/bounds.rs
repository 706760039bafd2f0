//! Lists that hostile input cannot make grow without end.

use std::collections::BTreeSet;

use pratique_core::{Finding, Gap, GapKind};

/// Sorts findings, drops repetitions and keeps at most `limit`, the worst; what goes is told by a gap.
pub(crate) fn bound_findings(findings: &mut Vec<Finding>, gaps: &mut GapList, limit: usize) {
    findings.sort_unstable();
    findings.dedup();
    if findings.len() > limit {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let dropped = findings.split_off(limit);
        findings.sort_unstable();
        let more = dropped.len();
        for detector in dropped.into_iter().map(|finding| finding.detector).collect::<BTreeSet<_>>() {
            gaps.push(Gap {
                kind: GapKind::Limit,
                detector: Some(detector),
                path: None,
                layer: None,
                reason: format!(
                    "{more} more findings are not listed, none worse than those that are (limit: {limit})"
                ),
            });
        }
    }
}

/// Collects gaps while something is read, counting instead of keeping what is beyond the limit.
pub(crate) struct GapList {
    gaps: Vec<Gap>,
    limit: usize,
    dropped: u64,
}

impl GapList {
    /// An empty list for at most `limit` gaps.
    pub(crate) fn new(limit: usize) -> Self {
        Self { gaps: Vec::new(), limit, dropped: 0 }
    }

    /// Adds a gap.
    pub(crate) fn push(&mut self, gap: Gap) {
        if self.gaps.len() < self.limit {
            self.gaps.push(gap);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds gaps.
    pub(crate) fn extend(&mut self, gaps: impl IntoIterator<Item = Gap>) {
        gaps.into_iter().for_each(|gap| self.push(gap));
    }

    /// Adds all of another list.
    pub(crate) fn append(&mut self, other: Self) {
        self.extend(other.gaps);
        self.dropped += other.dropped;
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.gaps.is_empty() && self.dropped == 0
    }

    /// Sorted, each once, with one more that counts those dropped.
    pub(crate) fn finish(mut self) -> Vec<Gap> {
        if self.dropped > 0 {
            let Self { dropped, limit, .. } = self;
            self.gaps.push(Gap::of_image(
                GapKind::Limit,
                format!("{dropped} more gaps are not listed (limit: {limit})"),
            ));
        }
        self.gaps.sort_unstable();
        self.gaps.dedup();
        self.gaps
    }
}
