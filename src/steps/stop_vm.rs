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
use crate::plan::document::MachinePlan;
use crate::plan::step::Step;

/// What a guest gets on top of its own grace period before the wait is given up.
const SLACK: Duration = Duration::from_secs(60);
/// The code of the finding that a guest was cut off.
pub(super) const UNCLEAN: &str = "E005";

/// The taint by which somebody vouches that a node is off (kubernetes/api `core/v1/well_known_taints.go`).
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// A guest that goes within this time needs no second look at what surrounds it.
const SOON: Duration = Duration::from_secs(5);

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
    async fn was_cut_off(&self, cx: &Cx, plan: &MachinePlan) -> Result<bool, StepError> {
        if !plan.power.running || cx.plan.options.accept_unclean {
            return Ok(false);
        }
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
            let off = node.list("/spec/taints").any(|taint| taint.text("/key") == Some(OUT_OF_SERVICE));
            !off && condition_at(&node, "Ready").is_some_and(|ready| ready.text("/status") != Some("True"))
        };
        let silent = node.is_some_and(is_silent);
        if !silent && vmi.phase() != "Unknown" {
            return Ok(());
        }
        let message = format!("nobody knows whether the guest of {} still runs: {name} does not answer", self.machine);
        let hint = "bring the node back or fence it, then resume the move; the disks are left alone until then";
        Err(self.blocked(cx, "E007", message, hint))
    }

    /// What there is to say when the fence does not stand.
    async fn broken(&self, cx: &Cx) -> Result<Option<Probe>, StepError> {
        match cx.standing(self.machine).await? {
            Standing::Held(_) => Ok(None),
            Standing::Broken(why) => Ok(Some(Probe::Stale(why))),
            Standing::Gone => Err(StepError::Blocked(super::source::gone(cx, self.machine))),
        }
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
        let holds_on = |instance: &Manifest| plan.power.running || !Vmi(instance).is_final();
        if let Some(instance) = instance.filter(holds_on) {
            // A guest that is on its way out says so many times: the fence and the node are looked at where it takes its time.
            let leaving = instance.is_deleting() && Vmi(&instance).phase() != "Unknown";
            if !leaving || cx.waited(self.step) > SOON {
                if let Some(probe) = self.broken(cx).await? {
                    return Ok(probe);
                }
                self.node_answers(cx, Vmi(&instance)).await?;
            }
            if plan.power.running && Vmi(&instance).ended_uncleanly() && !cx.plan.options.accept_unclean {
                return Err(self.unclean(cx));
            }
            return self.wait_for_guest(cx, &instance);
        }
        // A final instance of a machine that did not run stays until cleanup: without it some run strategies start again.
        let claims: Vec<&str> = plan.disks.iter().map(|disk| disk.claim.as_str()).collect();
        let volumes: Vec<&str> = plan.disks.iter().filter_map(|disk| disk.persistent_volume.as_deref()).collect();
        let (broken, cut_off, pod, attachment) = futures::try_join!(
            self.broken(cx),
            self.was_cut_off(cx, plan),
            cx.pod_on(End::Source, self.machine, &claims),
            cx.attachment_of(&volumes)
        )?;
        Ok(match (broken, pod, attachment) {
            (Some(probe), ..) => probe,
            _ if cut_off => return Err(self.unclean(cx)),
            (_, Some(pod), _) => Probe::Underway(Progress::waiting_for(format!("pod {pod} to end"))),
            (.., Some(held)) => Probe::Underway(Progress::waiting_for(format!("volume {} to be detached from node {}", held.volume, held.node))),
            _ => Probe::Ours(json!({})),
        })
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
        // They are named by hashes.
        topics.push(cx.topic(End::Source, kind::ATTACHMENT, None));
        topics
    }
}
