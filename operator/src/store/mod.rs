//! The report store: complete facts and inventories on disk, one object of each per image, so that a restart needs no
//! agent. What is derived from an inventory is none of it: an inventory changes only when its image is listed anew.
//!
//! ```text
//! facts/sha256/3f/3f2a….json.zst         facts, since when they are known, how many packages the image has
//! inventories/sha256/3f/3f2a….json.zst   the packages; read one at a time, never all at once
//! first-seen.json.zst                    what ran where since when
//! attempts.json.zst                      how far passwords were guessed at
//! ```
//!
//! Every replica keeps its own. What is lost is sent again by the agents; what is corrupt is dropped and named.

mod collect;
#[cfg(test)]
mod tests;
mod writer;

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use pratique_core::package::{Inventory, PackageCounts};
use pratique_core::{Digest, ImageFacts};
use serde::{Deserialize, Serialize};
use tracing::warn;

pub use collect::collect_unused;
pub use writer::write_behind;

/// Largest object that is read, in bytes, before and after decompression.
const MAX_OBJECT: u64 = 64 << 20;

/// Objects read at the same time at start.
const READERS: usize = 8;

/// Version of the objects' form; others are dropped.
const SCHEMA: u32 = 1;

/// Compression level: facts are small, and written far more often than read.
const LEVEL: i32 = 3;

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be used.
    #[error(
        "the report store {path} cannot be used: {source}; give a folder that can be written with --store"
    )]
    Folder {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The storage refused.
    #[error("the report store failed: {0}")]
    Storage(#[from] object_store::Error),
    /// An object cannot be written down.
    #[error("an object could not be encoded: {0}")]
    Encode(#[from] std::io::Error),
}

/// Facts as they lie here.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    since: Timestamp,
    facts: ImageFacts,
    /// Of the inventory that lies beside them, so that a start reads no inventory.
    #[serde(default)]
    packages: Option<PackageCounts>,
}

/// What an image is made of.
#[derive(Serialize, Deserialize)]
struct StoredInventory<'i> {
    schema: u32,
    image: Digest,
    inventory: Cow<'i, Inventory>,
}

/// One line of the first-seen table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstSeen {
    /// The namespace.
    pub namespace: String,
    /// The image (config digest).
    pub image: Digest,
    /// When it was first seen running there.
    pub at: Timestamp,
}

/// How far one list of guesses was tried on one hash of a password: [`pratique_core::attempts::Attempt`] and when it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Names the hash and the list.
    pub key: [u8; 16],
    /// So many guesses were tried.
    pub tried: u32,
    /// Whether the last of these is the password.
    pub hit: bool,
    /// When it was told.
    pub at: Timestamp,
}

/// What lay in the store.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Facts of images, each with the time since when the same was known.
    pub facts: Vec<(ImageFacts, Timestamp)>,
    /// How many packages the images have whose inventories are there.
    pub packages: Vec<(Digest, PackageCounts)>,
    /// When images were first seen running.
    pub seen: Vec<FirstSeen>,
    /// How far passwords were guessed at.
    pub attempts: Vec<Learned>,
    /// Objects that were corrupt, and are deleted.
    pub dropped: usize,
}

/// The store.
#[derive(Debug, Clone)]
pub struct ReportStore {
    objects: Arc<dyn ObjectStore>,
}

