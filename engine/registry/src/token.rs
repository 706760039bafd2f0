//! Access tokens: bought from the service that a registry names.
//!
//! <https://distribution.github.io/distribution/spec/auth/token/> and, for identity tokens,
//! <https://distribution.github.io/distribution/spec/auth/oauth/>.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pratique_http::{Failure, Kind, Origin, Transport, Uri, encode};
use serde::Deserialize;

use crate::challenge::Challenge;
use crate::failure::said;
use crate::login::Credential;

/// Bytes of a token service's answer at most.
const ANSWER_LIMIT: u64 = 1 << 20;
/// How long a token is good that does not say so.
const USUAL_LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What goes with requests to one repository.
#[derive(Clone)]
pub(crate) struct Grant {
    /// The `Authorization` header.
    pub(crate) header: String,
    /// What must not be shown should a registry repeat it.
    secrets: Vec<String>,
    /// When it is to be bought anew, and by what challenge; none if it lasts.
    expiry: Option<(Instant, Challenge)>,
}

impl Grant {
    /// User and password.
    pub(crate) fn basic(user: &str, password: &str) -> Self {
        let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let header = format!("Basic {encoded}");
        Self { header, secrets: vec![encoded, password.to_owned()], expiry: None }
    }

    /// A token that is used as it is.
    pub(crate) fn bearer(token: &str) -> Self {
        Self { header: format!("Bearer {token}"), secrets: vec![token.to_owned()], expiry: None }
    }

    /// The challenge to answer anew, once this has expired.
    pub(crate) fn expired(&self, now: Instant) -> Option<&Challenge> {
        self.expiry.as_ref().filter(|(until, _)| *until <= now).map(|(_, challenge)| challenge)
    }

    /// A text without the secrets.
    pub(crate) fn withhold(&self, text: String) -> String {
        withhold(text, &self.secrets)
    }
}

fn withhold(text: String, secrets: &[String]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| text.replace(secret, "(withheld)"))
}

#[derive(Deserialize)]
struct Bought {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<f64>,
}

/// Buys a token. `credential` is what the registry's login is; none: anonymously.
pub(crate) fn buy(
    transport: &Transport,
    challenge: &Challenge,
    usual_scope: &str,
    credential: Option<&Credential>,
) -> Result<Grant, Failure> {
    let Challenge::Bearer { realm, service, scope } = challenge else {
        return Err(Failure::new(Kind::Final, "no token answers its challenge"));
    };
    let scope = if scope.is_empty() { usual_scope } else { scope };
    let uri: Option<Uri> = realm.parse().ok();
    let Some((uri, origin)) = uri.and_then(|uri| Origin::of(&uri).map(|origin| (uri, origin))) else {
        return Err(Failure::new(Kind::Final, "its token service's address is no http or https URL"));
    };
    let place = format!("token service {}", origin.host);
    let query = |first: String| {
        let given = [("service", service.as_str()), ("scope", scope)];
        let given = given.iter().filter(|(_, value)| !value.is_empty());
        given.fold(first, |query, (name, value)| format!("{query}&{name}={}", encode(value)))
    };
    let (answer, secrets) = match credential {
        Some(Credential::Identity(token)) => {
            let form =
                query(format!("grant_type=refresh_token&client_id=pratique&refresh_token={}", encode(token)));
            (transport.post(&uri, form), vec![token.clone(), encode(token)])
        }
        Some(Credential::Password { user, password }) => {
            let grant = Grant::basic(user, password);
            let asked = with_query(&uri, &query(format!("account={}", encode(user))))?;
            (transport.get(&asked, &[], Some(&grant.header)), grant.secrets)
        }
        Some(Credential::Bearer(_)) | None => {
            let asked = with_query(&uri, query(String::new()).trim_start_matches('&'))?;
            (transport.get(&asked, &[], None), Vec::new())
        }
    };
    let answer = answer.map_err(|failure| failure.at(&place))?;
    let status = answer.status;
    let bytes = answer.bytes(ANSWER_LIMIT).map_err(|failure| failure.at(&place))?;
    if status != 200 {
        let text = withhold(said(&bytes), &secrets);
        return Err(Failure::new(Kind::Status(status), format!("{place}: {status} {text}").trim_end()));
    }
    let (token, life) =
        parse(&bytes).map_err(|reason| Failure::new(Kind::Final, format!("{place}: {reason}")))?;
    let expiry = Some((Instant::now() + life, challenge.clone()));
    Ok(Grant { expiry, ..Grant::bearer(&token) })
}

fn with_query(uri: &Uri, query: &str) -> Result<Uri, Failure> {
    let glue = if uri.query().is_some() { '&' } else { '?' };
    let whole = format!("{uri}{glue}{query}");
    whole.parse().map_err(|_| Failure::new(Kind::Final, "its token service's address is too long"))
}

/// The token of an answer, and how long to use it: nine tenths of its life.
pub fn parse(bytes: &[u8]) -> Result<(String, Duration), &'static str> {
    let bought: Bought = serde_json::from_slice(bytes).map_err(|_| "its answer is no token")?;
    let token = bought.token.filter(|token| !token.is_empty()).or(bought.access_token).unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("its answer holds no token that a header could carry");
    }
    let life = bought.expires_in.filter(|seconds| *seconds > 0.0).map_or(USUAL_LIFE, |seconds| {
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_LIFE).min(LONGEST_LIFE)
    });
    Ok((token, life.mul_f64(0.9)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_under_both_names_with_their_life() {
        let of = |text: &str| parse(text.as_bytes()).unwrap();
        let token = |seconds| ("t".to_owned(), Duration::from_secs(seconds));
        assert_eq!(of(r#"{"token":"t","expires_in":300}"#), token(270));
        assert_eq!(of(r#"{"access_token":"t"}"#), token(54));
        assert_eq!(of(r#"{"token":"","access_token":"t","expires_in":0}"#), token(54));
        assert_eq!(of(r#"{"token":"t","expires_in":1e300}"#), token(24 * 3600 * 9 / 10));
        assert_eq!(of(r#"{"token":"t","expires_in":-5}"#), token(54));
    }

    #[test]
    fn an_answer_cannot_put_anything_but_a_token_into_the_header() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"token":"a b"}"#,
            r#"{"token":"a\r\nx: y"}"#,
            r#"{"token":"é"}"#,
            r#"{"token":1}"#,
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(!error.contains("a b"), "{text}");
        }
    }

    #[test]
    fn what_a_registry_repeats_of_a_secret_is_withheld() {
        let grant = Grant::basic("me", "hush");
        let encoded = BASE64_STANDARD.encode("me:hush");
        let shown = grant.withhold(format!("bad login hush, header {}, {encoded}", grant.header));
        assert!(!shown.contains("hush") && !shown.contains(&encoded), "{shown}");
    }
}
