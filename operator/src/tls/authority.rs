//! Pratique's own certificate authority, and the serving certificates it issues.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Certificates are valid from this long before they are made, so that a clock that lags accepts them.
const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// What went wrong with a certificate or key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// rustls refuses a key that was just made.
    #[error("a new key is not usable: {0}")]
    Key(#[from] rustls::Error),
    /// Stored bytes are no certificate authority.
    #[error("{0}")]
    Stored(String),
}

/// A CA certificate without its key: something to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The certificate, PEM.
    pub pem: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
}

impl Trusted {
    /// Reads one PEM certificate.
    ///
    /// # Errors
    /// If the text holds no certificate that can be parsed.
    pub fn from_pem(pem: &str) -> Result<Self, TlsError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| TlsError::Stored(format!("no certificate in PEM: {error}")))?;
        let certificate = parse(&der)?;
        let time = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp())
                .map_err(|error| TlsError::Stored(format!("a validity out of range: {error}")))
        };
        Ok(Self {
            pem: pem.to_owned(),
            not_before: time(certificate.validity().not_before)?,
            not_after: time(certificate.validity().not_after)?,
        })
    }

    /// Whether `now` lies in its validity.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

/// A CA certificate with its key (ECDSA P-256).
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    /// The certificate.
    pub certificate: Trusted,
    key_pem: String,
}

/// Keeps the key out of logs.
impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Authority {
    /// A new authority, valid for `lifetime` from `now`.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn new(lifetime: Duration, now: Timestamp) -> Result<Self, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = valid(now, later(now, lifetime));
        // Verifiers look for the issuer by name first; with a name of its own each is found at once.
        params.distinguished_name.push(DnType::CommonName, format!("Pratique CA {now:.0}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        Ok(Self { certificate: Trusted::from_pem(&certificate.pem())?, key_pem: key.serialize_pem() })
    }

    /// Reads an authority back.
    ///
    /// # Errors
    /// If one of the two is no PEM of its kind, the certificate is no CA's, or the key is another's.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, TlsError> {
        let certificate = Trusted::from_pem(certificate_pem)?;
        let key = KeyPair::from_pem(key_pem)
            .map_err(|error| TlsError::Stored(format!("the private key cannot be read: {error}")))?;
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|error| TlsError::Stored(format!("no certificate in PEM: {error}")))?;
        let parsed = parse(&der)?;
        if !parsed.is_ca() {
            return Err(TlsError::Stored("the certificate is no CA's".to_owned()));
        }
        if parsed.public_key().subject_public_key.data.as_ref() != key.der_bytes() {
            return Err(TlsError::Stored("the private key belongs to another certificate".to_owned()));
        }
        Ok(Self { certificate, key_pem: key_pem.to_owned() })
    }

    /// The private key, PEM (PKCS #8).
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Issues a serving certificate with a key of its own, valid for `lifetime` from `now` but not beyond the authority.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn issue(&self, names: &Names, lifetime: Duration, now: Timestamp) -> Result<Issued, TlsError> {
        let issuer = Issuer::from_ca_cert_pem(&self.certificate.pem, KeyPair::from_pem(&self.key_pem)?)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let not_after = later(now, lifetime).min(self.certificate.not_after);
        let mut params = valid(now, not_after);
        params.subject_alt_names = CertificateParams::new(names.all())?.subject_alt_names;
        params.distinguished_name.push(DnType::CommonName, "pratique-operator");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = CertifiedKey::from_der(vec![certificate.der().clone()], key, &provider())?;
        Ok(Issued { key: Arc::new(key), not_before: now, not_after, issuer: self.certificate.pem.clone() })
    }
}

/// A serving certificate with its key, in memory only.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What rustls serves.
    pub key: Arc<CertifiedKey>,
    /// When it was made.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// PEM of the CA certificate that signed it.
    pub issuer: String,
}

impl Issued {
    /// When it is to be replaced: after two thirds of its life.
    pub fn renew_at(&self) -> Timestamp {
        self.not_before + self.not_before.duration_until(self.not_after) * 2 / 3
    }
}

/// The names under which a replica is reached.
#[derive(Debug, Clone)]
pub struct Names {
    /// Services of the operator, such as `pratique-webhook`.
    pub services: Vec<String>,
    /// Their namespace.
    pub namespace: String,
    /// The pod's own address, to which followers and agents are directed.
    pub address: Option<IpAddr>,
}

impl Names {
    fn all(&self) -> Vec<String> {
        let services = self.services.iter().flat_map(|service| {
            let namespaced = format!("{service}.{}", self.namespace);
            [
                service.clone(),
                format!("{namespaced}.svc"),
                format!("{namespaced}.svc.cluster.local"),
                namespaced,
            ]
        });
        services.chain(self.address.map(|address| address.to_string())).collect()
    }
}

/// The cryptography everything here uses.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, TlsError> {
    X509Certificate::from_der(der)
        .map(|(_, certificate)| certificate)
        .map_err(|error| TlsError::Stored(format!("a certificate cannot be parsed: {error}")))
}

/// Parameters of a certificate made at `now`. rcgen speaks the `time` crate's types, to which it has a door of its own.
fn valid(now: Timestamp, not_after: Timestamp) -> CertificateParams {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = |time: Timestamp| Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0));
    let mut params = CertificateParams::default();
    params.not_before = epoch + since_epoch(now).saturating_sub(BACKDATED);
    params.not_after = epoch + since_epoch(not_after);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

/// `time` and `duration` later, in whole seconds, as certificates count.
pub(super) fn later(time: Timestamp, duration: Duration) -> Timestamp {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(time.as_second().saturating_add(seconds)).unwrap_or(Timestamp::MAX)
}
