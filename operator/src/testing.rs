//! Builders for tests.

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as k8s;
use pratique_core::facts::Trust;
use pratique_core::package::{Ecosystem, Inventory, LocatedPackage, Package};
use pratique_core::{Digest, ImageFacts, Platform};

use crate::index::NodeImage;

/// A digest that is all one byte.
pub(crate) fn digest(byte: u8) -> Digest {
    Digest::sha256([byte; 32])
}

/// A time.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn linux(architecture: &str) -> Platform {
    Platform { os: "linux".into(), architecture: architecture.into(), variant: String::new() }
}

/// Facts without findings: image N has the manifest 100+N, and the index 200 if `index`.
pub(crate) fn facts(image: u8, architecture: &str, index: bool) -> ImageFacts {
    ImageFacts {
        image: digest(image),
        manifests: vec![digest(100 + image)],
        indexes: if index { vec![digest(200)] } else { vec![] },
        platform: linux(architecture),
        created: None,
        user: "app".into(),
        layers: vec![],
        licenses: None,
        detectors: [("weak-password".to_owned(), "1".to_owned())].into(),
        findings: vec![],
        gaps: vec![],
        suppressed: vec![],
        advisories: None,
        error: None,
        judged_at: at(1_000),
        scanned_by: "n1".into(),
        trust: Trust::Blobs,
    }
}

/// An inventory of one package of Debian's.
pub(crate) fn inventory(name: &str) -> Inventory {
    let located = LocatedPackage {
        package: Package::new(Ecosystem::Deb, name, "1"),
        purl: format!("pkg:deb/debian/{name}@1"),
        path: "/var/lib/dpkg/status".into(),
        layer: None,
        owned_by: None,
        files: 3,
    };
    Inventory { packages: vec![located], ..Inventory::default() }
}

/// An image on a node, with the digests of [`facts`].
pub(crate) fn node_image(image: u8, references: &[&str]) -> NodeImage {
    NodeImage {
        image: digest(image),
        manifests: vec![digest(100 + image)],
        indexes: vec![],
        references: references.iter().map(|&reference| reference.to_owned()).collect(),
        platform: linux("amd64"),
        detectors_done: vec![],
    }
}

/// A Node object.
pub(crate) fn node(name: &str, os: &str, architecture: &str, labels: &[(&str, &str)]) -> k8s::Node {
    let mut node = k8s::Node::default();
    node.metadata.name = Some(name.to_owned());
    let word = [("kubernetes.io/os", os), ("kubernetes.io/arch", architecture)];
    let labels = word.iter().chain(labels).map(|&(key, value)| (key.to_owned(), value.to_owned()));
    node.metadata.labels = Some(labels.collect());
    node
}

/// A running pod with one container, and the digest that its runtime reports.
pub(crate) fn pod(namespace: &str, name: &str, node: &str, running: &Digest, started: i64) -> k8s::Pod {
    let mut pod = k8s::Pod::default();
    pod.metadata.namespace = Some(namespace.to_owned());
    pod.metadata.name = Some(name.to_owned());
    pod.spec = Some(k8s::PodSpec {
        node_name: Some(node.to_owned()),
        containers: vec![k8s::Container {
            name: "web".into(),
            image: Some("shop/web".into()),
            ..Default::default()
        }],
        ..Default::default()
    });
    pod.status = Some(k8s::PodStatus {
        phase: Some("Running".into()),
        start_time: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(started))),
        container_statuses: Some(vec![k8s::ContainerStatus {
            name: "web".into(),
            image_id: format!("docker.io/shop/web@{running}"),
            ..Default::default()
        }]),
        ..Default::default()
    });
    pod
}

/// Believes tokens of the form `service-account/node` (or `service-account/`, bound to no node).
pub(crate) struct Believer;

#[tonic::async_trait]
impl crate::auth::Authenticator for Believer {
    async fn caller(&self, token: &str) -> Result<crate::auth::Caller, crate::auth::AuthError> {
        let refused = || crate::auth::AuthError::Refused("no such token".into());
        let (account, node) = token.split_once('/').ok_or_else(refused)?;
        Ok(crate::auth::Caller {
            namespace: "pratique".into(),
            service_account: account.into(),
            node: (!node.is_empty()).then(|| node.to_owned()),
        })
    }
}

/// A gRPC server without TLS on a free port, and a channel to it. It ends with the runtime of the test.
pub(crate) async fn grpc(routes: tonic::service::Routes) -> tonic::transport::Channel {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(incoming));
    tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// Waits, at most a minute, until `holds`.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    assert!(
        tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.is_ok(),
        "never happened: {what}"
    );
}
