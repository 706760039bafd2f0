//! Requests to registries: where they go, who asks, and how often.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use pratique_core::Digest;
use pratique_core::digest::Hasher;
use pratique_core::reference::Reference;
use pratique_http::{
    Answer, Failure, HeaderMap, Kind, Origin, StatusCode, Transport, TransportOptions, Uri, retry_after,
};

use crate::challenge::{self, Challenge};
use crate::failure::{into_error, said};
use crate::login::Credential;
use crate::options::{Place, RegistryOptions, places};
use crate::token::{self, Grant};
use crate::{DOCUMENT_LIMIT, Error, Result};

/// Bytes that are read of an error's body.
const ERROR_LIMIT: u64 = 64 << 10;
/// Media types of indexes and manifests, as a registry is asked for them.
const DOCUMENTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// What is asked of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
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

    /// For messages: what it is, and of which repository.
    pub fn describe(&self, repository: &str) -> String {
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
pub struct Document {
    /// What it is.
    pub bytes: Vec<u8>,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// Where it came from.
    pub(crate) place: Place,
    /// Its URL.
    pub uri: Uri,
}

impl Document {
    /// A header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A client of all registries. Safe to share.
pub struct Client {
    pub(crate) options: RegistryOptions,
    transport: Transport,
    grants: Mutex<HashMap<(Place, String), Grant>>,
    /// Whether an insecure registry speaks TLS, once it is known.
    tls: Mutex<HashMap<String, bool>>,
}

impl Client {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// If a CA file cannot be used.
    pub fn new(options: RegistryOptions) -> Result<Self> {
        let transport = Transport::new(TransportOptions {
            proxies: options.proxies.clone(),
            insecure: options.insecure.clone(),
            ca_files: options.ca_files.clone(),
            patience: options.patience,
        })?;
        Ok(Self { options, transport, grants: Mutex::default(), tls: Mutex::default() })
    }

    /// What a reference points to, an index or manifest, with its digest. A document that has another digest than the
    /// reference or the registry says is refused.
    ///
    /// # Errors
    /// If the registry does not give it, or gives another one.
    pub fn manifest(&self, reference: &Reference) -> Result<(Digest, Document)> {
        let named = reference.digest().map(Digest::as_str);
        let wanted = Wanted::Manifest(named.or(reference.tag_or_latest()).unwrap_or_default().to_owned());
        let document =
            self.document(reference.registry(), reference.repository(), &wanted, DOCUMENT_LIMIT)?;
        let what = || wanted.describe(&reference.name());
        let said = match (reference.digest(), document.header("docker-content-digest")) {
            (Some(digest), _) => digest.clone(),
            (None, None) => return Ok((Digest::of(&document.bytes), document)),
            (None, Some(said)) => said.parse().map_err(|_| Error::Malformed {
                what: what(),
                reason: "the digest that its registry names is none".to_owned(),
            })?,
        };
        let mut hasher = Hasher::like(&said);
        hasher.update(&document.bytes);
        let got = hasher.digest();
        if got != said {
            let (wanted, got) = (said.to_string(), got.to_string());
            return Err(Error::DigestMismatch { what: what(), wanted, got });
        }
        Ok((said, document))
    }

    /// Reads a document of at most `limit` bytes.
    ///
    /// # Errors
    /// If the registry does not give it, or it has more.
    pub fn document(
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
    ///
    /// # Errors
    /// As for [`Client::document`].
    pub fn linked(&self, from: &Document, uri: &Uri, wanted: &Wanted, limit: u64) -> Result<Document> {
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
    pub(crate) fn blob(
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
    pub(crate) fn pause(&self, failure: &Failure, failed: u32) -> Option<()> {
        let pause = self.options.retry.pause(failed, failure.asked, fastrand::f64());
        pause.filter(|_| failure.may_pass()).map(thread::sleep)
    }

    /// The error for people.
    pub(crate) fn error(&self, failure: Failure, registry: &str, repository: &str, wanted: &Wanted) -> Error {
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
