//! What an image was built on, compared with the bases that somebody vouches for.

use std::collections::BTreeMap;

use pratique_core::detector::described;
use pratique_core::lineage::{BASE_DIGEST, BASE_NAME, KnownBase};
use pratique_core::{DetectorInfo, Digest, Finding, Severity};

use crate::signs::word;
use crate::{Detector, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome, Rule};

/// The detector `base-image`.
pub(super) static DETECTOR: BaseImage = BaseImage;

/// See the module.
pub(super) struct BaseImage;

const INFO: &DetectorInfo = described("base-image");

const RULES: &[Rule] = &[
    Rule {
        id: "poisoned-base",
        severity: "High to Critical",
        reference: "ATT&CK T1525, T1195.002",
        what: "images that are called like a base that you vouch for, say that they were built on it, or were built on a known image of that name, and have a layer where the genuine one has another; critical if they name the genuine digest",
        why: "whoever brings another image under the name of a base is in every image that is built on it",
        remedy: "build on the base by its digest, and look at the layer that the finding names; if the tag has moved, vouch for the new one too",
    },
    Rule {
        id: "other-base",
        severity: "Low",
        reference: "CIS Docker 4.2",
        what: "images that say that they were built on a base that was named for comparison, and have other layers than it has now",
        why: "they were built on an older one, and lack what has been mended since, or on something else",
        remedy: "build the image anew",
    },
];

impl Detector for BaseImage {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        &[]
    }

    fn rules(&self) -> &'static [Rule] {
        RULES
    }

    fn inspect(&self, _file: &FileInput<'_>) -> FileReport {
        FileReport::default()
    }

    fn judge(&self, image: &ImageInput<'_>, _facts: &[LocatedFact]) -> Outcome {
        let mut findings: Vec<Finding> =
            claims(image).iter().filter_map(|claim| claim.judge(image.bases)).collect();
        findings.sort();
        findings.dedup();
        Outcome { findings, ..Outcome::default() }
    }
}

/// That layers are those of a name.
struct Claim<'a> {
    name: &'a str,
    /// All that are said to be of that name; of an image that was built on it also what lies above.
    layers: &'a [Digest],
    by: By<'a>,
}

#[derive(Clone, Copy)]
enum By<'a> {
    /// The image is called so itself.
    Itself,
    /// A known image of this name is the image's base.
    Base,
    /// The image's annotation says that it was built on it, perhaps with its manifest's digest.
    Annotation(Option<&'a str>),
}

fn claims<'a>(image: &ImageInput<'a>) -> Vec<Claim<'a>> {
    let layers = image.layers;
    let own = image.names.iter().map(|name| Claim { name, layers, by: By::Itself });
    let bases = image.bases.iter().filter(|base| !base.genuine && base.is_base_of(layers));
    let bases = bases.map(|base| Claim { name: &base.name, layers: &base.layers, by: By::Base });
    let annotation = image.config.and_then(|config| {
        let name = config.labels.get(BASE_NAME)?;
        let digest = config.labels.get(BASE_DIGEST).map(String::as_str);
        Some(Claim { name, layers, by: By::Annotation(digest) })
    });
    own.chain(bases).chain(annotation).filter(|claim| !claim.layers.is_empty()).collect()
}

impl Claim<'_> {
    fn judge(&self, bases: &[KnownBase]) -> Option<Finding> {
        let of_name = || bases.iter().filter(|base| base.is_called(self.name));
        let is_it = |base: &KnownBase| match self.by {
            By::Itself | By::Base => base.layers == self.layers,
            By::Annotation(_) => base.is_base_of(self.layers),
        };
        if of_name().any(|base| base.genuine) {
            let genuine: Vec<&KnownBase> = of_name().filter(|base| base.genuine).collect();
            return (!genuine.iter().any(|base| is_it(base))).then(|| self.poisoned(&genuine));
        }
        let is_other =
            matches!(self.by, By::Annotation(_)) && of_name().next().is_some() && !of_name().any(is_it);
        is_other.then(|| {
            let what =
                format!("it says that it was built on {}, which has other layers now", word(self.name));
            self.finding("other-base", Severity::Low, what, None)
        })
    }

    fn poisoned(&self, genuine: &[&KnownBase]) -> Finding {
        let shared = |base: &&KnownBase| {
            base.layers.iter().zip(self.layers).take_while(|(genuine, own)| genuine == own).count()
        };
        let shared = genuine.iter().map(shared).max().unwrap_or(0);
        let names_digest = match self.by {
            By::Annotation(Some(digest)) => {
                genuine.iter().any(|base| base.digests.iter().any(|own| own.as_str() == digest))
            }
            _ => false,
        };
        let name = word(self.name);
        let who = match self.by {
            By::Itself => format!("it is called {name} and is not the genuine one"),
            By::Base => format!("it was built on an image called {name} that is not the genuine one"),
            By::Annotation(_) if names_digest => {
                format!("it says that it was built on {name} by its genuine digest, and was not")
            }
            By::Annotation(_) => format!("it says that it was built on {name}, and not on a genuine one"),
        };
        let severity = if names_digest { Severity::Critical } else { Severity::High };
        let layer = self.layers.get(shared);
        let what = match layer {
            Some(layer) => {
                format!(
                    "{who}: its layer {} ({}:{}…) is another",
                    shared + 1,
                    layer.algorithm(),
                    layer.short()
                )
            }
            None => format!("{who}: it ends after layer {shared}"),
        };
        self.finding("poisoned-base", severity, what, layer.cloned())
    }

    fn finding(&self, rule: &str, severity: Severity, what: String, layer: Option<Digest>) -> Finding {
        Finding {
            layer,
            attributes: BTreeMap::from([("base".to_owned(), word(self.name))]),
            ..INFO.finding(rule, severity, what)
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn golden_cases() {
        crate::golden::check(&super::DETECTOR);
    }
}
