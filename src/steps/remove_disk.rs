//! Deletes the source's claim and its DataVolume, after looking once more that the target has the disk and nobody else uses the source's.

use serde_json::{Value, json};

use super::cx::{Cx, fault};
use super::perform::Perform;
use super::remove_vm::refuse;
use crate::cluster::{Propagation, Reason, Topic};
use crate::engine::{Probe, StepError};
use crate::model::disk::{Claim, Volume};
use crate::model::event::Progress;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{End, ObjectRef};
use crate::model::vm::{Vm, Vmi};
use crate::plan::document::{DiskPlan, Ownership};
use crate::plan::request::Strategy;

pub(super) struct RemoveDisk<'a> {
    pub machine: &'a str,
    pub volume: &'a str,
}

impl RemoveDisk<'_> {
    /// The disk's DataVolume in the source, if it is still the one of the plan.
    async fn data_volume(&self, cx: &Cx, disk: &DiskPlan) -> Result<Option<Manifest>, StepError> {
        let Ownership::DataVolume { name, uid, .. } = &disk.ownership else { return Ok(None) };
        Ok(cx.get(End::Source, kind::DATA_VOLUME, name).await?.filter(|volume| volume.uid() == uid))
    }

    async fn claim(&self, cx: &Cx, disk: &DiskPlan) -> Result<Option<Manifest>, StepError> {
        Ok(cx.get(End::Source, kind::CLAIM, &disk.claim).await?.filter(|claim| claim.uid() == disk.claim_uid))
    }

    /// A volume by name; not being allowed to see it is a reason to refuse, for then nobody knows whose bytes are deleted.
    async fn volume(&self, cx: &Cx, name: &str) -> Result<Manifest, StepError> {
        match cx.target().cluster.get(&ObjectRef::cluster(End::Target, kind::VOLUME, name)).await {
            Ok(Some(volume)) => Ok(volume),
            Ok(None) => Err(refuse(cx, self.machine, &format!("persistentvolume {name} is not there"))),
            Err(error) if error.reason == Reason::Forbidden => {
                Err(refuse(cx, self.machine, "you may not read persistentvolumes, so nobody can say that the target's disk is not the source's own"))
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Whether this disk could be deleted now. Asked of every disk before the machine itself goes, so that cleanup refuses as a whole.
    pub(super) async fn could_go(&self, cx: &Cx) -> Result<(), StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        match self.claim(cx, disk).await? {
            Some(claim) => self.guard(cx, disk, &claim).await,
            None => Ok(()),
        }
    }

    /// All that must hold before the source's disk may go, read afresh.
    async fn guard(&self, cx: &Cx, disk: &DiskPlan, source: &Manifest) -> Result<(), StepError> {
        let no = |why: String| Err(refuse(cx, self.machine, &why));
        let target = cx.get(End::Target, kind::CLAIM, &disk.target_claim).await?;
        let Some(target) = target.filter(|claim| Claim(claim).is_bound()) else {
            return no(format!("claim {} of the target is not bound", disk.target_claim));
        };
        if let Some(why) = cx.made_anew(self.machine, disk, &target) {
            return no(why);
        }
        let volume = self.volume(cx, Claim(&target).volume_name().unwrap_or_default()).await?;
        if super::volume::claim_uid(&volume) != target.uid() {
            return no(format!("persistentvolume {} does not belong to claim {} of the target", volume.name(), target.name()));
        }
        if Claim(&target).capacity().unwrap_or(0) < disk.capacity {
            return no(format!("claim {} of the target is smaller than the source's", target.name()));
        }
        let original = self.volume(cx, disk.persistent_volume.as_deref().unwrap_or_default()).await?;
        let same = Volume(&volume).handle() == Volume(&original).handle();
        if same != (disk.strategy == Strategy::Rebind) || Volume(&volume).handle().is_none() {
            return no(format!("claim {} of the target is {} the source's own volume", target.name(), if same { "on" } else { "not on" }));
        }
        if disk.strategy == Strategy::Rebind && super::volume::claim_uid(&original) == source.uid() {
            return no(format!("persistentvolume {} still belongs to the source", original.name()));
        }
        if let Some(pod) = cx.pod_on(End::Source, self.machine, &[source.name()]).await? {
            return no(format!("pod {pod} uses claim {}", source.name()));
        }
        if !same && let Some(held) = cx.attachment_of(&[original.name()]).await? {
            return no(format!("persistentvolume {} is still attached to node {}", held.volume, held.node));
        }
        if let Some(other) = self.used_by_machine(cx, source.name()).await? {
            return no(format!("{other} uses claim {}", source.name()));
        }
        Ok(())
    }

    /// What stays of the source's disk: a volume whose policy is to outlive its claim.
    async fn kept(&self, cx: &Cx, disk: &DiskPlan) -> Option<String> {
        let name = disk.persistent_volume.as_deref().filter(|_| disk.strategy.copies())?;
        // Whoever may not look has not been let come this far.
        let volume = cx.get(End::Source, kind::VOLUME, name).await.ok().flatten()?;
        let stays = super::volume::claim_uid(&volume) == disk.claim_uid && Volume(&volume).reclaim_policy() == "Retain";
        stays.then(|| format!("{}/{name} stays with its bytes, for its reclaim policy is Retain", kind::VOLUME.singular()))
    }

    /// Another virtual machine or instance that names this claim.
    async fn used_by_machine(&self, cx: &Cx, claim: &str) -> Result<Option<String>, StepError> {
        let namespace = Some(cx.source().namespace.as_str());
        for vm in cx.source().cluster.list(kind::VM, namespace, None).await.map_err(fault)? {
            if vm.uid() != cx.machine(self.machine)?.uid && Vm(&vm).instance().volumes().any(|volume| volume.claim() == Some(claim)) {
                return Ok(Some(format!("virtual machine {}", vm.name())));
            }
        }
        for instance in cx.source().cluster.list(kind::VMI, namespace, None).await.map_err(fault)? {
            if !Vmi(&instance).is_final() && Vmi(&instance).instance().volumes().any(|volume| volume.claim() == Some(claim)) {
                return Ok(Some(format!("instance {}", instance.name())));
            }
        }
        Ok(None)
    }
}

impl Perform for RemoveDisk<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        let left = match self.data_volume(cx, disk).await? {
            Some(volume) => Some(volume),
            None => self.claim(cx, disk).await?,
        };
        Ok(match left {
            None => Probe::Ours(self.kept(cx, disk).await.map_or_else(|| json!({}), |remark| json!({"remark": remark}))),
            Some(left) if left.is_deleting() => {
                Probe::Underway(Progress::waiting_for(format!("{} {} to be deleted", left.kind_name().to_lowercase(), left.name())))
            }
            Some(_) => Probe::Absent,
        })
    }

    /// The DataVolume goes first and leaves its claim: the other way round it would make the claim anew.
    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let disk = cx.disk(self.machine, self.volume)?;
        if let Some(claim) = self.claim(cx, disk).await? {
            self.guard(cx, disk, &claim).await?;
        }
        if let Some(volume) = self.data_volume(cx, disk).await? {
            return cx.delete(&volume, End::Source, Propagation::Orphan).await;
        }
        match self.claim(cx, disk).await? {
            Some(claim) => cx.delete(&claim, End::Source, Propagation::Background).await,
            None => Ok(()),
        }
    }

    fn topics(&self, cx: &Cx) -> Vec<(End, Topic)> {
        let Ok(disk) = cx.disk(self.machine, self.volume) else { return Vec::new() };
        [kind::CLAIM, kind::DATA_VOLUME].into_iter().map(|kind| cx.topic(End::Source, kind, Some(&disk.claim))).collect()
    }
}
