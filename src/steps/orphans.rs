//! DataVolumes that outlive their machine. Kubernetes' garbage collector takes their owner away, but CDI asks whoever changes a DataVolume that
//! is a clone for the right to clone, and the collector has none: the machine would be "Terminating" for ever. So the move does it itself.
//!
//! Source: containerized-data-importer 1.65 `pkg/apiserver/webhooks/datavolume-mutate.go`, `AuthorizeUser` in its API package.

use super::cx::{Cx, fault};
use crate::cluster::Dry;
use crate::engine::StepError;
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::{Manifest, escape};
use crate::model::names::End;
use crate::model::patch::PatchOp;

/// CDI's annotation of a DataVolume that has its data: nobody is asked for the right to clone any more.
const PREPOPULATED: &str = "cdi.kubevirt.io/storage.prePopulated";
const ANNOTATIONS: &str = "/metadata/annotations";
const OWNERS: &str = "/metadata/ownerReferences";

impl Cx {
    /// The machine's own DataVolumes that are clones.
    pub(super) async fn clones_of(&self, end: End, machine_uid: &str) -> Result<Vec<Manifest>, StepError> {
        let site = self.sites.at(end);
        let mut found = site.cluster.list(kind::DATA_VOLUME, Some(&site.namespace), None).await.map_err(fault)?;
        found.retain(|volume| is_clone(volume) && volume.is_owned_by(machine_uid));
        Ok(found)
    }

    /// Takes a machine that is being deleted from the owners of its clones.
    pub(super) async fn let_clones_go(&self, end: End, machine_uid: &str) -> Result<(), StepError> {
        for volume in self.clones_of(end, machine_uid).await? {
            let at = self.reference(end, kind::DATA_VOLUME, volume.name());
            self.sites.at(end).cluster.patch(&at, &letting_go(&volume, machine_uid), Dry::No).await.map_err(fault)?;
        }
        Ok(())
    }
}

fn is_clone(volume: &Manifest) -> bool {
    ["/spec/source/pvc", "/spec/source/snapshot", "/spec/sourceRef"].iter().any(|from| volume.at(from).is_some())
}

/// The patch after which nobody owns it whom the machine's end would take along.
fn letting_go(volume: &Manifest, machine_uid: &str) -> Vec<PatchOp> {
    let others = volume.list(OWNERS).filter(|owner| owner.text("/uid") != Some(machine_uid));
    let rest: Vec<serde_json::Value> = others.map(Json::to_value).collect();
    let mut ops = vec![PatchOp::unchanged(volume)];
    ops.push(if rest.is_empty() { PatchOp::Remove(OWNERS.to_owned()) } else { PatchOp::Replace(OWNERS.to_owned(), rest.into()) });
    if volume.at(ANNOTATIONS).is_none() {
        ops.push(PatchOp::Add(ANNOTATIONS.to_owned(), serde_json::json!({})));
    }
    if volume.annotation(PREPOPULATED).is_none() {
        ops.push(PatchOp::Add(format!("{ANNOTATIONS}/{}", escape(PREPOPULATED)), volume.name().into()));
    }
    ops
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::patch::apply;

    #[test]
    fn a_clone_is_let_go_by_the_machine_alone() {
        let owned = |owners| Manifest::from(json!({"metadata": {"name": "root", "resourceVersion": "7", "ownerReferences": owners}}));
        let gone = apply(&letting_go(&owned(json!([{"uid": "vm"}])), "vm"), &owned(json!([{"uid": "vm"}]))).unwrap();
        assert!(gone.at(OWNERS).is_none());
        assert_eq!(gone.annotation(PREPOPULATED), Some("root"));
        let shared = owned(json!([{"uid": "vm"}, {"uid": "other"}]));
        assert_eq!(apply(&letting_go(&shared, "vm"), &shared).unwrap().at(OWNERS), Some((&json!([{"uid": "other"}])).into()));
    }

    #[test]
    fn only_clones_need_it() {
        let made = |spec| is_clone(&Manifest::from(json!({"spec": spec})));
        assert!(made(json!({"source": {"pvc": {"name": "a"}}})) && made(json!({"sourceRef": {"kind": "DataSource"}})));
        assert!(!made(json!({"source": {"blank": {}}})));
    }
}
