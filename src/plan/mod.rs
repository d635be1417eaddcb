//! Decisions: what moves, how, in which order, and what speaks against it. Pure, never async.

pub mod answers;
pub mod assessment;
pub mod carry;
pub mod checks;
pub mod compare;
pub mod decide;
pub mod document;
pub mod drift;
pub mod elsewhere;
pub mod explain;
pub mod export;
#[cfg(test)]
pub mod fixtures;
pub mod move_list;
pub mod needs;
pub mod order;
pub mod pointers;
pub mod quota;
pub mod rbac;
pub mod references;
pub mod relations;
pub mod request;
pub mod rewrite;
pub mod share;
pub mod step;
pub mod strategy;
