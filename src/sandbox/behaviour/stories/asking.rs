//! What may be asked of a claim, and how it may change.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::sandbox::at::At;

#[test]
fn a_claim_is_completed_and_gets_a_volume_of_the_default_class() {
    let mut world = world();
    let (claim, volume) = world.bound("shop", "db", &json!({"resources": {"requests": {"storage": "1024Mi"}}}));
    assert_eq!(claim["spec"]["storageClassName"], "fast");
    assert_eq!(claim["spec"]["volumeMode"], "Filesystem");
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "1Gi");
    assert_eq!(claim["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    let annotations = json!({
        "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
        "volume.beta.kubernetes.io/storage-provisioner": "lab.vmmove.io", "volume.kubernetes.io/storage-provisioner": "lab.vmmove.io"});
    assert_eq!(claim["metadata"]["annotations"], annotations);
    assert_eq!(claim["status"], json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}));
    assert_eq!(volume["metadata"]["name"], format!("pvc-{}", text(&claim, "/metadata/uid")));
    assert_eq!(volume["spec"]["claimRef"]["uid"], claim["metadata"]["uid"]);
    assert_eq!(volume["status"]["phase"], "Bound");
    let finalizers = json!(["external-provisioner.volume.kubernetes.io/finalizer", "kubernetes.io/pv-protection"]);
    assert_eq!(volume["metadata"]["finalizers"], finalizers);
    assert_eq!(world.disks.read(text(&volume, "/spec/csi/volumeHandle")), Some(&[][..]));
}

#[test]
fn what_cannot_be_asked_for_is_refused_in_the_words_of_kubernetes() {
    let mut world = world();
    let refused = |world: &mut World, more: &Value| world.create(claim("shop", "db", more)).unwrap_err().message().to_owned();
    let invalid = "PersistentVolumeClaim \"db\" is invalid: ";
    for (more, words) in [
        (json!({"accessModes": []}), "spec.accessModes: Required value: at least 1 access mode is required"),
        (json!({"resources": {}}), "spec.resources[storage]: Required value"),
        (json!({"resources": {"requests": {"storage": "0"}}}), "spec.resources[storage]: Invalid value: \"0\": must be greater than zero"),
        (json!({"volumeMode": "Tape"}), "spec.volumeMode: Unsupported value: \"Tape\": supported values: \"Block\", \"Filesystem\""),
    ] {
        assert_eq!(refused(&mut world, &more), format!("{invalid}{words}"));
    }
    let unreadable = refused(&mut world, &json!({"resources": {"requests": {"storage": "ten"}}}));
    assert!(unreadable.contains("quantities must match the regular expression"), "{unreadable}");
}

#[test]
fn a_source_in_another_namespace_is_dropped_without_a_word() {
    let mut world = world();
    let more = json!({"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "db", "namespace": "store"}});
    let (claim, _) = world.bound("shop", "db", &more);
    assert!(claim.at("/spec/dataSourceRef").is_none() && claim.at("/spec/dataSource").is_none());
    world.bound("shop", "copy", &clone_of("db"));
    assert_eq!(world.claim("shop", "copy")["spec"]["dataSourceRef"], json!({"kind": "PersistentVolumeClaim", "name": "db"}));
}

#[test]
fn a_claim_may_only_grow_and_only_when_it_is_bound_and_its_class_allows_it() {
    let mut world = world();
    let request = |size: &'static str| move |claim: &mut Value| claim["spec"]["resources"]["requests"]["storage"] = size.into();
    world.bound("shop", "db", &json!({}));
    let smaller = world.edit(&CLAIM, "shop", "db", request("512Mi")).unwrap_err();
    let words = "PersistentVolumeClaim \"db\" is invalid: spec.resources.requests.storage: Forbidden: field can not be less than status.capacity";
    assert_eq!(smaller.message(), words);
    let moved = world.edit(&CLAIM, "shop", "db", |claim| claim["spec"]["storageClassName"] = "keep".into()).unwrap_err();
    let words = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n@@ ";
    assert!(moved.message().contains(words) && moved.message().contains("\n- \"StorageClassName\": \"fast\",\n+ \"StorageClassName\": \"keep\",\n"));
    world.edit(&STORAGE_CLASS, "", "fast", |class| class["allowVolumeExpansion"] = false.into()).unwrap();
    let grown = world.edit(&CLAIM, "shop", "db", request("2Gi")).unwrap_err();
    assert_eq!((grown.code(), grown.message().contains("only dynamically provisioned pvc can be resized")), (403, true));
}
