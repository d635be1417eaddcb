//! The engine's hands: finds a step's twin by its id and lets it act.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::cx::{Cx, fault};
use super::perform::Perform;
use super::sites::Sites;
use super::source::Fence;
use super::stop_vm::UNCLEAN;
use super::{
    adopt_disk::AdoptDisk, clone_claim::CloneClaim, clone_disk::CloneDisk, copy_object::CopyObject, create_namespace::CreateNamespace,
    create_vm::CreateVm, fence_vm::FenceVm, own_objects::OwnObjects, release_volume::ReleaseVolume, remove_disk::RemoveDisk, remove_vm::RemoveVm,
    reserve_claim::ReserveClaim, start_vm::StartVm, stop_vm::StopVm, swap_volume::SwapVolume, verify_vm::VerifyVm,
};
use crate::cluster::{Dry, Topic, Watching};
use crate::engine::clock::Clock;
use crate::engine::{Hands, Probe, StepError, Undo, Wakes};
use crate::model::graph::StepId;
use crate::model::journal::{Entry, Holder};
use crate::model::kind;
use crate::model::manifest::escape;
use crate::model::names::{ANNOTATION_FENCE, End, MoveId};
use crate::model::patch::PatchOp;
use crate::plan::document::PlanSpec;
use crate::plan::order;
use crate::plan::step::Step;

/// Acts on both ends of a move.
pub struct Hand {
    cx: Cx,
    steps: BTreeMap<StepId, Step>,
    /// Kept up to the end of the run: what one step waited for the next ones mostly wait for too, if of other objects.
    watches: RefCell<Vec<Arc<Watching>>>,
}

/// Runs one expression with the twin of a step.
macro_rules! with_twin {
    ($step:expr, $twin:ident => $body:expr) => {
        match $step {
            Step::CreateNamespace { namespace } => {
                let $twin = CreateNamespace { namespace };
                $body
            }
            Step::CopyObject { kind, name } => {
                let $twin = CopyObject { kind: *kind, name };
                $body
            }
            Step::ReserveClaim { machine, volume } => {
                let $twin = ReserveClaim { machine, volume };
                $body
            }
            Step::FenceVm { machine } => {
                let $twin = FenceVm { machine };
                $body
            }
            Step::StopVm { machine } => {
                let $twin = StopVm { machine, step: $step };
                $body
            }
            Step::CloneClaim { machine, volume } => {
                let $twin = CloneClaim { machine, volume };
                $body
            }
            Step::SwapVolume { machine, volume } => {
                let $twin = SwapVolume { machine, volume };
                $body
            }
            Step::CloneDisk { machine, volume } => {
                let $twin = CloneDisk { machine, volume };
                $body
            }
            Step::AdoptDisk { machine, volume } => {
                let $twin = AdoptDisk { machine, volume };
                $body
            }
            Step::CreateVm { machine } => {
                let $twin = CreateVm { machine };
                $body
            }
            Step::OwnObjects { machine } => {
                let $twin = OwnObjects { machine };
                $body
            }
            Step::StartVm { machine } => {
                let $twin = StartVm { machine, step: $step };
                $body
            }
            Step::VerifyVm { machine } => {
                let $twin = VerifyVm { machine, step: $step };
                $body
            }
            Step::RemoveVm { machine } => {
                let $twin = RemoveVm { machine };
                $body
            }
            Step::RemoveDisk { machine, volume } => {
                let $twin = RemoveDisk { machine, volume };
                $body
            }
            Step::ReleaseVolume { machine, volume } => {
                let $twin = ReleaseVolume { machine, volume };
                $body
            }
        }
    };
}

impl Hand {
    /// Hands for a plan, carried by this holder under this name.
    pub fn new(sites: Sites, plan: PlanSpec, digest: String, move_id: MoveId, holder: Holder, clock: Arc<dyn Clock>) -> Self {
        let steps = order::steps(&plan).into_iter().map(|step| (step.id(), step)).collect();
        let cx =
            Cx { sites, plan, digest, move_id, holder, clock, outputs: RefCell::default(), unclean: RefCell::default(), since: RefCell::default() };
        Self { cx, steps, watches: RefCell::default() }
    }

