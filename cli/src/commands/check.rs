//! `pratique check`.

use std::path::Path;

use pratique_fs::listing::{self, RUNTIMES};
use pratique_fs::{FolderLayer, OverlayAttributes, SourceOptions};

use crate::cache::{self, FolderCache};
use crate::exit::{Code, Fail, Failure};

/// Prints one line an item. What lacks is no failure of the command: most machines have one runtime.
pub(super) fn run() -> Result<Code, Failure> {
    let options = SourceOptions::from_environment().fail(Code::Usage)?;
    for kind in RUNTIMES {
        match listing::images(kind, &options) {
            Ok(images) => line(true, kind.prefix(), &format!("{} images", images.len())),
            Err(error) => line(false, kind.prefix(), &error.to_string()),
        }
    }
    let sees = FolderLayer::sees_opacity(OverlayAttributes::Trusted);
    let detail = if sees {
        "layers can be read from the runtimes' folders"
    } else {
        "opaque folders cannot be seen without CAP_SYS_ADMIN: layers are read from blobs where there are some"
    };
    line(sees, "unpacked layers", detail);
    match cache::usual() {
        None => line(false, "cache", "neither XDG_CACHE_HOME nor HOME is set; use --cache-dir"),
        Some(folder) => match FolderCache::open(&folder) {
            Ok(_) => line(true, "cache", &folder.display().to_string()),
            Err(error) => line(false, "cache", &format!("{}: {error}", folder.display())),
        },
    }
    match tempfile::tempfile_in(&options.temporary) {
        Ok(_) => line(true, "temporary files", &shown(&options.temporary)),
        Err(error) => {
            line(false, "temporary files", &format!("{}: {error}; set TMPDIR", shown(&options.temporary)))
        }
    }
    Ok(Code::Clean)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn line(ok: bool, item: &str, detail: &str) {
    println!("{:<6} {item}: {detail}", if ok { "ok" } else { "LACKS" });
}
