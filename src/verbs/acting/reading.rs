//! Where the machines of a move stand, folded from its journal. Pure.

use std::time::Duration;

use serde::Serialize;

use super::finding::Journal;
use super::passes::all_but_cleanup;
use crate::engine::next::{State, States};
use crate::model::age;
use crate::model::graph::{Node, Phase, StepId};
use crate::model::journal::Entry;
use crate::output::columns::status::StatusRow;
use crate::plan::document::{MachinePlan, PlanSpec};
use crate::plan::order;
use crate::plan::step::Step;

/// What is going on with a machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Doing {
    /// Nothing was begun.
    Pending,
    Running,
    /// In the middle of a step, and nobody carries it.
    Stopped,
    Failed,
    Blocked,
    /// Its phase is done.
    Done,
    GoingBack,
    /// Going back did not work; a person must look.
    Stuck,
    RolledBack,
    CleanedUp,
}

impl Doing {
    fn word(self) -> String {
        format!("{self:?}")
    }
}

/// One machine of a move.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    pub name: String,
    /// Its name in the target.
    pub target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    pub state: Doing,
    pub disks_done: usize,
    pub disks: usize,
    /// Of the steps up to verify, in percent.
    pub percent: usize,
    /// Nothing is left but cleanup.
    pub arrived: bool,
    /// What it waits for, or what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// When its first step began (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// When its last step ended, where none is under way (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The steps that are under way.
    #[serde(skip)]
    pub under_way: Vec<StepId>,
}

/// Reads them. `alive`: somebody carries the move.
pub fn machines(plan: &PlanSpec, journal: &Journal, states: &States, alive: bool) -> Vec<Machine> {
    let (graph, steps) = (order::graph(plan), order::steps(plan));
    let read = plan.machines.iter().map(|machine| Reading {
        machine,
        nodes: graph.group(&machine.name).collect(),
        steps: &steps,
        entries: journal.get(&machine.name).map_or(&[], Vec::as_slice),
        states,
        alive,
    });
    read.map(|reading| reading.machine()).collect()
}

/// The state of a whole move, by its machines.
pub fn overall(machines: &[Machine]) -> Doing {
    use Doing::{Blocked, CleanedUp, Done, Failed, GoingBack, Pending, RolledBack, Running, Stopped, Stuck};
    let any = |state: Doing| machines.iter().any(|machine| machine.state == state);
    let all = |ends: &[Doing]| machines.iter().all(|machine| ends.contains(&machine.state));
    let worst = [Stuck, GoingBack, Running, Failed, Blocked, Stopped].into_iter().find(|state| any(*state));
    match worst {
        Some(state) => state,
        None if all(&[Pending]) => Pending,
        None if all(&[RolledBack]) => RolledBack,
        None if all(&[CleanedUp, RolledBack]) => CleanedUp,
        None if machines.iter().all(|machine| machine.arrived || machine.state == RolledBack) => Done,
        None => Stopped,
    }
}

struct Reading<'a> {
    machine: &'a MachinePlan,
    nodes: Vec<&'a Node>,
    steps: &'a [Step],
    entries: &'a [Entry],
    states: &'a States,
    alive: bool,
}

