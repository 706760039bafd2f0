//! OpenVEX documents (<https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md>): what somebody says about a flaw in a
//! product. They suppress findings visibly: what was suppressed stays, with who said so and why.

use pratique_core::Finding;
use serde::Deserialize;

/// What a document says of flaws in products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Names of the flaw.
    pub flaws: Vec<String>,
    /// Package URLs; without a version: every version.
    pub packages: Vec<String>,
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

/// A finding that a statement took out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// What was found.
    pub finding: Finding,
    /// Who says that it does not matter.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VexError {
    /// It is not of the form.
    #[error("not an OpenVEX document: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A statement of `not_affected` must say why.
    #[error(
        "statement {number} says `not_affected` without justification or impact_statement, which OpenVEX demands"
    )]
    Unjustified {
        /// Which, counted from 1.
        number: usize,
    },
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    author: String,
    statements: Vec<RawStatement>,
}

#[derive(Deserialize)]
struct RawStatement {
    vulnerability: Flaw,
    #[serde(default)]
    products: Vec<Product>,
    status: Status,
    justification: Option<String>,
    impact_statement: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Flaw {
    Name(String),
    Object {
        name: String,
        #[serde(default)]
        aliases: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Product {
    Id(String),
    Object {
        #[serde(rename = "@id", default)]
        id: String,
        #[serde(default)]
        subcomponents: Vec<Component>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Component {
    Id(String),
    Object {
        #[serde(rename = "@id", default)]
        id: String,
    },
}

/// Reads a document.
///
/// # Errors
/// If it is not of the form, or says `not_affected` without a reason.
pub fn read(bytes: &[u8]) -> Result<Vec<Statement>, VexError> {
    let document: Document = serde_json::from_slice(bytes)?;
    let mut statements = Vec::new();
    for (index, raw) in document.statements.into_iter().enumerate() {
        let reason =
            [raw.justification, raw.impact_statement].into_iter().flatten().collect::<Vec<_>>().join(": ");
        if raw.status == Status::NotAffected && reason.is_empty() {
            return Err(VexError::Unjustified { number: index + 1 });
        }
        let flaws = match raw.vulnerability {
            Flaw::Name(name) => vec![name],
            Flaw::Object { name, aliases } => [vec![name], aliases].concat(),
        };
        let packages = raw.products.into_iter().flat_map(|product| match product {
            Product::Id(id) => vec![id],
            Product::Object { id, subcomponents } if subcomponents.is_empty() => vec![id],
            Product::Object { subcomponents, .. } => subcomponents
                .into_iter()
                .map(|component| match component {
                    Component::Id(id) | Component::Object { id } => id,
                })
                .collect(),
        });
        let packages = packages.filter(|id| id.starts_with("pkg:")).collect();
        statements.push(Statement {
            flaws,
            packages,
            status: raw.status,
            author: document.author.clone(),
            reason,
        });
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
    let Some(purl) = finding.attributes.get("purl") else { return false };
    let attribute = |name: &str| finding.attributes.get(name).map_or("", String::as_str);
    let mut names = attribute("aliases").split(' ').chain([attribute("id")]);
    names.any(|name| statement.flaws.iter().any(|flaw| flaw == name))
        && statement.packages.iter().any(|package| covers(package, purl))
}

/// Whether a statement's package URL means this one: qualifiers do not matter, a missing version means every version.
fn covers(stated: &str, purl: &str) -> bool {
    let (stated, purl) = (parts(stated), parts(purl));
    stated.0 == purl.0 && (stated.1.is_empty() || stated.1 == purl.1)
}

/// What comes before the version, and the version, both with their escapes undone.
fn parts(purl: &str) -> (String, String) {
    let bare = purl.split(['?', '#']).next().unwrap_or_default();
    let (name, version) = match bare.rsplit_once('@') {
        // An npm scope's `@` stands before a slash.
        Some((name, version)) if !version.contains('/') => (name, version),
        _ => (bare, ""),
    };
    (decoded(name), decoded(version))
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
