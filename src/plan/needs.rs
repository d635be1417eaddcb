//! The rights that a plan needs: exactly the requests its steps make, each with the reason. The least that works.

use std::fmt;

use super::checks::access::useful;
use super::document::{MachinePlan, Ownership, PlanSpec};
use super::elsewhere::ELSEWHERE;
use super::pointers::POINTERS;
use super::request::Strategy;
use crate::model::kind::{self, Kind};
use crate::model::names::End;

/// One right: a verb on a resource, in a namespace or (without one) in the cluster.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Need {
    pub end: End,
    pub namespace: Option<String>,
    pub group: &'static str,
    pub resource: &'static str,
    /// The part after the slash; empty for the object itself.
    pub subresource: &'static str,
    pub verb: &'static str,
    pub duty: Duty,
    /// What it is needed for: completes "needed to ...".
    pub why: String,
}

/// What lacking a right means.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Duty {
    /// The plan does not run without it.
    Must,
    /// One right of those with the same word suffices.
    OneOf(&'static str),
    /// Only `cleanup` needs it.
    Cleanup,
    /// The plan runs without it and says less.
    May,
}

impl Need {
    /// `resource` or `resource/subresource`, as RBAC rules write it.
    pub fn path(&self) -> String {
        if self.subresource.is_empty() { self.resource.to_owned() } else { format!("{}/{}", self.resource, self.subresource) }
    }
}

impl fmt::Display for Need {
    /// `create datavolumes/source.cdi.kubevirt.io in namespace shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.path())?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in the cluster"),
        }
    }
}

/// Some rights on one resource, and the plans that need them.
struct Row {
    end: End,
    /// Group, resource, subresource.
    on: (&'static str, &'static str, &'static str),
    namespaced: bool,
    verbs: &'static [&'static str],
    duty: Duty,
    when: fn(&PlanSpec) -> bool,
    why: &'static str,
}

const fn row(end: End, kind: Kind, verbs: &'static [&'static str], duty: Duty, when: fn(&PlanSpec) -> bool, why: &'static str) -> Row {
    Row { end, on: (kind.group, kind.plural, ""), namespaced: kind.namespaced, verbs, duty, when, why }
}

const fn part(
    end: End,
    on: (&'static str, &'static str, &'static str),
    verbs: &'static [&'static str],
    duty: Duty,
    when: fn(&PlanSpec) -> bool,
    why: &'static str,
) -> Row {
    Row { end, on, namespaced: true, verbs, duty, when, why }
}

const SUBRESOURCES: &str = "subresources.kubevirt.io";
const WATCH: &[&str] = &["get", "list", "watch"];
const CLONE: Duty = Duty::OneOf("clone across namespaces");
const NAMESPACE: Duty = Duty::OneOf("make the namespace");

use Duty::{Cleanup, May, Must};
use End::{Source, Target};

