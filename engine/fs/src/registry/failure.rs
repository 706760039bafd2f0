//! What went wrong with a registry, whether it may pass, and what to do about it.

use std::io;
use std::time::Duration;

use serde::Deserialize;

use super::retry;
use crate::Error;

/// Characters of foreign text in a message at most.
const SAID_LIMIT: usize = 300;

/// A request that brought nothing usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    /// What happened, in words. Holds no secret.
    pub(super) text: String,
    /// How long the registry wants to be left alone.
    pub(super) asked: Option<Duration>,
}

/// What sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An answer with this status.
    Status(u16),
    /// There is no such host.
    Lookup,
    /// Nobody listens.
    Refused,
    /// The certificate is not trusted.
    Certificate,
    /// What answered does not speak TLS.
    NotTls,
    /// No answer in time.
    Late,
    /// The connection broke.
    Broken,
    /// Anything that another try does not mend.
    Final,
}

impl Failure {
    pub(super) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), asked: None }
    }

    /// Puts who failed in front.
    pub(super) fn at(mut self, place: &str) -> Self {
        self.text = format!("{place}: {}", self.text);
        self
    }

    pub(super) fn may_pass(&self) -> bool {
        match self.kind {
            Kind::Status(status) => retry::may_pass(status),
            Kind::Refused | Kind::Late | Kind::Broken => true,
            Kind::Lookup | Kind::Certificate | Kind::NotTls | Kind::Final => false,
        }
    }

    /// The error for people: what was asked of whom, what happened, what to do.
    pub(super) fn into_error(self, registry: &str, asked: &str, logins: &str) -> Error {
        let status = match self.kind {
            Kind::Status(status) => Some(status),
            _ => None,
        };
        let reason = format!("{}{}", self.text, advice(self.kind, registry, logins));
        Error::Registry { registry: registry.to_owned(), asked: asked.to_owned(), status, reason }
    }
}

fn advice(kind: Kind, registry: &str, logins: &str) -> String {
    let files = if logins.is_empty() { String::new() } else { format!(" (login files: {logins})") };
    match kind {
        Kind::Status(401 | 403) => {
            format!(
                "; log in with `docker login {registry}` or `podman login {registry}`{files}, or check the name"
            )
        }
        Kind::Status(404) => "; there is no such thing there, or this login may not see it".to_owned(),
        Kind::Status(429) => "; its rate limit is reached: log in, wait, or name a mirror".to_owned(),
        Kind::Status(_) => String::new(),
        Kind::Lookup => "; check the name, and the machine's DNS or proxy".to_owned(),
        Kind::Refused => format!("; check host and port, and whether {registry} runs"),
        Kind::Certificate => {
            format!("; name the authority of {registry} as a CA file, or {registry} as an insecure registry")
        }
        Kind::NotTls => {
            format!("; if {registry} is meant to speak plain HTTP, name it as an insecure registry")
        }
        Kind::Late => "; check network and proxy".to_owned(),
        Kind::Broken | Kind::Final => String::new(),
    }
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Io(error) => Self::from(error),
            ureq::Error::Rustls(error) => of_tls(&error),
            ureq::Error::Timeout(_) => Self::new(Kind::Late, "no answer in time"),
            ureq::Error::HostNotFound => Self::new(Kind::Lookup, "there is no such host"),
            // This may quote the proxy's URL, with its password.
            ureq::Error::InvalidProxyUrl => Self::new(Kind::Final, "the proxy's URL is malformed"),
            ureq::Error::ConnectProxyFailed(reason) => {
                Self::new(Kind::Final, format!("the proxy does not let it through: {}", plain(&reason)))
            }
            ureq::Error::Protocol(error) => Self::new(
                Kind::Broken,
                format!("the answer is no proper HTTP: {}", plain(&error.to_string())),
            ),
            other => Self::new(Kind::Broken, plain(&other.to_string())),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if let Some(inner) = error.get_ref() {
            if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                return of_tls(tls);
            }
            if inner.is::<ureq::Error>() {
                return Self::from(ureq::Error::from(error));
            }
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::new(Kind::Refused, "the connection was refused"),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::new(Kind::Late, "no answer in time"),
            io::ErrorKind::UnexpectedEof => Self::new(Kind::Broken, "the connection broke off"),
            // The standard library has no kind for what the resolver says.
            _ if error.to_string().contains("failed to lookup address") => {
                Self::new(Kind::Lookup, plain(&error.to_string()))
            }
            _ => Self::new(Kind::Broken, plain(&error.to_string())),
        }
    }
}

