//! A DataVolume in the target that CDI fills from the source's claim, across namespaces and classes.

use serde_json::{Value, json};

use super::cx::{Cx, fault};
use super::perform::Perform;
use super::reserve_claim::source_claim;
use super::source::{Standing, gone};
use crate::cluster::{Dry, Propagation, Topic};
use crate::engine::{Probe, StepError, Undo};
use crate::model::disk::{Claim, DataVolume, Volume};
use crate::model::event::Progress;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{ANNOTATION_EPOCH, End, LABEL_MOVE};
use crate::plan::document::{DiskPlan, Ownership};
use crate::plan::rewrite::data_volume::{Making, clone_data_volume, overhead};
use crate::plan::rewrite::{Marks, Role};

pub(super) struct CloneDisk<'a> {
    pub machine: &'a str,
    pub volume: &'a str,
}

impl CloneDisk<'_> {
    fn marks(&self, cx: &Cx, disk: &DiskPlan) -> Marks {
        cx.marks(Role::Target, &disk.claim_uid, Some(self.machine))
    }

    async fn clone(&self, cx: &Cx, disk: &DiskPlan) -> Result<Option<Manifest>, StepError> {
        cx.get(End::Target, kind::DATA_VOLUME, &disk.target_claim).await
    }

    /// Takes a finished DataVolume off its claim, for the source's claim has none either. The claim is marked first: CDI 1.65 passes our label
    /// on to it, and not our annotations.
    async fn take_off(&self, cx: &Cx, disk: &DiskPlan, clone: &Manifest, marks: &Marks) -> Result<(), StepError> {
        let Some(claim) = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await? else { return Ok(()) };
        if !claim.is_owned_by(clone.uid()) {
            return Err(StepError::permanent(format!("claim {} of the target does not belong to its datavolume", claim.name())));
        }
        if !marks.are_on(&claim) {
            let mut marked = claim.clone();
            marks.put(&mut marked);
            let metadata = json!({"uid": claim.uid(), "labels": marked.at("/metadata/labels"), "annotations": marked.at("/metadata/annotations")});
            let at = cx.reference(End::Target, kind::CLAIM, claim.name());
            cx.target().cluster.merge(&at, &json!({"metadata": metadata}), Dry::No).await.map_err(fault)?;
        }
        cx.delete(clone, End::Target, Propagation::Orphan).await
    }

    /// Deletes a DataVolume of ours, with the claim that it has made.
    async fn let_go(&self, cx: &Cx, disk: &DiskPlan, clone: &Manifest) -> Result<Progress, StepError> {
        let claim = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?.filter(|claim| claim.is_owned_by(clone.uid()));
        cx.delete_copy(disk, End::Target, clone, claim.as_ref()).await
    }

    /// Deletes the volume of a copy whose claim somebody deleted, if its class has it stay. Whoever may not look at volumes leaves it.
    async fn drop_stranded(&self, cx: &Cx, disk: &DiskPlan, made: Option<&Value>) -> Result<(), StepError> {
        let known = |key: &str| made.and_then(|made| made.get(key)?.as_str());
        let (Some(name), Some(claim)) = (known("volume"), known("claim")) else { return Ok(()) };
        let dropped = match cx.get(End::Target, kind::VOLUME, name).await {
            Ok(Some(volume)) => cx.discard(disk, &volume, None, Some(claim)).await,
            other => other.map(drop),
        };
        if matches!(dropped, Err(StepError::Permanent(_))) { Ok(()) } else { dropped }
    }

    /// What CDI waits for, and what it says went wrong: clones never become Failed, so annotations and events are all there is.
    ///
    /// Source: containerized-data-importer `pkg/controller/common/util.go`, annotations `cdi.kubevirt.io/clonePhase` and `cloneError`.
    async fn waiting(&self, cx: &Cx, disk: &DiskPlan, clone: &Manifest) -> Result<Progress, StepError> {
        let claim = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?;
        let said = claim.as_ref().and_then(|claim| claim.annotation("cdi.kubevirt.io/cloneError")).map(str::to_owned);
        let said = match (said, &claim) {
            (None, Some(claim)) => cx.warning_about(End::Target, claim).await,
            (said, _) => said,
        };
        let said = match said {
            None => cx.warning_about(End::Target, clone).await,
            said => said,
        };
        let phase = DataVolume(clone).phase();
        let phase = if phase.is_empty() { "Pending" } else { phase };
        let words =
            said.map_or_else(|| format!("CDI clone of {} ({phase})", disk.claim), |said| format!("CDI clone of {} ({phase}; {said})", disk.claim));
        Ok(Progress { waiting_for: words, fraction: DataVolume(clone).progress() })
    }
}

