//! Tables of `a < b`, and what every order must be.

use proptest::prelude::*;

use super::*;

/// Each scheme's table, one case a line: `A < B`, `A = B`, or `! A` for what is no version.
const TABLES: [(Scheme, &str); 16] = [
    (Scheme::Alpm, include_str!("../../testdata/version/alpm.txt")),
    (Scheme::Apk, include_str!("../../testdata/version/apk.txt")),
    (Scheme::Conan, include_str!("../../testdata/version/conan.txt")),
    (Scheme::Cran, include_str!("../../testdata/version/cran.txt")),
    (Scheme::Dpkg, include_str!("../../testdata/version/dpkg.txt")),
    (Scheme::Go, include_str!("../../testdata/version/go.txt")),
    (Scheme::Hackage, include_str!("../../testdata/version/hackage.txt")),
    (Scheme::Maven, include_str!("../../testdata/version/maven.txt")),
    (Scheme::NuGet, include_str!("../../testdata/version/nuget.txt")),
    (Scheme::Packagist, include_str!("../../testdata/version/packagist.txt")),
    (Scheme::Pep440, include_str!("../../testdata/version/pep440.txt")),
    (Scheme::Portage, include_str!("../../testdata/version/portage.txt")),
    (Scheme::Pub, include_str!("../../testdata/version/pub.txt")),
    (Scheme::Rpm, include_str!("../../testdata/version/rpm.txt")),
    (Scheme::RubyGems, include_str!("../../testdata/version/rubygems.txt")),
    (Scheme::SemVer, include_str!("../../testdata/version/semver.txt")),
];

#[test]
fn every_scheme_has_a_table_and_keeps_to_it() {
    for (scheme, (tabled, table)) in Scheme::ALL.iter().zip(TABLES) {
        assert_eq!(*scheme, tabled);
        let mut cases = 0;
        for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            cases += 1;
            if let Some(version) = line.strip_prefix("! ") {
                let error = scheme.compare(version, version).expect_err(&format!("{scheme}: {line}"));
                assert!(error.to_string().contains(scheme.as_str()), "{error}");
                continue;
            }
            let (a, expected, b) = if let Some((a, b)) = line.split_once(" < ") {
                (a, Ordering::Less, b)
            } else {
                let (a, b) = line.split_once(" = ").expect(line);
                (a, Ordering::Equal, b)
            };
            assert_eq!(scheme.compare(a, b), Ok(expected), "{scheme}: {line}");
            assert_eq!(scheme.compare(b, a), Ok(expected.reverse()), "{scheme}, the other way round: {line}");
        }
        assert!(cases >= 8, "{scheme} has {cases} cases");
    }
}

#[test]
fn every_ecosystem_of_packages_has_the_scheme_of_its_advisories() {
    for (ours, osv) in [
        (Ecosystem::Deb, "Debian:12"),
        (Ecosystem::Deb, "Ubuntu:Pro:22.04:LTS"),
        (Ecosystem::Apk, "Alpine:v3.19"),
        (Ecosystem::Apk, "Wolfi"),
        (Ecosystem::Rpm, "AlmaLinux:9"),
        (Ecosystem::Rpm, "Red Hat:enterprise_linux:9::baseos"),
        (Ecosystem::Rpm, "SUSE:Linux Enterprise Server 15 SP5"),
        (Ecosystem::PyPi, "PyPI"),
        (Ecosystem::Npm, "npm"),
        (Ecosystem::Cargo, "crates.io"),
        (Ecosystem::Go, "Go"),
        (Ecosystem::Maven, "Maven:https://repo1.maven.org/maven2"),
        (Ecosystem::Composer, "Packagist"),
        (Ecosystem::NuGet, "NuGet"),
        (Ecosystem::Gem, "RubyGems"),
        (Ecosystem::Hex, "Hex"),
        (Ecosystem::Pub, "Pub"),
        (Ecosystem::Cran, "CRAN"),
        (Ecosystem::Hackage, "Hackage"),
        (Ecosystem::Swift, "SwiftURL"),
        (Ecosystem::Conan, "ConanCenter"),
        (Ecosystem::Julia, "Julia"),
        (Ecosystem::Opam, "opam"),
        (Ecosystem::GitHubActions, "GitHub Actions"),
        (Ecosystem::Otp, "Hex"),
    ] {
        assert_eq!(Scheme::of(ours), Scheme::of_osv(osv), "{osv}");
        assert!(Scheme::of(ours).is_some(), "{osv}");
    }
    assert_eq!(Scheme::of_osv("OSS-Fuzz"), None);
    assert_eq!(Scheme::of(Ecosystem::Generic), None);
}

