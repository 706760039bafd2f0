//! [`RuleFiles`] to and from the wire.

use bytes::Bytes;
use pratique_core::rule_files::MAX_BYTES;
use pratique_core::{Digest, RuleFile, RuleFiles, RuleKind};
use prost::Message;

use crate::CHUNK;
use crate::agents::Rules;
use crate::generated::pratique::rules::v1 as proto;

/// Most bytes of encoded files: what they may hold, and room for what names them.
const MAX_ENCODED: usize = MAX_BYTES + (64 << 10);

/// A user's files as they travel, and their digest: equal for equal files. Clones share the bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedRules {
    digest: String,
    bytes: Bytes,
}

/// Why bytes are no rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRules {
    /// They are not what was announced.
    #[error("the user's rules came damaged: their digest is not {0}")]
    Digest(String),
    /// They are of no such form.
    #[error("the user's rules cannot be read: {0}")]
    Undecodable(String),
    /// This release does not know such files.
    #[error(
        "this release has no use for the user's file {name} of the kind `{kind}`: bring agents and operator to the same release"
    )]
    Kind {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
}

impl SealedRules {
    /// Files as they travel; without any, no bytes and an empty digest.
    pub fn seal(files: &RuleFiles) -> Self {
        let file = |file: &RuleFile| proto::RuleFile {
            kind: file.kind.id().to_owned(),
            name: file.name.clone(),
            content: Bytes::copy_from_slice(&file.content),
        };
        Self::of(proto::RuleFiles { files: files.iter().map(file).collect() }.encode_to_vec().into())
    }

    /// Bytes that were sealed before; unchecked until they are [opened](Self::open).
    pub fn of(bytes: Bytes) -> Self {
        let digest = if bytes.is_empty() { String::new() } else { Digest::of(&bytes).to_string() };
        Self { digest, bytes }
    }

    /// The digest, empty if there are no files.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The files as they travel.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The files.
    ///
    /// # Errors
    /// They are none, too many, too long, or of a kind that this release does not know.
    pub fn open(&self) -> Result<RuleFiles, InvalidRules> {
        let undecodable = |error: &dyn std::fmt::Display| InvalidRules::Undecodable(error.to_string());
        let files = proto::RuleFiles::decode(self.bytes.clone()).map_err(|error| undecodable(&error))?;
        let file = |file: proto::RuleFile| match RuleKind::parse(&file.kind) {
            Some(kind) => Ok(RuleFile { kind, name: file.name, content: file.content.into() }),
            None => Err(InvalidRules::Kind { kind: file.kind, name: file.name }),
        };
        let files = files.files.into_iter().map(file).collect::<Result<_, _>>()?;
        RuleFiles::new(files).map_err(|error| undecodable(&error))
    }

    /// The messages that bring them to an agent; without files there are none.
    pub fn messages(&self) -> impl Iterator<Item = Rules> {
        let count = self.bytes.len().div_ceil(CHUNK);
        (0..count).map(move |place| Rules {
            digest: self.digest.clone(),
            part: self.bytes.slice(place * CHUNK..self.bytes.len().min((place + 1) * CHUNK)),
            last: place + 1 == count,
        })
    }
}

/// Puts together what [`SealedRules::messages`] took apart.
#[derive(Debug, Default)]
pub struct RulesAssembly {
    digest: String,
    bytes: Vec<u8>,
}

impl RulesAssembly {
    /// Takes the next message; gives the rules with the last. One with another digest begins anew.
    ///
    /// # Errors
    /// They are too long, or not those with the digest.
    pub fn push(&mut self, message: &Rules) -> Result<Option<SealedRules>, InvalidRules> {
        if self.digest != message.digest {
            *self = Self { digest: message.digest.clone(), bytes: Vec::new() };
        }
        if self.bytes.len() + message.part.len() > MAX_ENCODED {
            *self = Self::default();
            return Err(InvalidRules::Undecodable(format!("they have more than {MAX_ENCODED} bytes")));
        }
        self.bytes.extend_from_slice(&message.part);
        if !message.last {
            return Ok(None);
        }
        let Self { digest, bytes } = std::mem::take(self);
        let rules = SealedRules::of(bytes.into());
        if rules.digest == digest { Ok(Some(rules)) } else { Err(InvalidRules::Digest(digest)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(bytes: usize) -> RuleFiles {
        let file = |kind, name: &str, content| RuleFile { kind, name: name.to_owned(), content };
        RuleFiles::new(vec![
            file(RuleKind::Secrets, "values/acme.yaml", b"rules: []".to_vec()),
            file(RuleKind::Hashes, "values/bad.txt", vec![b'#'; bytes]),
        ])
        .unwrap()
    }

    #[test]
    fn files_survive_the_way_in_chunks() {
        for bytes in [0, CHUNK - 1, 2 * CHUNK + 5, MAX_BYTES - 100] {
            let sealed = SealedRules::seal(&files(bytes));
            let messages: Vec<_> = sealed.messages().collect();
            assert_eq!(messages.len(), sealed.bytes().len().div_ceil(CHUNK));
            let mut assembly = RulesAssembly::default();
            // What came of an earlier set is dropped.
            let early = SealedRules::seal(&files(2 * CHUNK));
            assert_eq!(assembly.push(&early.messages().next().unwrap()), Ok(None));
            let (last, others) = messages.split_last().unwrap();
            for message in others {
                assert_eq!(assembly.push(message), Ok(None));
            }
            let arrived = assembly.push(last).unwrap().unwrap();
            assert_eq!((arrived.open().unwrap(), arrived.digest()), (files(bytes), sealed.digest()));
        }
        let none = SealedRules::seal(&RuleFiles::default());
        assert_eq!((none.digest(), none.messages().count(), none.open()), ("", 0, Ok(RuleFiles::default())));
    }

    #[test]
    fn what_comes_damaged_or_is_unknown_is_said() {
        let sealed = SealedRules::seal(&files(10));
        let mut message = sealed.messages().next().unwrap();
        message.part = Bytes::from_static(b"\x0a\x03abc");
        let damaged = RulesAssembly::default().push(&message).unwrap_err();
        assert_eq!(damaged, InvalidRules::Digest(sealed.digest().to_owned()));
        let endless = Rules { digest: "x".into(), part: vec![0; MAX_ENCODED + 1].into(), last: true };
        assert!(RulesAssembly::default().push(&endless).unwrap_err().to_string().contains("bytes"));
        assert!(SealedRules::of(b"\xffnonsense".as_slice().into()).open().is_err());
        let newer = proto::RuleFile { kind: "poetry".into(), name: "a".into(), content: Bytes::new() };
        let newer = proto::RuleFiles { files: vec![newer] }.encode_to_vec();
        assert!(SealedRules::of(newer.into()).open().unwrap_err().to_string().contains("`poetry`"));
    }
}
