//! A CSI clone of a claim beside it. The storage driver copies; the source keeps its own disk.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::cx::{Cx, claim_waits};
use super::perform::Perform;
use super::reserve_claim::source_claim;
use super::source::{Standing, gone};
use crate::cluster::Topic;
use crate::engine::{Probe, StepError, Undo};
use crate::model::disk::Claim;
use crate::model::event::Progress;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{ANNOTATION_EPOCH, End};
use crate::plan::document::DiskPlan;
use crate::plan::rewrite::claim::staging_claim;
use crate::plan::rewrite::{Marks, Role};

pub(super) struct CloneClaim<'a> {
    pub machine: &'a str,
    pub volume: &'a str,
}

/// The name of the clone: the same for the same move and claim, so that a repeated run finds it.
pub(super) fn staging_name(cx: &Cx, disk: &DiskPlan) -> String {
    use std::fmt::Write;
    let digest = Sha256::digest(format!("{}/{}", cx.move_id, disk.claim_uid).as_bytes());
    digest.iter().take(6).fold("vmmove-".to_owned(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// The clone if it is there and ours, of whatever epoch.
pub(super) async fn staging(cx: &Cx, disk: &DiskPlan) -> Result<Option<Manifest>, StepError> {
    let found = cx.get(End::Source, kind::CLAIM, &staging_name(cx, disk)).await?;
    Ok(found.filter(|claim| cx.marks(Role::Staging, &disk.claim_uid, None).are_on(claim)))
}

impl CloneClaim<'_> {
    fn marks(&self, cx: &Cx, disk: &DiskPlan) -> Marks {
        cx.marks(Role::Staging, &disk.claim_uid, Some(self.machine))
    }
}

impl Perform for CloneClaim<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        match cx.standing(self.machine).await? {
            Standing::Held(_) => {}
            Standing::Broken(why) => return Ok(Probe::Stale(why)),
            Standing::Gone => return Err(StepError::Blocked(gone(cx, self.machine))),
        }
        let name = staging_name(cx, disk);
        let Some(clone) = cx.get(End::Source, kind::CLAIM, &name).await? else { return Ok(Probe::Absent) };
        let marks = self.marks(cx, disk);
        if !marks.are_on(&clone) {
            return Ok(cx.foreign(cx.reference(End::Source, kind::CLAIM, &name), &clone));
        }
        // A clone of an earlier epoch does not count: it is removed and made again.
        if clone.is_deleting() {
            return Ok(Probe::Underway(Progress::waiting_for(format!("claim {name} of an earlier try to be deleted"))));
        }
        if clone.annotation(ANNOTATION_EPOCH) != marks.epoch.as_deref() {
            return Ok(cx.volume_to_come(&clone).await.map_or(Probe::Absent, Probe::Underway));
        }
        if let (true, Some(volume)) = (Claim(&clone).is_bound(), Claim(&clone).volume_name()) {
            return Ok(Probe::Ours(json!({"claim": name, "uid": clone.uid(), "volume": volume})));
        }
        let warning = cx.warning_about(End::Source, &clone).await;
        // external-provisioner 6.3 `pkg/controller`: after InvalidArgument it tries again only minutes later, or never.
        if let Some(refused) = warning.as_deref().filter(|warning| warning.contains("infeasible")) {
            return Err(StepError::permanent(format!(
                "the storage driver refuses to clone claim {}: {refused}; plan again with --strategy {0}=CdiClone",
                disk.claim
            )));
        }
        Ok(Probe::Underway(Progress::waiting_for(claim_waits(&clone, warning))))
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let marks = self.marks(cx, disk);
        if let Some(old) = staging(cx, disk).await? {
            let counts = old.annotation(ANNOTATION_EPOCH) == marks.epoch.as_deref() || old.is_deleting();
            // One of another epoch goes; the next look waits until it has gone.
            if counts {
                return Ok(());
            }
            cx.held(self.machine).await?;
            return cx.delete_copy(disk, End::Source, &old, Some(&old)).await.map(drop);
        }
        let source = source_claim(cx, disk).await?;
        cx.create_under_fence(self.machine, End::Source, &staging_claim(&source, &staging_name(cx, disk), &marks)).await
    }

    async fn undo(&self, cx: &Cx, _before: &Value, _made: Option<&Value>) -> Result<Undo, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let Some(clone) = staging(cx, disk).await? else { return Ok(Undo::Done) };
        cx.delete_copy(disk, End::Source, &clone, Some(&clone)).await.map(Undo::Waiting)
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        let Ok(disk) = cx.disk(self.machine, self.volume) else { return Vec::new() };
        [kind::CLAIM, kind::EVENT].into_iter().map(|kind| cx.topic(End::Source, kind, Some(&staging_name(cx, disk)))).collect()
    }
}