fn of_tls(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InvalidCertificate(reason) => Failure::new(
            Kind::Certificate,
            format!("its certificate is not trusted: {}", plain(&reason.to_string())),
        ),
        rustls::Error::InvalidMessage(_) => Failure::new(Kind::NotTls, "what answers does not speak TLS"),
        other => Failure::new(Kind::Final, format!("TLS failed: {}", plain(&other.to_string()))),
    }
}

/// The body of a registry's error
/// (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>).
#[derive(Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

/// What a registry says in the body of an error, on one bounded line; empty if it is not in the specified form.
pub fn said(body: &[u8]) -> String {
    let Ok(Errors { errors }) = serde_json::from_slice::<Errors>(body) else { return String::new() };
    let each =
        errors.iter().take(3).map(|error| match error.message.as_deref().filter(|text| !text.is_empty()) {
            Some(message) => format!("{}: {message}", error.code),
            None => error.code.clone(),
        });
    plain(&each.collect::<Vec<_>>().join("; "))
}

/// Foreign text on one line, without control characters, bounded.
pub(super) fn plain(text: &str) -> String {
    let mut line: String =
        text.chars().take(SAID_LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SAID_LIMIT).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_registries_say_is_shown_on_one_bounded_line() {
        let body = br#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository\nname not known\u001b[31m","detail":{"name":"x"}},
            {"code":"DENIED","message":null}]}"#;
        assert_eq!(said(body), "NAME_UNKNOWN: repository name not known [31m; DENIED");
        for other in [&b"<html>"[..], b"", b"[]", br#"{"errors":null}"#, b"\xff"] {
            assert_eq!(said(other), "");
        }
        let long = format!(r#"{{"errors":[{{"code":"X","message":"{}"}}]}}"#, "é".repeat(10_000));
        assert_eq!(said(long.as_bytes()).chars().count(), SAID_LIMIT + 1);
    }

    #[test]
    fn errors_say_what_to_do() {
        let text =
            |kind| Failure::new(kind, "x").into_error("r.example", "tags of a", "/h/config.json").to_string();
        for (kind, advice) in [
            (Kind::Status(401), "docker login r.example"),
            (Kind::Status(403), "/h/config.json"),
            (Kind::Status(404), "no such thing"),
            (Kind::Status(429), "rate limit"),
            (Kind::Certificate, "CA file"),
            (Kind::NotTls, "insecure registry"),
            (Kind::Lookup, "DNS"),
            (Kind::Refused, "host and port"),
            (Kind::Late, "proxy"),
        ] {
            let text = text(kind);
            assert!(
                text.contains(advice) && text.contains("r.example") && text.contains("tags of a"),
                "{text}"
            );
        }
    }

    #[test]
    fn io_errors_are_told_apart() {
        let of = |kind: io::ErrorKind| Failure::from(io::Error::from(kind)).kind;
        assert_eq!(of(io::ErrorKind::ConnectionRefused), Kind::Refused);
        assert_eq!(of(io::ErrorKind::TimedOut), Kind::Late);
        assert_eq!(of(io::ErrorKind::ConnectionReset), Kind::Broken);
        let lookup = io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(Failure::from(lookup).kind, Kind::Lookup);
        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, untrusted);
        assert_eq!(Failure::from(wrapped).kind, Kind::Certificate);
        let late = io::Error::other(ureq::Error::Timeout(ureq::Timeout::PerRead));
        assert_eq!(Failure::from(late).kind, Kind::Late);
    }
}
