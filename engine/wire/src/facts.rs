//! [`ImageFacts`] to and from the wire. What arrives is checked: a digest is a digest, a category is a known one.

use jiff::Timestamp;
use pratique_core::facts::Trust;
use pratique_core::license::{Licensed, Licenses};
use pratique_core::{Category, Digest, Finding, Gap, GapKind, ImageFacts, Platform, Severity, Suppressed};

use crate::facts_proto as proto;

/// Why a message is no facts.
#[derive(Debug, thiserror::Error)]
#[error("field `{field}` of the facts that arrived is wrong: {reason}")]
pub struct InvalidFacts {
    field: &'static str,
    reason: String,
}

fn invalid<E: ToString>(field: &'static str) -> impl Fn(E) -> InvalidFacts {
    move |reason| InvalidFacts { field, reason: reason.to_string() }
}

fn digest(field: &'static str, text: &str) -> Result<Digest, InvalidFacts> {
    text.parse().map_err(invalid(field))
}

fn digests(field: &'static str, texts: &[String]) -> Result<Vec<Digest>, InvalidFacts> {
    texts.iter().map(|text| digest(field, text)).collect()
}

fn layer(text: Option<String>) -> Result<Option<Digest>, InvalidFacts> {
    text.map(|text| digest("layer", &text)).transpose()
}

fn texts(digests: Vec<Digest>) -> Vec<String> {
    digests.into_iter().map(String::from).collect()
}

impl From<ImageFacts> for proto::ImageFacts {
    fn from(facts: ImageFacts) -> Self {
        Self {
            image: facts.image.into(),
            manifests: texts(facts.manifests),
            indexes: texts(facts.indexes),
            platform: Some(proto::Platform {
                os: facts.platform.os,
                architecture: facts.platform.architecture,
                variant: facts.platform.variant,
            }),
            created: facts.created.map(Timestamp::as_second),
            user: facts.user,
            layers: texts(facts.layers),
            detectors: facts.detectors.into_iter().collect(),
            licenses: facts.licenses.map(proto::Licenses::from),
            findings: facts.findings.into_iter().map(proto::Finding::from).collect(),
            gaps: facts.gaps.into_iter().map(proto::Gap::from).collect(),
            error: facts.error,
            judged_at: facts.judged_at.as_second(),
            scanned_by: facts.scanned_by,
            trust: facts.trust.as_str().to_owned(),
            suppressed: facts.suppressed.into_iter().map(proto::Suppressed::from).collect(),
            advisories: facts.advisories.map(Timestamp::as_second),
        }
    }
}

impl TryFrom<proto::ImageFacts> for ImageFacts {
    type Error = InvalidFacts;

    fn try_from(facts: proto::ImageFacts) -> Result<Self, Self::Error> {
        let platform = facts.platform.unwrap_or_default();
        Ok(Self {
            image: digest("image", &facts.image)?,
            manifests: digests("manifests", &facts.manifests)?,
            indexes: digests("indexes", &facts.indexes)?,
            platform: Platform {
                os: platform.os,
                architecture: platform.architecture,
                variant: platform.variant,
            },
            created: facts.created.map(Timestamp::from_second).transpose().map_err(invalid("created"))?,
            user: facts.user,
            layers: digests("layers", &facts.layers)?,
            detectors: facts.detectors.into_iter().collect(),
            licenses: facts.licenses.map(Licenses::from),
            findings: facts.findings.into_iter().map(Finding::try_from).collect::<Result<_, _>>()?,
            gaps: facts.gaps.into_iter().map(Gap::try_from).collect::<Result<_, _>>()?,
            suppressed: facts.suppressed.into_iter().map(Suppressed::try_from).collect::<Result<_, _>>()?,
            advisories: facts
                .advisories
                .map(Timestamp::from_second)
                .transpose()
                .map_err(invalid("advisories"))?,
            error: facts.error,
            judged_at: Timestamp::from_second(facts.judged_at).map_err(invalid("judged_at"))?,
            scanned_by: facts.scanned_by,
            trust: trust(&facts.trust)?,
        })
    }
}

fn trust(text: &str) -> Result<Trust, InvalidFacts> {
    let found = Trust::ALL.into_iter().find(|trust| trust.as_str() == text);
    found.ok_or_else(|| invalid("trust")(format!("`{text}` is none of Blobs, Folders and Unchecked")))
}

impl From<Licenses> for proto::Licenses {
    fn from(licenses: Licenses) -> Self {
        let license = |(text, licensed): (String, Licensed)| proto::License {
            text,
            packages: licensed.packages,
            example: licensed.example,
        };
        Self { licenses: licenses.0.into_iter().map(license).collect() }
    }
}

impl From<proto::Licenses> for Licenses {
    fn from(licenses: proto::Licenses) -> Self {
        let license =
            |one: proto::License| (one.text, Licensed { packages: one.packages, example: one.example });
        Self(licenses.licenses.into_iter().map(license).collect())
    }
}

