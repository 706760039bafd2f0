//! The broker: holds the runtime's socket, the token and the network, and parses nothing from images.
//!
//! ```text
//! containerd ──events, listings──► NodeWatch ──► Node ──► Session ◄──TLS──► operator
//!      ▲                                                    │ assignments, results
//!      └──documents, views── Desk ◄── Scans ◄───────────────┘
//!                              │ bytes and descriptors over the socket
//!                              ▼
//!                           scanner
//! ```

pub mod credentials;
pub mod exchange;
pub mod node;
pub mod node_watch;
pub mod roster;
pub mod scanner;
pub mod scans;
pub mod session;

use std::sync::Arc;

use anyhow::Context;
use pratique_fs::containerd::StatePaths;
use pratique_scan::Engine;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::args::BrokerArgs;
use crate::metrics::Metrics;
use credentials::Credentials;
use node::Node;
use node_watch::NodeWatch;
use scanner::Scanner;
use scans::{Scans, Tools};
use session::{Session, SessionConfig};

/// Runs the broker until `stop`; then hands back what is not finished.
///
/// # Errors
/// The admin port is taken.
pub async fn run(args: BrokerArgs, stop: CancellationToken) -> anyhow::Result<()> {
    // Whatever else is compiled in: one implementation of TLS. That one is chosen already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let name = args.operator_name().to_owned();
    let BrokerArgs {
        common,
        runtime_socket,
        operator,
        node_name,
        ca_file,
        token_file,
        admin_address,
        scans: at_a_time,
        resync,
    } = args;
    let metrics = Arc::new(Metrics::new()?);
    let listener = TcpListener::bind(admin_address)
        .await
        .with_context(|| format!("--admin-address {admin_address} cannot be listened on"))?;
    let (node, told) = watch::channel(Node::default());
    let node = Arc::new(node);
    let (runtime, containerd) = watch::channel(None);
    let scanner = Arc::new(Scanner::new(common.scanner_socket.clone(), metrics.clone()));
    let (said, outgoing) = mpsc::channel(64);
    let tools = Tools {
        containerd,
        scanner: scanner.clone(),
        node: node.clone(),
        state: StatePaths::new(&common.runtime_root),
        node_name,
        metrics: metrics.clone(),
    };
    let scans = Scans::new(tools, usize::from(at_a_time), said);
    let watch = NodeWatch {
        socket: runtime_socket,
        state: StatePaths::new(&common.runtime_root),
        scanner: scanner.clone(),
        containerd: runtime,
        node,
        metrics: metrics.clone(),
        resync,
    };
    let config = SessionConfig {
        operator,
        name,
        credentials: Credentials { token_file, ca_file },
        resync,
        rule_set: Engine::new(&["*".to_owned()], pratique_inventory::PARSERS)?.rule_set().to_string(),
    };
    let session = Session::new(config, told, scans, outgoing, metrics.clone(), stop);
    let serving = axum::serve(listener, admin::router(metrics));
    tokio::select! {
        () = session.run() => Ok(()),
        () = watch.run() => Ok(()),
        () = scanner.keep() => Ok(()),
        ended = serving.into_future() => ended.context("the admin port ended"),
    }
}
