//! One file over HTTP: asked for only if it changed, taken up where it broke off, compared with the checksums that its
//! server names.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pratique_http::{
    Answer, CaError, Failure, Kind, RetryPolicy, Stream, Transport, TransportOptions, Uri, content_range,
    retry_after,
};
use pratique_registry::{Logins, Mirror, RegistryOptions};
use sha2::{Digest as _, Sha256};

use super::FetchError;

/// Bytes after which earlier failures are forgotten.
const PROGRESS: u64 = 1 << 20;

/// What is going on, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// Bytes have come.
    Fetching {
        /// The address.
        address: &'a str,
        /// Bytes had.
        had: u64,
        /// Bytes in all, if that is known.
        whole: Option<u64>,
    },
    /// The database is being built.
    Building,
}

/// A small file, and what names its content.
pub(super) type Content = (Vec<u8>, Option<String>);

/// Asks servers.
pub struct Client<'a> {
    options: TransportOptions,
    transport: Transport,
    retry: RetryPolicy,
    logins: Logins,
    mirrors: Vec<Mirror>,
    /// Told how far things are.
    pub progress: &'a dyn Fn(Progress<'_>),
}

/// What asking for a file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Got {
    /// It is as it was.
    Unchanged,
    /// It is in its file now, and this names its content.
    New(Option<String>),
}

/// Why a try ended.
enum Trouble {
    Failure(Failure),
    /// This machine's fault or the content's: no other try helps.
    Final(FetchError),
}

impl<E: Into<Failure>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

