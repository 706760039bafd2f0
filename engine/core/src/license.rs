//! Licences of packages, as SPDX expressions where their metadata can be read so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::package::Inventory;

/// Longest text that is read as an expression, in bytes.
const MAX_TEXT: usize = 1024;

/// Different licences that are kept of an image. Real images have some hundred.
const MAX_LICENSES: usize = 2_000;

/// The list's own rules, and its deprecated identifiers, which metadata are full of.
const MODE: spdx::ParseMode =
    spdx::ParseMode { allow_postfix_plus_on_gpl: true, allow_deprecated: true, ..spdx::ParseMode::STRICT };

/// The licences of an image's packages, by what their metadata say: an SPDX expression, words that are none, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Licenses(pub BTreeMap<String, Licensed>);

/// The packages that have a licence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Licensed {
    /// How many packages have it.
    pub packages: u64,
    /// Package URL of the first of them.
    pub example: String,
}

impl Licenses {
    /// Those of an inventory. Of a package that names several each counts: whoever uses it is bound by all of them. What is
    /// beyond the limit counts as packages that say nothing.
    pub fn of(inventory: &Inventory) -> Self {
        let mut licenses = BTreeMap::<String, Licensed>::new();
        let mut add = |text: String, purl: &str| {
            let is_full = licenses.len() >= MAX_LICENSES && !licenses.contains_key(&text);
            let licensed = licenses.entry(if is_full { String::new() } else { text }).or_default();
            licensed.packages += 1;
            if licensed.example.is_empty() {
                purl.clone_into(&mut licensed.example);
            }
        };
        for located in &inventory.packages {
            // A part of a system package is that package's affair.
            if located.owned_by.is_some() {
                continue;
            }
            let texts = &located.package.licenses;
            if texts.is_empty() {
                add(String::new(), &located.purl);
            }
            for text in texts {
                let end = text.floor_char_boundary(MAX_TEXT);
                let text =
                    expression(text).map_or_else(|| said(&text[..end]), |expression| expression.to_string());
                add(text, &located.purl);
            }
        }
        Self(licenses)
    }
}

/// Words that say nothing are none.
fn said(text: &str) -> String {
    let text = text.trim();
    let says_nothing = ["NOASSERTION", "NONE", "UNKNOWN"].iter().any(|none| none.eq_ignore_ascii_case(text));
    if says_nothing { String::new() } else { text.to_owned() }
}

