//! The provisioner: makes volumes for claims, empty or as copies, and destroys those that are released.
//! Source: external-provisioner 6.3 `pkg/controller/controller.go`, `clone_controller.go`, sig-storage-lib-external-provisioner 13
//! `controller/controller.go`; the driver's own rules as the laboratory's.
//!
//! Cases: `csi/a-clone-carries-the-bytes`, `csi/a-clone-is-not-smaller`, `csi/nothing-is-cloned-to-another-driver`,
//! `claims/a-provisioner-tells-of-its-success`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::binding::{PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER, annotation, reference, waits_for_consumer};
use super::claims::{class, mode, wanted};
use super::drivers::{self, Refusal};
use super::origins::{self, Origin};
use super::volumes::{hold, is_held, let_go};
use super::{Controller, Subject, is_deleting, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{ATTACHMENT, CLAIM, STORAGE_CLASS, VOLUME};
use crate::sandbox::index::{CLONES_OF, place};
use crate::sandbox::quantity::Quantity;
use crate::sandbox::store::{Change, Key, What, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: &[],
    controllers: &[
        Controller { name: "csi-provisioner", watches: &[(&CLAIM, itself), (&STORAGE_CLASS, refused)], reconcile: provision },
        Controller { name: "csi-storage", watches: &[(&VOLUME, made)], reconcile: stand_by },
        Controller { name: "csi-deleter", watches: &[(&VOLUME, itself)], reconcile: destroy },
        Controller { name: "csi-cloning-protection", watches: &[(&CLAIM, itself), (&CLAIM, origin_of)], reconcile: stop_cloning },
    ],
};

/// Holds a volume until its storage is destroyed.
const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
/// Holds a claim that was copied, until it is deleted and nothing copies it any more.
const CLONING: &str = "provisioner.storage.kubernetes.io/cloning-protection";
/// How long one call may take (`--timeout`).
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long an infeasible call is not repeated (`--retry-interval-max`).
const LONG: Duration = Duration::from_secs(300);
const SHORT: Duration = Duration::from_secs(1);

/// The provisioner's name in events.
fn component(driver: &str) -> String {
    format!("{driver}_csi-provisioner-0_5b1e0e4c-6f0a-4f5e-9d3e-8f4f0c1a2b3d")
}

/// A class that was changed, or made anew: what it refused before may be tried again.
fn refused(world: &World, change: &Change) -> Vec<Key> {
    if change.what == What::Deleted {
        return Vec::new();
    }
    let of_class = |claim: &Value| text(claim, "/status/phase") == "Pending" && class(claim) == change.key.name;
    world.store.list(&CLAIM, None).filter(|(_, claim)| of_class(claim)).map(|(key, _)| key.clone()).collect()
}

fn origin_of(_: &World, change: &Change) -> Vec<Key> {
    let source = change.object.at("/spec/dataSource").filter(|source| text(source, "/kind") == "PersistentVolumeClaim");
    source.map(|source| Key::new(&CLAIM, &change.key.namespace, text(source, "/name"))).into_iter().collect()
}

fn provision(world: &mut World, key: &Key) -> Option<Duration> {
    let claim = world.store.get(key)?.clone();
    let name = format!("pvc-{}", text(&claim, "/metadata/uid"));
    let handle = drivers::handle("vol", &name);
    let driver = annotation(&claim, STORAGE_PROVISIONER).filter(|_| text(&claim, "/spec/volumeName").is_empty() && !is_deleting(&claim))?.to_owned();
    let found = world.get(&STORAGE_CLASS, "", class(&claim)).filter(|class| text(class, "/provisioner") == driver)?;
    let late = waits_for_consumer(world, class(&claim)) && annotation(&claim, SELECTED_NODE).is_none();
    if late || drivers::setting(&found, "absent") == Some("true") || world.get(&VOLUME, "", &name).is_some() {
        return None;
    }
    let refused = format!("refused {handle} {}", text(&found, "/metadata/resourceVersion"));
    if let Some(rest) = LONG.checked_sub(world.spent_on(&refused)).filter(|rest| *rest < LONG && !rest.is_zero()) {
        return Some(rest);
    }
    world.disks.end(&refused);
    if world.spent_on(&handle).is_zero() {
        let told = format!("External provisioner is provisioning volume for claim \"{}/{}\"", key.namespace, key.name);
        world.tell(&claim, &component(&driver), "Normal", "Provisioning", &told);
    }
    let origin = match origins::of(world, &claim, &found) {
        Ok(Origin::Populator) => {
            world.tell(&claim, &component(&driver), "Normal", "Provisioning", "Assuming an external populator will provision the volume");
            return None;
        }
        Ok(origin) => origin,
        Err(why) => return Some(fail(world, &claim, &handle, &driver, &why)),
    };
    protect(world, &claim, &origin);
    match create(world, &found, &claim, &handle, &origin) {
        Ok(size) => {
            let volume = volume(&claim, &found, &name, &handle, size);
            drop(world.create(volume));
            world.tell(&claim, &component(&driver), "Normal", "ProvisioningSucceeded", &format!("Successfully provisioned volume {name}"));
            origins::done_with(world, &claim);
            None
        }
        Err(Wait::Busy(rest)) => Some(rest),
        Err(Wait::Late(rest)) => {
            fail(world, &claim, &handle, &driver, "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
            Some(rest)
        }
        Err(Wait::Refused(refusal)) if refusal.is_infeasible() => {
            let told = format!("Volume provisioning failed with infeasible error. Retries will be delayed. {}", refusal.told());
            fail(world, &claim, &handle, &driver, &told);
            let now = world.now();
            world.disks.begin(&refused, now);
            Some(LONG)
        }
        Err(Wait::Refused(refusal)) => Some(fail(world, &claim, &handle, &driver, &refusal.told())),
    }
}

/// Tells why there is no volume, and how long it is until the next attempt: as long as they have been made in vain already.
fn fail(world: &mut World, claim: &Value, handle: &str, driver: &str, why: &str) -> Duration {
    world.tell(claim, &component(driver), "Warning", "ProvisioningFailed", why);
    let failing = format!("failing {handle}");
    let spent = world.spent_on(&failing);
    let now = world.now();
    world.disks.begin(&failing, now);
    spent.clamp(SHORT, LONG)
}

/// What is copied may not go meanwhile.
fn protect(world: &mut World, claim: &Value, origin: &Origin) {
    let namespace = text(claim, "/metadata/namespace");
    if let Origin::Claim { name, .. } = origin {
        drop(world.change(&Key::new(&CLAIM, namespace, name), |source| hold(source, CLONING)));
    }
    if let Origin::Snapshot { name, .. } = origin {
        origins::hold_snapshot(world, namespace, name);
    }
}

/// Why a volume is not there yet.
enum Wait {
    Busy(Duration),
    /// The call took too long; the driver goes on.
    Late(Duration),
    Refused(Refusal),
}

/// Has the driver make the volume. Says how big it is.
fn create(world: &mut World, class: &Value, claim: &Value, handle: &str, origin: &Origin) -> Result<i64, Wait> {
    let copied = origin.handle();
    let refusal = drivers::refusal(class, "refuse").or_else(|| copied.and_then(|_| drivers::refusal(class, "refuse-clones")));
    if let Some(refusal) = refusal {
        return Err(Wait::Refused(refusal));
    }
    let size = drivers::rounded(class, wanted(claim).value());
    if size < origin.size() {
        let words = format!("{size} bytes are less than the source's {}", origin.size());
        return Err(Wait::Refused(Refusal { code: "OutOfRange".to_owned(), words }));
    }
    let takes = drivers::takes(class, if copied.is_some() { "clone-seconds" } else { "create-seconds" });
    let now = world.now();
    world.disks.begin(handle, now);
    let spent = world.spent_on(handle);
    if let Some(rest) = takes.checked_sub(spent).filter(|rest| !rest.is_zero()) {
        return Err(if spent < TIMEOUT { Wait::Busy(rest.min(TIMEOUT)) } else { Wait::Late(rest.min(TIMEOUT)) });
    }
    if let Some(from) = copied
        && world.disks.read(from).is_none()
    {
        world.disks.end(handle);
        return Err(Wait::Refused(Refusal { code: "NotFound".to_owned(), words: format!("source volume \"{from}\"") }));
    }
    world.disks.make(handle, copied);
    Ok(size)
}

fn volume(claim: &Arc<Value>, class: &Value, name: &str, handle: &str, size: i64) -> Value {
    let driver = text(class, "/provisioner");
    let mut volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "finalizers": [FINALIZER], "annotations": {
            PROVISIONED_BY: driver,
            "volume.kubernetes.io/provisioner-deletion-secret-name": "",
            "volume.kubernetes.io/provisioner-deletion-secret-namespace": "",
        }},
        "spec": {
            "accessModes": claim["spec"]["accessModes"], "capacity": {"storage": Value::from(Quantity::bytes(size))},
            "claimRef": reference(claim), "storageClassName": class["metadata"]["name"], "volumeMode": mode(claim),
            "persistentVolumeReclaimPolicy": class.get("reclaimPolicy").cloned().unwrap_or_else(|| "Delete".into()),
            "csi": {"driver": driver, "volumeHandle": handle,
                "volumeAttributes": {"storage.kubernetes.io/csiProvisionerIdentity": format!("1700000000000-1-{driver}")}},
        },
    });
    if let Some(options) = class.get("mountOptions") {
        volume["spec"]["mountOptions"] = options.clone();
    }
    volume
}

