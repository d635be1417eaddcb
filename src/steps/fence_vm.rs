//! Fences the source: halted, marked, and kept from every node, in one patch. The fence is the lock of the move.

use serde_json::{Value, json};

use super::cx::{Cx, fault};
use super::perform::Perform;
use super::source::{Fence, Mark, gone};
use crate::cluster::{Dry, Topic};
use crate::engine::{Probe, StepError, Undo};
use crate::model::event::Progress;
use crate::model::finding::Finding;
use crate::model::journal::Epoch;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::model::patch::PatchOp;
use crate::model::vm::Vmi;
use crate::plan::rewrite::fence::{FenceBefore, fence, halted, lift, lift_but_mark, run_field, without_fence};

pub(super) struct FenceVm<'a> {
    pub machine: &'a str,
}

impl FenceVm<'_> {
    async fn vm(&self, cx: &Cx) -> Result<Manifest, StepError> {
        let uid = &cx.machine(self.machine)?.uid;
        let vm = cx.get(End::Source, kind::VM, self.machine).await?.filter(|vm| vm.uid() == uid);
        vm.ok_or_else(|| StepError::Blocked(gone(cx, self.machine)))
    }

    /// The patch that is still missing to a whole fence; empty when it stands.
    fn missing(&self, cx: &Cx, vm: &Manifest) -> Result<Vec<PatchOp>, StepError> {
        let power = &cx.machine(self.machine)?.power;
        let mark = serde_json::to_string(&cx.mark()).map_err(|error| StepError::permanent(error.to_string()))?;
        let mut ops = fence(vm, &cx.move_id, &mark, power.running);
        // A machine that did not run keeps its strategy, also when somebody tried to start it under the fence.
        if !power.running && run_field(vm).is_some_and(|(field, value)| field == power.field && value != power.value) {
            if ops.is_empty() {
                ops.push(PatchOp::unchanged(vm));
            }
            ops.push(PatchOp::Replace(power.field.pointer().to_owned(), power.value.clone()));
        }
        Ok(ops)
    }

    /// Another move's fence. It is a lock, and is never taken from its holder.
    fn theirs(&self, cx: &Cx, mark: &Mark) -> Finding {
        let message = format!("virtual machine {} is being moved by {} (move {})", self.machine, mark.by, mark.move_id);
        let finding = Finding::blocking("E002", cx.reference(End::Source, kind::VM, self.machine), message);
        let namespace = &cx.source().namespace;
        finding.hint(format!("wait for that move, or look at it with 'kubectl vmmove status {} -n {namespace}'", mark.move_id))
    }

    fn changed(&self, cx: &Cx) -> StepError {
        let message = format!("virtual machine {} was changed, started or stopped since the plan was made", self.machine);
        let finding = Finding::blocking("E003", cx.reference(End::Source, kind::VM, self.machine), message);
        StepError::Blocked(finding.hint("nothing of it was touched; plan again"))
    }

    /// Whether its guest is up or down as the plan has it.
    async fn runs_as_planned(&self, cx: &Cx) -> Result<bool, StepError> {
        let instance = cx.get(End::Source, kind::VMI, self.machine).await?;
        let running = instance.is_some_and(|instance| !Vmi(&instance).is_final());
        Ok(running == cx.machine(self.machine)?.power.running)
    }
}

