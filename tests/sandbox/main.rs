//! The sandbox as people have it: a process behind a socket, with kubectl and this tool at it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]
#![allow(clippy::print_stdout, reason = "it says which kubectl judged")]

#[allow(dead_code, clippy::disallowed_methods, reason = "the laboratory needs more of it, and says how long a build took")]
#[path = "../cluster/lab/build.rs"]
mod build;
mod columns;
mod jsonpath;
mod kubectl;
mod serving;
#[cfg(unix)]
mod starting;
mod watching;
