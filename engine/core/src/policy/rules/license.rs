//! Rules on the licences of an image's packages.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::license::{Licenses, expression, word};
use crate::policy::{InvalidPolicy, LicenseRule};

/// Licences that a reason names.
const NAMED: usize = 5;

/// [`LicenseRule`], compiled.
#[derive(Debug, Clone)]
pub(in crate::policy) struct CompiledLicenseRule {
    deny: Patterns,
    /// None: everything that is not denied.
    allow: Option<Patterns>,
    unknown: bool,
}

impl CompiledLicenseRule {
    pub(in crate::policy) fn new(rule: &LicenseRule, field: &str) -> Result<Self, InvalidPolicy> {
        if rule.deny.is_empty() && rule.allow.is_empty() && !rule.unknown {
            return Err(InvalidPolicy::new(field, "set at least one of deny, allow and unknown"));
        }
        let allow = Patterns::new(&rule.allow, &format!("{field}.allow"))?;
        Ok(Self {
            deny: Patterns::new(&rule.deny, &format!("{field}.deny"))?,
            allow: (!rule.allow.is_empty()).then_some(allow),
            unknown: rule.unknown,
        })
    }

    /// Why the rule holds, naming licences and packages.
    pub(in crate::policy) fn test(&self, licenses: &Licenses) -> Option<String> {
        let mut refused = licenses.0.iter().filter(|(text, _)| !self.accepts(text));
        let named: Vec<String> = refused
            .by_ref()
            .take(NAMED)
            .map(|(text, licensed)| {
                let license = if text.is_empty() { "no licence that is known" } else { text };
                let more = match licensed.packages {
                    0 | 1 => String::new(),
                    packages => format!(" and {} more", packages - 1),
                };
                format!("{license} ({}{more})", licensed.example)
            })
            .collect();
        let more = match refused.count() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        (!named.is_empty())
            .then(|| format!("its packages have licences that are refused: {}{more}", named.join(", ")))
    }

    /// Whether what a package says of its licence can be lived with: of several alternatives one is enough.
    fn accepts(&self, text: &str) -> bool {
        let Some(expression) = expression(text) else {
            // Words can be named by a policy, too.
            let is_allowed = || self.allow.as_ref().is_some_and(|allow| allow.alone.is_match(text));
            return !self.deny.alone.is_match(text) && (!self.unknown || is_allowed());
        };
        expression.evaluate(|part| {
            let license = part.license.to_string();
            // An identifier stands for itself with a later version allowed, too; a licence of nobody's list can be named as it is.
            let bare = license.trim_end_matches('+');
            let bare = bare.strip_prefix("LicenseRef-").unwrap_or(bare);
            let whole = part.addition.as_ref().map(|addition| format!("{license} WITH {addition}"));
            let names_whole =
                |patterns: &Patterns| whole.as_ref().is_some_and(|whole| patterns.with.is_match(whole));
            let names_it = |patterns: &Patterns| {
                [license.as_str(), bare].iter().any(|name| patterns.alone.is_match(name))
                    || names_whole(patterns)
            };
            // An exception of the list only ever allows more; of others nobody knows.
            let is_listed = !matches!(part.addition, Some(spdx::AdditionItem::Other(_)));
            // With an exception a licence is another one: who names it so means it, whatever is said of it without.
            if names_whole(&self.deny) {
                return false;
            }
            match &self.allow {
                Some(allow) if names_whole(allow) => true,
                Some(allow) => is_listed && names_it(allow) && !names_it(&self.deny),
                None => {
                    let is_known = is_listed && part.license.id().is_some();
                    !names_it(&self.deny) && (is_known || !self.unknown)
                }
            }
        })
    }
}

/// Patterns over licences; case does not count.
#[derive(Debug, Clone)]
struct Patterns {
    /// Those of a licence, with any exception.
    alone: GlobSet,
    /// Those of a licence `WITH` an exception.
    with: GlobSet,
}

