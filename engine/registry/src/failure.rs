//! What registries say of a failure, and what to do about it.

use pratique_http::{CaError, Failure, Kind, plain};
use serde::Deserialize;

/// Why a registry could not be asked, or did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It did not give what it was asked for.
    #[error("registry {registry}: {asked}: {reason}")]
    Request {
        /// Host and port.
        registry: String,
        /// What was asked for.
        asked: String,
        /// Status of its answer, if there was one.
        status: Option<u16>,
        /// What it said, and what to do.
        reason: String,
    },
    /// A manifest does not have the digest it is named by.
    #[error(
        "{what} has another digest than it is named by: wanted {wanted}, got {got}; it was changed or damaged"
    )]
    DigestMismatch {
        /// What was read.
        what: String,
        /// Digest it should have.
        wanted: String,
        /// Digest it has.
        got: String,
    },
    /// What names a place or a content is no name.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// What was read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of certificate authorities cannot be used.
    #[error(transparent)]
    Ca(#[from] CaError),
}

/// The error for people: what was asked of whom, what happened, what to do.
pub(crate) fn into_error(failure: Failure, registry: &str, asked: &str, logins: &str) -> Error {
    let status = match failure.kind {
        Kind::Status(status) => Some(status),
        _ => None,
    };
    let reason = format!("{}{}", failure.text, advice(failure.kind, registry, logins));
    Error::Request { registry: registry.to_owned(), asked: asked.to_owned(), status, reason }
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
        assert_eq!(said(long.as_bytes()).chars().count(), 301);
    }

    #[test]
    fn errors_say_what_to_do() {
        let text = |kind| {
            into_error(Failure::new(kind, "x"), "r.example", "tags of a", "/h/config.json").to_string()
        };
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
}
