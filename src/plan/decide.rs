//! Decides everything about a move: a pure function from what was seen and asked to a plan and its findings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::checks::classes::target_class;
use super::checks::disks::{Disk, disks_of};
use super::checks::machines::{Machine, machines, target_name};
use super::document::{API_VERSION, DependentPlan, DiskPlan, MachinePlan, Ownership, Plan, PlanEnd, PlanMeta, PlanSpec, Power, RunField};
use super::references::references;
use super::request::{MoveRequest, StartPolicy};
use super::rewrite::dependent::made_for_its_namespace;
use super::rewrite::fence::run_field;
use super::rewrite::identity::identity;
use super::rewrite::vm::{Target, rewrite};
use super::share::{MANY, shared_out};
use super::strategy::{Candidate, choose};
use super::{checks, quota};
use crate::model::disk::Claim;
use crate::model::finding::Finding;
use crate::model::inventory::{Inventory, Place};
use crate::model::kind;
use crate::model::vm::{Vm, Vmi};

/// A plan and what speaks about it. With a blocking finding the plan is not to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub plan: Plan,
    pub findings: Vec<Finding>,
}

/// Decides. Never fails: what is wrong is a finding. Without a target in the inventory there is nothing to decide and the plan is empty.
pub fn plan(seen: &Inventory, ask: &MoveRequest) -> Planned {
    let mut findings = checks::findings(seen, ask);
    let mut spec = PlanSpec {
        source: end(&seen.source),
        target: seen.target.as_ref().map_or_else(|| end(&seen.source), end),
        create_namespace: ask.create_namespace && seen.target.as_ref().is_some_and(|target| target.namespace_object().is_none()),
        options: ask.options.clone(),
        force: ask.force,
        networks: ask.network_map.clone(),
        machines: Vec::new(),
        dependents: Vec::new(),
    };
    if let Some(target) = &seen.target {
        let mut chosen: Vec<Machine> = machines(seen, ask).collect();
        chosen.sort_by(|a, b| a.name().cmp(b.name()));
        chosen.dedup_by(|a, b| a.name() == b.name());
        spec.dependents = dependents(seen, target, &chosen);
        let revisions = revisions(&spec.dependents);
        let plans = shared_out(&chosen, chosen.len() >= MANY, |machine| {
            let mut findings = Vec::new();
            let revisions = revisions.get(machine.name()).cloned().unwrap_or_default();
            (machine_plan(*machine, target, ask, revisions, &mut findings), findings)
        });
        for (plan, found) in plans {
            spec.machines.push(plan);
            findings.extend(found);
        }
        findings.extend(quota::findings(&spec, seen));
    }
    checks::sort(&mut findings);
    let name = format!("{}-to-{}", spec.source.namespace, spec.target.namespace);
    let digest = digest(&spec);
    Planned { plan: Plan { api_version: API_VERSION.to_owned(), kind: "MovePlan".to_owned(), metadata: PlanMeta { name, digest }, spec }, findings }
}

/// SHA-256 of the specification's canonical JSON (keys sorted, nothing between), in hex. A long list of machines is written on all processors.
pub fn digest(spec: &PlanSpec) -> String {
    let canonical = |value: serde_json::Result<Value>| value.map(|value| value.to_string()).unwrap_or_default();
    let PlanSpec { source, target, create_namespace, options, force, networks, machines: _, dependents } = spec;
    let rest = PlanSpec {
        source: source.clone(),
        target: target.clone(),
        create_namespace: *create_namespace,
        options: options.clone(),
        force: *force,
        networks: networks.clone(),
        machines: Vec::new(),
        dependents: dependents.clone(),
    };
    let Ok(Value::Object(fields)) = serde_json::to_value(rest) else { return String::new() };
    let machines = shared_out(&spec.machines, spec.machines.len() >= MANY, |machine| canonical(serde_json::to_value(machine)));
    let field = |(name, value): (&String, &Value)| {
        let value = if name == "machines" { format!("[{}]", machines.join(",")) } else { value.to_string() };
        format!("\"{name}\":{value}")
    };
    let text = format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","));
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn end(place: &Place) -> PlanEnd {
    PlanEnd { cluster: place.cluster.id.clone(), namespace: place.namespace.clone() }
}

/// The ControllerRevisions that come along, by the machines that are pinned to them.
fn revisions(dependents: &[DependentPlan]) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for revision in dependents.iter().filter(|dependent| dependent.kind == kind::CONTROLLER_REVISION) {
        for machine in &revision.used_by {
            found.entry(machine.clone()).or_default().push(revision.name.clone());
        }
    }
    found
}

fn machine_plan(machine: Machine, target: &Place, ask: &MoveRequest, revisions: Vec<String>, findings: &mut Vec<Finding>) -> MachinePlan {
    let seen = machine.seen;
    let vm = machine.vm;
    let instance = seen.source.objects.get(kind::VMI, machine.name());
    let to = Target {
        name: target_name(ask, machine.name()).to_owned(),
        namespace: target.namespace.clone(),
        source_namespace: seen.source.namespace.clone(),
        identity: identity(vm, instance),
        claims: BTreeMap::new(),
        networks: ask.network_map.clone(),
        revisions: revisions.clone(),
        marks: None,
    };
    let (_, changes) = rewrite(vm, &to);
    MachinePlan {
        name: machine.name().to_owned(),
        uid: vm.uid().to_owned(),
        generation: vm.generation(),
        target: to.name,
        power: power(Vm(vm), instance.map(Vmi), ask.options.start),
        identity: to.identity,
        disks: disks_of(machine).filter_map(|disk| disk_plan(&disk, target, ask, findings)).collect(),
        revisions,
        changes,
    }
}

