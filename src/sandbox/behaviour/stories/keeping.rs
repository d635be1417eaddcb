//! Snapshots, growth, and how much a namespace may have.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::sandbox::catalog::{QUOTA, SNAPSHOT, SNAPSHOT_CONTENT};

fn with_snapshots() -> World {
    let mut world = world();
    let class = json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "metadata": {"name": "snaps"},
        "driver": "lab.vmmove.io", "deletionPolicy": "Delete"});
    world.create(class).unwrap();
    world
}

fn snapshot(namespace: &str, name: &str, source: &Value) -> Value {
    json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": {"name": name, "namespace": namespace},
        "spec": {"volumeSnapshotClassName": "snaps", "source": source}})
}

fn restored() -> Value {
    json!({"dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "then"}})
}

#[test]
fn a_snapshot_keeps_what_was_written_and_goes_with_its_content() {
    let mut world = with_snapshots();
    let (_, volume) = world.bound("shop", "db", &json!({}));
    let handle = text(&volume, "/spec/csi/volumeHandle");
    world.disks.write(handle, b"before");
    world.create(snapshot("shop", "then", &json!({"persistentVolumeClaimName": "db"}))).unwrap();
    world.let_pass(SECOND);
    world.disks.write(handle, b"after");
    let then = world.get(&SNAPSHOT, "shop", "then").unwrap();
    assert_eq!((&then["status"]["readyToUse"], &then["status"]["restoreSize"]), (&json!(true), &json!("1Gi")));
    assert_eq!(world.claim("shop", "db")["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    let (_, copy) = world.bound("shop", "copy", &restored());
    assert_eq!(world.disks.read(text(&copy, "/spec/csi/volumeHandle")), Some(&b"before"[..]));
    world.delete(&Key::new(&SNAPSHOT, "shop", "then")).unwrap();
    world.let_pass(SECOND);
    assert_eq!((world.list(&SNAPSHOT, None).len(), world.list(&SNAPSHOT_CONTENT, None).len(), world.disks.handles().count()), (0, 0, 2));
}

#[test]
fn a_snapshot_is_brought_into_another_namespace() {
    let mut world = with_snapshots();
    world.bound("shop", "db", &json!({}));
    world.create(snapshot("shop", "then", &json!({"persistentVolumeClaimName": "db"}))).unwrap();
    world.let_pass(SECOND);
    let first = world.list(&SNAPSHOT_CONTENT, None)[0].clone();
    let content = json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent", "metadata": {"name": "second"}, "spec": {
        "deletionPolicy": "Retain", "driver": "lab.vmmove.io", "source": {"snapshotHandle": first["status"]["snapshotHandle"]},
        "volumeSnapshotRef": {"namespace": "store", "name": "then"}}});
    world.create(content).unwrap();
    world.create(snapshot("store", "then", &json!({"volumeSnapshotContentName": "second"}))).unwrap();
    world.let_pass(SECOND);
    assert_eq!(world.get(&SNAPSHOT, "store", "then").unwrap()["status"]["readyToUse"], true);
    world.bound("store", "db", &restored());
    world.delete(&Key::new(&SNAPSHOT, "store", "then")).unwrap();
    world.delete(&Key::new(&SNAPSHOT_CONTENT, "", "second")).unwrap();
    world.let_pass(SECOND);
    assert_eq!(world.list(&SNAPSHOT_CONTENT, None).len(), 1);
    assert!(world.disks.read(text(&first, "/status/snapshotHandle")).is_some(), "what is retained stays");
}

#[test]
fn a_claim_grows_in_its_own_time() {
    for mode in ["Block", "Filesystem"] {
        let mut world = world();
        let (_, volume) = world.bound("shop", "db", &json!({"volumeMode": mode}));
        world.edit(&STORAGE_CLASS, "", "fast", |class| class["metadata"]["annotations"]["sandbox/expand-seconds"] = "5".into()).unwrap();
        world.edit(&CLAIM, "shop", "db", |claim| claim["spec"]["resources"]["requests"]["storage"] = "2Gi".into()).unwrap();
        world.let_pass(SECOND * 4);
        let claim = world.claim("shop", "db");
        assert_eq!((&claim["status"]["capacity"]["storage"], &claim["status"]["conditions"][0]["type"]), (&json!("1Gi"), &json!("Resizing")));
        world.let_pass(SECOND * 2);
        let claim = world.claim("shop", "db");
        assert_eq!((&claim["status"]["capacity"]["storage"], claim["status"].get("conditions")), (&json!("2Gi"), None), "{mode}");
        let volume = world.get(&VOLUME, "", text(&volume, "/metadata/name")).unwrap();
        assert_eq!(volume["spec"]["capacity"]["storage"], "2Gi");
    }
}

#[test]
fn a_namespace_has_no_more_than_its_quota_and_the_quota_says_how_much() {
    let mut world = world();
    let hard = json!({"requests.storage": "3Gi", "persistentvolumeclaims": "5", "fast.storageclass.storage.k8s.io/requests.storage": "2Gi",
        "count/leases.coordination.k8s.io": "1"});
    world
        .create(json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tight", "namespace": "shop"}, "spec": {"hard": hard}}))
        .unwrap();
    world.let_pass(SECOND);
    world.bound("shop", "one", &json!({}));
    world.let_pass(SECOND);
    let used = json!({"requests.storage": "1Gi", "persistentvolumeclaims": "1", "fast.storageclass.storage.k8s.io/requests.storage": "1Gi",
        "count/leases.coordination.k8s.io": "0"});
    assert_eq!(world.get(&QUOTA, "shop", "tight").unwrap()["status"]["used"], used);
    let refused = world.create(claim("shop", "two", &json!({"resources": {"requests": {"storage": "1536Mi"}}}))).unwrap_err();
    let name = "fast.storageclass.storage.k8s.io/requests.storage";
    let words = format!("exceeded quota: tight, requested: {name}=1536Mi, used: {name}=1Gi, limited: {name}=2Gi");
    assert_eq!(refused.message(), format!("persistentvolumeclaims \"two\" is forbidden: {words}"));
    let lease = |name: &str| json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, "namespace": "shop"}});
    world.create(lease("a")).unwrap();
    let name = "count/leases.coordination.k8s.io";
    let words = format!("exceeded quota: tight, requested: {name}=1, used: {name}=1, limited: {name}=1");
    let words = format!("leases.coordination.k8s.io \"b\" is forbidden: {words}");
    assert_eq!(world.create(lease("b")).unwrap_err().message(), words);
    world.delete(&Key::new(&CLAIM, "shop", "one")).unwrap();
    world.let_pass(SECOND);
    assert_eq!(world.get(&QUOTA, "shop", "tight").unwrap()["status"]["used"]["persistentvolumeclaims"], "0");
}

