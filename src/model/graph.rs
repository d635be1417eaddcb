//! A move as a graph of nodes: what the engine sees of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The stable name of a step: `db-1/fence`, `db-1/root/clone`, `copy/secret/login`. The same plan gives the same ids.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The phases of a move, in order. Each is a verb of the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Assess,
    Select,
    Validate,
    Stop,
    Clone,
    Copy,
    Recreate,
    Start,
    Verify,
    Cleanup,
}

impl Phase {
    /// The verb that runs this phase.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Assess => "assess",
            Self::Select => "select",
            Self::Validate => "validate",
            Self::Stop => "stop",
            Self::Clone => "clone",
            Self::Copy => "copy",
            Self::Recreate => "recreate",
            Self::Start => "start",
            Self::Verify => "verify",
            Self::Cleanup => "cleanup",
        }
    }
}

/// A shared limit that a node counts against, such as `class/fast`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lane(pub String);

/// What going back over a node means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UndoPolicy {
    /// Undone like any other step.
    Automatic,
    /// Leaves nothing to undo.
    Nothing,
    /// Cannot be undone; says why.
    NoReturn(&'static str),
}

/// What a node is called while it runs and when it is done: `persistentvolumeclaim/web-1` + `cloned`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Title {
    /// The object as kubectl names it.
    pub object: String,
    /// What is happening to it: `cloning`.
    pub doing: String,
    /// What has happened to it: `cloned`, `recreated in prod`.
    pub done: String,
    /// What undoing it has done: `clone removed`.
    pub undone: String,
}

/// One node of the graph.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    pub id: StepId,
    pub needs: Vec<StepId>,
    /// What comes first when the same run does both, but is not needed.
    pub after: Vec<StepId>,
    pub phase: Phase,
    pub lane: Lane,
    pub undo: UndoPolicy,
    /// Its effect stands until the end of the move, so a resumed run looks whether it still does.
    pub lasting: bool,
    /// Short, and nothing should slow it down: while it is in flight others begin nothing of a later phase, for a moment.
    pub urgent: bool,
    /// The virtual machine it belongs to; empty for what several share. One group is journalled, limited, failed and undone together.
    pub group: String,
    pub title: Title,
}

/// Nodes in an order in which each comes after what it needs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Graph {
    pub nodes: Vec<Node>,
}

impl Graph {
    pub fn node(&self, id: &StepId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == *id)
    }

    /// The groups, in order of first appearance.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for node in &self.nodes {
            if !groups.contains(&node.group.as_str()) {
                groups.push(&node.group);
            }
        }
        groups
    }
}
