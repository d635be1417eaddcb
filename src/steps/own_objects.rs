//! Owner references in the target as they were in the source: claims and frozen instancetypes that go with their machine.

use serde_json::{Value, json};

use super::create_vm::target_vm;
use super::cx::{Cx, fault};
use super::perform::Perform;
use crate::cluster::{Dry, Topic};
use crate::engine::{Probe, StepError};
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::plan::document::Ownership;
use crate::plan::rewrite::owner::own;

pub(super) struct OwnObjects<'a> {
    pub machine: &'a str,
}

impl OwnObjects<'_> {
    /// What the machine owns in the target, and whether as its controller.
    fn owned<'c>(&self, cx: &'c Cx) -> Result<Vec<(Kind, &'c str, bool)>, StepError> {
        let plan = cx.machine(self.machine)?;
        let claims =
            plan.disks.iter().filter(|disk| disk.ownership == Ownership::Machine).map(|disk| (kind::CLAIM, disk.target_claim.as_str(), false));
        let revisions = plan.revisions.iter().map(|name| (kind::CONTROLLER_REVISION, name.as_str(), true));
        Ok(claims.chain(revisions).collect())
    }

    async fn machine(&self, cx: &Cx) -> Result<Manifest, StepError> {
        let vm = target_vm(cx, cx.machine(self.machine)?).await?;
        vm.ok_or_else(|| StepError::permanent(format!("virtual machine {} is not in the target", self.machine)))
    }
}

impl Perform for OwnObjects<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let vm = self.machine(cx).await?;
        for (kind, name, _) in self.owned(cx)? {
            let owned = cx.get(End::Target, kind, name).await?.is_some_and(|object| object.is_owned_by(vm.uid()));
            if !owned {
                return Ok(Probe::Absent);
            }
        }
        Ok(Probe::Ours(json!({})))
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let vm = self.machine(cx).await?;
        for (kind, name, controller) in self.owned(cx)? {
            let Some(object) = cx.get(End::Target, kind, name).await? else {
                return Err(StepError::permanent(format!("{}/{name} is not in the target", kind.singular())));
            };
            // A revision that several machines share in the target has its controller already.
            let controller = controller && !object.owners().any(|owner| owner.controller);
            let ops = own(&object, &vm, controller);
            if !ops.is_empty() {
                cx.target().cluster.patch(&cx.reference(End::Target, kind, name), &ops, Dry::No).await.map_err(fault)?;
            }
        }
        Ok(())
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        vec![cx.topic(End::Target, kind::VM, Some(self.machine))]
    }
}
