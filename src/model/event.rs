//! What happens while a move runs, as a stream that observers turn into lines, live displays or JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::graph::{Phase, StepId, Title};

/// How far a waiting step is, and what it waits for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it waits for, in words: `pod virt-launcher-db-1-x to end`.
    pub waiting_for: String,
    /// 0 to 1, where anybody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
}

impl Progress {
    pub fn waiting_for(what: impl Into<String>) -> Self {
        Self { waiting_for: what.into(), fraction: None }
    }
}

/// How a group of steps (one virtual machine) ended, or where it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All that was asked for is done.
    Done,
    /// Nothing of it was begun.
    Skipped,
    /// It failed and stays as it is.
    Failed,
    /// It failed or was asked to go back, and is back.
    Undone,
    /// Going back did not work; a person must look.
    Stuck,
    /// Stopped in the middle by a pause, a signal or a lost lock.
    Stopped,
}

/// One thing that happened. `step` and `group` name where; times are since the run began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum Event {
    MoveStarted {
        name: String,
    },
    StepStarted {
        step: StepId,
        group: String,
        phase: Phase,
        title: Title,
    },
    StepWaiting {
        step: StepId,
        group: String,
        progress: Progress,
    },
    StepRetrying {
        step: StepId,
        group: String,
        cause: String,
        after: Duration,
    },
    StepDone {
        step: StepId,
        group: String,
        phase: Phase,
        title: Title,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remark: Option<String>,
        took: Duration,
    },
    StepFailed {
        step: StepId,
        group: String,
        title: Title,
        cause: String,
    },
    StepBlocked {
        step: StepId,
        group: String,
        title: Title,
        finding: Finding,
    },
    UndoStarted {
        step: StepId,
        group: String,
        title: Title,
    },
    StepUndone {
        step: StepId,
        group: String,
        title: Title,
        took: Duration,
    },
    UndoStuck {
        step: StepId,
        group: String,
        title: Title,
        cause: String,
    },
    GroupEnded {
        group: String,
        outcome: Outcome,
    },
    /// Something a person should know that is no failure.
    Warning {
        message: String,
    },
    Stopping {
        reason: String,
    },
}

/// Receives events. The engine never prints; observers do.
pub trait Observer {
    fn on(&mut self, event: &Event);
}

/// Hands every event to several observers.
#[derive(Default)]
pub struct Fanout<'a>(pub Vec<Box<dyn Observer + 'a>>);

impl Observer for Fanout<'_> {
    fn on(&mut self, event: &Event) {
        for observer in &mut self.0 {
            observer.on(event);
        }
    }
}
