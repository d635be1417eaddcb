//! VirtualMachineInstances as virt-controller drives them: a launcher for each, phases as the launcher gets on, and the end of both.
//! Source: kubevirt 1.8 `pkg/virt-controller/watch/vmi/{vmi,lifecycle,storage,datavolumes,volume-hotplug}.go`.
//!
//! Cases: `virtualmachines/a-machine-runs`, `virtualmachines/an-instance-that-is-deleted-is-made-anew`,
//! `virtualmachines/a-missing-claim-is-waited-for`, `hot_plug/a-guest-runs-before-its-plugged-disk-is-there`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::instance_rules::{self, FINALIZER, is_final};
use super::machine_rules::claim_of;
use super::machine_status::Trouble;
use super::objects::{condition, controller, drop_finalizer, forget, list, mark, put, remove, state};
use super::{Controller, Subject, backend_storage, guests, is_deleting, itself, launchers, machines, volume_updates};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, DATA_VOLUME, POD, VM, VMI, VMIM};
use crate::sandbox::index::{PLUGGED_INTO, place};
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: instance_rules::RULES,
    controllers: &[
        Controller { name: "virtualmachineinstance-controller", watches: &[(&VMI, itself), (&POD, of_pod), (&CLAIM, plugged_into)], reconcile },
        Controller { name: "virt-handler", watches: &[(&VMI, itself), (&POD, of_pod)], reconcile: guests::reconcile },
    ],
};

/// As which virt-controller speaks of instances: by the name of its other controller (`pkg/virt-controller/watch/application.go`, vmiRecorder).
pub const COMPONENT: &str = "virtualmachine-controller";

/// A launcher's instance; an attachment pod belongs to a launcher.
fn of_pod(world: &World, change: &Change) -> Vec<Key> {
    let named = |owner: &Value, kind: &str| (text(owner, "/kind") == kind).then(|| text(owner, "/name").to_owned());
    let Some(owner) = controller(&change.object) else { return Vec::new() };
    let launcher = named(owner, "Pod").and_then(|name| world.get(&POD, &change.key.namespace, &name));
    let name = match launcher {
        Some(launcher) => controller(&launcher).and_then(|owner| named(owner, "VirtualMachineInstance")),
        None => named(owner, "VirtualMachineInstance"),
    };
    name.map(|name| Key::new(&VMI, &change.key.namespace, &name)).into_iter().collect()
}

/// The instances into which a claim is plugged.
fn plugged_into(world: &World, change: &Change) -> Vec<Key> {
    world.store.find(&PLUGGED_INTO, &place(&change.key.namespace, &change.key.name)).map(|(key, _)| key.clone()).collect()
}

/// Moves an instance to a phase and notes when.
pub fn enter(vmi: &mut Value, phase: &str, now: &Value) {
    if text(vmi, "/status/phase") == phase {
        return;
    }
    put(vmi, "/status/phase", phase);
    let mut all = list(vmi, "/status/phaseTransitionTimestamps").to_vec();
    all.push(json!({"phase": phase, "phaseTransitionTimestamp": now}));
    put(vmi, "/status/phaseTransitionTimestamps", all);
}

fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    let vmi = world.store.get(key)?.clone();
    let pod = launchers::current(world, &vmi);
    let trouble = sync(world, &vmi, pod.as_deref()).err();
    update(world, key, trouble.as_ref());
    let waits = trouble.is_some() || matches!(text(&vmi, "/status/phase"), "Pending");
    (waits && world.store.get(key).is_some()).then_some(Duration::from_millis(500))
}

