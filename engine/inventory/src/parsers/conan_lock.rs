//! conan.lock of Conan 1 and 2 (<https://docs.conan.io/2/tutorial/versioning/lockfiles.html>). What only builds use is marked
//! `dev`; a package that is not of the public index has its `user/channel` as `channel`.

use std::collections::BTreeMap;

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: ConanLock = ConanLock;

pub(super) struct ConanLock;

impl Parser for ConanLock {
    fn id(&self) -> &'static str {
        "conan-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/conan.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let lock: Lock<'_> = match formats::json(file) {
            Ok(lock) => lock,
            Err(problem) => return problem,
        };
        let tools = lock.build_requires.iter().chain(&lock.python_requires).map(|text| (text, true));
        let nodes =
            lock.graph_lock.nodes.values().map(|node| (&node.reference, node.context.get() == Some("build")));
        let all = lock.requires.iter().map(|text| (text, false)).chain(tools).chain(nodes);
        // The project itself is a node without a reference.
        let references = all.filter_map(|(text, dev)| Some((text.get()?, dev)));
        formats::entries(references.map(|(text, dev)| (text, package(text, dev))))
    }
}

#[derive(Deserialize)]
struct Lock<'a> {
    /// Conan 2.
    #[serde(default, borrow)]
    requires: Vec<Text<'a>>,
    #[serde(default, borrow)]
    build_requires: Vec<Text<'a>>,
    #[serde(default, borrow)]
    python_requires: Vec<Text<'a>>,
    /// Conan 1.
    #[serde(default, borrow)]
    graph_lock: Graph<'a>,
}

#[derive(Deserialize, Default)]
struct Graph<'a> {
    #[serde(default, borrow)]
    nodes: BTreeMap<String, Node<'a>>,
}

#[derive(Deserialize)]
struct Node<'a> {
    /// Absent for the project itself.
    #[serde(default, borrow, rename = "ref")]
    reference: Text<'a>,
    #[serde(default, borrow)]
    context: Text<'a>,
}

/// `zlib/1.2.13#REVISION%TIME`, `clock/1.0@tide/stable#REVISION`
pub(super) fn package(reference: &str, dev: bool) -> Option<Package> {
    let (name, rest) = reference.split('#').next()?.split_once('/')?;
    let (version, channel) = match rest.split_once('@') {
        Some((version, channel)) => (version, channel),
        None => (rest, ""),
    };
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let mut package = Package::new(Ecosystem::Conan, name, version);
    package.evidence = Evidence::Locked;
    if dev {
        package.attributes.insert("dev".to_owned(), "true".to_owned());
    }
    if !channel.is_empty() {
        package.attributes.insert("channel".to_owned(), channel.to_owned());
    }
    Some(package)
}
