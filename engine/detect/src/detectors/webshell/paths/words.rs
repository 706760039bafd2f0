//! Which words of a path decide anything: whoever calls a function with paths that have none of them calls it with the same.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::names::Names;

/// Words that paths are looked at for beside those of [`Names`].
const OTHERS: [&str; 84] = [
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
    all: HashSet<&'static str, RandomState>,
    last: HashSet<&'static str, RandomState>,
}

impl Words {
    pub(super) fn of(names: &'static Names) -> Self {
        let places = [names.code, names.shell, names.program];
        let ends: Vec<&'static str> = [
            names.sources,
            names.indexed,
            names.uploads,
            names.of_uploads,
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
        .map(|end| end.trim_start_matches('='))
        .collect();
        let roots = [names.roots, names.packages, names.requests].into_iter().flatten().copied();
        let words = ends.iter().copied().chain(roots).flat_map(|end| end.split('.'));
        Self {
            all: words.chain(OTHERS).chain(["request"]).collect(),
            last: ends.iter().filter_map(|end| end.rsplit('.').next()).collect(),
        }
    }

    /// Whether any of [`Names`] may be how this path ends.
    pub(super) fn may_end(&self, path: &str) -> bool {
        self.last.contains(path.rsplit('.').next().unwrap_or(path))
    }

    /// Whether a path may go on to what [`Names`] know: its last word is one of theirs. One with signs in it may be anything.
    pub(super) fn decide(&self, path: &str) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
        let last = path.rsplit('.').next().unwrap_or(path);
        self.all.contains(last) || !path.bytes().all(is_plain) || PARTS.iter().any(|part| last.contains(part))
    }
}
