//! The source virtual machine under the fence: is it still ours, and still in the epoch in which copies count?

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cx::Cx;
use crate::engine::StepError;
use crate::model::age::human;
use crate::model::finding::Finding;
use crate::model::journal::Epoch;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{ANNOTATION_FENCE, End};
use crate::plan::document::DiskPlan;

/// So old an answer may be that is acted on: well below the time after which a silent holder is taken over.
const FRESH: Duration = Duration::from_secs(5);

/// The fence as it stands in the annotation: which move, which holder, who.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    #[serde(rename = "move")]
    pub move_id: String,
    pub holder: u64,
    pub by: String,
}

impl Mark {
    /// The fence on a machine, if there is a readable one.
    pub fn on(vm: &Manifest) -> Option<Self> {
        serde_json::from_str(vm.annotation(ANNOTATION_FENCE)?).ok()
    }
}

/// Whose fence is on a machine.
pub(super) enum Fence {
    None,
    Ours(Mark),
    Theirs(Mark),
}

/// How the source stands.
pub(super) enum Standing {
    /// Fenced by this move and this holder, and unchanged since.
    Held(Manifest),
    /// Still there, but no longer in the epoch of the fence.
    Broken(String),
    Gone,
}

impl Cx {
    /// The mark that this holder writes.
    pub(super) fn mark(&self) -> Mark {
        Mark { move_id: self.move_id.0.clone(), holder: self.holder.number, by: self.holder.name.clone() }
    }

    /// Whose fence is on a machine. `Lost` when a later holder carries this move.
    pub(super) fn fence_on(&self, vm: &Manifest) -> Result<Fence, StepError> {
        match Mark::on(vm) {
            None => Ok(Fence::None),
            Some(mark) if mark.move_id != self.move_id.0 => Ok(Fence::Theirs(mark)),
            Some(mark) if mark.holder > self.holder.number => Err(taken_over(&mark)),
            Some(mark) => Ok(Fence::Ours(mark)),
        }
    }

    /// Reads the source machine afresh. `Lost` when another holder carries the move.
    pub(super) async fn standing(&self, machine: &str) -> Result<Standing, StepError> {
        let plan = self.machine(machine)?;
        let Some(vm) = self.as_it_is_now(machine).await?.filter(|vm| vm.uid() == plan.uid) else { return Ok(Standing::Gone) };
        let Some(epoch) = self.epoch(machine) else { return Ok(Standing::Broken("it is not fenced".to_owned())) };
        match self.fence_on(&vm)? {
            Fence::None => return Ok(Standing::Broken("its fence was removed".to_owned())),
            Fence::Theirs(mark) => return Ok(Standing::Broken(format!("it was fenced by another move, {}", mark.move_id))),
            Fence::Ours(_) => {}
        }
        let now = Epoch { uid: vm.uid().to_owned(), generation: vm.generation() };
        if now != epoch {
            return Ok(Standing::Broken("somebody changed it after it was fenced".to_owned()));
        }
        Ok(Standing::Held(vm))
    }

    /// The source machine, as it is and not as it was before this process slept: an answer that took too long is not acted on.
    async fn as_it_is_now(&self, machine: &str) -> Result<Option<Manifest>, StepError> {
        let asked = self.clock.elapsed();
        let vm = self.get(End::Source, kind::VM, machine).await?;
        let took = self.clock.elapsed().saturating_sub(asked);
        if took < FRESH {
            return Ok(vm);
        }
        Err(StepError::transient(format!("looking at virtual machine {machine} took {}, too long to act on what was seen", human(took))))
    }

    /// The source machine, provided that this holder may act on what hangs on it. `Stale` when it has left the epoch of its fence.
    pub(super) async fn held(&self, machine: &str) -> Result<Manifest, StepError> {
        match self.standing(machine).await? {
            Standing::Held(vm) => Ok(vm),
            Standing::Broken(why) => Err(StepError::Stale(format!("virtual machine {machine}: {why}"))),
            Standing::Gone => Err(StepError::Blocked(gone(self, machine))),
        }
    }
}

impl Cx {
    /// Makes an object that counts only while the source is fenced. The fence is looked at last, for making cannot be made to depend on it.
    pub(super) async fn create_under_fence(&self, machine: &str, end: End, object: &Manifest) -> Result<(), StepError> {
        self.held(machine).await?;
        self.create(end, object).await
    }

    /// Refuses to delete the copy of a disk that the source does not have any more: whoever deleted that left nothing else.
    pub(super) async fn original_stands(&self, disk: &DiskPlan, copy: &Manifest) -> Result<(), StepError> {
        let claim = self.get(End::Source, kind::CLAIM, &disk.claim).await?;
        if claim.is_some_and(|claim| claim.uid() == disk.claim_uid && !claim.is_deleting()) {
            return Ok(());
        }
        let copy = format!("{} {} in namespace {}", copy.kind_name().to_lowercase(), copy.name(), copy.namespace().unwrap_or("-"));
        let message = format!(
            "claim {} of the source was deleted during the move, so its copy may be all that is left and is kept: save what you need, delete {copy} \
             yourself, then go back again",
            disk.claim
        );
        Err(StepError::Blocked(Finding::blocking("E010", self.reference(End::Source, kind::CLAIM, &disk.claim), message)))
    }
}

fn taken_over(mark: &Mark) -> StepError {
    StepError::Lost(format!("the move is carried by {} now", mark.by))
}

/// The finding for a source machine that is not there any more.
pub(super) fn gone(cx: &Cx, machine: &str) -> Finding {
    let object = cx.reference(End::Source, kind::VM, machine);
    Finding::blocking("E003", object, format!("virtual machine {machine} of the source was deleted or made anew during the move"))
        .hint("nothing more is done with it; what the move made is listed by 'kubectl vmmove status'")
}
