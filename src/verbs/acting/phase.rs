//! One phase of a move: a window onto the graph that `run` drives as a whole.

use super::asking::{confirm, declined, may_go_on};
use super::carry::{Task, carry};
use super::finding::{Found, Journal, Meant, graph_of, machines, meant, user};
use super::flags::Carrying;
use super::holding::{Held, Other, begin, hold};
use super::passes::{CLEANUP, Pass, Standing, Way, is_open, standing};
use super::{again, asking, preview};
use crate::engine::next::{PhaseSet, States, missing};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::{Graph, Phase};
use crate::output::command::CommandPrefix;
use crate::output::summary::Aim;
use crate::plan::document::{Ownership, Plan};
use crate::plan::order;
use crate::plan::step::Step;
use crate::verbs::Context;
use crate::verbs::args::acting::DryRun;
use crate::verbs::args::connection::quoted;
use crate::verbs::args::moves::MoveChoice;
use crate::verbs::looking::planning::{Looked, replanned};
use crate::verbs::run::tell_findings;

/// The flags of every phase.
#[derive(Debug, clap::Args)]
pub struct PhaseArgs {
    #[command(flatten)]
    choice: MoveChoice,
    #[command(flatten)]
    carrying: Carrying,
    /// Exit with 3 when there is nothing to do
    #[arg(long)]
    error_unchanged: bool,
}

/// A phase, and the word for its being done: `stopped`.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub phase: Phase,
    pub done: &'static str,
}

impl Window {
    fn only(self) -> PhaseSet {
        PhaseSet::from([self.phase])
    }

    fn aim(self) -> Aim {
        if self.phase == Phase::Cleanup { Aim::Cleanup } else { Aim::Phase(self.phase, self.done) }
    }
}

/// Runs the phase, on a move that is there or one that it begins with a plan.
///
/// # Errors
/// Something that it needs is missing, or stands against it. Then: how it ended, where that is not "all done".
pub async fn run(cx: &mut Context, args: &PhaseArgs, window: Window) -> Result<Code, Failure> {
    match meant(cx, &args.choice, &args.carrying.ledger).await? {
        Meant::Move(found) => go_on(cx, args, *found, window).await,
        Meant::Plan(plan) => start(cx, args, *plan, window).await,
    }
}

async fn start(cx: &mut Context, args: &PhaseArgs, plan: Plan, window: Window) -> Result<Code, Failure> {
    let looked = replanned(cx, plan).await?;
    tell_findings(cx, &looked);
    if looked.is_blocked() {
        return Err(looked.refusal(cx));
    }
    let plan = &looked.planned.plan;
    let commands = cx.commands(&plan.spec.source.namespace);
    let (graph, states) = (order::graph(&plan.spec), States::default());
    let view = View { plan, graph: &graph, states: &states, journal: &Journal::new() };
    let Some(pass) = view.pass(args, window, &commands)? else { return Ok(unchanged(cx, args, window)) };
    if args.carrying.acting.dry_run != DryRun::None {
        return dry_run(cx, args, &graph, &states, pass);
    }
    let user = user(&looked.sites.source.cluster).await?;
    let Looked { sites, planned, .. } = looked;
    let held = begin(cx, sites, planned.plan, user, &args.carrying.ledger).await?;
    drive(cx, args, held, window, pass).await
}

async fn go_on(cx: &mut Context, args: &PhaseArgs, found: Found, window: Window) -> Result<Code, Failure> {
    let commands = found.commands(cx);
    let (graph, states) = graph_of(&found.opened);
    let view = View { plan: found.plan(), graph: &graph, states: &states, journal: &found.opened.journal };
    let Some(pass) = view.pass(args, window, &commands)? else {
        if window.phase == Phase::Verify {
            let chosen = view.going(machines(found.plan(), &args.choice.machines)?, !args.choice.machines.is_empty(), &commands)?;
            let code = again::verified(cx, &found, &graph, &states, &chosen).await?;
            return Ok(if args.error_unchanged { Code::UNCHANGED } else { code });
        }
        return Ok(unchanged(cx, args, window));
    };
    if args.carrying.acting.dry_run != DryRun::None {
        return dry_run(cx, args, &graph, &states, pass);
    }
    let agreed = if window.phase == Phase::Cleanup {
        cx.io.remark(&deleted(found.plan(), &pass, &states));
        let author = asking::author(&found).map(|author| author + " ").unwrap_or_default();
        let namespace = found.namespace();
        confirm(&mut cx.io, &format!("{author}Delete these from namespace {namespace}? There is no way back then."), args.carrying.acting.yes)?
    } else {
        may_go_on(&mut cx.io, &found, args.carrying.acting.yes)?
    };
    if !agreed {
        return Ok(declined(&mut cx.io));
    }
    let mut held = hold(cx, found, Other::Respect).await?;
    // The holder before may have gone further meanwhile.
    let (graph, states) = held.graph();
    let view = View { plan: &held.plan, graph: &graph, states: &states, journal: &held.journal };
    let pass = match view.pass(args, window, &commands) {
        Ok(Some(pass)) => pass,
        nothing => {
            held.release().await;
            return nothing.map(|_| unchanged(cx, args, window));
        }
    };
    if window.phase == Phase::Cleanup {
        held.agree(cx, &pass.groups, CLEANUP).await?;
    }
    drive(cx, args, held, window, pass).await
}

