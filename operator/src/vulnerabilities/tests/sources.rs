//! Where advisories may come from, by the flags of the chart: through proxies, from authorities of one's own, from registries,
//! and without a network.

use std::net::SocketAddr;

use clap::Parser;
use pratique_testkit::daemons::RegistryDaemon;
use pratique_testkit::zip_archive;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::args::AdvisoryArgs;
use crate::tls::{Authority, Certificates, Names};

/// What the flags of the chart say.
fn flags(arguments: &[&str], store: &Path) -> Settings {
    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        advisories: AdvisoryArgs,
    }
    let flags = Flags::try_parse_from([&["operator"], arguments].concat()).unwrap();
    flags.advisories.settings(store).unwrap().unwrap()
}

#[tokio::test]
async fn advisories_come_through_a_proxy() {
    let fixture = Fixture::new().await;
    let proxy = format!("--db-proxy={}", fixture.server.address());
    let settings = flags(&["--db-source=http://advisories.example", &proxy], fixture.folder.path());
    fixture.advised_by(settings).await;
    assert_eq!(fixture.flaws(1), ["CVE-2026-1"]);
    let asked: Vec<String> = fixture.server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(asked[..2], ["CONNECT advisories.example:80", "/Debian/all.zip"]);
}

/// A server that shows a certificate of an authority of its own, for its address and for `registry.shop.svc`, and hands what it
/// is asked to another port of this machine; its address, and the authority's certificate.
async fn behind_tls(port: u16) -> (SocketAddr, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (day, now) = (Duration::from_secs(24 * 3600), Timestamp::now());
    let authority = Authority::new(day, now).unwrap();
    let names =
        Names { services: vec!["registry".into()], namespace: "shop".into(), address: Some(address.ip()) };
    let certificates = Certificates::default();
    certificates.present(authority.issue(&names, day, now).unwrap());
    let acceptor = TlsAcceptor::from(certificates.server_config(&["http/1.1"]).unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Whoever does not trust it hangs up.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (address, authority.certificate.pem)
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_named() {
    let mut fixture = Fixture::new().await;
    let port = fixture.server.address().rsplit(':').next().unwrap().parse().unwrap();
    let (address, authority) = behind_tls(port).await;
    let source = format!("--db-source=https://{address}");
    let mut keeper = fixture.keeper(flags(&[&source], fixture.folder.path()));
    fixture.vulnerabilities.occur(&debian("dash", "1"));
    assert!(!keeper.refresh().await);
    let note = fixture.notices().remove(0).note;
    assert!(note.contains("there are none yet") && note.contains("not trusted"), "{note}");
    let file = fixture.folder.path().join("ca.crt");
    fs::write(&file, authority).unwrap();
    let trust = format!("--db-ca={}", file.display());
    fixture.advised_by(flags(&[&source, &trust], fixture.folder.path())).await;
    assert_eq!(fixture.flaws(1), ["CVE-2026-1"]);
}

#[tokio::test]
async fn a_folder_a_zip_of_it_and_a_built_database_serve_without_a_network() {
    let offline = tempfile::tempdir().unwrap();
    let (folder, zip) = (offline.path().join("osv"), offline.path().join("osv.zip"));
    let record = record("2026-1", "dash", "2");
    fs::create_dir_all(folder.join("Debian")).unwrap();
    fs::write(folder.join("Debian/all.zip"), osv_archive(std::slice::from_ref(&record))).unwrap();
    fs::write(&zip, zip_archive(&[("Debian/DSA-2026-1.json", &record.to_string())])).unwrap();
    let mut built = None;
    for source in [&folder, &zip, &offline.path().join("database")] {
        let fixture = Fixture::new().await;
        let source = format!("--db-source={}", source.display());
        fixture.advised_by(flags(&[&source], fixture.folder.path())).await;
        assert_eq!(fixture.flaws(1), ["CVE-2026-1"], "{source}");
        assert_eq!(Verdict::of(&fixture.facts(2)), Verdict::Clean, "{source}");
        assert_eq!(fixture.server.asked(), [], "{source}");
        let database = fixture.folder.path().join("advisories/database");
        built.get_or_insert_with(|| fs::copy(database, offline.path().join("database")).unwrap());
    }
}

/// A proxy that leads whoever asks for a tunnel to one server; its address, and what was asked for.
async fn proxy_to(server: SocketAddr) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = log.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    stream.read_line(&mut head).await.unwrap();
                }
                log.lock().unwrap().push(head.lines().next().unwrap().to_owned());
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn an_artifact_of_a_registry_comes_with_a_login_an_authority_and_a_proxy() {
    let registry = RegistryDaemon::guarded();
    let push = |records: &[Value]| {
        let archive = osv_archive(records);
        let files = [("Debian/all.zip", archive.as_slice())];
        registry.push_artifact("team/osv", "1", &files, Some(RegistryDaemon::AUTHORIZATION));
    };
    push(&[record("2026-1", "dash", "2")]);
    let (address, authority) = behind_tls(registry.port).await;
    let (proxy, asked) = proxy_to(address).await;
    let mut fixture = Fixture::new().await;
    let folder = fixture.folder.path().to_owned();
    fs::write(folder.join("ca.crt"), authority).unwrap();
    let sign_in = |password: &str| {
        let login = json!({"auths": {"registry.shop.svc": {"username": "me", "password": password}}});
        fs::write(folder.join("config.json"), login.to_string()).unwrap();
    };
    let source = "--db-source=oci://registry.shop.svc/team/osv:1".to_owned();
    let proxy = format!("--db-proxy={proxy}");
    let trust = format!("--db-ca={}", folder.join("ca.crt").display());
    let login = format!("--db-login={}", folder.join("config.json").display());

    sign_in("guessed");
    fixture.vulnerabilities.occur(&debian("dash", "1"));
    let nowhere = format!("--db-login={}", folder.join("nowhere.json").display());
    for (given, reason) in [
        (vec![&source, &proxy, &login], "not trusted"),
        (vec![&source, &proxy, &trust], "401"),
        (vec![&source, &proxy, &trust, &login], "401"),
        (vec![&source, &proxy, &trust, &nowhere], "nowhere.json"),
    ] {
        let given: Vec<&str> = given.into_iter().map(String::as_str).collect();
        assert!(!fixture.keeper(flags(&given, &folder)).refresh().await, "{reason}");
        let note = fixture.notices().remove(0).note;
        assert!(note.contains("there are none yet") && note.contains(reason), "{reason}: {note}");
        assert!(!note.contains("guessed"), "{note}");
    }

    sign_in(RegistryDaemon::PASSWORD);
    let (mut keeper, _work) = fixture.advised_by(flags(&[&source, &proxy, &trust, &login], &folder)).await;
    assert_eq!(fixture.flaws(1), ["CVE-2026-1"]);
    push(&[record("2026-1", "dash", "2"), newer("2026-2", "dash", "3")]);
    assert!(keeper.refresh().await);
    fixture.vulnerabilities.settled().await;
    assert_eq!(fixture.flaws(1), ["CVE-2026-1", "CVE-2026-2"]);

    // A login that changes holds from the next refresh on; one that no longer does leaves the old advisories serving.
    sign_in("guessed");
    assert!(!keeper.refresh().await);
    let note = fixture.notices().pop().unwrap().note;
    assert!(note.contains("401") && note.contains("the old ones serve on"), "{note}");
    assert_eq!(fixture.flaws(1), ["CVE-2026-1", "CVE-2026-2"]);
    sign_in(RegistryDaemon::PASSWORD);
    assert!(keeper.refresh().await);

    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|line| line == "CONNECT registry.shop.svc:443 HTTP/1.1"), "{asked:?}");
    assert_eq!(fixture.server.asked(), []);
}

#[tokio::test]
async fn a_registry_without_a_certificate_is_asked_only_if_that_is_allowed() {
    let registry = RegistryDaemon::plain();
    let archive = osv_archive(&[record("2026-1", "dash", "2")]);
    registry.push_artifact("osv", "1", &[("Debian/all.zip", archive.as_slice())], None);
    let source = format!("--db-source=oci://127.0.0.1:{}/osv:1", registry.port);
    let mut fixture = Fixture::new().await;
    fixture.vulnerabilities.occur(&debian("dash", "1"));
    assert!(!fixture.keeper(flags(&[&source], fixture.folder.path())).refresh().await);
    let note = fixture.notices().remove(0).note;
    assert!(note.contains("insecure"), "{note}");
    fixture.advised_by(flags(&[&source, "--db-insecure-registry"], fixture.folder.path())).await;
    assert_eq!(fixture.flaws(1), ["CVE-2026-1"]);
}