impl<'a> Client<'a> {
    /// A client that knows no logins and mirrors of registries; nothing is asked yet.
    ///
    /// # Errors
    /// If a CA file cannot be used.
    pub fn new(
        options: TransportOptions,
        retry: RetryPolicy,
        progress: &'a dyn Fn(Progress<'_>),
    ) -> Result<Self, CaError> {
        let transport = Transport::new(options.clone())?;
        Ok(Self { options, transport, retry, logins: Logins::default(), mirrors: Vec::new(), progress })
    }

    /// With these logins and mirrors of registries.
    #[must_use]
    pub fn for_registries(self, logins: Logins, mirrors: Vec<Mirror>) -> Self {
        Self { logins, mirrors, ..self }
    }

    /// The same for registries.
    pub(super) fn registries(&self) -> pratique_registry::Result<pratique_registry::Client> {
        let TransportOptions { proxies, insecure, ca_files, patience } = self.options.clone();
        pratique_registry::Client::new(RegistryOptions {
            insecure,
            mirrors: self.mirrors.clone(),
            ca_files,
            logins: self.logins.clone(),
            proxies,
            retry: self.retry,
            patience,
        })
    }

    /// Reads a small file whole: none if it is as `etag` says. With it comes what names its content.
    pub(super) fn read(
        &self,
        address: &str,
        etag: Option<&str>,
        limit: u64,
    ) -> Result<Option<Content>, FetchError> {
        self.persevere(address, |_| {
            let headers: Vec<_> = etag.iter().map(|etag| ("if-none-match", *etag)).collect();
            let answer = self.ask(address, &headers)?;
            if answer.status == 304 {
                return Ok(None);
            }
            let named = answer.header("etag").map(str::to_owned);
            let sums = Sums::of(&answer);
            let whole = answer.header("content-length").and_then(|length| length.parse::<u64>().ok());
            let bytes = answer.bytes(limit)?;
            if whole.is_some_and(|whole| whole != bytes.len() as u64) {
                return Err(Failure::new(Kind::Broken, "it broke off").into());
            }
            sums.check(address, &mut bytes.as_slice()).map_err(Trouble::Final)?;
            Ok(Some((bytes, named)))
        })
    }

    /// Fetches into `file`, which holds what an earlier try left, if it did. On success it is whole; otherwise what came is
    /// left for the next try, unless it is wrong or the disk is full.
    pub(super) fn fetch(
        &self,
        address: &str,
        known: Option<&str>,
        file: &Path,
        limit: u64,
    ) -> Result<Got, FetchError> {
        let result = self.persevere(address, |had| self.step(address, known, file, limit, had));
        if matches!(&result, Err(FetchError::Refused { .. } | FetchError::Io { .. })) {
            let _ = fs::remove_file(file);
        }
        if !matches!(&result, Err(FetchError::Request { .. })) {
            let _ = fs::remove_file(beside(file));
        }
        result
    }

    fn step(
        &self,
        address: &str,
        known: Option<&str>,
        file: &Path,
        limit: u64,
        came: &mut u64,
    ) -> Result<Got, Trouble> {
        let failed = |error| Trouble::Final(FetchError::io(file)(error));
        let named = fs::read_to_string(beside(file)).ok();
        let at = named.as_ref().and(fs::metadata(file).ok()).map_or(0, |metadata| metadata.len());
        let range = format!("bytes={at}-");
        let headers = match (&named, known) {
            (Some(named), _) if at > 0 => vec![("range", range.as_str()), ("if-range", named.as_str())],
            (_, Some(known)) => vec![("if-none-match", known)],
            _ => Vec::new(),
        };
        let answer = match self.ask(address, &headers) {
            Err(Failure { kind: Kind::Status(416), .. }) if at > 0 => {
                let _ = fs::remove_file(beside(file));
                return Err(
                    Failure::new(Kind::Broken, "it has nothing after what an earlier try left").into()
                );
            }
            answer => answer?,
        };
        if answer.status == 304 {
            return Ok(Got::Unchanged);
        }
        let (start, whole) = if answer.status == 206 {
            let range =
                answer.header("content-range").and_then(content_range).filter(|range| range.start == at);
            let range = range.ok_or_else(|| {
                Failure::new(Kind::Broken, "it answered with another range than was asked for")
            });
            if range.is_err() {
                let _ = fs::remove_file(beside(file));
            }
            (at, range?.whole)
        } else {
            (0, answer.header("content-length").and_then(|length| length.parse().ok()))
        };
        let etag = answer.header("etag").map(str::to_owned);
        // Only strong ones name every byte.
        match etag.as_ref().filter(|etag| etag.starts_with('"')) {
            Some(strong) => fs::write(beside(file), strong).map_err(failed)?,
            None => drop(fs::remove_file(beside(file))),
        }
        let sums = Sums::of(&answer);
        let mut out =
            OpenOptions::new().create(true).write(true).truncate(false).open(file).map_err(failed)?;
        out.set_len(start).map_err(failed)?;
        io::Seek::seek(&mut out, io::SeekFrom::Start(start)).map_err(failed)?;
        let mut stream = Stream::new(answer, self.options.patience.stall);
        let mut buffer = vec![0; 256 << 10];
        let mut had = start;
        loop {
            (self.progress)(Progress::Fetching { address, had, whole });
            let read = match stream.read(&mut buffer)? {
                0 => break,
                read => read,
            };
            had += read as u64;
            *came += read as u64;
            if had > limit || whole.is_some_and(|whole| had > whole) {
                return Err(Trouble::Final(FetchError::refused(
                    address,
                    format!("it has more than {} bytes", whole.unwrap_or(limit).min(limit)),
                )));
            }
            out.write_all(&buffer[..read]).map_err(failed)?;
        }
        if let Some(whole) = whole.filter(|whole| had < *whole) {
            return Err(
                Failure::new(Kind::Broken, format!("it broke off after {had} of {whole} bytes")).into()
            );
        }
        out.sync_all().map_err(failed)?;
        let mut written = File::open(file).map_err(failed)?;
        sums.check(address, &mut written).map_err(Trouble::Final)?;
        Ok(Got::New(etag))
    }

    /// Asks once; any status but success is a failure.
    fn ask(&self, address: &str, headers: &[(&str, &str)]) -> Result<Answer, Failure> {
        let uri: Uri = address.parse().map_err(|_| Failure::new(Kind::Final, "it makes no URL"))?;
        let answer = self.transport.get(&uri, headers, None)?;
        if matches!(answer.status, 200 | 206 | 304) {
            return Ok(answer);
        }
        let asked = answer.header("retry-after").and_then(retry_after);
        let wait = asked.map(|asked| format!("; it says to try again in {} s", asked.as_secs()));
        let name = pratique_http::StatusCode::from_u16(answer.status).ok();
        let name = name.and_then(|status| status.canonical_reason()).unwrap_or("unknown status");
        let text = format!("it answered {} {name}{}", answer.status, wait.unwrap_or_default());
        Err(Failure { kind: Kind::Status(answer.status), text, asked })
    }

    /// Tries until it succeeds, or there is no sense in it any more. Where nobody answers there is none: a machine
    /// without network is told so at once.
    fn persevere<T>(
        &self,
        address: &str,
        mut ask: impl FnMut(&mut u64) -> Result<T, Trouble>,
    ) -> Result<T, FetchError> {
        let (mut failed, mut reached) = (0, false);
        loop {
            let mut came = 0;
            let failure = match ask(&mut came) {
                Ok(found) => return Ok(found),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Failure(failure)) => failure,
            };
            let answered = matches!(failure.kind, Kind::Status(_));
            reached |= answered || came > 0;
            failed = if came >= PROGRESS { 1 } else { failed + 1 };
            let again = failure.may_pass() && (reached || failure.kind == Kind::Broken);
            let pause = self.retry.pause(failed, failure.asked, fastrand::f64()).filter(|_| again);
            let Some(pause) = pause else {
                return Err(FetchError::Request {
                    address: address.to_owned(),
                    reason: failure.text,
                    answered: matches!(failure.kind, Kind::Status(status) if status < 500 && status != 429),
                });
            };
            thread::sleep(pause);
        }
    }
}

