//! CSAF 2.0 and 2.1, the VEX profile (<https://docs.oasis-open.org/csaf/csaf/v2.0/os/csaf-v2.0-os.html#45-profile-5-vex>).

use std::collections::{BTreeMap, BTreeSet};

use pratique_http::encode;
use serde::Deserialize;

use super::{Statement, Status, VexError};

#[derive(Deserialize)]
struct Document {
    document: Head,
    #[serde(default)]
    product_tree: Tree,
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Head {
    publisher: Publisher,
}

#[derive(Deserialize)]
struct Publisher {
    name: String,
}

#[derive(Deserialize, Default)]
struct Tree {
    #[serde(default)]
    branches: Vec<Branch>,
    #[serde(default)]
    full_product_names: Vec<Product>,
    #[serde(default)]
    relationships: Vec<Relationship>,
    #[serde(default)]
    product_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    category: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    branches: Vec<Branch>,
    product: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    product_id: String,
    #[serde(default)]
    product_identification_helper: Helper,
}

#[derive(Deserialize, Default)]
struct Helper {
    cpe: Option<String>,
    purl: Option<String>,
    /// Since 2.1.
    #[serde(default)]
    purls: Vec<String>,
}

#[derive(Deserialize)]
struct Relationship {
    full_product_name: Product,
    /// The component.
    product_reference: String,
    /// What it is a part of.
    relates_to_product_reference: String,
}

#[derive(Deserialize)]
struct Group {
    group_id: String,
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    cve: Option<String>,
    #[serde(default)]
    ids: Vec<Id>,
    #[serde(default)]
    product_status: ProductStatus,
    #[serde(default)]
    flags: Vec<Flag>,
    #[serde(default)]
    threats: Vec<Threat>,
}

#[derive(Deserialize)]
struct Id {
    text: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ProductStatus {
    fixed: Vec<String>,
    known_affected: Vec<String>,
    known_not_affected: Vec<String>,
    under_investigation: Vec<String>,
}

/// Why products are not affected, in a word.
#[derive(Deserialize)]
struct Flag {
    label: String,
    #[serde(default)]
    product_ids: Vec<String>,
    #[serde(default)]
    group_ids: Vec<String>,
}

/// Why products are not affected, in a sentence, if its category is `impact`.
#[derive(Deserialize)]
struct Threat {
    category: String,
    details: String,
    #[serde(default)]
    product_ids: Vec<String>,
    #[serde(default)]
    group_ids: Vec<String>,
}

/// A product as findings know it: its package URLs, and the release of a distribution that it is a part of.
#[derive(Clone, Default)]
struct Known {
    purls: Vec<String>,
    release: Option<String>,
    /// It is a part of something that has neither package URL nor a release that anybody can look for.
    is_elsewhere: bool,
}

/// Reads a document.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Statement>, VexError> {
    let document: Document = serde_json::from_slice(bytes)?;
    let products = products(&document.product_tree);
    let groups: BTreeMap<&str, &[String]> = document
        .product_tree
        .product_groups
        .iter()
        .map(|group| (group.group_id.as_str(), group.product_ids.as_slice()))
        .collect();
    let mut statements = Vec::new();
    for raw in document.vulnerabilities {
        let flaws: Vec<String> =
            raw.cve.iter().cloned().chain(raw.ids.into_iter().map(|id| id.text)).collect();
        let reasons = reasons(&raw.flags, &raw.threats, &groups);
        let all = [
            (Status::Fixed, raw.product_status.fixed),
            (Status::Affected, raw.product_status.known_affected),
            (Status::NotAffected, raw.product_status.known_not_affected),
            (Status::UnderInvestigation, raw.product_status.under_investigation),
        ];
        for (status, id) in
            all.into_iter().flat_map(|(status, ids)| ids.into_iter().map(move |id| (status, id)))
        {
            let Some(product) = products.get(&id) else {
                return Err(VexError::UnknownProduct { product: id });
            };
            let reason = reasons.get(&id).map(|texts| texts.iter().cloned().collect::<Vec<_>>().join(": "));
            if status == Status::NotAffected && reason.is_none() {
                let flaw = flaws.first().cloned().unwrap_or_default();
                return Err(VexError::Unflagged { flaw, product: id });
            }
            if product.purls.is_empty() || product.is_elsewhere {
                continue;
            }
            statements.push(Statement {
                flaws: flaws.clone(),
                packages: product.purls.clone(),
                release: product.release.clone(),
                status,
                author: document.document.publisher.name.clone(),
                reason: reason.unwrap_or_default(),
            });
        }
    }
    Ok(statements)
}

/// Every product of the tree by its identifier.
fn products(tree: &Tree) -> BTreeMap<String, Known> {
    let mut products = BTreeMap::new();
    for product in &tree.full_product_names {
        products.insert(product.product_id.clone(), known(&product.product_identification_helper));
    }
    // The reader of JSON bounds how deep this can go.
    let mut branches: Vec<&Branch> = tree.branches.iter().collect();
    while let Some(branch) = branches.pop() {
        if let Some(product) = &branch.product {
            let mut known = known(&product.product_identification_helper);
            if branch.category == "product_version_range" {
                known.purls.iter_mut().for_each(|purl| *purl = ranged(purl, &branch.name));
            }
            products.insert(product.product_id.clone(), known);
        }
        branches.extend(&branch.branches);
    }
    // A part may itself be made of parts named further down: as many rounds as there are relationships would be enough,
    // and documents have two levels.
    for _ in 0..3 {
        for relationship in &tree.relationships {
            let own = known(&relationship.full_product_name.product_identification_helper);
            let part = products.get(&relationship.product_reference).cloned().unwrap_or_default();
            let whole = products.get(&relationship.relates_to_product_reference).cloned().unwrap_or_default();
            let release = part.release.or(whole.release);
            let composed = Known {
                is_elsewhere: own.purls.is_empty() && release.is_none() && !is_versioned(&part.purls),
                purls: if own.purls.is_empty() { part.purls } else { own.purls },
                release,
            };
            products.insert(relationship.full_product_name.product_id.clone(), composed);
        }
    }
    products
}

/// A package URL with the range that a branch is called by, whole (`vers:`) or its constraints alone (`vls`), unless it has
/// a version or a range already.
fn ranged(purl: &str, range: &str) -> String {
    let read = super::Purl::read(purl);
    if !read.version.is_empty() || read.qualifier("vers").is_some() {
        return purl.to_owned();
    }
    let kind = read.name.trim_start_matches("pkg:").split('/').next().unwrap_or_default();
    let whole = if range.starts_with("vers:") { range.to_owned() } else { format!("vers:{kind}/{range}") };
    let bare = purl.split('#').next().unwrap_or_default();
    let joint = if bare.contains('?') { '&' } else { '?' };
    format!("{bare}{joint}vers={}", encode(&whole))
}

/// Whether the packages tell by their versions alone where they belong.
fn is_versioned(purls: &[String]) -> bool {
    !purls.is_empty() && purls.iter().all(|purl| !super::Purl::read(purl).version.is_empty())
}

fn known(helper: &Helper) -> Known {
    Known {
        purls: helper
            .purl
            .iter()
            .chain(&helper.purls)
            .filter(|purl| purl.starts_with("pkg:"))
            .cloned()
            .collect(),
        release: helper.cpe.as_deref().and_then(release),
        is_elsewhere: false,
    }
}

/// The release that a CPE of an operating system means, as `distro` of a package URL names it.
fn release(cpe: &str) -> Option<String> {
    // Repositories of RHEL count as applications.
    let starts = ["cpe:/o:", "cpe:/a:", "cpe:2.3:o:", "cpe:2.3:a:"];
    let mut parts = starts.iter().find_map(|start| cpe.strip_prefix(start))?.split(':');
    let (vendor, product, version) = (parts.next()?, parts.next()?, parts.next()?);
    let id = match (vendor, product) {
        ("redhat", "enterprise_linux") => "rhel",
        ("suse", "sles") => "sles",
        ("opensuse", "leap") => "opensuse-leap",
        ("debian", "debian_linux") => "debian",
        ("canonical", "ubuntu_linux") => "ubuntu",
        ("almalinux", "almalinux") => "almalinux",
        ("rocky", "rocky") => "rocky",
        ("amazon", "linux") => "amzn",
        _ => return None,
    };
    let version = version.replace('\\', "");
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| format!("{id}-{version}"))
}

/// Why each product is not affected.
fn reasons(
    flags: &[Flag],
    threats: &[Threat],
    groups: &BTreeMap<&str, &[String]>,
) -> BTreeMap<String, BTreeSet<String>> {
    let impacts = threats.iter().filter(|threat| threat.category == "impact");
    let given = flags
        .iter()
        .map(|flag| (&flag.label, &flag.product_ids, &flag.group_ids))
        .chain(impacts.map(|threat| (&threat.details, &threat.product_ids, &threat.group_ids)));
    let mut reasons: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (text, ids, of_groups) in given {
        let of_groups =
            of_groups.iter().filter_map(|group| groups.get(group.as_str())).flat_map(|ids| ids.iter());
        for id in ids.iter().chain(of_groups) {
            reasons.entry(id.clone()).or_default().insert(text.clone());
        }
    }
    reasons
}
