//! The protocols between Pratique's processes, generated from the .proto files, and their conversions to core's types.
//!
//! A release speaks [`PROTOCOL`] and understands the one before it.

pub mod attempts;
pub mod facts;
pub mod inventory;
pub mod rules;

/// Version of the agent-operator and leader-replica protocols.
pub const PROTOCOL: u32 = 1;

/// Largest message on any of the streams, in bytes; longer results travel in chunks of [`CHUNK`].
pub const MAX_MESSAGE: usize = 4 << 20;

/// Size of a chunk of a long scan result, in bytes.
pub const CHUNK: usize = 1 << 20;

#[allow(missing_docs, clippy::all, unreachable_pub)]
mod generated {
    pub mod pratique {
        pub mod attempts {
            pub mod v1 {
                tonic::include_proto!("pratique.attempts.v1");
            }
        }
        pub mod facts {
            pub mod v1 {
                tonic::include_proto!("pratique.facts.v1");
            }
        }
        pub mod rules {
            pub mod v1 {
                tonic::include_proto!("pratique.rules.v1");
            }
        }
        pub mod agents {
            pub mod v1 {
                tonic::include_proto!("pratique.agents.v1");
            }
        }
        pub mod replicas {
            pub mod v1 {
                tonic::include_proto!("pratique.replicas.v1");
            }
        }
        pub mod scanner {
            pub mod v1 {
                tonic::include_proto!("pratique.scanner.v1");
            }
        }
    }
}

/// Agent and operator.
pub use generated::pratique::agents::v1 as agents;
/// Facts as they travel.
pub use generated::pratique::facts::v1 as facts_proto;
/// Leader and replicas.
pub use generated::pratique::replicas::v1 as replicas;
/// Broker and scanner.
pub use generated::pratique::scanner::v1 as scanner;
