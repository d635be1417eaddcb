//! Decisions: what moves, how, in which order, and what speaks against it. Pure, never async.

pub mod document;
pub mod request;
