//! OpenVEX (<https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md>).

use serde::Deserialize;

use super::{Statement, Status, VexError};

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
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Statement>, VexError> {
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
            release: None,
        });
    }
    Ok(statements)
}
