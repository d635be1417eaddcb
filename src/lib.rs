//! Moves KubeVirt virtual machines between namespaces: look, decide, act step by step, write it down, go back.
//!
//! The floors, from the bottom: `model` (words), `plan` (decisions, pure), `engine` (runs a graph of steps), `cluster`
//! (the only user of the kube crate), `survey`, `steps` and `ledger` (KubeVirt on a cluster), `output` (values to
//! text), `verbs` (front doors). A file imports only from lower floors or its own folder; `tests/architecture.rs` keeps that.

pub mod app;
pub mod cluster;
pub mod engine;
pub mod exit;
pub mod ledger;
pub mod model;
pub mod output;
pub mod plan;
pub mod sandbox;
pub mod steps;
pub mod survey;
pub mod verbs;
