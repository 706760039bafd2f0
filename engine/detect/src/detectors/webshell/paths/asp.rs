//! What the names of classic ASP stand for ("Active Server Pages", Microsoft). What objects do is in [`super::com`].

use super::names::{Names, SCRIPT_NAMES};

const SOURCES: &[&str] = &[
    "request.form",
    "request.querystring",
    "request.cookies",
    "request.servervariables",
    "request.binaryread",
    "request.item",
];

/// VBScript, whose names are in small letters.
pub(super) static VBSCRIPT: Names = Names {
    roots: &[],
    packages: &[],
    requests: &["request"],
    sources: SOURCES,
    indexed: &["=request"],
    uploads: &[],
    of_uploads: &[],
    network: &[],
    code: &[("=eval", 0), ("=execute", 0), ("=executeglobal", 0)],
    shell: &[],
    program: &[],
    modules: &["server.execute", "server.transfer"],
    writes: &[],
    opens: &[],
    derives: &["unescape", "escape", "server.urlencode", "server.htmlencode"],
    is_basic: true,
    runs_own: true,
};

/// JScript.
pub(super) static JSCRIPT: Names = Names {
    requests: &["Request", "request"],
    sources: SOURCES,
    indexed: &["=request"],
    uploads: &[],
    network: &[],
    shell: &[],
    program: &[],
    modules: &["Server.Execute", "Server.Transfer"],
    ..SCRIPT_NAMES
};

/// Variables of the server that say nothing of what the request likes.
pub(super) fn is_of_server(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    ![&b"http_"[..], b"all_", b"query_string", b"path_info", b"auth_", b"content_", b"url", b"unencoded_url"]
        .iter()
        .any(|start| name.starts_with(start))
}
