//! What a VirtualMachine says about itself.
//! Source: kubevirt 1.8 `pkg/virt-controller/watch/vm/vm.go` (updateStatus, setPrintableStatus, syncConditions, syncStartFailureStatus),
//! `pkg/storage/types/{dv,pvc}.go`.
//!
//! Cases: `virtualmachines/a-machine-that-is-off-has-no-instance`, `virtualmachines/a-machine-waits-for-its-disk`, `tables/a-machine-in-a-row`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::instance_rules::is_final;
use super::machine_rules::{claim_of, strategy};
use super::objects::{annotation, condition, forget, is, is_controlled_by, list, put, remove, state};
use super::{is_deleting, run_strategies, volume_updates};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, DATA_VOLUME, VMI};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// Reason and message of what keeps a machine from what it is asked for.
pub type Trouble = (&'static str, String);

/// Conditions of the guest that do not stand on its machine as they are.
const OWN: &[&str] = &["Ready", "Failure", "RestartRequired"];
/// States in which something that no event tells of may change what is to be said.
const RESTLESS: &[&str] = &["Provisioning", "WaitingForVolumeBinding", "DataVolumeError", "CrashLoopBackOff", "Unknown"];
/// The longest wait before a guest that keeps failing is started again, in seconds.
const LONGEST: u64 = 300;

/// The guest of a machine, if it is the machine's.
pub fn instance(world: &World, vm: &Value) -> Option<Arc<Value>> {
    let found = world.get(&VMI, text(vm, "/metadata/namespace"), text(vm, "/metadata/name"))?;
    is_controlled_by(&found, vm).then_some(found)
}

/// Writes what is to be said now.
pub fn update(world: &mut World, key: &Key, trouble: Option<&Trouble>) {
    let Some(vm) = world.store.get(key).cloned() else { return };
    let vmi = instance(world, &vm);
    let mut said = Value::clone(&vm);
    // What is not so is not said.
    for (field, holds) in [("created", vmi.is_some()), ("ready", vmi.as_ref().is_some_and(|vmi| is(vmi, "Ready", "True")))] {
        if holds {
            put(&mut said, &format!("/status/{field}"), true);
        } else {
            remove(&mut said, "/status", field);
        }
    }
    if let Some(seen) = vmi.as_ref().and_then(|vmi| annotation(vmi, "kubevirt.io/vm-generation")?.parse::<i64>().ok()) {
        put(&mut said, "/status/observedGeneration", seen);
        put(&mut said, "/status/desiredGeneration", vm["metadata"]["generation"].clone());
    }
    if vm.at("/status/runStrategy").is_some() || vmi.is_some() {
        put(&mut said, "/status/runStrategy", strategy(&vm).unwrap_or_default());
    }
    trim_request(&mut said, vmi.as_deref());
    failures(world, &mut said, vmi.as_deref());
    // Before the guest's conditions are taken over: that one of them is gone tells that a move is over.
    volume_updates::tell(&mut said, vmi.as_deref(), &world.stamp());
    conditions(world, &mut said, vmi.as_deref(), trouble);
    let shown = printable(world, &said, vmi.as_deref());
    put(&mut said, "/status/printableStatus", shown);
    volumes(world, &mut said);
    drop(world.become_so(key, said));
}

/// When a machine is to be looked at although nothing has happened to it.
pub fn look_again(world: &World, key: &Key) -> Option<Duration> {
    let vm = world.store.get(key)?;
    let restless = RESTLESS.contains(&text(vm, "/status/printableStatus")) || backs_off(world, vm);
    restless.then_some(Duration::from_secs(1))
}

/// A request that is done is taken off.
fn trim_request(said: &mut Value, vmi: Option<&Value>) {
    let Some(request) = run_strategies::asked(said) else { return };
    let done = match (text(request, "/action"), vmi) {
        ("Stop", Some(vmi)) => text(request, "/uid") != text(vmi, "/metadata/uid"),
        ("Stop", None) => true,
        (_, Some(vmi)) => !is_deleting(vmi) && !is_final(vmi),
        (_, None) => false,
    };
    if done {
        let rest = list(said, "/status/stateChangeRequests")[1..].to_vec();
        if rest.is_empty() {
            remove(said, "/status", "stateChangeRequests");
        } else {
            put(said, "/status/stateChangeRequests", rest);
        }
    }
}

fn has_run(vmi: &Value) -> bool {
    list(vmi, "/status/phaseTransitionTimestamps").iter().any(|entry| text(entry, "/phase") == "Running")
}

/// Guests that end before they ever ran are counted, and started less and less often.
fn failures(world: &mut World, said: &mut Value, vmi: Option<&Value>) {
    let restarts = matches!(strategy(said), Some("Always" | "RerunOnFailure" | "Once"));
    if !restarts || vmi.is_some_and(has_run) {
        remove(said, "/status", "startFailure");
        return;
    }
    let Some(vmi) = vmi.filter(|vmi| is_final(vmi)) else { return };
    if text(said, "/status/startFailure/lastFailedVMIUID") == text(vmi, "/metadata/uid") {
        return;
    }
    let count = said.at("/status/startFailure/consecutiveFailCount").and_then(Value::as_u64).unwrap_or(0) + 1;
    let least = 10 * count.saturating_mul(count);
    let delay = (least + world.chance() % (least / 2 + 1)).min(LONGEST);
    let after = world.now() + Duration::from_secs(delay);
    let failure = json!({
        "consecutiveFailCount": count, "lastFailedVMIUID": vmi["metadata"]["uid"],
        "retryAfterTimestamp": after.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    put(said, "/status/startFailure", failure);
}

/// Whether a guest that keeps failing is left alone for now.
pub fn backs_off(world: &World, vm: &Value) -> bool {
    let after = text(vm, "/status/startFailure/retryAfterTimestamp").parse::<Timestamp>();
    after.is_ok_and(|after| after > world.now())
}

fn conditions(world: &World, said: &mut Value, vmi: Option<&Value>, trouble: Option<&Trouble>) {
    let now = world.stamp();
    match vmi.map(|vmi| condition(vmi, "Ready")) {
        None => state(said, &now, "Ready", "False", ("VMINotExists", "VMI does not exist")),
        Some(None) => state(said, &now, "Ready", "False", ("VMIConditionMissing", "VMI is missing the Ready condition")),
        Some(Some(ready)) => state(said, &now, "Ready", text(ready, "/status"), (text(ready, "/reason"), text(ready, "/message"))),
    }
    match trouble {
        Some((reason, message)) => state(said, &now, "Failure", "True", (reason, message)),
        None => forget(said, "Failure"),
    }
    let Some(vmi) = vmi else { return };
    let theirs: Vec<&Value> = list(vmi, "/status/conditions").iter().filter(|one| !OWN.contains(&text(one, "/type"))).collect();
    for one in &theirs {
        state(said, &now, text(one, "/type"), text(one, "/status"), (text(one, "/reason"), text(one, "/message")));
    }
    let names: Vec<String> = list(said, "/status/conditions").iter().map(|one| text(one, "/type").to_owned()).collect();
    for name in names.iter().filter(|name| !OWN.contains(&name.as_str()) && theirs.iter().all(|one| text(one, "/type") != *name)) {
        forget(said, name);
    }
}

/// The first word that is true, in this order.
fn printable(world: &World, vm: &Value, vmi: Option<&Value>) -> &'static str {
    let phase = vmi.map(|vmi| text(vmi, "/status/phase")).unwrap_or_default();
    let reason = |kind: &str, reason: &str| {
        vmi.and_then(|vmi| condition(vmi, kind)).is_some_and(|found| text(found, "/status") == "False" && text(found, "/reason") == reason)
    };
    let migrating = |vmi: &Value| {
        let at = |field: &str| vmi.at(&format!("/status/migrationState/{field}"));
        at("startTimestamp").is_some() && at("completed") != Some(&true.into()) && at("failed") != Some(&true.into())
    };
    let paused = vmi.is_some_and(|vmi| is(vmi, "Paused", "True"));
    let ended = vmi.is_none_or(is_final);
    let restarts = matches!(strategy(vm), Some("Always" | "RerunOnFailure" | "Once"));
    let words: [(&str, &dyn Fn() -> bool); 16] = [
        ("Terminating", &|| is_deleting(vm)),
        ("Stopping", &|| !ended && vmi.is_some_and(is_deleting)),
        ("Migrating", &|| vmi.is_some_and(migrating)),
        ("Paused", &|| phase == "Running" && paused),
        ("Running", &|| phase == "Running"),
        ("ErrorPvcNotFound", &|| reason("Synchronized", "FailedPvcNotFound")),
        ("DataVolumeError", &|| data_volumes(world, vm).any(|volume| is_broken(&volume))),
        ("ErrorUnschedulable", &|| reason("PodScheduled", "Unschedulable")),
        ("Provisioning", &|| data_volumes(world, vm).any(|volume| is_being_filled(&volume))),
        ("WaitingForVolumeBinding", &|| is_to_run(vm, vmi) && unbound(world, vm)),
        ("ErrImagePull", &|| reason("Synchronized", "ErrImagePull")),
        ("ImagePullBackOff", &|| reason("Synchronized", "ImagePullBackOff")),
        ("Starting", &|| matches!(phase, "Pending" | "Scheduling" | "Scheduled")),
        ("CrashLoopBackOff", &|| ended && restarts && vm.at("/status/startFailure/consecutiveFailCount").is_some()),
        ("Stopped", &|| ended && strategy(vm) != Some("WaitAsReceiver")),
        ("WaitingForReceiver", &|| vmi.is_none()),
    ];
    words.iter().find(|(_, holds)| holds()).map_or("Unknown", |(word, _)| word)
}

fn data_volumes<'w>(world: &'w World, vm: &'w Value) -> impl Iterator<Item = Arc<Value>> + 'w {
    let namespace = text(vm, "/metadata/namespace");
    let names = list(vm, "/spec/template/spec/volumes").iter().filter_map(|volume| volume.at("/dataVolume/name")?.as_str());
    names.filter_map(move |name| world.get(&DATA_VOLUME, namespace, name))
}

fn is_broken(volume: &Value) -> bool {
    let stuck = |running: &Value| text(running, "/status") == "False" && matches!(text(running, "/reason"), "Error" | "ImagePullFailed");
    text(volume, "/status/phase") == "Failed" || condition(volume, "Running").is_some_and(stuck)
}

fn is_being_filled(volume: &Value) -> bool {
    match text(volume, "/status/phase") {
        "Succeeded" | "PendingPopulation" => false,
        "WaitForFirstConsumer" => is(volume, "Bound", "True"),
        _ => true,
    }
}

fn is_to_run(vm: &Value, vmi: Option<&Value>) -> bool {
    match (strategy(vm), vmi) {
        (Some("Always"), _) | (Some("RerunOnFailure" | "Once"), None) => true,
        (Some("RerunOnFailure"), Some(vmi)) => text(vmi, "/status/phase") != "Succeeded",
        (Some("Manual"), Some(_)) => run_strategies::asked(vm).is_none_or(|request| text(request, "/action") != "Stop"),
        (Some("Manual"), None) => run_strategies::asked(vm).is_some_and(|request| text(request, "/action") == "Start"),
        _ => false,
    }
}

fn unbound(world: &World, vm: &Value) -> bool {
    let namespace = text(vm, "/metadata/namespace");
    let claims = list(vm, "/spec/template/spec/volumes").iter().filter_map(claim_of);
    claims.filter_map(|name| world.get(&CLAIM, namespace, name)).any(|claim| text(&claim, "/status/phase") != "Bound")
}

/// Whether snapshots of each disk can be taken (kubevirt 1.8 `pkg/storage/snapshot/snapshot_base.go`, `snapshot.go` getVolumeSnapshotStatus).
fn volumes(world: &World, said: &mut Value) {
    let status = |volume: &Value| {
        let (enabled, reason) = super::virtual_snapshots::possible(world, text(said, "/metadata/namespace"), volume);
        let mut status = json!({"name": volume["name"], "enabled": enabled});
        if !reason.is_empty() {
            status["reason"] = reason.into();
        }
        status
    };
    let all: Vec<Value> = list(said, "/spec/template/spec/volumes").iter().map(status).collect();
    if !all.is_empty() {
        put(said, "/status/volumeSnapshotStatuses", all);
    }
}
