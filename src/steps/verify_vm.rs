//! Source against target: the machine is the same machine, its disks are there, and its guest is up as it was.

use std::time::Duration;

use serde_json::{Value, json};

use super::create_vm::target_vm;
use super::cx::{Cx, fault};
use super::perform::Perform;
use crate::cluster::{Reason, Topic};
use crate::engine::{Probe, StepError};
use crate::model::age::human;
use crate::model::disk::{Claim, Volume};
use crate::model::event::Progress;
use crate::model::finding::Finding;
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::model::vm::{Vm, Vmi};
use crate::plan::document::{DiskPlan, MachinePlan};
use crate::plan::request::{Strategy, VerifyDepth};
use crate::plan::rewrite::fence::holds;
use crate::plan::step::Step;

/// So long a guest may take to show all that it showed in the source.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct VerifyVm<'a> {
    pub machine: &'a str,
    pub step: &'a Step,
}

/// What one look at the guest says.
enum Guest {
    Up(String),
    /// What may still come.
    NotYet(String),
    Wrong(String),
}

impl VerifyVm<'_> {
    fn failed(cx: &Cx, plan: &MachinePlan, what: &str) -> StepError {
        let finding = Finding::blocking(
            "E008",
            cx.reference(End::Target, kind::VM, &plan.target),
            format!("virtual machine {} is not verified: {what}", plan.target),
        );
        StepError::Blocked(finding.hint("look at it in the target; then resume the move, or go back with 'kubectl vmmove rollback'"))
    }

    async fn disk(&self, cx: &Cx, disk: &DiskPlan) -> Result<Option<String>, StepError> {
        let Some(claim) = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await? else {
            return Ok(Some(format!("claim {} is not there", disk.target_claim)));
        };
        if claim.is_deleting() {
            return Ok(Some(format!("somebody deleted claim {}, which goes with its data as soon as no pod uses it", disk.target_claim)));
        }
        if let Some(why) = cx.made_anew(self.machine, disk, &claim) {
            return Ok(Some(why));
        }
        if !Claim(&claim).is_bound() {
            return Ok(Some(format!("claim {} is not bound", disk.target_claim)));
        }
        if Claim(&claim).capacity().unwrap_or(0) < disk.capacity {
            return Ok(Some(format!("claim {} is smaller than the source's", disk.target_claim)));
        }
        if Claim(&claim).volume_mode() != disk.volume_mode {
            return Ok(Some(format!("claim {} has volume mode {}", disk.target_claim, Claim(&claim).volume_mode())));
        }
        let (Some(now), Some(was)) = (Claim(&claim).volume_name(), disk.persistent_volume.as_deref()) else { return Ok(None) };
        // Who may not read volumes sees no handles; cleanup then refuses.
        let (Some(now), Some(was)) = (handle(cx, now).await?, handle(cx, was).await?) else { return Ok(None) };
        Ok(match (disk.strategy == Strategy::Rebind, now == was) {
            (true, false) => Some(format!("claim {} is on another volume than the source's", disk.target_claim)),
            (false, true) => Some(format!("claim {} is on the source's own volume", disk.target_claim)),
            _ => None,
        })
    }

    /// The source cannot run beside the target. Whoever takes its fence away starts it, as a controller does that keeps it equal to a repository.
    async fn source_is_fenced(&self, cx: &Cx, plan: &MachinePlan) -> Result<(), StepError> {
        let source = cx.get(End::Source, kind::VM, self.machine).await?;
        if source.is_none_or(|vm| vm.uid() != plan.uid || holds(&vm)) {
            return Ok(());
        }
        let namespace = &cx.source().namespace;
        Err(Self::failed(cx, plan, &format!("somebody took the fence off its source in {namespace}, so both may run: stop one of them at once")))
    }

    fn guest(plan: &MachinePlan, instance: Option<&Manifest>) -> Guest {
        let Some(instance) = instance else { return Guest::NotYet("its instance".to_owned()) };
        let vmi = Vmi(instance);
        match vmi.phase() {
            "Running" => {}
            phase @ ("Failed" | "Succeeded") => return Guest::Wrong(format!("its guest has ended ({phase})")),
            phase => return Guest::NotYet(format!("its instance to run (now {phase})")),
        }
        let reported = vmi.reported_interfaces();
        let text = |interface: Json, key: &str| interface.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        for (name, mac) in &plan.identity.macs {
            match reported.clone().find(|interface| text(*interface, "name") == *name) {
                Some(found) if text(found, "mac").eq_ignore_ascii_case(mac) => {}
                Some(found) => return Guest::Wrong(format!("interface {name} has MAC address {} and not {mac}", text(found, "mac"))),
                None => return Guest::NotYet(format!("interface {name} to be reported")),
            }
        }
        if plan.identity.agent && !vmi.condition("AgentConnected") {
            return Guest::NotYet("its guest agent to connect".to_owned());
        }
        if !vmi.condition("Ready") {
            return Guest::NotYet("its instance to be ready".to_owned());
        }
        let addresses: Vec<String> = reported.clone().map(|interface| text(interface, "ipAddress")).filter(|address| !address.is_empty()).collect();
        if addresses.is_empty() && !reported.is_empty() {
            return Guest::NotYet("an address from its guest".to_owned());
        }
        let agent = if vmi.condition("AgentConnected") { ", agent connected" } else { "" };
        let addresses = if addresses.is_empty() { String::new() } else { format!(", {}", addresses.join(", ")) };
        let mac = if plan.identity.macs.is_empty() { "" } else { ", same MAC" };
        Guest::Up(format!("running{agent}{addresses}{mac}"))
    }
}

