//! The driver's part of snapshots: takes them, looks for those that were brought along, destroys them.
//! Source: external-snapshotter 8.7 `pkg/sidecar-controller/snapshot_controller.go`; the driver's own rules as the laboratory's.
//!
//! Cases: `csi/a-snapshot-keeps-the-bytes-of-its-time`.

use std::time::Duration;

use serde_json::{Value, json};

use super::drivers::{self, refusal, setting, takes};
use super::snapshots::BEING_DELETED;
use super::volumes::let_go;
use super::{Controller, Subject, is_deleting, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{SNAPSHOT, SNAPSHOT_CLASS, SNAPSHOT_CONTENT};
use crate::sandbox::index::{VOLUMES_FOR, place};
use crate::sandbox::quantity::Quantity;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject =
    Subject { rules: &[], controllers: &[Controller { name: "csi-snapshotter", watches: &[(&SNAPSHOT_CONTENT, itself)], reconcile: look }] };

const BOUND: &str = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";
const AGAIN: Duration = Duration::from_secs(1);

fn look(world: &mut World, key: &Key) -> Option<Duration> {
    let content = world.store.get(key)?.clone();
    if is_deleting(&content) {
        remove(world, key, &content);
        return None;
    }
    if content.at("/status/readyToUse") == Some(&Value::Bool(true)) {
        return None;
    }
    let brought = text(&content, "/spec/source/snapshotHandle");
    if brought.is_empty() { take(world, key, &content) } else { find(world, key, brought) }
}

/// The content is its driver's to delete once its snapshot goes, or when it never was anybody's.
fn remove(world: &mut World, key: &Key, content: &Value) {
    let nobodys = !text(content, "/spec/source/snapshotHandle").is_empty() && text(content, "/spec/volumeSnapshotRef/uid").is_empty();
    if !nobodys && super::binding::annotation(content, BEING_DELETED).is_none() {
        return;
    }
    if text(content, "/spec/deletionPolicy") == "Delete" {
        world.disks.destroy(text(content, "/status/snapshotHandle"));
    }
    drop(world.change(key, |content| let_go(content, BOUND)));
}

fn fail(world: &mut World, key: &Key, reason: &str, why: &str) -> Option<Duration> {
    let content = world.store.get(key)?.clone();
    if text(&content, "/status/error/message") != why {
        let stamp = world.stamp();
        drop(world.change(key, |content| {
            content["status"]["error"] = json!({"message": why, "time": stamp});
            content["status"]["readyToUse"] = false.into();
        }));
        world.tell(&content, &format!("csi-snapshotter {}", text(&content, "/spec/driver")), "Warning", reason, why);
    }
    Some(AGAIN)
}

fn take(world: &mut World, key: &Key, content: &Value) -> Option<Duration> {
    let class = world.get(&SNAPSHOT_CLASS, "", text(content, "/spec/volumeSnapshotClassName")).unwrap_or_default();
    if setting(&class, "absent") == Some("true") {
        return None;
    }
    if let Some(refusal) = refusal(&class, "refuse") {
        let why = format!("Failed to create snapshot: failed to take snapshot of the volume {}: {:?}", volume_handle(content), refusal.told());
        return fail(world, key, "SnapshotCreationFailed", &why);
    }
    let handle = drivers::handle("snap", &format!("snapshot-{}", text(content, "/spec/volumeSnapshotRef/uid")));
    let now = world.now();
    world.disks.begin(&handle, now);
    let rest = takes(&class, "snapshot-seconds").checked_sub(world.spent_on(&handle)).filter(|rest| !rest.is_zero());
    if rest.is_some() {
        return rest;
    }
    let volume = volume_handle(content).to_owned();
    if world.disks.read(&volume).is_none() {
        let told = format!("rpc error: code = NotFound desc = source volume {volume:?}");
        let why = format!("Failed to create snapshot: failed to take snapshot of the volume {volume}: {told:?}");
        return fail(world, key, "SnapshotCreationFailed", &why);
    }
    world.disks.make(&handle, Some(&volume));
    let size = size_of(world, content, &volume);
    ready(world, key, &handle, size);
    None
}

fn volume_handle(content: &Value) -> &str {
    text(content, "/spec/source/volumeHandle")
}

/// How big the volume is that a snapshot was taken of, in bytes.
fn size_of(world: &World, content: &Value, volume: &str) -> i64 {
    let snapshot = &content["spec"]["volumeSnapshotRef"];
    let snapshot = world.get(&SNAPSHOT, text(snapshot, "/namespace"), text(snapshot, "/name")).unwrap_or_default();
    let claim = text(&snapshot, "/spec/source/persistentVolumeClaimName");
    let place = place(text(&snapshot, "/metadata/namespace"), claim);
    let volumes = world.store.find(&VOLUMES_FOR, &place);
    let mut named = volumes.filter(|(_, one)| text(one, "/spec/csi/volumeHandle") == volume);
    named.next().map(|(_, volume)| Quantity::at(volume, "/spec/capacity/storage").value()).unwrap_or_default()
}

/// Looks for a snapshot that was brought along among those that there are.
fn find(world: &mut World, key: &Key, handle: &str) -> Option<Duration> {
    if world.disks.read(handle).is_none() {
        let name = &key.name;
        let why = format!(
            "Failed to check and update snapshot content: failed to list snapshot for content {name}: \"can not find snapshot for snapshotID {handle}\""
        );
        return fail(world, key, "SnapshotContentCheckandUpdateFailed", &why);
    }
    let same = |other: &Value| text(other, "/status/snapshotHandle") == handle;
    let size =
        world.store.list(&SNAPSHOT_CONTENT, None).filter(|(_, other)| same(other)).find_map(|(_, other)| other["status"]["restoreSize"].as_i64());
    ready(world, key, handle, size.unwrap_or_default());
    None
}

fn ready(world: &mut World, key: &Key, handle: &str, size: i64) {
    let now = i64::try_from(world.now().as_nanosecond()).unwrap_or_default();
    drop(world.change(key, |content| {
        content["status"] = json!({"snapshotHandle": handle, "creationTime": now, "restoreSize": size, "readyToUse": true});
    }));
}
