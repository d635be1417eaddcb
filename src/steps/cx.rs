//! What the steps of a move share: both ends, the plan, who carries the move, what earlier steps gave.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::sites::{Site, Sites};
use crate::cluster::{About, ApiError, Dry, Guard, Propagation, Reason, Topic};
use crate::engine::clock::Clock;
use crate::engine::{Probe, StepError};
use crate::model::finding::Finding;
use crate::model::graph::StepId;
use crate::model::journal::{Cause, Epoch, Holder};
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::model::names::{ANNOTATION_SOURCE_UID, End, LABEL_MOVE, MoveId, ObjectRef};
use crate::plan::document::{DiskPlan, MachinePlan, PlanSpec};
use crate::plan::rewrite::{Marks, Role};
use crate::plan::step::Step;

/// The shared part of every step.
pub struct Cx {
    pub(super) sites: Sites,
    pub(super) plan: PlanSpec,
    pub(super) digest: String,
    pub(super) move_id: MoveId,
    pub(super) holder: Holder,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) outputs: RefCell<BTreeMap<StepId, Value>>,
    /// Steps that were blocked before because a guest was cut off.
    pub(super) unclean: RefCell<BTreeSet<StepId>>,
    /// When each step, or object of this UID, was first seen waiting, by the clock.
    pub(super) since: RefCell<BTreeMap<String, Duration>>,
}

impl Cx {
    pub(super) fn source(&self) -> &Site {
        &self.sites.source
    }

    pub(super) fn target(&self) -> &Site {
        &self.sites.target
    }

    /// The address of an object at an end of the move.
    pub(super) fn reference(&self, end: End, kind: Kind, name: &str) -> ObjectRef {
        let namespace = kind.namespaced.then(|| self.sites.at(end).namespace.clone());
        ObjectRef { end, kind, namespace, name: name.to_owned() }
    }

    pub(super) async fn get(&self, end: End, kind: Kind, name: &str) -> Result<Option<Manifest>, StepError> {
        self.sites.at(end).cluster.get(&self.reference(end, kind, name)).await.map_err(fault)
    }

    pub(super) fn topic(&self, end: End, kind: Kind, name: Option<&str>) -> (End, Topic) {
        let namespace = kind.namespaced.then(|| self.sites.at(end).namespace.clone());
        let about = match name {
            Some(name) if kind == kind::EVENT => About::Told(name.to_owned()),
            // What KubeVirt says of a machine while it stops and starts, its instance says as well.
            Some(name) if kind == kind::VM => About::Wish(name.to_owned()),
            Some(name) => About::Object(name.to_owned()),
            None => About::All,
        };
        (end, Topic { kind, namespace, name: None, labels: None, about })
    }

    /// The pods that may hold what belongs to a machine: its guest's own, and those of no guest.
    pub(super) fn pods(&self, end: End, machine: &str) -> (End, Topic) {
        let (end, pods) = self.topic(end, kind::POD, None);
        (end, Topic { about: About::Guest(machine.to_owned()), ..pods })
    }

    pub(super) fn machine(&self, name: &str) -> Result<&MachinePlan, StepError> {
        let found = self.plan.machines.iter().find(|machine| machine.name == name);
        found.ok_or_else(|| StepError::permanent(format!("the plan has no virtual machine {name}")))
    }

    pub(super) fn disk(&self, machine: &str, volume: &str) -> Result<&DiskPlan, StepError> {
        let found = self.machine(machine)?.disks.iter().find(|disk| disk.volume == volume);
        found.ok_or_else(|| StepError::permanent(format!("the plan has no volume {volume} of virtual machine {machine}")))
    }

    /// The output of an earlier step.
    pub(super) fn output(&self, step: &Step) -> Option<Value> {
        self.outputs.borrow().get(&step.id()).cloned()
    }

    /// A text in the output of an earlier step.
    pub(super) fn output_text(&self, step: &Step, key: &str) -> Option<String> {
        self.output(step)?.get(key)?.as_str().map(str::to_owned)
    }

    /// The epoch of a machine's fence, once it is fenced.
    pub(super) fn epoch(&self, machine: &str) -> Option<Epoch> {
        serde_json::from_value(self.output(&Step::FenceVm { machine: machine.to_owned() })?.get("epoch")?.clone()).ok()
    }

    /// The marks of an object that stands for a source object. Disks carry the epoch of their machine.
    pub(super) fn marks(&self, role: Role, source_uid: &str, machine: Option<&str>) -> Marks {
        let epoch = machine.and_then(|machine| self.epoch(machine)).map(|epoch| epoch.mark());
        Marks { move_id: self.move_id.clone(), plan_digest: self.digest.clone(), source_uid: source_uid.to_owned(), role, epoch }
    }