/// The handle of a volume, if it may be read.
async fn handle(cx: &Cx, volume: &str) -> Result<Option<String>, StepError> {
    match cx.target().cluster.get(&cx.reference(End::Target, kind::VOLUME, volume)).await {
        Ok(found) => Ok(found.as_ref().and_then(|volume| Volume(volume).handle().map(str::to_owned))),
        Err(error) if error.reason == Reason::Forbidden => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

/// What is not as in the source about the machine itself.
fn machine_differs(plan: &MachinePlan, vm: &Manifest) -> Option<String> {
    let instance = Vm(vm).instance();
    if instance.firmware_uuid() != Some(plan.identity.firmware_uuid.as_str()) {
        return Some("its firmware UUID is another one".to_owned());
    }
    if instance.firmware_serial() != plan.identity.firmware_serial.as_deref() {
        return Some("its serial number is another one".to_owned());
    }
    None
}

impl Perform for VerifyVm<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let plan = cx.machine(self.machine)?;
        let vm = target_vm(cx, plan).await?.ok_or_else(|| Self::failed(cx, plan, "it is not in the target"))?;
        if vm.is_deleting() {
            return Err(Self::failed(cx, plan, "somebody deleted it"));
        }
        if let Some(what) = machine_differs(plan, &vm) {
            return Err(Self::failed(cx, plan, &what));
        }
        for disk in &plan.disks {
            if let Some(what) = self.disk(cx, disk).await? {
                return Err(Self::failed(cx, plan, &what));
            }
        }
        if cx.plan.options.verify == VerifyDepth::Objects || !plan.power.start {
            self.source_is_fenced(cx, plan).await?;
            return Ok(Probe::Ours(json!({"remark": "objects as in the source"})));
        }
        let instance = cx.get(End::Target, kind::VMI, &plan.target).await?;
        match Self::guest(plan, instance.as_ref()) {
            Guest::Up(remark) => {
                self.source_is_fenced(cx, plan).await?;
                Ok(Probe::Ours(json!({"remark": remark})))
            }
            Guest::Wrong(what) => Err(Self::failed(cx, plan, &what)),
            Guest::NotYet(what) if cx.waited(self.step) > PATIENCE => {
                Err(Self::failed(cx, plan, &format!("{} was not enough for {what}", human(PATIENCE))))
            }
            Guest::NotYet(what) => Ok(Probe::Underway(Progress::waiting_for(what))),
        }
    }

    async fn perform(&self, _cx: &Cx, _before: &Value) -> Result<(), StepError> {
        Ok(())
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        cx.machine(self.machine).map(|plan| vec![cx.topic(End::Target, kind::VMI, Some(&plan.target))]).unwrap_or_default()
    }
}
