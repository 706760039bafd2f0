//! What the broker shows the operator, and what it checks the operator's certificate against. Both lie in files that
//! the kubelet replaces, and are read again for every connection.

use std::path::{Path, PathBuf};

use tonic::metadata::Ascii;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, ClientTlsConfig};

/// Largest token or certificate file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Where token and certificates lie.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The projected service-account token.
    pub token_file: PathBuf,
    /// PEM certificates: one, or two while they are rotated.
    pub ca_file: PathBuf,
}

/// Why they cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("{path}: {source}; is the {what} mounted?")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file's content is of no use.
    #[error("{path} holds no {what}")]
    Empty {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
}

impl Credentials {
    /// The value of the `authorization` entry. It is marked sensitive, so that nothing logs it.
    ///
    /// # Errors
    /// The token is missing or no token.
    pub fn authorization(&self) -> Result<MetadataValue<Ascii>, CredentialsError> {
        let what = "service-account token";
        let token = read(&self.token_file, what)?;
        let empty = || CredentialsError::Empty { path: self.token_file.clone(), what };
        let token = token.trim();
        if token.is_empty() {
            return Err(empty());
        }
        let mut value = MetadataValue::try_from(format!("Bearer {token}")).map_err(|_| empty())?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// TLS that trusts these certificates alone and wants `name` in the operator's.
    ///
    /// # Errors
    /// The certificates are missing.
    pub fn tls(&self, name: &str) -> Result<ClientTlsConfig, CredentialsError> {
        let what = "certificate of the operator's own authority";
        let pem = read(&self.ca_file, what)?;
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(CredentialsError::Empty { path: self.ca_file.clone(), what });
        }
        Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)).domain_name(name))
    }
}

fn read(path: &Path, what: &'static str) -> Result<String, CredentialsError> {
    let unreadable = |source| CredentialsError::Unreadable { path: path.to_owned(), what, source };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_FILE {
        return Err(unreadable(std::io::Error::other("it is longer than 1 MiB")));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_token_is_seen_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let credentials =
            Credentials { token_file: folder.path().join("token"), ca_file: folder.path().join("ca.crt") };
        let error = credentials.authorization().unwrap_err().to_string();
        assert!(error.contains("token") && error.contains("mounted"), "{error}");
        for token in ["first", "second\n"] {
            std::fs::write(&credentials.token_file, token).unwrap();
            let value = credentials.authorization().unwrap();
            assert_eq!(value.to_str().unwrap(), format!("Bearer {}", token.trim()));
            assert!(!format!("{value:?}").contains(token.trim()));
        }
        std::fs::write(&credentials.token_file, " \n").unwrap();
        assert!(credentials.authorization().is_err());
        std::fs::write(&credentials.ca_file, "no certificate").unwrap();
        assert!(credentials.tls("x").is_err());
    }
}
