//! Images of a real registry: plain, with logins, with TLS, and with all that goes wrong on the way.

use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use pratique_core::reference::Reference;
use pratique_fs::registry::{
    Credential, LoginFile, Logins, Mirror, Patience, Proxies, Registries, RegistryOptions, RetryPolicy,
};
use pratique_fs::{Error, Layer, OpenImage, SourceOptions};
use pratique_registry::Error as RegistryError;
use pratique_testkit::daemons::{Between, Fault, RegistryDaemon, Seen, say};
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, LayerBuilder};

/// Bytes that no compression makes small, so that there is a middle to break off in.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn image() -> BuiltImage {
    let base = LayerBuilder::new().file("etc/name", "base").file("noise", noise(300_000));
    let top = LayerBuilder::new().file("etc/name", "top");
    ImageBuilder::new().layer(base, Compression::Gzip).layer(top, Compression::Zstd).build()
}

/// Options for tests: nothing of this user's, plain HTTP on the ports, no long pauses.
fn options(ports: &[u16]) -> RegistryOptions {
    RegistryOptions {
        insecure: ports.iter().map(|port| format!("127.0.0.1:{port}")).collect(),
        retry: RetryPolicy { tries: 4, pause: Duration::from_millis(1), longest: Duration::from_secs(2) },
        ..RegistryOptions::default()
    }
}

fn client(registry: RegistryOptions) -> pratique_fs::Result<Registries> {
    Registries::new(&SourceOptions { registry, ..SourceOptions::default() })
}

fn reference(port: u16, rest: &str) -> Reference {
    format!("127.0.0.1:{port}/{rest}").parse().expect("a reference")
}

