//! What is shipped, and how people get it: installed, used and taken away again by krew, dpkg and rpm themselves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]
#![allow(clippy::print_stdout, reason = "it says what was measured, and which judge is not here")]
#![cfg(target_os = "linux")]

#[allow(dead_code, clippy::disallowed_methods, reason = "the laboratory needs more of it, and says how long a build took")]
#[path = "../cluster/lab/build.rs"]
mod build;
mod debian;
mod krew;
mod packed;
mod pages;
mod redhat;
mod release;
mod shipped;
mod texts;
