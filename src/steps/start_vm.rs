//! Gives the target the run strategy that the source had and sees its guest come up. Before that the source is looked at once more.

use std::time::Duration;

use serde_json::{Value, json};

use super::create_vm::{target_down, target_vm};
use super::cx::{Cx, fault};
use super::perform::Perform;
use super::source::{Standing, gone};
use crate::cluster::{Dry, Topic};
use crate::engine::{Probe, StepError, Undo};
use crate::model::age::human;
use crate::model::event::Progress;
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::model::patch::PatchOp;
use crate::model::vm::{Vm, Vmi};
use crate::plan::document::{MachinePlan, RunField};
use crate::plan::rewrite::fence::{halted, run_field};
use crate::plan::step::Step;

/// So long a guest may take to come up.
const PATIENCE: Duration = Duration::from_secs(600);

/// Within this time a guest that is starting needs no explanation.
const SOON: Duration = Duration::from_secs(5);

pub(super) struct StartVm<'a> {
    pub machine: &'a str,
    pub step: &'a Step,
}

/// What the run strategy's field says in the target: what it said in the source, or "run" for a halted machine that is to be started.
fn wanted(plan: &MachinePlan) -> Value {
    if plan.power.start && plan.power.value == halted(plan.power.field) {
        return match plan.power.field {
            RunField::Running => true.into(),
            RunField::RunStrategy => "Always".into(),
        };
    }
    plan.power.value.clone()
}

/// An instance on its way up of which nothing bad is known.
/// Source of the conditions: kubevirt/kubevirt `pkg/virt-controller/watch/vmi/lifecycle.go` (1.8).
fn comes_up(instance: &Manifest) -> bool {
    let bad =
        |condition: Json| condition.text("/status") == Some("False") && matches!(condition.text("/type"), Some("PodScheduled" | "Synchronized"));
    ["Pending", "Scheduling", "Scheduled"].contains(&Vmi(instance).phase()) && !instance.list("/status/conditions").any(bad)
}

impl StartVm<'_> {
    async fn vm(&self, cx: &Cx) -> Result<Manifest, StepError> {
        let vm = target_vm(cx, cx.machine(self.machine)?).await?;
        vm.ok_or_else(|| StepError::permanent(format!("virtual machine {} is not in the target", self.machine)))
    }

    /// Why the guest is not up yet.
    async fn waiting(&self, cx: &Cx, vm: &Manifest, instance: Option<&Manifest>) -> Result<Probe, StepError> {
        let status = Vm(vm).printable_status().to_owned();
        // Events are only asked for when something seems to be wrong.
        let in_order = ["Starting", "Running", "Stopped"].contains(&status.as_str()) && cx.waited(self.step) < SOON;
        let warning = if in_order { None } else { cx.warning_about(End::Target, instance.unwrap_or(vm)).await };
        let words = warning.map_or_else(|| format!("its guest to start ({status})"), |warning| format!("its guest to start ({status}; {warning})"));
        if cx.waited(self.step) > PATIENCE {
            return Err(StepError::permanent(format!(
                "virtual machine {} did not start within {}: it waits for {words}",
                vm.name(),
                human(PATIENCE)
            )));
        }
        Ok(Probe::Underway(Progress::waiting_for(words)))
    }
}

impl Perform for StartVm<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let plan = cx.machine(self.machine)?;
        let instance = cx.get(End::Target, kind::VMI, &plan.target).await?;
        // A guest on its way up says so many times; what surrounds it is looked at where it takes its time.
        if let Some(instance) = instance.as_ref().filter(|instance| plan.power.start && comes_up(instance))
            && cx.waited(self.step) < SOON
        {
            return Ok(Probe::Underway(Progress::waiting_for(format!("its guest to start ({})", Vmi(instance).phase()))));
        }
        let vm = self.vm(cx).await?;
        if run_field(&vm).is_none_or(|(_, value)| value != wanted(plan)) {
            return match cx.standing(self.machine).await? {
                Standing::Held(_) => Ok(Probe::Absent),
                Standing::Broken(why) => Ok(Probe::Stale(why)),
                Standing::Gone => Err(StepError::Blocked(gone(cx, self.machine))),
            };
        }
        if !plan.power.start {
            return Ok(Probe::Ours(json!({})));
        }
        match instance.as_ref().map(|instance| Vmi(instance).phase()) {
            Some("Running" | "Succeeded" | "Failed") => Ok(Probe::Ours(json!({}))),
            // Manual machines start only when told to.
            None if Vm(&vm).strategy() == "Manual" => Ok(Probe::Absent),
            _ => self.waiting(cx, &vm, instance.as_ref()).await,
        }
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let plan = cx.machine(self.machine)?;
        let vm = self.vm(cx).await?;
        let instance = cx.get(End::Source, kind::VMI, self.machine).await?;
        if instance.is_some_and(|instance| !Vmi(&instance).is_final()) {
            return Err(StepError::transient(format!("an instance of {} is still in the source, so the target is not started", self.machine)));
        }
        // The fence is looked at last, for starting cannot be made to depend on it.
        cx.held(self.machine).await?;
        let at = cx.reference(End::Target, kind::VM, &plan.target);
        let Some((field, value)) = run_field(&vm) else { return Err(StepError::permanent("the target has no run strategy")) };
        if value != wanted(plan) {
            let ops = [
                PatchOp::same_object(&vm),
                PatchOp::Test(field.pointer().to_owned(), value.clone()),
                PatchOp::Replace(field.pointer().to_owned(), wanted(plan)),
            ];
            cx.target().cluster.patch(&at, &ops, Dry::No).await.map_err(fault)?;
        }
        if plan.power.start && wanted(plan) == "Manual" && cx.get(End::Target, kind::VMI, &plan.target).await?.is_none() {
            match cx.target().cluster.put_subresource(&at, "start", &json!({})).await {
                // It is starting already.
                Err(error) if error.code == 409 => {}
                other => other.map_err(fault)?,
            }
        }
        Ok(())
    }

    async fn undo(&self, cx: &Cx, _before: &Value, _made: Option<&Value>) -> Result<Undo, StepError> {
        let plan = cx.machine(self.machine)?;
        let Some(vm) = target_vm(cx, plan).await? else { return Ok(Undo::Done) };
        Ok(match target_down(cx, plan, &vm).await? {
            Some(waiting) => Undo::Waiting(Progress::waiting_for(waiting)),
            None => Undo::Done,
        })
    }

    /// A guest that never came up has written nothing. KubeVirt says Running as soon as its domain runs (kubevirt `pkg/virt-handler/vm.go`).
    async fn loses_nothing(&self, cx: &Cx) -> Result<bool, StepError> {
        let instance = cx.get(End::Target, kind::VMI, &cx.machine(self.machine)?.target).await?;
        Ok(instance.is_none_or(|instance| matches!(Vmi(&instance).phase(), "" | "Pending" | "Scheduling" | "Scheduled")))
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        let Ok(plan) = cx.machine(self.machine) else { return Vec::new() };
        vec![cx.topic(End::Target, kind::VM, Some(&plan.target)), cx.topic(End::Target, kind::VMI, Some(&plan.target))]
    }
}