fn sync(world: &mut World, vmi: &Value, pod: Option<&Value>) -> Result<(), Trouble> {
    if is_deleting(vmi) {
        launchers::delete_all(world, vmi);
        return Ok(());
    }
    if is_final(vmi) {
        if let Some(pod) = pod {
            launchers::delete_attachments(world, pod);
        }
        return Ok(());
    }
    if let Some(pod) = pod {
        if launchers::is_ready(pod) {
            launchers::attach(world, vmi, pod);
        }
        return Ok(());
    }
    if !matches!(text(vmi, "/status/phase"), "" | "Pending") || !disks_ready(world, vmi)? {
        return Ok(());
    }
    if migrating(world, vmi) {
        return Err(("FailedCreate", "active migration exists".to_owned()));
    }
    let state = backend_storage::ensure(world, vmi).map_err(|status| ("FailedBackendStorageCreate", status.message().to_owned()))?;
    match world.create(backend_storage::launcher(vmi, state.as_deref())) {
        Ok(pod) => {
            let words = format!("Created virtual machine pod {}", text(&pod, "/metadata/name"));
            world.tell(vmi, COMPONENT, "Normal", "SuccessfulCreate", &words);
            Ok(())
        }
        Err(status) => {
            world.tell(vmi, COMPONENT, "Warning", "FailedCreate", &format!("Error creating pod: {}", status.message()));
            Err(("FailedCreate", format!("failed to create virtual machine pod: {}", status.message())))
        }
    }
}

fn migrating(world: &World, vmi: &Value) -> bool {
    let of_this = |migration: &Value| text(migration, "/spec/vmiName") == text(vmi, "/metadata/name");
    let over = |migration: &Value| matches!(text(migration, "/status/phase"), "Succeeded" | "Failed");
    world.store.list(&VMIM, Some(text(vmi, "/metadata/namespace"))).any(|(_, migration)| of_this(migration) && !over(migration))
}

/// Whether a volume is plugged in while the guest runs.
pub fn is_hotplugged(volume: &Value) -> bool {
    ["dataVolume", "persistentVolumeClaim"].iter().any(|kind| volume.at(&format!("/{kind}/hotpluggable")) == Some(&true.into()))
}

/// Whether all disks are there and filled, or will be when the guest is given a node.
fn disks_ready(world: &mut World, vmi: &Value) -> Result<bool, Trouble> {
    let namespace = text(vmi, "/metadata/namespace");
    let mut ready = true;
    for volume in list(vmi, "/spec/volumes").iter().filter(|volume| !is_hotplugged(volume) && volume.get("memoryDump").is_none()) {
        let Some(name) = claim_of(volume) else { continue };
        let Some(claim) = world.get(&CLAIM, namespace, name) else {
            let words = format!("PVC {namespace}/{name} does not exist, waiting for it to appear");
            world.tell(vmi, COMPONENT, "Normal", "FailedPvcNotFound", &words);
            return Err(("FailedPvcNotFound", words));
        };
        let owner = controller(&claim).filter(|owner| text(owner, "/kind") == "DataVolume");
        let phase = owner.and_then(|owner| world.get(&DATA_VOLUME, namespace, text(owner, "/name")));
        let phase = phase.as_ref().map(|volume| text(volume, "/status/phase"));
        ready &= phase.is_none_or(|phase| matches!(phase, "Succeeded" | "PendingPopulation" | "WaitForFirstConsumer"));
    }
    Ok(ready)
}

fn update(world: &mut World, key: &Key, trouble: Option<&Trouble>) {
    let Some(vmi) = world.store.get(key).cloned() else { return };
    let (pods, now) = (launchers::all(world, &vmi), world.stamp());
    let pod = launchers::current(world, &vmi);
    let mut said = Value::clone(&vmi);
    if !pods.is_empty() || vmi.at("/status/activePods").is_some() {
        let entry = |pod: &Arc<Value>| (text(pod, "/metadata/uid").to_owned(), Value::from(text(pod, "/spec/nodeName")));
        put(&mut said, "/status/activePods", pods.iter().map(entry).collect::<Map<String, Value>>());
    }
    ready(&mut said, pod.as_deref(), &now);
    match text(&vmi, "/status/phase") {
        "" | "Pending" => pending(world, &mut said, pod.is_some(), trouble, &now),
        "Scheduling" => scheduling(world, &mut said, pod.as_deref(), &now),
        "Scheduled" | "Running" if pod.is_none() => enter(&mut said, "Failed", &now),
        "Scheduled" | "Running" => {
            volume_status(world, &mut said, pod.as_deref());
            volume_updates::require(&mut said, &now);
        }
        "Succeeded" | "Failed" => ended(world, &mut said, pods.is_empty()),
        _ => {}
    }
    match trouble {
        Some((reason, words)) => state(&mut said, &now, "Synchronized", "False", (reason, words)),
        None => forget(&mut said, "Synchronized"),
    }
    drop(world.become_so(key, said));
}

