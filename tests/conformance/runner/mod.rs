//! Plays the conformance cases against a Kubernetes API, be it the sandbox or the real control plane of the tests.
//!
//! How a case is written: `../README.md`.

mod case;
mod kinds;
mod pattern;
mod play;
mod request;
mod words;

use std::time::Duration;

use anyhow::Result;
use futures::stream::LocalBoxStream;
use http::{Request, Response};

pub use case::{Book, Case};
pub use play::play;

/// The lines of a watch.
pub type Lines = LocalBoxStream<'static, Result<String>>;

/// A server that cases can be played against, as an administrator who may impersonate anybody.
pub trait Backend {
    /// One request and its whole reply, whatever its code. An error means that there was none.
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>>;
    /// Opens a watch. Of a refusal the lines are its body.
    async fn watch(&self, request: Request<Vec<u8>>) -> Result<Response<Lines>>;
    /// Lets time pass, by the clock of the server.
    async fn sleep(&self, time: Duration);
    /// The time since some moment, by the clock of the server.
    fn now(&self) -> Duration;
    /// Writes at the beginning of the disk of a bound claim.
    async fn write(&self, namespace: &str, claim: &str, bytes: &[u8]) -> Result<()>;
    /// What stands at the beginning of the disk of a bound claim, up to the zeros that follow.
    async fn read(&self, namespace: &str, claim: &str) -> Result<Vec<u8>>;
}

/// A test of the runner itself, which needs no server.
pub type Check = (&'static str, fn() -> Result<()>);

/// What must be true of the runner before a case says anything.
pub const CHECKS: &[Check] = &[
    ("runner/addresses_become_paths", kinds::addresses_become_paths),
    ("runner/manifests_are_made_whole", words::manifests_are_made_whole),
    ("runner/patterns_name_what_matters", pattern::patterns_name_what_matters),
];
