//! Hands a volume to the target's claim, by compare-and-swap of its `claimRef`: a clone's, which is then the target's own, or the source's
//! itself, which can be handed back.

use serde_json::{Value, json};

use super::clone_claim::staging;
use super::cx::{Cx, claim_waits};
use super::perform::Perform;
use super::reserve_claim::{name_of, source_claim, wanted_claim};
use super::source::{Standing, gone};
use super::volume::{claim_uid, is_kept, reference_of, reference_to};
use crate::cluster::{Propagation, Topic};
use crate::engine::{Probe, StepError, Undo};
use crate::model::disk::{Claim, DataVolume, Volume};
use crate::model::event::Progress;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{ANNOTATION_TOUCH, End};
use crate::plan::document::{DiskPlan, Ownership};
use crate::plan::request::Strategy;
use crate::plan::rewrite::Role;
use crate::plan::step::Step;

pub(super) struct SwapVolume<'a> {
    pub machine: &'a str,
    pub volume: &'a str,
}

impl SwapVolume<'_> {
    /// The volume that changes hands and the UID of the claim it belongs to before.
    fn what(&self, cx: &Cx, disk: &DiskPlan) -> Result<(String, String), StepError> {
        if disk.strategy == Strategy::Rebind {
            return Ok((name_of(disk)?.to_owned(), disk.claim_uid.clone()));
        }
        let clone = Step::CloneClaim { machine: self.machine.to_owned(), volume: self.volume.to_owned() };
        let known = cx.output_text(&clone, "volume").zip(cx.output_text(&clone, "uid"));
        known.ok_or_else(|| StepError::permanent(format!("the journal does not say which volume the clone of claim {} has", disk.claim)))
    }

    /// The target's claim, if it is there; `Err` holds the probe for one that is not ours.
    async fn target(&self, cx: &Cx, disk: &DiskPlan) -> Result<Result<Option<Manifest>, Probe>, StepError> {
        let claim = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?;
        Ok(match claim {
            Some(claim) if !cx.marks(Role::Target, &disk.claim_uid, None).are_on(&claim) => {
                Err(cx.foreign(cx.reference(End::Target, kind::CLAIM, &disk.target_claim), &claim))
            }
            ours => Ok(ours),
        })
    }

    /// What is left of the clone's claim is removed; then the volume is the target's alone.
    async fn settle(&self, cx: &Cx, disk: &DiskPlan, volume: &Manifest, target: &Manifest) -> Result<(), StepError> {
        match staging(cx, disk).await? {
            _ if disk.strategy == Strategy::Rebind => Ok(()),
            Some(clone) if clone.is_deleting() => Ok(()),
            Some(clone) => cx.delete(&clone, End::Source, Propagation::Background).await,
            None => cx.release(volume, target.uid()).await,
        }
    }

    /// Undo of a copy: the target's claim goes, and its volume with it.
    async fn drop_copy(&self, cx: &Cx, disk: &DiskPlan, name: &str, made: Option<&Value>) -> Result<Undo, StepError> {
        let target =
            cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?.filter(|claim| cx.marks(Role::Target, &disk.claim_uid, None).are_on(claim));
        if let Some(target) = target.as_ref().filter(|target| !target.is_deleting()) {
            cx.original_stands(disk, target).await?;
        }
        if let Some(volume) = cx.get(End::Target, kind::VOLUME, name).await? {
            cx.discard(disk, &volume, target.as_ref(), made.and_then(|made| made.get("claim")?.as_str())).await?;
        }
        let Some(target) = target else { return Ok(Undo::Done) };
        if !target.is_deleting() {
            cx.delete(&target, End::Target, Propagation::Background).await?;
        }
        Ok(Undo::Waiting(Progress::waiting_for(format!("claim {} of the target to be deleted", target.name()))))
    }

    /// Whether a volume belongs to the target's claim. When somebody deleted that one, the journal still knows which it was.
    async fn is_with_the_target(&self, cx: &Cx, disk: &DiskPlan, volume: &Manifest) -> Result<bool, StepError> {
        let target = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?;
        if target.is_some_and(|claim| cx.marks(Role::Target, &disk.claim_uid, None).are_on(&claim) && claim.uid() == claim_uid(volume)) {
            return Ok(true);
        }
        let reserved = Step::ReserveClaim { machine: self.machine.to_owned(), volume: self.volume.to_owned() };
        Ok(is_kept(cx, volume) && cx.output_text(&reserved, "claim").as_deref() == Some(claim_uid(volume)))
    }

    /// Undo of a move: the volume goes back to the source's claim, with all that was written to it.
    async fn hand_back(&self, cx: &Cx, disk: &DiskPlan, name: &str, before: &Value) -> Result<Undo, StepError> {
        let volume = cx.volume(name).await?;
        let source = source_claim(cx, disk).await?;
        if claim_uid(&volume) != disk.claim_uid {
            if !self.is_with_the_target(cx, disk, &volume).await? {
                return Err(StepError::permanent(format!("persistentvolume {name} is in the hands of a claim that this move does not know")));
            }
            if let Some(pod) = cx.pod_on(End::Target, &cx.machine(self.machine)?.target, &[&disk.target_claim]).await? {
                return Ok(Undo::Waiting(Progress::waiting_for(format!("pod {pod} of the target to end"))));
            }
            // Exactly the reference that was there, where the journal has it: binders differ in which fields they write.
            let was = before.get("claimRef").filter(|was| was.get("uid").and_then(Value::as_str) == Some(source.uid()));
            cx.hand_over(&volume, claim_uid(&volume), was.cloned().unwrap_or_else(|| reference_to(&source))).await?;
            cx.touch(End::Source, &source).await?;
            return Ok(Undo::Waiting(Progress::waiting_for(claim_waits(&source, None))));
        }
        if !Claim(&source).is_bound() {
            if source.annotation(ANNOTATION_TOUCH).is_none() {
                cx.touch(End::Source, &source).await?;
            }
            return Ok(Undo::Waiting(Progress::waiting_for(claim_waits(&source, None))));
        }
        cx.untouch(End::Source, &source).await?;
        // A DataVolume that had adopted its claim fails while the claim is lost, and comes back by itself; until then the machine would not start.
        if let Ownership::DataVolume { name, .. } = &disk.ownership
            && let Some(owner) = cx.get(End::Source, kind::DATA_VOLUME, name).await?
            && DataVolume(&owner).phase() == "Failed"
        {
            return Ok(Undo::Waiting(Progress::waiting_for(format!("datavolume {name} to recover"))));
        }
        Ok(Undo::Done)
    }
}

