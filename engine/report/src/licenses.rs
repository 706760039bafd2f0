//! Licences: which are of the SPDX list, and which only words.

use std::collections::BTreeSet;

use crate::text::visible;

/// Longest text that is read as an expression.
const MAX_EXPRESSION: usize = 4096;

/// The list's own rules, and its deprecated identifiers, `GPL-2.0+` among them: they are still on it.
const MODE: spdx::ParseMode =
    spdx::ParseMode { allow_postfix_plus_on_gpl: true, allow_deprecated: true, ..spdx::ParseMode::STRICT };

/// Identifiers that the crate knows besides those of the list, so that it can read old expressions.
const NOT_IN_THE_LIST: &[&str] = &[
    "BSD-2-Clause-pos-unchanged",
    "BSD-3-Clause-OpenWebUI",
    "BSD-Source-Code-no-disclaimer",
    "BSD-Source-alt-GPL",
    "BSD-ask-to-endorse",
    "Brian-Gladman-3-Clause-no-conversion",
    "Bugroff",
    "CC-BY-NC-3.0-IGO",
    "FDK-MPEG-H",
    "GFDL-1.1-invariants",
    "GFDL-1.1-no-invariants",
    "GFDL-1.2-invariants",
    "GFDL-1.2-no-invariants",
    "GFDL-1.3-invariants",
    "GFDL-1.3-no-invariants",
    "Hippocratic-3.0-core",
    "Informatica",
    "MVT-1.1",
    "atc-game",
];

/// One licence of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum License {
    /// An identifier of the SPDX licence list (<https://spdx.org/licenses/>).
    Id(String),
    /// A valid SPDX expression of such identifiers (<https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/>).
    Expression(String),
    /// The metadata's own words.
    Named(String),
}

impl License {
    /// What a text from a package's metadata is; none if it says nothing.
    fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || matches!(text, "NOASSERTION" | "NONE" | "UNKNOWN") {
            return None;
        }
        let named = || Some(Self::Named(visible(text).into_owned()));
        if text.len() > MAX_EXPRESSION {
            return named();
        }
        if is_listed(text) && spdx::license_id(text).is_some_and(|id| id.name == text) {
            return Some(Self::Id(text.to_owned()));
        }
        let canonical = upper_case_operators(text);
        match spdx::Expression::parse_mode(&canonical, MODE) {
            Ok(expression) if expression.requirements().all(|part| is_of_the_list(&part.req)) => {
                Some(Self::Expression(canonical))
            }
            _ => named(),
        }
    }

    /// The licences of a package, each once, in a fixed order.
    pub(crate) fn all(texts: &[String]) -> BTreeSet<Self> {
        texts.iter().filter_map(|text| Self::of(text)).collect()
    }
}

/// Operators are written in capitals; the parser reads others, but not everybody's does.
fn upper_case_operators(text: &str) -> String {
    let is_operator = |word: &str| ["and", "or", "with"].iter().any(|own| own.eq_ignore_ascii_case(word));
    let words = text.split_whitespace();
    let words = words.map(|word| if is_operator(word) { word.to_ascii_uppercase() } else { word.to_owned() });
    words.collect::<Vec<_>>().join(" ")
}

/// References to licence texts of other documents (`LicenseRef-…`) mean nothing outside of those.
fn is_of_the_list(part: &spdx::LicenseReq) -> bool {
    part.license.id().is_some_and(|id| is_listed(id.name))
}

fn is_listed(name: &str) -> bool {
    name != "NOASSERTION" && !NOT_IN_THE_LIST.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_expressions_and_words_are_told_apart() {
        let id = |text: &str| Some(License::Id(text.to_owned()));
        let expression = |text: &str| Some(License::Expression(text.to_owned()));
        let named = |text: &str| Some(License::Named(text.to_owned()));
        for (text, expected) in [
            ("MIT", id("MIT")),
            (" GPL-2.0-only\n", id("GPL-2.0-only")),
            ("GPL-2.0+", expression("GPL-2.0+")),
            ("GPL-2.0 or MIT", expression("GPL-2.0 OR MIT")),
            ("MIT OR Apache-2.0", expression("MIT OR Apache-2.0")),
            ("(MIT AND BSD-3-Clause) OR Zlib", expression("(MIT AND BSD-3-Clause) OR Zlib")),
            (
                "GPL-2.0-only WITH Classpath-exception-2.0",
                expression("GPL-2.0-only WITH Classpath-exception-2.0"),
            ),
            ("Apache License 2.0", named("Apache License 2.0")),
            ("mit", named("mit")),
            ("MIT OR", named("MIT OR")),
            ("LicenseRef-mine", named("LicenseRef-mine")),
            ("MIT OR LicenseRef-mine", named("MIT OR LicenseRef-mine")),
            ("GFDL-1.1-invariants", named("GFDL-1.1-invariants")),
            ("a\nb", named("a\\nb")),
            ("NOASSERTION", None),
            ("  ", None),
        ] {
            assert_eq!(License::of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_of_any_length_is_only_words() {
        let long = "(".repeat(1 << 20);
        assert_eq!(License::of(&long), Some(License::Named(long.clone())));
    }
}
