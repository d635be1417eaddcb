//! Snapshots of machines, as far as a move meets them: one that is under way is named on its machine.
//! Source: kubevirt 1.8 `pkg/storage/snapshot/snapshot.go`.

use std::time::Duration;

use serde_json::Value;

use super::machine_rules::claim_of;
use super::objects::{put, remove, state};
use super::{Controller, Subject, is_deleting};
use crate::sandbox::catalog::{CLAIM, SNAPSHOT_CLASS, STORAGE_CLASS, VM, VM_SNAPSHOT};
use crate::sandbox::store::{Change, Key, What, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject =
    Subject { rules: &[], controllers: &[Controller { name: "snapshot-controller", watches: &[(&VM_SNAPSHOT, of_machine)], reconcile }] };

fn of_machine(_: &World, change: &Change) -> Vec<Key> {
    let mut keys = vec![Key::new(&VM, &change.key.namespace, text(&change.object, "/spec/source/name"))];
    if change.what != What::Deleted {
        keys.push(change.key.clone());
    }
    keys
}

/// A snapshot is taken in two seconds; one whose annotation `sandbox/snapshot` says `stays` never ends.
fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    if key.resource == &VM {
        let of_this = |snapshot: &Value| text(snapshot, "/spec/source/name") == key.name && text(snapshot, "/status/phase") == "InProgress";
        let snapshot = world.store.list(&VM_SNAPSHOT, Some(&key.namespace)).find(|(_, one)| of_this(one) && !is_deleting(one));
        let name = snapshot.map(|(key, _)| key.name.clone());
        let noted = |vm: &mut Value| match name {
            Some(name) => put(vm, "/status/snapshotInProgress", name),
            None => remove(vm, "/status", "snapshotInProgress"),
        };
        drop(world.change(key, noted));
        return None;
    }
    let snapshot = world.store.get(key)?.clone();
    let now = world.stamp();
    match text(&snapshot, "/status/phase") {
        "" => {
            let begun = |snapshot: &mut Value| {
                put(snapshot, "/status/phase", "InProgress");
                put(snapshot, "/status/readyToUse", false);
                state(snapshot, &now, "Progressing", "True", ("Source locked and operation in progress", ""));
                state(snapshot, &now, "Ready", "False", ("Not ready", ""));
            };
            drop(world.change(key, begun));
            Some(Duration::from_secs(2))
        }
        "InProgress" if super::objects::annotation(&snapshot, "sandbox/snapshot") != Some("stays") => {
            let done = |snapshot: &mut Value| {
                put(snapshot, "/status/phase", "Succeeded");
                put(snapshot, "/status/readyToUse", true);
                put(snapshot, "/status/creationTime", now.clone());
                state(snapshot, &now, "Progressing", "False", ("Operation complete", ""));
                state(snapshot, &now, "Ready", "True", ("Operation complete", ""));
            };
            drop(world.change(key, done));
            None
        }
        _ => None,
    }
}

/// Whether snapshots of a machine's volume can be taken, and why not.
pub fn possible(world: &World, namespace: &str, volume: &Value) -> (bool, String) {
    let name = text(volume, "/name");
    let Some(claim) = claim_of(volume) else { return (false, format!("Snapshot is not supported for this volumeSource type [{name}]")) };
    let Some(claim) = world.get(&CLAIM, namespace, claim) else { return (false, "PVC not found".to_owned()) };
    let class = text(&claim, "/spec/storageClassName");
    let driver = world.get(&STORAGE_CLASS, "", class).map(|class| text(&class, "/provisioner").to_owned());
    let of_driver = |(_, one): (&Key, &std::sync::Arc<Value>)| Some(text(one, "/driver")) == driver.as_deref();
    if world.store.list(&SNAPSHOT_CLASS, None).any(of_driver) {
        return (true, String::new());
    }
    (false, format!("No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [{class}] [{name}]"))
}
