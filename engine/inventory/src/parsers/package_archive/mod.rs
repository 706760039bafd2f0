//! Archives of packages that nobody installed yet: what a package manager downloads, and what lies in its cache. Each has
//! the metadata that an installation would write, and who reads those installed reads them here.
//!
//! Such a package is [`Archived`](Evidence::Archived): it brings no files and owns none. Only the archive's start is
//! unpacked, up to where the metadata lie.

mod apk;
mod deb;
mod gem;
mod manifest;
mod members;
mod rpm;
mod zipped;

use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, FileMode, Interest};
use pratique_core::package::{Evidence, Record};

use crate::zip::{Part, Problem};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: PackageArchive = PackageArchive;

pub(super) struct PackageArchive;

/// Largest metadata file that is read, in bytes.
const METADATA: u64 = 1 << 20;

impl Parser for PackageArchive {
    fn id(&self) -> &'static str {
        "package-archive"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest {
                globs: &["**/*.{deb,udeb,rpm,apk,whl,egg,gem,nupkg,crate,tgz,conda,tar.bz2}"],
                heads: &[],
                min_size: 32,
                extent: Extent::Whole(8 << 30),
            }]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let whole = Part { content: file.content, start: 0, length: file.size };
        let extension = file.path.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        // Other programs have files of these names too; what begins as no such archive is one of theirs.
        let is = |head: &[u8]| file.bytes.starts_with(head);
        let read = match extension {
            b"deb" | b"udeb" if is(deb::HEAD) => deb::read(whole),
            b"rpm" if is(rpm::HEAD) => rpm::read(whole),
            b"apk" if is(GZIP) => apk::read(whole),
            b"apk" if is(apk::VERSION_3) => unsupported("a package of apk's version 3"),
            b"whl" if is(ZIP) => zipped::wheel(whole),
            b"egg" if is(ZIP) => zipped::egg(whole),
            b"nupkg" if is(ZIP) => zipped::nuget(whole),
            b"conda" if is(ZIP) => zipped::conda(whole),
            b"gem" => gem::read(whole),
            b"crate" if is(GZIP) => manifest::cargo(whole),
            b"tgz" if is(GZIP) => manifest::npm(whole),
            b"bz2" if is(BZIP2) => manifest::conda(whole),
            _ => return Parsed::default(),
        };
        let mut parsed = read.unwrap_or_else(|(kind, reason)| Parsed::problem(kind, reason));
        for record in &mut parsed.records {
            if let Record::Package { package, files } = record {
                package.evidence = Evidence::Archived;
                package.attributes.remove("root");
                *files = Default::default();
            }
        }
        parsed
    }
}

const GZIP: &[u8] = b"\x1f\x8b\x08";
const BZIP2: &[u8] = b"BZh";
const ZIP: &[u8] = b"PK\x03\x04";

type Read = Result<Parsed, Problem>;

/// What the parser of an installed package says of its metadata, if they lay at `path`.
fn as_installed(parser: &dyn Parser, path: &str, metadata: &Vec<u8>) -> Parsed {
    in_memory(path, metadata, |file| parser.parse(file))
}

/// What is read in a file of metadata.
fn in_memory<'a, T>(path: &'a str, metadata: &'a Vec<u8>, read: impl FnOnce(&FileInput<'a>) -> T) -> T {
    let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
    read(&FileInput::in_memory(path.as_bytes(), mode, metadata))
}

fn lacks(what: &str) -> Read {
    Err((GapKind::Malformed, format!("the package has no {what}")))
}

fn unsupported(what: &str) -> Read {
    Err((GapKind::Unsupported, format!("{what}, which is not read")))
}
