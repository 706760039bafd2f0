//! Merging equals a simple model, from blobs and from folders.

use std::collections::BTreeMap;
use std::io::Read;

use pratique_fs::{EntryKind, FileSystem, FsPath, ImageFs};
use pratique_testkit::{Compression, LayerBuilder, ScratchDir};
use proptest::prelude::*;

use super::sources::{self, Source};

/// A file with its content, or a folder.
type Model = BTreeMap<String, Option<String>>;

#[derive(Debug, Clone)]
enum Act {
    File(String),
    Folder,
    Opaque,
    Whiteout,
}

fn layer() -> impl Strategy<Value = BTreeMap<String, Act>> {
    let path = prop::collection::vec("[abc]", 1..4).prop_map(|names| names.join("/"));
    let act = prop_oneof![
        3 => "[a-z]{0,5}".prop_map(Act::File),
        2 => Just(Act::Folder),
        1 => Just(Act::Opaque),
        2 => Just(Act::Whiteout),
    ];
    prop::collection::btree_map(path, act, 0..12).prop_map(whole)
}

/// Makes the changes those of a tree: what lies below no folder goes, the folders on the way are added.
fn whole(acts: BTreeMap<String, Act>) -> BTreeMap<String, Act> {
    let mut tree = BTreeMap::new();
    for (path, act) in acts {
        let ways = path.match_indices('/').map(|(slash, _)| path[..slash].to_owned()).collect::<Vec<_>>();
        if ways.iter().any(|way| matches!(tree.get(way), Some(Act::File(_) | Act::Whiteout))) {
            continue;
        }
        for way in ways {
            tree.entry(way).or_insert(Act::Folder);
        }
        tree.insert(path, act);
    }
    tree
}

fn build(acts: &BTreeMap<String, Act>) -> LayerBuilder {
    acts.iter().fold(LayerBuilder::new(), |layer, (path, act)| match act {
        Act::File(content) => layer.file(path, content),
        Act::Folder => layer.dir(path),
        Act::Opaque => layer.dir(path).opaque(path),
        Act::Whiteout => layer.whiteout(path),
    })
}

fn apply(model: &mut Model, acts: &BTreeMap<String, Act>) {
    let below = |path: &str, other: &str| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    for (path, act) in acts {
        match act {
            Act::Whiteout => model.retain(|other, _| other != path && !below(path, other)),
            Act::Opaque => model.retain(|other, _| !below(path, other)),
            Act::File(_) | Act::Folder => {}
        }
    }
    for (path, act) in acts {
        match act {
            Act::Whiteout => {}
            Act::File(content) => {
                model.retain(|other, _| !below(path, other));
                model.insert(path.clone(), Some(content.clone()));
            }
            Act::Folder | Act::Opaque => {
                model.insert(path.clone(), None);
            }
        }
    }
}

fn shown(image: &ImageFs) -> Model {
    let entries = image.walk(&FsPath::root()).expect("walk").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| {
            let content = (entry.metadata.kind == EntryKind::File).then(|| {
                let mut text = String::new();
                image.open(&entry.path).expect("open").read_to_string(&mut text).expect("read");
                text
            });
            (String::from_utf8(entry.path.as_bytes().to_vec()).expect("ASCII"), content)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn merging_is_what_the_model_says(layers in prop::collection::vec(layer(), 1..5)) {
        let mut model = Model::new();
        layers.iter().for_each(|acts| apply(&mut model, acts));
        let built = layers.iter().map(build).collect::<Vec<_>>();
        let scratch = ScratchDir::new();
        let (blobs, gaps) = sources::image(&built, Source::Blobs(Compression::Zstd), &scratch);
        prop_assert_eq!(gaps, []);
        prop_assert_eq!(&shown(&blobs), &model);
        if rustix::process::geteuid().is_root() {
            let (folders, gaps) = sources::image(&built, Source::Folders, &scratch);
            prop_assert_eq!(gaps, []);
            prop_assert_eq!(&shown(&folders), &model);
        }
    }

    #[test]
    fn a_path_stays_in_its_root_and_is_its_own_normal_form(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let path = FsPath::new(&bytes);
        prop_assert_eq!(&FsPath::new(path.as_bytes()), &path);
        prop_assert!(path.parts().all(|part| !matches!(part, b"" | b"." | b"..")));
        let up = FsPath::new([b"../../", path.as_bytes()].concat());
        prop_assert_eq!(up, path);
    }

    #[test]
    fn foreign_bytes_never_panic(mut tar in prop::collection::vec(any::<u8>(), 0..4096), flips in prop::collection::vec((0..3000_usize, any::<u8>()), 0..8)) {
        let mut good = LayerBuilder::new().symlink("l", "d").file("l/f", "x").hard_link("h", "l/f").to_tar();
        for (place, byte) in flips {
            if let Some(slot) = good.get_mut(place) {
                *slot = byte;
            }
        }
        good.append(&mut tar);
        let (image, _) = ImageFs::new(vec![Box::new(sources::plain_layer(good))]);
        prop_assert!(image.walk(&FsPath::root()).expect("the root is always there").all(|entry| entry.is_ok()));
    }
}