impl Reading<'_> {
    fn machine(&self) -> Machine {
        let forward = all_but_cleanup();
        let wanted: Vec<&&Node> = self.nodes.iter().filter(|node| forward.contains(&node.phase)).collect();
        let done = wanted.iter().filter(|node| self.states.is_done(&node.id)).count();
        let under_way: Vec<&Node> =
            self.nodes.iter().copied().filter(|node| self.states.is_begun(&node.id) && !self.states.is_done(&node.id)).collect();
        let state = self.state(&under_way);
        let idle = !matches!(state, Doing::Running | Doing::GoingBack);
        Machine {
            name: self.machine.name.clone(),
            target: self.machine.target.clone(),
            phase: self.phase(&under_way),
            state,
            disks_done: self.disks_done(),
            disks: self.machine.disks.len(),
            percent: (done * 100).checked_div(wanted.len()).unwrap_or(100),
            arrived: done == wanted.len(),
            waiting_for: self.trouble().or_else(|| under_way.first().map(|node| format!("{} {}", node.title.object, node.title.doing))),
            since: self.times().next().map(str::to_owned),
            until: self.times().last().filter(|_| idle).map(str::to_owned),
            under_way: under_way.iter().map(|node| node.id.clone()).collect(),
        }
    }

    fn state(&self, under_way: &[&Node]) -> Doing {
        let begun = self.nodes.iter().any(|node| self.states.is_begun(&node.id));
        let cleaned = self.nodes.iter().all(|node| node.phase != Phase::Cleanup || self.states.is_done(&node.id));
        let going_back = self.states.is_going_back(&self.machine.name)
            || under_way.iter().any(|node| matches!(self.states.get(&node.id), Some(State::Undoing { .. })));
        match (begun, going_back) {
            (false, _) if self.entries.iter().any(|entry| matches!(entry, Entry::Undone { .. })) => Doing::RolledBack,
            (false, _) => Doing::Pending,
            (true, true) if matches!(self.last(), Some(Entry::Stuck { .. })) => Doing::Stuck,
            (true, true) => Doing::GoingBack,
            (true, false) if cleaned => Doing::CleanedUp,
            (true, false) => match (under_way.is_empty(), self.last()) {
                (false, Some(Entry::Failed { .. })) => Doing::Failed,
                (false, Some(Entry::Blocked { .. })) => Doing::Blocked,
                (false, _) if self.alive => Doing::Running,
                (false, _) => Doing::Stopped,
                (true, _) => Doing::Done,
            },
        }
    }

    /// That of what is under way, else of what was done last.
    fn phase(&self, under_way: &[&Node]) -> Option<Phase> {
        let done = self.nodes.iter().filter(|node| self.states.is_done(&node.id)).map(|node| node.phase).max();
        under_way.iter().map(|node| node.phase).min().or(done)
    }

    /// Disks whose every step up to verify is done.
    fn disks_done(&self) -> usize {
        let arrived = |volume: &str| {
            let mut own = self.steps.iter().filter(|step| step.machine() == self.machine.name && step.volume() == Some(volume));
            own.all(|step| step.phase() == Phase::Cleanup || self.states.is_done(&step.id()))
        };
        self.machine.disks.iter().filter(|disk| arrived(&disk.volume)).count()
    }

    /// What happened last; trouble counts until something is tried again, also by who has taken the move over and carries it.
    fn last(&self) -> Option<&Entry> {
        let says_nothing = |entry: &Entry| match entry {
            Entry::Paused { .. } | Entry::Consented { .. } => true,
            Entry::TakenOver { .. } => !self.alive,
            _ => false,
        };
        self.entries.iter().rev().find(|entry| !says_nothing(entry))
    }

    fn trouble(&self) -> Option<String> {
        match self.last()? {
            Entry::Failed { cause, .. } | Entry::Stuck { cause, .. } => Some(cause.0.clone()),
            Entry::Blocked { finding, .. } => Some(finding.message.clone()),
            _ => None,
        }
    }

    /// When something happened on it, in order.
    fn times(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Started { at, .. }
            | Entry::Done { at, .. }
            | Entry::UndoStarted { at, .. }
            | Entry::Undone { at, .. }
            | Entry::Failed { at, .. } => Some(at.as_str()),
            _ => None,
        })
    }
}

impl Machine {
    /// As a row of the table.
    pub fn row(&self, now: jiff::Timestamp) -> StatusRow {
        let time = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let elapsed = time(&self.since).map(|since| Duration::try_from(time(&self.until).unwrap_or(now).duration_since(since)).unwrap_or_default());
        StatusRow {
            vm: self.name.clone(),
            phase: self.phase.map(|phase| phase.verb().to_owned()).unwrap_or_default(),
            state: self.state.word(),
            disks: format!("{}/{}", self.disks_done, self.disks),
            progress: if self.state == Doing::Pending { String::new() } else { format!("{}%", self.percent) },
            waiting_for: self.waiting_for.clone().unwrap_or_default(),
            elapsed: elapsed.map(age::human).unwrap_or_default(),
        }
    }

