//! Which words of a path decide anything: whoever calls a function with paths that have none of them calls it with the same.

use std::collections::HashSet;

use aho_corasick::AhoCorasick;
use foldhash::fast::RandomState;

use super::names::Names;
use super::{UNKNOWN, longer};

/// Words that paths are looked at for beside those of [`Names`].
const OTHERS: [&str; 87] = [
    // What is called by its name as a text, and what stands for it.
    "getattr",
    "getMethod",
    "getDeclaredMethod",
    "GetMethod",
    "getDeclaredField",
    "getField",
    "loadClass",
    "findMethod",
    "invoke",
    "Invoke",
    "newInstance",
    "CreateInstance",
    "getConstructor",
    "getDeclaredConstructor",
    "getClass",
    "GetType",
    "named",
    "Reflect",
    "Reflect.apply",
    "Reflect.construct",
    "self",
    "handler",
    // What runs something.
    "Function",
    "Start",
    "StartInfo",
    "set",
    "stdin",
    "net",
    "servervariables",
    // What makes objects.
    "ActiveXObject",
    "CreateObject",
    "GetObject",
    "StringBuilder",
    "StringBuffer",
    "String",
    "string",
    "ArrayList",
    "LinkedList",
    "HashMap",
    "Hashtable",
    "List",
    "Dictionary",
    "Vector",
    "LinkedHashMap",
    "TreeMap",
    "Array",
    "HashSet",
    "ProcessBuilder",
    "ProcessStartInfo",
    "File",
    "URL",
    "URLClassLoader",
    "MLet",
    // What makes texts and numbers.
    "fromCharCode",
    "fromCodePoint",
    "chr",
    "Chr",
    "ChrW",
    "parseInt",
    "Number",
    "int",
    "ToInt32",
    "len",
    "range",
    "float",
    "bool",
    "from",
    "atob",
    "urlsafe_b64decode",
    "standard_b64decode",
    "decodestring",
    "a2b_base64",
    "decode",
    "codecs",
    "unescape",
    "decodeURIComponent",
    "decodeURI",
    "unquote",
    "UrlDecode",
    "unhexlify",
    "a2b_hex",
    "parseHexBinary",
    "decodeHex",
    "b16decode",
    "unzipSync",
    "gunzipSync",
    "inflateRawSync",
];

/// What is looked for anywhere in a word.
const PARTS: [&str; 10] = [
    "ase64",
    "ecode",
    "Buffer",
    "Process",
    "bytecodes",
    "createServer",
    "Stream",
    "Reader",
    "Writer",
    "define",
];

/// The words of one language.
pub(super) struct Words {
    /// What the paths that [`Names`] know begin with, each with one word more, up to themselves.
    begun: HashSet<&'static str, RandomState>,
    /// The same of those that must be the whole path, and what is around everything.
    whole: HashSet<&'static str, RandomState>,
    last: HashSet<&'static str, RandomState>,
    /// [`PARTS`].
    parts: AhoCorasick,
}

impl Words {
    pub(super) fn of(names: &'static Names) -> Self {
        let places = [names.code, names.shell, names.program];
        let of_uploads = names.of_uploads.iter().copied();
        let ends: Vec<&'static str> = [
            names.sources,
            names.indexed,
            names.uploads,
            names.network,
            names.modules,
            names.writes,
            names.opens,
            names.derives,
        ]
        .into_iter()
        .flatten()
        .copied()
        .chain(places.into_iter().flatten().map(|(end, _)| *end))
        .collect();
        let begun = |end: &'static str| {
            let dots = end.match_indices('.').map(move |(dot, _)| &end[..dot]);
            dots.chain([end])
        };
        let is_whole = |end: &&'static str| end.starts_with('=');
        let roots = [names.roots, names.packages, names.requests].into_iter().flatten().copied();
        Self {
            begun: ends
                .iter()
                .copied()
                .filter(|end| !is_whole(end))
                .flat_map(begun)
                .chain(OTHERS)
                .chain(["request"])
                .collect(),
            whole: ends.iter().filter_map(|end| end.strip_prefix('=')).chain(roots).flat_map(begun).collect(),
            // What is asked of an upload is asked of it alone.
            last: ends
                .iter()
                .copied()
                .chain(of_uploads)
                .filter_map(|end| end.trim_start_matches('=').rsplit('.').next())
                .collect(),
            parts: AhoCorasick::new(PARTS).expect("a test builds it"),
        }
    }

    /// Whether any of [`Names`] may be how this path ends.
    pub(super) fn may_end(&self, path: &str) -> bool {
        self.last.contains(path.rsplit('.').next().unwrap_or(path))
    }

    /// Whether a path may go on to what [`Names`] know, or is that: how it ends is how one of theirs begins. One with signs in it
    /// may be anything.
    pub(super) fn decide(&self, path: &str) -> bool {
        let starts = path.match_indices('.').map(|(dot, _)| dot + 1);
        self.whole.contains(path)
            || !path.bytes().all(is_plain)
            || ["request.", "net."].iter().any(|start| path.starts_with(start))
            || [0].into_iter().chain(starts).any(|start| self.begun.contains(&path[start..]))
            || self.parts.is_match(path.rsplit('.').next().unwrap_or(path))
    }

    /// The same of a path with a name behind it.
    pub(super) fn decide_with(&self, base: &str, name: &str) -> bool {
        if base == UNKNOWN {
            self.begun.contains(name) || !name.bytes().all(is_plain) || self.parts.is_match(name)
        } else {
            self.decide(&longer(base, name))
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'?')
}
