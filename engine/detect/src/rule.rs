//! What a rule's page says.

/// One rule of a detector, for people: `docs/detectors.md` is written from these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its id, as findings have it.
    pub id: &'static str,
    /// How bad its findings can be, such as `Low to High`.
    pub severity: &'static str,
    /// Its number in MITRE ATT&CK, CWE or a benchmark.
    pub reference: &'static str,
    /// What it finds.
    pub what: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}
