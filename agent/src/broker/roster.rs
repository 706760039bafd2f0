//! What the node has, and what the operator has been told of it.

use std::collections::{BTreeMap, BTreeSet};

use pratique_wire::agents::{FromAgent, Gone, Images, NodeImage, Roster, RosterEntry, from_agent};
use prost::Message;
use sha2::{Digest as _, Sha256};

/// Bytes of images in one message, about; far below [`pratique_wire::MAX_MESSAGE`].
const BATCH: usize = 512 << 10;

type Hash = [u8; 32];

/// The images by their config digest.
pub type NodeImages = BTreeMap<String, NodeImage>;

/// What the operator knows after the messages sent so far.
#[derive(Debug, Default)]
pub struct Told {
    hashes: BTreeMap<String, Hash>,
}

fn hash(image: &NodeImage) -> Hash {
    Sha256::digest(image.encode_to_vec()).into()
}

impl Told {
    /// The roster of everything. From here on only changes are told.
    pub fn roster(&mut self, images: &NodeImages) -> FromAgent {
        self.hashes = images.iter().map(|(id, image)| (id.clone(), hash(image))).collect();
        let entries = self
            .hashes
            .iter()
            .map(|(id, hash)| RosterEntry { image: id.clone(), hash: hash.to_vec().into() })
            .collect();
        wrap(from_agent::Message::Roster(Roster { entries }))
    }

    /// The answer to what the operator lacks of the roster; images that are gone meanwhile are told as changes.
    pub fn answer(&self, lacking: &[String], images: &NodeImages) -> Vec<FromAgent> {
        batches(lacking.iter().filter_map(|id| images.get(id)))
    }

    /// What changed since the last message.
    pub fn changes(&mut self, images: &NodeImages) -> Vec<FromAgent> {
        let gone: Vec<String> = self.hashes.keys().filter(|id| !images.contains_key(*id)).cloned().collect();
        self.hashes.retain(|id, _| images.contains_key(id));
        let mut changed = BTreeSet::new();
        for (id, image) in images {
            let new = hash(image);
            if self.hashes.insert(id.clone(), new) != Some(new) {
                changed.insert(id);
            }
        }
        let mut messages = batches(changed.into_iter().map(|id| &images[id]));
        if !gone.is_empty() {
            messages.push(wrap(from_agent::Message::Gone(Gone { images: gone })));
        }
        messages
    }
}

fn wrap(message: from_agent::Message) -> FromAgent {
    FromAgent { message: Some(message) }
}

fn batches<'a>(images: impl Iterator<Item = &'a NodeImage>) -> Vec<FromAgent> {
    let mut batches: Vec<Images> = Vec::new();
    let mut room = 0;
    for image in images {
        let size = image.encoded_len();
        match batches.last_mut() {
            Some(batch) if size <= room => {
                room -= size;
                batch.images.push(image.clone());
            }
            _ => {
                room = BATCH.saturating_sub(size);
                batches.push(Images { images: vec![image.clone()] });
            }
        }
    }
    batches.into_iter().map(|batch| wrap(from_agent::Message::Images(batch))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(images: &[(&str, &str)]) -> NodeImages {
        images
            .iter()
            .map(|(id, reference)| {
                let image = NodeImage {
                    image: (*id).to_owned(),
                    references: vec![(*reference).to_owned()],
                    ..NodeImage::default()
                };
                ((*id).to_owned(), image)
            })
            .collect()
    }

    fn ids(messages: &[FromAgent]) -> Vec<String> {
        messages
            .iter()
            .flat_map(|message| match message.message.as_ref().unwrap() {
                from_agent::Message::Images(images) => {
                    images.images.iter().map(|image| format!("+{}", image.image)).collect::<Vec<_>>()
                }
                from_agent::Message::Gone(gone) => gone.images.iter().map(|id| format!("-{id}")).collect(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn after_the_roster_only_changes_are_told() {
        let mut told = Told::default();
        let before = node(&[("a", "x"), ("b", "x"), ("c", "x")]);
        told.roster(&before);
        assert_eq!(ids(&told.changes(&before)), Vec::<String>::new());
        let after = node(&[("a", "x"), ("b", "y"), ("d", "x")]);
        assert_eq!(ids(&told.changes(&after)), ["+b", "+d", "-c"]);
        assert_eq!(ids(&told.changes(&after)), Vec::<String>::new());
        assert_eq!(ids(&told.answer(&["a".into(), "c".into()], &after)), ["+a"]);
    }

    #[test]
    fn equal_images_have_equal_hashes_and_others_do_not() {
        let entries = |images: &NodeImages| match Told::default().roster(images).message {
            Some(from_agent::Message::Roster(roster)) => roster.entries,
            other => panic!("{other:?}"),
        };
        let one = entries(&node(&[("a", "x")]));
        assert_eq!(one, entries(&node(&[("a", "x")])));
        assert_ne!(one[0].hash, entries(&node(&[("a", "y")]))[0].hash);
    }

    #[test]
    fn many_images_travel_in_several_messages() {
        let long = "r".repeat(1000);
        let names: Vec<String> = (0..2000).map(|number| format!("{number:04}")).collect();
        let images = node(&names.iter().map(|name| (name.as_str(), long.as_str())).collect::<Vec<_>>());
        let messages = Told::default().changes(&images);
        assert!(messages.len() > 2);
        assert!(messages.iter().all(|message| message.encoded_len() <= BATCH + 4096 * 4));
        assert_eq!(ids(&messages).len(), 2000);
    }
}
