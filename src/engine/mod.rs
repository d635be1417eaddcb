//! Runs any graph of nodes: forward, back, again. Has never heard of Kubernetes.
//!
//! The world is seen through [`Hands`], the journal through [`Ledger`], and what happens is told to an
//! [`Observer`](crate::model::event::Observer). Everything runs on one task; effects may be repeated at any time.

pub mod bell;
mod call;
pub mod cancel;
pub mod clock;
mod courtesy;
mod downtime;
mod forward;
pub mod next;
mod node;
mod retry;
pub mod run;
#[cfg(test)]
mod tests;
mod unwind;

use std::future::Future;

use serde_json::Value;

use crate::model::event::Progress;
use crate::model::finding::Finding;
use crate::model::graph::StepId;
use crate::model::journal::{Cause, Entry};

/// What a look at the world says about a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// Not there, or only in part: `perform` brings it further.
    Absent,
    /// Under way by itself; look again when something changed.
    Underway(Progress),
    /// There, and of our making. The output goes to the journal and to later steps.
    Ours(Value),
    /// Something of that name that is not ours. Never touched.
    Foreign(Finding),
    /// Of our making, but it no longer counts (another epoch): it has to be undone and made again.
    Stale(String),
}

/// How far undoing is.
#[derive(Clone, Debug, PartialEq)]
pub enum Undo {
    Done,
    /// Under way by itself; call again when something changed.
    Waiting(Progress),
}

/// Why a step did not work.
#[derive(Clone, Debug, PartialEq)]
pub enum StepError {
    /// May work when tried again.
    Transient(Cause),
    /// Will not work when tried again.
    Permanent(Cause),
    /// Must not go on; a person decides.
    Blocked(Finding),
    /// What the step builds on no longer counts: it is looked at again, and made again.
    Stale(String),
    /// Somebody else carries the move now: this process does nothing more.
    Lost(String),
}

impl StepError {
    pub fn permanent(cause: impl Into<String>) -> Self {
        Self::Permanent(Cause(cause.into()))
    }

    pub fn transient(cause: impl Into<String>) -> Self {
        Self::Transient(Cause(cause.into()))
    }
}

/// The engine's only view of the world. All of it is safe to repeat.
pub trait Hands {
    /// A subscription to whatever the step waits for; taken before probing, so that no change is missed.
    type Wakes: Wakes;

    /// What undoing will need to know; journalled before the effect.
    fn before(&self, id: &StepId) -> impl Future<Output = Result<Value, StepError>>;
    fn probe(&self, id: &StepId) -> impl Future<Output = Result<Probe, StepError>>;
    fn perform(&self, id: &StepId, before: &Value) -> impl Future<Output = Result<(), StepError>>;
    fn undo(&self, id: &StepId, before: &Value, made: Option<&Value>) -> impl Future<Output = Result<Undo, StepError>>;
    /// Whether undoing a step that is under way loses nothing, such as a start whose guest has not come up.
    fn loses_nothing(&self, id: &StepId) -> impl Future<Output = Result<bool, StepError>>;
    fn listen(&self, id: &StepId) -> Self::Wakes;
    /// Gives later steps the output of this one; `None` when it has been undone.
    fn remember(&self, id: &StepId, output: Option<&Value>);
}

/// Resolves when something changed that the listener asked for.
pub trait Wakes {
    fn next(&mut self) -> impl Future<Output = ()>;
}

/// Where the journal of a move is kept. An entry counts once `append` has returned.
pub trait Ledger {
    /// Appends entries to a group's journal, in one write. `Lost` when somebody else holds the move now.
    /// After `Transient` it is called again with the same entries; folding an entry twice changes nothing.
    fn append(&self, group: &str, entries: &[Entry]) -> impl Future<Output = Result<(), StepError>>;
}