impl From<Finding> for proto::Finding {
    fn from(finding: Finding) -> Self {
        Self {
            detector: finding.detector,
            rule: finding.rule,
            category: finding.category.as_str().to_owned(),
            severity: finding.severity.as_str().to_owned(),
            message: finding.message,
            path: finding.path,
            layer: finding.layer.map(String::from),
            attributes: finding.attributes.into_iter().collect(),
        }
    }
}

impl TryFrom<proto::Finding> for Finding {
    type Error = InvalidFacts;

    fn try_from(finding: proto::Finding) -> Result<Self, Self::Error> {
        Ok(Self {
            detector: finding.detector,
            rule: finding.rule,
            category: finding.category.parse::<Category>().map_err(invalid("category"))?,
            severity: finding.severity.parse::<Severity>().map_err(invalid("severity"))?,
            message: finding.message,
            path: finding.path,
            layer: layer(finding.layer)?,
            attributes: finding.attributes.into_iter().collect(),
        })
    }
}

impl From<Suppressed> for proto::Suppressed {
    fn from(suppressed: Suppressed) -> Self {
        let Suppressed { finding, by, reason } = suppressed;
        Self { finding: Some(finding.into()), by, reason }
    }
}

impl TryFrom<proto::Suppressed> for Suppressed {
    type Error = InvalidFacts;

    fn try_from(suppressed: proto::Suppressed) -> Result<Self, Self::Error> {
        let proto::Suppressed { finding, by, reason } = suppressed;
        let finding = finding.ok_or_else(|| invalid("suppressed")("it has no finding"))?;
        Ok(Self { finding: finding.try_into()?, by, reason })
    }
}

impl From<Gap> for proto::Gap {
    fn from(gap: Gap) -> Self {
        Self {
            kind: gap.kind.as_str().to_owned(),
            detector: gap.detector,
            path: gap.path,
            layer: gap.layer.map(String::from),
            reason: gap.reason,
        }
    }
}

impl TryFrom<proto::Gap> for Gap {
    type Error = InvalidFacts;

    fn try_from(gap: proto::Gap) -> Result<Self, Self::Error> {
        Ok(Self {
            kind: GapKind::ALL
                .into_iter()
                .find(|kind| kind.as_str() == gap.kind)
                .ok_or_else(|| invalid("kind")(format!("`{}` is no kind of gap", gap.kind)))?,
            detector: gap.detector,
            path: gap.path,
            layer: layer(gap.layer)?,
            reason: gap.reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ImageFacts {
        let digest = |byte: u8| Digest::sha256([byte; 32]);
        ImageFacts {
            image: digest(1),
            manifests: vec![digest(2)],
            indexes: vec![digest(3)],
            platform: Platform { os: "linux".into(), architecture: "arm".into(), variant: "v7".into() },
            created: Some(Timestamp::from_second(1_700_000_000).unwrap()),
            user: "app".into(),
            layers: vec![digest(4), digest(5)],
            detectors: [("weak-password".to_owned(), "1".to_owned())].into(),
            licenses: Some(Licenses(
                [("MIT".to_owned(), Licensed { packages: 2, example: "pkg:npm/a@1".to_owned() })].into(),
            )),
            findings: vec![Finding {
                detector: "weak-password".into(),
                rule: "linux-account".into(),
                category: Category::WeakPassword,
                severity: Severity::Critical,
                message: "account root has a weak password (r****)".into(),
                path: Some("/etc/shadow".into()),
                layer: Some(digest(5)),
                attributes: [("user".to_owned(), "root".to_owned())].into(),
            }],
            gaps: vec![Gap::of_layer(GapKind::Unreadable, digest(4), "gone")],
            suppressed: vec![Suppressed {
                finding: Finding {
                    detector: "vulnerability".into(),
                    rule: "package".into(),
                    category: Category::Vulnerability,
                    severity: Severity::High,
                    message: "CVE-2026-0001 in dash 1".into(),
                    path: None,
                    layer: None,
                    attributes: [("id".to_owned(), "CVE-2026-0001".to_owned())].into(),
                },
                by: "security@shop.example".into(),
                reason: "not reachable".into(),
            }],
            advisories: Some(Timestamp::from_second(1_799_000_000).unwrap()),
            error: None,
            judged_at: Timestamp::from_second(1_800_000_000).unwrap(),
            scanned_by: "node1".into(),
            trust: Trust::Folders,
        }
    }

    #[test]
    fn facts_survive_the_wire() {
        assert_eq!(ImageFacts::try_from(proto::ImageFacts::from(facts())).unwrap(), facts());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut wrong = proto::ImageFacts::from(facts());
        wrong.findings[0].severity = "Terrible".into();
        assert!(ImageFacts::try_from(wrong).unwrap_err().to_string().contains("`severity`"));
        let mut wrong = proto::ImageFacts::from(facts());
        wrong.image = "nginx".into();
        assert!(ImageFacts::try_from(wrong).unwrap_err().to_string().contains("`image`"));
    }
}
