//! A move as a graph of nodes: what the engine sees of it.

use std::collections::HashMap;
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
    nodes: Vec<Node>,
    /// Where the nodes stand: a move of hundreds of machines is asked for one of them all the time.
    places: HashMap<StepId, usize>,
    groups: HashMap<String, Vec<usize>>,
}

impl Graph {
    pub fn of(nodes: Vec<Node>) -> Self {
        let places = (0..).zip(&nodes).map(|(place, node)| (node.id.clone(), place)).collect();
        let mut groups = HashMap::<String, Vec<usize>>::new();
        for (place, node) in (0..).zip(&nodes) {
            groups.entry(node.group.clone()).or_default().push(place);
        }
        Self { nodes, places, groups }
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn node(&self, id: &StepId) -> Option<&Node> {
        self.nodes.get(*self.places.get(id)?)
    }

    /// The nodes of a group, in order.
    pub fn group(&self, name: &str) -> impl DoubleEndedIterator<Item = &Node> + use<'_> {
        self.groups.get(name).into_iter().flatten().filter_map(|place| self.nodes.get(*place))
    }

    /// The groups, in order of first appearance.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<(usize, &str)> = self.groups.iter().map(|(name, places)| (places[0], name.as_str())).collect();
        groups.sort_unstable();
        groups.into_iter().map(|(_, name)| name).collect()
    }
}