/// How a machine is powered, and whether its copy is started. One that its guest or a finished run stopped is not started by our doing.
fn power(vm: Vm, instance: Option<Vmi>, start: StartPolicy) -> Power {
    let (field, value) = run_field(vm.0).unwrap_or((RunField::RunStrategy, "Halted".into()));
    let running = instance.is_some_and(|instance| !instance.is_final());
    let start = match start {
        StartPolicy::AsBefore => running,
        StartPolicy::Always => true,
        StartPolicy::Never => false,
    };
    Power { running, field, value, start }
}

fn disk_plan(disk: &Disk, target: &Place, ask: &MoveRequest, findings: &mut Vec<Finding>) -> Option<DiskPlan> {
    // A disk without a claim has its own blocking finding.
    let claim = disk.claim()?;
    let class = target_class(ask, claim);
    let candidate = Candidate { seen: disk.machine.seen, target, claim, volume: disk.persistent_volume(), class };
    let chosen = match choose(disk, &candidate, ask) {
        Ok(chosen) => chosen,
        Err(rejected) => {
            let reasons: Vec<String> = rejected.iter().map(|no| format!("{}: {}", no.strategy.name(), no.why)).collect();
            findings.push(
                Finding::blocking("S030", disk.reference(), format!("no strategy can carry this disk ({})", reasons.join("; ")))
                    .hint("change what stands against it, or ask for another strategy with --strategy, --volumes or --storage-class"),
            );
            return None;
        }
    };
    Some(DiskPlan {
        volume: disk.volume.to_owned(),
        claim: disk.name.to_owned(),
        claim_uid: claim.0.uid().to_owned(),
        target_claim: disk.name.to_owned(),
        request: claim.request().unwrap_or_default().to_owned(),
        capacity: claim.capacity().unwrap_or_default(),
        class: claim.class().map(str::to_owned),
        target_class: class.map(str::to_owned),
        volume_mode: claim.volume_mode().to_owned(),
        access_modes: claim.access_modes().map(str::to_owned).collect(),
        persistent_volume: claim.volume_name().map(str::to_owned),
        ownership: ownership(disk, claim),
        strategy: chosen.strategy,
        why: chosen.why,
        rejected: chosen.rejected,
    })
}

fn ownership(disk: &Disk, claim: Claim) -> Ownership {
    let template = disk.machine.lens().has_template(disk.name);
    if let Some(owner) = claim.data_volume_owner() {
        return Ownership::DataVolume { name: owner.name.to_owned(), uid: owner.uid.to_owned(), template };
    }
    // CDI may have removed the DataVolume when it was done; the template would import again, so the target gets one that adopts.
    if template {
        return Ownership::DataVolume { name: disk.name.to_owned(), uid: String::new(), template };
    }
    if claim.vm_owner().is_some_and(|owner| owner.uid == disk.machine.vm.uid()) { Ownership::Machine } else { Ownership::Nobody }
}

/// What the machines refer to, each once, sorted by kind and name.
fn dependents(seen: &Inventory, target: &Place, chosen: &[Machine]) -> Vec<DependentPlan> {
    let mut users: BTreeMap<(kind::Kind, String), BTreeSet<String>> = BTreeMap::new();
    let found = shared_out(chosen, chosen.len() >= MANY, |machine| references(machine.vm, &seen.source));
    for (machine, references) in chosen.iter().zip(found) {
        for reference in references.into_iter().filter(|reference| reference.exists && reference.is_copied()) {
            users.entry((reference.kind, reference.name)).or_default().insert(machine.name().to_owned());
        }
    }
    let plan = |((kind, name), used_by): ((kind::Kind, String), BTreeSet<String>)| {
        let object = seen.source.objects.get(kind, &name).filter(|object| made_for_its_namespace(object).is_none())?;
        let exists = target.objects.get(kind, &name).is_some();
        let resource_version = object.resource_version().to_owned();
        Some(DependentPlan { kind, uid: object.uid().to_owned(), resource_version, used_by: used_by.into_iter().collect(), exists, name })
    };
    users.into_iter().filter_map(plan).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::plan::fixtures::{self, plan_spec};
    use crate::plan::request::Strategy;

    #[test]
    fn a_digest_is_that_of_the_canonical_json_however_it_is_made() {
        for count in [0, 2, MANY] {
            let disk = || fixtures::disk_plan("data", 1, Strategy::Rebind);
            let machines = (0..count).map(|number| fixtures::machine_plan(&format!("vm-{number}"), vec![disk()]));
            let spec = plan_spec(machines.collect());
            let whole = serde_json::to_value(&spec).unwrap().to_string();
            assert_eq!(digest(&spec), hex(&Sha256::digest(whole.as_bytes())), "{count}");
        }
    }
}