async fn drive(cx: &mut Context, args: &PhaseArgs, held: Held, window: Window, pass: Pass) -> Result<Code, Failure> {
    let carrying = &args.carrying;
    carry(cx, held, Task { aim: window.aim(), passes: vec![pass], limit: carrying.acting.limit(), look: carrying.look(cx) }).await
}

fn dry_run(cx: &mut Context, args: &PhaseArgs, graph: &Graph, states: &States, pass: Pass) -> Result<Code, Failure> {
    preview::show(&mut cx.io, &preview::lines(graph, states, &[pass], args.carrying.acting.dry_run, &[]))
}

fn unchanged(cx: &mut Context, args: &PhaseArgs, window: Window) -> Code {
    cx.io.remark(&format!("nothing to do: everything is {} already\n", window.done));
    if args.error_unchanged { Code::UNCHANGED } else { Code::DONE }
}

/// A move as it stands.
struct View<'a> {
    plan: &'a Plan,
    graph: &'a Graph,
    states: &'a States,
    journal: &'a Journal,
}

impl View<'_> {
    /// What is to be done in the window; nothing where all of it is done.
    ///
    /// # Errors
    /// A machine goes back, or a step that is needed is missing.
    fn pass(&self, args: &PhaseArgs, window: Window, commands: &CommandPrefix) -> Result<Option<Pass>, Failure> {
        let chosen = self.going(machines(self.plan, &args.choice.machines)?, !args.choice.machines.is_empty(), commands)?;
        let only = window.only();
        let open = |group: &str| is_open(self.graph, self.states, group, &only);
        let shared = open("");
        let groups: Vec<String> = chosen.into_iter().filter(|machine| open(machine) || shared).collect();
        if groups.is_empty() {
            return Ok(None);
        }
        let lacks = groups.iter().flat_map(|group| missing(self.graph, self.states, &only, group));
        if let Some(first) = lacks.min_by_key(|node| node.phase) {
            let message = format!("{} is not {} yet, which '{}' needs; nothing was done", first.title.object, first.title.done, window.phase.verb());
            let vms = args.choice.machines.iter().map(|vm| [" --vm ", &quoted(&vm.text)].concat()).collect::<String>();
            return Err(
                Failure::error(message).hint(format!("do that first: {}", commands.typed(&format!("{} {}{vms}", first.phase.verb(), subject(args)))))
            );
        }
        Ok(Some(Pass { way: Way::Forward, groups, only }))
    }

    /// The machines that are on their way. Those that were brought back are left out, unless they were named.
    fn going(&self, chosen: Vec<String>, named: bool, commands: &CommandPrefix) -> Result<Vec<String>, Failure> {
        let mut going = Vec::new();
        for machine in chosen {
            let entries = self.journal.get(&machine).map_or(&[][..], Vec::as_slice);
            match standing(self.graph, self.states, &machine, entries) {
                Standing::Forward => going.push(machine),
                Standing::Home if !named => {}
                Standing::Home => {
                    let again = format!("plan {} --to {}", quoted(&machine), quoted(&self.plan.spec.target.namespace));
                    return Err(Failure::error(format!("virtual machine {machine} was brought back; this move does not move it again"))
                        .hint(format!("another move can: {}", commands.typed(&again))));
                }
                Standing::Back => {
                    return Err(Failure::error(format!("virtual machine {machine} is going back; nothing was done"))
                        .hint("finish that with 'resume' or 'rollback', or name the others with --vm"));
                }
            }
        }
        Ok(going)
    }
}

/// The move as the user named it, to be typed again.
fn subject(args: &PhaseArgs) -> String {
    match (&args.choice.name, &args.choice.filename) {
        (Some(name), _) => name.0.0.clone(),
        (None, Some(path)) => format!("-f {}", quoted(&path.display().to_string())),
        (None, None) => "MOVE".to_owned(),
    }
}

