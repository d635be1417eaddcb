//! Who still holds the disks of a machine: instances, pods, attachments to nodes.

use super::cx::{Cx, fault};
use crate::cluster::Reason;
use crate::engine::StepError;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;

impl Cx {
    /// The first pod that is not over and mounts one of these claims or runs this machine's guest.
    pub(super) async fn pod_on(&self, end: End, machine: &str, claims: &[&str]) -> Result<Option<String>, StepError> {
        let site = self.sites.at(end);
        let pods = site.cluster.list(kind::POD, Some(&site.namespace), None).await.map_err(fault)?;
        let holds = |pod: &&Manifest| !is_over(pod) && (mounts(pod, claims) || runs(pod, machine));
        Ok(pods.iter().find(holds).map(|pod| pod.name().to_owned()))
    }

    /// The node that one of these volumes is still attached to. Without the right to see attachments, none is seen.
    pub(super) async fn attachment_of(&self, volumes: &[&str]) -> Result<Option<String>, StepError> {
        let attachments = match self.source().cluster.list(kind::ATTACHMENT, None, None).await {
            Ok(attachments) => attachments,
            Err(error) if matches!(error.reason, Reason::Forbidden | Reason::NotFound) => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        let volume = |attachment: &Manifest| attachment.text("/spec/source/persistentVolumeName").unwrap_or_default().to_owned();
        let held = attachments.iter().find(|attachment| volumes.contains(&volume(attachment).as_str()));
        Ok(held.map(|attachment| {
            format!("volume {} to be detached from node {}", volume(attachment), attachment.text("/spec/nodeName").unwrap_or_default())
        }))
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
