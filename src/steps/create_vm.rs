//! The virtual machine in the target: the source's manifest rewritten, halted, over disks that are there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cx::{Cx, fault};
use super::perform::Perform;
use crate::cluster::{Dry, Propagation, Topic};
use crate::engine::{Probe, StepError, Undo};
use crate::model::event::Progress;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::model::patch::PatchOp;
use crate::plan::document::MachinePlan;
use crate::plan::rewrite::fence::{halted, run_field};
use crate::plan::rewrite::vm::{Target, rewrite, serial_patch};
use crate::plan::rewrite::{Marks, Role};

pub(super) struct CreateVm<'a> {
    pub machine: &'a str,
}

/// The target's machine if it is there and ours.
pub(super) async fn target_vm(cx: &Cx, plan: &MachinePlan) -> Result<Option<Manifest>, StepError> {
    let found = cx.get(End::Target, kind::VM, &plan.target).await?;
    Ok(found.filter(|vm| marks(cx, plan).are_on(vm)))
}

fn marks(cx: &Cx, plan: &MachinePlan) -> Marks {
    cx.marks(Role::Target, &plan.uid, None)
}

/// Takes the target's ability to run and says whether its guest and pods are gone.
pub(super) async fn target_down(cx: &Cx, plan: &MachinePlan, vm: &Manifest) -> Result<Option<String>, StepError> {
    if let Some((field, value)) = run_field(vm)
        && value != halted(field)
    {
        let ops = [
            PatchOp::same_object(vm),
            PatchOp::Test(field.pointer().to_owned(), value.clone()),
            PatchOp::Replace(field.pointer().to_owned(), halted(field)),
        ];
        cx.target().cluster.patch(&cx.reference(End::Target, kind::VM, vm.name()), &ops, Dry::No).await.map_err(fault)?;
    }
    if cx.get(End::Target, kind::VMI, vm.name()).await?.is_some() {
        return Ok(Some(format!("the guest of {} in the target to shut down", vm.name())));
    }
    let claims: Vec<&str> = plan.disks.iter().map(|disk| disk.target_claim.as_str()).collect();
    Ok(cx.pod_on(End::Target, &plan.target, &claims).await?.map(|pod| format!("pod {pod} of the target to end")))
}

impl Perform for CreateVm<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let plan = cx.machine(self.machine)?;
        let Some(vm) = cx.get(End::Target, kind::VM, &plan.target).await? else { return Ok(Probe::Absent) };
        if !marks(cx, plan).are_on(&vm) || vm.is_deleting() {
            return Ok(cx.foreign(cx.reference(End::Target, kind::VM, &plan.target), &vm));
        }
        if !serial_patch(&vm, &plan.identity).is_empty() {
            return Ok(Probe::Absent);
        }
        // Until KubeVirt has adopted them, deleting the machine would not delete its disks as it did in the source.
        for template in vm.list("/spec/dataVolumeTemplates") {
            let name = template.text("/metadata/name").unwrap_or_default();
            let adopted = cx.get(End::Target, kind::DATA_VOLUME, name).await?.is_some_and(|volume| volume.is_owned_by(vm.uid()));
            if !adopted {
                return Ok(Probe::Underway(Progress::waiting_for(format!("datavolume {name} to be adopted"))));
            }
        }
        Ok(Probe::Ours(json!({"uid": vm.uid()})))
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let plan = cx.machine(self.machine)?;
        let at = cx.reference(End::Target, kind::VM, &plan.target);
        let there = target_vm(cx, plan).await?;
        let source = cx.held(self.machine).await?;
        if there.is_none() {
            let (wanted, _) = rewrite(&source, &wanted_in(cx, plan));
            cx.create(End::Target, &wanted).await?;
        }
        let Some(vm) = target_vm(cx, plan).await? else { return Ok(()) };
        let serial = serial_patch(&vm, &plan.identity);
        if serial.is_empty() {
            return Ok(());
        }
        cx.target().cluster.patch(&at, &serial, Dry::No).await.map_err(fault).map(|_| ())
    }

    /// Takes its ability to run away first, then the machine, and nothing that hangs on it.
    async fn undo(&self, cx: &Cx, _before: &Value, _made: Option<&Value>) -> Result<Undo, StepError> {
        let plan = cx.machine(self.machine)?;
        let Some(vm) = target_vm(cx, plan).await? else { return Ok(Undo::Done) };
        if vm.is_deleting() {
            cx.let_clones_go(End::Target, vm.uid()).await?;
            return Ok(Undo::Waiting(Progress::waiting_for(format!("virtual machine {} of the target to be deleted", plan.target))));
        }
        if let Some(waiting) = target_down(cx, plan, &vm).await? {
            return Ok(Undo::Waiting(Progress::waiting_for(waiting)));
        }
        let Some(vm) = target_vm(cx, plan).await? else { return Ok(Undo::Done) };
        cx.delete(&vm, End::Target, Propagation::Orphan).await?;
        cx.let_clones_go(End::Target, vm.uid()).await?;
        Ok(Undo::Waiting(Progress::waiting_for(format!("virtual machine {} of the target to be deleted", plan.target))))
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        let Ok(plan) = cx.machine(self.machine) else { return Vec::new() };
        let mut topics = vec![cx.topic(End::Target, kind::VM, Some(&plan.target)), cx.topic(End::Target, kind::VMI, Some(&plan.target))];
        topics.extend(plan.disks.iter().map(|disk| cx.topic(End::Target, kind::DATA_VOLUME, Some(&disk.target_claim))));
        topics
    }
}

fn wanted_in(cx: &Cx, plan: &MachinePlan) -> Target {
    Target {
        name: plan.target.clone(),
        namespace: cx.target().namespace.clone(),
        source_namespace: cx.source().namespace.clone(),
        identity: plan.identity.clone(),
        claims: BTreeMap::new(),
        networks: cx.plan.networks.clone(),
        revisions: plan.revisions.clone(),
        marks: Some(marks(cx, plan)),
    }
}
