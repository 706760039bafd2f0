//! One behaviour for every source, and what hostile input does to it.

mod archives;
mod conformance;
mod containerd;
mod docker;
mod docs;
mod documents;
mod hostile;
mod merging;
mod registry;
mod sources;
mod stores;
