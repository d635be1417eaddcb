//! `run`: plans if needed, asks once, then does all phases but cleanup; `--cleanup` adds it.

use super::Context;
use super::acting::asking::{confirm, declined};
use super::acting::carry::{Task, carry};
use super::acting::finding::user;
use super::acting::flags::{Carrying, Place};
use super::acting::holding::{begin, refuse_second};
use super::acting::passes::{self, CLEANUP, Pass, Way};
use super::acting::preview;
use super::args::acting::DryRun;
use super::args::decisions::Decisions;
use super::args::selection::Selection;
use super::looking::planning::{Looked, decided, planned, replanned};
use super::looking::wanted::{Named, named, required};
use crate::engine::next::States;
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::colour::Paint;
use crate::output::columns::findings::sorted;
use crate::output::review::counted;
use crate::output::summary::Aim;
use crate::output::table::{self, Style, nothing_found};
use crate::plan::document::PlanSpec;
use crate::plan::order;
use crate::plan::request::Strategy;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Move two machines to namespace prod
  kubectl vmmove run db-1 web-1 -n shop --to prod

  # Carry out a plan that was reviewed
  kubectl vmmove run -f plan.yaml

  # Hand the disks over instead of copying them, and put a machine back that fails
  kubectl vmmove run db-1 -n shop --to prod --volumes move --on-failure undo

  # Say what would be done
  kubectl vmmove run 'db-*' -n shop --to prod --dry-run=server")]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    decisions: Decisions,
    #[command(flatten)]
    carrying: Carrying,
    /// Also remove each source, with its disks, once its machine is verified; there is no way back then
    #[arg(long)]
    cleanup: bool,
}

/// Moves.
///
/// # Errors
/// What stands in the way; blocking findings are exit code 4. Once it has begun: how it ended, where that is not "all done".
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    required(&args.selection)?;
    let looked = look(cx, args).await?;
    tell_findings(cx, &looked);
    if looked.is_blocked() {
        return Err(looked.refusal(cx));
    }
    let spec = &looked.planned.plan.spec;
    if spec.machines.is_empty() {
        cx.io.remark(&nothing_found(Some(&spec.source.namespace)));
        return Ok(Code::DONE);
    }
    let machines: Vec<String> = spec.machines.iter().map(|machine| machine.name.clone()).collect();
    let pass = |cleanup| Pass {
        way: Way::Forward,
        groups: machines.clone(),
        only: if cleanup { passes::with_cleanup() } else { passes::all_but_cleanup() },
    };
    let acting = &args.carrying.acting;
    if acting.dry_run != DryRun::None {
        let tried = preview::tried(spec);
        let lines = preview::lines(&order::graph(spec), &States::default(), &[pass(args.cleanup)], acting.dry_run, &tried);
        return preview::show(&mut cx.io, &lines);
    }
    if args.carrying.ledger == Place::Cluster {
        refuse_second(cx, &looked.sites, &looked.planned.plan).await?;
    }
    if !confirm(&mut cx.io, &question(spec), acting.yes)? {
        return Ok(declined(&mut cx.io));
    }
    let cleanup = args.cleanup && confirm(&mut cx.io, &cleanup_question(spec), acting.yes)?;
    let user = user(&looked.sites.source.cluster).await?;
    let Looked { sites, planned, .. } = looked;
    let mut held = begin(cx, sites, planned.plan, user, &args.carrying.ledger).await?;
    if cleanup {
        held.agree(cx, &machines, CLEANUP).await?;
    }
    let task = Task { aim: Aim::Move, passes: vec![pass(cleanup)], limit: acting.limit(), look: args.carrying.look(cx) };
    carry(cx, held, task).await
}

/// A plan that was given is looked at again; one that is still to be made is made.
async fn look(cx: &mut Context, args: &Args) -> Result<Looked, Failure> {
    match named(&args.selection, &mut cx.io)? {
        Named::Plan(plan) => {
            args.decisions.refuse_beside_a_plan()?;
            replanned(cx, *plan).await
        }
        Named::Wanted(wanted) if args.carrying.acting.dry_run == DryRun::Client => decided(cx, &wanted, &args.decisions).await,
        Named::Wanted(wanted) => planned(cx, &wanted, &args.decisions).await,
    }
}

/// What speaks against the plan, on standard error.
pub(super) fn tell_findings(cx: &mut Context, looked: &Looked) {
    let style = Style { paint: Paint::for_stream(cx.io.stderr_is_terminal, cx.io.env), ..Style::default() };
    let text = table::render(&sorted(&looked.planned.findings), style, cx.clock.now());
    cx.io.remark(&text);
}

/// What the user agrees to: how many machines, where to, and what that means for those that run.
fn question(plan: &PlanSpec) -> String {
    let running = plan.machines.iter().filter(|machine| machine.power.running).count();
    let all = plan.machines.len();
    let down = match (running, all) {
        (0, 1) => "It is not running.".to_owned(),
        (0, _) => "None of them is running.".to_owned(),
        (1, 1) => "It will be down until it has started there.".to_owned(),
        (running, all) if running == all => "They will be down until they have started there.".to_owned(),
        (running, _) => format!("The {running} that run will be down until they have started there."),
    };
    let hands_over = plan.machines.iter().flat_map(|machine| &machine.disks).any(|disk| disk.strategy == Strategy::Rebind);
    let back = if hands_over { " Volumes change hands; a rollback hands them back with what was written meanwhile." } else { "" };
    format!("Move {} from {} to {}? {down}{back}", counted(all, "virtual machine"), plan.source.namespace, plan.target.namespace)
}

fn cleanup_question(plan: &PlanSpec) -> String {
    let machines = counted(plan.machines.len(), "virtual machine");
    format!("Once verified, also delete the source of {machines} in {}, with the disks it keeps? There is no way back then.", plan.source.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{disk_plan, machine_plan, plan_spec};

    #[test]
    fn the_question_says_who_will_be_down() {
        let mut stopped = machine_plan("b", Vec::new());
        stopped.power.running = false;
        assert_eq!(
            question(&plan_spec(vec![machine_plan("a", Vec::new()), machine_plan("c", Vec::new())])),
            "Move 2 virtual machines from shop to prod? They will be down until they have started there."
        );
        assert_eq!(question(&plan_spec(vec![stopped.clone()])), "Move 1 virtual machine from shop to prod? It is not running.");
        let mixed = question(&plan_spec(vec![machine_plan("a", Vec::new()), stopped]));
        assert!(mixed.ends_with("The 1 that run will be down until they have started there."), "{mixed}");
        let moved = question(&plan_spec(vec![machine_plan("a", vec![disk_plan("a", 20, Strategy::Rebind)])]));
        assert!(moved.ends_with("Volumes change hands; a rollback hands them back with what was written meanwhile."), "{moved}");
    }
}
