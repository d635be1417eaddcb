//! Snapshots of volumes and their contents, made by the driver or brought along by hand.
//! Source: external-snapshotter 8.7 `pkg/common-controller/snapshot_controller.go`.
//!
//! Cases: `csi/a-snapshot-of-what-is-not-there-says-so`, `csi/a-snapshot-goes-with-its-content`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::binding::annotation;
use super::origins::AS_SOURCE;
use super::volumes::{hold, is_held, let_go};
use super::{Controller, Subject, is_deleting, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, SNAPSHOT, SNAPSHOT_CLASS, SNAPSHOT_CONTENT, VOLUME};
use crate::sandbox::quantity::Quantity;
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: &[],
    controllers: &[Controller { name: "snapshot-controller", watches: &[(&SNAPSHOT, itself), (&SNAPSHOT_CONTENT, snapshot_of)], reconcile: look }],
};

const COMPONENT: &str = "snapshot-controller";
const BOUND: &str = "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection";
/// Holds the claim of a snapshot that is being taken.
const CLAIM_AS_SOURCE: &str = "snapshot.storage.kubernetes.io/pvc-as-source-protection";
const CONTENT_BOUND: &str = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";
/// On a content whose snapshot goes: the driver's part may go, too.
pub const BEING_DELETED: &str = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted";
const IS_DEFAULT: &str = "snapshot.storage.kubernetes.io/is-default-class";
const AGAIN: Duration = Duration::from_secs(1);

fn snapshot_of(_: &World, change: &Change) -> Vec<Key> {
    let of = &change.object["spec"]["volumeSnapshotRef"];
    vec![Key::new(&SNAPSHOT, text(of, "/namespace"), text(of, "/name"))]
}

fn look(world: &mut World, key: &Key) -> Option<Duration> {
    let snapshot = world.store.get(key)?.clone();
    release_claim(world, &snapshot);
    if is_deleting(&snapshot) {
        return remove(world, key, &snapshot);
    }
    let source = &snapshot["spec"]["source"];
    let (claim, content) = (text(source, "/persistentVolumeClaimName"), text(source, "/volumeSnapshotContentName"));
    if claim.is_empty() == content.is_empty() {
        let why = "Exactly one of PersistentVolumeClaimName and VolumeSnapshotContentName should be specified";
        return fail(world, key, "SnapshotValidationError", why);
    }
    drop(world.change(key, |snapshot| hold(snapshot, AS_SOURCE)));
    if content.is_empty() { taken(world, key, &snapshot) } else { brought(world, key, &snapshot, content) }
}

/// Notes an error, and tries again.
fn fail(world: &mut World, key: &Key, reason: &str, why: &str) -> Option<Duration> {
    let snapshot = world.store.get(key)?.clone();
    if text(&snapshot, "/status/error/message") != why {
        let stamp = world.stamp();
        drop(world.change(key, |snapshot| {
            snapshot["status"]["error"] = json!({"message": why, "time": stamp});
            snapshot["status"]["readyToUse"] = false.into();
        }));
        world.tell(&snapshot, COMPONENT, "Warning", reason, why);
    }
    Some(AGAIN)
}

/// Whether a content is for this snapshot; one that was brought along may leave the identity open.
fn is_for(content: &Value, snapshot: &Value) -> bool {
    let of = &content["spec"]["volumeSnapshotRef"];
    let uid = text(of, "/uid");
    ["name", "namespace"].iter().all(|field| of[*field] == snapshot["metadata"][*field]) && (uid.is_empty() || snapshot["metadata"]["uid"] == uid)
}

/// A snapshot that somebody else took.
fn brought(world: &mut World, key: &Key, snapshot: &Arc<Value>, name: &str) -> Option<Duration> {
    let content_key = Key::new(&SNAPSHOT_CONTENT, "", name);
    let Some(content) = world.store.get(&content_key).cloned() else {
        return fail(world, key, "SnapshotContentMissing", "VolumeSnapshotContent is missing");
    };
    if content.at("/spec/source/snapshotHandle").is_none() {
        let why = "VolumeSnapshotContent is dynamically provisioned while expecting a pre-provisioned one";
        return fail(world, key, "SnapshotContentMismatch", why);
    }
    if !is_for(&content, snapshot) {
        return fail(world, key, "SnapshotContentMisbound", &format!("VolumeSnapshotContent [{name}] is bound to a different snapshot"));
    }
    drop(world.change(&content_key, |content| {
        content["spec"]["volumeSnapshotRef"]["uid"] = snapshot["metadata"]["uid"].clone();
        hold(content, CONTENT_BOUND);
    }));
    report(world, key, &content_key);
    None
}

