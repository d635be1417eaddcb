//! Deletes the source's machine, and nothing that hangs on it but what is its own record. From here there is no way back.

use serde_json::{Value, json};

use super::create_vm::target_vm;
use super::cx::Cx;
use super::perform::Perform;
use super::remove_disk::RemoveDisk;
use super::source::Standing;
use crate::cluster::{Propagation, Topic};
use crate::engine::{Probe, StepError};
use crate::model::event::Progress;
use crate::model::finding::Finding;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::model::vm::Vmi;
use crate::plan::step::Step;

pub(super) struct RemoveVm<'a> {
    pub machine: &'a str,
}

/// A guard of cleanup that does not hold.
pub(super) fn refuse(cx: &Cx, machine: &str, why: &str) -> StepError {
    let finding = Finding::blocking("E009", cx.reference(End::Source, kind::VM, machine), format!("the source of {machine} is not removed: {why}"));
    StepError::Blocked(finding.hint(
        "nothing was deleted by this step; mend it and run cleanup again, or go back with 'kubectl vmmove rollback' if nothing was removed yet",
    ))
}

impl Perform for RemoveVm<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let plan = cx.machine(self.machine)?;
        let vm = cx.get(End::Source, kind::VM, self.machine).await?.filter(|vm| vm.uid() == plan.uid);
        if let Some(vm) = vm {
            let held = vm.is_deleting() && !cx.clones_of(End::Source, vm.uid()).await?.is_empty();
            return Ok(if vm.is_deleting() && !held {
                Probe::Underway(Progress::waiting_for(format!("virtual machine {} to be deleted", self.machine)))
            } else {
                Probe::Absent
            });
        }
        // What is left of it: a final instance, and the frozen instancetypes it owned.
        let instance = cx.get(End::Source, kind::VMI, self.machine).await?;
        if instance.is_some_and(|instance| instance.is_owned_by(&plan.uid) && !instance.is_deleting()) {
            return Ok(Probe::Absent);
        }
        for name in &plan.revisions {
            if self.revision(cx, name).await?.is_some() {
                return Ok(Probe::Absent);
            }
        }
        Ok(Probe::Ours(json!({})))
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let plan = cx.machine(self.machine)?;
        let there = cx.get(End::Source, kind::VM, self.machine).await?.filter(|vm| vm.uid() == plan.uid);
        if there.is_some() {
            if let Some(vm) = there.filter(Manifest::is_deleting) {
                return cx.let_clones_go(End::Source, vm.uid()).await;
            }
            let vm = match cx.standing(self.machine).await? {
                Standing::Held(vm) => vm,
                Standing::Broken(why) => return Err(refuse(cx, self.machine, &why)),
                Standing::Gone => return Ok(()),
            };
            self.target_is_ours(cx).await?;
            for disk in &plan.disks {
                RemoveDisk { machine: self.machine, volume: &disk.volume }.could_go(cx).await?;
            }
            if cx.get(End::Source, kind::VMI, self.machine).await?.is_some_and(|instance| !Vmi(&instance).is_final()) {
                return Err(refuse(cx, self.machine, "an instance of it is there"));
            }
            cx.delete(&vm, End::Source, Propagation::Orphan).await?;
            return cx.let_clones_go(End::Source, vm.uid()).await;
        }
        if let Some(instance) = cx.get(End::Source, kind::VMI, self.machine).await?.filter(|instance| Vmi(instance).is_final()) {
            cx.delete(&instance, End::Source, Propagation::Background).await?;
        }
        for name in &plan.revisions {
            if let Some(revision) = self.revision(cx, name).await? {
                cx.delete(&revision, End::Source, Propagation::Background).await?;
            }
        }
        Ok(())
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        vec![cx.topic(End::Source, kind::VM, Some(self.machine))]
    }
}

impl RemoveVm<'_> {
    /// The target's machine is there, ours, and the very one that the journal knows.
    async fn target_is_ours(&self, cx: &Cx) -> Result<(), StepError> {
        let plan = cx.machine(self.machine)?;
        let made = cx.output_text(&Step::CreateVm { machine: self.machine.to_owned() }, "uid");
        let there = target_vm(cx, plan).await?.filter(|vm| made.as_deref() == Some(vm.uid()));
        if there.is_none() {
            return Err(refuse(cx, self.machine, "the machine that this move made is not in the target"));
        }
        Ok(())
    }

    /// A ControllerRevision of the source that belonged to this machine alone: the one of the plan, without an owner now.
    async fn revision(&self, cx: &Cx, name: &str) -> Result<Option<Manifest>, StepError> {
        let planned = cx.plan.dependents.iter().find(|dependent| dependent.kind == kind::CONTROLLER_REVISION && dependent.name == name);
        let Some(planned) = planned.filter(|planned| planned.used_by.len() == 1) else { return Ok(None) };
        let found = cx.get(End::Source, kind::CONTROLLER_REVISION, name).await?;
        Ok(found.filter(|revision| revision.uid() == planned.uid && revision.owners().next().is_none()))
    }
}
