//! Gives a volume that changed hands its reclaim policy back, now that it is the target's for good.

use serde_json::{Value, json};

use super::cx::Cx;
use super::perform::Perform;
use super::reserve_claim::name_of;
use super::volume::{claim_uid, is_kept};
use crate::engine::{Probe, StepError};
use crate::model::kind;
use crate::model::names::End;

pub(super) struct ReleaseVolume<'a> {
    pub machine: &'a str,
    pub volume: &'a str,
}

impl Perform for ReleaseVolume<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let volume = cx.volume(name_of(cx.disk(self.machine, self.volume)?)?).await?;
        Ok(if is_kept(cx, &volume) { Probe::Absent } else { Probe::Ours(json!({})) })
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let volume = cx.volume(name_of(disk)?).await?;
        let target = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?;
        let Some(target) = target.filter(|claim| claim.uid() == claim_uid(&volume)) else {
            return Err(StepError::permanent(format!(
                "persistentvolume {} does not belong to claim {} of the target; its policy stays Retain",
                volume.name(),
                disk.target_claim
            )));
        };
        cx.release(&volume, target.uid()).await
    }
}