impl Perform for SwapVolume<'_> {
    async fn before(&self, cx: &Cx) -> Result<Value, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let (name, from) = self.what(cx, disk)?;
        let reference = reference_of(&cx.volume(&name).await?);
        Ok(json!({"volume": name, "from": from, "claimRef": reference}))
    }

    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let (name, from) = self.what(cx, disk)?;
        let (target, volume) = futures::try_join!(self.target(cx, disk), cx.volume(&name))?;
        let target = match target {
            Ok(target) => target,
            Err(foreign) => return Ok(foreign),
        };
        let Some(target) = target.filter(|target| claim_uid(&volume) == target.uid()) else {
            if claim_uid(&volume) != from {
                return Err(StepError::permanent(format!("persistentvolume {name} is in the hands of a claim that this move does not know")));
            }
            return match cx.standing(self.machine).await? {
                Standing::Held(_) => Ok(Probe::Absent),
                Standing::Broken(why) => Ok(Probe::Stale(why)),
                Standing::Gone => Err(StepError::Blocked(gone(cx, self.machine))),
            };
        };
        if !Claim(&target).is_bound() {
            // Touched once, the volume controller binds it; untouched it would wait for the resync.
            let touched = target.annotation(ANNOTATION_TOUCH).is_some();
            return Ok(if touched { Probe::Underway(Progress::waiting_for(claim_waits(&target, None))) } else { Probe::Absent });
        }
        if disk.strategy != Strategy::Rebind {
            match staging(cx, disk).await? {
                Some(clone) if clone.is_deleting() => {
                    return Ok(Probe::Underway(Progress::waiting_for(format!("claim {} to be deleted", clone.name()))));
                }
                Some(_) => return Ok(Probe::Absent),
                None if is_kept(cx, &volume) => return Ok(Probe::Absent),
                None => {}
            }
        }
        Ok(Probe::Ours(json!({"claim": target.uid(), "volume": name, "handle": Volume(&volume).handle()})))
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let (name, from) = self.what(cx, disk)?;
        let (there, volume, held) = futures::join!(self.target(cx, disk), cx.volume(&name), cx.held(self.machine));
        let (there, volume) = (there?.ok().flatten(), volume?);
        if let Some(target) = there.as_ref().filter(|target| claim_uid(&volume) == target.uid()) {
            if !Claim(target).is_bound() {
                return cx.touch(End::Target, target).await;
            }
            return self.settle(cx, disk, &volume, target).await;
        }
        held?;
        cx.retain(&volume, &from).await?;
        let target = if let Some(target) = there {
            target
        } else {
            cx.create_under_fence(self.machine, End::Target, &wanted_claim(cx, disk, &name).await?).await?;
            let Ok(Some(target)) = self.target(cx, disk).await? else { return Ok(()) };
            target
        };
        fits(&volume, &target)?;
        cx.hand_over(&volume, &from, reference_to(&target)).await?;
        cx.touch(End::Target, &target).await
    }

    async fn undo(&self, cx: &Cx, before: &Value, made: Option<&Value>) -> Result<Undo, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let name = before.get("volume").and_then(Value::as_str).unwrap_or_default();
        match disk.strategy {
            Strategy::Rebind => self.hand_back(cx, disk, name, before).await,
            _ => self.drop_copy(cx, disk, name, made).await,
        }
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        let Ok(disk) = cx.disk(self.machine, self.volume) else { return Vec::new() };
        let mut topics = vec![cx.topic(End::Target, kind::CLAIM, Some(&disk.target_claim)), cx.topic(End::Source, kind::CLAIM, Some(&disk.claim))];
        match (&disk.strategy, &disk.ownership) {
            (Strategy::Rebind, Ownership::DataVolume { name, .. }) => topics.push(cx.topic(End::Source, kind::DATA_VOLUME, Some(name))),
            (Strategy::Rebind, _) => {}
            _ => topics.push(cx.topic(End::Source, kind::CLAIM, Some(&super::clone_claim::staging_name(cx, disk)))),
        }
        topics
    }
}

/// The volume controller checks nothing of a claim that a volume names, so it is checked here.
fn fits(volume: &Manifest, claim: &Manifest) -> Result<(), StepError> {
    let (volume, claim) = (Volume(volume), Claim(claim));
    let request = claim.request().and_then(crate::model::quantity::units);
    let wrong = if volume.class() != claim.class() {
        "class"
    } else if volume.volume_mode() != claim.volume_mode() {
        "volume mode"
    } else if !claim.access_modes().all(|mode| volume.access_modes().any(|other| other == mode)) {
        "access mode"
    } else if request > volume.capacity() {
        "size"
    } else {
        return Ok(());
    };
    Err(StepError::permanent(format!("claim {} and persistentvolume {} differ in {wrong}", claim.0.name(), volume.0.name())))
}
