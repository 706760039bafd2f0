//! [`Inventory`] to and from the wire. Both ends keep the same limits: what does not fit is left out and counted when it
//! is written, and is an error when it is read, because whoever wrote it was not this program.

use std::collections::BTreeMap;

use pratique_core::Digest;
use pratique_core::package::{
    Ecosystem, Evidence, Inventory, LocatedPackage, Package, Release, RemovedPackage, Source,
};
use prost::Message;

use crate::facts_proto as proto;
use crate::facts_proto::inventory_entry::Entry;

/// Most bytes of an encoded inventory: some 40,000 packages as they commonly are.
pub const MAX_INVENTORY: usize = 8 << 20;

/// Most packages of an inventory, those included that were removed.
pub const MAX_PACKAGES: usize = 100_000;

/// Most bytes of one entry. The longest is the list of layers: a thousand take 72 kB.
const MAX_ENTRY: usize = 256 << 10;

/// Why bytes are no inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInventory {
    /// More bytes or packages than are allowed.
    #[error(
        "the inventory is longer than allowed: {MAX_INVENTORY} bytes, {MAX_PACKAGES} packages, {MAX_ENTRY} bytes an entry"
    )]
    TooLong,
    /// An entry cannot be decoded.
    #[error("an entry of the inventory cannot be read: {0}")]
    Undecodable(String),
    /// An entry says what cannot be.
    #[error("field `{field}` of the inventory is wrong: {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

fn invalid(field: &'static str, reason: impl ToString) -> InvalidInventory {
    InvalidInventory::Invalid { field, reason: reason.to_string() }
}

fn undecodable(error: impl ToString) -> InvalidInventory {
    InvalidInventory::Undecodable(error.to_string())
}

/// The inventory as at most [`MAX_INVENTORY`] bytes, and how many packages were left out so that it fits.
pub fn encode(inventory: &Inventory) -> (Vec<u8>, usize) {
    let places = Places::of(inventory);
    let mut bytes = Vec::new();
    push(&mut bytes, Entry::Layers(proto::Layers { diff_ids: places.texts() }));
    if let Some(release) = &inventory.release {
        push(&mut bytes, Entry::Release(release.clone().into()));
    }
    let packages = inventory.packages.iter().map(|located| Entry::Package(places.package(located)));
    let removed = inventory.removed.iter().map(|removed| Entry::Removed(places.removed(removed)));
    let (mut written, mut left_out) = (0, 0);
    for entry in packages.chain(removed) {
        if written < MAX_PACKAGES && push(&mut bytes, entry) {
            written += 1;
        } else {
            left_out += 1;
        }
    }
    (bytes, left_out)
}

/// Appends an entry, unless it is beyond a limit.
fn push(bytes: &mut Vec<u8>, entry: Entry) -> bool {
    let entry = proto::InventoryEntry { entry: Some(entry) };
    let length = entry.encoded_len();
    let room =
        length <= MAX_ENTRY && bytes.len() + length + prost::length_delimiter_len(length) <= MAX_INVENTORY;
    // A Vec takes any number of bytes.
    room && entry.encode_length_delimited(bytes).is_ok()
}

/// The inventory that [`encode`] wrote. Stops at the first entry beyond a limit, so that hostile bytes cost no more memory
/// than a small multiple of [`MAX_INVENTORY`].
///
/// # Errors
/// The bytes are no inventory, or one beyond the limits.
pub fn decode(bytes: &[u8]) -> Result<Inventory, InvalidInventory> {
    if bytes.len() > MAX_INVENTORY {
        return Err(InvalidInventory::TooLong);
    }
    let mut rest = bytes;
    let mut layers = Layers::default();
    let mut inventory = Inventory::default();
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(&mut rest).map_err(undecodable)?;
        let (entry, after) = rest.split_at_checked(length).ok_or_else(|| undecodable("it is cut off"))?;
        if length > MAX_ENTRY {
            return Err(InvalidInventory::TooLong);
        }
        rest = after;
        match proto::InventoryEntry::decode(entry).map_err(undecodable)?.entry {
            Some(Entry::Layers(list)) => layers = Layers::parse(&list.diff_ids)?,
            Some(Entry::Release(release)) => inventory.release = Some(release.into()),
            Some(Entry::Package(package)) => inventory.packages.push(layers.located(package)?),
            Some(Entry::Removed(removed)) => {
                let removed_by = layers.at(removed.removed_by)?;
                let package = removed.package.ok_or_else(|| invalid("removed", "it names no package"))?;
                inventory.removed.push(RemovedPackage { package: layers.located(package)?, removed_by });
            }
            // What a newer release says beyond this.
            None => {}
        }
        if inventory.packages.len() + inventory.removed.len() > MAX_PACKAGES {
            return Err(InvalidInventory::TooLong);
        }
    }
    Ok(inventory)
}