fn pending(world: &World, said: &mut Value, launched: bool, trouble: Option<&Trouble>, now: &Value) {
    let namespace = text(said, "/metadata/namespace").to_owned();
    let names = list(said, "/spec/volumes").iter().filter_map(|volume| volume.at("/dataVolume/name")?.as_str());
    let failed = names.filter_map(|name| world.get(&DATA_VOLUME, &namespace, name)).any(|volume| text(&volume, "/status/phase") == "Failed");
    if launched {
        enter(said, "Scheduling", now);
    } else if is_deleting(said) || failed {
        enter(said, "Failed", now);
    } else if let Some((_, words)) = trouble.filter(|(reason, _)| *reason == "FailedPvcNotFound") {
        state(said, now, "PodScheduled", "False", ("Unschedulable", words));
    } else {
        forget(said, "PodScheduled");
    }
}

fn scheduling(world: &World, said: &mut Value, pod: Option<&Value>, now: &Value) {
    let Some(pod) = pod else { return enter(said, "Failed", now) };
    match condition(pod, "PodScheduled").filter(|found| text(found, "/status") == "False") {
        Some(found) => state(said, now, "PodScheduled", "False", (text(found, "/reason"), text(found, "/message"))),
        None => forget(said, "PodScheduled"),
    }
    if launchers::is_ready(pod) && !is_deleting(said) {
        let node = text(pod, "/spec/nodeName").to_owned();
        volume_status(world, said, Some(pod));
        mark(said, "kubevirt.io/nodeName", &node);
        put(said, "/status/nodeName", node);
        put(said, "/status/migrationTransport", "Unix");
        put(said, "/status/launcherContainerImageVersion", launchers::IMAGE);
        enter(said, "Scheduled", now);
    } else if is_deleting(pod) || matches!(text(pod, "/status/phase"), "Succeeded" | "Failed") {
        enter(said, "Failed", now);
    }
}

fn ended(world: &World, said: &mut Value, launchers_gone: bool) {
    if launchers_gone {
        drop_finalizer(said, FINALIZER);
        remove(said, "/status", "launcherContainerImageVersion");
    }
    let machine = controller(said).map(|owner| (text(owner, "/name").to_owned(), text(owner, "/uid").to_owned()));
    let stands = machine.is_some_and(|(name, uid)| world.same(&Key::new(&VM, text(said, "/metadata/namespace"), &name), &uid).is_some());
    if !stands {
        drop_finalizer(said, machines::FINALIZER);
    }
}

fn ready(said: &mut Value, pod: Option<&Value>, now: &Value) {
    let no = |reason, message| ("False", (reason, message));
    let running = text(said, "/status/phase") == "Running";
    let (status, words) = match pod {
        None => no("PodNotExists", "virt-launcher pod has not yet been scheduled"),
        Some(pod) if launchers::is_going(pod) => no("PodTerminating", "virt-launcher pod is terminating"),
        Some(_) if !running => no("GuestNotRunning", "Guest VM is not reported as running"),
        Some(pod) => match condition(pod, "Ready") {
            Some(ready) => (text(ready, "/status"), (text(ready, "/reason"), text(ready, "/message"))),
            None if launchers::is_ready(pod) => ("True", ("", "")),
            None => no("PodConditionMissing", "virt-launcher pod is missing the Ready condition"),
        },
    };
    state(said, now, "Ready", status, words);
}

