//! VEX: what somebody says about a flaw in a product, in OpenVEX or CSAF. It suppresses findings visibly: what was
//! suppressed stays, with who said so and why.

mod csaf;
mod openvex;
mod vers;

use pratique_core::{Finding, Suppressed};
use serde::Deserialize;
use vers::Vers;

/// What a document says of flaws in products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Names of the flaw.
    pub flaws: Vec<String>,
    /// Package URLs; without a version: those of the range that the qualifier `vers` has, or else every version.
    pub packages: Vec<String>,
    /// The only release of a distribution that it speaks of, as `distro` of a package URL names it: `rhel-9`.
    pub release: Option<String>,
    /// What they say.
    pub status: Status,
    /// Who says it.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// What is said of a flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not matter there.
    NotAffected,
    /// It is there.
    Affected,
    /// It was, and this version has the fix.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VexError {
    /// It is not of the form.
    #[error("neither an OpenVEX nor a CSAF document: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A statement of `not_affected` must say why.
    #[error(
        "statement {number} says `not_affected` without justification or impact_statement, which OpenVEX demands"
    )]
    Unjustified {
        /// Which, counted from 1.
        number: usize,
    },
    /// The same in CSAF.
    #[error(
        "{flaw}: `{product}` is `known_not_affected` without a flag or a threat of category `impact`, which CSAF's VEX profile demands"
    )]
    Unflagged {
        /// The flaw's name.
        flaw: String,
        /// The product's identifier.
        product: String,
    },
    /// A range of versions cannot be read.
    #[error(
        "`{package}`: its range of versions cannot be read: {reason}; VERS demands vers:TYPE/CONSTRAINTS"
    )]
    Range {
        /// The package URL, with the range as `vers`.
        package: String,
        /// What is wrong.
        reason: String,
    },
    /// A product is not in the document's tree.
    #[error("`{product}` is not in the document's product tree")]
    UnknownProduct {
        /// The product's identifier.
        product: String,
    },
}

/// Reads a document: CSAF if it has a `document`, else OpenVEX.
///
/// # Errors
/// If it is not of the form, says `not_affected` without a reason, or has a range of versions that cannot be read.
pub fn read(bytes: &[u8]) -> Result<Vec<Statement>, VexError> {
    #[derive(Deserialize)]
    struct Shape {
        document: Option<serde::de::IgnoredAny>,
    }
    let shape: Shape = serde_json::from_slice(bytes)?;
    let statements = if shape.document.is_some() { csaf::read(bytes) } else { openvex::read(bytes) }?;
    for package in statements.iter().flat_map(|statement| &statement.packages) {
        Purl::read(package)
            .range()
            .transpose()
            .map_err(|reason| VexError::Range { package: package.clone(), reason })?;
    }
    Ok(statements)
}

/// Parts findings into those that stay and those that a statement takes out. Of several statements on one flaw and package
/// the last holds, as documents are given from old to new.
pub fn apply(findings: Vec<Finding>, statements: &[Statement]) -> (Vec<Finding>, Vec<Suppressed>) {
    let (mut kept, mut suppressed) = (Vec::new(), Vec::new());
    for finding in findings {
        match statements.iter().rev().find(|statement| speaks_of(statement, &finding)) {
            Some(statement) if matches!(statement.status, Status::NotAffected | Status::Fixed) => {
                let reason = match statement.status {
                    Status::Fixed if statement.reason.is_empty() => "fixed".to_owned(),
                    _ => statement.reason.clone(),
                };
                suppressed.push(Suppressed { finding, by: statement.author.clone(), reason });
            }
            _ => kept.push(finding),
        }
    }
    (kept, suppressed)
}

fn speaks_of(statement: &Statement, finding: &Finding) -> bool {
    let attribute = |name: &str| finding.attributes.get(name).map_or("", String::as_str);
    let found = Purl::read(attribute("purl"));
    let mut names = attribute("aliases").split(' ').chain([attribute("id")]);
    let source = found.source();
    names.any(|name| statement.flaws.iter().any(|flaw| flaw == name))
        && statement.release.as_ref().is_none_or(|release| found.is_of(release))
        && statement.packages.iter().map(|package| Purl::read(package)).any(|stated| {
            // What is said of a source package holds for all that was built from it.
            let found = source.as_ref().filter(|_| stated.is_source()).unwrap_or(&found);
            stated.covers(found)
        })
}

/// A package URL (<https://github.com/package-url/purl-spec>) as far as statements need it, with escapes undone.
struct Purl {
    name: String,
    version: String,
    qualifiers: Vec<(String, String)>,
}

impl Purl {
    fn read(purl: &str) -> Self {
        let bare = purl.split('#').next().unwrap_or_default();
        let (bare, qualifiers) = bare.split_once('?').unwrap_or((bare, ""));
        let (name, version) = match bare.rsplit_once('@') {
            // An npm scope's `@` stands before a slash.
            Some((name, version)) if !version.contains('/') => (name, version),
            _ => (bare, ""),
        };
        let qualifiers = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        let qualifiers: Vec<_> =
            qualifiers.map(|(key, value)| (key.to_ascii_lowercase(), decoded(value))).collect();
        let mut name = decoded(name);
        // Who makes RHEL calls itself by two names.
        if let Some(rest) = name.strip_prefix("pkg:rpm/rhel/") {
            name = format!("pkg:rpm/redhat/{rest}");
        }
        Self { name, version: decoded(version), qualifiers }
    }

    fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn is_source(&self) -> bool {
        matches!(self.qualifier("arch"), Some("src" | "source"))
    }

    /// The source package that this one was built from, if that has another name or version.
    fn source(&self) -> Option<Self> {
        let upstream = self.qualifier("upstream")?;
        let (name, version) = upstream.split_once('@').unwrap_or((upstream, &self.version));
        let namespace = self.name.rsplit_once('/').map_or("", |(namespace, _)| namespace);
        Some(Self {
            name: format!("{namespace}/{name}"),
            version: version.to_owned(),
            qualifiers: self.qualifiers.clone(),
        })
    }

    /// Whether it is of this release of a distribution: `rhel-9` has `rhel-9.4` in it.
    fn is_of(&self, release: &str) -> bool {
        let distro = self.qualifier("distro").unwrap_or_default();
        distro.strip_prefix(release).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The range that it stands for, if it has no version.
    fn range(&self) -> Option<Result<Vers, String>> {
        self.qualifier("vers").filter(|_| self.version.is_empty()).map(Vers::parse)
    }

    /// Whether what is stated of it holds for a package: a missing version means every version or those of a range, a
    /// missing epoch none.
    fn covers(&self, found: &Self) -> bool {
        let epoch = |purl: &Self| purl.qualifier("epoch").unwrap_or("0").to_owned();
        let covers_version = || match self.range() {
            Some(range) => range.is_ok_and(|range| match found.qualifier("epoch") {
                Some(epoch) => range.has(&format!("{epoch}:{}", found.version)),
                None => range.has(&found.version),
            }),
            None => self.version.is_empty() || self.version == found.version && epoch(self) == epoch(found),
        };
        self.name == found.name && covers_version()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = |byte: u8| char::from(byte).to_digit(16);
        if let (b'%', [high, low, tail @ ..]) = (*first, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            bytes.push((high * 16 + low) as u8);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