/// The layers that an inventory names, and their places in the list that is written.
struct Places<'i>(BTreeMap<&'i Digest, u32>);

impl<'i> Places<'i> {
    fn of(inventory: &'i Inventory) -> Self {
        let mut places = BTreeMap::new();
        let of_packages = inventory.packages.iter().filter_map(|located| located.layer.as_ref());
        let of_removed = inventory
            .removed
            .iter()
            .flat_map(|removed| removed.package.layer.iter().chain([&removed.removed_by]));
        for layer in of_packages.chain(of_removed) {
            places.insert(layer, 0);
        }
        (0..).zip(places.values_mut()).for_each(|(number, place)| *place = number);
        Self(places)
    }

    fn texts(&self) -> Vec<String> {
        self.0.keys().map(|layer| layer.to_string()).collect()
    }

    fn place(&self, layer: &Digest) -> Option<u32> {
        self.0.get(layer).copied()
    }

    fn package(&self, located: &LocatedPackage) -> proto::Package {
        let package = located.package.clone();
        proto::Package {
            ecosystem: package.ecosystem.purl_type().to_owned(),
            name: package.name,
            version: package.version,
            architecture: package.architecture,
            source: package
                .source
                .map(|source| proto::SourcePackage { name: source.name, version: source.version }),
            licenses: package.licenses,
            evidence: package.evidence.as_str().to_owned(),
            attributes: package.attributes.into_iter().collect(),
            purl: located.purl.clone(),
            path: located.path.clone(),
            layer: located.layer.as_ref().and_then(|layer| self.place(layer)),
            owned_by: located.owned_by.clone(),
            files: located.files,
        }
    }

    fn removed(&self, removed: &RemovedPackage) -> proto::RemovedPackage {
        proto::RemovedPackage {
            package: Some(self.package(&removed.package)),
            removed_by: self.place(&removed.removed_by).unwrap_or_default(),
        }
    }
}

/// The layers that arrived.
#[derive(Default)]
struct Layers(Vec<Digest>);

impl Layers {
    fn parse(texts: &[String]) -> Result<Self, InvalidInventory> {
        let digests =
            texts.iter().map(|text| text.parse().map_err(|error| invalid("diff_ids", wrong(error))));
        digests.collect::<Result<_, _>>().map(Self)
    }

    fn at(&self, place: u32) -> Result<Digest, InvalidInventory> {
        let layer = usize::try_from(place).ok().and_then(|place| self.0.get(place));
        layer.cloned().ok_or_else(|| invalid("layer", format!("there is no layer {place} in the list")))
    }

    fn located(&self, package: proto::Package) -> Result<LocatedPackage, InvalidInventory> {
        let ecosystem = Ecosystem::ALL
            .into_iter()
            .find(|ecosystem| ecosystem.purl_type() == package.ecosystem)
            .ok_or_else(|| invalid("ecosystem", format!("`{}` is no ecosystem", package.ecosystem)))?;
        let evidence = Evidence::ALL
            .into_iter()
            .find(|evidence| evidence.as_str() == package.evidence)
            .ok_or_else(|| invalid("evidence", format!("`{}` is no evidence", package.evidence)))?;
        Ok(LocatedPackage {
            package: Package {
                ecosystem,
                name: package.name,
                version: package.version,
                architecture: package.architecture,
                source: package.source.map(|source| Source { name: source.name, version: source.version }),
                licenses: package.licenses,
                evidence,
                attributes: package.attributes.into_iter().collect(),
            },
            purl: package.purl,
            path: package.path,
            layer: package.layer.map(|place| self.at(place)).transpose()?,
            owned_by: package.owned_by,
            files: package.files,
        })
    }
}

fn wrong(error: pratique_core::digest::InvalidDigest) -> String {
    error.to_string()
}

impl From<Release> for proto::Release {
    fn from(release: Release) -> Self {
        Self {
            id: release.id,
            version: release.version,
            codename: release.codename,
            like: release.like,
            name: release.name,
            variant: release.variant,
        }
    }
}

