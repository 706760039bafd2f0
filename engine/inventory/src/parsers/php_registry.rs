//! PEAR and PECL: PHP's older packages and its extensions, each a file of PHP's serialized form
//! (<https://www.php.net/manual/en/function.serialize.php>) in the registry of the `pear` command.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package, Record};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: PhpRegistry = PhpRegistry;

pub(super) struct PhpRegistry;

/// Levels of arrays in one another.
const MAX_DEPTH: usize = 64;

impl Parser for PhpRegistry {
    fn id(&self) -> &'static str {
        "php-registry"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/.registry/*.reg", "**/.registry/.channel.*/*.reg"], 4 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let bytes = match formats::whole(file) {
            Ok(bytes) => bytes,
            Err(problem) => return problem,
        };
        let Some(texts) = texts(bytes) else {
            return Parsed::problem(GapKind::Malformed, "not the serialized array that was expected");
        };
        let get = |paths: &[&str]| {
            let found = texts.iter().find(|(path, _)| paths.contains(&path.as_str()));
            found.map(|(_, text)| text.clone()).filter(|text| !text.is_empty())
        };
        // The second version of package.xml has the version of the API beside that of the release.
        let (name, version) = (get(&["name", "package"]), get(&["version/release", "version"]));
        let (Some(name), Some(version)) = (name, version) else {
            return Parsed::problem(GapKind::Malformed, "an installed package without a name and a version");
        };
        let channel = get(&["channel"]).unwrap_or_else(|| "pear.php.net".to_owned());
        let mut package = Package::new(Ecosystem::Pear, format!("{channel}/{name}"), version);
        package.licenses.extend(get(&["license/_content", "license", "release_license"]));
        Parsed { records: vec![Record::from(package)], problems: Vec::new() }
    }
}

/// All texts of an array that lie at most two levels deep, by their keys (`version/release`); none if it is no such array.
fn texts(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut rest = bytes;
    let mut found = Vec::new();
    // What is open: how many values follow, and the key of the array.
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut key: Option<String> = None;
    loop {
        while open.last().is_some_and(|(left, _)| *left == 0) && key.is_none() {
            rest = rest.strip_prefix(b"}")?;
            open.pop();
            if open.is_empty() {
                return Some(found);
            }
        }
        let (kind, after) = rest.split_first_chunk::<2>()?;
        rest = after;
        match kind {
            b"a:" => {
                let count = number(&mut rest, b":{")?;
                // Every entry takes some bytes.
                if open.len() == MAX_DEPTH || count > rest.len() || open.is_empty() != key.is_none() {
                    return None;
                }
                open.push((count, key.take().unwrap_or_default()));
                continue;
            }
            b"s:" => {
                let length = number(&mut rest, b":\"")?;
                let text = String::from_utf8_lossy(rest.get(..length)?).into_owned();
                rest = rest.get(length..)?.strip_prefix(b"\";")?;
                let (left, _) = open.last_mut()?;
                match key.take() {
                    None => {
                        *left -= 1;
                        key = Some(text);
                        continue;
                    }
                    Some(key) if open.len() == 1 => found.push((key, text)),
                    Some(key) if open.len() == 2 => found.push((format!("{}/{key}", open[1].1), text)),
                    Some(_) => {}
                }
            }
            b"i:" | b"b:" | b"d:" => {
                let end = rest.iter().position(|byte| *byte == b';')?;
                let text = String::from_utf8_lossy(&rest[..end]).into_owned();
                rest = &rest[end + 1..];
                let (left, _) = open.last_mut()?;
                if key.take().is_none() {
                    *left -= 1;
                    key = Some(text);
                }
            }
            b"N;" => drop(key.take()?),
            _ => return None,
        }
    }
}

/// A number and what follows it.
fn number(rest: &mut &[u8], end: &[u8]) -> Option<usize> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    *rest = rest[digits..].strip_prefix(end)?;
    Some(number)
}
