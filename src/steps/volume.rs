//! PersistentVolumes in a move's hands: kept from deletion, handed from claim to claim by compare-and-swap, released again.
//!
//! A volume is touched only while its `claimRef` names a claim that the plan or the journal knows.

use std::time::Duration;

use serde_json::{Value, json};

use super::cx::{Cx, fault};
use crate::cluster::{Dry, Propagation, Reason};
use crate::engine::StepError;
use crate::model::disk::{Claim, Volume};
use crate::model::event::Progress;
use crate::model::finding::Finding;
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::{Manifest, escape};
use crate::model::names::{ANNOTATION_RECLAIM_POLICY, ANNOTATION_TOUCH, End, LABEL_MOVE, ObjectRef};
use crate::model::patch::PatchOp;
use crate::plan::document::DiskPlan;
use crate::plan::request::Strategy;
use crate::plan::step::Step;

/// So long the volume of a copy is waited for that is not wanted any more.
const PATIENCE: Duration = Duration::from_secs(60);

const POLICY: &str = "/spec/persistentVolumeReclaimPolicy";
const CLAIM_REF: &str = "/spec/claimRef";
const CLAIM_UID: &str = "/spec/claimRef/uid";

impl Cx {
    /// The volume of this name. Volumes are cluster-scoped; within one cluster both ends see the same.
    pub(super) async fn volume(&self, name: &str) -> Result<Manifest, StepError> {
        let found = self.get(End::Target, kind::VOLUME, name).await?;
        found.ok_or_else(|| StepError::permanent(format!("persistentvolume {name} is not there any more")))
    }

    /// Keeps a volume from being deleted whatever happens to its claim, and notes what its policy was. Acknowledged before anything else is done to it.
    /// Only while it belongs to this claim, and no other move keeps it.
    pub(super) async fn retain(&self, volume: &Manifest, claim: &str) -> Result<(), StepError> {
        if is_kept(self, volume) {
            return Ok(());
        }
        if let Some(other) = volume.label(LABEL_MOVE).filter(|other| *other != self.move_id.0) {
            let message = format!("persistentvolume {} is in the hands of move {other}", volume.name());
            let finding = Finding::blocking("E002", ObjectRef::cluster(End::Target, kind::VOLUME, volume.name()), message);
            let namespace = &self.source().namespace;
            let hint = format!("wait for that move, or look at it with 'kubectl vmmove status {other} -n {namespace}'");
            return Err(StepError::Blocked(finding.hint(hint)));
        }
        if claim_uid(volume) != claim {
            return Err(StepError::permanent(format!("persistentvolume {} is in the hands of a claim that this move does not know", volume.name())));
        }
        let policy = Volume(volume).reclaim_policy();
        // As it was looked at: a mark that another move left meanwhile must not be overwritten.
        let mut ops = vec![PatchOp::unchanged(volume), PatchOp::Test(CLAIM_UID.to_owned(), claim.into())];
        ops.push(PatchOp::Replace(POLICY.to_owned(), "Retain".into()));
        mark(&mut ops, volume, "/metadata/annotations", ANNOTATION_RECLAIM_POLICY, volume.annotation(ANNOTATION_RECLAIM_POLICY).unwrap_or(policy));
        mark(&mut ops, volume, "/metadata/labels", LABEL_MOVE, &self.move_id.0);
        self.patch_volume(volume, &ops).await
    }

    /// Gives a volume that this move kept its reclaim policy back, provided that it still belongs to this claim.
    pub(super) async fn release(&self, volume: &Manifest, claim_uid: &str) -> Result<(), StepError> {
        let Some(policy) = volume.annotation(ANNOTATION_RECLAIM_POLICY).filter(|_| is_kept(self, volume)) else { return Ok(()) };
        let ops = [
            PatchOp::same_object(volume),
            PatchOp::Test(CLAIM_UID.to_owned(), claim_uid.into()),
            PatchOp::Replace(POLICY.to_owned(), policy.into()),
            PatchOp::Remove(format!("/metadata/annotations/{}", escape(ANNOTATION_RECLAIM_POLICY))),
            PatchOp::Remove(format!("/metadata/labels/{}", escape(LABEL_MOVE))),
        ];
        self.patch_volume(volume, &ops).await
    }

