use proptest::prelude::*;
use rstest::rstest;

use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn reference(text: &str) -> Reference {
    text.parse().expect(text)
}

#[rstest]
#[case("nginx", "docker.io/library/nginx", None)]
#[case("nginx:1.27", "docker.io/library/nginx", Some("1.27"))]
#[case("shop/web:v1", "docker.io/shop/web", Some("v1"))]
#[case("docker.io/nginx", "docker.io/library/nginx", None)]
#[case("index.docker.io/shop/web", "docker.io/shop/web", None)]
#[case("index.docker.io/nginx", "docker.io/library/nginx", None)]
#[case("localhost/web", "localhost/web", None)]
#[case("localhost:5000/web", "localhost:5000/web", None)]
#[case("registry.example.com:5000/a/b/c:x_Y.z-1", "registry.example.com:5000/a/b/c", Some("x_Y.z-1"))]
#[case("10.0.0.1:443/web", "10.0.0.1:443/web", None)]
#[case("[fd00::1]:5000/web:1", "[fd00::1]:5000/web", Some("1"))]
#[case("Registry/web", "Registry/web", None)]
#[case("a--b__c/d.e", "docker.io/a--b__c/d.e", None)]
fn a_reference_is_given_its_registry(#[case] text: &str, #[case] name: &str, #[case] tag: Option<&str>) {
    let reference = reference(text);
    assert_eq!((reference.name().as_str(), reference.tag()), (name, tag));
    assert_eq!(reference.tag_or_latest(), Some(tag.unwrap_or("latest")));
}

#[test]
fn a_digest_stands_beside_the_tag_or_alone() {
    let both = reference(&format!("web:1@{DIGEST}"));
    assert_eq!(both.to_string(), format!("docker.io/library/web:1@{DIGEST}"));
    let alone = reference(&format!("web@{DIGEST}"));
    assert_eq!((alone.tag(), alone.tag_or_latest()), (None, None));
    assert_eq!(alone.digest().map(Digest::as_str), Some(DIGEST));
}

#[rstest]
#[case("", "empty")]
#[case("Nginx", "upper-case")]
#[case("docker.io/Library/nginx", "upper-case")]
#[case("a//b", "empty")]
#[case("/web", "empty")]
#[case("web:", "tag")]
#[case("web:-1", "tag")]
#[case("web:1:2", "tag")]
#[case("web@sha256:12", "digits")]
#[case("web@", "colon")]
#[case("a___b/c", "separated by")]
#[case("-a/b", "separated by")]
#[case("a-/b", "separated by")]
#[case("exa mple.com/web", "letters, digits, dashes")]
#[case("a..b/web", "single dots")]
#[case("host:99999/web", "port")]
#[case("host:+80/web", "port")]
#[case("[fd00::zz]:5000/web", "IPv6")]
#[case("https://registry.example.com/web", "port")]
#[case("wéb", "separated by")]
fn what_is_no_reference_is_refused_with_the_reason(#[case] text: &str, #[case] reason: &str) {
    let error = text.parse::<Reference>().expect_err(text).to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn lengths_are_bounded() {
    let name = |length: usize| "a".repeat(length);
    let fits = MAX_NAME - "docker.io/library/".len();
    assert!(name(fits).parse::<Reference>().is_ok());
    assert!(name(fits + 1).parse::<Reference>().is_err());
    assert!(format!("web:{}", name(MAX_TAG)).parse::<Reference>().is_ok());
    assert!(format!("web:{}", name(MAX_TAG + 1)).parse::<Reference>().is_err());
    assert!("0123456789abcdef".repeat(4).parse::<Reference>().is_err());
}

#[rstest]
#[case("nginx:1", "nginx")]
#[case("registry.example.com/shop/my_web.app", "my-web-app")]
#[case("localhost/a", "a")]
fn the_short_name_fits_an_object(#[case] text: &str, #[case] name: &str) {
    assert_eq!(reference(text).short_name(), name);
}

#[rstest]
#[case::a_name_is_every_tag("docker.io/library/nginx", &["nginx", "nginx:1", "nginx@DIGEST"], &["httpd", "shop/nginx"])]
#[case::a_star_tag_is_every_tag("docker.io/library/nginx:*", &["nginx", "nginx:1", "nginx@DIGEST", "nginx:1@DIGEST"], &["nginx-unit:1"])]
#[case::no_tag_is_latest("*/**:latest", &["nginx", "quay.io/a/b:latest"], &["nginx:1", "nginx@DIGEST"])]
#[case::a_tag_glob("docker.io/library/nginx:1.*", &["nginx:1.27"], &["nginx:2.0", "nginx", "nginx@DIGEST"])]
#[case::everything("*/**", &["nginx", "localhost:5000/a", "r.io/a/b/c/d:1"], &[])]
#[case::everything_shorter("**", &["nginx", "r.io/a/b/c/d:1"], &[])]
#[case::a_registry("registry.example.com/**", &["registry.example.com/a", "registry.example.com/a/b/c:1"], &["nginx", "registry.example.com.evil.org/a", "evil.org/registry.example.com/a"])]
#[case::a_star_stops_at_a_slash("registry.example.com/*", &["registry.example.com/a"], &["registry.example.com/a/b"])]
#[case::a_port_counts("localhost:5000/**", &["localhost:5000/a"], &["localhost/a", "localhost:5001/a"])]
#[case::only_by_digest("*/**@*", &["nginx@DIGEST", "nginx:1@DIGEST"], &["nginx", "nginx:1"])]
#[case::one_character("docker.io/library/ngin?", &["nginx"], &["ngin/x", "nginxx"])]
#[case::parts_in_the_middle("r.io/**/web:1", &["r.io/web:1", "r.io/a/b/web:1"], &["r.io/a/web:2", "r.io/a/cobweb:1"])]
fn patterns_match_what_they_say(#[case] pattern: &str, #[case] yes: &[&str], #[case] no: &[&str]) {
    let set = PatternSet::new(&[pattern]).unwrap();
    for text in yes {
        assert!(set.matches(&reference(&text.replace("DIGEST", DIGEST))), "{pattern} matches {text}");
    }
    for text in no {
        assert!(!set.matches(&reference(&text.replace("DIGEST", DIGEST))), "{pattern} does not match {text}");
    }
}

#[rstest]
#[case("", "1 to 512")]
#[case("nginx:*", "starts with a registry")]
#[case("library/nginx", "starts with a registry")]
#[case("*", "starts with a registry")]
#[case("docker.io//nginx", "empty")]
#[case("docker.io/lib**/nginx", "stands alone")]
#[case("docker.io/{a,b}", "wildcards")]
fn patterns_that_could_never_match_are_refused(#[case] pattern: &str, #[case] reason: &str) {
    let error = PatternSet::new(&[pattern]).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn no_pattern_matches_nothing() {
    assert!(!PatternSet::default().matches(&reference("nginx")));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_stays_the_same(text in ".{0,80}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
        }
    }

    #[test]
    fn normalising_twice_is_normalising_once(
        text in "([a-z]{1,5}(\\.[a-z]{1,3})?(:[0-9]{1,4})?/)?[a-z0-9]{1,6}(/[a-z]{1,4}){0,2}(:[a-z0-9.]{1,5})?"
    ) {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference.clone()));
            let itself = PatternSet::new(&[reference.to_string()]).unwrap();
            prop_assert!(itself.matches(&reference));
        }
    }
}