impl Perform for CloneDisk<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let marks = self.marks(cx, disk);
        // The claim is read last: its DataVolume lets go of it before it goes.
        let clone = self.clone(cx, disk).await?;
        let claim = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?;
        let Some(clone) = clone else {
            if let Some(claim) = claim.filter(|claim| stands_alone(claim, &marks)) {
                return Ok(Probe::Ours(output(cx, &claim).await));
            }
            return match cx.standing(self.machine).await? {
                Standing::Held(_) => Ok(Probe::Absent),
                Standing::Broken(why) => Ok(Probe::Stale(why)),
                Standing::Gone => Err(StepError::Blocked(gone(cx, self.machine))),
            };
        };
        if !marks.are_on(&clone) {
            return Ok(cx.foreign(cx.reference(End::Target, kind::DATA_VOLUME, &disk.target_claim), &clone));
        }
        if clone.is_deleting() {
            return Ok(Probe::Underway(Progress::waiting_for(format!("datavolume {} to be deleted", clone.name()))));
        }
        if clone.annotation(ANNOTATION_EPOCH) != marks.epoch.as_deref() {
            let filled = match &claim.filter(|claim| claim.is_owned_by(clone.uid())) {
                Some(claim) => cx.volume_to_come(claim).await,
                None => None,
            };
            return Ok(filled.map_or(Probe::Absent, Probe::Underway));
        }
        if DataVolume(&clone).phase() == "Failed" {
            let why = cx.warning_about(End::Target, &clone).await.unwrap_or_else(|| "CDI does not say why".to_owned());
            return Err(StepError::permanent(format!("the clone of claim {} failed: {why}", disk.claim)));
        }
        let Some(claim) = claim.filter(|claim| DataVolume(&clone).is_succeeded() && Claim(claim).is_bound()) else {
            if let Standing::Broken(why) = cx.standing(self.machine).await? {
                return Ok(Probe::Stale(why));
            }
            return Ok(Probe::Underway(self.waiting(cx, disk, &clone).await?));
        };
        if !keeps_data_volume(disk) {
            return Ok(Probe::Absent);
        }
        Ok(Probe::Ours(output(cx, &claim).await))
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let marks = self.marks(cx, disk);
        if let Some(old) = self.clone(cx, disk).await?.filter(|old| marks.are_on(old)) {
            cx.held(self.machine).await?;
            let counts = old.annotation(ANNOTATION_EPOCH) == marks.epoch.as_deref();
            if counts && !old.is_deleting() && DataVolume(&old).is_succeeded() && !keeps_data_volume(disk) {
                return self.take_off(cx, disk, &old, &marks).await;
            }
            // One of another epoch goes; the next look waits until it has gone.
            return if counts { Ok(()) } else { self.let_go(cx, disk, &old).await.map(drop) };
        }
        if let Some(claim) = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await? {
            // Finished, and its DataVolume was taken off by a request whose answer got lost.
            if stands_alone(&claim, &marks) {
                return Ok(());
            }
            // CDI would refuse. What is left of an earlier try goes by itself; anything else is not ours.
            let left_over = claim.label(LABEL_MOVE) == Some(&cx.move_id.0);
            let message = format!("claim {} is in namespace {} already", claim.name(), cx.target().namespace);
            let at = cx.reference(End::Target, kind::CLAIM, claim.name());
            return Err(if left_over { StepError::transient(message) } else { StepError::Blocked(cx.stranger(at, &claim)) });
        }
        let claim = source_claim(cx, disk).await?;
        let owner = match &disk.ownership {
            Ownership::DataVolume { name, .. } => cx.get(End::Source, kind::DATA_VOLUME, name).await?,
            Ownership::Machine | Ownership::Nobody => None,
        };
        // The configuration is only a better guess at the overhead; who may not read it gets CDI's default.
        let config = cx.get(End::Target, kind::CDI_CONFIG, "config").await.ok().flatten();
        let making = Making { disk, source_claim: &claim, source_dv: owner.as_ref(), namespace: &cx.target().namespace, marks: &marks };
        let volume = clone_data_volume(&making, overhead(config.as_ref(), disk.target_class.as_deref()));
        match cx.create_under_fence(self.machine, End::Target, &volume).await {
            // Refused because of a claim that came in between: the next try says whose it is.
            Err(StepError::Permanent(cause)) if cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?.is_some() => {
                Err(StepError::Transient(cause))
            }
            made => made,
        }
    }

    /// Deletes the DataVolume and waits until CDI has cleaned up behind it: its claim here, its temporaries in the source.
    async fn undo(&self, cx: &Cx, _before: &Value, made: Option<&Value>) -> Result<Undo, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let ours = self.marks(cx, disk);
        if let Some(clone) = self.clone(cx, disk).await?.filter(|clone| ours.are_on(clone)) {
            return self.let_go(cx, disk, &clone).await.map(Undo::Waiting);
        }
        // CDI copies our marks onto the claim it makes; one that outlives its DataVolume is ours to delete.
        if let Some(claim) = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?.filter(|claim| ours.are_on(claim)) {
            if claim.owners().next().is_some() {
                return Ok(Undo::Waiting(Progress::waiting_for(format!("claim {} to be deleted", claim.name()))));
            }
            return cx.delete_copy(disk, End::Target, &claim, Some(&claim)).await.map(Undo::Waiting);
        }
        self.drop_stranded(cx, disk, made).await?;
        Ok(Undo::Done)
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        let Ok(disk) = cx.disk(self.machine, self.volume) else { return Vec::new() };
        [kind::DATA_VOLUME, kind::CLAIM].into_iter().map(|kind| cx.topic(End::Target, kind, Some(&disk.target_claim))).collect()
    }
}

/// Whether the disk has a DataVolume in the source, and so in the target.
fn keeps_data_volume(disk: &DiskPlan) -> bool {
    matches!(disk.ownership, Ownership::DataVolume { .. })
}

/// A finished copy whose DataVolume has been taken off: CDI wrote our marks on it, and only it owns itself.
fn stands_alone(claim: &Manifest, marks: &Marks) -> bool {
    let counts = marks.are_on(claim) && claim.annotation(ANNOTATION_EPOCH) == marks.epoch.as_deref();
    counts && Claim(claim).is_bound() && claim.owners().next().is_none() && !claim.is_deleting()
}

/// What the journal keeps of a finished copy. Without the right to read volumes the handle is left out.
async fn output(cx: &Cx, claim: &Manifest) -> Value {
    let handle = match Claim(claim).volume_name() {
        Some(name) => cx.get(End::Target, kind::VOLUME, name).await.ok().flatten().and_then(|volume| Volume(&volume).handle().map(str::to_owned)),
        None => None,
    };
    json!({"claim": claim.uid(), "volume": Claim(claim).volume_name(), "handle": handle})
}