/// In the order in which a move makes the requests.
const ROWS: &[Row] = &[
    // Looking.
    row(Source, kind::VM, WATCH, Must, always, "see the virtual machines and that they stop"),
    row(Source, kind::VMI, WATCH, Must, always, "see that guests end"),
    row(Source, kind::POD, WATCH, Must, always, "see who uses the disks and that all are gone"),
    row(Source, kind::CLAIM, WATCH, Must, always, "see the disks"),
    row(Source, kind::DATA_VOLUME, WATCH, Must, always, "see how disks came to be"),
    row(Source, kind::EVENT, WATCH, Must, always, "say why something waits"),
    row(Source, kind::SERVICE, &["list"], Must, always, "see which Services lead to the guests"),
    row(Target, kind::VM, WATCH, Must, always, "see whether names are free, and the new machines"),
    row(Target, kind::VMI, WATCH, Must, always, "see that guests come up"),
    row(Target, kind::CLAIM, WATCH, Must, always, "see whether names are free, and the new disks"),
    row(Target, kind::DATA_VOLUME, WATCH, Must, always, "see whether names are free, and how copies proceed"),
    row(Target, kind::POD, WATCH, Must, has_disks, "see that nobody uses the new disks before they are taken back"),
    row(Target, kind::EVENT, WATCH, Must, has_disks, "say why something waits"),
    // The ledger and the fence.
    row(Source, kind::CONFIG_MAP, &["get", "create", "update"], Must, always, "write the ledger"),
    row(Source, kind::LEASE, &["get", "create", "update"], Must, always, "show that the move is alive"),
    row(Source, kind::VM, &["patch"], Must, always, "stop the virtual machines, keep them stopped, and let them go again"),
    part(
        Source,
        (SUBRESOURCES, "virtualmachines", "stop"),
        &["update"],
        Must,
        |plan| plan.options.force_stop,
        "cut off a guest that does not shut down",
    ),
    part(Source, (SUBRESOURCES, "virtualmachines", "start"), &["update"], Must, was_manual, "start machines of run strategy Manual when going back"),
    row(Target, kind::NAMESPACE, &["create"], NAMESPACE, |plan| plan.create_namespace, "make the target namespace"),
    row(Target, kind::PROJECT_REQUEST, &["create"], NAMESPACE, |plan| plan.create_namespace, "make the target namespace"),
    row(Target, kind::NAMESPACE, &["delete"], May, |plan| plan.create_namespace, "remove the namespace that the move made when going back"),
    // Disks.
    row(Source, kind::CLAIM, &["create", "delete"], Must, clones, "make copies beside the source and remove what is left of them"),
    row(Source, kind::CLAIM, &["patch"], Must, moves, "wake the source's claim when a volume is handed back"),
    row(Source, kind::STORAGE_CLASS, &["list"], Must, clones, "see that copies beside the source bind at once"),
    row(Target, kind::VOLUME, &["get", "list", "patch"], Must, rebinds, "hand volumes to the target's claims"),
    row(Target, kind::CLAIM, &["create", "patch", "delete"], Must, rebinds, "make the target's claims, and remove them when going back"),
    part(Source, ("cdi.kubevirt.io", "datavolumes", "source"), &["create"], CLONE, copies, "let CDI clone a disk of this namespace into another"),
    row(Source, kind::POD, &["create"], CLONE, copies, "let CDI clone a disk of this namespace into another"),
    row(
        Target,
        kind::DATA_VOLUME,
        &["create", "patch", "delete"],
        Must,
        makes_data_volumes,
        "make the target's DataVolumes, and remove them when going back",
    ),
    row(Target, kind::CLAIM, &["patch", "delete"], Must, copies, "mark the copies, and remove them when going back"),
    // Machines.
    row(Source, kind::CONTROLLER_REVISION, &["get"], Must, has_revisions, "read frozen instance types"),
    row(Target, kind::CONTROLLER_REVISION, &["get", "create", "patch", "delete"], Must, has_revisions, "carry frozen instance types over"),
    row(Target, kind::VM, &["create", "patch", "delete"], Must, always, "make and start the target's machines, and remove them when going back"),
    part(Target, (SUBRESOURCES, "virtualmachines", "start"), &["update"], Must, starts_manual, "start machines of run strategy Manual"),
    // Saying and seeing more.
    row(Source, kind::EVENT, &["create"], May, always, "tell on the virtual machine who is moving it"),
    row(Source, kind::CONFIG_MAP, &["list", "watch"], May, always, "find moves that are not named, and notice at once what others ask of one"),
    row(Source, kind::LEASE, &["watch"], May, always, "notice at once that nobody carries a move any more"),
    row(Source, kind::NODE, &["get"], May, always, "see whether the node under a guest that is to stop answers"),
    row(Source, kind::ATTACHMENT, &["watch"], May, has_disks, "notice at once that disks are detached from their nodes"),
    // Cleanup.
    row(Source, kind::VM, &["delete"], Cleanup, always, "remove the source's machines after the move"),
    row(Target, kind::VOLUME, &["get"], Cleanup, has_disks, "see that the target's disks are not the source's own before those go"),
    row(Source, kind::DATA_VOLUME, &["patch", "delete"], Cleanup, has_disks, "remove the source's disks after the move"),
    row(Source, kind::CLAIM, &["delete"], Cleanup, has_disks, "remove the source's disks after the move"),
];

/// Every right that the plan needs, once each: the strongest duty stays where several rows ask for the same.
pub fn needs(plan: &PlanSpec) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    let rows = ROWS.iter().filter(|row| (row.when)(plan)).flat_map(|row| row.verbs.iter().map(|verb| row.need(plan, verb)));
    for need in rows.chain(dependents(plan)) {
        let same = |other: &&mut Need| {
            (other.end, &other.namespace, other.group, other.path(), other.verb) == (need.end, &need.namespace, need.group, need.path(), need.verb)
        };
        match needs.iter_mut().find(same) {
            Some(other) if need.duty < other.duty => *other = need,
            Some(_) => {}
            None => needs.push(need),
        }
    }
    needs
}