/// Where the name of a half-fetched file's content is kept.
pub(super) fn beside(file: &Path) -> PathBuf {
    file.with_extension("etag")
}

/// Checksums of the whole that a server names: `Repr-Digest` (<https://www.rfc-editor.org/rfc/rfc9530>), and
/// `x-goog-hash` of the store where OSV keeps its export.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    sha256: Option<Vec<u8>>,
    md5: Option<Vec<u8>>,
}

impl Sums {
    fn of(answer: &Answer) -> Self {
        let all = |name: &str| {
            let values = answer.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).map(|value| value.trim().to_owned()).collect::<Vec<_>>()
        };
        let find = |values: &[String], start: &str| {
            let text = values.iter().find_map(|value| value.strip_prefix(start))?;
            BASE64_STANDARD.decode(text.trim_matches(':')).ok()
        };
        Self { sha256: find(&all("repr-digest"), "sha-256="), md5: find(&all("x-goog-hash"), "md5=") }
    }

    fn check(&self, what: &str, bytes: &mut dyn Read) -> Result<(), FetchError> {
        if *self == Self::default() {
            return Ok(());
        }
        let (mut sha256, mut md5) = (Sha256::new(), md5::Md5::default());
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = bytes.read(&mut buffer).map_err(FetchError::io(Path::new(what)))?;
            if read == 0 {
                break;
            }
            sha256.update(&buffer[..read]);
            md5::Digest::update(&mut md5, &buffer[..read]);
        }
        let sha256 = self.sha256.as_deref().is_none_or(|sum| sum == sha256.finalize().as_slice());
        let md5 = self.md5.as_deref().is_none_or(|sum| sum == md5::Digest::finalize(md5).as_slice());
        if sha256 && md5 {
            return Ok(());
        }
        Err(FetchError::refused(what, "what came has another checksum than its server says"))
    }
}