fn read(layer: &mut dyn Layer) -> pratique_fs::Result<usize> {
    let mut entries = 0;
    layer.visit(&mut |_| {
        entries += 1;
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

fn read_all(opened: &mut OpenImage) -> pratique_fs::Result<()> {
    opened.layers.iter_mut().try_for_each(|layer| read(layer.as_mut()).map(drop))
}

fn open(port: u16) -> pratique_fs::Result<OpenImage> {
    client(options(&[port]))?.open(&reference(port, "shop/web:1"))
}

/// Opens `shop/web:1` through faults, and reads it whole.
fn through(rule: impl FnMut(&Seen) -> Fault + Send + 'static) -> (Between, pratique_fs::Result<()>) {
    let server = RegistryDaemon::plain();
    server.push(&image(), "shop/web:1", &[]);
    let between = Between::new(server.port, rule);
    let result = open(between.port).and_then(|mut opened| read_all(&mut opened));
    (between, result)
}

#[test]
fn an_image_is_opened_by_tag_and_digest_and_only_what_is_read_is_downloaded() {
    let (server, built) = (RegistryDaemon::plain(), image());
    server.push(&built, "shop/web:1", &[]);
    let between = Between::new(server.port, |_| Fault::Pass);
    let mut opened = open(between.port).unwrap();
    assert_eq!(opened.manifest.image, built.config);
    assert_eq!(opened.manifest.manifest.as_ref(), Some(&built.manifest));
    let (base, top) = (built.layers[0].blob.as_str(), built.layers[1].blob.as_str());
    assert_eq!(between.count(base) + between.count(top), 0, "nothing was read yet");
    assert_eq!(read(opened.layers[1].as_mut()).unwrap(), 1);
    assert_eq!((between.count(base), between.count(top)), (0, 1));

    let registries = client(options(&[server.port])).unwrap();
    let by_digest = reference(server.port, &format!("shop/web@{}", built.manifest));
    let mut opened = registries.open(&by_digest).unwrap();
    assert_eq!(opened.manifest.image, built.config);
    read_all(&mut opened).unwrap();
    assert_eq!(registries.digest(&reference(server.port, "shop/web:1")).unwrap(), built.manifest);
}

#[test]
fn patterns_mean_the_tags_and_repositories_that_there_are() {
    let server = RegistryDaemon::plain();
    for name in ["team/a:1.0", "team/a:1.1", "team/a:latest", "team/b:latest", "other/c:1.0"] {
        server.push(&image(), name, &[]);
    }
    let registries = client(options(&[server.port])).unwrap();
    let expand = |text: &str| {
        let (found, gaps) = registries.expand(&format!("127.0.0.1:{}/{text}", server.port)).unwrap();
        assert_eq!(gaps.len(), 0, "{gaps:?}");
        let host = format!("127.0.0.1:{}/", server.port);
        found.iter().map(|found| found.to_string().replace(&host, "")).collect::<Vec<_>>()
    };
    assert_eq!(expand("team/a:1.*"), ["team/a:1.0", "team/a:1.1"]);
    assert_eq!(expand("team/*"), ["team/a:latest", "team/b:latest"]);
    assert_eq!(expand("**:1.0"), ["other/c:1.0", "team/a:1.0", "team/b:1.0"]);
    assert_eq!(expand("other/*:*"), ["other/c:1.0"]);
    assert_eq!(expand("team/a:1.0"), ["team/a:1.0"]);
    let none = registries.expand(&format!("127.0.0.1:{}/nobody/*", server.port)).unwrap_err();
    assert!(matches!(none, Error::NoMatch { .. }), "{none}");
}

#[test]
fn a_login_file_opens_a_registry_with_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let htpasswd = folder.path().join("htpasswd");
    fs::write(&htpasswd, "me:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n").unwrap();
    let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}", htpasswd.display());
    let server = RegistryDaemon::start(folder, "", &auth);
    server.push(&image(), "shop/web:1", &["--dest-creds", "me:correct horse"]);

    let error = open(server.port).map(drop).unwrap_err();
    assert!(matches!(error, Error::Registry(RegistryError::Request { status: Some(401), .. })), "{error}");
    assert!(error.to_string().contains("docker login"), "{error}");

    let path = server.folder.path().join("config.json");
    let host = format!("127.0.0.1:{}", server.port);
    // "me:correct horse"
    fs::write(&path, format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6Y29ycmVjdCBob3JzZQ=="}}}}}}"#))
        .unwrap();
    let logins = Logins { given: Vec::new(), files: vec![LoginFile { path, required: true }] };
    let registries = client(RegistryOptions { logins, ..options(&[server.port]) }).unwrap();
    let mut opened = registries.open(&reference(server.port, "shop/web:1")).unwrap();
    read_all(&mut opened).unwrap();

    let wrong = Credential::Password { user: "me".to_owned(), password: "hush-hush".to_owned() };
    let logins = Logins { given: vec![(host, wrong)], files: Vec::new() };
    let registries = client(RegistryOptions { logins, ..options(&[server.port]) }).unwrap();
    let error = registries.open(&reference(server.port, "shop/web:1")).map(drop).unwrap_err().to_string();
    assert!(error.contains("401") && !error.contains("hush-hush"), "{error}");
}

#[test]
fn tokens_are_bought_for_the_login_and_anew_when_they_expire_in_the_middle_of_a_blob() {
    let (server, built) = (RegistryDaemon::plain(), image());
    server.push(&built, "shop/web:1", &[]);
    let blob = built.layers[0].blob.to_string();
    // The service and the registry are one; each token is good for a few requests only.
    let (mut bought, mut used, mut cut) = (0, 0, false);
    let own = std::sync::Arc::new(std::sync::OnceLock::<u16>::new());
    let port = own.clone();
    let between = Between::new(server.port, move |seen| {
        if seen.path.starts_with("/token?") {
            let login = seen.header("authorization") == Some("Basic bWU6c2VjcmV0");
            if !login || !seen.path.contains("service=test&scope=repository%3Ashop%2Fweb%3Apull") {
                return say("403 Forbidden", "");
            }
            (bought, used) = (bought + 1, 0);
            let body = format!(r#"{{"token":"token-{bought}","expires_in":300}}"#);
            let length = body.len();
            return Fault::Say(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ));
        }
        used += 1;
        if seen.header("authorization") != Some(format!("Bearer token-{bought}").as_str()) || used > 3 {
            let realm = format!("http://127.0.0.1:{}/token", port.get().unwrap());
            let wanted = r#"service="test",scope="repository:shop/web:pull""#;
            return say(
                "401 Unauthorized",
                &format!("WWW-Authenticate: Bearer realm=\"{realm}\",{wanted}\r\n"),
            );
        }
        if seen.path.contains(&blob) && !std::mem::replace(&mut cut, true) {
            return Fault::Cut(1000);
        }
        Fault::Pass
    });
    own.set(between.port).unwrap();
    let login = Credential::Password { user: "me".to_owned(), password: "secret".to_owned() };
    let logins = Logins { given: vec![(format!("127.0.0.1:{}", between.port), login)], files: Vec::new() };
    let registries = client(RegistryOptions { logins, ..options(&[between.port]) }).unwrap();
    let mut opened = registries.open(&reference(between.port, "shop/web:1")).unwrap();
    read_all(&mut opened).unwrap();
    assert!(between.count("/token?") >= 2, "{:?}", between.seen());
}

#[test]
fn an_own_authority_is_trusted_when_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap().pem();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("ca.pem"), root).unwrap();
    fs::write(path("cert.pem"), leaf).unwrap();
    fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    let tls =
        format!("tls: {{certificate: {}, key: {}}}", path("cert.pem").display(), path("key.pem").display());
    let authority = path("ca.pem");
    let server = RegistryDaemon::start(folder, &tls, "");
    server.push(&image(), "shop/web:1", &[]);

    let open = |more: RegistryOptions| {
        let mut opened = client(more)?.open(&reference(server.port, "shop/web:1"))?;
        read_all(&mut opened)
    };
    let error = open(options(&[])).unwrap_err().to_string();
    assert!(error.contains("not trusted") && error.contains("CA file"), "{error}");
    open(RegistryOptions { ca_files: vec![authority], ..options(&[]) }).unwrap();
    open(options(&[server.port])).unwrap();
}