    /// Whether nothing happens on it any more by itself.
    pub fn is_at_an_end(&self) -> bool {
        matches!(self.state, Doing::RolledBack | Doing::CleanedUp) || (self.state == Doing::Done && self.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::next::replay;
    use crate::model::journal::Cause;
    use crate::plan::fixtures;
    use crate::verbs::acting::finding::by_group;
    use serde_json::Value;

    fn at(second: u32) -> String {
        format!("2026-11-21T12:00:{second:02}Z")
    }

    fn step(name: &str) -> StepId {
        StepId(format!("db-1/{name}"))
    }

    fn started(name: &str, second: u32) -> Entry {
        Entry::Started { step: step(name), at: at(second), before: Value::Null }
    }

    fn done(name: &str, second: u32) -> Entry {
        Entry::Done { step: step(name), at: at(second), output: Value::Null }
    }

    fn read(entries: Vec<Entry>, alive: bool) -> Machine {
        let journal = Journal::from([("db-1".to_owned(), entries)]);
        let states = replay(by_group(&journal));
        machines(&fixtures::plan(), &journal, &states, alive).remove(0)
    }

    #[test]
    fn a_machine_under_way_says_what_it_does_and_whether_anybody_does_it() {
        let entries = || vec![done("data/reserve", 0), started("fence", 1), done("fence", 2), done("stop", 3), started("root/clone", 4)];
        let running = read(entries(), true);
        assert_eq!((running.phase, running.state, running.percent), (Some(Phase::Clone), Doing::Running, 27));
        assert_eq!(running.waiting_for.as_deref(), Some("persistentvolumeclaim/root cloning"));
        let row = running.row("2026-11-21T12:01:00Z".parse().unwrap_or_default());
        assert_eq!((row.disks.as_str(), row.elapsed.as_str()), ("0/2", "60s"));
        assert_eq!(read(entries(), false).state, Doing::Stopped);
    }

    #[test]
    fn trouble_counts_until_something_is_tried_again() {
        let failed = Entry::Failed { step: step("fence"), at: at(2), cause: Cause("forbidden".to_owned()) };
        let kept = read(vec![started("fence", 1), failed.clone()], false);
        assert_eq!((kept.state, kept.waiting_for.as_deref()), (Doing::Failed, Some("forbidden")));
        assert_eq!(read(vec![started("fence", 1), failed, started("fence", 3)], true).state, Doing::Running);
    }

    #[test]
    fn the_ends_of_a_machine_are_told_apart() {
        assert_eq!(read(Vec::new(), true).state, Doing::Pending);
        let back = vec![started("fence", 1), Entry::GoingBack { at: at(2) }, Entry::Undone { step: step("fence"), at: at(3) }];
        assert_eq!(read(back[..2].to_vec(), true).state, Doing::GoingBack);
        assert_eq!(read(back, true).state, Doing::RolledBack);
        let steps = order::steps(&fixtures::plan());
        let own = |cleanup: bool| steps.iter().filter(move |step| step.machine() == "db-1" && (cleanup || step.phase() < Phase::Cleanup));
        let all = |cleanup| own(cleanup).map(|step| Entry::Done { step: step.id(), at: at(9), output: Value::Null }).collect();
        let arrived = read(all(false), false);
        assert_eq!((arrived.state, arrived.arrived, arrived.phase, arrived.disks_done), (Doing::Done, true, Some(Phase::Verify), 2));
        assert_eq!(read(all(true), false).state, Doing::CleanedUp);
        assert_eq!(overall(&[arrived]), Doing::Done);
    }
}
