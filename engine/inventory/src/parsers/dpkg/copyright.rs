//! Licences in `usr/share/doc/PACKAGE/copyright`.

use std::collections::BTreeSet;

/// No real file names more.
const MAX_LICENSES: usize = 200;
/// Longest name of a licence in bytes.
const MAX_NAME: usize = 200;

/// The short names that a machine-readable file gives
/// (<https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/>); else the common licences that the text refers
/// to.
pub(super) fn licenses(text: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    if is_machine_readable(text) {
        let fields = text.lines().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("License").then(|| value.trim())
        });
        add(&mut names, fields);
    }
    if names.is_empty() {
        let references = text.split("/usr/share/common-licenses/").skip(1).map(|after| {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && !"-.+".contains(c));
            after[..end.unwrap_or(after.len())].trim_end_matches(['.', '-'])
        });
        add(&mut names, references);
    }
    names.into_iter().map(str::to_owned).collect()
}

fn add<'a>(names: &mut BTreeSet<&'a str>, found: impl Iterator<Item = &'a str>) {
    for name in found.filter(|name| !name.is_empty() && name.len() <= MAX_NAME) {
        if names.len() < MAX_LICENSES {
            names.insert(name);
        }
    }
}

/// Its first paragraph begins with the format's address.
fn is_machine_readable(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.split_once(':').is_some_and(|(name, _)| {
        name.eq_ignore_ascii_case("Format") || name.eq_ignore_ascii_case("Format-Specification")
    })
}
