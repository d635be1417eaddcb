//! The last words of a run: counts and commands on standard output, and how it failed as a failure.

use super::carry::Task;
use super::telling::Look;
use crate::engine::next::States;
use crate::engine::run::{GroupEnd, Summary};
use crate::exit::Code;
use crate::model::event::Outcome;
use crate::model::failure::Failure;
use crate::model::graph::{Graph, Phase};
use crate::output::command::CommandPrefix;
use crate::output::stream;
use crate::output::summary::{Aim, Closing};
use crate::plan::document::PlanSpec;
use crate::plan::request::Strategy;
use crate::verbs::Context;

/// How a run ended, and on what.
pub struct Ending<'a> {
    pub task: &'a Task,
    pub plan: &'a PlanSpec,
    pub graph: &'a Graph,
    pub states: &'a States,
    pub summary: &'a Summary,
    /// The move's name.
    pub name: &'a str,
    pub signal: Option<u8>,
}

/// Says it. Nobody listening is no reason to change how it ended.
///
/// # Errors
/// The ending, where it is not that all is done.
pub fn close(cx: &mut Context, ending: &Ending, command: &CommandPrefix) -> Result<Code, Failure> {
    let summary = told(ending);
    let closing = Closing {
        aim: aim(ending),
        summary: &summary,
        name: ending.name,
        command,
        sources_keep_disks: keeps_disks(ending.plan),
        started: has_started(ending),
        signal: ending.signal,
    };
    if ending.task.look != Look::Events {
        stream::news(&mut *cx.io.stdout, &closing.text());
    }
    match closing.failure() {
        None => Ok(Code::DONE),
        Some(failure) => Err(failure),
    }
}

/// The ends of all groups. A machine with nothing of its own to do has not got what it shares with others where that failed.
fn told(ending: &Ending) -> Summary {
    let mut summary = ending.summary.clone();
    let shared = |end: &GroupEnd| end.group.is_empty() && end.outcome != Outcome::Done;
    if summary.groups.iter().any(shared) {
        let asked = |phase| ending.task.passes.iter().any(|pass| pass.only.contains(&phase));
        let has_own = |group: &str| ending.graph.nodes().iter().any(|node| node.group == group && asked(node.phase));
        for end in &mut summary.groups {
            if end.outcome == Outcome::Done && !has_own(&end.group) {
                end.outcome = Outcome::Skipped;
            }
        }
    }
    summary
}

/// A move that went all the way through its cleanup has nothing left to clean up or go back to.
fn aim(ending: &Ending) -> Aim {
    let cleaned = ending.task.passes.iter().all(|pass| pass.only.contains(&Phase::Cleanup));
    let done = ending.summary.groups.iter().all(|end| end.outcome == Outcome::Done);
    if ending.task.aim == Aim::Move && cleaned && done { Aim::Cleanup } else { ending.task.aim }
}

/// Whether the machines' disks are copied, so that the sources keep their own.
pub fn keeps_disks(plan: &PlanSpec) -> bool {
    plan.machines.iter().flat_map(|machine| &machine.disks).any(|disk| disk.strategy != Strategy::Rebind)
}

fn has_started(ending: &Ending) -> bool {
    ending.graph.nodes().iter().any(|node| node.phase == Phase::Start && ending.states.is_begun(&node.id))
}
