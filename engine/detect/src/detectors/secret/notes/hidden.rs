//! Secrets that are encoded in a file: what the encodings say is searched as the file is, and what is encoded in that.

use std::collections::BTreeMap;

use pratique_core::inspect::Piece;

use super::super::encoded::{self, Encoding};
use super::super::finder::own_places;
use super::super::manifest::{MANIFEST, Value};
use super::super::stores::{STORED, Store};
use super::super::{mylogin, shapes};
use super::{Search, best};

/// Encodings within each other that are undone.
pub(super) const MAX_ENCODINGS: usize = 2;
/// Bytes that encoded text may say, for each byte of a file, and of a file that is shorter than `SHORT`, of that.
const DECODED: u64 = 2;
const SHORT: u64 = 64 << 10;

/// A secret that is encoded.
pub(super) struct Hidden {
    /// As in [`super::Match`].
    pub(super) shape: usize,
    pub(super) secret: Vec<u8>,
    pub(super) encoding: String,
}

impl Search {
    /// The secrets that are encoded in the piece, those of manifests among them, by their places in it.
    pub(super) fn hidden(&mut self, piece: &Piece<'_>, values: Vec<Value>) -> BTreeMap<usize, Hidden> {
        let mut all = BTreeMap::new();
        self.decode(piece.bytes, 0, "", &|place| place, &mut all);
        let own = own_places(piece);
        all.retain(|place, _| own.contains(place));
        if self.is_mylogin && piece.offset == 0 {
            self.unseal(piece.bytes, &mut all);
        }
        let encoding = Encoding::Base64.in_words();
        for Value { place, decoded } in values {
            // What a value says tells more than its name.
            if let (Some(shape), Some(secret)) = (shapes::place(MANIFEST.id), decoded)
                && all.range(place.clone()).next().is_none()
            {
                all.insert(place.start, Hidden { shape, secret, encoding: encoding.to_owned() });
            }
        }
        all
    }

    /// Adds the passwords in the lines that MySQL's clients sealed in these bytes.
    fn unseal(&mut self, bytes: &[u8], all: &mut BTreeMap<usize, Hidden>) {
        let (lines, is_whole) = mylogin::lines(bytes);
        if !is_whole {
            self.stop("not all of what MySQL's clients keep in it could be read".to_owned());
        }
        // The lines are those of their other files.
        let (Some(shape), Some(store)) = (shapes::place(STORED.id), Store::of(b"my.cnf")) else { return };
        for (place, line) in lines {
            let piece = Piece { bytes: &line, offset: 0, seen: 0, last: true };
            for found in store.passwords(&piece) {
                let encoding = "what MySQL seals with a key beside it".to_owned();
                all.insert(place, Hidden { shape, secret: line[found].to_vec(), encoding });
            }
        }
    }

    /// Adds the secrets that are encoded in these bytes to `all`, by their places in the piece, which `place` knows.
    fn decode(
        &mut self,
        bytes: &[u8],
        depth: usize,
        around: &str,
        place: &dyn Fn(usize) -> usize,
        all: &mut BTreeMap<usize, Hidden>,
    ) {
        encoded::each(bytes, |decoded| {
            if depth == MAX_ENCODINGS {
                // An address in a text is no text of its own.
                if decoded.encoding != Encoding::Percent {
                    self.is_deep = true;
                }
                return;
            }
            self.decoded += decoded.bytes.len() as u64;
            if self.decoded > DECODED * self.length.max(SHORT) {
                self.stop("so much of it is encoded that not all of that was decoded".to_owned());
            }
            if self.stopped.is_some() {
                return;
            }
            let encoding = match around {
                "" => decoded.encoding.in_words().to_owned(),
                around => format!("{} in {around}", decoded.encoding.in_words()),
            };
            let place = |at: usize| place(decoded.place(at));
            let mut matches = Vec::new();
            if !self.finder.search_text(&decoded.bytes, |found| matches.push(found)) {
                self.stop("what is encoded in it looks like secrets in too many places".to_owned());
            }
            if let Some(custom) = &mut self.custom
                && let Err(rule) = custom.search_text(&decoded.bytes, |found| matches.push(found))
            {
                self.stop(format!("your rule `{rule}` speaks of too many places of what is encoded in it"));
            }
            for found in best(matches) {
                let secret = decoded.bytes[found.secret.clone()].to_vec();
                let hidden = Hidden { shape: found.shape, secret, encoding: encoding.clone() };
                all.entry(place(found.secret.start)).or_insert(hidden);
            }
            self.decode(&decoded.bytes, depth + 1, &encoding, &place, all);
        });
    }
}