/// OSV's ecosystems, as its schema lists them in version 1.7 (<https://ossf.github.io/osv-schema/#defined-ecosystems>).
#[test]
fn every_ecosystem_of_osv_has_a_scheme_or_stands_among_those_that_have_none() {
    const ORDERED: &str = "AlmaLinux|Alpaquita|Alpine|Azure Linux|BellSoft Hardened Containers|Bioconductor|Bitnami|CRAN|\
        Chainguard|CleanStart|ConanCenter|Debian|Echo|GHC|GitHub Actions|Go|Hackage|Hex|Julia|Kubernetes|Mageia|Maven|\
        MinimOS|NuGet|Packagist|Photon OS|Pub|PyPI|Red Hat|Rocky Linux|RubyGems|SUSE|SwiftURL|Ubuntu|VSCode|Wolfi|\
        crates.io|npm|opam|openEuler|openSUSE";
    // Patch levels of phones, kernels by commit, rebuilds of other distributions' packages, ports: their schema does not say
    // how their versions are ordered.
    const UNORDERED: &str =
        "Android|Docker Hardened Images|FreeBSD|Homebrew|Linux|OSS-Fuzz|Root|TuxCare|vcpkg";
    for ecosystem in ORDERED.split('|') {
        assert!(Scheme::of_osv(ecosystem).is_some(), "{ecosystem}");
        assert_eq!(Scheme::of_osv(&format!("{ecosystem}:1")), Scheme::of_osv(ecosystem));
    }
    for ecosystem in UNORDERED.split('|') {
        assert_eq!(Scheme::of_osv(ecosystem), None, "{ecosystem}");
    }
}

#[test]
fn a_version_without_end_is_refused() {
    let long = "1.".repeat(LIMIT);
    for scheme in Scheme::ALL {
        let error = scheme.compare(&long, "1").unwrap_err();
        assert!(error.to_string().contains("1024") && error.to_string().len() < 200, "{error}");
    }
}

/// Versions of the scheme's grammar, from few parts, so that neighbours are common.
fn grammar(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Alpm => r"([0-1]:)?[0-2](\.[0-2]|[a-b]|\.[a-b]|_[0-1]){0,3}-[1-2]",
        Scheme::Apk => r"[0-2](\.(0|1|10|01|00)){0,2}[a-b]?(_(alpha|rc|p|git)[0-1]?){0,2}(-r[0-1])?",
        Scheme::Conan => r"[0-2](\.(0|1|10|a)){0,3}(-(pre|1|0))?(\+[0-1])?",
        Scheme::Cran => r"[0-2]([.-](0|1|10|01)){0,3}",
        Scheme::Dpkg => r"([0-1]:)?[0-2]([.+~a-c]|[0-2]){0,5}(-[0-2]([~+a-c]|[0-2]){0,2})?",
        Scheme::Go => {
            r"v[0-1]\.[0-2]\.(0|1|10)(-(rc\.)?[0-2]|-0\.20230102030405-0123456789ab|\+incompatible)?"
        }
        Scheme::Hackage => r"[0-2](\.(0|1|10|01)){0,3}",
        // One word at the end at most: with words and numbers at one place Maven has cycles.
        Scheme::Maven => r"[0-2](\.[0-2]){0,2}(-(alpha|rc|SNAPSHOT|final|sp|foo)(-[0-2])?)?",
        Scheme::NuGet => r"[0-2](\.[0-2]){0,3}(-(a|B|b|1|10)(\.[0-2])?)?(\+x)?",
        Scheme::Packagist => r"v?[0-2](\.(0|1|10)){0,3}(-(alpha|b|RC|p)[0-2]?)?(-dev)?",
        Scheme::Pep440 => {
            r"([0-1]!)?[0-2](\.[0-2]){0,2}((a|b|rc)[0-1])?(\.post[0-1])?(\.dev[0-1])?(\+[a-b0-1](\.[0-1])?)?"
        }
        Scheme::Portage => r"[0-2](\.(0|1|10|01|00)){0,2}[a-b]?(_(alpha|rc|p)[0-1]?){0,2}(-r[0-1])?",
        Scheme::Pub | Scheme::SemVer => r"[0-1]\.[0-2]\.(0|1|10)(-(a|b|1|10)(\.[0-1a])?)?(\+[0-1])?",
        Scheme::Rpm => r"([0-1]:)?[0-2]([.~^a-c]|[0-2]){0,5}(-[0-2](\.el[89])?)?",
        Scheme::RubyGems => r"[0-2](\.(0|1|10|a|b|rc1)){0,4}(-[a-b])?",
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_scheme_is_a_total_order(
        (scheme, a, b, c) in proptest::sample::select(Scheme::ALL).prop_flat_map(|scheme| {
            let version = || proptest::string::string_regex(grammar(scheme)).unwrap();
            (Just(scheme), version(), version(), version())
        })
    ) {
        let order = |a: &str, b: &str| scheme.compare(a, b).unwrap();
        prop_assert_eq!(order(&a, &a), Ordering::Equal);
        prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
        let mut sorted = [&a, &b, &c];
        sorted.sort_by(|a, b| order(a, b));
        prop_assert!(
            order(sorted[0], sorted[2]) == order(sorted[0], sorted[1]).then(order(sorted[1], sorted[2])),
            "{}: {:?}", scheme, sorted
        );
    }

    #[test]
    fn no_text_is_too_odd(a in "[0-9a-z.:~^+_!*\u{e9}\u{1f600} -]{0,12}", b in "\\PC{0,12}") {
        for scheme in Scheme::ALL {
            if let Ok(order) = scheme.compare(&a, &b) {
                prop_assert_eq!(scheme.compare(&b, &a), Ok(order.reverse()));
            }
        }
    }
}
