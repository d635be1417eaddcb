//! Clones: a temporary claim beside the origin becomes its copy, is prepared, and hands its volume over to the claim that asked.
//! Sources: containerized-data-importer 1.65 `pkg/controller/populators/clone-populator.go`, `pkg/controller/clone/{planner,csi-clone,snapshot,
//! snap-clone,host-clone,prep-claim,rebind,common}.go`, `pkg/controller/datavolume/clone-controller-base.go`.
//!
//! Cases: `datavolumes/a-copy-within-a-namespace-has-the-bytes`, `datavolumes/a-copy-waits-while-its-source-is-in-use`,
//! `datavolumes/a-copy-at-once-of-a-class-that-waits`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::clone_phases::{COMPONENT, Job, SOON, Step, carry};
use super::datavolumes::{self, PROGRESS};
use super::objects::{add_finalizer, annotate, annotation, drop_finalizer, has_finalizer, mark, remove};
use super::populators::{self, RUNNING, note, ready, remove_helper};
use super::{clone_strategies, is_deleting};
use crate::sandbox::catalog::{CLAIM, DATA_VOLUME, POD, Res, SNAPSHOT};
use crate::sandbox::index::place;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// The namespace of a clone's origin, on the claim.
pub const FROM: &str = "cdi.kubevirt.io/dataSourceNamespace";
const PHASE: &str = "cdi.kubevirt.io/clonePhase";
const ERROR: &str = "cdi.kubevirt.io/cloneError";
const STRATEGY: &str = "cdi.kubevirt.io/cloneType";
const FALLBACK: &str = "cdi.kubevirt.io/cloneFallbackReason";
const FINALIZER: &str = "cdi.kubevirt.io/clonePopulator";

