//! What Python runs before any program: lines of .pth files that begin with `import`, sitecustomize and usercustomize
//! (<https://docs.python.org/3/library/site.html>).

use pratique_core::Severity;

use crate::shell::{ActKind, foreign_code};
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] =
    &["**/site-packages/*.pth", "**/dist-packages/*.pth", "**/sitecustomize.py", "**/usercustomize.py"];

pub(super) const RULE: Rule = Rule {
    id: "python-startup",
    severity: "Low to Critical",
    reference: "ATT&CK T1546.018",
    what: "code in .pth files, sitecustomize.py and usercustomize.py that no system package brought; worse if it decodes or fetches code or opens a shell. What setuptools, namespace packages, virtualenv, editable installs and coverage write is known and no finding",
    why: "it runs at every start of Python, whichever program that is",
    remedy: "remove the file, and install the package that brought it anew from a source you trust",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if !path.ends_with(".pth") {
        match foreign_code(&text) {
            Some(kind) => notes.sign(
                kind.severity(),
                Excuse::Genuine,
                None,
                format!("code that every Python runs {}", kind.in_words()),
            ),
            None => {
                let effective =
                    |line: &str| !matches!(line.trim(), "" | "pass") && !line.trim_start().starts_with('#');
                if text.lines().any(effective) {
                    notes.sign(Severity::Low, Excuse::Owned, None, "code that every Python runs");
                }
            }
        }
        return;
    }
    for (line, content) in notes.lines(&text) {
        if !(content.starts_with("import ") || content.starts_with("import\t"))
            || is_known(content.trim_end())
        {
            continue;
        }
        match foreign_code(content).or_else(|| strong(content)) {
            Some(kind) => {
                notes.sign(
                    kind.severity(),
                    Excuse::Genuine,
                    Some(line),
                    format!("a line that every Python runs {}", kind.in_words()),
                );
            }
            None => {
                let what = format!(
                    "every Python runs this line: {}",
                    word(content.split(';').next().unwrap_or_default())
                );
                notes.sign(Severity::Low, Excuse::Owned, Some(line), what);
            }
        }
    }
}

/// What has no place in a line that only makes packages known.
fn strong(line: &str) -> Option<ActKind> {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&["exec(", "eval(", "compile(", "marshal"]) {
        return Some(ActKind::DecodeAndRun);
    }
    has(&["os.system", "subprocess", "popen", "ctypes", "/tmp/", "/dev/shm"])
        .then_some(ActKind::HiddenProgram)
}

/// The lines that packaging tools write.
fn is_known(line: &str) -> bool {
    const SETUPTOOLS: &str = "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; enabled and __import__('_distutils_hack').add_shim();";
    const OLDER: &str = "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; enabled and __import__('_distutils_hack').add_shim()";
    const COVERAGE: [&str; 2] = [
        "import coverage; coverage.process_startup()",
        "import sys; exec('try: import coverage; coverage.process_startup()\\nexcept: pass')",
    ];
    if line == SETUPTOOLS || line.trim_end_matches([';', ' ']) == OLDER || COVERAGE.contains(&line) {
        return true;
    }
    // Namespace packages: a fixed line about folders, with the package's name in it.
    let namespace = line.starts_with("import sys, types, os;")
        && line.contains("sys._getframe(1).f_locals['sitedir']")
        && ["types.ModuleType(", "importlib.machinery.PathFinder"].iter().any(|one| line.contains(one));
    let quiet = !["exec(", "eval(", "system", "popen", "subprocess", "socket", "open("]
        .iter()
        .any(|one| line.contains(one));
    let rest = line.strip_prefix("import ").unwrap_or_default();
    let identifier =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let editable = rest.split_once("; ").is_some_and(|(module, call)| {
        module.starts_with("__editable__")
            && identifier(module)
            && call.strip_suffix(".install()") == Some(module)
    });
    (namespace && quiet) || editable || rest == "_virtualenv"
}
