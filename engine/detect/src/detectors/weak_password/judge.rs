//! From the facts of all files together to findings and gaps.

use pratique_core::{DetectorInfo, Gap, GapKind};

use super::{
    Noted,
    attempt::{self, Tried, Verdict},
    environment, linux, services,
};
use crate::bounded::Findings;
use crate::{ImageInput, LocatedFact, Outcome};

/// Accounts of one image that are judged, those of all its files together.
const MAX_ACCOUNTS: usize = 100_000;
/// Accounts of one image of which each is told that it was not judged.
const MAX_GAPS: usize = 1_000;

/// See [`crate::Detector::judge`].
pub(super) fn judge(info: &DetectorInfo, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut accounts, mut logins) = (Vec::new(), Vec::new());
    let mut room = MAX_ACCOUNTS;
    for located in facts {
        let mut gap = |kind, reason: String| {
            let (path, layer) = (Some(located.path.clone()), located.layer.clone());
            outcome.gaps.push(Gap { path, layer, ..info.gap(kind, reason) });
        };
        match serde_json::from_slice::<Noted>(&located.fact.0) {
            Ok(noted) if noted.accounts() > room => {
                let reason =
                    format!("the image has more than {MAX_ACCOUNTS} accounts; this file's were not judged");
                gap(GapKind::Limit, reason);
            }
            Ok(noted) => {
                room -= noted.accounts();
                match noted {
                    Noted::Linux(noted) => accounts.push((located, noted)),
                    Noted::Service(noted) => logins.push((located, noted)),
                }
            }
            Err(error) => {
                let reason = format!("what was noted of it cannot be read: {error}; scan the layer again");
                gap(GapKind::Malformed, reason);
            }
        }
    }
    accounts.sort_by(|a, b| a.0.path.cmp(&b.0.path));

    let mut suspects = linux::suspects(&accounts);
    suspects.extend(logins.iter().flat_map(|(located, noted)| services::suspects(located, noted)));
    suspects.extend(environment::suspects(image.config));
    let Tried { verdicts, guessing } = attempt::try_all(image, &suspects);
    outcome.guessing = guessing;
    let (mut findings, mut unknown) = (Findings::default(), 0_usize);
    for suspect in &suspects {
        match suspect.stored().map(|stored| &verdicts[stored]) {
            None => findings.push(suspect.finding(info, None)),
            Some(Verdict::Guessed(scheme, guess)) => {
                findings.push(suspect.finding(info, Some((*scheme, guess))));
            }
            Some(Verdict::Withstood) => {}
            Some(Verdict::Unknown(kind, reason)) => {
                unknown += 1;
                if unknown <= MAX_GAPS {
                    outcome.gaps.push(suspect.gap(info, *kind, reason));
                }
            }
        }
    }
    if unknown > MAX_GAPS {
        let reason = format!("{} more passwords were not judged", unknown - MAX_GAPS);
        outcome.gaps.push(info.gap(GapKind::Limit, reason));
    }
    findings.finish(info, &mut outcome);
    outcome.gaps.sort();
    outcome
}
