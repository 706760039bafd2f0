//! Broker and scanner as they run on a node: a containerd of our own, an operator that is a fake.

mod daemon;
mod operator;
mod scans;
