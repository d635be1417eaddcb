//! Claims grow: the driver makes their volumes larger, then a node the file systems.
//! Source: external-resizer 2.3 `pkg/controller/{controller,expand_and_recover,resize_status}.go`; the node's part as the laboratory's KWOK stage.
//!
//! Cases: `csi/a-claim-grows`, `csi/a-claim-does-not-shrink`, `csi/a-claim-that-waits-does-not-grow`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::claims::{class, mode, wanted};
use super::drivers::{self, refusal, takes};
use super::{Controller, Subject, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, STORAGE_CLASS, VOLUME};
use crate::sandbox::quantity::Quantity;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: &[],
    controllers: &[
        Controller { name: "csi-resizer", watches: &[(&CLAIM, itself)], reconcile: expand },
        Controller { name: "kubelet-expansion-hears", watches: &[(&CLAIM, itself)], reconcile: hear },
        Controller { name: NODE_PART, watches: &[], reconcile: finish },
    ],
};

const NODE_PART: &str = "kubelet-expansion";
const PRE_RESIZE: &str = "volume.alpha.kubernetes.io/pre-resize-capacity";
const AGAIN: Duration = Duration::from_secs(1);

fn is_pending(claim: &Value) -> bool {
    let conditions = claim.at("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    conditions.clone().any(|condition| text(condition, "/type") == "FileSystemResizePending")
}

fn expand(world: &mut World, key: &Key) -> Option<Duration> {
    let claim = world.store.get(key)?.clone();
    let (asked, has) = (wanted(&claim), Quantity::at(&claim, "/status/capacity/storage"));
    if text(&claim, "/status/phase") != "Bound" || asked <= has || is_pending(&claim) {
        return None;
    }
    let volume_key = Key::new(&VOLUME, "", text(&claim, "/spec/volumeName"));
    let volume = world.store.get(&volume_key).filter(|volume| volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"])?.clone();
    let found = world.get(&STORAGE_CLASS, "", class(&claim))?;
    let driver = text(&volume, "/spec/csi/driver").to_owned();
    if driver.is_empty() || drivers::setting(&found, "absent") == Some("true") {
        return None;
    }
    let component = format!("external-resizer {driver}");
    let work = format!("expand {} {asked}", volume_key.name);
    if world.disks.begun(&work).is_none() {
        mark(world, key, asked);
        world.tell(&claim, &component, "Normal", "Resizing", &format!("External resizer is resizing volume {}", volume_key.name));
        let now = world.now();
        world.disks.begin(&work, now);
    }
    if let Some(refusal) = refusal(&found, "refuse-expansion") {
        let why = format!("resize volume {:?} by resizer {driver:?} failed: {}", volume_key.name, refusal.told());
        note_failure(world, key, &refusal.told());
        world.tell(&claim, &component, "Warning", "VolumeResizeFailed", &why);
        return Some(world.spent_on(&work).clamp(AGAIN, Duration::from_secs(300)));
    }
    let rest = takes(&found, "expand-seconds").checked_sub(world.spent_on(&work)).filter(|rest| !rest.is_zero());
    if rest.is_some() {
        return rest;
    }
    world.disks.end(&work);
    let size = Quantity::bytes(drivers::rounded(&found, asked.value()).max(Quantity::at(&volume, "/spec/capacity/storage").value()));
    let block = mode(&volume) == "Block";
    drop(world.change(&volume_key, |volume| {
        volume["spec"]["capacity"]["storage"] = size.into();
        if !block {
            volume["metadata"]["annotations"][PRE_RESIZE] = has.into();
        }
    }));
    if block {
        done(world, key, size, &component, &claim);
    } else {
        wait_for_node(world, key, &component, &claim);
    }
    None
}

fn mark(world: &mut World, key: &Key, size: Quantity) {
    let stamp = world.stamp();
    drop(world.change(key, |claim| {
        claim["status"]["conditions"] = json!([{"type": "Resizing", "status": "True", "lastProbeTime": null, "lastTransitionTime": stamp}]);
        claim["status"]["allocatedResources"]["storage"] = size.into();
        claim["status"]["allocatedResourceStatuses"]["storage"] = "ControllerResizeInProgress".into();
    }));
}

fn note_failure(world: &mut World, key: &Key, told: &str) {
    let stamp = world.stamp();
    drop(world.change(key, |claim| {
        let message = format!("failed to expand pvc with {told}");
        let known = claim["status"]["conditions"].as_array().into_iter().flatten().any(|one| text(one, "/message") == message);
        if let Some(all) = claim["status"]["conditions"].as_array_mut().filter(|_| !known) {
            all.retain(|one| text(one, "/type") != "ControllerResizeError");
            all.push(
                json!({"type": "ControllerResizeError", "status": "True", "lastProbeTime": null, "lastTransitionTime": stamp, "message": message}),
            );
        }
        claim["status"]["allocatedResourceStatuses"]["storage"] = "ControllerResizeInfeasible".into();
    }));
}

fn wait_for_node(world: &mut World, key: &Key, component: &str, claim: &Arc<Value>) {
    let stamp = world.stamp();
    drop(world.change(key, |claim| {
        let message = "Waiting for user to (re-)start a pod to finish file system resize of volume on node.";
        claim["status"]["conditions"] = json!([{"type": "FileSystemResizePending", "status": "True", "lastProbeTime": null,
            "lastTransitionTime": stamp, "message": message}]);
        claim["status"]["allocatedResourceStatuses"]["storage"] = "NodeResizePending".into();
    }));
    world.tell(claim, component, "Normal", "FileSystemResizeRequired", "Require file system resize of volume on node");
}

fn done(world: &mut World, key: &Key, size: Quantity, component: &str, claim: &Arc<Value>) {
    drop(world.change(key, |claim| settle(claim, size)));
    world.tell(claim, component, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded");
}

fn settle(claim: &mut Value, size: Quantity) {
    claim["status"]["capacity"]["storage"] = size.into();
    if let Some(status) = claim["status"].as_object_mut() {
        status.remove("conditions");
        status.remove("allocatedResourceStatuses");
    }
}

fn hear(world: &mut World, key: &Key) -> Option<Duration> {
    if is_pending(world.store.get(key)?) {
        world.look(NODE_PART, key.clone(), Duration::from_millis(100));
    }
    None
}

/// The node has made the file system larger.
fn finish(world: &mut World, key: &Key) -> Option<Duration> {
    let claim = world.store.get(key).filter(|claim| is_pending(claim))?.clone();
    let volume = Key::new(&VOLUME, "", text(&claim, "/spec/volumeName"));
    let size = Quantity::at(world.store.get(&volume)?, "/spec/capacity/storage");
    drop(world.change(key, |claim| settle(claim, size)));
    drop(world.change(&volume, |volume| drop(volume["metadata"]["annotations"].as_object_mut().map(|all| all.remove(PRE_RESIZE)))));
    None
}
