//! Reading claims, volumes and DataVolumes: lenses over the lossless manifest.
//!
//! Sources: kubernetes/api `core/v1/types.go`; kubevirt/containerized-data-importer `core/v1beta1/types.go` and
//! `pkg/controller/common/util.go` (annotations).

use super::json::Json;
use super::manifest::{Manifest, Owner};
use super::quantity;

/// Annotation of a claim: what CDI put into it; `kubevirt` when absent.
pub const ANNOTATION_CONTENT_TYPE: &str = "cdi.kubevirt.io/storage.contentType";

/// A PersistentVolumeClaim.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a>(pub &'a Manifest);

impl<'a> Claim<'a> {
    /// Bytes the claim has; `None` while it is not bound.
    pub fn capacity(self) -> Option<u64> {
        self.capacity_text().and_then(quantity::units)
    }

    /// What the claim has, as the server says it.
    pub fn capacity_text(self) -> Option<&'a str> {
        self.0.text("/status/capacity/storage")
    }

    /// What the claim asks for, as it says it.
    pub fn request(self) -> Option<&'a str> {
        self.0.text("/spec/resources/requests/storage")
    }

    /// The larger of what it asks for and what it has, as it is written there: what a copy must ask for.
    pub fn size(self) -> Option<&'a str> {
        let bytes = |text: &&str| quantity::units(text);
        self.request().into_iter().chain(self.capacity_text()).max_by_key(bytes)
    }

    /// The storage class; `None` when it has none (`""`) or the default was never filled in.
    pub fn class(self) -> Option<&'a str> {
        let class = self.0.text("/spec/storageClassName").or_else(|| self.0.annotation("volume.beta.kubernetes.io/storage-class"));
        class.filter(|class| !class.is_empty())
    }

    /// `Block` or `Filesystem`, which is the API's default.
    pub fn volume_mode(self) -> &'a str {
        self.0.text("/spec/volumeMode").unwrap_or("Filesystem")
    }

    pub fn access_modes(self) -> impl Iterator<Item = &'a str> {
        self.0.list("/spec/accessModes").filter_map(Json::as_str)
    }

    /// The volume it is, or is to be, bound to.
    pub fn volume_name(self) -> Option<&'a str> {
        self.0.text("/spec/volumeName").filter(|name| !name.is_empty())
    }

    /// `kubevirt` or `archive`: what CDI put into it.
    pub fn content_type(self) -> &'a str {
        self.0.annotation(ANNOTATION_CONTENT_TYPE).unwrap_or("kubevirt")
    }

    /// `Pending`, `Bound`, `Lost`.
    pub fn phase(self) -> &'a str {
        self.0.text("/status/phase").unwrap_or_default()
    }

    pub fn is_bound(self) -> bool {
        self.phase() == "Bound"
    }

    /// A resize has begun and has not ended.
    pub fn is_resizing(self) -> bool {
        let pending = |condition: Json| {
            matches!(condition.text("/type"), Some("Resizing" | "FileSystemResizePending")) && condition.text("/status") == Some("True")
        };
        let allocating = self.0.at("/status/allocatedResourceStatuses").is_some_and(|map| !map.is_empty());
        allocating || self.0.list("/status/conditions").any(pending)
    }

    /// The DataVolume that owns it.
    pub fn data_volume_owner(self) -> Option<Owner<'a>> {
        owner(self.0, "cdi.kubevirt.io/", "DataVolume")
    }

    /// The virtual machine that owns it directly.
    pub fn vm_owner(self) -> Option<Owner<'a>> {
        owner(self.0, "kubevirt.io/", "VirtualMachine")
    }
}

/// A PersistentVolume.
#[derive(Clone, Copy, Debug)]
pub struct Volume<'a>(pub &'a Manifest);

/// Which claim a volume belongs to. Only the UID tells it from another claim of the same name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClaimRef<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
}

impl<'a> Volume<'a> {
    pub fn claim_ref(self) -> Option<ClaimRef<'a>> {
        self.0.at("/spec/claimRef")?;
        let text = |key: &str| self.0.text(&format!("/spec/claimRef/{key}")).unwrap_or_default();
        Some(ClaimRef { namespace: text("namespace"), name: text("name"), uid: text("uid") })
    }

    /// What happens to the bytes when the claim goes: `Delete`, `Retain`; `Retain` is the API's default.
    pub fn reclaim_policy(self) -> &'a str {
        self.0.text("/spec/persistentVolumeReclaimPolicy").unwrap_or("Retain")
    }

    pub fn class(self) -> Option<&'a str> {
        self.0.text("/spec/storageClassName").filter(|class| !class.is_empty())
    }

    pub fn capacity(self) -> Option<u64> {
        self.0.text("/spec/capacity/storage").and_then(quantity::units)
    }

    pub fn volume_mode(self) -> &'a str {
        self.0.text("/spec/volumeMode").unwrap_or("Filesystem")
    }

    pub fn access_modes(self) -> impl Iterator<Item = &'a str> {
        self.0.list("/spec/accessModes").filter_map(Json::as_str)
    }

    /// The CSI driver; `None` for a volume of another sort.
    pub fn driver(self) -> Option<&'a str> {
        self.0.text("/spec/csi/driver")
    }

    /// What the driver calls the volume.
    pub fn handle(self) -> Option<&'a str> {
        self.0.text("/spec/csi/volumeHandle")
    }

    /// The Secrets that the driver reads for this volume, as `(field, namespace, name)`. They are part of the volume and cannot be changed.
    pub fn secrets(self) -> impl Iterator<Item = (&'static str, &'a str, &'a str)> {
        const FIELDS: [&str; 5] =
            ["nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef", "controllerExpandSecretRef", "controllerPublishSecretRef"];
        FIELDS.into_iter().filter_map(move |field| {
            let text = |key: &str| self.0.text(&format!("/spec/csi/{field}/{key}"));
            Some((field, text("namespace")?, text("name")?))
        })
    }

    /// Only some nodes reach it.
    pub fn has_node_affinity(self) -> bool {
        self.0.at("/spec/nodeAffinity").is_some()
    }

    /// `Available`, `Bound`, `Released`, `Failed`.
    pub fn phase(self) -> &'a str {
        self.0.text("/status/phase").unwrap_or_default()
    }
}