type Phase = (&'static str, fn(&Job, &mut World) -> Step);

const COPY: &[Phase] = &[("HostClone", Job::host_clone), ("Rebind", Job::rebind)];
const CSI: &[Phase] = &[("CSIClone", Job::csi_clone), ("PrepClaim", Job::prepare), ("Rebind", Job::rebind)];
const SNAP: &[Phase] = &[("Snapshot", Job::snapshot), ("SnapshotClone", Job::restore), ("PrepClaim", Job::prepare), ("Rebind", Job::rebind)];

pub fn reconcile(world: &mut World, key: &Key, claim: &Arc<Value>) -> Option<Duration> {
    let succeeded = annotation(claim, PHASE) == Some("Succeeded");
    if is_deleting(claim) || succeeded {
        if has_finalizer(claim, FINALIZER) {
            clean_up(world, claim);
            drop(world.change(key, |claim| drop_finalizer(claim, FINALIZER)));
        }
        return None;
    }
    let volume = populators::volume_of(world, claim)?;
    let (_, source) = datavolumes::source(world, &volume);
    let kind = if source.get("snapshot").is_some() { "snapshot" } else { "pvc" };
    let at = |field: &str| text(&source, &format!("/{kind}/{field}")).to_owned();
    let resource: Res = if kind == "snapshot" { &SNAPSHOT } else { &CLAIM };
    let job = Job::new(key, claim, Key::new(resource, &at("namespace"), &at("name")));
    if !ready(world, claim) {
        return job.say(world, "Pending", Step::Waits(None));
    }
    if annotation(claim, STRATEGY).is_none() || !has_finalizer(claim, FINALIZER) {
        return job.begin(world);
    }
    let phases = match annotation(claim, STRATEGY) {
        Some("csi-clone") => CSI,
        Some("snapshot") if job.is_snapshot() => &SNAP[1..],
        Some("snapshot") => SNAP,
        _ => COPY,
    };
    for (name, run) in phases {
        match run(&job, world) {
            Step::Done => {}
            other => return job.say(world, name, other),
        }
    }
    job.say(world, "Succeeded", Step::Done)
}

fn clean_up(world: &mut World, claim: &Value) {
    let from = annotation(claim, FROM).map_or_else(|| text(claim, "/metadata/namespace").to_owned(), str::to_owned);
    let uid = text(claim, "/metadata/uid");
    for (resource, prefix) in HELPERS {
        remove_helper(world, &Key::new(resource, &from, &format!("{prefix}{uid}")));
    }
    remove_helper(world, &Key::new(&POD, &from, &format!("{uid}-source-pod")));
}

const HELPERS: [(Res, &str); 4] = [(&CLAIM, "tmp-pvc-"), (&SNAPSHOT, "tmp-snapshot-"), (&POD, "prep-"), (&POD, "cdi-upload-tmp-pvc-")];

impl Job {
    /// Chooses how to clone, and keeps that.
    fn begin(&self, world: &mut World) -> Option<Duration> {
        let chosen = clone_strategies::choose(world, &self.claim, &self.origin);
        let chosen = match chosen {
            Ok(chosen) => chosen,
            Err(clone_strategies::Hindrance::Missing) => {
                let kind = if self.is_snapshot() { "snapshot" } else { "pvc" };
                let words = format!("The source {kind} {} doesn't exist", self.origin.name);
                world.tell(&self.claim, COMPONENT, "Warning", "CloneWithoutSource", &words);
                return self.say(world, "Pending", Step::Waits(Some(Duration::from_secs(5))));
            }
            Err(clone_strategies::Hindrance::Invalid(why)) => {
                world.tell(&self.claim, COMPONENT, "Warning", "CloneValidationFailed", "The clone doesn't meet the validation requirements");
                return self.say(world, "Pending", Step::Fails(why));
            }
        };
        if let Some((reason, words)) = chosen.fallback {
            world.tell(&self.claim, COMPONENT, "Warning", reason, words);
        }
        let begun = |claim: &mut Value| {
            if annotation(claim, STRATEGY).is_none() {
                annotate(claim, STRATEGY, chosen.strategy);
            }
            if let Some((_, words)) = chosen.fallback {
                annotate(claim, FALLBACK, words);
            }
            annotate(claim, PHASE, "Pending");
            mark(claim, "app", "containerized-data-importer");
            add_finalizer(claim, FINALIZER);
        };
        drop(world.change(&self.key, begun));
        None
    }

    /// Says on the claim which phase it is in, and how that goes.
    fn say(&self, world: &mut World, phase: &str, step: Step) -> Option<Duration> {
        let (shown, running, reason, message, again) = match &step {
            Step::Fails(why) => ("Error", "false", "Error", why.as_str(), Some(SOON)),
            Step::Waits(again) if phase == "Pending" => (phase, "false", "Pending", "Clone Pending", *again),
            Step::Waits(again) => (phase, "true", "Populator is running", "", *again),
            Step::Done => (phase, "false", "Completed", "Clone Complete", None),
        };
        let said = |claim: &mut Value| {
            annotate(claim, PHASE, shown);
            annotate(claim, RUNNING, running);
            annotate(claim, &format!("{RUNNING}.reason"), reason);
            annotate(claim, &format!("{RUNNING}.message"), message);
            match &step {
                Step::Fails(why) => annotate(claim, ERROR, why),
                _ => remove(claim, "/metadata/annotations", ERROR),
            }
            if matches!(step, Step::Done) {
                annotate(claim, PROGRESS, "100.0%");
            }
        };
        drop(world.change(&self.key, said));
        again
    }
}

/// A clone into the claim itself, where there is no populator.
pub fn copy(world: &mut World, key: &Key, source: &Value, claim: &Arc<Value>) -> Option<Duration> {
    let origin = Key::new(&CLAIM, text(source, "/pvc/namespace"), text(source, "/pvc/name"));
    let job = Job::new(key, claim, origin.clone());
    note(world, key, &[(STRATEGY, "copy"), ("k8s.io/CloneRequest", &place(&origin.namespace, &origin.name))]);
    if !job.origin_ready(world) {
        return Some(SOON);
    }
    note(world, key, &[(RUNNING, "true")]);
    let again = carry(world, claim, &job);
    if again.is_none() {
        note(world, key, &[(PROGRESS, "100.0%"), (RUNNING, "false"), (PHASE, "Succeeded")]);
    }
    again
}

/// The phase of a DataVolume that is a clone, by what its claim says.
pub fn phase(world: &World, volume: &Value, claim: &Value) -> (String, Option<(&'static str, &'static str, String)>) {
    let (_, source) = datavolumes::source(world, volume);
    let kind = if source.get("snapshot").is_some() { "snapshot" } else { "pvc" };
    let from = place(text(&source, &format!("/{kind}/namespace")), text(&source, &format!("/{kind}/name")));
    let own = Key::of(&DATA_VOLUME, volume);
    let into = place(&own.namespace, &own.name);
    let told = |phase: &str, reason: &'static str, words: String| (phase.to_owned(), Some(("Normal", reason, words)));
    match annotation(claim, PHASE).unwrap_or_default() {
        "" | "Pending" => told("CloneScheduled", "CloneScheduled", format!("Cloning from {from} into {into} scheduled")),
        "Succeeded" => told("Succeeded", "CloneSucceeded", format!("Successfully cloned from {from} into {into}")),
        "CSIClone" => told("CSICloneInProgress", "CSICloneInProgress", format!("CSI Volume clone in progress (for pvc {from})")),
        "HostClone" => told("CloneInProgress", "CloneInProgress", format!("Cloning from {from} into {into} in progress")),
        "PrepClaim" => told("PrepClaimInProgress", "PrepClaimInProgress", format!("Prepping PersistentVolumeClaim for DataVolume {into}")),
        "Rebind" => told("RebindInProgress", "RebindInProgress", format!("Rebinding PersistentVolumeClaim for DataVolume {into}")),
        "Snapshot" => {
            let words = format!("Creating snapshot for smart-clone is in progress (for pvc {from})");
            told("SnapshotForSmartCloneInProgress", "SnapshotForSmartCloneInProgress", words)
        }
        "SnapshotClone" => {
            let words = format!("Creating PVC from snapshot source is in progress (for {kind} {from})");
            told("CloneFromSnapshotSourceInProgress", "CloneFromSnapshotSourceInProgress", words)
        }
        // An error never makes a clone fail: it stays in the phase it was in.
        _ => (text(volume, "/status/phase").to_owned(), None),
    }
}