/// What an instance says about the claim of a volume.
fn claim_info(claim: &Value) -> Value {
    json!({
        "claimName": claim["metadata"]["name"], "accessModes": claim["spec"]["accessModes"], "volumeMode": claim["spec"]["volumeMode"],
        "capacity": claim["status"]["capacity"], "requests": claim["spec"]["resources"]["requests"], "filesystemOverhead": "0.06",
    })
}

/// What is said of a volume that no pod holds yet.
fn unplugged(world: &World, namespace: &str, volume: &Value) -> (&'static str, &'static str, String) {
    let name = claim_of(volume).unwrap_or_default();
    match world.get(&CLAIM, namespace, name).as_deref().map(|claim| text(claim, "/status/phase")) {
        None => ("Pending", "FailedPvcNotFound", format!("PVC {name} not found")),
        Some("Bound") => ("Bound", "PVCNotReady", "PVC is in phase Bound".to_owned()),
        Some("Lost") => ("Pending", "PVCNotReady", "PVC is in phase Lost".to_owned()),
        Some(_) => ("Pending", "PVCNotReady", "PVC is in phase ClaimPending".to_owned()),
    }
}

/// What is known of each volume, in the order of their names.
fn volume_status(world: &World, said: &mut Value, pod: Option<&Value>) {
    let namespace = text(said, "/metadata/namespace").to_owned();
    let attached = pod.map(|pod| launchers::attachments(world, pod)).unwrap_or_default();
    let mut all = Vec::new();
    for (index, volume) in list(said, "/spec/volumes").iter().enumerate() {
        let mut status = json!({"name": volume["name"]});
        let name = text(volume, "/name");
        let known = list(said, "/status/volumeStatus").iter().find(|status| text(status, "/name") == name);
        match known.and_then(|known| known.get("target")) {
            Some(target) => status["target"] = target.clone(),
            None if index < 26 => status["target"] = format!("vd{}", char::from(b'a' + u8::try_from(index).unwrap_or_default())).into(),
            None => {}
        }
        if let Some(claim) = claim_of(volume).and_then(|name| world.get(&CLAIM, &namespace, name)) {
            status["persistentVolumeClaimInfo"] = claim_info(&claim);
        }
        if is_hotplugged(volume) {
            let holder = attached.iter().find(|pod| list(pod, "/spec/volumes").iter().any(|held| text(held, "/name") == name));
            status["hotplugVolume"] = json!({});
            let (phase, reason, message) = match holder {
                Some(pod) if launchers::is_ready(pod) => {
                    status["hotplugVolume"] = json!({"attachPodName": pod["metadata"]["name"], "attachPodUID": pod["metadata"]["uid"]});
                    ("Ready", "VolumeReady", format!("Successfully attach hotplugged volume {name} to VM"))
                }
                Some(pod) => {
                    status["hotplugVolume"] = json!({"attachPodName": pod["metadata"]["name"]});
                    let message = format!("Created hotplug attachment pod {}, for volume {name}", text(pod, "/metadata/name"));
                    ("AttachedToNode", "SuccessfulCreate", message)
                }
                None => unplugged(world, &namespace, volume),
            };
            status["phase"] = phase.into();
            status["reason"] = reason.into();
            status["message"] = message.into();
        }
        all.push(status);
    }
    if backend_storage::needed(said)
        && let Some(claim) = backend_storage::claim_of(world, said)
    {
        all.push(json!({"name": claim["metadata"]["name"], "persistentVolumeClaimInfo": claim_info(&claim)}));
    }
    all.sort_by(|one, other| text(one, "/name").cmp(text(other, "/name")));
    put(said, "/status/volumeStatus", all);
}