    /// How long a step has been seen waiting in this run.
    pub(super) fn waited(&self, step: &Step) -> Duration {
        self.waited_for(&step.id().0)
    }

    /// How long a step or an object has been waited for in this run.
    pub(super) fn waited_for(&self, what: &str) -> Duration {
        let now = self.clock.elapsed();
        now.saturating_sub(*self.since.borrow_mut().entry(what.to_owned()).or_insert(now))
    }

    /// Creates an object. One that exists is left for the next look to judge.
    pub(super) async fn create(&self, end: End, object: &Manifest) -> Result<(), StepError> {
        match self.sites.at(end).cluster.create(object, Dry::No).await {
            Ok(_) => Ok(()),
            Err(error) if error.reason == Reason::AlreadyExists => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    /// Something of that name that the move did not make.
    pub(super) fn foreign(&self, at: ObjectRef, found: &Manifest) -> Probe {
        Probe::Foreign(self.stranger(at, found))
    }

    /// The finding about it. What another move made is not to be removed by hand.
    pub(super) fn stranger(&self, at: ObjectRef, found: &Manifest) -> Finding {
        let message = format!("{at} exists in namespace {} and was not made by this move", at.namespace.as_deref().unwrap_or("-"));
        let Some(other) = found.label(LABEL_MOVE).filter(|other| *other != self.move_id.0) else {
            return Finding::blocking("E004", at, message).hint("it is left as it is; rename or remove it, then resume the move");
        };
        // One of the same machine or disk began where this one did; of any other nobody here knows.
        let stands_for = found.annotation(ANNOTATION_SOURCE_UID).unwrap_or_default();
        let same = |machine: &MachinePlan| machine.uid == stands_for || machine.disks.iter().any(|disk| disk.claim_uid == stands_for);
        let place = if self.plan.machines.iter().any(same) { &self.source().namespace } else { "NAMESPACE" };
        let begun = if place == "NAMESPACE" { ", with the namespace where it began" } else { "" };
        Finding::blocking("E004", at, format!("{message}: it is marked as that of move {other}")).hint(format!(
            "it is left as it is; look at that move with 'kubectl vmmove status {other} -n {place}'{begun}; of two that are in each other's way one \
             has to be rolled back, then the other can be resumed"
        ))
    }

    /// Asks for the deletion of exactly this object as it was seen, and of nothing that hangs on it unless asked.
    pub(super) async fn delete(&self, object: &Manifest, end: End, propagation: Propagation) -> Result<(), StepError> {
        let Some(reference) = object.reference(end) else { return Ok(()) };
        let guard = Guard { uid: Some(object.uid().to_owned()), resource_version: Some(object.resource_version().to_owned()) };
        self.sites.at(end).cluster.delete(&reference, &guard, propagation, Dry::No).await.map_err(fault)
    }

    /// The last warning about an object, in one line, if the user may read events.
    pub(super) async fn warning_about(&self, end: End, object: &Manifest) -> Option<String> {
        let site = self.sites.at(end);
        let events = site.cluster.events(&site.namespace, &format!("involvedObject.uid={}", object.uid())).await.ok()?;
        let warning = latest(events.iter().filter(|event| event.text("/type") == Some("Warning")))?;
        Some(format!("{}: {}", warning.text("/reason").unwrap_or_default(), warning.text("/message").unwrap_or_default()))
    }
}

/// The event that happened last.
pub(super) fn latest<'e>(events: impl Iterator<Item = &'e Manifest>) -> Option<&'e Manifest> {
    events.max_by_key(|event| event.text("/lastTimestamp").or_else(|| event.text("/eventTime")).unwrap_or_default())
}

/// What a failed request means for a step. A lost race is tried again, for every try looks anew.
pub(super) fn fault(error: ApiError) -> StepError {
    let retry = error.is_transient() || matches!(error.reason, Reason::Conflict | Reason::TestFailed | Reason::Gone);
    // A webhook that cannot be reached answers 500 and comes back by itself.
    let retry = retry || error.code >= 500;
    let cause = Cause(error.to_string());
    if retry { StepError::Transient(cause) } else { StepError::Permanent(cause) }
}

/// Short words for what a claim waits for.
pub(super) fn claim_waits(claim: &Manifest, warning: Option<String>) -> String {
    let phase = claim.text("/status/phase").unwrap_or("Pending");
    match warning {
        Some(warning) => format!("claim {} to be bound ({warning})", claim.name()),
        // Its controller has not looked yet.
        None if phase == "Bound" => format!("claim {} to be bound to its volume", claim.name()),
        None => format!("claim {} to be bound (now {phase})", claim.name()),
    }
}