impl From<proto::Release> for Release {
    fn from(release: proto::Release) -> Self {
        Self {
            id: release.id,
            version: release.version,
            codename: release.codename,
            like: release.like,
            name: release.name,
            variant: release.variant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    fn located(name: &str, layer: Option<u8>) -> LocatedPackage {
        let mut package = Package::new(Ecosystem::Deb, name, "1:2.3-4");
        package.architecture = Some("amd64".into());
        package.source = Some(Source { name: "source".into(), version: "2.3-4".into() });
        package.licenses = vec!["MIT".into(), "GPL-2+".into()];
        package.attributes = [("vendor".to_owned(), "Debian".to_owned())].into();
        LocatedPackage {
            package,
            purl: format!("pkg:deb/debian/{name}@1:2.3-4"),
            path: "/var/lib/dpkg/status".into(),
            layer: layer.map(digest),
            owned_by: Some("pkg:deb/debian/owner@1".into()),
            files: 12,
        }
    }

    fn inventory() -> Inventory {
        Inventory {
            release: Some(Release {
                id: "debian".into(),
                version: "12".into(),
                codename: "bookworm".into(),
                like: vec!["unix".into()],
                name: "Debian 12".into(),
                variant: "x".into(),
            }),
            packages: vec![located("a", Some(9)), located("b", Some(4)), located("c", None)],
            removed: vec![RemovedPackage { package: located("d", Some(4)), removed_by: digest(7) }],
        }
    }

    /// One entry as it is framed.
    fn entry(entry: Entry) -> Vec<u8> {
        proto::InventoryEntry { entry: Some(entry) }.encode_length_delimited_to_vec()
    }

    #[test]
    fn inventories_survive_the_wire() {
        for inventory in [inventory(), Inventory::default()] {
            let (bytes, left_out) = encode(&inventory);
            assert_eq!((decode(&bytes).as_ref(), left_out), (Ok(&inventory), 0));
        }
    }

    #[test]
    fn every_ecosystem_and_evidence_has_a_name_of_its_own() {
        let mut inventory = Inventory::default();
        for ecosystem in Ecosystem::ALL {
            for evidence in Evidence::ALL {
                let mut located = located("x", None);
                (located.package.ecosystem, located.package.evidence) = (ecosystem, evidence);
                inventory.packages.push(located);
            }
        }
        assert_eq!(decode(&encode(&inventory).0), Ok(inventory));
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_counted() {
        let huge = LocatedPackage { path: "p".repeat(MAX_ENTRY), ..located("huge", None) };
        let long = |name: &str| LocatedPackage { path: "p".repeat(MAX_ENTRY / 2), ..located(name, None) };
        let many: Vec<LocatedPackage> = (0..100).map(|number| long(&number.to_string())).collect();
        let (bytes, left_out) =
            encode(&Inventory { packages: [vec![huge], many].concat(), ..Inventory::default() });
        let read = decode(&bytes).unwrap();
        assert!(bytes.len() <= MAX_INVENTORY);
        assert_eq!(read.packages.len() + left_out, 101);
        assert!((60..70).contains(&read.packages.len()) && read.packages[0].package.name == "0");
    }

    #[test]
    fn hostile_bytes_are_errors_and_cost_little() {
        let whole = encode(&inventory()).0;
        assert!(matches!(decode(&whole[..whole.len() - 1]), Err(InvalidInventory::Undecodable(_))));
        assert_eq!(decode(&vec![0; MAX_INVENTORY + 1]), Err(InvalidInventory::TooLong));
        // Entries that a newer release might send, one byte each, are skipped without being kept.
        assert_eq!(decode(&vec![0; MAX_INVENTORY]), Ok(Inventory::default()));

        let package = Places(BTreeMap::new()).package(&located("x", None));
        let small = entry(Entry::Package(proto::Package {
            ecosystem: "deb".into(),
            evidence: "Sbom".into(),
            ..proto::Package::default()
        }));
        assert_eq!(decode(&small.repeat(MAX_PACKAGES + 1)), Err(InvalidInventory::TooLong));
        let long = proto::Package { path: "p".repeat(MAX_ENTRY), ..package.clone() };
        assert_eq!(decode(&entry(Entry::Package(long))), Err(InvalidInventory::TooLong));

        let field = |bytes: &[u8]| match decode(bytes) {
            Err(InvalidInventory::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        let wrong = |change: fn(&mut proto::Package)| {
            let mut package = package.clone();
            change(&mut package);
            field(&entry(Entry::Package(package)))
        };
        assert_eq!(wrong(|package| package.ecosystem = "debian".into()), "ecosystem");
        assert_eq!(wrong(|package| package.evidence = "Rumour".into()), "evidence");
        assert_eq!(wrong(|package| package.layer = Some(0)), "layer");
        let layers = proto::Layers { diff_ids: vec!["nginx".into()] };
        assert_eq!(field(&entry(Entry::Layers(layers))), "diff_ids");
        let listed = entry(Entry::Layers(proto::Layers { diff_ids: vec![digest(1).to_string()] }));
        let removed = entry(Entry::Removed(proto::RemovedPackage { package: None, removed_by: 0 }));
        assert_eq!(field(&[listed, removed].concat()), "removed");
    }
}
