//! The node agent: two processes in one pod.
//!
//! Whoever parses foreign bytes has no power, whoever has power parses nothing: the [`broker`] holds the runtime's
//! socket, the token and the network, the [`scanner`] reads images. They speak over a unix socket ([`channel`]).

pub mod admin;
pub mod args;
pub mod backoff;
pub mod broker;
pub mod channel;
pub mod check;
pub mod logging;
pub mod metrics;
pub mod scanner;
