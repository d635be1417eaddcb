//! The sandbox as people have it: a process behind a socket, with kubectl and this tool at it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]
#![allow(clippy::print_stdout, reason = "it says which kubectl judged")]

mod kubectl;
mod serving;
#[cfg(unix)]
mod starting;
