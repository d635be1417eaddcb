//! `rollback`: back to the source, as long as its cleanup has not begun. A runner that is alive is asked to stop first.

use super::Context;
use super::acting::asking::{author, confirm, declined};
use super::acting::carry::{Task, carry};
use super::acting::finding::{by_name, machines};
use super::acting::flags::Carrying;
use super::acting::holding::{Other, hold};
use super::acting::passes::{DISCARD, Pass, ROLLBACK, Way, has_begun};
use super::acting::{finding, preview};
use super::args::acting::DryRun;
use super::args::connection::quoted;
use super::args::machine::MachineName;
use super::args::moves::MoveName;
use super::completion::values;
use crate::engine::next::{PhaseSet, States, point_of_no_return};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::{Graph, Phase};
use crate::output::command::CommandPrefix;
use crate::output::review::counted;
use crate::output::summary::Aim;
use crate::plan::document::{DiskPlan, MachinePlan, Plan};
use crate::plan::request::Strategy;
use clap_complete::ArgValueCompleter;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Bring everything back that a move has begun
  kubectl vmmove rollback shop-to-prod-7k2fq -n shop

  # Bring one machine back that has run in the target on copied disks, and give up what it wrote there
  kubectl vmmove rollback shop-to-prod-7k2fq -n shop --vm db-1 --discard-target-writes")]
pub struct Args {
    /// The move's name
    #[arg(value_name = "MOVE", add = ArgValueCompleter::new(values::moves))]
    name: MoveName,
    /// Only this virtual machine of the move; can be repeated
    #[arg(long = "vm", value_name = "VM", add = ArgValueCompleter::new(values::machines))]
    machines: Vec<MachineName>,
    /// Give up what machines with copied disks wrote since they were started in the target
    #[arg(long)]
    discard_target_writes: bool,
    #[command(flatten)]
    carrying: Carrying,
}

/// Goes back.
///
/// # Errors
/// There is no way back, or it would cost what was not agreed to. Then: how it ended, where that is not "all back".
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let acting = &args.carrying.acting;
    let found = by_name(cx, &args.name, &args.carrying.ledger).await?;
    let commands = found.commands(cx);
    let (graph, states) = finding::graph_of(&found.opened);
    let chosen = machines(found.plan(), &args.machines)?;
    let trip = Trip::new(found.plan(), &graph, &states, chosen.clone())?;
    if trip.begun.is_empty() && states.begun().all(|(id, _)| graph.node(id).is_some_and(|node| !node.group.is_empty())) {
        cx.io.print(&format!("move {} has begun nothing on {} that could be taken back\n", found.id(), chosen.join(", ")))?;
        return Ok(Code::DONE);
    }
    let pass = Pass { way: Way::Back, groups: chosen.clone(), only: PhaseSet::new() };
    if acting.dry_run != DryRun::None {
        return preview::show(&mut cx.io, &preview::lines(&graph, &states, &[pass], acting.dry_run, &[]));
    }
    trip.may_lose(args.discard_target_writes, &found.id().0, args, &commands)?;
    let author = author(&found).map(|author| author + " ").unwrap_or_default();
    if !confirm(&mut cx.io, &format!("{author}{}", trip.question()), acting.yes)? {
        return Ok(declined(&mut cx.io));
    }
    let mut held = hold(cx, found, Other::Stop { limit: acting.limit() }).await?;
    // The runner that was stopped may have gone further than what was asked about.
    let (graph, states) = held.graph();
    let now = Trip::new(&held.plan, &graph, &states, chosen.clone());
    let costs = now.and_then(|now| now.may_lose(args.discard_target_writes, &held.id.0, args, &commands).map(|()| now.lossy()));
    let lossy = match costs {
        Ok(lossy) => lossy,
        Err(failure) => {
            held.release().await;
            return Err(failure);
        }
    };
    if !lossy.is_empty() {
        held.agree(cx, &lossy, DISCARD).await?;
    }
    held.agree(cx, &chosen, ROLLBACK).await?;
    let task = Task { aim: Aim::Rollback, passes: vec![pass], limit: acting.limit(), look: args.carrying.look(cx) };
    carry(cx, held, task).await
}