    /// Lets a copy's volume be deleted with its claim, whatever its class says. Only for a volume that is provably not the source's, and that
    /// belongs to a claim of this move, or did to the one of which the journal has the UID.
    pub(super) async fn discard(&self, disk: &DiskPlan, volume: &Manifest, target: Option<&Manifest>, known: Option<&str>) -> Result<(), StepError> {
        let original = match &disk.persistent_volume {
            Some(name) => self.get(End::Source, kind::VOLUME, name).await?,
            None => None,
        };
        let same = original.is_none_or(|original| original.uid() == volume.uid() || Volume(&original).handle() == Volume(volume).handle());
        let staging = super::clone_claim::staging(self, disk).await?;
        let ours = [target, staging.as_ref()].into_iter().flatten().any(|claim| claim.uid() == claim_uid(volume));
        // Somebody deleted the target's claim, and the volume that this move or its class kept for it would stay for ever.
        let stranded = target.is_none() && ((is_kept(self, volume) && self.was_for(disk, volume)) || known == Some(claim_uid(volume)));
        if same || !(ours || stranded) || (Volume(volume).reclaim_policy() == "Delete" && volume.label(LABEL_MOVE).is_none()) {
            return Ok(());
        }
        let mut ops = vec![PatchOp::same_object(volume), PatchOp::Test(CLAIM_UID.to_owned(), claim_uid(volume).into())];
        ops.push(PatchOp::Replace(POLICY.to_owned(), "Delete".into()));
        if volume.annotation(ANNOTATION_RECLAIM_POLICY).is_some() {
            ops.push(PatchOp::Remove(format!("/metadata/annotations/{}", escape(ANNOTATION_RECLAIM_POLICY))));
        }
        if volume.label(LABEL_MOVE).is_some() {
            ops.push(PatchOp::Remove(format!("/metadata/labels/{}", escape(LABEL_MOVE))));
        }
        self.patch_volume(volume, &ops).await
    }

    /// Whether a volume is, or was, the target's of this disk.
    fn was_for(&self, disk: &DiskPlan, volume: &Manifest) -> bool {
        let claim = [volume.text("/spec/claimRef/namespace"), volume.text("/spec/claimRef/name")];
        claim == [Some(self.target().namespace.as_str()), Some(disk.target_claim.as_str())]
    }

    /// Deletes a copy - a claim, or a DataVolume with its claim - together with its volume, as soon as that is there and while the source has the
    /// disk. Tells what is waited for, and what stays behind all the same, for nobody would look for it.
    pub(super) async fn delete_copy(&self, disk: &DiskPlan, end: End, copy: &Manifest, claim: Option<&Manifest>) -> Result<Progress, StepError> {
        let kind = if copy.kind_name() == kind::CLAIM.kind { "claim" } else { "datavolume" };
        let words = format!("{kind} {} to be deleted", copy.name());
        if copy.is_deleting() {
            return Ok(Progress::waiting_for(words));
        }
        self.original_stands(disk, copy).await?;
        let mut stays = None;
        if let Some(claim) = claim {
            if let Some(progress) = self.volume_to_come(claim).await {
                return Ok(progress);
            }
            stays = self.let_volume_go(disk, claim).await?;
        }
        self.delete(copy, end, Propagation::Background).await?;
        Ok(Progress::waiting_for(stays.map_or_else(|| words.clone(), |stays| format!("{words}; {stays}"))))
    }

    /// Has the volume of a copy go with its claim, which is about to be deleted; tells what stays.
    async fn let_volume_go(&self, disk: &DiskPlan, claim: &Manifest) -> Result<Option<String>, StepError> {
        let seen = match Claim(claim).volume_name() {
            Some(name) => self.get(End::Target, kind::VOLUME, name).await,
            None => Ok(None),
        };
        match seen {
            Ok(Some(volume)) => match self.discard(disk, &volume, Some(claim), None).await {
                Err(StepError::Permanent(cause)) => Ok(Some(format!("persistentvolume {} of it stays behind: {}", volume.name(), cause.0))),
                discarded => discarded.map(|()| None),
            },
            // It has not come, or nobody may look at it: then its class tells.
            Ok(None) | Err(StepError::Permanent(_)) => {
                let class = self.retaining_class(claim).await;
                Ok(class.map(|class| format!("a volume of it may stay behind, for class {class} retains volumes")))
            }
            Err(error) => Err(error),
        }
    }

    /// What the claim of a copy waits for before it can be deleted: while its volume is being made nobody can have that go with it, and a class
    /// that retains would keep it for ever. One that its driver refuses never comes, so not for long.
    pub(super) async fn volume_to_come(&self, claim: &Manifest) -> Option<Progress> {
        if Claim(claim).volume_name().is_some() {
            return None;
        }
        let class = self.retaining_class(claim).await?;
        let patient = self.waited_for(claim.uid()) < PATIENCE;
        let words = || format!("the volume of claim {}, to be deleted with it, for class {class} would keep it", claim.name());
        patient.then(|| Progress::waiting_for(words()))
    }

