//! The file of a database of CouchDB (its couch_file and couch_bt_engine).
//!
//! It is only ever appended to, in blocks of 4,096 bytes of which the first says whether the file's header begins there. Its
//! trees are not followed: documents are taken out by how they begin, the earlier versions of one, too, until CouchDB compacts
//! the file. Of a name the last counts. A document is `{Body, Attachments}` as a term of Erlang, behind its length and a checksum of
//! 16 bytes, and the body in it is a term that may be packed.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::ZlibDecoder;
use memchr::memmem;
use pratique_core::GapKind;
use pratique_core::inspect::FileInput;
use pratique_crypt::Stored;

use super::super::erlang::Term;
use super::super::store::beginning;
use super::super::{Rank, Reading};
use super::{pbkdf2, simple};
use crate::signs::word;

/// Bytes read.
const LIMIT: usize = 16 << 20;
/// Bytes of a block.
const BLOCK: usize = 4096;
/// How a term begins that is a tuple of two, and bytes of length and checksum before it.
const DOCUMENT: &[u8] = b"\x83h\x02";
const BEFORE: usize = 4 + 16;
/// Bytes of the largest document that is read, packed and unpacked.
const MAX_DOCUMENT: usize = 1 << 20;
/// Bytes of all documents that are read, packed and unpacked.
const MAX_WORK: usize = 64 << 20;
/// With which a body begins that is packed by snappy, one that is a term, and one that is a term packed by zlib, behind its size.
const SNAPPY: u8 = 1;
const TERM: u8 = 131;
const ZLIB: u8 = 80;
const ZLIB_SIZE: usize = 4;

/// Reads the users of the file.
pub(super) fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let blocks = beginning(file, LIMIT, reading);
    if blocks.chunks(BLOCK).any(|block| block[0] > 1) {
        return reading.problem(GapKind::Malformed, "is no file of CouchDB");
    }
    let content: Vec<u8> = blocks.chunks(BLOCK).flat_map(|block| &block[1..]).copied().collect();
    drop(blocks);
    let (mut users, mut left, mut from) = (BTreeMap::new(), MAX_WORK, 0);
    for at in memmem::find_iter(&content, DOCUMENT) {
        // What lies within a document is none of its own.
        let Some(length) = length(&content, at).filter(|_| at >= from) else { continue };
        let Some(rest) = left.checked_sub(length) else {
            let reason = format!("only documents of {MAX_WORK} bytes were read");
            reading.problem(GapKind::Limit, reason);
            break;
        };
        left = rest;
        let Some(Term::Tuple(members)) = Term::alone(&content[at..at + length]) else { continue };
        from = at + length;
        let user = match members.first() {
            // As it was before version 1.2.
            Some(body @ Term::Tuple(_)) => User::of(body),
            Some(Term::Binary(packed)) => match unpacked(packed, left) {
                Some(body) => {
                    left -= body.len();
                    Term::alone(&body).and_then(|body| User::of(&body))
                }
                None => {
                    reading.problem(GapKind::Malformed, "one of its documents cannot be unpacked");
                    continue;
                }
            },
            _ => None,
        };
        users.extend(user.map(|user| (user.name.clone(), user)));
    }
    users.into_values().for_each(|user| user.note(reading));
}

/// The length of the document at `at`, as what stands before it says.
fn length(content: &[u8], at: usize) -> Option<usize> {
    let before = content[at.checked_sub(BEFORE)?..].first_chunk::<4>()?;
    // The first bit says that a checksum follows.
    let length = (u32::from_be_bytes(*before) & 0x7fff_ffff) as usize;
    (before[0] & 0x80 != 0 && length <= MAX_DOCUMENT && at + length <= content.len()).then_some(length)
}

/// A body as the term that it is, of at most `limit` bytes.
fn unpacked(body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let limit = limit.min(MAX_DOCUMENT);
    match body {
        [SNAPPY, packed @ ..] => {
            // Snappy makes 64 bytes of three at most: what claims to hold more is damaged.
            let size = snap::raw::decompress_len(packed).ok().filter(|size| *size <= limit)?;
            (size / 64 <= packed.len()).then(|| snap::raw::Decoder::new().decompress_vec(packed).ok())?
        }
        [TERM, ZLIB, packed @ ..] => {
            let mut term = vec![TERM];
            let unpacker = ZlibDecoder::new(packed.get(ZLIB_SIZE..)?);
            unpacker.take(limit as u64).read_to_end(&mut term).ok()?;
            Some(term)
        }
        [TERM, ..] => (body.len() <= limit).then(|| body.to_vec()),
        _ => None,
    }
}

/// A document of a user.
struct User {
    name: String,
    rank: Rank,
    /// None: its form is not known.
    stored: Option<Stored>,
}

impl User {
    /// None if the document is no user's, or one who has no password.
    fn of(body: &Term<'_>) -> Option<Self> {
        // An object is a tuple of one list, of pairs.
        let Term::Tuple(object) = body else { return None };
        let [Term::List(members)] = object.as_slice() else { return None };
        let members = members.iter().filter_map(|member| match member {
            Term::Tuple(pair) => match pair.as_slice() {
                [Term::Binary(name), value] => Some((*name, value)),
                _ => None,
            },
            _ => None,
        });
        let members: BTreeMap<&[u8], &Term<'_>> = members.collect();
        let text = |name: &str| match members.get(name.as_bytes()) {
            Some(Term::Binary(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let name = text("name").filter(|_| text("type") == Some("user"))?.to_owned();
        let is_administrator = match members.get(b"roles".as_slice()) {
            Some(Term::List(roles)) => roles.contains(&Term::Binary(b"_admin")),
            _ => false,
        };
        let salt = text("salt");
        let stored = match (text("password_scheme"), text("derived_key"), text("password_sha")) {
            (None, None, None) => return None,
            (Some("pbkdf2"), Some(key), _) => match members.get(b"iterations".as_slice()) {
                Some(Term::Number(rounds)) => {
                    let function = text("pbkdf2_prf").unwrap_or("sha");
                    salt.and_then(|salt| pbkdf2(function, key, salt, *rounds))
                }
                _ => None,
            },
            (None | Some("simple"), _, Some(digest)) => salt.and_then(|salt| simple(digest, salt)),
            _ => None,
        };
        Some(Self { name, rank: Rank::of(is_administrator), stored })
    }

    fn note(self, reading: &mut Reading) {
        match self.stored {
            Some(stored) => reading.stored(&self.name, stored, self.rank, None),
            None => {
                let reason = format!("the hash of user {} is in a form that is not known", word(&self.name));
                reading.problem(GapKind::Unsupported, reason);
            }
        }
    }
}
