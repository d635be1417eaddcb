//! Waits until the source really is down: no instance, no pod on its disks, no attachment. Cuts power only when asked to.

use std::time::Duration;

use serde_json::{Value, json};

use super::cx::{Cx, fault, latest};
use super::perform::Perform;
use super::source::Standing;
use crate::cluster::Topic;
use crate::engine::{Probe, StepError};
use crate::model::age::human;
use crate::model::event::Progress;
use crate::model::finding::Finding;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::model::vm::Vmi;
use crate::plan::checks::machines::condition_at;
use crate::plan::step::Step;

/// What a guest gets on top of its own grace period before the wait is given up.
const SLACK: Duration = Duration::from_secs(60);
/// The code of the finding that a guest was cut off.
pub(super) const UNCLEAN: &str = "E005";

/// The taint by which somebody vouches that a node is off (kubernetes/api `core/v1/well_known_taints.go`).
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

pub(super) struct StopVm<'a> {
    pub machine: &'a str,
    pub step: &'a Step,
}

impl StopVm<'_> {
    fn blocked(&self, cx: &Cx, code: &str, message: String, hint: &str) -> StepError {
        StepError::Blocked(Finding::blocking(code, cx.reference(End::Source, kind::VM, self.machine), message).hint(hint))
    }

    fn unclean(&self, cx: &Cx) -> StepError {
        let message = format!("the guest of {} did not shut down cleanly, so its disks may hold unwritten data", self.machine);
        self.blocked(cx, UNCLEAN, message, "go back with 'kubectl vmmove rollback', or plan again with --accept-unclean")
    }

    /// Whether the guest is known to have been cut off, though its instance is gone.
    ///
    /// An instance shows that it ended as Failed until its pods are gone (kubevirt/kubevirt 1.8 `pkg/virt-controller/watch/vmi/lifecycle.go`,
    /// allPodsDeleted): seconds, which a look can miss while a watch is broken or nobody carries the move. What stays is an event, which
    /// virt-handler writes for either end (`pkg/virt-handler/vm.go`, recordPhaseChangeEvent) and the server keeps for an hour, and what an
    /// earlier look wrote into the journal. Not known is an end that only virt-controller saw, because the pod was gone first: it writes no event.
    async fn was_cut_off(&self, cx: &Cx) -> Result<bool, StepError> {
        if cx.unclean.borrow().contains(&self.step.id()) {
            return Ok(true);
        }
        let fields = format!("involvedObject.kind={},involvedObject.name={},reason=Stopped", kind::VMI.kind, self.machine);
        let ends = cx.source().cluster.events(&cx.source().namespace, &fields).await.map_err(fault)?;
        Ok(latest(ends.iter()).is_some_and(|end| end.text("/type") == Some("Warning")))
    }

    /// Refuses while the node under the guest does not answer, whatever is said of the guest: it may still write. Who may not see nodes hears of
    /// it only by the guest's phase.
    async fn node_answers(&self, cx: &Cx, vmi: Vmi<'_>) -> Result<(), StepError> {
        let name = vmi.node().unwrap_or("its node");
        let node = cx.get(End::Source, kind::NODE, name).await.ok().flatten();
        let is_silent = |node: Manifest| {
            let off = node.list("/spec/taints").iter().any(|taint| taint["key"] == OUT_OF_SERVICE);
            !off && condition_at(&node, "Ready").is_some_and(|ready| ready["status"] != "True")
        };
        let silent = node.is_some_and(is_silent);
        if !silent && vmi.phase() != "Unknown" {
            return Ok(());
        }
        let message = format!("nobody knows whether the guest of {} still runs: {name} does not answer", self.machine);
        let hint = "bring the node back or fence it, then resume the move; the disks are left alone until then";
        Err(self.blocked(cx, "E007", message, hint))
    }

    /// What to do about an instance that is still there.
    fn wait_for_guest(&self, cx: &Cx, instance: &Manifest) -> Result<Probe, StepError> {
        let vmi = Vmi(instance);
        let options = &cx.plan.options;
        let limit = options.shutdown_timeout_seconds.map_or_else(|| Duration::from_secs(vmi.instance().grace_period()) + SLACK, Duration::from_secs);
        let waited = cx.waited(self.step);
        if waited > limit && options.force_stop {
            // Cutting power is a request of its own, made once per look until the instance ends.
            return Ok(Probe::Absent);
        }
        if waited > limit {
            let message = format!("the guest of {} did not shut down within {}", self.machine, human(limit));
            return Err(self.blocked(
                cx,
                "E006",
                message,
                "shut it down from inside and resume the move, or plan with --force-stop, or go back with 'kubectl vmmove rollback'",
            ));
        }
        Ok(Probe::Underway(Progress::waiting_for(format!("the guest to shut down (instance {})", vmi.phase()))))
    }
}

impl Perform for StopVm<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let plan = cx.machine(self.machine)?;
        let instance = cx.get(End::Source, kind::VMI, self.machine).await?;
        // A guest that is on its way out says so many times; the fence is looked at when it is gone.
        let leaving = instance.as_ref().is_some_and(|instance| instance.is_deleting() && !Vmi(instance).is_final());
        if !leaving {
            match cx.standing(self.machine).await? {
                Standing::Held(_) => {}
                Standing::Broken(why) => return Ok(Probe::Stale(why)),
                Standing::Gone => return Err(StepError::Blocked(super::source::gone(cx, self.machine))),
            }
        }
        if let Some(instance) = instance {
            let ended = Vmi(&instance).is_final();
            if !ended || plan.power.running {
                self.node_answers(cx, Vmi(&instance)).await?;
            }
            if plan.power.running && Vmi(&instance).ended_uncleanly() && !cx.plan.options.accept_unclean {
                return Err(self.unclean(cx));
            }
            // A final instance of a machine that did not run stays until cleanup: without it some run strategies start again.
            if !ended || plan.power.running {
                return self.wait_for_guest(cx, &instance);
            }
        }
        if plan.power.running && !cx.plan.options.accept_unclean && self.was_cut_off(cx).await? {
            return Err(self.unclean(cx));
        }
        let claims: Vec<&str> = plan.disks.iter().map(|disk| disk.claim.as_str()).collect();
        if let Some(pod) = cx.pod_on(End::Source, self.machine, &claims).await? {
            return Ok(Probe::Underway(Progress::waiting_for(format!("pod {pod} to end"))));
        }
        let volumes: Vec<&str> = plan.disks.iter().filter_map(|disk| disk.persistent_volume.as_deref()).collect();
        if let Some(attachment) = cx.attachment_of(&volumes).await? {
            return Ok(Probe::Underway(Progress::waiting_for(attachment)));
        }
        Ok(Probe::Ours(json!({})))
    }

    /// Cuts the guest's power. Only reached with `--force-stop`, after the shutdown timeout.
    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        cx.held(self.machine).await?;
        let vm = cx.reference(End::Source, kind::VM, self.machine);
        match cx.source().cluster.put_subresource(&vm, "stop", &json!({"gracePeriod": 0})).await {
            Err(error) if error.code == 409 => Ok(()),
            other => other.map_err(fault),
        }
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        let mut topics = vec![cx.topic(End::Source, kind::VMI, Some(self.machine)), cx.pods(End::Source, self.machine)];
        topics.push(cx.topic(End::Source, kind::VM, Some(self.machine)));
        topics
    }
}
