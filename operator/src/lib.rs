//! Pratique's operator: the controller, the agents' endpoint and the admission webhook.
//!
//! ```text
//! agents ──gRPC──► agents ─► index ─► admission ◄──HTTPS── API server
//! API server ─► watch, reconcile::watches ─► index   │
//!                       store ◄─► index ─► replicas ─┴─► the other replicas; reconcile ─► ScanReports, statuses, Events
//! ```

pub mod admin;
pub mod admission;
pub mod agents;
pub mod args;
pub mod auth;
pub mod endpoint;
pub mod events;
pub mod index;
pub mod lease;
pub mod metrics;
pub mod reconcile;
pub mod replicas;
pub mod reports;
pub mod rules;
mod run;
pub mod schema;
pub mod self_test;
pub mod store;
#[cfg(test)]
mod testing;
mod thread;
pub mod tls;
mod upkeep;
mod volume;
pub mod vulnerabilities;
pub mod watch;
pub mod webhook_config;

pub use run::run;
