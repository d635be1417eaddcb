//! The objects that a plan will make, as they will be sent: for dry runs and diffs. The marks on them are those of no move yet.

use std::collections::BTreeMap;

use crate::model::inventory::Inventory;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{End, MoveId, ObjectRef};
use crate::plan::document::{DiskPlan, MachinePlan, Ownership, Plan, PlanSpec};
use crate::plan::request::Strategy;
use crate::plan::rewrite::claim::{blank_claim, staging_claim, target_claim};
use crate::plan::rewrite::data_volume::{Making, adopting_data_volume, clone_data_volume, overhead};
use crate::plan::rewrite::vm::{Target, rewrite};
use crate::plan::rewrite::{Marks, Role};
use crate::plan::step::adopts;

/// Stands for what is minted or made only when a move begins: a move's tail, a clone's volume.
const NOT_YET: &str = "00000";

/// An object to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Where it will be.
    pub object: ObjectRef,
    pub manifest: Manifest,
    /// What it stands for in the source.
    pub source: Manifest,
}

/// The marks that a move of this plan would write.
pub fn marks(plan: &Plan, source: &Manifest, role: Role) -> Marks {
    let (from, to) = (&plan.spec.source.namespace, &plan.spec.target.namespace);
    let move_id = MoveId::mint(from, to, NOT_YET);
    Marks { move_id, plan_digest: plan.metadata.digest.clone(), source_uid: source.uid().to_owned(), role, epoch: None }
}

/// The disks of all machines and the machines themselves, without what they refer to. What was not seen in the source is left out: other
/// checks tell of it.
pub fn made(plan: &Plan, seen: &Inventory) -> Vec<Made> {
    let mut all = Vec::new();
    for machine in &plan.spec.machines {
        for disk in &machine.disks {
            all.extend(disk_objects(plan, disk, seen));
        }
        all.extend(vm_object(plan, machine, seen));
    }
    all
}

fn vm_object(plan: &Plan, machine: &MachinePlan, seen: &Inventory) -> Option<Made> {
    let source = seen.source.objects.get(kind::VM, &machine.name)?;
    let (manifest, _) = rewrite(source, &target(&plan.spec, machine, Some(marks(plan, source, Role::Target))));
    Some(here(plan, End::Target, manifest, source))
}

/// What a machine is to be in the target.
fn target(plan: &PlanSpec, machine: &MachinePlan, marks: Option<Marks>) -> Target {
    let renamed = machine.disks.iter().filter(|disk| disk.claim != disk.target_claim);
    Target {
        name: machine.target.clone(),
        namespace: plan.target.namespace.clone(),
        source_namespace: plan.source.namespace.clone(),
        identity: machine.identity.clone(),
        claims: renamed.map(|disk| (disk.claim.clone(), disk.target_claim.clone())).collect::<BTreeMap<_, _>>(),
        networks: plan.networks.clone(),
        revisions: machine.revisions.clone(),
        marks,
    }
}

fn disk_objects(plan: &Plan, disk: &DiskPlan, seen: &Inventory) -> Vec<Made> {
    let objects = &seen.source.objects;
    let Some(claim) = objects.get(kind::CLAIM, &disk.claim) else { return Vec::new() };
    let source_dv = match &disk.ownership {
        Ownership::DataVolume { name, .. } => objects.get(kind::DATA_VOLUME, name),
        Ownership::Nobody | Ownership::Machine => None,
    };
    let namespace = &plan.spec.target.namespace;
    let marked = marks(plan, claim, Role::Target);
    let making = Making { disk, source_claim: claim, source_dv, namespace, marks: &marked };
    let target = |manifest| here(plan, End::Target, manifest, claim);
    let mut all = Vec::new();
    match (disk.strategy, &disk.persistent_volume) {
        (Strategy::CdiClone, _) => {
            let config = seen.source.cluster.objects.all(kind::CDI_CONFIG).next();
            all.push(here(plan, End::Target, clone_data_volume(&making, overhead(config, disk.target_class.as_deref())), source_dv.unwrap_or(claim)));
        }
        (Strategy::CloneRebind, _) => {
            let name = format!("vmmove-{NOT_YET}");
            all.push(here(plan, End::Source, staging_claim(claim, &name, &marks(plan, claim, Role::Staging)), claim));
            all.push(target(target_claim(claim, &format!("pvc-{NOT_YET}"), namespace, &disk.target_claim, &marked)));
        }
        (Strategy::Rebind, Some(volume)) => all.push(target(target_claim(claim, volume, namespace, &disk.target_claim, &marked))),
        (Strategy::Rebind, None) => all.push(target(blank_claim(claim, disk.target_class.as_deref(), namespace, &disk.target_claim, &marked))),
    }
    if adopts(disk) {
        all.push(here(plan, End::Target, adopting_data_volume(&making), source_dv.unwrap_or(claim)));
    }
    all
}

/// An object at one end, under the name it carries.
pub fn here(plan: &Plan, end: End, manifest: Manifest, source: &Manifest) -> Made {
    let namespace = match end {
        End::Source => &plan.spec.source.namespace,
        End::Target => &plan.spec.target.namespace,
    };
    let kind = manifest.kind().unwrap_or(kind::VM);
    Made { object: ObjectRef::namespaced(end, kind, namespace, manifest.name()), manifest, source: source.clone() }
}
