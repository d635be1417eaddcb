//! A DataVolume over a claim that is there already, so that the target's machine has what its templates name and nothing is imported again.

use serde_json::{Value, json};

use super::cx::Cx;
use super::perform::Perform;
use super::reserve_claim::source_claim;
use crate::cluster::{Propagation, Topic};
use crate::engine::{Probe, StepError, Undo};
use crate::model::disk::{Claim, DataVolume};
use crate::model::event::Progress;
use crate::model::kind;
use crate::model::names::End;
use crate::plan::document::Ownership;
use crate::plan::rewrite::Role;
use crate::plan::rewrite::data_volume::{Making, adopting_data_volume};

pub(super) struct AdoptDisk<'a> {
    pub machine: &'a str,
    pub volume: &'a str,
}

impl Perform for AdoptDisk<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let Some(adopter) = cx.get(End::Target, kind::DATA_VOLUME, &disk.target_claim).await? else { return Ok(Probe::Absent) };
        if !cx.marks(Role::Target, &disk.claim_uid, None).are_on(&adopter) {
            return Ok(cx.foreign(cx.reference(End::Target, kind::DATA_VOLUME, &disk.target_claim), &adopter));
        }
        match DataVolume(&adopter).phase() {
            "Succeeded" => {
                let claim = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?;
                match claim.and_then(|claim| cx.made_anew(self.machine, disk, &claim)) {
                    Some(why) => Err(StepError::permanent(why)),
                    None => Ok(Probe::Ours(json!({"uid": adopter.uid()}))),
                }
            }
            "Failed" => Err(StepError::permanent(format!("datavolume {} did not adopt its claim", adopter.name()))),
            "" => Ok(Probe::Underway(Progress::waiting_for(format!("datavolume {} to adopt its claim", adopter.name())))),
            phase => Ok(Probe::Underway(Progress::waiting_for(format!("datavolume {} to adopt its claim ({phase})", adopter.name())))),
        }
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        cx.held(self.machine).await?;
        let marks = cx.marks(Role::Target, &disk.claim_uid, None);
        // Over anything but a bound claim of ours a DataVolume would be done at once all the same, with an empty or a wrong disk.
        let claim = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?.filter(|claim| marks.are_on(claim) && Claim(claim).is_bound());
        if claim.is_none() {
            return Err(StepError::permanent(format!("claim {} of the target is not bound, or not of this move", disk.target_claim)));
        }
        let source = source_claim(cx, disk).await?;
        let owner = match &disk.ownership {
            Ownership::DataVolume { name, .. } => cx.get(End::Source, kind::DATA_VOLUME, name).await?,
            Ownership::Machine | Ownership::Nobody => None,
        };
        let making = Making { disk, source_claim: &source, source_dv: owner.as_ref(), namespace: &cx.target().namespace, marks: &marks };
        cx.create_under_fence(self.machine, End::Target, &adopting_data_volume(&making)).await
    }

    /// Removes the DataVolume and leaves its claim.
    async fn undo(&self, cx: &Cx, _before: &Value, _made: Option<&Value>) -> Result<Undo, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let adopter = cx.get(End::Target, kind::DATA_VOLUME, &disk.target_claim).await?;
        let Some(adopter) = adopter.filter(|adopter| cx.marks(Role::Target, &disk.claim_uid, None).are_on(adopter)) else { return Ok(Undo::Done) };
        if !adopter.is_deleting() {
            cx.delete(&adopter, End::Target, Propagation::Orphan).await?;
        }
        Ok(Undo::Waiting(Progress::waiting_for(format!("datavolume {} to be deleted", adopter.name()))))
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        cx.disk(self.machine, self.volume).map(|disk| vec![cx.topic(End::Target, kind::DATA_VOLUME, Some(&disk.target_claim))]).unwrap_or_default()
    }
}