    /// The class of a claim, if it keeps volumes whose claims are deleted. Who may not look at classes does not hear of it.
    async fn retaining_class<'c>(&self, claim: &'c Manifest) -> Option<&'c str> {
        let class = Claim(claim).class()?;
        let found = self.get(End::Target, kind::STORAGE_CLASS, class).await.ok().flatten()?;
        (found.text("/reclaimPolicy") == Some("Retain")).then_some(class)
    }

    /// Why a claim of the target is not the one on which the disk came: somebody deleted that, and CDI made another for its DataVolume, filled from
    /// wherever the first one once was.
    pub(super) fn made_anew(&self, machine: &str, disk: &DiskPlan, claim: &Manifest) -> Option<String> {
        let (machine, volume) = (machine.to_owned(), disk.volume.clone());
        let came = if disk.strategy == Strategy::CdiClone { Step::CloneDisk { machine, volume } } else { Step::SwapVolume { machine, volume } };
        let known = self.output_text(&came, "claim")?;
        let why = format!("claim {} of the target was deleted and made anew since the disk came there, so it holds something else", claim.name());
        (known != claim.uid()).then_some(why)
    }

    /// Hands a volume from one claim to another: the commit point of a rebind. A lost race changes nothing.
    pub(super) async fn hand_over(&self, volume: &Manifest, from_uid: &str, reference: Value) -> Result<(), StepError> {
        let ops = [
            PatchOp::same_object(volume),
            PatchOp::Test(POLICY.to_owned(), "Retain".into()),
            PatchOp::Test(CLAIM_UID.to_owned(), from_uid.into()),
            PatchOp::Replace(CLAIM_REF.to_owned(), reference),
        ];
        self.patch_volume(volume, &ops).await
    }

    /// Wakes the volume controller for a claim; left alone it looks again only at its resync (15 s in production). Only as the claim was looked at:
    /// when somebody else has changed it since, the controller has heard of that, and a holder that slept does nothing more.
    pub(super) async fn touch(&self, end: End, claim: &Manifest) -> Result<(), StepError> {
        let at = self.reference(end, kind::CLAIM, claim.name());
        let mut ops = vec![PatchOp::unchanged(claim)];
        mark(&mut ops, claim, "/metadata/annotations", ANNOTATION_TOUCH, &self.clock.now().to_string());
        match self.sites.at(end).cluster.patch(&at, &ops, Dry::No).await {
            Err(error) if matches!(error.reason, Reason::TestFailed | Reason::Conflict) => Ok(()),
            other => other.map_err(fault).map(drop),
        }
    }

    /// Takes the mark of [`Cx::touch`] off a claim that goes on without the move.
    pub(super) async fn untouch(&self, end: End, claim: &Manifest) -> Result<(), StepError> {
        if claim.annotation(ANNOTATION_TOUCH).is_none() {
            return Ok(());
        }
        let ops = [PatchOp::same_object(claim), PatchOp::Remove(format!("/metadata/annotations/{}", escape(ANNOTATION_TOUCH)))];
        let at = self.reference(end, kind::CLAIM, claim.name());
        self.sites.at(end).cluster.patch(&at, &ops, Dry::No).await.map_err(fault).map(|_| ())
    }

    async fn patch_volume(&self, volume: &Manifest, ops: &[PatchOp]) -> Result<(), StepError> {
        let at = ObjectRef::cluster(End::Target, kind::VOLUME, volume.name());
        self.target().cluster.patch(&at, ops, Dry::No).await.map_err(fault).map(|_| ())
    }
}

/// A reference to a claim, as a volume holds it.
pub(super) fn reference_to(claim: &Manifest) -> Value {
    json!({"kind": kind::CLAIM.kind, "apiVersion": kind::CLAIM.api_version(), "namespace": claim.namespace(), "name": claim.name(), "uid": claim.uid()})
}

/// The reference that a volume holds, without the version at which it was made.
pub(super) fn reference_of(volume: &Manifest) -> Value {
    let mut reference = volume.at(CLAIM_REF).map(Json::to_value).unwrap_or_default();
    if let Some(fields) = reference.as_object_mut() {
        fields.remove("resourceVersion");
    }
    reference
}

/// Whether this move keeps the volume.
pub(super) fn is_kept(cx: &Cx, volume: &Manifest) -> bool {
    volume.label(LABEL_MOVE) == Some(&cx.move_id.0)
        && volume.annotation(ANNOTATION_RECLAIM_POLICY).is_some()
        && Volume(volume).reclaim_policy() == "Retain"
}

/// The UID of the claim that the volume belongs to.
pub(super) fn claim_uid(volume: &Manifest) -> &str {
    volume.text(CLAIM_UID).unwrap_or_default()
}

/// Adds one entry to a map of the metadata, and the map where there is none.
fn mark(ops: &mut Vec<PatchOp>, object: &Manifest, map: &str, key: &str, value: &str) {
    if object.at(map).is_none() {
        ops.push(PatchOp::Add(map.to_owned(), Value::Object(serde_json::Map::new())));
    }
    ops.push(PatchOp::Add(format!("{map}/{}", escape(key)), value.into()));
}
