//! Decisions: what moves, how, in which order, and what speaks against it. Pure, never async.

pub mod checks;
pub mod document;
#[cfg(test)]
pub mod fixtures;
pub mod request;
pub mod rewrite;
