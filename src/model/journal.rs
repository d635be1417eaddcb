//! The entries of a move's journal: what was intended, what was there before, what came of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finding::Finding;
use super::graph::StepId;

/// One unbroken fence: which virtual machine, its generation right after fencing, and the number of the holder.
/// A copy counts only in the epoch it was made in.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    pub uid: String,
    pub generation: i64,
}

impl Epoch {
    /// The mark that a copy made in this epoch carries.
    pub fn mark(&self) -> String {
        format!("{}.{}", self.uid, self.generation)
    }
}

/// Who carries a move: a number that grows with each take-over, and a name for people.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub number: u64,
    pub name: String,
}

/// Why a step did not work, in a sentence.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cause(pub String);

/// One entry of a journal. `Value`s are opaque here: only the step that wrote them reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "camelCase")]
pub enum Entry {
    /// The steps of this group, frozen when it starts.
    Frozen {
        steps: Vec<Value>,
    },
    /// The step is about to act; what undo will need is in `before`. Written before the effect.
    Started {
        step: StepId,
        at: String,
        before: Value,
    },
    Done {
        step: StepId,
        at: String,
        output: Value,
    },
    Failed {
        step: StepId,
        at: String,
        cause: Cause,
    },
    Blocked {
        step: StepId,
        at: String,
        finding: Finding,
    },
    UndoStarted {
        step: StepId,
        at: String,
    },
    Undone {
        step: StepId,
        at: String,
    },
    Stuck {
        step: StepId,
        at: String,
        cause: Cause,
    },
    Paused {
        at: String,
    },
    /// Somebody asked to go back. From here the group only goes back.
    GoingBack {
        at: String,
    },
    /// A person agreed to something that cannot be taken back: `cleanup`, `discard-target-writes`.
    Consented {
        to: String,
        by: String,
        at: String,
    },
    TakenOver {
        holder: Holder,
        at: String,
    },
}
