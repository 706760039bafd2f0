//! Findings of one detector, however many files there are.

use pratique_core::{DetectorInfo, Finding, GapKind};

use crate::Outcome;

/// Findings of one image that a detector tells.
pub(crate) const MAX_FINDINGS: usize = 10_000;

/// Takes in any number of findings and keeps the worst, each once, in the memory of twice as many as are told.
#[derive(Default)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    more: usize,
}

impl Findings {
    pub(crate) fn push(&mut self, finding: Finding) {
        self.kept.push(finding);
        if self.kept.len() == 2 * MAX_FINDINGS {
            self.keep_the_worst();
        }
    }

    fn keep_the_worst(&mut self) {
        self.kept.sort_unstable_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
        self.kept.dedup();
        self.more += self.kept.len().saturating_sub(MAX_FINDINGS);
        self.kept.truncate(MAX_FINDINGS);
    }

    /// Adds them to an outcome, sorted; that there were more is a gap.
    pub(crate) fn finish(mut self, info: &DetectorInfo, outcome: &mut Outcome) {
        self.keep_the_worst();
        if self.more > 0 {
            let reason = format!(
                "{} more findings are not listed, none worse than those that are (limit: {MAX_FINDINGS})",
                self.more
            );
            outcome.gaps.push(info.gap(GapKind::Limit, reason));
        }
        outcome.findings.append(&mut self.kept);
        outcome.findings.sort_unstable();
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

/// Judges this fact in a hundred thousand files of `folder`, and last in the worst place: that one is told, and how many are
/// not.
#[cfg(test)]
pub(crate) fn assert_bounded(detector: &dyn crate::Detector, fact: &crate::Fact, folder: &str, worst: &str) {
    let located =
        |path: String| crate::LocatedFact { path, layer: None, removed_by: None, fact: fact.clone() };
    let paths = (0..100_000).map(|n| format!("{folder}/{n}")).chain([worst.to_owned()]);
    let facts: Vec<_> = paths.map(located).collect();
    let outcome = detector.judge(&crate::ImageInput::default(), &facts);
    assert_eq!(outcome.findings.len(), MAX_FINDINGS);
    assert!(outcome.findings.iter().any(|finding| finding.path.as_deref() == Some(worst)));
    let [gap] = outcome.gaps.as_slice() else { panic!("{:?}", outcome.gaps) };
    assert!(gap.kind == GapKind::Limit && gap.reason.starts_with("90001 more findings"), "{gap:?}");
}

#[cfg(test)]
mod tests {
    use pratique_core::Severity;
    use pratique_core::detector::described;

    use super::*;

    #[test]
    fn the_worst_are_kept_whenever_they_come_and_what_is_told_twice_is_one() {
        let info = described("backdoor");
        let finding = |severity, number: usize| Finding {
            path: Some(format!("/etc/cron.d/{number}")),
            ..info.finding("cron-job", severity, "a job")
        };
        let mut findings = Findings::default();
        findings.push(finding(Severity::High, 0));
        findings.extend((0..100_000).map(|number| finding(Severity::Low, number)));
        findings.push(finding(Severity::Critical, 0));
        let mut outcome = Outcome::default();
        findings.finish(info, &mut outcome);
        assert_eq!(outcome.findings.len(), MAX_FINDINGS);
        assert!(outcome.findings.is_sorted());
        for severity in [Severity::High, Severity::Critical] {
            assert_eq!(outcome.findings.iter().filter(|one| one.severity == severity).count(), 1);
        }
        let [gap] = outcome.gaps.as_slice() else { panic!("{:?}", outcome.gaps) };
        assert!(gap.kind == GapKind::Limit && gap.reason.starts_with("90002 more findings"), "{gap:?}");

        let mut same = Findings::default();
        same.extend((0..100_000).map(|_| finding(Severity::Low, 1)));
        let mut outcome = Outcome::default();
        same.finish(info, &mut outcome);
        assert_eq!((outcome.findings.len(), outcome.gaps.len()), (1, 0));
    }
}
