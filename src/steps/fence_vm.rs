//! Fences the source: halted, marked, and kept from every node, in one patch. The fence is the lock of the move.

use serde_json::{Value, json};

use super::cx::{Cx, fault};
use super::perform::Perform;
use super::source::{Mark, gone, taken_over};
use crate::cluster::{Dry, Topic};
use crate::engine::{Probe, StepError, Undo};
use crate::model::finding::Finding;
use crate::model::journal::Epoch;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::model::vm::Vmi;
use crate::plan::rewrite::fence::{FenceBefore, fence, lift};

pub(super) struct FenceVm<'a> {
    pub machine: &'a str,
}

impl FenceVm<'_> {
    async fn vm(&self, cx: &Cx) -> Result<Manifest, StepError> {
        let uid = &cx.machine(self.machine)?.uid;
        let vm = cx.get(End::Source, kind::VM, self.machine).await?.filter(|vm| vm.uid() == uid);
        vm.ok_or_else(|| StepError::Blocked(gone(cx, self.machine)))
    }

    fn blocked(&self, cx: &Cx, code: &str, message: String, hint: &str) -> StepError {
        StepError::Blocked(Finding::blocking(code, cx.reference(End::Source, kind::VM, self.machine), message).hint(hint))
    }

    /// The patch that is still missing to a whole fence; empty when it stands.
    fn missing(&self, cx: &Cx, vm: &Manifest) -> Result<Vec<crate::model::patch::PatchOp>, StepError> {
        let mark = serde_json::to_string(&cx.mark()).map_err(|error| StepError::permanent(error.to_string()))?;
        Ok(fence(vm, &cx.move_id, &mark, cx.machine(self.machine)?.power.running))
    }
}

impl Perform for FenceVm<'_> {
    async fn before(&self, cx: &Cx) -> Result<Value, StepError> {
        let plan = cx.machine(self.machine)?;
        let vm = self.vm(cx).await?;
        if let Some(mark) = Mark::on(&vm) {
            let message = format!("virtual machine {} is being moved by {} (move {})", self.machine, mark.by, mark.move_id);
            return Err(self.blocked(cx, "E002", message, "wait for that move, or look at it with 'kubectl vmmove status'"));
        }
        let instance = cx.get(End::Source, kind::VMI, self.machine).await?;
        let running = instance.as_ref().is_some_and(|instance| !Vmi(instance).is_final());
        if vm.generation() != plan.generation || running != plan.power.running {
            let message = format!("virtual machine {} was changed, started or stopped since the plan was made", self.machine);
            return Err(self.blocked(cx, "E003", message, "nothing of it was touched; plan again"));
        }
        let before = FenceBefore::read(&vm).ok_or_else(|| StepError::permanent("the virtual machine has no run strategy"))?;
        serde_json::to_value(before).map_err(|error| StepError::permanent(error.to_string()))
    }

    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let vm = self.vm(cx).await?;
        let known = cx.epoch(self.machine);
        match Mark::on(&vm) {
            None if known.is_some() => return Ok(Probe::Stale("its fence was removed".to_owned())),
            None => return Ok(Probe::Absent),
            Some(mark) if mark.move_id != cx.move_id.0 => {
                let message = format!("virtual machine {} is being moved by {} (move {})", self.machine, mark.by, mark.move_id);
                let finding = Finding::blocking("E002", cx.reference(End::Source, kind::VM, self.machine), message);
                return Ok(Probe::Foreign(finding.hint("wait for that move, or look at it with 'kubectl vmmove status'")));
            }
            Some(mark) if mark.holder > cx.holder.number => return Err(taken_over(&mark)),
            Some(_) => {}
        }
        let epoch = Epoch { uid: vm.uid().to_owned(), generation: vm.generation() };
        if known.is_some_and(|known| known != epoch) {
            return Ok(Probe::Stale("somebody changed it after it was fenced".to_owned()));
        }
        if self.missing(cx, &vm)?.is_empty() { Ok(Probe::Ours(json!({"epoch": epoch}))) } else { Ok(Probe::Absent) }
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let vm = self.vm(cx).await?;
        let ops = self.missing(cx, &vm)?;
        if ops.is_empty() {
            return Ok(());
        }
        let at = cx.reference(End::Source, kind::VM, self.machine);
        let fenced = cx.source().cluster.patch(&at, &ops, Dry::No).await.map_err(fault)?;
        tell(cx, &fenced).await;
        Ok(())
    }

    async fn undo(&self, cx: &Cx, before: &Value, _made: Option<&Value>) -> Result<Undo, StepError> {
        let uid = &cx.machine(self.machine)?.uid;
        // A source that somebody deleted has no fence to lift.
        let Some(vm) = cx.get(End::Source, kind::VM, self.machine).await?.filter(|vm| vm.uid() == uid) else { return Ok(Undo::Done) };
        match Mark::on(&vm) {
            Some(mark) if mark.move_id == cx.move_id.0 && mark.holder > cx.holder.number => return Err(taken_over(&mark)),
            Some(mark) if mark.move_id == cx.move_id.0 => {}
            _ => return Ok(Undo::Done),
        }
        let before: FenceBefore =
            serde_json::from_value(before.clone()).map_err(|error| StepError::permanent(format!("the journal is damaged: {error}")))?;
        let ops = lift(&vm, &before);
        let at = cx.reference(End::Source, kind::VM, self.machine);
        cx.source().cluster.patch(&at, &ops, Dry::No).await.map_err(fault)?;
        Ok(Undo::Done)
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        vec![cx.topic(End::Source, kind::VM, Some(self.machine))]
    }
}

/// Leaves an Event on the source machine that says who is moving it. Only a courtesy: without the right to, nothing is said.
async fn tell(cx: &Cx, vm: &Manifest) {
    let now = cx.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut event = Manifest::new(kind::EVENT, &cx.source().namespace, &format!("{}.{}", vm.name(), cx.move_id));
    for (pointer, value) in [
        (
            "/involvedObject",
            json!({"apiVersion": vm.api_version(), "kind": vm.kind_name(), "namespace": vm.namespace(), "name": vm.name(), "uid": vm.uid()}),
        ),
        ("/reason", json!("Moving")),
        (
            "/message",
            json!(format!(
                "{} moves it to namespace {} (move {}); it cannot be started here meanwhile",
                cx.holder.name,
                cx.target().namespace,
                cx.move_id
            )),
        ),
        ("/type", json!("Normal")),
        ("/source", json!({"component": "kubectl-vmmove"})),
        ("/firstTimestamp", json!(now)),
        ("/lastTimestamp", json!(now)),
        ("/count", json!(1)),
    ] {
        event.set(pointer, value);
    }
    let _ = cx.source().cluster.create(&event, Dry::No).await;
}
