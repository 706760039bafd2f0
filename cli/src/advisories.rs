//! The advisories that packages are matched with: opened, and fetched where they are missing or old.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use jiff::Timestamp;
use pratique_fs::registry::{Logins, Mirror, RegistryOptions};
use pratique_http::TransportOptions;
use pratique_vulns::Database;
use pratique_vulns::fetch::{self, Address, Client, Feeds, Store, Updated};

use crate::args::Common;
use crate::cache;
use crate::progress::Fetching;

/// Where advisories are had from.
pub(crate) enum Advisories {
    /// They are not wanted: a list of packages was asked for.
    NotAsked,
    /// They were switched off.
    Off,
    /// A database that the user named; it is taken as it is.
    File(Box<Database>),
    /// The user's own store, which fetches what is missing.
    Kept(Box<Kept>),
}

/// Advisories for one target.
pub(crate) struct Found {
    /// The database; none: there is none, and why.
    pub(crate) database: Result<fetch::Advisories, String>,
    /// Ecosystems that could not be had or brought up to date, and why.
    pub(crate) failed: BTreeMap<String, String>,
}

/// The user's own store.
pub(crate) struct Kept {
    store: Store,
    feeds: Feeds,
    transport: TransportOptions,
    logins: Logins,
    mirrors: Vec<Mirror>,
    offline: bool,
    quiet: bool,
    /// What failed once in this run is not tried for every target again.
    failed: RefCell<BTreeMap<String, String>>,
}

impl Kept {
    /// The store that the options name; `registry` says how the network is reached.
    ///
    /// # Errors
    /// There is no place for it, or its source is no address.
    pub(crate) fn of(common: &Common, registry: &RegistryOptions) -> anyhow::Result<Self> {
        let source = common.db_source.as_deref().unwrap_or(fetch::PUBLIC);
        let address = Address::parse(source).map_err(anyhow::Error::msg).context("--db-source")?;
        let mut insecure = registry.insecure.clone();
        insecure.extend(address.plain_host());
        Ok(Self {
            store: store(common.cache_dir.as_deref())?,
            feeds: Feeds::of(address),
            transport: TransportOptions {
                proxies: registry.proxies.clone(),
                insecure,
                ca_files: registry.ca_files.clone(),
                patience: registry.patience,
            },
            logins: registry.logins.clone(),
            mirrors: registry.mirrors.clone(),
            offline: common.offline,
            quiet: common.quiet,
            failed: RefCell::default(),
        })
    }

    /// Brings what is here, and these ecosystems beside it, up to date.
    ///
    /// # Errors
    /// Nothing could be done at all; the database is as it was.
    pub(crate) fn update(&self, wanted: &BTreeSet<String>, now: Timestamp) -> anyhow::Result<Updated> {
        if self.asks_the_network() && self.offline {
            anyhow::bail!("advisories would be fetched from {}, and --offline is set", self.feeds.advisories);
        }
        let line = Fetching::new(self.quiet);
        let progress = |progress: fetch::Progress<'_>| line.note(progress);
        let client = Client::new(self.transport.clone(), Default::default(), &progress)?
            .for_registries(self.logins.clone(), self.mirrors.clone());
        Ok(self.store.update(wanted, &self.feeds, &client, now)?)
    }

    /// The database for a target in which these ecosystems occur. What is missing or a day old is fetched, unless the
    /// network is not to be asked; what cannot be had leaves the rest as it is.
    pub(crate) fn find(&self, wanted: &BTreeSet<String>, now: Timestamp) -> Found {
        let mut due = self.store.due(wanted, &self.feeds, now);
        due.retain(|name| !self.failed.borrow().contains_key(name));
        if !(due.is_empty() || self.offline && self.asks_the_network()) {
            match self.update(&due, now) {
                Ok(updated) => {
                    self.failed.borrow_mut().extend(updated.failed);
                    updated.warnings.iter().for_each(|warning| self.warn(warning));
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    self.failed.borrow_mut().extend(due.into_iter().map(|name| (name, reason.clone())));
                }
            }
        }
        let mut failed = self.failed.borrow().clone();
        failed.retain(|name, _| wanted.contains(name));
        let database = match self.store.open() {
            Ok(Some(database)) => Ok(database),
            Ok(None) => Err(self.why_none(&failed)),
            Err(error) => Err(error.to_string()),
        };
        Found { database, failed }
    }

    fn why_none(&self, failed: &BTreeMap<String, String>) -> String {
        match failed.values().next() {
            Some(reason) => format!("no advisories could be fetched ({reason})"),
            None => {
                "there are no advisories here, and --offline is set; `pratique db update` fetches them ahead"
                    .to_owned()
            }
        }
    }

    fn asks_the_network(&self) -> bool {
        !matches!(self.feeds.advisories, Address::Path(_))
    }

    fn warn(&self, warning: &str) {
        if !self.quiet {
            eprintln!("pratique: {warning}");
        }
    }
}

/// The store in a cache folder; none: the user's.
///
/// # Errors
/// There is no such folder.
pub(crate) fn store(cache_dir: Option<&std::path::Path>) -> anyhow::Result<Store> {
    let folder = cache_dir.map(std::path::Path::to_path_buf).or_else(cache::usual);
    let folder = folder.context(
        "there is no place for advisories: neither XDG_CACHE_HOME nor HOME is set; use --cache-dir",
    )?;
    Ok(Store::new(folder.join("advisories")))
}
