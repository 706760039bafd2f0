//! Pratique's operator: the controller, the agents' endpoint and the admission webhook.

pub mod agents;
pub mod auth;
pub mod index;
pub mod lease;
pub mod metrics;
pub mod replicas;
pub mod store;
