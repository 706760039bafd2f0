//! From the facts of all files together to findings and gaps.

use pratique_core::{DetectorInfo, Gap, GapKind};

use super::{
    Noted,
    attempt::{self, Tried, Verdict},
    environment, linux, services,
};
use crate::{ImageInput, LocatedFact, Outcome};

/// See [`crate::Detector::judge`].
pub(super) fn judge(info: &DetectorInfo, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut accounts, mut logins) = (Vec::new(), Vec::new());
    for located in facts {
        match serde_json::from_slice(&located.fact.0) {
            Ok(Noted::Linux(noted)) => accounts.push((located, noted)),
            Ok(Noted::Service(noted)) => logins.push((located, noted)),
            Err(error) => outcome.gaps.push(Gap {
                kind: GapKind::Malformed,
                detector: Some(info.id.into()),
                path: Some(located.path.clone()),
                layer: located.layer.clone(),
                reason: format!("what was noted of it cannot be read: {error}; scan the layer again"),
            }),
        }
    }
    accounts.sort_by(|a, b| a.0.path.cmp(&b.0.path));

    let mut suspects = linux::suspects(&accounts);
    suspects.extend(logins.iter().flat_map(|(located, noted)| services::suspects(located, noted)));
    suspects.extend(environment::suspects(image.config));
    let Tried { verdicts, guessing } = attempt::try_all(image, &suspects);
    outcome.guessing = guessing;
    for suspect in &suspects {
        match suspect.stored().map(|stored| &verdicts[stored]) {
            None => outcome.findings.push(suspect.finding(info, None)),
            Some(Verdict::Guessed(scheme, guess)) => {
                outcome.findings.push(suspect.finding(info, Some((*scheme, guess))));
            }
            Some(Verdict::Withstood) => {}
            Some(Verdict::Unknown(kind, reason)) => outcome.gaps.push(suspect.gap(info, *kind, reason)),
        }
    }
    outcome.findings.sort();
    outcome.gaps.sort();
    outcome
}