/// What a cleanup deletes, one object per line.
fn deleted(plan: &Plan, pass: &Pass, states: &States) -> String {
    let steps = order::steps(&plan.spec);
    let open = steps.iter().filter(|step| pass.groups.iter().any(|group| group == step.machine()) && !states.is_done(&step.id()));
    let objects = open.filter_map(|step| match (step, step.disk(&plan.spec)) {
        (Step::RemoveVm { .. }, _) => Some(step.title(&plan.spec).object),
        (Step::RemoveDisk { .. }, Some(disk)) => Some(match &disk.ownership {
            Ownership::DataVolume { name, uid, .. } if !uid.is_empty() => {
                format!("{}, with {}/{name}", step.title(&plan.spec).object, crate::model::kind::DATA_VOLUME.singular())
            }
            _ => step.title(&plan.spec).object,
        }),
        _ => None,
    });
    objects.map(|object| object + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::next::replay;
    use crate::model::graph::StepId;
    use crate::model::journal::Entry;
    use crate::plan::document::{API_VERSION, PlanMeta};
    use crate::plan::fixtures;
    use crate::verbs::acting::finding::by_group;
    use crate::verbs::acting::passes::ROLLBACK;

    fn plan() -> Plan {
        let metadata = PlanMeta { name: "shop-to-prod".to_owned(), digest: "d".to_owned() };
        Plan { api_version: API_VERSION.to_owned(), kind: "MovePlan".to_owned(), metadata, spec: fixtures::plan() }
    }

    fn done(steps: &[&str]) -> Vec<Entry> {
        let entries = steps.iter().map(|step| Entry::Done { step: StepId((*step).to_owned()), at: String::new(), output: serde_json::Value::Null });
        entries.collect()
    }

    fn asked(phase: Phase, machines: &[&str], journal: &Journal) -> Result<Option<Pass>, Failure> {
        let args = PhaseArgs {
            choice: MoveChoice {
                name: "shop-to-prod-x".parse().ok(),
                machines: machines.iter().filter_map(|name| name.parse().ok()).collect(),
                ..MoveChoice::default()
            },
            carrying: Carrying::default(),
            error_unchanged: false,
        };
        let plan = plan();
        let (graph, states) = (order::graph(&plan.spec), replay(by_group(journal)));
        let commands = CommandPrefix { program: "kubectl vmmove".to_owned(), flags: " -n shop".to_owned() };
        View { plan: &plan, graph: &graph, states: &states, journal }.pass(&args, Window { phase, done: "done" }, &commands)
    }

    fn journal(entries: Vec<Entry>) -> Journal {
        [("db-1".to_owned(), entries)].into()
    }

    #[test]
    fn a_phase_names_the_step_that_is_missing_and_the_command_that_does_it() {
        let failure = asked(Phase::Recreate, &[], &Journal::new()).expect_err("nothing is done yet");
        assert_eq!(failure.message, "virtualmachine.kubevirt.io/db-1 is not fenced yet, which 'recreate' needs; nothing was done");
        assert_eq!(failure.hints, ["do that first: kubectl vmmove stop shop-to-prod-x -n shop"]);
        assert!(asked(Phase::Stop, &[], &Journal::new()).is_ok_and(|pass| pass.is_some()));
    }

    #[test]
    fn a_phase_that_is_done_has_nothing_to_do() {
        assert_eq!(asked(Phase::Stop, &[], &journal(done(&["db-1/fence", "db-1/stop"]))).ok(), Some(None));
    }

    #[test]
    fn a_machine_that_was_brought_back_is_left_out_or_refused_by_name() {
        let home = journal(vec![Entry::Consented { to: ROLLBACK.to_owned(), by: "alice".to_owned(), at: String::new() }]);
        assert_eq!(asked(Phase::Stop, &[], &home).ok(), Some(None));
        assert!(asked(Phase::Stop, &["db-1"], &home).is_err_and(|failure| failure.message.contains("was brought back")));
    }

    #[test]
    fn a_cleanup_lists_what_it_deletes() {
        let pass = Pass { way: Way::Forward, groups: vec!["db-1".to_owned()], only: PhaseSet::from([Phase::Cleanup]) };
        insta::assert_snapshot!(deleted(&plan(), &pass, &States::default()), @r#"
        virtualmachine.kubevirt.io/db-1
        persistentvolumeclaim/root, with datavolume.cdi.kubevirt.io/root
        persistentvolumeclaim/data
        "#);
    }
}