/// A CDI DataVolume.
#[derive(Clone, Copy, Debug)]
pub struct DataVolume<'a>(pub &'a Manifest);

impl<'a> DataVolume<'a> {
    /// `Succeeded`, `PendingPopulation`, `CSICloneInProgress`, ...; empty before CDI has looked.
    pub fn phase(self) -> &'a str {
        self.0.text("/status/phase").unwrap_or_default()
    }

    pub fn is_succeeded(self) -> bool {
        self.phase() == "Succeeded"
    }

    /// Nothing was written yet, because CDI waits for somebody to use the claim.
    pub fn waits_for_consumer(self) -> bool {
        matches!(self.phase(), "WaitForFirstConsumer" | "PendingPopulation")
    }

    /// How far CDI is, `0.0` to `1.0`, where it knows.
    pub fn progress(self) -> Option<f64> {
        let percent: f64 = self.0.text("/status/progress")?.strip_suffix('%')?.parse().ok()?;
        Some(percent / 100.0)
    }

    /// Where the bytes come from: the key of `spec.source`, or `sourceRef`.
    pub fn source(self) -> Option<&'a str> {
        let kind = self.0.at("/spec/source").and_then(|source| source.fields().next());
        kind.map(|(kind, _)| kind).or_else(|| self.0.at("/spec/sourceRef").map(|_| "sourceRef"))
    }

    /// The virtual machine that owns it.
    pub fn vm_owner(self) -> Option<Owner<'a>> {
        owner(self.0, "kubevirt.io/", "VirtualMachine")
    }

    /// The condition of this type, with its status, reason and message.
    pub fn condition(self, kind: &str) -> Option<Json<'a>> {
        self.0.list("/status/conditions").find(|condition| condition.text("/type") == Some(kind))
    }
}

fn owner<'a>(object: &'a Manifest, group: &str, kind: &str) -> Option<Owner<'a>> {
    object.owners().find(|owner| owner.kind == kind && owner.api_version.starts_with(group))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copy_asks_for_what_the_source_has_when_a_driver_rounded_up() {
        let claim = Manifest::from(
            json!({"spec": {"resources": {"requests": {"storage": "10Gi"}}}, "status": {"capacity": {"storage": "16Gi"}, "phase": "Bound"}}),
        );
        assert_eq!((Claim(&claim).size(), Claim(&claim).capacity(), Claim(&claim).is_bound()), (Some("16Gi"), Some(16 << 30), true));
        let unbound = Manifest::from(json!({"spec": {"resources": {"requests": {"storage": "10Gi"}}}}));
        assert_eq!((Claim(&unbound).size(), Claim(&unbound).volume_mode(), Claim(&unbound).content_type()), (Some("10Gi"), "Filesystem", "kubevirt"));
    }

    #[test]
    fn owners_are_told_apart_by_group_and_kind() {
        let owners = json!([{"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "name": "db-1", "uid": "u", "controller": true}]);
        let claim = Manifest::from(json!({"metadata": {"ownerReferences": owners}}));
        assert_eq!(Claim(&claim).data_volume_owner().map(|owner| owner.name), Some("db-1"));
        assert_eq!(Claim(&claim).vm_owner(), None);
    }

    #[test]
    fn a_resize_under_way_is_seen() {
        let mut claim = Manifest::from(json!({"status": {"conditions": [{"type": "FileSystemResizePending", "status": "True"}]}}));
        assert!(Claim(&claim).is_resizing());
        claim.remove("/status/conditions");
        assert!(!Claim(&claim).is_resizing());
    }

    #[test]
    fn a_volume_names_the_secrets_it_is_tied_to() {
        let csi = json!({"driver": "d", "volumeHandle": "h", "nodeStageSecretRef": {"namespace": "shop", "name": "key"}});
        let volume = Manifest::from(json!({"spec": {"csi": csi, "claimRef": {"namespace": "shop", "name": "c", "uid": "u"}}}));
        assert_eq!(Volume(&volume).secrets().collect::<Vec<_>>(), [("nodeStageSecretRef", "shop", "key")]);
        assert_eq!(Volume(&volume).claim_ref(), Some(ClaimRef { namespace: "shop", name: "c", uid: "u" }));
        assert_eq!(Volume(&volume).reclaim_policy(), "Retain");
    }

    #[test]
    fn progress_is_a_fraction_where_cdi_knows_it() {
        let known = Manifest::from(json!({"status": {"progress": "12.50%", "phase": "CloneInProgress"}, "spec": {"source": {"pvc": {}}}}));
        assert_eq!((DataVolume(&known).progress(), DataVolume(&known).source()), (Some(0.125), Some("pvc")));
        let unknown = Manifest::from(json!({"status": {"progress": "N/A"}}));
        assert_eq!(DataVolume(&unknown).progress(), None);
    }
}
