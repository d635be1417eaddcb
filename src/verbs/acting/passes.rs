//! What is left to do on a move, read from its journal. Pure.

use std::collections::BTreeSet;

use crate::engine::next::{PhaseSet, States};
use crate::model::graph::{Graph, Phase};
use crate::model::journal::Entry;

/// What a person agreed to when a machine was to be brought back.
pub const ROLLBACK: &str = "rollback";
/// What a person agreed to when its source was to be removed.
pub const CLEANUP: &str = "cleanup";
/// What a person agreed to when the writes of a target were given up.
pub const DISCARD: &str = "discard-target-writes";

/// The phases of `run`.
pub fn all_but_cleanup() -> PhaseSet {
    use Phase::{Clone, Copy, Recreate, Start, Stop, Verify};
    PhaseSet::from([Stop, Clone, Copy, Recreate, Start, Verify])
}

/// The phases of `run --cleanup`.
pub fn with_cleanup() -> PhaseSet {
    let mut phases = all_but_cleanup();
    phases.insert(Phase::Cleanup);
    phases
}

/// Where a pass goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    Forward,
    Back,
}

/// One drive of the engine: these machines, these phases, that way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pass {
    pub way: Way,
    pub groups: Vec<String>,
    pub only: PhaseSet,
}

/// How a machine stands between source and target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// On its way, or not begun.
    Forward,
    /// Going back, and not there yet.
    Back,
    /// A person brought it back: it is not moved again.
    Home,
}

/// Reads it from a machine's journal.
pub fn standing(graph: &Graph, states: &States, machine: &str, entries: &[Entry]) -> Standing {
    let begun = has_begun(graph, states, machine, None);
    let going_back = states.is_going_back(machine);
    let asked = consented(entries, ROLLBACK);
    match (asked || going_back, begun) {
        (true, true) => Standing::Back,
        (_, false) if asked => Standing::Home,
        // What was put back after a failure may be tried again.
        _ => Standing::Forward,
    }
}

/// Whether a person agreed to this about a machine.
pub fn consented(entries: &[Entry], to: &str) -> bool {
    entries.iter().any(|entry| matches!(entry, Entry::Consented { to: agreed, .. } if agreed == to))
}

/// Whether a machine has steps of these phases that are not done.
pub fn is_open(graph: &Graph, states: &States, group: &str, only: &PhaseSet) -> bool {
    graph.group(group).any(|node| only.contains(&node.phase) && !states.is_done(&node.id))
}

/// Whether a step of a machine was begun and has not been undone; of one phase, if one is named.
pub fn has_begun(graph: &Graph, states: &States, group: &str, phase: Option<Phase>) -> bool {
    graph.group(group).any(|node| phase.is_none_or(|phase| node.phase == phase) && states.is_begun(&node.id))
}

/// What `resume` does for these machines: back what goes back, forward the rest; cleanup only where it was agreed to.
pub fn to_resume(graph: &Graph, states: &States, machines: &[String], entries: impl Fn(&str) -> Vec<Entry>) -> Vec<Pass> {
    let mut passes = [
        Pass { way: Way::Back, groups: Vec::new(), only: BTreeSet::new() },
        Pass { way: Way::Forward, groups: Vec::new(), only: all_but_cleanup() },
        Pass { way: Way::Forward, groups: Vec::new(), only: with_cleanup() },
    ];
    for machine in machines {
        let entries = entries(machine);
        let pass = match standing(graph, states, machine, &entries) {
            Standing::Home => continue,
            Standing::Back => &mut passes[0],
            Standing::Forward if consented(&entries, CLEANUP) => &mut passes[2],
            Standing::Forward => &mut passes[1],
        };
        if pass.way == Way::Back || is_open(graph, states, machine, &pass.only) {
            pass.groups.push(machine.clone());
        }
    }
    passes.into_iter().filter(|pass| !pass.groups.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::next::replay;
    use crate::model::graph::StepId;
    use crate::plan::{fixtures, order};
    use serde_json::Value;

    fn started(step: &str) -> Entry {
        Entry::Started { step: StepId(step.to_owned()), at: String::new(), before: Value::Null }
    }

    fn agreed(to: &str) -> Entry {
        Entry::Consented { to: to.to_owned(), by: "alice".to_owned(), at: String::new() }
    }

    fn undone(step: &str) -> Entry {
        Entry::Undone { step: StepId(step.to_owned()), at: String::new() }
    }

    fn back() -> Entry {
        Entry::GoingBack { at: String::new() }
    }

    fn stands(entries: &[Entry]) -> Standing {
        let plan = fixtures::plan_spec(vec![fixtures::machine_plan("a", Vec::new())]);
        standing(&order::graph(&plan), &replay(entries.iter().map(|entry| ("a", entry))), "a", entries)
    }

    #[test]
    fn what_a_person_brought_back_stays_and_what_failed_may_go_again() {
        let fence = || started("a/fence");
        assert_eq!(stands(&[]), Standing::Forward);
        assert_eq!(stands(&[fence()]), Standing::Forward);
        assert_eq!(stands(&[fence(), back()]), Standing::Back);
        assert_eq!(stands(&[fence(), back(), undone("a/fence")]), Standing::Forward);
        assert_eq!(stands(&[fence(), back(), undone("a/fence"), fence()]), Standing::Forward);
        assert_eq!(stands(&[fence(), agreed(ROLLBACK)]), Standing::Back);
        assert_eq!(stands(&[fence(), agreed(ROLLBACK), back(), undone("a/fence")]), Standing::Home);
    }

    #[test]
    fn resuming_goes_on_in_each_machines_direction() {
        let plan = fixtures::plan_spec(["a", "b", "c"].map(|name| fixtures::machine_plan(name, Vec::new())).to_vec());
        let graph = order::graph(&plan);
        let machines = ["a", "b", "c"].map(str::to_owned);
        let journal = |machine: &str| match machine {
            "a" => vec![started("a/fence"), back()],
            "b" => vec![agreed(CLEANUP), started("b/fence")],
            _ => Vec::new(),
        };
        let journals = machines.each_ref().map(|machine| (machine.as_str(), journal(machine)));
        let states = replay(journals.iter().flat_map(|(machine, entries)| entries.iter().map(|entry| (*machine, entry))));
        let passes = to_resume(&graph, &states, &machines, journal);
        let told: Vec<_> = passes.iter().map(|pass| (pass.way, pass.groups.join(","), pass.only.contains(&Phase::Cleanup))).collect();
        assert_eq!(told, [(Way::Back, "a".to_owned(), false), (Way::Forward, "c".to_owned(), false), (Way::Forward, "b".to_owned(), true)]);
    }
}