fn made(world: &World, change: &Change) -> Vec<Key> {
    if change.what == What::Added { itself(world, change) } else { Vec::new() }
}

/// The storage of a volume that somebody wrote down by hand is there.
fn stand_by(world: &mut World, key: &Key) -> Option<Duration> {
    let handle = text(world.store.get(key)?, "/spec/csi/volumeHandle").to_owned();
    if !handle.is_empty() {
        world.disks.make(&handle, None);
    }
    None
}

/// Whether some class's driver made this volume, or it is a volume of a driver at all.
fn driver_of(volume: &Value) -> Option<&str> {
    annotation(volume, PROVISIONED_BY).or_else(|| volume.at("/spec/csi/driver")?.as_str()).filter(|driver| !driver.starts_with("kubernetes.io/"))
}

fn destroy(world: &mut World, key: &Key) -> Option<Duration> {
    let volume = world.store.get(key)?.clone();
    let driver = driver_of(&volume)?.to_owned();
    let (policy, phase) = (text(&volume, "/spec/persistentVolumeReclaimPolicy"), text(&volume, "/status/phase"));
    if policy != "Delete" {
        drop(world.change(key, |volume| let_go(volume, FINALIZER)));
        return None;
    }
    if phase == "Bound" && !is_deleting(&volume) && !is_held(&volume, FINALIZER) {
        drop(world.change(key, |volume| hold(volume, FINALIZER)));
    }
    if phase != "Released" || (is_deleting(&volume) && !is_held(&volume, FINALIZER)) {
        return None;
    }
    let attached = world.store.list(&ATTACHMENT, None).find(|(_, one)| text(one, "/spec/source/persistentVolumeName") == key.name);
    if let Some(node) = attached.map(|(_, one)| text(one, "/spec/nodeName").to_owned()) {
        let why = format!("persistentvolume {} is still attached to node {node}", key.name);
        world.tell(&volume, &component(&driver), "Warning", "VolumeFailedDelete", &why);
        return Some(SHORT);
    }
    world.disks.destroy(text(&volume, "/spec/csi/volumeHandle"));
    drop(world.delete(key));
    drop(world.change(key, |volume| let_go(volume, FINALIZER)));
    None
}

/// A claim that was copied goes when no copy of it is still to be made.
fn stop_cloning(world: &mut World, key: &Key) -> Option<Duration> {
    let claim = world.store.get(key)?;
    if !is_deleting(claim) || !is_held(claim, CLONING) {
        return None;
    }
    let mut copies = world.store.find(&CLONES_OF, &place(&key.namespace, &key.name));
    if copies.any(|(_, copy)| text(copy, "/status/phase") == "Pending") {
        return Some(SHORT);
    }
    drop(copies);
    drop(world.change(key, |claim| let_go(claim, CLONING)));
    None
}
