//! What the end-to-end tests share. They run on a real cluster on which `e2e/run` has installed Pratique, and act as people do:
//! through kubectl, with objects, reading what it prints.

pub mod cluster;
pub mod fixtures;
pub mod images;
pub mod load;
pub mod reports;
pub mod wait;

pub use cluster::{Cluster, Run};
pub use fixtures::{Namespace, Policy, container, pod, stock};
pub use images::{Image, Pushed};
pub use load::refused_throughout;
pub use wait::eventually;