/// A snapshot that the driver is to take.
fn taken(world: &mut World, key: &Key, snapshot: &Arc<Value>) -> Option<Duration> {
    let content = Key::new(&SNAPSHOT_CONTENT, "", &format!("snapcontent-{}", text(snapshot, "/metadata/uid")));
    if world.store.get(&content).is_none() {
        if text(snapshot, "/status/boundVolumeSnapshotContentName") == content.name {
            return fail(world, key, "SnapshotContentMissing", "VolumeSnapshotContent is missing");
        }
        let made = match manifest(world, snapshot, &content.name) {
            Ok(made) => made,
            Err((reason, why)) => return fail(world, key, reason, &why),
        };
        let claim = Key::new(&CLAIM, &key.namespace, text(snapshot, "/spec/source/persistentVolumeClaimName"));
        drop(world.change(&claim, |claim| hold(claim, CLAIM_AS_SOURCE)));
        if snapshot.at("/spec/volumeSnapshotClassName").is_none() {
            let class = made["spec"]["volumeSnapshotClassName"].clone();
            drop(world.change(key, |snapshot| snapshot["spec"]["volumeSnapshotClassName"] = class));
        }
        drop(world.create(made));
        let told = format!("Waiting for a snapshot {}/{} to be created by the CSI driver.", key.namespace, key.name);
        world.tell(snapshot, COMPONENT, "Normal", "CreatingSnapshot", &told);
    }
    report(world, key, &content);
    None
}

type Failure = (&'static str, String);

/// The content that a snapshot gets.
fn manifest(world: &World, snapshot: &Value, name: &str) -> Result<Value, Failure> {
    let failed = |why: String| ("SnapshotContentCreationFailed", format!("Failed to create snapshot content with error {why}"));
    let (namespace, own) = (text(snapshot, "/metadata/namespace"), text(snapshot, "/metadata/name"));
    let not_updated = |name: &str, why: &str| failed(format!("snapshot controller failed to update {name} on API server: {why}"));
    let claim_name = text(snapshot, "/spec/source/persistentVolumeClaimName");
    let claim = world.get(&CLAIM, namespace, claim_name).ok_or_else(|| not_updated(own, "cannot get claim from snapshot"))?;
    if is_deleting(&claim) && !is_held(&claim, CLAIM_AS_SOURCE) {
        return Err(not_updated(claim_name, "cannot add finalizer on claim because it is being deleted"));
    }
    let input = |why: &str| failed(format!("failed to get input parameters to create snapshot {own}: {why:?}"));
    if text(&claim, "/status/phase") != "Bound" {
        return Err(input(&format!("the PVC {claim_name} is not yet bound to a PV, will not attempt to take a snapshot")));
    }
    let volume =
        world.get(&VOLUME, "", text(&claim, "/spec/volumeName")).filter(|volume| volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]);
    let volume = volume.ok_or_else(|| input("claim in dataSource not bound or invalid"))?;
    let driver = text(&volume, "/spec/csi/driver");
    let class = class(world, snapshot, driver)?;
    if text(&class, "/driver") != driver {
        return Err(input(&format!("the driver of the class is not the one of the volume, {driver}")));
    }
    Ok(json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent", "metadata": {"name": name, "finalizers": [CONTENT_BOUND]},
        "spec": {
            "deletionPolicy": class["deletionPolicy"], "driver": driver, "source": {"volumeHandle": volume["spec"]["csi"]["volumeHandle"]},
            "sourceVolumeMode": volume["spec"]["volumeMode"], "volumeSnapshotClassName": class["metadata"]["name"],
            "volumeSnapshotRef": {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "namespace": namespace, "name": own,
                "uid": snapshot["metadata"]["uid"], "resourceVersion": snapshot["metadata"]["resourceVersion"]},
        },
    }))
}

fn class(world: &World, snapshot: &Value, driver: &str) -> Result<Arc<Value>, Failure> {
    let name = text(snapshot, "/spec/volumeSnapshotClassName");
    if !name.is_empty() {
        let missing = || {
            let why = format!(
                "failed to retrieve snapshot class {name} from the informer: volumesnapshotclass.snapshot.storage.k8s.io \"{name}\" not found"
            );
            ("GetSnapshotClassFailed", format!("Failed to get snapshot class with error {why}"))
        };
        return world.get(&SNAPSHOT_CLASS, "", name).ok_or_else(missing);
    }
    let defaults = world.list(&SNAPSHOT_CLASS, None).into_iter();
    let defaults: Vec<_> = defaults.filter(|class| annotation(class, IS_DEFAULT) == Some("true") && text(class, "/driver") == driver).collect();
    let why = match defaults.as_slice() {
        [one] => return Ok(one.clone()),
        [] => "cannot find default snapshot class".to_owned(),
        several => format!("{} default snapshot classes were found", several.len()),
    };
    Err(("SetDefaultSnapshotClassFailed", format!("Failed to set default snapshot class with error {why}")))
}

