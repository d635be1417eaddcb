//! What a dry run says: the steps that would be taken, in their order, and which of them the server could not try.

use std::fmt::Write;

use super::passes::{Pass, Way};
use crate::engine::next::{States, unwind_order};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::{Graph, Node, StepId, UndoPolicy};
use crate::output::io::Io;
use crate::plan::document::PlanSpec;
use crate::plan::order;
use crate::plan::step::Step;
use crate::verbs::args::acting::DryRun;

/// The steps that the server tries when a plan is made: those that do no more than create an object.
pub fn tried(plan: &PlanSpec) -> Vec<StepId> {
    let creates = |step: &Step| {
        use Step::{CloneClaim, CloneDisk, CopyObject, CreateVm, ReserveClaim};
        matches!(step, CopyObject { .. } | ReserveClaim { .. } | CloneClaim { .. } | CloneDisk { .. } | CreateVm { .. })
    };
    order::steps(plan).iter().filter(|step| creates(step)).map(Step::id).collect()
}

/// The lines: `virtualmachine.kubevirt.io/db-1 stopped (dry run)`.
pub fn lines(graph: &Graph, states: &States, passes: &[Pass], dry: DryRun, tried: &[StepId]) -> String {
    let mut text = String::new();
    for pass in passes {
        let taken = |node: &Node| node.group.is_empty() || pass.groups.contains(&node.group);
        let mut line = |node: &Node, words: &str| {
            let how = match dry {
                DryRun::Server if tried.contains(&node.id) => "server dry run",
                DryRun::Server => "dry run, the server cannot try it",
                DryRun::Client | DryRun::None => "dry run",
            };
            let _ = writeln!(text, "{} {words} ({how})", node.title.object);
        };
        match pass.way {
            Way::Forward => {
                let nodes = graph.nodes().iter().filter(|node| taken(node) && pass.only.contains(&node.phase) && !states.is_done(&node.id));
                nodes.for_each(|node| line(node, &node.title.done));
            }
            Way::Back => {
                let undone = |node: &Node| pass.groups.contains(&node.group) && node.undo == UndoPolicy::Automatic;
                let nodes = unwind_order(graph, states, undone);
                nodes.iter().filter_map(|id| graph.node(id)).for_each(|node| line(node, &node.title.undone));
            }
        }
    }
    text
}

/// Shows a dry run and ends the verb.
///
/// # Errors
/// Standard output cannot be written.
pub fn show(io: &mut Io, text: &str) -> Result<Code, Failure> {
    io.print(text)?;
    Ok(Code::DONE)
}

#[cfg(test)]
mod tests {
    use super::super::passes::all_but_cleanup;
    use super::*;
    use crate::plan::fixtures;

    #[test]
    fn a_dry_run_names_every_step_and_what_the_server_cannot_try() {
        let plan = fixtures::plan();
        let pass = Pass { way: Way::Forward, groups: vec!["db-1".to_owned()], only: all_but_cleanup() };
        let text = lines(&order::graph(&plan), &States::default(), &[pass], DryRun::Server, &tried(&plan));
        insta::assert_snapshot!(text, @r#"
        secret/login copied to prod (server dry run)
        persistentvolumeclaim/data reserved in prod (server dry run)
        virtualmachine.kubevirt.io/db-1 fenced (dry run, the server cannot try it)
        virtualmachine.kubevirt.io/db-1 stopped (dry run, the server cannot try it)
        persistentvolumeclaim/root cloned (server dry run)
        persistentvolumeclaim/root handed over to prod (dry run, the server cannot try it)
        persistentvolumeclaim/root adopted in prod (dry run, the server cannot try it)
        persistentvolumeclaim/data handed over to prod (dry run, the server cannot try it)
        virtualmachine.kubevirt.io/db-1 recreated in prod (server dry run)
        virtualmachine.kubevirt.io/db-1 owns its objects (dry run, the server cannot try it)
        virtualmachine.kubevirt.io/db-1 started (dry run, the server cannot try it)
        virtualmachine.kubevirt.io/db-1 verified (dry run, the server cannot try it)
        "#);
    }
}
