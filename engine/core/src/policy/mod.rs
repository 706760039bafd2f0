//! The policy decision: what a policy says of a pod, as a pure function of values.