#[test]
fn plain_http_wants_to_be_named() {
    let server = RegistryDaemon::plain();
    let error = client(options(&[])).unwrap().open(&reference(server.port, "shop/web:1"));
    let error = error.map(drop).unwrap_err().to_string();
    assert!(error.contains("insecure registry"), "{error}");
}

#[test]
fn a_blob_that_breaks_off_anywhere_is_taken_up_again() {
    for bytes in [0, 1, 9, 10_000, 299_000] {
        let blob = image().layers[0].blob.to_string();
        let name = blob.clone();
        let mut cut = false;
        let rule = move |seen: &Seen| match seen.path.contains(&name) && !std::mem::replace(&mut cut, true) {
            true => Fault::Cut(bytes),
            false => Fault::Pass,
        };
        let (between, result) = through(rule);
        result.unwrap();
        let asked: Vec<_> = between.seen().into_iter().filter(|seen| seen.path.contains(&blob)).collect();
        assert!(asked.len() == 2, "{bytes}: {asked:?}");
        let wanted = (bytes > 0).then(|| format!("bytes={bytes}-"));
        assert_eq!(asked[1].header("range"), wanted.as_deref(), "{bytes}");
    }
}

#[test]
fn a_registry_without_ranges_starts_anew() {
    let blob = image().layers[0].blob.to_string();
    let mut asked = 0;
    let (_, result) = through(move |seen| {
        if !seen.path.contains(&blob) {
            return Fault::Pass;
        }
        asked += 1;
        if asked == 1 { Fault::Cut(5000) } else { Fault::NoRange }
    });
    result.unwrap();
}

#[test]
fn a_blob_that_breaks_off_each_time_is_an_error_of_the_way_not_of_the_content() {
    let (between, result) =
        through(|seen| if seen.path.contains("/blobs/") { Fault::Cut(0) } else { Fault::Pass });
    let error = result.unwrap_err().to_string();
    assert!(error.contains("shop/web") && !error.contains("malformed"), "{error}");
    assert_eq!(between.count("/blobs/"), 4);
}

#[test]
fn changed_bytes_are_found_by_their_digest() {
    let blob = image().layers[0].blob.to_string();
    let (_, result) =
        through(move |seen| if seen.path.contains(&blob) { Fault::Change } else { Fault::Pass });
    let error = result.unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. } | Error::Malformed { .. }), "{error}");
    let (_, result) =
        through(|seen| if seen.path.contains("/manifests/1") { Fault::Change } else { Fault::Pass });
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Registry(RegistryError::DigestMismatch { .. })), "{error}");
}

