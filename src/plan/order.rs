//! From a plan to its steps and their order. Pure: the same plan gives the same graph.

use super::document::{DependentPlan, DiskPlan, MachinePlan, Ownership, PlanSpec};
use super::request::{Strategy, VerifyDepth};
use super::step::{Step, adopts};
use crate::model::graph::{Graph, Node, StepId};

/// A step with what it needs, and what it comes after where one run does both.
struct Placed {
    step: Step,
    needs: Vec<StepId>,
    after: Vec<StepId>,
}

/// The steps of a whole plan, each after what it needs.
pub fn steps(plan: &PlanSpec) -> Vec<Step> {
    placed(plan).into_iter().map(|placed| placed.step).collect()
}

/// The graph of a whole plan. What does not need a machine to be stopped comes before it is stopped.
pub fn graph(plan: &PlanSpec) -> Graph {
    let node = |Placed { step, needs, after }: Placed| Node {
        id: step.id(),
        needs,
        after,
        phase: step.phase(),
        lane: step.lane(plan),
        undo: step.undo(),
        lasting: step.lasting(),
        urgent: step.urgent(),
        group: step.machine().to_owned(),
        title: step.title(plan),
    };
    Graph::of(placed(plan).into_iter().map(node).collect())
}

fn placed(plan: &PlanSpec) -> Vec<Placed> {
    let mut all = Vec::new();
    let mut namespace = Vec::new();
    if plan.create_namespace {
        let step = Step::CreateNamespace { namespace: plan.target.namespace.clone() };
        namespace.push(step.id());
        all.push(Placed { step, needs: vec![], after: vec![] });
    }
    for DependentPlan { kind, name, .. } in &plan.dependents {
        all.push(Placed { step: Step::CopyObject { kind: *kind, name: name.clone() }, needs: namespace.clone(), after: vec![] });
    }
    for machine in &plan.machines {
        place_machine(plan, machine, &namespace, &mut all);
    }
    all
}

fn place_machine(plan: &PlanSpec, machine: &MachinePlan, namespace: &[StepId], all: &mut Vec<Placed>) {
    let name = || machine.name.clone();
    let mut push = |step: Step, needs: Vec<StepId>, after: Vec<StepId>| {
        let id = step.id();
        all.push(Placed { step, needs, after });
        id
    };
    let uses = |dependent: &&DependentPlan| dependent.used_by.contains(&machine.name);
    let copies: Vec<StepId> =
        plan.dependents.iter().filter(uses).map(|dependent| Step::CopyObject { kind: dependent.kind, name: dependent.name.clone() }.id()).collect();

    let mut before_fence = copies.clone();
    before_fence.extend_from_slice(namespace);
    // Of two movers of one machine the one that reserves its first disk goes on; the other has reserved nothing that is in the way.
    let mut reserved: Vec<StepId> = Vec::new();
    for disk in machine.disks.iter().filter(|disk| disk.strategy == Strategy::Rebind) {
        let needs = namespace.iter().chain(reserved.first()).cloned().collect();
        reserved.push(push(Step::ReserveClaim { machine: name(), volume: disk.volume.clone() }, needs, vec![]));
    }
    before_fence.extend(reserved);
    let fence = push(Step::FenceVm { machine: name() }, vec![], before_fence);
    let stop = push(Step::StopVm { machine: name() }, vec![fence], vec![]);
    let mut before_create = copies;
    before_create.push(stop.clone());
    for disk in &machine.disks {
        let last = place_disk(&machine.name, disk, &stop, namespace, &mut push);
        before_create.push(last);
    }
    let mut last = push(Step::CreateVm { machine: name() }, before_create, vec![]);
    if owns_something(machine) {
        last = push(Step::OwnObjects { machine: name() }, vec![last], vec![]);
    }
    if machine.power.start || restores_strategy(machine) {
        last = push(Step::StartVm { machine: name() }, vec![last], vec![]);
    }
    if plan.options.verify != VerifyDepth::None {
        last = push(Step::VerifyVm { machine: name() }, vec![last], vec![]);
    }
    let removed = push(Step::RemoveVm { machine: name() }, vec![last], vec![]);
    for disk in &machine.disks {
        let gone = push(Step::RemoveDisk { machine: name(), volume: disk.volume.clone() }, vec![removed.clone()], vec![]);
        if disk.strategy == Strategy::Rebind {
            push(Step::ReleaseVolume { machine: name(), volume: disk.volume.clone() }, vec![gone], vec![]);
        }
    }
}

