//! Pratique's operator: the controller, the agents' endpoint and the admission webhook.

pub mod index;