impl Row {
    fn need(&self, plan: &PlanSpec, verb: &'static str) -> Need {
        let (group, resource, subresource) = self.on;
        let namespace = match self.end {
            Source => &plan.source.namespace,
            Target => &plan.target.namespace,
        };
        let namespace = self.namespaced.then(|| namespace.clone());
        Need { end: self.end, namespace, group, resource, subresource, verb, duty: self.duty, why: self.why.to_owned() }
    }
}

/// The rights with which a look at both ends sees everything. Without one of them a check says what it could not see.
pub fn reads(plan: &PlanSpec) -> Vec<Need> {
    let there = POINTERS.iter().map(|pointer| (Target, pointer.kind, "whether what points at a guest is there already"));
    let kinds = useful().into_iter().chain(there);
    let kinds = kinds.map(|(end, kind, why)| Need { why: format!("see {why}"), ..row(end, kind, &[], May, always, "").need(plan, "list") });
    let namespace = part(Target, ("", "namespaces", ""), &[], May, always, "see whether the namespace exists").need(plan, "get");
    let anywhere = ELSEWHERE.iter().map(|row| (row.kind, row.why)).map(|(kind, why)| {
        let need = row(Source, kind, &[], May, always, "").need(plan, "list");
        Need { namespace: None, why: format!("see {why}"), ..need }
    });
    kinds.chain([namespace]).chain(anywhere).collect()
}

/// Objects that machines refer to: read in the source, made in the target unless they are there.
fn dependents(plan: &PlanSpec) -> impl Iterator<Item = Need> + '_ {
    plan.dependents.iter().flat_map(move |dependent| {
        let read = row(Source, dependent.kind, &["get", "list"], Must, always, "copy what the machines refer to");
        let compare = row(Target, dependent.kind, &["get", "list"], Must, always, "compare what the machines refer to with what is there");
        let make = row(Target, dependent.kind, &["create", "delete"], Must, always, "copy what the machines refer to, and remove it when going back");
        let rows = if dependent.exists { vec![read, compare] } else { vec![read, compare, make] };
        rows.into_iter().flat_map(move |row| row.verbs.iter().map(|verb| row.need(plan, verb)).collect::<Vec<_>>())
    })
}

fn always(_: &PlanSpec) -> bool {
    true
}

fn any_disk(plan: &PlanSpec, wanted: &[Strategy]) -> bool {
    plan.machines.iter().flat_map(|machine| &machine.disks).any(|disk| wanted.contains(&disk.strategy))
}

fn has_disks(plan: &PlanSpec) -> bool {
    any_disk(plan, &Strategy::ALL)
}

fn clones(plan: &PlanSpec) -> bool {
    any_disk(plan, &[Strategy::CloneRebind])
}

fn moves(plan: &PlanSpec) -> bool {
    any_disk(plan, &[Strategy::Rebind])
}

fn rebinds(plan: &PlanSpec) -> bool {
    any_disk(plan, &[Strategy::CloneRebind, Strategy::Rebind])
}

fn copies(plan: &PlanSpec) -> bool {
    any_disk(plan, &[Strategy::CdiClone])
}

/// A copy by CDI is a DataVolume; so is a disk that had one in the source and gets one again.
fn makes_data_volumes(plan: &PlanSpec) -> bool {
    let adopted = |disk: &super::document::DiskPlan| matches!(disk.ownership, Ownership::DataVolume { .. });
    copies(plan) || plan.machines.iter().flat_map(|machine| &machine.disks).any(adopted)
}

fn has_revisions(plan: &PlanSpec) -> bool {
    plan.machines.iter().any(|machine| !machine.revisions.is_empty())
}

fn is_manual(machine: &MachinePlan) -> bool {
    machine.power.value.as_str() == Some("Manual")
}

fn was_manual(plan: &PlanSpec) -> bool {
    plan.machines.iter().any(|machine| is_manual(machine) && machine.power.running)
}

fn starts_manual(plan: &PlanSpec) -> bool {
    plan.machines.iter().any(|machine| is_manual(machine) && machine.power.start)
}

#[cfg(test)]
#[path = "needs_tests.rs"]
mod tests;