#[test]
fn a_busy_registry_is_asked_again_when_it_says() {
    let mut asked = 0;
    let (between, result) = through(move |seen| {
        if !seen.path.contains("/manifests/1") {
            return Fault::Pass;
        }
        asked += 1;
        match asked {
            1 => say("429 Too Many Requests", "Retry-After: 0\r\n"),
            2 | 3 => say("503 Service Unavailable", ""),
            _ => Fault::Pass,
        }
    });
    result.unwrap();
    assert_eq!(between.count("/manifests/1"), 4);

    let (between, result) = through(|_| say("429 Too Many Requests", "Retry-After: 3600\r\n"));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("rate limit") && error.contains("3600 s"), "{error}");
    assert_eq!(between.seen().len(), 1);
}

#[test]
fn another_host_never_sees_the_login() {
    let (server, built) = (RegistryDaemon::plain(), image());
    server.push(&built, "shop/web:1", &[]);
    let store = Between::new(server.port, |_| Fault::Pass);
    let leads = store.port;
    let registry = Between::new(server.port, move |seen| {
        if seen.header("authorization").is_none() {
            return say("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n");
        }
        if seen.path.contains("/blobs/") {
            return say(
                "307 Temporary Redirect",
                &format!("Location: http://127.0.0.1:{leads}{}\r\n", seen.path),
            );
        }
        Fault::Pass
    });
    let login = Credential::Password { user: "me".to_owned(), password: "secret".to_owned() };
    let logins = Logins { given: vec![(format!("127.0.0.1:{}", registry.port), login)], files: Vec::new() };
    let open = |ports: &[u16]| {
        let registries = client(RegistryOptions { logins: logins.clone(), ..options(ports) })?;
        read_all(&mut registries.open(&reference(registry.port, "shop/web:1"))?)
    };
    open(&[registry.port, store.port]).unwrap();
    assert_eq!(store.count("/blobs/"), 3);
    assert!(store.seen().iter().all(|seen| seen.header("authorization").is_none()), "{:?}", store.seen());
    let error = open(&[registry.port]).unwrap_err().to_string();
    assert!(error.contains("plain HTTP"), "{error}");
}

#[test]
fn a_registry_that_hangs_is_given_up() {
    let silent = Between::new(1, |_| Fault::Hang);
    let patience = Patience { answer: Duration::from_millis(50), ..Patience::default() };
    let registries = client(RegistryOptions { patience, ..options(&[silent.port]) }).unwrap();
    let error = registries.open(&reference(silent.port, "shop/web:1")).map(drop).unwrap_err().to_string();
    assert!(error.contains("no answer in time"), "{error}");
    assert_eq!(silent.seen().len(), 4);
}

#[test]
fn a_mirror_goes_first_and_its_registry_stands_in() {
    let (server, built) = (RegistryDaemon::plain(), image());
    server.push(&built, "hub/shop/web:1", &[]);
    let mirror = |port: u16, prefix: &str| Mirror {
        registry: "registry.invalid".to_owned(),
        location: format!("127.0.0.1:{port}/{prefix}"),
    };
    let image: Reference = "registry.invalid/shop/web:1".parse().unwrap();
    let open = |mirrors| {
        let options = RegistryOptions { mirrors, ..options(&[server.port]) };
        read_all(&mut client(options)?.open(&image)?)
    };
    open(vec![mirror(server.port, "hub")]).unwrap();
    open(vec![mirror(server.port, "elsewhere"), mirror(server.port, "hub")]).unwrap();
    let error = open(vec![mirror(server.port, "elsewhere")]).unwrap_err().to_string();
    assert!(error.contains("registry.invalid") && error.contains("mirror 127.0.0.1"), "{error}");
}

#[test]
fn what_is_behind_a_proxy_is_asked_through_it() {
    // It tunnels nothing; that it is asked, and named, is the point.
    let proxy = Between::new(1, |_| say("403 Forbidden", ""));
    let url = format!("http://me:hush@127.0.0.1:{}", proxy.port);
    let proxies = Proxies { https: Some(url), ..Proxies::default() };
    let registries = client(RegistryOptions { proxies, ..options(&[]) }).unwrap();
    let image: Reference = "registry.invalid/shop/web:1".parse().unwrap();
    let error = registries.open(&image).map(drop).unwrap_err().to_string();
    assert!(error.contains("proxy") && !error.contains("hush"), "{error}");
    assert_eq!(proxy.seen()[0].path, "registry.invalid:443");
}
