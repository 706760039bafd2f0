//! Requests to registries: where they go, who asks, and how often.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use pratique_core::Digest;
use pratique_http::{
    Answer, Failure, HeaderMap, Kind, Origin, StatusCode, Transport, TransportOptions, Uri, retry_after,
};

use super::challenge::{self, Challenge};
use super::failure::{into_error, said};
use super::login::Credential;
use super::options::{Place, RegistryOptions, places};
use super::token::{self, Grant};
use crate::{Error, Result};

/// Bytes that are read of an error's body.
const ERROR_LIMIT: u64 = 64 << 10;
/// Media types of indexes and manifests, as a registry is asked for them.
const DOCUMENTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// What is asked of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// An index or manifest, by tag or digest.
    Manifest(String),
    /// A blob, by its digest.
    Blob(Digest),
    /// The tags of the repository.
    Tags,
    /// The repositories.
    Catalogue,
}

impl Wanted {
    fn path(&self, repository: &str) -> String {
        match self {
            Self::Manifest(reference) => format!("/v2/{repository}/manifests/{reference}"),
            Self::Blob(digest) => format!("/v2/{repository}/blobs/{digest}"),
            Self::Tags => format!("/v2/{repository}/tags/list?n=1000"),
            Self::Catalogue => "/v2/_catalog?n=1000".to_owned(),
        }
    }

    /// What a token has to allow, where a registry does not say it.
    fn scope(&self, repository: &str) -> String {
        match self {
            Self::Catalogue => "registry:catalog:*".to_owned(),
            _ => format!("repository:{repository}:pull"),
        }
    }

    /// For messages.
    pub(super) fn describe(&self, repository: &str) -> String {
        match self {
            Self::Catalogue => self.to_string(),
            _ => format!("{self} of {repository}"),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(reference) => write!(f, "manifest {reference}"),
            Self::Blob(digest) => write!(f, "blob {digest}"),
            Self::Tags => f.write_str("tags"),
            Self::Catalogue => f.write_str("catalogue of repositories"),
        }
    }
}

/// A document and its headers.
pub(super) struct Document {
    pub(super) bytes: Vec<u8>,
    pub(super) headers: HeaderMap,
    /// Where it came from.
    pub(super) place: Place,
    /// Its URL.
    pub(super) uri: Uri,
}

/// A client of all registries. Safe to share.
pub(super) struct Client {
    pub(super) options: RegistryOptions,
    transport: Transport,
    grants: Mutex<HashMap<(Place, String), Grant>>,
    /// Whether an insecure registry speaks TLS, once it is known.
    tls: Mutex<HashMap<String, bool>>,
}

impl Client {
    pub(super) fn new(options: RegistryOptions) -> Result<Self> {
        let transport = Transport::new(TransportOptions {
            proxies: options.proxies.clone(),
            insecure: options.insecure.clone(),
            ca_files: options.ca_files.clone(),
            patience: options.patience,
        })?;
        Ok(Self { options, transport, grants: Mutex::default(), tls: Mutex::default() })
    }

    /// Reads a document of at most `limit` bytes.
    pub(super) fn document(
        &self,
        registry: &str,
        repository: &str,
        wanted: &Wanted,
        limit: u64,
    ) -> Result<Document> {
        self.persist(registry, repository, wanted, |place| {
            let uri = self.uri(place, wanted)?;
            self.read(place.clone(), uri, wanted, limit)
        })
    }

    /// Reads what a document's `Link` leads to, at the place that gave the document.
    pub(super) fn linked(&self, from: &Document, uri: &Uri, wanted: &Wanted, limit: u64) -> Result<Document> {
        let Place { registry, repository } = &from.place;
        self.persevere(|_| self.read(from.place.clone(), uri.clone(), wanted, limit))
            .map_err(|failure| self.error(failure, registry, repository, wanted))
    }

    fn read(&self, place: Place, uri: Uri, wanted: &Wanted, limit: u64) -> Result<Document, Failure> {
        let accept: &[(&str, &str)] = match wanted {
            Wanted::Manifest(_) => &[("accept", DOCUMENTS)],
            _ => &[],
        };
        let answer = self.send(&place, &uri, wanted, accept)?;
        let headers = answer.headers.clone();
        Ok(Document { bytes: answer.bytes(limit)?, headers, place, uri })
    }

    /// Starts reading a blob, once: from the start, or with the headers that ask for what comes later.
    pub(super) fn blob(
        &self,
        place: &Place,
        digest: &Digest,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let wanted = Wanted::Blob(digest.clone());
        self.send(place, &self.uri(place, &wanted)?, &wanted, headers)
    }

    /// Asks each place that may have it. The mirrors are asked once each, the registry itself as often as it takes.
    fn persist<T>(
        &self,
        registry: &str,
        repository: &str,
        wanted: &Wanted,
        ask: impl Fn(&Place) -> Result<T, Failure>,
    ) -> Result<T> {
        let places = places(&self.options.mirrors, registry, repository)?;
        let mut said = String::new();
        for place in &places[..places.len() - 1] {
            match ask(place) {
                Ok(found) => return Ok(found),
                Err(failure) => said.push_str(&format!("; mirror {}: {}", place.registry, failure.text)),
            }
        }
        let place = &places[places.len() - 1];
        self.persevere(|_| ask(place)).map_err(|mut failure| {
            failure.text.push_str(&said);
            self.error(failure, registry, repository, wanted)
        })
    }

