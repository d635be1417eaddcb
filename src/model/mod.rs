//! The words of the project: plain values, no effects, no decisions that need more than one of them.

pub mod age;
pub mod assessment;
pub mod disk;
pub mod event;
pub mod failure;
pub mod finding;
pub mod graph;
pub mod inventory;
pub mod journal;
pub mod json;
pub mod kind;
pub mod manifest;
pub mod names;
mod packed;
mod packing;
pub mod patch;
pub mod quantity;
pub mod relation;
pub mod vm;
pub mod volume;
