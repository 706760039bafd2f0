//! `--newer-base`: what another image below would do for the flaws of this one.

use std::path::Path;

use pratique_core::{Gap, GapKind};
use pratique_report::{Report, Vulnerabilities};
use pratique_vulns::matching::DETECTOR;
use pratique_vulns::newer_base::{Matched, compare};

use crate::args::Options;
use crate::commands::matching;
use crate::target::Settings;

/// The newer base, scanned once for all targets.
pub(crate) struct NewerBase(Report);

impl NewerBase {
    /// The one that the options name, if they name one: an SBOM, or whatever can be scanned.
    ///
    /// # Errors
    /// It cannot be had.
    pub(crate) fn of(options: &Options, settings: &Settings<'_>) -> anyhow::Result<Option<Self>> {
        let Some(source) = &options.newer_base else { return Ok(None) };
        // A file that is no SBOM may be an archive of an image.
        let sbom = Path::new(source).is_file().then(|| matching::report(source, settings).ok()).flatten();
        sbom.map_or_else(|| settings.scan(source), Ok).map(|report| Some(Self(report)))
    }

    /// Notes in a report what the newer base would do. Where that is not known, a gap says why.
    pub(crate) fn compare(&self, report: &mut Report) {
        let Self(base) = self;
        let outcome = match (&report.vulnerabilities, &base.vulnerabilities) {
            (Vulnerabilities::Matched(_), Vulnerabilities::Matched(_)) => {
                compare(matched(report), matched(base))
            }
            (Vulnerabilities::Matched(_), _) => {
                Err("its packages were matched with no advisories".to_owned())
            }
            _ => return,
        };
        match outcome {
            Ok(newer) => {
                let list = |flaws: std::collections::BTreeSet<String>| flaws.into_iter().collect();
                report.newer_base = Some(pratique_report::NewerBase {
                    reference: base.target.reference.clone(),
                    clears: list(newer.clears),
                    keeps: list(newer.keeps),
                    brings: list(newer.brings),
                });
            }
            Err(reason) => {
                let reason =
                    format!("whether the newer base {} helps is not known: {reason}", base.target.reference);
                let gap = Gap::of_image(GapKind::Unsupported, reason);
                report.gaps.push(Gap { detector: Some(DETECTOR.to_owned()), ..gap });
                report.gaps.sort();
            }
        }
    }
}

fn matched(report: &Report) -> Matched<'_> {
    Matched { inventory: &report.inventory, findings: &report.findings, gaps: &report.gaps }
}
