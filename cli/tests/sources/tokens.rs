//! A token service as registries trust it (<https://distribution.github.io/distribution/spec/auth/jwt/>), and certificates.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pratique_testkit::daemons::{Between, Fault, say};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SigningKey};
use serde_json::json;

/// Sells tokens for one login.
pub(crate) struct TokenService {
    between: Between,
}

impl TokenService {
    /// Starts it, and writes the certificate that vouches for its tokens to `authority`.
    pub(crate) fn start(user: &str, password: &str, authority: &Path) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate =
            CertificateParams::new(Vec::new()).expect("names").self_signed(&key).expect("signed");
        fs::write(authority, certificate.pem()).expect("a file");
        let login = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let chain = STANDARD.encode(certificate.der());
        // Nothing stands behind it.
        let between = Between::new(1, move |seen| {
            if seen.header("authorization") != Some(&login) {
                return say("401 Unauthorized", "");
            }
            let body = json!({"token": token(&key, &chain), "expires_in": 300}).to_string();
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            Fault::Say(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}"))
        });
        Self { between }
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.between.port)
    }

    pub(crate) fn realm(&self) -> String {
        format!("http://{}/token", self.host())
    }

    /// How many tokens were asked for.
    pub(crate) fn sold(&self) -> usize {
        self.between.count("/token")
    }
}

/// A token for the repository of the tests.
fn token(key: &KeyPair, chain: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [chain]});
    let access = json!([{"type": "repository", "name": "shop/sample", "actions": ["pull", "push"]}]);
    let claims = json!({
        "iss": "tests", "sub": "me", "aud": "registry", "jti": "1", "access": access,
        "iat": now - 60, "nbf": now - 60, "exp": now + 3600,
    });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = key.sign(signed.as_bytes()).expect("signed");
    format!("{signed}.{}", encode(&both_numbers(&signature)))
}

/// The two numbers of an ECDSA signature in DER, as JWS has them: 32 bytes each (RFC 7518, section 3.4).
fn both_numbers(der: &[u8]) -> Vec<u8> {
    let (mut rest, mut numbers) = (&der[2..], Vec::new());
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let kept = &number[length.saturating_sub(32)..];
        numbers.extend(std::iter::repeat_n(0, 32 - kept.len()));
        numbers.extend_from_slice(kept);
        rest = &rest[2 + length..];
    }
    numbers
}

/// Writes the certificate of an authority, and one of it for 127.0.0.1 with its key.
pub(crate) fn certificates(authority: &Path, certificate: &Path, key: &Path) {
    let mut params = CertificateParams::new(Vec::new()).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = KeyPair::generate().expect("a key");
    fs::write(authority, params.self_signed(&own).expect("signed").pem()).expect("a file");
    let issuer = Issuer::new(params, own);
    let own = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("names");
    fs::write(certificate, leaf.signed_by(&own, &issuer).expect("signed").pem()).expect("a file");
    fs::write(key, own.serialize_pem()).expect("a file");
}