/// The steps that bring one disk to the target; returns the last.
fn place_disk(
    machine: &str,
    disk: &DiskPlan,
    stop: &StepId,
    namespace: &[StepId],
    push: &mut impl FnMut(Step, Vec<StepId>, Vec<StepId>) -> StepId,
) -> StepId {
    let (machine, volume) = (|| machine.to_owned(), || disk.volume.clone());
    let with_namespace = |id: &StepId| [std::slice::from_ref(id), namespace].concat();
    let there = match disk.strategy {
        Strategy::CloneRebind => {
            let cloned = push(Step::CloneClaim { machine: machine(), volume: volume() }, vec![stop.clone()], vec![]);
            push(Step::SwapVolume { machine: machine(), volume: volume() }, with_namespace(&cloned), vec![])
        }
        Strategy::Rebind => {
            let reserved = Step::ReserveClaim { machine: machine(), volume: volume() }.id();
            push(Step::SwapVolume { machine: machine(), volume: volume() }, vec![stop.clone(), reserved], vec![])
        }
        Strategy::CdiClone => push(Step::CloneDisk { machine: machine(), volume: volume() }, with_namespace(stop), vec![]),
    };
    if adopts(disk) { push(Step::AdoptDisk { machine: machine(), volume: volume() }, vec![there], vec![]) } else { there }
}

/// Whether a machine that is not started gets its run strategy all the same: `Manual` alone starts nothing by itself.
fn restores_strategy(machine: &MachinePlan) -> bool {
    machine.power.value == "Manual"
}

/// Whether something in the target must be made the machine's own after it exists.
fn owns_something(machine: &MachinePlan) -> bool {
    !machine.revisions.is_empty() || machine.disks.iter().any(|disk| disk.ownership == Ownership::Machine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::graph::Phase;

    #[test]
    fn the_first_reservation_of_a_machine_comes_before_its_others() {
        let mut plan = crate::plan::fixtures::plan();
        let machine = &mut plan.machines[0];
        let reserved = machine.disks.iter().find(|disk| disk.strategy == Strategy::Rebind).cloned().into_iter();
        machine.disks = reserved.flat_map(|disk| ["a", "b", "c"].map(|volume| DiskPlan { volume: volume.to_owned(), ..disk.clone() })).collect();
        let graph = graph(&plan);
        let needs = |id: &str| graph.node(&StepId(id.to_owned())).map(|node| node.needs.clone());
        let first = StepId("db-1/a/reserve".to_owned());
        assert_eq!(
            [needs("db-1/a/reserve"), needs("db-1/b/reserve"), needs("db-1/c/reserve")],
            [Some(vec![]), Some(vec![first.clone()]), Some(vec![first])]
        );
    }

    #[test]
    fn each_node_comes_after_what_it_needs() {
        let plan = crate::plan::fixtures::plan();
        let graph = graph(&plan);
        for (index, node) in graph.nodes().iter().enumerate() {
            for need in node.needs.iter().chain(&node.after) {
                assert!(graph.nodes()[..index].iter().any(|earlier| earlier.id == *need), "{} needs {need}", node.id);
            }
        }
        let ids: Vec<&str> = graph.nodes().iter().filter(|node| node.phase < Phase::Cleanup).map(|node| node.id.0.as_str()).collect();
        assert_eq!(
            ids,
            [
                "copy/secrets/login",
                "db-1/data/reserve",
                "db-1/fence",
                "db-1/stop",
                "db-1/root/clone",
                "db-1/root/swap",
                "db-1/root/adopt",
                "db-1/data/swap",
                "db-1/create",
                "db-1/own",
                "db-1/start",
                "db-1/verify"
            ]
        );
    }
}
