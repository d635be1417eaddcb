//! What the verbs have in common that look at a cluster and change nothing, and `run` before it acts.

pub mod assessing;
pub mod diff;
pub mod documents;
pub mod export;
pub mod manifests;
pub mod planning;
pub mod questions;
pub mod rehearsal;
pub mod save;
pub mod wanted;

#[cfg(test)]
mod assessing_tests;
#[cfg(test)]
mod planning_tests;
#[cfg(test)]
pub(crate) mod shop;
#[cfg(test)]
pub(crate) mod typing;