    /// Tries until it succeeds, or there is no sense in it any more.
    fn persevere<T>(&self, ask: impl Fn(u32) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut failed = 0;
        loop {
            let failure = match ask(failed) {
                Ok(found) => return Ok(found),
                Err(failure) => failure,
            };
            failed += 1;
            self.pause(&failure, failed).ok_or(failure)?;
        }
    }

    /// Waits before the next try after `failed` of them; none if there is to be none.
    pub(super) fn pause(&self, failure: &Failure, failed: u32) -> Option<()> {
        let pause = self.options.retry.pause(failed, failure.asked, fastrand::f64());
        pause.filter(|_| failure.may_pass()).map(thread::sleep)
    }

    /// The error for people.
    pub(super) fn error(&self, failure: Failure, registry: &str, repository: &str, wanted: &Wanted) -> Error {
        into_error(failure, registry, &wanted.describe(repository), &self.options.logins.places())
    }

    fn uri(&self, place: &Place, wanted: &Wanted) -> Result<Uri, Failure> {
        let scheme = if self.speaks_tls(place)? { "https" } else { "http" };
        let uri = format!("{scheme}://{}{}", place.address(), wanted.path(&place.repository));
        uri.parse().map_err(|_| Failure::new(Kind::Final, "its name makes no URL"))
    }

    /// Whether a registry speaks TLS. All do but insecure ones, which are asked.
    fn speaks_tls(&self, place: &Place) -> Result<bool, Failure> {
        let probe = format!("https://{}/v2/", place.address());
        let probe: Uri = probe.parse().map_err(|_| Failure::new(Kind::Final, "its name makes no URL"))?;
        let origin = Origin::of(&probe).ok_or_else(|| Failure::new(Kind::Final, "its name makes no URL"))?;
        if !self.transport.is_insecure(&origin) {
            return Ok(true);
        }
        if let Some(known) = lock(&self.tls).get(place.address()) {
            return Ok(*known);
        }
        let tls = match self.transport.get(&probe, &[], None) {
            Ok(_) => true,
            Err(Failure { kind: Kind::NotTls | Kind::Broken | Kind::Refused, .. }) => false,
            Err(failure) => return Err(failure),
        };
        lock(&self.tls).insert(place.address().to_owned(), tls);
        Ok(tls)
    }

    /// Asks once, with a login where one is wanted. Any status but success is a failure.
    fn send(
        &self,
        place: &Place,
        uri: &Uri,
        wanted: &Wanted,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let scope = wanted.scope(&place.repository);
        let key = (place.clone(), scope.clone());
        let mut grant = lock(&self.grants).get(&key).cloned();
        if let Some(challenge) = grant.as_ref().and_then(|grant| grant.expired(Instant::now())).cloned() {
            grant = self.grant(place, &[challenge], &scope)?;
        }
        let mut answer =
            self.transport.get(uri, headers, grant.as_ref().map(|grant| grant.header.as_str()))?;
        if answer.status == 401 {
            let challenges = answer.headers.get_all("www-authenticate").iter();
            let challenges: Vec<_> =
                challenges.filter_map(|value| value.to_str().ok()).flat_map(challenge::parse).collect();
            grant = self.grant(place, &challenges, &scope)?;
            if let Some(grant) = &grant {
                answer = self.transport.get(uri, headers, Some(&grant.header))?;
            }
        }
        if let Some(grant) = grant.clone().filter(|_| answer.status != 401) {
            lock(&self.grants).insert(key, grant);
        }
        if matches!(answer.status, 200 | 206) {
            return Ok(answer);
        }
        let status = answer.status;
        let asked = answer.header("retry-after").and_then(retry_after);
        // What the body says is a help, no more: a body that cannot be read says nothing.
        let said = said(&answer.bytes(ERROR_LIMIT).unwrap_or_default());
        let said = grant.map_or(said.clone(), |grant| grant.withhold(said));
        let wait = asked.map(|asked| format!(" (try again in {} s)", asked.as_secs())).unwrap_or_default();
        let text =
            format!("{status} {}{wait}{}{said}", reason(status), if said.is_empty() { "" } else { ": " });
        Err(Failure { kind: Kind::Status(status), text, asked })
    }

    /// What answers one of the challenges; none if nothing does.
    fn grant(&self, place: &Place, challenges: &[Challenge], scope: &str) -> Result<Option<Grant>, Failure> {
        let credential = self.options.logins.find(&place.registry, &place.repository);
        let credential = credential.map_err(|error| Failure::new(Kind::Final, error.to_string()))?;
        let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        match (bearer, &credential) {
            (Some(_), Some(Credential::Bearer(token))) => Ok(Some(Grant::bearer(token))),
            (Some(bearer), _) => token::buy(&self.transport, bearer, scope, credential.as_ref()).map(Some),
            (None, Some(Credential::Password { user, password }))
                if challenges.contains(&Challenge::Basic) =>
            {
                Ok(Some(Grant::basic(user, password)))
            }
            _ => Ok(None),
        }
    }
}

fn reason(status: u16) -> &'static str {
    let status = StatusCode::from_u16(status).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or("(unknown status)")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