/// The SPDX expression that a text is (<https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/>), Debian's short names
/// (<https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/#license-short-name>) read as the list's. What stands
/// behind a `WITH` and is no exception of the list becomes an `AdditionRef-…`, since it may as well take rights away (Commons
/// Clause), and in an expression of several licences one that the list does not have a `LicenseRef-…`. None: the text is none.
pub fn expression(text: &str) -> Option<spdx::Expression> {
    if text.len() > MAX_TEXT || matches!(text.trim(), "" | "NONE" | "NOASSERTION") {
        return None;
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace(',', " ");
    let words: Vec<String> = spaced.split_whitespace().map(word).collect();
    let parse = |words: &[String]| {
        let text = words.join(" ").replace("( ", "(").replace(" )", ")");
        spdx::Expression::parse_mode(&text, MODE).ok()
    };
    parse(&words).or_else(|| parse(&referring(&words)))
}

/// A word as SPDX writes it.
pub(crate) fn word(word: &str) -> String {
    if ["and", "or", "with"].iter().any(|operator| operator.eq_ignore_ascii_case(word)) {
        return word.to_ascii_uppercase();
    }
    match word.to_ascii_lowercase().as_str() {
        "expat" => return "MIT".to_owned(),
        "artistic" => return "Artistic-1.0-Perl".to_owned(),
        "perl" => return "Artistic-1.0-Perl OR GPL-1.0-or-later".to_owned(),
        "psf" | "psf-2" | "python" => return "PSF-2.0".to_owned(),
        _ => {}
    }
    if let Some(gnu) = gnu(word) {
        return gnu;
    }
    // The case of an identifier does not count.
    let listed = spdx::license_id(word).map(|id| id.name.to_owned());
    listed
        .or_else(|| {
            let same = |name: &&str| name.eq_ignore_ascii_case(word);
            spdx::identifiers::LICENSES.iter().map(|license| license.name).find(same).map(str::to_owned)
        })
        .unwrap_or_else(|| word.to_owned())
}

/// `GPL-2+`, `LGPL-2.1`, `GFDL-1.3+`: GNU's licences without the words that SPDX demands.
fn gnu(word: &str) -> Option<String> {
    let (bare, end) = match word.strip_suffix('+') {
        Some(bare) => (bare, "or-later"),
        None => (word, "only"),
    };
    let (family, version) = bare.split_once('-')?;
    let family = family.to_ascii_uppercase();
    let is_gnu = ["GPL", "LGPL", "AGPL", "GFDL"].contains(&family.as_str());
    let is_version = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let version = if version.contains('.') { version.to_owned() } else { format!("{version}.0") };
    let name = format!("{family}-{version}-{end}");
    (is_gnu && is_version && spdx::license_id(&name).is_some()).then_some(name)
}

/// Words that the list does not have as references to a text that is elsewhere: what stands behind a `WITH` as one, and licences
/// where there are several. A licence that stands alone stays what it is.
fn referring(words: &[String]) -> Vec<String> {
    let is_operator = |word: &str| matches!(word, "AND" | "OR" | "WITH" | "(" | ")");
    let are_several = words.iter().any(|word| matches!(word.as_str(), "AND" | "OR"));
    let reference = |kind: &str, words: &[String]| {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        format!("{kind}{}", words.join("-").chars().map(plain).collect::<String>())
    };
    let mut kept = Vec::new();
    let mut rest = words;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let is_listed = first.contains("Ref-") || spdx::license_id(first.trim_end_matches('+')).is_some();
        if first == "WITH" {
            let end = behind.iter().position(|word| is_operator(word)).unwrap_or(behind.len());
            let (addition, after) = behind.split_at(end);
            let is_listed =
                matches!(addition, [one] if one.contains("Ref-") || spdx::exception_id(one).is_some());
            kept.push(first.clone());
            kept.push(match is_listed || addition.is_empty() {
                true => addition.concat(),
                false => reference("AdditionRef-", addition),
            });
            rest = after;
        } else if are_several && !is_listed && !is_operator(first) && !first.contains(' ') {
            kept.push(reference("LicenseRef-", std::slice::from_ref(first)));
        } else {
            kept.push(first.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::{Ecosystem, LocatedPackage, Package};

    #[test]
    fn metadata_in_many_words_are_one_expression() {
        for (text, expected) in [
            ("MIT", Some("MIT")),
            ("mit", Some("MIT")),
            ("Expat", Some("MIT")),
            ("GPL-2", Some("GPL-2.0-only")),
            ("GPL-2+", Some("GPL-2.0-or-later")),
            ("LGPL-2.1+ or MPL-2.0", Some("LGPL-2.1-or-later OR MPL-2.0")),
            ("gpl-3.0 OR lgpl-2.1+", Some("GPL-3.0-only OR LGPL-2.1-or-later")),
            ("GPL-2+ with OpenSSL exception", Some("GPL-2.0-or-later WITH AdditionRef-OpenSSL-exception")),
            (
                "(Apache-2.0 with Commons Clause v1.0) or MIT",
                Some("(Apache-2.0 WITH AdditionRef-Commons-Clause-v1.0) OR MIT"),
            ),
            ("public-domain and GPL-3+", Some("LicenseRef-public-domain AND GPL-3.0-or-later")),
            (
                "BSD-3-clause~x or perl",
                Some("LicenseRef-BSD-3-clause-x OR Artistic-1.0-Perl OR GPL-1.0-or-later"),
            ),
            ("as is and MIT", None),
            ("MIT WITH", None),
            ("GPL-2.0-only WITH Classpath-exception-2.0", Some("GPL-2.0-only WITH Classpath-exception-2.0")),
            ("(BSD-3-clause and Expat) or Apache-2.0", Some("(BSD-3-Clause AND MIT) OR Apache-2.0")),
            ("GFDL-1.3+", Some("GFDL-1.3-or-later")),
            ("Artistic or GPL-1+", Some("Artistic-1.0-Perl OR GPL-1.0-or-later")),
            ("LicenseRef-mine", Some("LicenseRef-mine")),
            ("public-domain", None),
            ("GPL", None),
            ("Apache License, Version 2.0", None),
            ("NOASSERTION", None),
            ("NONE", None),
            ("", None),
            ("MIT OR", None),
        ] {
            let found = expression(text).map(|expression| expression.to_string());
            let expected = expected.map(|text| spdx::Expression::parse_mode(text, MODE).unwrap().to_string());
            assert_eq!(found, expected, "{text}");
        }
        assert!(expression(&"(".repeat(1 << 20)).is_none());
        assert!(expression(&"(".repeat(MAX_TEXT)).is_none());
    }

    #[test]
    fn an_images_licences_are_counted_and_parts_of_packages_are_not() {
        let located = |name: &str, licenses: &[&str], owned: bool| {
            let licenses = licenses.iter().map(|text| (*text).to_owned()).collect();
            LocatedPackage {
                package: Package { licenses, ..Package::new(Ecosystem::Deb, name, "1") },
                purl: format!("pkg:deb/debian/{name}@1"),
                path: "/var/lib/dpkg/status".into(),
                layer: None,
                owned_by: owned.then(|| "pkg:deb/debian/a@1".to_owned()),
                files: 0,
            }
        };
        let packages = vec![
            located("a", &["Expat", "GPL-2+"], false),
            located("b", &["MIT"], false),
            located("c", &[], false),
            located("d", &["NOASSERTION"], false),
            located("e", &["AGPL-3"], true),
            located("f", &["as is"], false),
        ];
        let licenses = Licenses::of(&Inventory { packages, ..Inventory::default() }).0;
        let counts: Vec<(&str, u64, &str)> = licenses
            .iter()
            .map(|(text, licensed)| (text.as_str(), licensed.packages, licensed.example.as_str()))
            .collect();
        assert_eq!(
            counts,
            [
                ("", 2, "pkg:deb/debian/c@1"),
                ("GPL-2.0-or-later", 1, "pkg:deb/debian/a@1"),
                ("MIT", 2, "pkg:deb/debian/a@1"),
                ("as is", 1, "pkg:deb/debian/f@1"),
            ]
        );
    }
}