impl Perform for FenceVm<'_> {
    async fn before(&self, cx: &Cx) -> Result<Value, StepError> {
        let plan = cx.machine(self.machine)?;
        let vm = self.vm(cx).await?;
        if let Fence::Ours(mark) | Fence::Theirs(mark) = cx.fence_on(&vm)? {
            return Err(StepError::Blocked(self.theirs(cx, &mark)));
        }
        if vm.generation() != plan.generation || !self.runs_as_planned(cx).await? {
            return Err(self.changed(cx));
        }
        let before = FenceBefore::read(&vm).ok_or_else(|| StepError::permanent("the virtual machine has no run strategy"))?;
        serde_json::to_value(before).map_err(|error| StepError::permanent(error.to_string()))
    }

    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let vm = self.vm(cx).await?;
        let known = cx.epoch(self.machine);
        match cx.fence_on(&vm)? {
            Fence::None if known.is_some() => return Ok(Probe::Stale("its fence was removed".to_owned())),
            Fence::None => return Ok(Probe::Absent),
            Fence::Theirs(mark) => return Ok(Probe::Foreign(self.theirs(cx, &mark))),
            Fence::Ours(_) => {}
        }
        let epoch = Epoch { uid: vm.uid().to_owned(), generation: vm.generation() };
        if known.is_some_and(|known| known != epoch) {
            return Ok(Probe::Stale("somebody changed it after it was fenced".to_owned()));
        }
        if self.missing(cx, &vm)?.is_empty() { Ok(Probe::Ours(json!({"epoch": epoch}))) } else { Ok(Probe::Absent) }
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let vm = self.vm(cx).await?;
        let power = &cx.machine(self.machine)?.power;
        match cx.fence_on(&vm)? {
            // Every try comes after a look of its own: the one before may have lost a race.
            Fence::Theirs(mark) => return Err(StepError::Blocked(self.theirs(cx, &mark))),
            Fence::None if run_field(&vm) != Some((power.field, power.value.clone())) => return Err(self.changed(cx)),
            Fence::None if !power.running && !self.runs_as_planned(cx).await? => return Err(self.changed(cx)),
            _ => {}
        }
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
        let Fence::Ours(_) = cx.fence_on(&vm)? else { return Ok(Undo::Done) };
        let before: FenceBefore =
            serde_json::from_value(before.clone()).map_err(|error| StepError::permanent(format!("the journal is damaged: {error}")))?;
        if let Some(waiting) = self.send_off(cx, &vm).await? {
            return Ok(Undo::Waiting(Progress::waiting_for(waiting)));
        }
        let vm = self.start_again(cx, vm, &before).await?;
        let at = cx.reference(End::Source, kind::VM, self.machine);
        cx.source().cluster.patch(&at, &lift(&vm, &before), Dry::No).await.map_err(fault)?;
        Ok(Undo::Done)
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        [kind::VM, kind::VMI].into_iter().map(|kind| cx.topic(End::Source, kind, Some(self.machine))).collect()
    }
}

impl FenceVm<'_> {
    /// What a start under the fence has left, which goes first, and only from a halted machine. An instance waits for a node for ever, also when the
    /// machine is free again. After one that never came up KubeVirt waits before it makes the next; a machine of strategy RerunOnFailure that is
    /// given back meanwhile is never started, for its new strategy counts as followed by then.
    /// Source: kubevirt/kubevirt 1.8 `pkg/virt-controller/watch/vm/vm.go` (syncRunStrategy, shouldClearStartFailure).
    async fn send_off(&self, cx: &Cx, vm: &Manifest) -> Result<Option<&'static str>, StepError> {
        let running = cx.machine(self.machine)?.power.running;
        let instance = cx.get(End::Source, kind::VMI, self.machine).await?.filter(|instance| running || !Vmi(instance).is_final());
        let affinity = instance.as_ref().and_then(|instance| instance.at("/spec/affinity"));
        let waiting = if affinity.is_some_and(|affinity| without_fence(affinity).is_none_or(|rest| affinity != rest)) {
            "the instance that was started under the fence to go"
        } else if running && vm.at("/status/startFailure").is_some() {
            "KubeVirt to forget the start that failed under the fence"
        } else {
            return Ok(None);
        };
        if let Some((field, value)) = run_field(vm).filter(|(field, value)| *value != halted(*field)) {
            let at = cx.reference(End::Source, kind::VM, self.machine);
            let ops = [
                PatchOp::same_object(vm),
                PatchOp::Test(field.pointer().to_owned(), value.clone()),
                PatchOp::Replace(field.pointer().to_owned(), halted(field)),
            ];
            cx.source().cluster.patch(&at, &ops, Dry::No).await.map_err(fault)?;
        }
        Ok(Some(waiting))
    }

    /// A machine of strategy Manual starts only when told to; every other one follows its strategy. The mark goes after that: as long as it
    /// stands, whoever goes back after a crash asks again.
    async fn start_again(&self, cx: &Cx, vm: Manifest, before: &FenceBefore) -> Result<Manifest, StepError> {
        if !cx.machine(self.machine)?.power.running || before.value != "Manual" {
            return Ok(vm);
        }
        let at = cx.reference(End::Source, kind::VM, self.machine);
        let ops = lift_but_mark(&vm, before);
        if !ops.is_empty() {
            cx.source().cluster.patch(&at, &ops, Dry::No).await.map_err(fault)?;
        }
        match cx.source().cluster.put_subresource(&at, "start", &json!({})).await {
            // It is starting already.
            Err(error) if error.code == 409 => {}
            other => other.map_err(fault)?,
        }
        // The start may have left its own trace on the machine.
        self.vm(cx).await
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