/// Says of a snapshot what is said of its content.
fn report(world: &mut World, key: &Key, content_key: &Key) {
    let (Some(snapshot), Some(content)) = (world.store.get(key).cloned(), world.store.get(content_key).cloned()) else { return };
    let said = &content["status"];
    let ready = said["readyToUse"] == true;
    let created = said["creationTime"].as_i64().and_then(|nanoseconds| jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).ok());
    drop(world.change(key, |snapshot| {
        let status = &mut snapshot["status"];
        status["boundVolumeSnapshotContentName"] = content_key.name.clone().into();
        status["readyToUse"] = ready.into();
        if let Some(created) = created {
            status["creationTime"] = created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        }
        if let Some(size) = said["restoreSize"].as_i64() {
            status["restoreSize"] = Quantity::bytes(size).into();
        }
        match said.get("error") {
            Some(error) => status["error"] = error.clone(),
            None => drop(status.as_object_mut().map(|status| status.remove("error"))),
        }
        if text(&content, "/spec/deletionPolicy") == "Delete" {
            hold(snapshot, BOUND);
        }
    }));
    let name = format!("{}/{}", key.namespace, key.name);
    if created.is_some() && snapshot.at("/status/creationTime").is_none() {
        world.tell(&snapshot, COMPONENT, "Normal", "SnapshotCreated", &format!("Snapshot {name} was successfully created by the CSI driver."));
    }
    if ready && snapshot.at("/status/readyToUse") != Some(&Value::Bool(true)) {
        world.tell(&snapshot, COMPONENT, "Normal", "SnapshotReady", &format!("Snapshot {name} is ready to use."));
    }
}

/// A claim is free when no snapshot of it is still to be taken.
fn release_claim(world: &mut World, snapshot: &Value) {
    let name = text(snapshot, "/spec/source/persistentVolumeClaimName");
    let namespace = text(snapshot, "/metadata/namespace");
    let key = Key::new(&CLAIM, namespace, name);
    if !world.store.get(&key).is_some_and(|claim| is_held(claim, CLAIM_AS_SOURCE)) {
        return;
    }
    let unready =
        |other: &Value| text(other, "/spec/source/persistentVolumeClaimName") == name && other.at("/status/readyToUse") != Some(&Value::Bool(true));
    let busy = world.store.list(&SNAPSHOT, Some(namespace)).any(|(_, other)| unready(other) && !is_deleting(other));
    if !busy {
        drop(world.change(&key, |claim| let_go(claim, CLAIM_AS_SOURCE)));
    }
}

/// A snapshot goes when nothing is being restored from it, and takes its content along if the policy is Delete.
fn remove(world: &mut World, key: &Key, snapshot: &Arc<Value>) -> Option<Duration> {
    let bound = text(snapshot, "/status/boundVolumeSnapshotContentName");
    let name = if bound.is_empty() { format!("snapcontent-{}", text(snapshot, "/metadata/uid")) } else { bound.to_owned() };
    let content_key = Key::new(&SNAPSHOT_CONTENT, "", &name);
    let content = world.store.get(&content_key).filter(|content| is_for(content, snapshot)).cloned();
    let restoring = |claim: &Value| {
        let source = &claim["spec"]["dataSource"];
        text(source, "/kind") == "VolumeSnapshot" && text(source, "/name") == key.name && text(claim, "/status/phase") == "Pending"
    };
    if content.is_some() && world.store.list(&CLAIM, Some(&key.namespace)).any(|(_, claim)| restoring(claim)) {
        world.tell(snapshot, COMPONENT, "Warning", "SnapshotDeletePending", "Snapshot is being used to restore a PVC");
        return Some(AGAIN);
    }
    if let Some(content) = content {
        drop(world.change(&content_key, |content| content["metadata"]["annotations"][BEING_DELETED] = "yes".into()));
        if text(&content, "/spec/deletionPolicy") == "Delete" {
            drop(world.delete(&content_key));
        }
    }
    drop(world.change(key, |snapshot| {
        let_go(snapshot, AS_SOURCE);
        let_go(snapshot, BOUND);
    }));
    None
}
