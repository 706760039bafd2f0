//! Connections, TLS, proxies, redirects.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ureq::http::{HeaderMap, Request, Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use crate::failure::{Failure, Kind};
use crate::proxy::Proxies;
use crate::url::{Origin, join};

/// Redirects after one request at most.
const REDIRECTS: usize = 5;
/// Bytes of an answer's head at most.
const HEAD_LIMIT: usize = 64 << 10;
/// Bytes of one CA file at most.
const CA_LIMIT: u64 = 16 << 20;

/// How servers are reached. By default: no proxies, no host is insecure, the machine's own authorities.
#[derive(Debug, Clone, Default)]
pub struct TransportOptions {
    /// Proxies.
    pub proxies: Proxies,
    /// Hosts (`host[:port]`) that may have certificates nobody vouches for, or speak plain HTTP.
    pub insecure: Vec<String>,
    /// Files of certificates (PEM) to trust beside the machine's own.
    pub ca_files: Vec<PathBuf>,
    /// How long is waited.
    pub patience: Patience,
}

/// How long is waited for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection, name lookup and TLS included. 10 s.
    pub connect: Duration,
    /// For the head of an answer. 30 s.
    pub answer: Duration,
    /// For the next bytes. A body that brings less than 16 KiB in such a time counts as broken too. 30 s.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            stall: Duration::from_secs(30),
        }
    }
}

/// Why a CA file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// It could not be read.
    #[error("the CA file {}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is none.
    #[error("the CA file {}: {reason}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
}

/// Connections to whatever hosts, kept for the next request.
pub struct Transport {
    proxies: Proxies,
    insecure: Vec<String>,
    patience: Patience,
    own: Vec<Certificate<'static>>,
    roots: OnceLock<RootCerts>,
    agents: Mutex<HashMap<Route, Agent>>,
}

/// What connections have in common. There are few: two proxies or none, each with and without checked certificates.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Route {
    proxy: Option<String>,
    checked: bool,
}

/// An answer, its body unread.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// What comes after them.
    pub body: Body,
}

impl Answer {
    /// A header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The whole body, or a failure if it has more than `limit` bytes.
    pub fn bytes(self, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.body.into_reader().take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(Failure::new(Kind::Final, format!("its answer has more than {limit} bytes")));
        }
        Ok(bytes)
    }
}

impl Transport {
    /// Reads the CA files. Connects to nothing yet.
    pub fn new(options: TransportOptions) -> Result<Self, CaError> {
        let mut own = Vec::new();
        for path in &options.ca_files {
            own.extend(certificates(path)?);
        }
        Ok(Self {
            proxies: options.proxies,
            insecure: options.insecure,
            patience: options.patience,
            own,
            roots: OnceLock::new(),
            agents: Mutex::default(),
        })
    }

    /// Whether an origin was named as insecure.
    pub fn is_insecure(&self, origin: &Origin) -> bool {
        self.insecure.iter().any(|name| origin.is_named(name))
    }

    /// Asks for a URL, whatever the answer's status. Redirects are followed; `authorization` is sent to the first
    /// host alone, and nothing goes on over plain HTTP that began with TLS, unless that host was named as insecure.
    pub fn get(
        &self,
        uri: &Uri,
        headers: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<Answer, Failure> {
        let first = self.allowed(uri)?;
        let mut uri = uri.clone();
        for _ in 0..=REDIRECTS {
            let origin = self.allowed(&uri)?;
            let mut request = Request::get(&uri).header("accept-encoding", "identity");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(authorization) = authorization.filter(|_| origin == first) {
                request = request.header("authorization", authorization);
            }
            let request =
                request.body(()).map_err(|_| Failure::new(Kind::Final, "it cannot be asked for"))?;
            let answer = answer(self.agent(&origin).run(request)?);
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let target = answer.header("location").and_then(|target| join(&uri, target));
            uri = target.ok_or_else(|| Failure::new(Kind::Final, "it redirects to no usable address"))?;
        }
        Err(Failure::new(Kind::Final, format!("it redirects more than {REDIRECTS} times")))
    }

    /// Sends a form. Redirects are not followed: a secret is in it.
    pub fn post(&self, uri: &Uri, form: String) -> Result<Answer, Failure> {
        let origin = self.allowed(uri)?;
        let request = Request::post(uri)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .map_err(|_| Failure::new(Kind::Final, "it cannot be asked for"))?;
        Ok(answer(self.agent(&origin).run(request)?))
    }

    fn allowed(&self, uri: &Uri) -> Result<Origin, Failure> {
        let origin = Origin::of(uri)
            .ok_or_else(|| Failure::new(Kind::Final, "its address is no http or https URL"))?;
        if origin.tls || self.is_insecure(&origin) {
            return Ok(origin);
        }
        let text = format!(
            "it leads to {}:{} over plain HTTP; if that is meant, name this host as insecure",
            origin.host, origin.port
        );
        Err(Failure::new(Kind::Final, text))
    }

    fn agent(&self, origin: &Origin) -> Agent {
        let checked = !self.is_insecure(origin);
        let route = Route { proxy: self.proxies.choose(origin).map(str::to_owned), checked };
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        agents.entry(route.clone()).or_insert_with(|| self.connect(&route)).clone()
    }

    fn connect(&self, route: &Route) -> Agent {
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(self.roots.get_or_init(|| self.roots()).clone())
            .disable_verification(!route.checked)
            .build();
        // A proxy that cannot be parsed becomes one that cannot be reached: it is never left out.
        let proxy = route.proxy.as_ref().map(|proxy| {
            Proxy::new(proxy).ok().filter(|proxy| matches!(proxy.uri().scheme_str(), Some("http" | "https")))
        });
        let proxy = match proxy {
            Some(None) => Proxy::new("http://malformed-proxy.invalid").ok(),
            other => other.flatten(),
        };
        Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_response_header_size(HEAD_LIMIT)
            .user_agent(concat!("pratique/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(self.patience.connect))
            .timeout_connect(Some(self.patience.connect))
            .timeout_send_request(Some(self.patience.answer))
            .timeout_send_body(Some(self.patience.answer))
            .timeout_recv_response(Some(self.patience.answer))
            .timeout_per_read(Some(self.patience.stall))
            .build()
            .new_agent()
    }

    /// The machine's authorities and those that were named. Those that cannot be read are left out: what they vouch
    /// for is then refused.
    fn roots(&self) -> RootCerts {
        let native = rustls_native_certs::load_native_certs().certs;
        let native = native.into_iter().map(|der| Certificate::from_der(&der).to_owned());
        native.chain(self.own.iter().cloned()).collect::<Vec<_>>().into()
    }
}

fn answer(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

fn certificates(path: &PathBuf) -> Result<Vec<Certificate<'static>>, CaError> {
    let unread = |error| CaError::Io { path: path.clone(), error };
    let failed = |reason| CaError::Malformed { path: path.clone(), reason };
    let length = fs::metadata(path).map_err(unread)?.len();
    if length > CA_LIMIT {
        return Err(failed("it is too large"));
    }
    let pem = fs::read(path).map_err(unread)?;
    let items = parse_pem(&pem).collect::<Result<Vec<_>, _>>();
    let items = items.map_err(|_| failed("it is no PEM file"))?;
    let found = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(failed("it has no certificate; it wants lines such as `-----BEGIN CERTIFICATE-----`"));
    }
    Ok(found)
}
