//! Snapshots of machines: a content that keeps the machine as it was, and a VolumeSnapshot of each of its disks.
//! Source: kubevirt 1.8 `pkg/storage/snapshot/{snapshot,source,util}.go`.
//!
//! Cases: `snapshots/a-machine-that-is-off-can-be-snapshotted`, `snapshots/a-snapshot-of-no-machine-waits`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::machine_rules::claim_of;
use super::objects::{add_finalizer, annotation, controlled_by, controller, drop_finalizer, list, put, remove, state};
use super::{Controller, Subject, is_deleting};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, SNAPSHOT, SNAPSHOT_CLASS, STORAGE_CLASS, VM, VM_SNAPSHOT, VM_SNAPSHOT_CONTENT};
use crate::sandbox::store::{Change, Key, What, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: &[],
    controllers: &[Controller {
        name: "snapshot-controller-of-machines",
        watches: &[(&VM_SNAPSHOT, of_machine), (&VM, snapshots_of), (&SNAPSHOT, of_disk)],
        reconcile,
    }],
};

const FINALIZER: &str = "snapshot.kubevirt.io/vmsnapshot-protection";
const CONTENT_FINALIZER: &str = "snapshot.kubevirt.io/vmsnapshotcontent-protection";
/// A snapshot takes at least so long: its machine is held for it.
const HELD: Duration = Duration::from_secs(1);

fn of_machine(_: &World, change: &Change) -> Vec<Key> {
    let mut keys = vec![Key::new(&VM, &change.key.namespace, text(&change.object, "/spec/source/name"))];
    if change.what != What::Deleted {
        keys.push(change.key.clone());
    }
    keys
}

/// The snapshots that are still waiting for a machine.
fn snapshots_of(world: &World, change: &Change) -> Vec<Key> {
    let waits = |snapshot: &Value| text(snapshot, "/spec/source/name") == change.key.name && text(snapshot, "/status/phase") != "Succeeded";
    world.store.list(&VM_SNAPSHOT, Some(&change.key.namespace)).filter(|(_, snapshot)| waits(snapshot)).map(|(key, _)| key.clone()).collect()
}

/// The machine's snapshot that the snapshot of a disk is a part of.
fn of_disk(world: &World, change: &Change) -> Vec<Key> {
    let owner = controller(&change.object).filter(|owner| text(owner, "/kind") == VM_SNAPSHOT_CONTENT.kind);
    let content = owner.and_then(|owner| world.get(&VM_SNAPSHOT_CONTENT, &change.key.namespace, text(owner, "/name")));
    let name = content.map(|content| text(&content, "/spec/virtualMachineSnapshotName").to_owned());
    name.map(|name| Key::new(&VM_SNAPSHOT, &change.key.namespace, &name)).into_iter().collect()
}

fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    if key.resource == &VM {
        hold(world, key);
        return None;
    }
    let snapshot = world.store.get(key)?.clone();
    if is_deleting(&snapshot) {
        let content = Key::new(&VM_SNAPSHOT_CONTENT, &key.namespace, &content_name(&snapshot));
        drop(world.change(&content, |content| drop_finalizer(content, CONTENT_FINALIZER)));
        drop(world.delete(&content));
        drop(world.change(key, |snapshot| drop_finalizer(snapshot, FINALIZER)));
        return None;
    }
    let now = world.stamp();
    match text(&snapshot, "/status/phase") {
        "" => {
            let begun = |snapshot: &mut Value| {
                add_finalizer(snapshot, FINALIZER);
                put(snapshot, "/status/phase", "InProgress");
                put(snapshot, "/status/readyToUse", false);
                state(snapshot, &now, "Progressing", "True", ("Source locked and operation in progress", ""));
                state(snapshot, &now, "Ready", "False", ("Not ready", ""));
            };
            drop(world.change(key, begun));
            Some(HELD)
        }
        // One whose annotation says so never ends.
        "InProgress" if annotation(&snapshot, "sandbox/snapshot") != Some("stays") => {
            let Some(vm) = world.get(&VM, &key.namespace, text(&snapshot, "/spec/source/name")) else {
                drop(world.change(key, |snapshot| state(snapshot, &now, "Progressing", "False", ("Source does not exist", ""))));
                return None;
            };
            take(world, key, &snapshot, &vm)
        }
        _ => None,
    }
}

/// Names the snapshot that is under way on its machine.
fn hold(world: &mut World, key: &Key) {
    let of_this = |snapshot: &Value| text(snapshot, "/spec/source/name") == key.name && text(snapshot, "/status/phase") == "InProgress";
    let snapshot = world.store.list(&VM_SNAPSHOT, Some(&key.namespace)).find(|(_, one)| of_this(one) && !is_deleting(one));
    let name = snapshot.map(|(key, _)| key.name.clone());
    let noted = |vm: &mut Value| match name {
        Some(name) => put(vm, "/status/snapshotInProgress", name),
        None => remove(vm, "/status", "snapshotInProgress"),
    };
    drop(world.change(key, noted));
}

fn content_name(snapshot: &Value) -> String {
    format!("vmsnapshot-content-{}", text(snapshot, "/metadata/uid"))
}

