//! `resume`: goes on with a move from its ledger, from whatever machine.

use super::Context;
use super::acting::asking::{declined, may_go_on};
use super::acting::carry::{Task, carry};
use super::acting::finding::{Found, by_name, graph_of};
use super::acting::flags::Carrying;
use super::acting::holding::{Other, hold};
use super::acting::passes::{self, Pass, Way};
use super::acting::preview;
use super::args::acting::DryRun;
use super::args::moves::MoveName;
use super::completion::values;
use crate::engine::next::States;
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::{Graph, Phase};
use crate::output::summary::Aim;
use clap_complete::ArgValueCompleter;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Go on with a move that was paused, was interrupted, or failed
  kubectl vmmove resume shop-to-prod-7k2fq -n shop

  # The process that carried it is gone and could not say so
  kubectl vmmove resume shop-to-prod-7k2fq -n shop --take-over")]
pub struct Args {
    /// The move's name
    #[arg(value_name = "MOVE", add = ArgValueCompleter::new(values::moves))]
    name: MoveName,
    /// Take the move over from a holder of whom nothing is heard for 60 seconds
    #[arg(long)]
    take_over: bool,
    #[command(flatten)]
    carrying: Carrying,
}

/// Goes on.
///
/// # Errors
/// There is no such move, or somebody else carries it. Then: how it ended, where that is not "all done".
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let acting = &args.carrying.acting;
    let found = by_name(cx, &args.name, &args.carrying.ledger).await?;
    let passes = left(&found);
    if passes.is_empty() {
        let (graph, states) = graph_of(&found.opened);
        let text = finished(&graph, &states, &found.id().0, &found.commands(cx).typed(&format!("cleanup {}", found.id())));
        // A verb that died before its first entry left nothing to go on with, but it holds the move.
        if args.take_over && acting.dry_run == DryRun::None {
            hold(cx, found, Other::OutWait).await?.release().await;
        }
        cx.io.print(&text)?;
        return Ok(Code::DONE);
    }
    if acting.dry_run != DryRun::None {
        let (graph, states) = graph_of(&found.opened);
        return preview::show(&mut cx.io, &preview::lines(&graph, &states, &passes, acting.dry_run, &[]));
    }
    if !may_go_on(&mut cx.io, &found, acting.yes)? {
        return Ok(declined(&mut cx.io));
    }
    let other = if args.take_over { Other::OutWait } else { Other::Respect };
    let held = hold(cx, found, other).await?;
    // The holder before may have gone further meanwhile.
    let (graph, states) = held.graph();
    let passes = passes::to_resume(&graph, &states, &held.machines(), |machine| held.entries(machine));
    let back = passes.iter().all(|pass| pass.way == Way::Back);
    let aim = if back { Aim::Rollback } else { Aim::Move };
    carry(cx, held, Task { aim, passes, limit: acting.limit(), look: args.carrying.look(cx) }).await
}

fn left(found: &Found) -> Vec<Pass> {
    let (graph, states) = graph_of(&found.opened);
    let entries = |machine: &str| found.opened.journal.get(machine).cloned().unwrap_or_default();
    passes::to_resume(&graph, &states, &found.opened.header.machines, entries)
}

/// What is said of a move on which nothing is left to do.
fn finished(graph: &Graph, states: &States, name: &str, cleanup: &str) -> String {
    if states.begun().next().is_none() {
        return format!("move {name} has been taken back; there is nothing to go on with\n");
    }
    let cleaned = graph.nodes().iter().all(|node| states.is_done(&node.id) || node.phase != Phase::Cleanup);
    if cleaned {
        return format!("move {name} is finished and cleaned up; there is nothing to go on with\n");
    }
    format!("move {name} is finished; the sources are removed with: {cleanup}\n")
}
