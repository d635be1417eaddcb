//! Runs any graph of nodes: forward, back, again. Has never heard of Kubernetes.

pub mod clock;
