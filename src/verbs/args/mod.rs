//! What the verbs' command lines are made of: one file per group of flags, and how an argument list becomes a [`super::Cli`].
//!
//! The groups hold what was typed, checked one flag at a time. What follows from several of them is decided elsewhere.

pub mod acting;
pub mod connection;
pub mod decisions;
pub mod display;
pub mod duration;
pub mod file;
pub mod help;
pub mod machine;
pub mod moves;
pub mod parse;
pub mod selection;
pub mod selector;
pub mod usage;
pub mod words;