/// The way back of some machines, and what it costs.
struct Trip<'a> {
    plan: &'a Plan,
    /// The chosen machines on which something was begun.
    begun: Vec<&'a MachinePlan>,
    /// Those of them whose start in the target was begun.
    started: Vec<&'a MachinePlan>,
}

impl<'a> Trip<'a> {
    /// # Errors
    /// The cleanup of one of them has begun.
    fn new(plan: &'a Plan, graph: &Graph, states: &States, chosen: Vec<String>) -> Result<Self, Failure> {
        let of = Graph::of(graph.nodes().iter().filter(|node| chosen.contains(&node.group)).cloned().collect());
        if let Some((node, why)) = point_of_no_return(&of, states) {
            let message = format!("virtual machine {} cannot be brought back: {why}", node.group);
            let failure = Failure::error(message).hint("nothing was done; the machine in the target is not touched");
            return Err(if chosen.len() > 1 { failure.hint("others of the move are brought back by their names, with --vm") } else { failure });
        }
        let machines = || plan.spec.machines.iter().filter(|machine| chosen.contains(&machine.name));
        let has = |machine: &&MachinePlan, phase| has_begun(graph, states, &machine.name, phase);
        Ok(Self {
            plan,
            begun: machines().filter(|machine| has(machine, None)).collect(),
            started: machines().filter(|machine| has(machine, Some(Phase::Start))).collect(),
        })
    }

    /// The started machines that have copied disks: what they wrote in the target is lost.
    fn lossy(&self) -> Vec<String> {
        self.started.iter().filter(|machine| machine.disks.iter().any(is_copied)).map(|machine| machine.name.clone()).collect()
    }

    /// The disks of started machines that are, or are not, copied: `db-1-root, db-1-data`.
    fn disks(&self, copied: bool) -> String {
        let disks = self.started.iter().flat_map(|machine| &machine.disks).filter(|disk| is_copied(disk) == copied);
        disks.map(|disk| disk.claim.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// # Errors
    /// Writes would be lost, and nobody agreed to that.
    fn may_lose(&self, agreed: bool, name: &str, args: &Args, commands: &CommandPrefix) -> Result<(), Failure> {
        let lossy = self.lossy();
        if agreed || lossy.is_empty() {
            return Ok(());
        }
        let target = &self.plan.spec.target.namespace;
        let message = format!(
            "{} disks were copied, so what was written there since to {} would be lost by going back; nothing was done",
            match lossy.as_slice() {
                [one] => format!("virtual machine {one} has been started in {target}; its"),
                several => format!("virtual machines {} have been started in {target}; their", several.join(", ")),
            },
            self.disks(true)
        );
        let vms = args.machines.iter().map(|vm| [" --vm ", &quoted(&vm.text)].concat()).collect::<String>();
        let command = commands.typed(&format!("rollback {name}{vms} --discard-target-writes"));
        Err(Failure::error(message).hint(format!("if that may be lost: {command}")))
    }

    fn question(&self) -> String {
        let spec = &self.plan.spec;
        let target = &spec.target.namespace;
        let mut sentences = vec![format!("Bring {} back from {target} to {}?", counted(self.begun.len(), "virtual machine"), spec.source.namespace)];
        let (copied, moved) = (self.disks(true), self.disks(false));
        if !copied.is_empty() {
            sentences.push(format!("What was written in {target} to {copied} since the start is lost."));
        }
        if !moved.is_empty() {
            sentences.push(format!("What was written in {target} to {moved} since the start comes back with the disks."));
        }
        sentences.join(" ")
    }
}

fn is_copied(disk: &DiskPlan) -> bool {
    disk.strategy != Strategy::Rebind
}