impl ReportStore {
    /// Opens a folder, making it if it is missing.
    ///
    /// # Errors
    /// If the folder cannot be made or read.
    pub fn open(folder: &FilePath) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::Folder { path: folder.display().to_string(), source })?;
        let objects = Arc::new(LocalFileSystem::new_with_prefix(folder)?);
        Ok(Self { objects })
    }

    /// Reads everything.
    ///
    /// # Errors
    /// If the folder cannot be listed. An object that cannot be read is no error: it is dropped.
    pub async fn load(&self) -> Result<Loaded, StoreError> {
        let listed = async |folder| -> Result<Vec<_>, StoreError> {
            Ok(self.objects.list(Some(&Path::from(folder))).try_collect().await?)
        };
        let objects = listed("facts").await?;
        let mut inventories: HashSet<Path> =
            listed("inventories").await?.into_iter().map(|object| object.location).collect();
        let mut loaded = Loaded {
            seen: self.load_table(&seen_path()).await,
            attempts: self.load_table(&attempts_path()).await,
            ..Loaded::default()
        };
        let mut reads = futures::stream::iter(objects)
            .map(|object| async move {
                (self.read::<Stored>(&object.location, object.size).await, object.location)
            })
            .buffer_unordered(READERS);
        while let Some((stored, location)) = reads.next().await {
            match stored {
                Ok(stored) if stored.schema == SCHEMA && location == path_of(&stored.facts.image) => {
                    let listed = inventories.remove(&inventory_path(&stored.facts.image));
                    if let Some(counts) = stored.packages.filter(|_| listed) {
                        loaded.packages.push((stored.facts.image.clone(), counts));
                    }
                    loaded.facts.push((stored.facts, stored.since));
                }
                Ok(_) => {
                    let reason = "it is of another version or under another image's name";
                    self.drop_corrupt(&location, reason).await;
                    loaded.dropped += 1;
                }
                Err(reason) => {
                    self.drop_corrupt(&location, &reason).await;
                    loaded.dropped += 1;
                }
            }
        }
        for location in inventories {
            if let Err(error) = self.objects.delete(&location).await {
                warn!(%location, %error, "an inventory of an image without facts was not deleted");
            }
        }
        Ok(loaded)
    }

    /// Writes facts, which say the same since `since`, replacing what was there. Whole or not at all. `packages`: counts of
    /// the image's inventory, once that is stored.
    ///
    /// # Errors
    /// If the storage refuses.
    pub async fn put(
        &self,
        facts: &ImageFacts,
        since: Timestamp,
        packages: Option<PackageCounts>,
    ) -> Result<(), StoreError> {
        let location = path_of(&facts.image);
        self.write(&location, &Stored { schema: SCHEMA, since, facts: facts.clone(), packages }).await
    }

    /// Writes what an image is made of, replacing what was there. Whole or not at all.
    ///
    /// # Errors
    /// If the storage refuses.
    pub async fn put_inventory(&self, image: &Digest, inventory: &Inventory) -> Result<(), StoreError> {
        let inventory = Cow::Borrowed(inventory);
        let stored = StoredInventory { schema: SCHEMA, image: image.clone(), inventory };
        self.write(&inventory_path(image), &stored).await
    }

    /// What an image is made of; none if that is not stored. One that is corrupt is dropped.
    ///
    /// # Errors
    /// If the storage refuses.
    pub async fn inventory(&self, image: &Digest) -> Result<Option<Inventory>, StoreError> {
        let location = inventory_path(image);
        let object = match self.objects.head(&location).await {
            Ok(object) => object,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let reason = match self.read::<StoredInventory<'_>>(&location, object.size).await {
            Ok(stored) if stored.schema == SCHEMA && stored.image == *image => {
                return Ok(Some(stored.inventory.into_owned()));
            }
            Ok(_) => "it is of another version or under another image's name".to_owned(),
            Err(reason) => reason,
        };
        self.drop_corrupt(&location, &reason).await;
        Ok(None)
    }

    /// Deletes facts and inventory; none there is no error.
    ///
    /// # Errors
    /// If the storage refuses.
    pub async fn delete(&self, image: &Digest) -> Result<(), StoreError> {
        for location in [path_of(image), inventory_path(image)] {
            match self.objects.delete(&location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes the whole first-seen table.
    ///
    /// # Errors
    /// If the storage refuses.
    pub async fn put_seen(&self, seen: &[FirstSeen]) -> Result<(), StoreError> {
        self.write(&seen_path(), &seen).await
    }

    /// Writes the whole table of attempts at passwords.
    ///
    /// # Errors
    /// If the storage refuses.
    pub async fn put_attempts(&self, attempts: &[Learned]) -> Result<(), StoreError> {
        self.write(&attempts_path(), &attempts).await
    }

    /// Keeps the user's rules, sealed, over a restart.
    ///
    /// # Errors
    /// If the storage refuses.
    pub async fn put_rules(&self, sealed: Bytes) -> Result<(), StoreError> {
        self.objects.put(&rules_path(), sealed.into()).await?;
        Ok(())
    }

    /// The user's rules that were kept last, unchecked.
    pub async fn rules(&self) -> Option<Bytes> {
        self.objects.get(&rules_path()).await.ok()?.bytes().await.ok()
    }

    async fn load_table<T: serde::de::DeserializeOwned>(&self, location: &Path) -> Vec<T> {
        match self.objects.head(location).await {
            Ok(object) => self.read(&object.location, object.size).await.unwrap_or_else(|reason| {
                warn!(%location, reason, "a stored table is corrupt and starts anew");
                Vec::new()
            }),
            Err(_) => Vec::new(),
        }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, location: &Path, size: u64) -> Result<T, String> {
        if size > MAX_OBJECT {
            return Err(format!("it has {size} bytes"));
        }
        let object = self.objects.get(location).await.map_err(|error| error.to_string())?;
        let bytes = object.bytes().await.map_err(|error| error.to_string())?;
        let decoder = zstd::Decoder::new(bytes.as_ref()).map_err(|error| error.to_string())?;
        serde_json::from_reader(std::io::BufReader::new(decoder.take(MAX_OBJECT)))
            .map_err(|error| error.to_string())
    }

    async fn write<T: Serialize>(&self, location: &Path, value: &T) -> Result<(), StoreError> {
        let json = serde_json::to_vec(value).map_err(std::io::Error::from)?;
        let bytes = zstd::encode_all(json.as_slice(), LEVEL)?;
        self.objects.put(location, bytes.into()).await?;
        Ok(())
    }

    async fn drop_corrupt(&self, location: &Path, reason: &str) {
        warn!(%location, reason, "a stored report is corrupt: it is dropped, and its image scanned anew");
        if let Err(error) = self.objects.delete(location).await {
            warn!(%location, %error, "a corrupt report was not deleted");
        }
    }
}

fn path_of(image: &Digest) -> Path {
    path("facts", image)
}

fn inventory_path(image: &Digest) -> Path {
    path("inventories", image)
}

/// Two levels, so that no folder grows beyond what a file system lists quickly.
fn path(folder: &str, image: &Digest) -> Path {
    let hex = image.hex();
    Path::from(format!("{folder}/{}/{}/{hex}.json.zst", image.algorithm(), &hex[..2]))
}

fn rules_path() -> Path {
    Path::from("user-rules")
}

fn attempts_path() -> Path {
    Path::from("attempts.json.zst")
}

fn seen_path() -> Path {
    Path::from("first-seen.json.zst")
}