impl Patterns {
    fn new(texts: &[String], field: &str) -> Result<Self, InvalidPolicy> {
        let (mut alone, mut with) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for text in texts {
            let invalid = |reason: &str| InvalidPolicy::new(field, format!("`{text}`: {reason}"));
            if text.trim().is_empty() || text.contains(['[', ']', '{', '}', '\\', '?']) {
                return Err(invalid("a licence is an SPDX identifier, and its one wildcard is *"));
            }
            let upper = text.to_ascii_uppercase();
            if upper.contains(" AND ") || upper.contains(" OR ") {
                return Err(invalid("it would name an expression: name each licence by itself"));
            }
            let set = if upper.contains(" WITH ") { &mut with } else { &mut alone };
            for name in names(text) {
                let glob = GlobBuilder::new(&name).case_insensitive(true).build();
                set.add(glob.map_err(|error| invalid(&error.kind().to_string()))?);
            }
        }
        let build = |set: GlobSetBuilder| set.build().map_err(|error| InvalidPolicy::new(field, error));
        Ok(Self { alone: build(alone)?, with: build(with)? })
    }
}

/// A licence that a policy names, as it is written and as it is written where licences are read. GNU's without `only` and
/// `or-later` (`GPL-3.0`, as the list had them, and Debian's `GPL-3`) stand for both.
fn names(text: &str) -> Vec<String> {
    let (license, exception) = text.split_once(' ').unwrap_or((text, ""));
    let read = word(license);
    let later = read.strip_suffix("-only").filter(|_| !license.to_ascii_lowercase().ends_with("-only"));
    let later = later.map(|family| format!("{family}-or-later"));
    let mut names: Vec<String> =
        [Some(license.to_owned()), Some(read), later].into_iter().flatten().collect();
    names.dedup();
    names.iter().map(|name| format!("{name} {exception}").trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::license::Licensed;

    fn licenses(text: &str) -> Licenses {
        Licenses([(text.to_owned(), Licensed { packages: 2, example: "pkg:npm/a@1".into() })].into())
    }

    fn rule(deny: &[&str], allow: &[&str], unknown: bool) -> CompiledLicenseRule {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let rule = LicenseRule { deny: texts(deny), allow: texts(allow), unknown };
        CompiledLicenseRule::new(&rule, "license").unwrap()
    }

    #[rstest]
    #[case::denied("AGPL-3.0-only", true)]
    #[case::by_wildcard("GPL-2.0-or-later", true)]
    #[case::an_old_name("GPL-2.0+", true)]
    #[case::debian_s_name("GPL-3", true)]
    #[case::another("MIT", false)]
    #[case::an_alternative_is_enough("GPL-2.0-only OR MIT", false)]
    #[case::no_alternative_is("GPL-2.0-only OR AGPL-3.0-only", true)]
    #[case::all_must_be("MIT AND AGPL-3.0-only", true)]
    #[case::within_parentheses("(MIT OR AGPL-3.0-only) AND Apache-2.0", false)]
    #[case::an_exception_changes_nothing_of_itself("GPL-2.0-only WITH Classpath-exception-2.0", true)]
    #[case::its_own_family("LGPL-2.1-only", false)]
    #[case::nothing("", false)]
    #[case::words("as is", false)]
    fn what_is_denied_is_refused_unless_there_is_a_way_around(#[case] text: &str, #[case] refused: bool) {
        assert_eq!(rule(&["AGPL-*", "GPL-*"], &[], false).test(&licenses(text)).is_some(), refused);
    }

    #[rstest]
    #[case("MIT", false)]
    #[case("mit OR Zlib", false)]
    #[case("Zlib", true)]
    #[case("MIT AND Zlib", true)]
    #[case("GPL-2.0-only WITH Classpath-exception-2.0", false)]
    #[case("GPL-2.0-only", true)]
    #[case("GPL-2.0-only WITH GCC-exception-2.0", true)]
    #[case("LicenseRef-mine", true)]
    #[case("as is", true)]
    #[case("public-domain", false)]
    #[case("", true)]
    fn of_a_list_only_what_is_on_it_is_accepted(#[case] text: &str, #[case] refused: bool) {
        let allow = ["MIT", "GPL-2.0-only WITH Classpath-exception-2.0", "public-domain"];
        assert_eq!(rule(&["GPL-*"], &allow, true).test(&licenses(text)).is_some(), refused);
    }

    #[rstest]
    #[case::both_are_meant("GPL-3.0", "GPL-3.0-or-later", true)]
    #[case::both_are_meant("GPL-3.0", "GPL-3.0-only", true)]
    #[case::debian_s_name("GPL-3", "GPL-3+", true)]
    #[case::of_later_ones_alone("GPL-3.0+", "GPL-3.0-only", false)]
    #[case::of_later_ones_alone("gpl-3.0+", "GPL-3.0-or-later", true)]
    #[case::the_one_alone("GPL-3.0-only", "GPL-3.0-or-later", false)]
    #[case::another_version("GPL-3.0", "GPL-2.0-or-later", false)]
    #[case::another_family("GPL-3.0", "LGPL-3.0-only", false)]
    #[case::a_later_version_too("MPL-1.1", "MPL-1.1+", true)]
    #[case::another_name("Expat", "MIT", true)]
    #[case::with_an_exception(
        "GPL-2.0 WITH Classpath-exception-2.0",
        "GPL-2+ with Classpath-exception-2.0",
        true
    )]
    #[case::with_another("GPL-2.0 WITH Classpath-exception-2.0", "GPL-2+ with GCC-exception-2.0", false)]
    #[case::of_nobody_s_list("LicenseRef-mine", "MIT AND LicenseRef-mine", true)]
    #[case::of_nobody_s_list("mine", "mine and MIT", true)]
    #[case::an_alternative_to_it("mine", "mine or MIT", false)]
    #[case::behind_what_nobody_knows("AGPL-*", "mine AND AGPL-3.0-only", true)]
    #[case::an_addition("* WITH *Commons-Clause*", "Apache-2.0 WITH Commons Clause v1.0", true)]
    #[case::no_addition("* WITH *Commons-Clause*", "Apache-2.0 WITH LLVM-exception", false)]
    fn a_name_stands_for_what_people_mean_by_it(
        #[case] deny: &str,
        #[case] text: &str,
        #[case] refused: bool,
    ) {
        assert_eq!(rule(&[deny], &[], false).test(&licenses(text)).is_some(), refused);
    }

    /// What the list does not have may take rights away.
    #[rstest]
    #[case(&["Apache-2.0"], false, "Apache-2.0 WITH LLVM-exception", false)]
    #[case(&["Apache-2.0"], false, "Apache-2.0 WITH Commons Clause", true)]
    #[case(&["Apache-2.0"], false, "Apache-2.0 WITH Commons Clause OR Apache-2.0", false)]
    #[case(&["Apache-2.0", "GPL-* WITH *OpenSSL*"], false, "GPL-2+ with OpenSSL exception", false)]
    #[case(&[], true, "GPL-2+ with OpenSSL exception", true)]
    #[case(&[], true, "GPL-2+ with GCC-exception-2.0", false)]
    #[case(&[], true, "public-domain and GPL-2+", true)]
    fn an_addition_that_nobody_lists_is_not_known(
        #[case] allow: &[&str],
        #[case] unknown: bool,
        #[case] text: &str,
        #[case] refused: bool,
    ) {
        assert_eq!(rule(&[], allow, unknown).test(&licenses(text)).is_some(), refused);
    }

    #[test]
    fn the_reason_names_licence_and_package_and_wrong_patterns_are_refused() {
        let reason = rule(&[], &[], true).test(&licenses("")).unwrap();
        assert!(reason.contains("no licence that is known (pkg:npm/a@1 and 1 more)"), "{reason}");
        for wrong in ["", "GPL-[23]*", "GPL?", "MIT OR Zlib", "mit and zlib"] {
            let wrong = LicenseRule { deny: vec![wrong.to_owned()], ..LicenseRule::default() };
            assert_eq!(CompiledLicenseRule::new(&wrong, "license").unwrap_err().field, "license.deny");
        }
        assert!(CompiledLicenseRule::new(&LicenseRule::default(), "license").is_err());
    }
}
