//! Fetching advisories and keeping them: a folder with the records as they were published, and the database built of them.
//!
//! ```text
//! <base>/<ecosystem>/all.zip, modified_id.csv, <id>.json ──► store: osv/<ecosystem>/… ──► database
//! oci://registry/repository, layers <ecosystem>/all.zip ────►
//! a folder, a zip of records, a built database ─────────────────────────────────────────►
//! ```
//!
//! The layout at an address is that of OSV's public export (<https://google.github.io/osv.dev/data/#data-dumps>). What
//! comes is checked before it replaces anything: length, checksums that its server names, every record's checksum in the
//! archive, and that it is not older than what is there.

mod artifact;
mod changes;
mod download;
mod lists;
mod local;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use pratique_core::package::{Inventory, Package, Release};
use pratique_http::Uri;

use crate::build::BuildError;
use crate::database::DatabaseError;
use crate::distribution::{self, Pattern};
use crate::source::SourceError;

pub use changes::{Change, parse as parse_changes};
pub use download::{Client, Progress};
pub use pratique_registry::{ArtifactAddress, Logins};
pub use store::{Advisories, Store, Updated};

/// OSV's public export.
pub const PUBLIC: &str = "https://osv-vulnerabilities.storage.googleapis.com";
/// CISA's list of exploited flaws, and its name at an address of one's own.
pub const EXPLOITED: &str =
    "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";
/// FIRST's estimates, and their name at an address of one's own.
pub const ESTIMATES: &str = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz";

/// Where something comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An http or https URL, without a slash at its end.
    Http(String),
    /// An artifact of a registry.
    Artifact(ArtifactAddress),
    /// A folder, or a file.
    Path(PathBuf),
}

impl Address {
    /// Reads an address: a URL, or else a path.
    ///
    /// # Errors
    /// If it is a URL of another scheme, or none that can be asked.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(artifact) = ArtifactAddress::parse(text) {
            return artifact.map(Self::Artifact);
        }
        let Some((scheme, _)) = text.split_once("://") else { return Ok(Self::Path(PathBuf::from(text))) };
        let base = text.trim_end_matches('/');
        match base.parse::<Uri>().ok().and_then(|uri| pratique_http::Origin::of(&uri)) {
            Some(_) => Ok(Self::Http(base.to_owned())),
            None if matches!(scheme, "http" | "https") => {
                Err(format!("`{text}` is no URL that can be asked"))
            }
            None => Err(format!("`{text}`: give an http, https or oci URL, a folder or a file")),
        }
    }

    /// The host of a URL that says plain `http://`: whoever writes so means it.
    pub fn plain_host(&self) -> Option<String> {
        let Self::Http(base) = self else { return None };
        let origin = pratique_http::Origin::of(&base.parse::<Uri>().ok()?)?;
        (!origin.tls).then(|| format!("{}:{}", origin.host, origin.port))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http(base) => f.write_str(base),
            Self::Artifact(address) => address.fmt(f),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where advisories and the two lists about attacks come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feeds {
    /// Advisories: a base URL, an artifact, a folder of that layout, a zip of records or a built database.
    pub advisories: Address,
    /// CISA's list; none: it is left out.
    pub exploited: Option<Address>,
    /// FIRST's list; none: it is left out.
    pub estimates: Option<Address>,
}

impl Feeds {
    /// With the lists where they usually are: at their publishers for the public export, and beside the advisories of any
    /// other address, so that a mirror needs to be one place only.
    pub fn of(advisories: Address) -> Self {
        let beside = |public: &str| {
            let name = public.rsplit('/').next().unwrap_or_default();
            match &advisories {
                Address::Http(base) if base == PUBLIC => Some(Address::Http(public.to_owned())),
                Address::Http(base) => Some(Address::Http(format!("{base}/{name}"))),
                Address::Artifact(_) => Some(advisories.clone()),
                Address::Path(path) if path.is_dir() => Some(Address::Path(path.join(name))),
                Address::Path(_) => None,
            }
        };
        Self { exploited: beside(EXPLOITED), estimates: beside(ESTIMATES), advisories }
    }
}

/// Why advisories could not be fetched or kept. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A request failed.
    #[error("{address}: {reason}")]
    Request {
        /// What was asked for.
        address: String,
        /// What happened.
        reason: String,
        /// Whether the address answered: then others there may still be had.
        answered: bool,
    },
    /// What came is not what it should be.
    #[error("{what}: {reason}")]
    Refused {
        /// What came.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The store could not be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Records could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No database could be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl FetchError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |error| Self::Io { path: path.to_owned(), error }
    }

    fn refused(what: impl std::fmt::Display, reason: impl Into<String>) -> Self {
        Self::Refused { what: what.to_string(), reason: reason.into() }
    }
}

/// OSV's ecosystems whose advisories speak of an inventory's packages, each with the number of its packages.
pub fn ecosystems(inventory: &Inventory) -> BTreeMap<String, usize> {
    let release = inventory.release.as_ref();
    let has_system = inventory
        .packages
        .iter()
        .any(|located| located.package.ecosystem.is_system() && !bases(&located.package, release).is_empty());
    let mut found = BTreeMap::new();
    for located in &inventory.packages {
        // What a system package owns is judged with that.
        if located.owned_by.is_some() && has_system {
            continue;
        }
        for base in bases(&located.package, release) {
            *found.entry(base).or_default() += 1;
        }
    }
    found
}

fn bases(package: &Package, release: Option<&Release>) -> BTreeSet<String> {
    let Ok(scope) = distribution::scope(package, release) else { return BTreeSet::new() };
    let base = |name: &String| distribution::base(name).to_owned();
    match &scope.ecosystem {
        Pattern::Exactly(name) | Pattern::StartsWith(name) | Pattern::Between(name, _) => {
            BTreeSet::from([base(name)])
        }
        Pattern::AnyOf(names) => names.iter().map(base).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls_or_paths() {
        let http = |text: &str| Ok(Address::Http(text.to_owned()));
        assert_eq!(Address::parse("https://mirror.example/osv/"), http("https://mirror.example/osv"));
        assert_eq!(Address::parse("/srv/osv"), Ok(Address::Path(PathBuf::from("/srv/osv"))));
        assert_eq!(Address::parse("http://a.example").unwrap().plain_host().as_deref(), Some("a.example:80"));
        assert_eq!(Address::parse("https://a.example").unwrap().plain_host(), None);
        let artifact = Address::parse("oci://r.example:5000/team/osv:1").unwrap();
        assert_eq!(artifact.to_string(), "oci://r.example:5000/team/osv:1");
        assert_eq!(Feeds::of(artifact.clone()).exploited, Some(artifact));
        for wrong in
            ["oci://team/osv", "ftp://a.example", "https://", "https://me:pw@a.example", "file:///etc"]
        {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mirror_has_the_lists_beside_the_advisories() {
        let feeds = Feeds::of(Address::parse("https://mirror.example/osv").unwrap());
        let name = "https://mirror.example/osv/known_exploited_vulnerabilities.json";
        assert_eq!(feeds.exploited, Some(Address::Http(name.to_owned())));
        let public = Feeds::of(Address::parse(PUBLIC).unwrap());
        assert_eq!(public.estimates, Some(Address::Http(ESTIMATES.to_owned())));
    }
}
