//! Who to be for a registry: the login files of Docker and Podman.
//!
//! Formats: <https://docs.docker.com/reference/cli/docker/login/> and
//! <https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use crate::helper;

/// Bytes of one login file at most.
const FILE_LIMIT: u64 = 4 << 20;
/// Docker Hub's names in login files and to helpers, besides `docker.io`.
const HUB_ALIASES: [&str; 3] = ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];
/// What Docker calls Docker Hub towards its helpers.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What proves who somebody is. Printing it shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user and a password or personal token.
    Password {
        /// The user.
        user: String,
        /// The secret.
        password: String,
    },
    /// A token that buys access tokens (OAuth's refresh token).
    Identity(String),
    /// A token that is sent as it is.
    Bearer(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(…)",
            Self::Identity(_) => "Identity(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

/// Where logins come from.
#[derive(Debug, Clone, Default)]
pub struct Logins {
    /// Logins given outright, by `host[:port][/repository prefix]`. They go before those of files.
    pub given: Vec<(String, Credential)>,
    /// Login files; the first that knows the registry decides.
    pub files: Vec<LoginFile>,
}

/// A login file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFile {
    /// Its path.
    pub path: PathBuf,
    /// Whether its absence is an error: somebody named it.
    pub required: bool,
}

impl Logins {
    /// The files of this user, as Podman and Docker look for them: `$REGISTRY_AUTH_FILE` alone if it is set, else
    /// `containers/auth.json` in `$XDG_RUNTIME_DIR` and in `$XDG_CONFIG_HOME` (`~/.config`), then `config.json` in
    /// `$DOCKER_CONFIG` (`~/.docker`).
    pub fn of_user() -> Self {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        Self { given: Vec::new(), files: files(|name| variable(name).map(PathBuf::from)) }
    }

    /// The login for a repository, if there is one. A file that cannot be read is an error.
    pub(crate) fn find(&self, host: &str, repository: &str) -> Result<Option<Credential>, LoginError> {
        if let Some(key) = best_key(self.given.iter().map(|(key, _)| key.as_str()), host, repository) {
            return Ok(self
                .given
                .iter()
                .find(|(own, _)| own == key)
                .map(|(_, credential)| credential.clone()));
        }
        for file in &self.files {
            let Some(bytes) = read(file)? else { continue };
            let parsed = Config::parse(&bytes).map_err(|reason| {
                LoginError(format!("{} is no login file: {reason}", file.path.display()))
            })?;
            match parsed.find(host, repository) {
                Some(Found::Credential(credential)) => return Ok(Some(credential)),
                Some(Found::Helper(name, keys)) => {
                    for key in keys {
                        let answer = helper::get(&name, &key, helper::PATIENCE);
                        let answer = answer.map_err(|reason| {
                            LoginError(format!("{} names `{name}`: {reason}", file.path.display()))
                        })?;
                        if answer.is_some() {
                            return Ok(answer);
                        }
                    }
                }
                None => {}
            }
        }
        Ok(None)
    }

