use rstest::rstest;

use super::*;

fn password(user: &str, password: &str) -> Credential {
    Credential::Password { user: user.to_owned(), password: password.to_owned() }
}

fn auths(entries: &[(&str, &str)]) -> Config {
    let entries = entries.iter().map(|(key, user)| {
        format!(r#""{key}": {{"auth": "{}"}}"#, BASE64_STANDARD.encode(format!("{user}:secret")))
    });
    let text = format!(r#"{{"auths": {{{}}}}}"#, entries.collect::<Vec<_>>().join(","));
    Config::parse(text.as_bytes()).unwrap()
}

#[rstest]
#[case::docker_hub("https://index.docker.io/v1/", "docker.io", "library/nginx", true)]
#[case::hub_by_its_name("docker.io", "docker.io", "library/nginx", true)]
#[case::host("r.example", "r.example", "a/b", true)]
#[case::host_with_port("r.example:5000", "r.example:5000", "a/b", true)]
#[case::url("https://r.example", "r.example", "a/b", true)]
#[case::old_url("https://r.example/v2/", "r.example", "a/b", true)]
#[case::other_case("R.Example", "r.example", "a/b", true)]
#[case::folder("r.example/a", "r.example", "a/b", true)]
#[case::repository("r.example/a/b", "r.example", "a/b", true)]
#[case::other_port("r.example:5001", "r.example:5000", "a/b", false)]
#[case::no_port("r.example", "r.example:5000", "a/b", false)]
#[case::part_of_a_name("r.example/a", "r.example", "ab/c", false)]
#[case::longer_host("r.example.evil.example", "r.example", "a/b", false)]
#[case::shorter_host("example", "r.example", "a/b", false)]
#[case::beginning_of_a_host("r.exam", "r.example", "a/b", false)]
#[case::url_with_a_path("https://r.example/a", "r.example", "a/b", false)]
#[case::hub_elsewhere("https://index.docker.io/v1/", "r.example", "library/nginx", false)]
fn a_key_fits_its_own_registry_only(
    #[case] key: &str,
    #[case] host: &str,
    #[case] repository: &str,
    #[case] fits: bool,
) {
    let found = auths(&[(key, "me")]).find(host, repository);
    assert_eq!(found, fits.then(|| Found::Credential(password("me", "secret"))));
}

#[test]
fn the_longest_key_decides() {
    let config = auths(&[("r.example", "host"), ("r.example/a", "folder"), ("r.example/a/b", "repository")]);
    for (repository, user) in [("a/b", "repository"), ("a/bc", "folder"), ("a/c/d", "folder"), ("b", "host")]
    {
        let wanted = Some(Found::Credential(password(user, "secret")));
        assert_eq!(config.find("r.example", repository), wanted, "{repository}");
    }
}

#[test]
fn entries_hold_logins_in_several_forms() {
    let text = br#"{"auths": {
        "token.example": {"auth": "bWU6", "identitytoken": "refresh"},
        "bearer.example": {"registrytoken": "as-it-is"},
        "plain.example": {"username": "me", "password": "a:b"},
        "colon.example": {"auth": "bWU6YTpi"},
        "zeros.example": {"auth": "bWU6c2VjcmV0AAA="}
    }}"#;
    let config = Config::parse(text).unwrap();
    for (host, wanted) in [
        ("token.example", Credential::Identity("refresh".to_owned())),
        ("bearer.example", Credential::Bearer("as-it-is".to_owned())),
        ("plain.example", password("me", "a:b")),
        ("colon.example", password("me", "a:b")),
        ("zeros.example", password("me", "secret")),
    ] {
        assert_eq!(config.find(host, "a"), Some(Found::Credential(wanted)), "{host}");
    }
}

#[test]
fn a_helper_for_the_registry_goes_before_entries_and_the_helper_for_all_behind() {
    let text = br#"{"auths": {"r.example": {"auth": "bWU6cw=="}, "empty.example": {}},
        "credHelpers": {"r.example": "ecr-login"}, "credsStore": "desktop"}"#;
    let config = Config::parse(text).unwrap();
    let helper = |name: &str, keys: &[&str]| {
        Some(Found::Helper(name.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect()))
    };
    assert_eq!(config.find("r.example", "a"), helper("ecr-login", &["r.example"]));
    assert_eq!(config.find("empty.example", "a"), helper("desktop", &["empty.example"]));
    assert_eq!(
        config.find("docker.io", "a"),
        helper("desktop", &["https://index.docker.io/v1/", "docker.io"])
    );
}

#[test]
fn what_is_no_login_is_none() {
    for text in [
        "{}",
        r#"{"auths": null, "credsStore": ""}"#,
        r#"{"auths": {"r.example": null}}"#,
        r#"{"auths": {"r.example": {"auth": "%%%"}}}"#,
        r#"{"auths": {"r.example": {"auth": "bm9jb2xvbg=="}}}"#,
        r#"{"auths": {"r.example": {"auth": "OnNlY3JldA=="}}}"#,
    ] {
        assert_eq!(Config::parse(text.as_bytes()).unwrap().find("r.example", "a"), None, "{text}");
    }
}

#[test]
fn a_broken_file_is_told_without_quoting_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, r#"{"auths": {"r.example": {"auth": 123456}}}"#).unwrap();
    let logins = Logins { given: Vec::new(), files: vec![LoginFile { path, required: false }] };
    let error = logins.find("r.example", "a").unwrap_err().to_string();
    assert!(error.contains("config.json is no login file") && !error.contains("123456"), "{error}");
}

#[test]
fn a_missing_file_matters_only_if_it_was_named() {
    let file = |required| LoginFile { path: PathBuf::from("/nonexistent/auth.json"), required };
    let find = |required| Logins { given: Vec::new(), files: vec![file(required)] }.find("r.example", "a");
    assert_eq!(find(false), Ok(None));
    assert!(find(true).unwrap_err().to_string().contains("/nonexistent/auth.json"));
}

#[test]
fn files_are_looked_for_where_podman_and_docker_keep_them() {
    let paths = |variables: &[(&str, &str)]| {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let found = files(|name| variables.get(name).map(PathBuf::from));
        found.into_iter().map(|file| (file.path.display().to_string(), file.required)).collect::<Vec<_>>()
    };
    let path = |path: &str, required| (path.to_owned(), required);
    assert_eq!(
        paths(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1")]),
        [
            path("/run/user/1/containers/auth.json", false),
            path("/h/.config/containers/auth.json", false),
            path("/h/.docker/config.json", false),
        ]
    );
    assert_eq!(
        paths(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c"), ("DOCKER_CONFIG", "/d")]),
        [path("/c/containers/auth.json", false), path("/d/config.json", false)]
    );
    assert_eq!(paths(&[("HOME", "/h"), ("REGISTRY_AUTH_FILE", "/a.json")]), [path("/a.json", true)]);
    assert_eq!(paths(&[]), []);
}

#[test]
fn given_logins_go_first_and_nothing_prints_a_secret() {
    let given = vec![("r.example/team".to_owned(), password("me", "hush"))];
    let logins = Logins { given, files: Vec::new() };
    assert_eq!(logins.find("r.example", "team/web"), Ok(Some(password("me", "hush"))));
    assert_eq!(logins.find("r.example", "other"), Ok(None));
    let entry = Config::parse(br#"{"auths": {"r": {"username": "me", "password": "hush"}}}"#).unwrap();
    assert!(!format!("{logins:?} {entry:?} {:?}", Credential::Bearer("hush".to_owned())).contains("hush"));
}
