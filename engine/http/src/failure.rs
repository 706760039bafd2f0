//! What went wrong with a request, and whether it may pass.

use std::io;
use std::time::Duration;

use crate::retry;

/// Characters of foreign text in a message at most.
const SAID_LIMIT: usize = 300;

/// A request that brought nothing usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What sort of failure.
    pub kind: Kind,
    /// What happened, in words. Holds no secret.
    pub text: String,
    /// How long the registry wants to be left alone.
    pub asked: Option<Duration>,
}

/// What sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An answer with this status.
    Status(u16),
    /// There is no such host.
    Lookup,
    /// Nobody listens, or there is no way there.
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
    /// A failure that asks for no pause.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), asked: None }
    }

    /// Puts who failed in front.
    pub fn at(mut self, place: &str) -> Self {
        self.text = format!("{place}: {}", self.text);
        self
    }

    /// Whether another try may succeed.
    pub fn may_pass(&self) -> bool {
        match self.kind {
            Kind::Status(status) => retry::may_pass(status),
            Kind::Refused | Kind::Late | Kind::Broken => true,
            Kind::Lookup | Kind::Certificate | Kind::NotTls | Kind::Final => false,
        }
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
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                Self::new(Kind::Refused, "there is no way through the network")
            }
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

/// Foreign text on one line, without control characters, bounded.
pub fn plain(text: &str) -> String {
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
    fn io_errors_are_told_apart() {
        let of = |kind: io::ErrorKind| Failure::from(io::Error::from(kind)).kind;
        assert_eq!(of(io::ErrorKind::ConnectionRefused), Kind::Refused);
        assert_eq!(of(io::ErrorKind::NetworkUnreachable), Kind::Refused);
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
