//! From the records that parsers left in the facts to the inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pratique_core::package::{Inventory, LocatedPackage, Ownership, Package, Record, RemovedPackage};
use pratique_core::{Gap, GapKind};
use pratique_detect::{Fact, LocatedFact};
use pratique_inventory::{LocatedRecord, assemble, purl};

use crate::bounds::GapList;
use crate::engine::{INVENTORY, is_inventory};
use crate::merge::HiddenFile;

/// Takes the parsers' facts out of `facts` and puts the inventory together, and which package brought which file.
pub(crate) fn inventory(
    facts: &mut BTreeMap<String, Vec<LocatedFact>>,
    gaps: &mut GapList,
) -> (Inventory, Ownership) {
    let ids: Vec<String> = facts.keys().filter(|id| is_inventory(id)).cloned().collect();
    let mut records = Vec::new();
    for located in ids.iter().flat_map(|id| facts.remove(id).unwrap_or_default()) {
        match record(&located.fact) {
            Some(record) => records.push(LocatedRecord { path: located.path, layer: located.layer, record }),
            None => gaps.push(Gap {
                path: Some(located.path),
                layer: located.layer,
                ..failed("a record of it cannot be read: an error in Pratique")
            }),
        }
    }
    // The panic's message may quote foreign text, so it is not repeated.
    match catch_unwind(AssertUnwindSafe(|| assemble(records))) {
        Ok(assembled) => assembled,
        Err(_) => {
            gaps.push(failed("the inventory could not be put together: an error in Pratique"));
            Default::default()
        }
    }
}

/// Packages of hidden files that the image has no more. Where several layers had one, the highest counts.
pub(crate) fn removed(inventory: &Inventory, hidden: &[HiddenFile<'_>]) -> Vec<RemovedPackage> {
    let key = |package: &Package| {
        (package.ecosystem, package.name.clone(), package.version.clone(), package.architecture.clone())
    };
    let present: BTreeSet<_> = inventory.packages.iter().map(|located| key(&located.package)).collect();
    let mut removed = BTreeMap::new();
    for HiddenFile { layer, file, by } in hidden {
        let facts = file
            .detectors
            .iter()
            .filter(|noted| is_inventory(&noted.detector))
            .flat_map(|noted| &noted.facts);
        for record in facts.filter_map(record) {
            let Record::Package { package, files } = record else { continue };
            let key = key(&package);
            if present.contains(&key) {
                continue;
            }
            let package = LocatedPackage {
                purl: purl(&package, inventory.release.as_ref()),
                package,
                path: file.path.to_string(),
                layer: Some((*layer).clone()),
                owned_by: None,
                files: files.iter().count() as u64,
            };
            removed.insert(key, RemovedPackage { package, removed_by: (*by).clone() });
        }
    }
    let mut removed: Vec<RemovedPackage> = removed.into_values().collect();
    removed.sort();
    removed
}

fn record(fact: &Fact) -> Option<Record> {
    postcard::from_bytes(&fact.0).ok()
}

fn failed(reason: &str) -> Gap {
    Gap { detector: Some(INVENTORY.to_owned()), ..Gap::of_image(GapKind::Crashed, reason) }
}
