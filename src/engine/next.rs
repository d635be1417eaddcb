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

/// Where every node of a journal stands.
pub type States = BTreeMap<StepId, State>;

/// Folds one entry into the states.
pub fn apply(states: &mut States, entry: &Entry) {
    match entry {
        Entry::Started { step, before, .. } => {
            states.insert(step.clone(), State::Started { before: before.clone() });
        }
        Entry::Done { step, output, .. } => {
            let before = states.get(step).map_or(Value::Null, |state| state.before().clone());
            states.insert(step.clone(), State::Done { before, output: output.clone() });
        }
        Entry::UndoStarted { step, .. } => {
            if let Some(state) = states.get(step) {
                let undoing = State::Undoing { before: state.before().clone(), output: state.output().cloned() };
                states.insert(step.clone(), undoing);
            }
        }
        Entry::Undone { step, .. } => {
            states.remove(step);
        }
        // A failure or a block leaves the node begun: its effect may be there.
        Entry::Failed { .. }
        | Entry::Blocked { .. }
        | Entry::Stuck { .. }
        | Entry::Frozen { .. }
        | Entry::Paused { .. }
        | Entry::GoingBack { .. }
        | Entry::Consented { .. }
        | Entry::TakenOver { .. } => {}
    }
}

/// Replays a journal.
pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> States {
    let mut states = States::new();
    for entry in entries {
        apply(&mut states, entry);
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
    /// Going back was begun: these come next, in this order.
    Unwind(Vec<StepId>),
    Finished,
}

/// What comes next within these phases, over all groups.
pub fn what_next(graph: &Graph, states: &States, only: &PhaseSet) -> Next {
    if states.values().any(|state| matches!(state, State::Undoing { .. })) {
        return Next::Unwind(unwind_order(graph, states, |_| true));
    }
    let ready: Vec<StepId> = ready(graph, states, only).map(|node| node.id.clone()).collect();
    if ready.is_empty() { Next::Finished } else { Next::Run(ready) }
}

/// The nodes that are not done, whose needs are, and before which nothing else of this run comes.
pub fn ready<'a>(graph: &'a Graph, states: &'a States, only: &'a PhaseSet) -> impl Iterator<Item = &'a Node> {
    let first = |node: &'a Node| node.after.iter().all(|id| is_done(states, id) || !graph.node(id).is_some_and(|other| only.contains(&other.phase)));
    let can = move |node: &&Node| only.contains(&node.phase) && !is_done(states, &node.id) && node.needs.iter().all(|need| is_done(states, need));
    graph.nodes.iter().filter(can).filter(move |node| first(node))
}

/// The begun nodes that pass the filter, in the order in which they go back. Nodes that leave nothing are kept, so that the journal tells their story.
pub fn unwind_order(graph: &Graph, states: &States, of: impl Fn(&Node) -> bool) -> Vec<StepId> {
    graph.nodes.iter().rev().filter(|node| of(node) && states.contains_key(&node.id)).map(|node| node.id.clone()).collect()
}

/// The begun node that forbids going back, if there is one, with its reason.
pub fn point_of_no_return<'a>(graph: &'a Graph, states: &States) -> Option<(&'a Node, &'static str)> {
    graph.nodes.iter().find_map(|node| match node.undo {
        UndoPolicy::NoReturn(why) if states.contains_key(&node.id) => Some((node, why)),
        _ => None,
    })
}

/// Nodes outside `only` that nodes inside need, directly or not, and that are not done: the phase cannot run yet.
pub fn missing<'a>(graph: &'a Graph, states: &States, only: &PhaseSet, group: &str) -> Vec<&'a Node> {
    let mut wanted: BTreeSet<&StepId> = BTreeSet::new();
    for node in graph.nodes.iter().rev() {
        let inside = only.contains(&node.phase) && (group.is_empty() || node.group == group);
        if (inside || wanted.contains(&node.id)) && !is_done(states, &node.id) {
            wanted.extend(&node.needs);
        }
    }
    graph.nodes.iter().filter(|node| wanted.contains(&node.id) && !only.contains(&node.phase) && !is_done(states, &node.id)).collect()
}

pub fn is_done(states: &States, id: &StepId) -> bool {
    matches!(states.get(id), Some(State::Done { .. }))
}
