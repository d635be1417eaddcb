//! The claims a move makes: a clone beside the source, the target's claim over a given volume, an equal empty one.
//!
//! Source of what must not be copied: kubevirt/kubevirt `pkg/storage/snapshot/restore.go`; a copied
//! `pv.kubernetes.io/bind-completed` makes the new claim Lost (kubernetes `pkg/controller/volume/persistentvolume`).

use serde_json::json;

use super::Marks;
use super::metadata::{DISK, EVERYWHERE, fresh_object};
use crate::model::disk::Claim;
use crate::model::kind;
use crate::model::manifest::Manifest;

/// A clone of a claim in its own namespace, by the storage driver. It asks for all that the source has: a driver that rounds up refuses
/// less, and one that wants equal sizes refuses more. Of the source's labels it has none, so that nothing mistakes it for the source.
pub fn staging_claim(source: &Manifest, name: &str, marks: &Marks) -> Manifest {
    let mut claim = Manifest::new(kind::CLAIM, source.namespace().unwrap_or_default(), name);
    claim.set("/spec", spec(source));
    if let Some(size) = Claim(source).size() {
        claim.set("/spec/resources/requests/storage", size.into());
    }
    claim.set("/spec/dataSource", json!({"kind": kind::CLAIM.kind, "name": source.name()}));
    marks.put(&mut claim);
    claim
}

/// The target's claim over a volume that is handed to it: what the source's claim is, without what bound or filled it. The binding
/// controller checks nothing of it when the volume names the claim, so class, size and modes are the source's to the letter.
pub fn target_claim(source: &Manifest, volume_name: &str, namespace: &str, name: &str, marks: &Marks) -> Manifest {
    let mut claim = blank_claim(source, None, namespace, name, marks);
    claim.set("/spec/volumeName", volume_name.into());
    claim
}

/// An empty claim equal to one that nothing was ever written to, on its own class or another one.
pub fn blank_claim(source: &Manifest, class: Option<&str>, namespace: &str, name: &str, marks: &Marks) -> Manifest {
    let mut claim = fresh_object(kind::CLAIM, source, namespace, name, &[EVERYWHERE, DISK]);
    claim.set("/spec", spec(source));
    if let Some(class) = class.filter(|class| Claim(source).class() != Some(class)) {
        claim.set("/spec/storageClassName", class.into());
        claim.remove("/spec/volumeAttributesClassName");
    }
    marks.put(&mut claim);
    claim
}

/// A claim's specification without the volume it is bound to and where its bytes came from. A left-over reference to a CDI source would
/// set CDI to work again.
fn spec(source: &Manifest) -> serde_json::Value {
    let mut bare = source.clone();
    for pointer in ["/spec/volumeName", "/spec/selector", "/spec/dataSource", "/spec/dataSourceRef"] {
        bare.remove(pointer);
    }
    if let Some(class) = Claim(source).class() {
        bare.set("/spec/storageClassName", class.into());
    }
    bare.remove("/spec").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Json;
    use crate::model::names::{LABEL_MOVE, MoveId};
    use crate::plan::rewrite::Role;

    fn source() -> Manifest {
        Manifest::from(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": "db-1-data", "namespace": "shop", "uid": "u", "resourceVersion": "9", "finalizers": ["kubernetes.io/pvc-protection"],
                "labels": {"app": "containerized-data-importer", "kubevirt.io/created-by": "x", "instancetype.kubevirt.io/default-instancetype": "u1.small"},
                "annotations": {
                    "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
                    "volume.kubernetes.io/storage-provisioner": "csi", "cdi.kubevirt.io/storage.contentType": "archive",
                    "cdi.kubevirt.io/storage.populatedFor": "db-1-data", "team": "shop"
                },
                "ownerReferences": [{"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "name": "db-1-data", "uid": "dv"}]
            },
            "spec": {
                "accessModes": ["ReadWriteMany", "ReadWriteOnce"], "volumeMode": "Block", "storageClassName": "fast", "volumeName": "pv-1",
                "resources": {"requests": {"storage": "10Gi"}}, "dataSourceRef": {"kind": "VolumeCloneSource", "name": "x"},
                "volumeAttributesClassName": "gold"
            },
            "status": {"phase": "Bound", "capacity": {"storage": "16Gi"}}
        }))
    }

    fn marks(role: Role) -> Marks {
        Marks { move_id: MoveId("m".into()), plan_digest: "d".into(), source_uid: "u".into(), role, epoch: None }
    }

    #[test]
    fn a_handed_over_volume_gets_the_same_claim_without_its_past() {
        let claim = target_claim(&source(), "pv-1", "prod", "db-1-data", &marks(Role::Target));
        assert!(marks(Role::Target).are_on(&claim));
        let told = |map: &str| claim.at(map).map(Json::to_value).unwrap_or_default().to_string();
        assert!(told("/metadata/annotations").contains("storage.contentType") && told("/metadata/annotations").contains("team"));
        for gone in ["bind-completed", "bound-by-controller", "storage-provisioner", "populatedFor"] {
            assert!(!told("/metadata/annotations").contains(gone), "{gone}");
        }
        assert_eq!(claim.label("instancetype.kubevirt.io/default-instancetype"), Some("u1.small"));
        assert_eq!(claim.label("kubevirt.io/created-by"), None);
        for gone in ["/metadata/ownerReferences", "/metadata/finalizers", "/metadata/uid", "/spec/dataSourceRef", "/status"] {
            assert_eq!(claim.at(gone), None, "{gone}");
        }
        let expected = json!({
            "accessModes": ["ReadWriteMany", "ReadWriteOnce"], "volumeMode": "Block", "storageClassName": "fast", "volumeName": "pv-1",
            "resources": {"requests": {"storage": "10Gi"}}, "volumeAttributesClassName": "gold"
        });
        assert_eq!(claim.at("/spec"), Some((&expected).into()));
    }

    #[test]
    fn a_clone_asks_for_what_the_source_has_and_wears_no_labels_of_it() {
        let claim = staging_claim(&source(), "vmmove-1", &marks(Role::Staging));
        assert_eq!((claim.namespace(), claim.text("/spec/resources/requests/storage")), (Some("shop"), Some("16Gi")));
        assert_eq!(claim.at("/spec/dataSource"), Some((&json!({"kind": "PersistentVolumeClaim", "name": "db-1-data"})).into()));
        assert_eq!(claim.labels().into_keys().collect::<Vec<_>>(), [LABEL_MOVE]);
        assert_eq!((claim.at("/spec/volumeName"), claim.at("/spec/dataSourceRef")), (None, None));
    }

    #[test]
    fn an_empty_disk_can_be_made_on_another_class() {
        let claim = blank_claim(&source(), Some("archive"), "prod", "db-1-data", &marks(Role::Target));
        assert_eq!((claim.text("/spec/storageClassName"), claim.at("/spec/volumeAttributesClassName")), (Some("archive"), None));
        assert_eq!(claim.at("/spec/volumeName"), None);
    }
}
