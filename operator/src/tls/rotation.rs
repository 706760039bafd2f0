//! When the certificate authority changes, and how without anyone losing trust.
//!
//! ```text
//! signing A ──4/5 of its life──► signing A, next B ──an hour──► signing B, previous A ──A expires──► signing B
//! trusted:  A                    A B                            B A                                  B
//! ```
//!
//! Whoever connects has learned to trust B before anything signed by B is served, and trusts A as long as it is valid.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;

use super::authority::{Authority, TlsError, Trusted, later};

/// How long the next authority is published before it signs. A kubelet brings a changed ConfigMap into a pod within two
/// minutes.
const PUBLISHED: Duration = Duration::from_secs(3600);

/// The authorities in force, as they lie in the Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// Signs serving certificates.
    pub signing: Authority,
    /// Will sign; already trusted.
    pub next: Option<Authority>,
    /// Signed until lately; still trusted.
    pub previous: Option<Trusted>,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// There is no usable authority: make one.
    Create,
    /// Make the next authority and let it be known.
    Prepare,
    /// The next authority is known: it signs from now on.
    Promote,
    /// The previous authority has expired: forget it.
    Retire,
}

/// Decides what to do at `now`.
pub fn step(authorities: Option<&Authorities>, now: Timestamp) -> Step {
    let Some(Authorities { signing, next, previous }) = authorities else { return Step::Create };
    let expired = now >= signing.certificate.not_after;
    match next {
        Some(next) if next.certificate.is_valid(now) => {
            if expired || now >= later(next.certificate.not_before, PUBLISHED) {
                return Step::Promote;
            }
        }
        _ if expired => return Step::Create,
        Some(_) => return Step::Prepare,
        None => {
            let life = signing.certificate.not_before.duration_until(signing.certificate.not_after);
            if now >= signing.certificate.not_before + life * 4 / 5 {
                return Step::Prepare;
            }
        }
    }
    match previous {
        Some(previous) if now >= previous.not_after => Step::Retire,
        _ => Step::Keep,
    }
}

/// Takes a step. New authorities are valid for `lifetime`. Returns what was given if there is nothing to do.
///
/// # Errors
/// If no authority can be made.
pub fn advance(
    authorities: Option<Authorities>,
    lifetime: Duration,
    now: Timestamp,
) -> Result<Authorities, TlsError> {
    let step = step(authorities.as_ref(), now);
    let Some(mut authorities) = authorities.filter(|_| step != Step::Create) else {
        return Ok(Authorities { signing: Authority::new(lifetime, now)?, next: None, previous: None });
    };
    match step {
        Step::Keep | Step::Create => {}
        Step::Prepare => authorities.next = Some(Authority::new(lifetime, now)?),
        Step::Promote => {
            if let Some(next) = authorities.next.take() {
                let old = std::mem::replace(&mut authorities.signing, next);
                authorities.previous = Some(old.certificate);
            }
        }
        Step::Retire => authorities.previous = None,
    }
    Ok(authorities)
}

impl Authorities {
    /// All certificates to be trusted, PEM, the signing one first.
    pub fn bundle(&self) -> String {
        let others = self.next.iter().map(|next| &next.certificate).chain(&self.previous);
        std::iter::once(&self.signing.certificate)
            .chain(others)
            .map(|trusted| format!("{}\n", trusted.pem.trim_end()))
            .collect()
    }

    /// Reads the Secret's data.
    ///
    /// # Errors
    /// If the signing authority is missing or broken. A broken next or previous one counts as absent: the rotation makes
    /// another.
    pub fn from_secret(data: &BTreeMap<String, ByteString>) -> Result<Self, TlsError> {
        let text = |key: &str| data.get(key).and_then(|bytes| std::str::from_utf8(&bytes.0).ok());
        let required = |key: &str| {
            text(key).ok_or_else(|| TlsError::Stored(format!("the entry `{key}` is missing or no text")))
        };
        Ok(Self {
            signing: Authority::from_pem(required("tls.crt")?, required("tls.key")?)?,
            next: text("next.crt")
                .zip(text("next.key"))
                .and_then(|(certificate, key)| Authority::from_pem(certificate, key).ok()),
            previous: text("previous.crt").and_then(|pem| Trusted::from_pem(pem).ok()),
        })
    }