#[test]
fn pods_say_what_they_need_where_it_is_counted_and_get_what_is_usual() {
    let mut world = world();
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tight", "namespace": "shop"},
        "spec": {"hard": {"limits.memory": "1Gi", "requests.cpu": "2"}}});
    world.create(quota).unwrap();
    world.let_pass(SECOND);
    let pod = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": {"containers": [{"name": "main"}]}});
    let words = "pods \"a\" is forbidden: failed quota: tight: must specify limits.memory for: main; requests.cpu for: main";
    assert_eq!(world.create(pod("a")).unwrap_err().message(), words);
    let limits = json!([{"type": "Container", "default": {"memory": "768Mi", "cpu": "1"}, "max": {"memory": "1Gi"}}, {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]);
    world
        .create(json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "usual", "namespace": "shop"}, "spec": {"limits": limits}}))
        .unwrap();
    let made = world.create(pod("a")).unwrap();
    assert_eq!(made["spec"]["containers"][0]["resources"]["requests"], json!({"cpu": "1", "memory": "768Mi"}));
    let words =
        "pods \"b\" is forbidden: exceeded quota: tight, requested: limits.memory=768Mi, used: limits.memory=768Mi, limited: limits.memory=1Gi";
    assert_eq!(world.create(pod("b")).unwrap_err().message(), words);
    let big = world.create(claim("shop", "db", &json!({"resources": {"requests": {"storage": "2Gi"}}}))).unwrap_err();
    let words = "persistentvolumeclaims \"db\" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi";
    assert_eq!(big.message(), words);
}
