//! The agents' endpoint: one stream per node, over which a node says which images it has and gets scans to do.
//!
//! ```text
//! service ─► session per node ─► messages (checked) ─► Hub ─► Index (what nodes have, facts)
//!                                                       │
//!                                     Planner (pure) ◄──┘──► assignments
//! ```

mod assemble;
mod hub;
mod ledger;
mod messages;
mod plan;
mod service;
#[cfg(test)]
mod tests;

pub use hub::{Hub, ScanSettings};
pub use plan::{Limits, Wanted};
pub use service::{AgentAccount, AgentsService};
