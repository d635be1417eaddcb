//! The sandbox as people have it: a process behind a socket, with kubectl, this tool and shells at it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]
#![allow(clippy::print_stdout, reason = "it says which kubectl judged, and which shell could not")]

#[allow(dead_code, clippy::disallowed_methods, reason = "the laboratory needs more of it, and says how long a build took")]
#[path = "../cluster/lab/build.rs"]
mod build;
mod columns;
mod jsonpath;
mod kubectl;
mod serving;
#[cfg(unix)]
mod shells;
#[cfg(unix)]
mod starting;
#[cfg(unix)]
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../terminal/tty.rs"]
mod tty;
mod watching;
