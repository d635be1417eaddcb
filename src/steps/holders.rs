//! Who still holds the disks of a machine: instances, pods, attachments to nodes.

use super::cx::{Cx, fault};
use crate::cluster::Reason;
use crate::engine::StepError;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;

/// A volume on a node.
pub(super) struct Attached {
    pub volume: String,
    pub node: String,
}

impl Cx {
    /// The first pod that is not over and mounts one of these claims or runs this machine's guest.
    pub(super) async fn pod_on(&self, end: End, machine: &str, claims: &[&str]) -> Result<Option<String>, StepError> {
        let site = self.sites.at(end);
        let pods = site.cluster.list(kind::POD, Some(&site.namespace), None).await.map_err(fault)?;
        let holds = |pod: &&Manifest| !is_over(pod) && (mounts(pod, claims) || runs(pod, machine));
        Ok(pods.iter().find(holds).map(|pod| pod.name().to_owned()))
    }

    /// The first of these volumes that is still attached to a node. Without the right to see attachments, none is seen.
    pub(super) async fn attachment_of(&self, volumes: &[&str]) -> Result<Option<Attached>, StepError> {
        let attachments = match self.source().cluster.list(kind::ATTACHMENT, None, None).await {
            Ok(attachments) => attachments,
            Err(error) if matches!(error.reason, Reason::Forbidden | Reason::NotFound) => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        let attached = attachments.iter().map(|attachment| {
            let text = |pointer| attachment.text(pointer).unwrap_or_default().to_owned();
            Attached { volume: text("/spec/source/persistentVolumeName"), node: text("/spec/nodeName") }
        });
        Ok(attached.into_iter().find(|attached| volumes.contains(&attached.volume.as_str())))
    }
}

/// A pod whose containers have ended for good.
fn is_over(pod: &Manifest) -> bool {
    matches!(pod.text("/status/phase"), Some("Succeeded" | "Failed"))
}

fn mounts(pod: &Manifest, claims: &[&str]) -> bool {
    pod.list("/spec/volumes").filter_map(|volume| volume.text("/persistentVolumeClaim/claimName")).any(|claim| claims.contains(&claim))
}

/// The launcher of this machine, by its owner.
fn runs(pod: &Manifest, machine: &str) -> bool {
    pod.owners().any(|owner| owner.kind == kind::VMI.kind && owner.name == machine)
}
