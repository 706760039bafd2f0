//! The two lists about attacks, kept as they came.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use pratique_registry::Artifact;

use super::{Address, Client, ESTIMATES, EXPLOITED, FetchError, artifact};
use crate::exploits::{self, Exploits};

/// Bytes of a list at most, unpacked.
const LIMIT: u64 = 256 << 20;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// CISA's.
    Exploited,
    /// FIRST's.
    Estimates,
}

impl List {
    /// The file in the store.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Exploited => "exploited.json",
            Self::Estimates => "estimates.csv",
        }
    }

    /// The file as its publisher names it.
    fn published(self) -> &'static str {
        let address = match self {
            Self::Exploited => EXPLOITED,
            Self::Estimates => ESTIMATES,
        };
        address.rsplit_once('/').map_or(address, |(_, name)| name)
    }

    /// Adds what a list says.
    fn add(self, exploits: &mut Exploits, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::Exploited => exploits::add_exploited(exploits, bytes).map_err(|error| error.to_string()),
            Self::Estimates => {
                let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
                exploits::add_estimates(exploits, text).map_err(|error| error.to_string())
            }
        }
        .map(drop)
    }

    /// Fetches the list into `folder` if it changed: whether it did. `etag` names what is there, and then what came.
    pub(super) fn refresh(
        self,
        client: &Client<'_>,
        address: &Address,
        opened: Option<&Artifact>,
        folder: &Path,
        etag: &mut Option<String>,
    ) -> Result<bool, FetchError> {
        let file = folder.join(self.file());
        let known = etag.clone().filter(|_| file.exists());
        let came = match address {
            Address::Http(address) => client.read(address, known.as_deref(), LIMIT)?,
            Address::Artifact(address) => {
                let own;
                let opened = match opened.filter(|opened| opened.address == *address) {
                    Some(opened) => opened,
                    None => {
                        own = artifact::open(address, client)?;
                        &own
                    }
                };
                // Whoever pushes advisories need not push lists.
                if !opened.files.contains_key(self.published()) {
                    return Ok(false);
                }
                artifact::read(opened, self.published(), known.as_deref(), LIMIT)?
            }
            Address::Path(path) => Some((fs::read(path).map_err(FetchError::io(path))?, None)),
        };
        let Some((bytes, named)) = came else { return Ok(false) };
        let bytes = unpacked(bytes).map_err(|error| FetchError::refused(address, error.to_string()))?;
        if fs::read(&file).is_ok_and(|had| had == bytes) {
            *etag = named;
            return Ok(false);
        }
        self.add(&mut Exploits::new(), &bytes).map_err(|reason| FetchError::refused(address, reason))?;
        let write = || -> std::io::Result<()> {
            let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
            fresh.write_all(&bytes)?;
            fresh.persist(&file).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(FetchError::io(&file))?;
        *etag = named;
        Ok(true)
    }
}

/// What the lists of a folder say; one that is not there says nothing.
pub(super) fn read(folder: &Path) -> Exploits {
    let mut exploits = Exploits::new();
    for list in [List::Exploited, List::Estimates] {
        if let Ok(bytes) = fs::read(folder.join(list.file())) {
            // It was checked when it was stored; if it was spoilt since, it says less.
            let _ = list.add(&mut exploits, &bytes);
        }
    }
    exploits
}

fn unpacked(bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(LIMIT + 1).read_to_end(&mut plain)?;
    if plain.len() as u64 > LIMIT {
        return Err(std::io::Error::other("it unpacks to more than 256 MiB"));
    }
    Ok(plain)
}