    /// Names of the files, for messages.
    pub(crate) fn places(&self) -> String {
        self.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// Why logins could not be looked up; says no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LoginError(pub(crate) String);

fn files(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<LoginFile> {
    if let Some(path) = variable("REGISTRY_AUTH_FILE") {
        return vec![LoginFile { path, required: true }];
    }
    let home = |folder: &str| variable("HOME").map(|home| home.join(folder));
    let places = [
        variable("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
        variable("XDG_CONFIG_HOME")
            .or_else(|| home(".config"))
            .map(|folder| folder.join("containers/auth.json")),
        variable("DOCKER_CONFIG").or_else(|| home(".docker")).map(|folder| folder.join("config.json")),
    ];
    places.into_iter().flatten().map(|path| LoginFile { path, required: false }).collect()
}

fn read(file: &LoginFile) -> Result<Option<Vec<u8>>, LoginError> {
    let failed = |error: &dyn fmt::Display| {
        LoginError(format!("the login file {} cannot be read: {error}", file.path.display()))
    };
    match read_bounded(&file.path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !file.required => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > FILE_LIMIT {
        return Err(io::Error::other(format!("it is no file of at most {FILE_LIMIT} bytes")));
    }
    fs::read(path)
}

/// A login file's content.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    #[serde(default)]
    auths: Option<BTreeMap<String, Option<Entry>>>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
    #[serde(default)]
    registrytoken: String,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry(…)")
    }
}

/// What a file says about a registry.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The login itself.
    Credential(Credential),
    /// A helper program to be asked, and the names under which it may know the registry.
    Helper(String, Vec<String>),
}

impl Config {
    /// Reads a file's bytes. The error quotes nothing of them.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| {
            format!("line {}, column {}: not what is expected there", error.line(), error.column())
        })
    }

    /// The login for a repository: a helper for that very registry, then an entry, then the helper for all.
    pub fn find(&self, host: &str, repository: &str) -> Option<Found> {
        if let Some(helpers) = &self.cred_helpers
            && let Some(key) = best_key(helpers.keys().map(String::as_str), host, "")
        {
            return Some(Found::Helper(helpers[key].clone(), vec![key.to_owned()]));
        }
        if let Some(auths) = &self.auths {
            let usable = auths
                .iter()
                .filter_map(|(key, entry)| Some((key.as_str(), entry.as_ref().and_then(Entry::credential)?)));
            let mut usable: BTreeMap<&str, Credential> = usable.collect();
            if let Some(key) = best_key(usable.keys().copied(), host, repository) {
                return usable.remove(key).map(Found::Credential);
            }
        }
        let store = self.creds_store.as_ref().filter(|store| !store.is_empty())?;
        let keys = if host == "docker.io" {
            vec![HUB_KEY.to_owned(), host.to_owned()]
        } else {
            vec![host.to_owned()]
        };
        Some(Found::Helper(store.clone(), keys))
    }
}

impl Entry {
    fn credential(&self) -> Option<Credential> {
        if !self.registrytoken.is_empty() {
            return Some(Credential::Bearer(self.registrytoken.clone()));
        }
        if !self.identitytoken.is_empty() {
            return Some(Credential::Identity(self.identitytoken.clone()));
        }
        if !self.username.is_empty() {
            return Some(Credential::Password {
                user: self.username.clone(),
                password: self.password.clone(),
            });
        }
        let decoded = String::from_utf8(BASE64_STANDARD.decode(self.auth.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        // Docker pads what it encodes with zeros.
        let (user, password) = (user.to_owned(), password.trim_end_matches('\0').to_owned());
        (!user.is_empty()).then_some(Credential::Password { user, password })
    }
}

/// The key that fits a repository best: the longest that names it or a folder above it, then its host, with or without
/// a scheme and a version path in the key.
fn best_key<'k>(
    keys: impl Iterator<Item = &'k str> + Clone,
    host: &str,
    repository: &str,
) -> Option<&'k str> {
    let whole = format!("{host}/{repository}");
    let covers = |key: &str| {
        let rest = whole.strip_prefix(key);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || key.ends_with('/'))
    };
    let exact = keys.clone().filter(|key| covers(key)).max_by_key(|key| key.trim_end_matches('/').len());
    exact.or_else(|| keys.clone().find(|key| is_host(key, host)))
}

/// Whether a key is a host alone, as Docker writes it: `host`, `https://host`, `https://host/v1/`.
fn is_host(key: &str, host: &str) -> bool {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let (name, path) = bare.split_once('/').unwrap_or((bare, ""));
    let is_name = name.eq_ignore_ascii_case(host) || (host == "docker.io" && HUB_ALIASES.contains(&name));
    is_name && matches!(path.trim_end_matches('/'), "" | "v1" | "v2")
}

#[cfg(test)]
mod tests;
