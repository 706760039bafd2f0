//! Rocks that LuaRocks installed (<https://github.com/luarocks/luarocks/blob/main/docs/file_locations.md>): name and version
//! are those of the folders, `rocks-5.4/NAME/VERSION/NAME-VERSION.rockspec`. The file itself is a program in Lua and is not
//! read but for its licence.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package, Record};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: LuaRocks = LuaRocks;

pub(super) struct LuaRocks;

impl Parser for LuaRocks {
    fn id(&self) -> &'static str {
        "luarocks"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/rocks-*/*/*/*.rockspec", "**/rocks/*/*/*.rockspec"], 64 << 10)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let path = String::from_utf8_lossy(file.path);
        let parts: Vec<&str> = path.rsplit('/').take(3).collect();
        let [spec, version, name] = parts[..] else { return Parsed::default() };
        // A rockspec among the files of another rock speaks of something else.
        if spec.strip_suffix(".rockspec") != Some(&format!("{name}-{version}")) {
            return Parsed::default();
        }
        let mut package = Package::new(Ecosystem::LuaRocks, name, version);
        package.licenses.extend(license(&String::from_utf8_lossy(file.bytes)).map(str::to_owned));
        Parsed { records: vec![Record::from(package)], problems: Vec::new() }
    }
}

/// `license = "MIT"` on a line of its own.
fn license(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let value = line.trim().strip_prefix("license")?.trim_start().strip_prefix('=')?;
        value.split(['"', '\'']).nth(1).filter(|license| !license.is_empty())
    })
}