    /// Takes in what the journal tells of guests that were cut off: by now their instances are gone.
    pub fn recall<'e>(&self, journal: impl IntoIterator<Item = &'e Entry>) {
        let mut unclean = self.cx.unclean.borrow_mut();
        for entry in journal {
            match entry {
                Entry::Blocked { step, finding, .. } if finding.code == UNCLEAN => drop(unclean.insert(step.clone())),
                Entry::Started { step, .. } | Entry::Undone { step, .. } => drop(unclean.remove(step)),
                _ => {}
            }
        }
    }

    /// Writes this holder's number on the fences of machines that this move has fenced, so that an earlier holder that wakes up does nothing.
    ///
    /// # Errors
    /// `Lost` when a later holder has done so already.
    pub async fn take_over(&self, machines: &[String]) -> Result<(), StepError> {
        for machine in machines {
            let Some(vm) = self.cx.get(End::Source, kind::VM, machine).await? else { continue };
            let Fence::Ours(mark) = self.cx.fence_on(&vm)? else { continue };
            if mark.holder < self.cx.holder.number {
                let text = serde_json::to_string(&self.cx.mark()).map_err(|error| StepError::permanent(error.to_string()))?;
                let path = format!("/metadata/annotations/{}", escape(ANNOTATION_FENCE));
                let was = vm.annotation(ANNOTATION_FENCE).unwrap_or_default();
                let ops = [PatchOp::same_object(&vm), PatchOp::Test(path.clone(), was.into()), PatchOp::Replace(path, text.into())];
                self.cx.source().cluster.patch(&self.cx.reference(End::Source, kind::VM, machine), &ops, Dry::No).await.map_err(fault)?;
            }
        }
        Ok(())
    }

    fn step(&self, id: &StepId) -> Result<&Step, StepError> {
        self.steps.get(id).ok_or_else(|| StepError::permanent(format!("this version of the tool does not know step {id}")))
    }
}

impl Hands for Hand {
    type Wakes = Listening;

    async fn before(&self, id: &StepId) -> Result<Value, StepError> {
        let step = self.step(id)?;
        with_twin!(step, twin => twin.before(&self.cx).await)
    }

    async fn probe(&self, id: &StepId) -> Result<Probe, StepError> {
        let step = self.step(id)?;
        with_twin!(step, twin => twin.probe(&self.cx).await)
    }

    async fn perform(&self, id: &StepId, before: &Value) -> Result<(), StepError> {
        let step = self.step(id)?;
        with_twin!(step, twin => twin.perform(&self.cx, before).await)
    }

    async fn undo(&self, id: &StepId, before: &Value, made: Option<&Value>) -> Result<Undo, StepError> {
        let step = self.step(id)?;
        with_twin!(step, twin => twin.undo(&self.cx, before, made).await)
    }

    async fn loses_nothing(&self, id: &StepId) -> Result<bool, StepError> {
        let step = self.step(id)?;
        with_twin!(step, twin => twin.loses_nothing(&self.cx).await)
    }

    fn listen(&self, id: &StepId) -> Listening {
        let topics = self.step(id).map(|step| with_twin!(step, twin => twin.topics(&self.cx))).unwrap_or_default();
        let at = |end: End| topics.iter().filter(|(of, _)| *of == end).map(|(_, topic)| topic.clone()).collect::<Vec<Topic>>();
        let listening =
            Listening { source: self.cx.source().cluster.watch(&at(End::Source)), target: self.cx.target().cluster.watch(&at(End::Target)) };
        let mut kept = self.watches.borrow_mut();
        for watch in listening.source.watches().chain(listening.target.watches()) {
            if !kept.iter().any(|other| Arc::ptr_eq(other, watch)) {
                kept.push(watch.clone());
            }
        }
        drop(kept);
        listening
    }

    fn remember(&self, id: &StepId, output: Option<&Value>) {
        let mut outputs = self.cx.outputs.borrow_mut();
        match output {
            Some(output) => outputs.insert(id.clone(), output.clone()),
            None => outputs.remove(id),
        };
    }
}

/// Wake-up calls from both ends.
pub struct Listening {
    source: crate::cluster::Wakes,
    target: crate::cluster::Wakes,
}

impl Wakes for Listening {
    async fn next(&mut self) {
        tokio::select! {
            biased;
            () = self.source.next() => {}
            () = self.target.next() => {}
        }
    }
}