/// Keeps the machine as it is, has its disks snapshotted, and is done when they are.
fn take(world: &mut World, key: &Key, snapshot: &Value, vm: &Value) -> Option<Duration> {
    let at = Key::new(&VM_SNAPSHOT_CONTENT, &key.namespace, &content_name(snapshot));
    if world.store.get(&at).is_none() {
        drop(world.create(content(world, snapshot, vm)));
    }
    let content = world.store.get(&at)?.clone();
    let backups = list(&content, "/spec/volumeBackups").to_vec();
    let mut ready = true;
    for backup in &backups {
        let name = text(backup, "/volumeSnapshotName");
        if let Some(found) = world.get(&SNAPSHOT, &key.namespace, name) {
            ready &= found.at("/status/readyToUse") == Some(&true.into());
        } else {
            ready = false;
            drop(world.create(disk_snapshot(world, &content, backup)));
        }
    }
    if !ready {
        return Some(HELD);
    }
    let now = world.stamp();
    let parts: Vec<Value> =
        backups.iter().map(|backup| json!({"volumeSnapshotName": backup["volumeSnapshotName"], "readyToUse": true, "creationTime": now})).collect();
    let kept = |content: &mut Value| {
        put(content, "/status/readyToUse", true);
        put(content, "/status/creationTime", now.clone());
        put(content, "/status/volumeSnapshotStatus", parts);
    };
    drop(world.change(&at, kept));
    let names = |kept: bool| -> Vec<Value> {
        let is_kept = |volume: &&Value| backups.iter().any(|backup| backup["volumeName"] == volume["name"]) == kept;
        list(vm, "/spec/template/spec/volumes").iter().filter(is_kept).map(|volume| volume["name"].clone()).collect()
    };
    let done = |snapshot: &mut Value| {
        put(snapshot, "/status/phase", "Succeeded");
        put(snapshot, "/status/readyToUse", true);
        put(snapshot, "/status/creationTime", now.clone());
        put(snapshot, "/status/sourceUID", vm["metadata"]["uid"].clone());
        put(snapshot, "/status/virtualMachineSnapshotContentName", at.name.as_str());
        for (field, kept) in [("includedVolumes", true), ("excludedVolumes", false)] {
            if !names(kept).is_empty() {
                put(snapshot, &format!("/status/snapshotVolumes/{field}"), names(kept));
            }
        }
        state(snapshot, &now, "Progressing", "False", ("Operation complete", ""));
        state(snapshot, &now, "Ready", "True", ("Operation complete", ""));
    };
    drop(world.change(key, done));
    None
}

/// The machine as it is, and what is to be kept of its disks.
fn content(world: &World, snapshot: &Value, vm: &Value) -> Value {
    let (namespace, uid) = (text(vm, "/metadata/namespace"), text(snapshot, "/metadata/uid"));
    let mut backups = Vec::new();
    for volume in list(vm, "/spec/template/spec/volumes").iter().filter(|volume| possible(world, namespace, volume).0) {
        let Some(claim) = claim_of(volume).and_then(|name| world.get(&CLAIM, namespace, name)) else { continue };
        let meta = &claim["metadata"];
        backups.push(json!({
            "volumeName": volume["name"], "volumeSnapshotName": format!("vmsnapshot-{uid}-volume-{}", text(volume, "/name")),
            "persistentVolumeClaim": {
                "metadata": {"name": meta["name"], "namespace": meta["namespace"], "labels": meta["labels"], "annotations": meta["annotations"]},
                "spec": claim["spec"],
            },
        }));
    }
    let mut kept = vm.clone();
    for dropped in ["managedFields", "finalizers", "ownerReferences"] {
        remove(&mut kept, "/metadata", dropped);
    }
    json!({
        "apiVersion": VM_SNAPSHOT_CONTENT.api_version(), "kind": VM_SNAPSHOT_CONTENT.kind,
        "metadata": {"name": content_name(snapshot), "namespace": namespace, "finalizers": [CONTENT_FINALIZER]},
        "spec": {
            "virtualMachineSnapshotName": snapshot["metadata"]["name"], "volumeBackups": backups,
            "source": {"virtualMachine": {"metadata": kept["metadata"], "spec": kept["spec"], "status": kept["status"]}},
        },
    })
}

fn disk_snapshot(world: &World, content: &Value, backup: &Value) -> Value {
    let class = class_of(world, text(backup, "/persistentVolumeClaim/spec/storageClassName"));
    json!({
        "apiVersion": SNAPSHOT.api_version(), "kind": SNAPSHOT.kind,
        "metadata": {
            "name": backup["volumeSnapshotName"], "namespace": content["metadata"]["namespace"],
            "ownerReferences": [controlled_by(&VM_SNAPSHOT_CONTENT, content)],
        },
        "spec": {
            "source": {"persistentVolumeClaimName": backup["persistentVolumeClaim"]["metadata"]["name"]},
            "volumeSnapshotClassName": class.map(|class| class["metadata"]["name"].clone()),
        },
    })
}

/// The class of snapshots for claims of a storage class.
fn class_of(world: &World, class: &str) -> Option<Arc<Value>> {
    let class = world.get(&STORAGE_CLASS, "", class)?;
    let fits = |one: &Value| text(one, "/driver") == text(&class, "/provisioner");
    world.store.list(&SNAPSHOT_CLASS, None).find(|(_, one)| fits(one)).map(|(_, one)| one.clone())
}

/// Whether snapshots of a machine's volume can be taken, and why not.
pub fn possible(world: &World, namespace: &str, volume: &Value) -> (bool, String) {
    let name = text(volume, "/name");
    let Some(claim) = claim_of(volume) else { return (false, format!("Snapshot is not supported for this volumeSource type [{name}]")) };
    let Some(claim) = world.get(&CLAIM, namespace, claim) else { return (false, "PVC not found".to_owned()) };
    let class = text(&claim, "/spec/storageClassName");
    if class_of(world, class).is_some() {
        return (true, String::new());
    }
    (false, format!("No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [{class}] [{name}]"))
}