    /// The Secret's data.
    pub fn to_secret(&self) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::new();
        let mut put = |key: &str, text: &str| {
            data.insert(key.to_owned(), ByteString(text.as_bytes().to_vec()));
        };
        put("tls.crt", &self.signing.certificate.pem);
        put("tls.key", self.signing.key_pem());
        if let Some(next) = &self.next {
            put("next.crt", &next.certificate.pem);
            put("next.key", next.key_pem());
        }
        if let Some(previous) = &self.previous {
            put("previous.crt", &previous.pem);
        }
        data
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(days: u32, hours: u32) -> Timestamp {
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        later(start, DAY * days + Duration::from_secs(3600) * hours)
    }

    #[test]
    fn a_rotation_never_serves_what_is_not_yet_trusted() {
        let life = DAY * 100;
        let first = advance(None, life, at(0, 0)).unwrap();
        assert_eq!(step(Some(&first), at(79, 0)), Step::Keep);

        let prepared = advance(Some(first.clone()), life, at(81, 0)).unwrap();
        assert_eq!(prepared.signing, first.signing, "the old one goes on signing");
        let second = prepared.next.clone().unwrap();
        assert_eq!(prepared.bundle(), format!("{}{}", first.signing.certificate.pem, second.certificate.pem));
        assert_eq!(step(Some(&prepared), at(81, 0)), Step::Keep);

        let promoted = advance(Some(prepared), life, at(81, 2)).unwrap();
        assert_eq!(promoted.signing, second);
        assert_eq!(promoted.previous.as_ref(), Some(&first.signing.certificate), "the old one stays trusted");
        assert_eq!(step(Some(&promoted), at(99, 0)), Step::Keep);

        let retired = advance(Some(promoted), life, at(101, 0)).unwrap();
        assert_eq!(retired, Authorities { signing: second, next: None, previous: None });
    }

    #[test]
    fn an_authority_that_expired_unseen_is_replaced_at_once() {
        let life = DAY * 10;
        let first = advance(None, life, at(0, 0)).unwrap();
        assert_eq!(step(Some(&first), at(11, 0)), Step::Create);
        let prepared = advance(Some(first), life, at(8, 1)).unwrap();
        assert_eq!(step(Some(&prepared), at(11, 0)), Step::Promote, "a next one that is valid takes over");
        assert_eq!(step(Some(&prepared), at(30, 0)), Step::Create);
    }

    #[test]
    fn a_secret_gives_back_what_was_written() {
        let life = DAY * 100;
        let mut authorities = advance(None, life, at(0, 0)).unwrap();
        for now in [at(81, 0), at(81, 2), at(162, 0)] {
            assert_eq!(Authorities::from_secret(&authorities.to_secret()).unwrap(), authorities);
            authorities = advance(Some(authorities), life, now).unwrap();
        }
        assert!(authorities.next.is_some() && authorities.previous.is_some());
        assert_eq!(Authorities::from_secret(&authorities.to_secret()).unwrap(), authorities);
    }

    #[test]
    fn a_damaged_secret_is_an_error_that_names_the_damage() {
        let good = advance(None, DAY, at(0, 0)).unwrap().to_secret();
        let other = advance(None, DAY, at(0, 0)).unwrap().to_secret();
        let with = |key: &str, value: Option<ByteString>| {
            let mut data = good.clone();
            match value {
                Some(value) => data.insert(key.to_owned(), value),
                None => data.remove(key),
            };
            Authorities::from_secret(&data).unwrap_err().to_string()
        };
        assert!(with("tls.key", None).contains("`tls.key` is missing"));
        assert!(with("tls.crt", Some(ByteString(b"hello".to_vec()))).contains("no certificate"));
        assert!(with("tls.key", other.get("tls.key").cloned()).contains("another certificate"));
    }
}
