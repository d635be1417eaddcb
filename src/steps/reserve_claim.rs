//! Prepares a volume to change hands while its machine still runs: kept from deletion, and the target's claim made for it. What could be
//! refused (quota, rights) is refused here, before anything stops.

use serde_json::{Value, json};

use super::cx::Cx;
use super::perform::Perform;
use super::volume::{claim_uid, is_kept};
use crate::cluster::{Propagation, Topic};
use crate::engine::{Probe, StepError, Undo};
use crate::model::event::Progress;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::plan::document::DiskPlan;
use crate::plan::rewrite::Role;
use crate::plan::rewrite::claim::target_claim;

pub(super) struct ReserveClaim<'a> {
    pub machine: &'a str,
    pub volume: &'a str,
}

impl Perform for ReserveClaim<'_> {
    async fn before(&self, cx: &Cx) -> Result<Value, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let volume = cx.volume(name_of(disk)?).await?;
        if claim_uid(&volume) != disk.claim_uid {
            return Err(StepError::permanent(format!("persistentvolume {} no longer belongs to claim {}", volume.name(), disk.claim)));
        }
        Ok(json!({"volume": volume.name(), "policy": volume.text("/spec/persistentVolumeReclaimPolicy")}))
    }

    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let volume = cx.volume(name_of(disk)?).await?;
        let Some(claim) = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await? else { return Ok(Probe::Absent) };
        if !cx.marks(Role::Target, &disk.claim_uid, None).are_on(&claim) {
            return Ok(cx.foreign(cx.reference(End::Target, kind::CLAIM, &disk.target_claim), &claim));
        }
        Ok(if is_kept(cx, &volume) { Probe::Ours(json!({"claim": claim.uid()})) } else { Probe::Absent })
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        cx.retain(&cx.volume(name_of(disk)?).await?, &disk.claim_uid).await?;
        cx.create(End::Target, &wanted_claim(cx, disk, name_of(disk)?).await?).await
    }

    /// Removes the reservation, which by then owns no volume, and gives the volume its policy back.
    async fn undo(&self, cx: &Cx, _before: &Value, _made: Option<&Value>) -> Result<Undo, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let volume = cx.volume(name_of(disk)?).await?;
        if let Some(claim) =
            cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?.filter(|claim| cx.marks(Role::Target, &disk.claim_uid, None).are_on(claim))
        {
            if claim_uid(&volume) == claim.uid() {
                return Err(StepError::permanent(format!(
                    "persistentvolume {} still belongs to claim {} of the target",
                    volume.name(),
                    claim.name()
                )));
            }
            if !claim.is_deleting() {
                cx.delete(&claim, End::Target, Propagation::Background).await?;
            }
            return Ok(Undo::Waiting(Progress::waiting_for(format!("claim {} of the target to be deleted", claim.name()))));
        }
        cx.release(&volume, &disk.claim_uid).await?;
        Ok(Undo::Done)
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        cx.disk(self.machine, self.volume).map(|disk| vec![cx.topic(End::Target, kind::CLAIM, Some(&disk.target_claim))]).unwrap_or_default()
    }
}

/// The volume of a disk that changes hands.
pub(super) fn name_of(disk: &DiskPlan) -> Result<&str, StepError> {
    disk.persistent_volume.as_deref().ok_or_else(|| StepError::permanent(format!("claim {} has no volume", disk.claim)))
}

/// The claim of the source, provided it is still the one of the plan.
pub(super) async fn source_claim(cx: &Cx, disk: &DiskPlan) -> Result<Manifest, StepError> {
    let claim = cx.get(End::Source, kind::CLAIM, &disk.claim).await?.filter(|claim| claim.uid() == disk.claim_uid);
    claim.ok_or_else(|| StepError::permanent(format!("claim {} of the source was deleted or made anew during the move", disk.claim)))
}

/// The target's claim for a volume: unbound until the volume is handed to it.
pub(super) async fn wanted_claim(cx: &Cx, disk: &DiskPlan, volume: &str) -> Result<Manifest, StepError> {
    let source = source_claim(cx, disk).await?;
    let marks = cx.marks(Role::Target, &disk.claim_uid, None);
    Ok(target_claim(&source, volume, &cx.target().namespace, &disk.target_claim, &marks))
}
