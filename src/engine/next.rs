//! What a journal says: where each node stands, and what comes next. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::graph::{Graph, Node, Phase, StepId, UndoPolicy};
use crate::model::journal::Entry;

/// Where one node stands. A node without a state was never begun, or has been undone.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Intended; the effect may or may not have happened.
    Started {
        before: Value,
    },
    Done {
        before: Value,
        output: Value,
    },
    /// Going back; the effect may be half gone.
    Undoing {
        before: Value,
        output: Option<Value>,
    },
}

impl State {
    pub fn before(&self) -> &Value {
        match self {
            Self::Started { before } | Self::Done { before, .. } | Self::Undoing { before, .. } => before,
        }
    }

    pub fn output(&self) -> Option<&Value> {
        match self {
            Self::Started { .. } => None,
            Self::Done { output, .. } => Some(output),
            Self::Undoing { output, .. } => output.as_ref(),
        }
    }
}

/// Where every node of a move stands, and which groups were asked to go back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct States {
    nodes: BTreeMap<StepId, State>,
    going_back: BTreeSet<String>,
}

impl States {
    pub fn get(&self, id: &StepId) -> Option<&State> {
        self.nodes.get(id)
    }

    /// Whether something of the node may be there.
    pub fn is_begun(&self, id: &StepId) -> bool {
        self.nodes.contains_key(id)
    }

    pub fn is_done(&self, id: &StepId) -> bool {
        matches!(self.nodes.get(id), Some(State::Done { .. }))
    }

    /// The begun nodes.
    pub fn begun(&self) -> impl Iterator<Item = (&StepId, &State)> {
        self.nodes.iter()
    }

    /// Whether the group was asked to go back and has not begun anew since.
    pub fn is_going_back(&self, group: &str) -> bool {
        self.going_back.contains(group)
    }

    /// Folds one entry of a group's journal in. Folding an entry twice changes nothing.
    pub fn apply(&mut self, group: &str, entry: &Entry) {
        match entry {
            Entry::Started { step, before, .. } => {
                self.going_back.remove(group);
                self.nodes.insert(step.clone(), State::Started { before: before.clone() });
            }
            Entry::Done { step, output, .. } => {
                let before = self.nodes.get(step).map_or(Value::Null, |state| state.before().clone());
                self.nodes.insert(step.clone(), State::Done { before, output: output.clone() });
            }
            Entry::UndoStarted { step, .. } => {
                if let Some(state) = self.nodes.get_mut(step) {
                    *state = State::Undoing { before: state.before().clone(), output: state.output().cloned() };
                }
            }
            Entry::Undone { step, .. } => {
                self.nodes.remove(step);
            }
            Entry::GoingBack { .. } => {
                self.going_back.insert(group.to_owned());
            }
            // A failure or a block leaves the node begun: its effect may be there.
            Entry::Failed { .. }
            | Entry::Blocked { .. }
            | Entry::Stuck { .. }
            | Entry::Frozen { .. }
            | Entry::Paused { .. }
            | Entry::Consented { .. }
            | Entry::TakenOver { .. } => {}
        }
    }
}

/// Replays the journals of a move: pairs of a group and one of its entries, in the order in which they were written.
pub fn replay<'a>(journal: impl IntoIterator<Item = (&'a str, &'a Entry)>) -> States {
    let mut states = States::default();
    for (group, entry) in journal {
        states.apply(group, entry);
    }
    states
}

/// Which phases a run may carry out.
pub type PhaseSet = BTreeSet<Phase>;

/// What can be done with a graph whose nodes stand so.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// These nodes can run (or go on) now.
    Run(Vec<StepId>),
    /// Groups that were asked to go back are not back yet: these come next, in this order.
    Unwind(Vec<StepId>),
    Finished,
}

/// What comes next within these phases, over all groups.
pub fn what_next(graph: &Graph, states: &States, only: &PhaseSet) -> Next {
    let back = unwind_order(graph, states, |node| states.is_going_back(&node.group));
    if !back.is_empty() {
        return Next::Unwind(back);
    }
    let ready: Vec<StepId> = ready(graph, graph.nodes().iter(), only, |id| states.is_done(id)).map(|node| node.id.clone()).collect();
    if ready.is_empty() { Next::Finished } else { Next::Run(ready) }
}

/// Those among the nodes that are not done, whose needs are, and before which nothing else of this run comes.
pub fn ready<'a>(
    graph: &'a Graph,
    among: impl Iterator<Item = &'a Node>,
    only: &PhaseSet,
    done: impl Fn(&StepId) -> bool,
) -> impl Iterator<Item = &'a Node> {
    among.filter(move |node| {
        let first = |id: &StepId| done(id) || !is_within(graph, only, id);
        only.contains(&node.phase) && !done(&node.id) && node.needs.iter().all(&done) && node.after.iter().all(first)
    })
}

/// The nodes that can still get done in this run, when the groups in `ended` deliver nothing more.
pub fn within_reach<'a>(graph: &'a Graph, states: &States, only: &PhaseSet, ended: &BTreeSet<String>) -> BTreeSet<&'a StepId> {
    let mut reach = BTreeSet::new();
    for node in graph.nodes() {
        let comes = |id: &StepId| states.is_done(id) || reach.contains(id);
        let first = |id: &StepId| comes(id) || !is_within(graph, only, id);
        if only.contains(&node.phase) && !ended.contains(&node.group) && node.needs.iter().all(comes) && node.after.iter().all(first) {
            reach.insert(&node.id);
        }
    }
    reach
}

fn is_within(graph: &Graph, only: &PhaseSet, id: &StepId) -> bool {
    graph.node(id).is_some_and(|node| only.contains(&node.phase))
}

/// The begun nodes that pass the filter, in the order in which they go back. Nodes that leave nothing are kept, so that the journal tells their story.
pub fn unwind_order(graph: &Graph, states: &States, of: impl Fn(&Node) -> bool) -> Vec<StepId> {
    graph.nodes().iter().rev().filter(|node| of(node) && states.is_begun(&node.id)).map(|node| node.id.clone()).collect()
}

/// The begun node that forbids going back, if there is one, with its reason.
pub fn point_of_no_return<'a>(graph: &'a Graph, states: &States) -> Option<(&'a Node, &'static str)> {
    graph.nodes().iter().find_map(|node| match node.undo {
        UndoPolicy::NoReturn(why) if states.is_begun(&node.id) => Some((node, why)),
        _ => None,
    })
}

/// Nodes outside `only` that nodes inside need, directly or not, and that are not done: the phase cannot run yet.
pub fn missing<'a>(graph: &'a Graph, states: &States, only: &PhaseSet, group: &str) -> Vec<&'a Node> {
    let mut wanted: BTreeSet<&StepId> = BTreeSet::new();
    for node in graph.nodes().iter().rev() {
        let inside = only.contains(&node.phase) && (group.is_empty() || node.group == group);
        if (inside || wanted.contains(&node.id)) && !states.is_done(&node.id) {
            wanted.extend(&node.needs);
        }
    }
    graph.nodes().iter().filter(|node| wanted.contains(&node.id) && !only.contains(&node.phase) && !states.is_done(&node.id)).collect()
}
