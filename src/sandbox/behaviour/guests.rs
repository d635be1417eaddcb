//! The guest itself and virt-handler, who watches it: it comes up, may crash, and shuts down in its own time.
//! Sources: kubevirt 1.8 `pkg/virt-handler/{vm,controller}.go`.
//!
//! Annotations of the machine's template say what the guest is like:
//! `sandbox/boot-seconds`, `sandbox/shutdown-seconds` (or `never`), `sandbox/boot: fails`, `sandbox/crashes-after-seconds`,
//! `sandbox/powers-off-after-seconds`, `sandbox/agent: none`, and `sandbox/writes`: what it adds to each of its disks when it comes up.
//!
//! Cases: `virtualmachines/a-guest-agent-reports`, `virtualmachines/a-guest-takes-its-time-to-stop`,
//! `virtualmachines/a-guest-that-powers-off-leaves-its-instance`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::instances::enter;
use super::machine_rules::claim_of;
use super::objects::{annotation, is, list, put, state};
use super::{is_deleting, launchers};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, VMI, VOLUME};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

const COMPONENT: &str = "virt-handler";
const BOOT: u64 = 1;
const SHUTDOWN: u64 = 2;
/// kubevirt.io/api 1.8 `core/v1/types.go` DefaultGracePeriodSeconds.
const GRACE: i64 = 30;

/// How a guest ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    ShutDown,
    Crash,
}

pub fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    let vmi = world.store.get(key)?.clone();
    let pod = launchers::current(world, &vmi);
    match text(&vmi, "/status/phase") {
        "Scheduled" if is_deleting(&vmi) => end(world, key, End::Crash, false),
        "Scheduled" => {
            let up = seconds(&vmi, "sandbox/boot-seconds").unwrap_or(BOOT);
            if let Some(rest) = rest(world, &since(&vmi, "Scheduled"), up) {
                return Some(rest);
            }
            if annotation(&vmi, "sandbox/boot") == Some("fails") {
                end(world, key, End::Crash, true);
            } else if pod.as_deref().is_some_and(launchers::is_ready) {
                come_up(world, key, &vmi, text(pod.as_deref()?, "/status/podIP"));
            }
        }
        "Running" if is_deleting(&vmi) => return shut_down(world, key, &vmi),
        "Running" => {
            for (key_of, how) in [("sandbox/crashes-after-seconds", End::Crash), ("sandbox/powers-off-after-seconds", End::ShutDown)] {
                let Some(after) = seconds(&vmi, key_of) else { continue };
                match rest(world, &since(&vmi, "Running"), after) {
                    Some(rest) => return Some(rest),
                    None => end(world, key, how, true),
                }
            }
            return super::volume_updates::move_over(world, key, &vmi);
        }
        "Succeeded" | "Failed" => launchers::finish(world, &vmi),
        _ => {}
    }
    None
}

fn seconds(vmi: &Value, key: &str) -> Option<u64> {
    annotation(vmi, key)?.parse().ok()
}

/// When an instance entered a phase, as it says itself.
fn since(vmi: &Value, phase: &str) -> String {
    let entry = list(vmi, "/status/phaseTransitionTimestamps").iter().rev().find(|entry| text(entry, "/phase") == phase);
    entry.map(|entry| text(entry, "/phaseTransitionTimestamp").to_owned()).unwrap_or_default()
}

/// What is left of so many seconds since a time; `None` when they are over.
pub fn rest(world: &World, since: &str, seconds: u64) -> Option<Duration> {
    let end = since.parse::<Timestamp>().ok()? + Duration::from_secs(seconds);
    Duration::try_from(end.duration_since(world.now())).ok().filter(|rest| !rest.is_zero())
}

fn come_up(world: &mut World, key: &Key, vmi: &Value, address: &str) {
    let now = world.stamp();
    let (interfaces, live) = (interfaces(vmi, address), movable(world, vmi));
    let agent = annotation(vmi, "sandbox/agent") != Some("none");
    let up = |vmi: &mut Value| {
        put(vmi, "/status/interfaces", interfaces);
        if agent {
            put(vmi, "/status/guestOSInfo", json!({"id": "fedora", "name": "Fedora Linux", "prettyName": "Fedora Linux 43", "versionId": "43"}));
            state(vmi, &now, "AgentConnected", "True", ("", ""));
        }
        match &live {
            Ok(()) => state(vmi, &now, "LiveMigratable", "True", ("", "")),
            Err(why) => state(vmi, &now, "LiveMigratable", "False", ("DisksNotLiveMigratable", why)),
        }
        state(vmi, &now, "StorageLiveMigratable", "True", ("", ""));
        if text(vmi, "/spec/startStrategy") == "Paused" {
            state(vmi, &now, "Paused", "True", ("PausedByUser", "VMI was paused by user"));
        }
        put(vmi, "/status/migrationMethod", if live.is_ok() { "LiveMigration" } else { "BlockMigration" });
        enter(vmi, "Running", &now);
    };
    drop(world.change(key, up));
    world.tell(vmi, COMPONENT, "Normal", "Started", "VirtualMachineInstance started.");
    if let Some(mark) = annotation(vmi, "sandbox/writes") {
        let written = format!("{mark} {}/{}\n", key.namespace, key.name);
        for handle in handles(world, vmi) {
            let mut content = world.disks.read(&handle).unwrap_or_default().to_vec();
            content.extend_from_slice(written.as_bytes());
            world.disks.write(&handle, &content);
        }
    }
}

/// The volumes behind a guest's disks: claim, volume, handle.
pub fn handles(world: &World, vmi: &Value) -> Vec<String> {
    let namespace = text(vmi, "/metadata/namespace");
    let claims = list(vmi, "/spec/volumes").iter().filter_map(claim_of).filter_map(|name| world.get(&CLAIM, namespace, name));
    let volumes = claims.filter_map(|claim| world.get(&VOLUME, "", text(&claim, "/spec/volumeName")));
    volumes.filter_map(|volume| volume.at("/spec/csi/volumeHandle")?.as_str().map(str::to_owned)).collect()
}

fn movable(world: &World, vmi: &Value) -> Result<(), String> {
    let namespace = text(vmi, "/metadata/namespace");
    let own = |name: &&str| {
        let claim = world.get(&CLAIM, namespace, name);
        claim.is_some_and(|claim| !list(&claim, "/spec/accessModes").iter().any(|mode| mode == "ReadWriteMany"))
    };
    match list(vmi, "/spec/volumes").iter().filter_map(claim_of).find(own) {
        Some(name) => Err(format!(
            "cannot migrate VMI: PVC {name} is not shared, live migration requires that all PVCs must be shared (using ReadWriteMany access mode)"
        )),
        None => Ok(()),
    }
}

fn interfaces(vmi: &Value, address: &str) -> Vec<Value> {
    let uid: Vec<u8> = text(vmi, "/metadata/uid").bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |at: usize| uid.get(at..at + 2).map_or_else(|| "00".to_owned(), |pair| String::from_utf8_lossy(pair).into_owned());
    let number = |at: usize| u8::from_str_radix(&pair(at), 16).unwrap_or_default();
    let told = |(index, interface): (usize, &Value)| {
        let own = format!("02:{}:{}:{}:{}:{:02x}", pair(0), pair(2), pair(4), pair(6), index);
        let mac = interface.get("macAddress").and_then(Value::as_str).map_or(own, str::to_owned);
        let ip = if address.is_empty() || index > 0 { format!("10.88.{}.{}", number(8), number(10).max(1)) } else { address.to_owned() };
        json!({
            "name": interface["name"], "mac": mac, "ipAddress": ip, "ipAddresses": [ip], "interfaceName": format!("eth{index}"),
            "infoSource": "domain, guest-agent", "queueCount": 1,
        })
    };
    list(vmi, "/spec/domain/devices/interfaces").iter().enumerate().map(told).collect()
}

/// A guest that is asked to end does so in its own time, or is destroyed when its grace is over.
fn shut_down(world: &mut World, key: &Key, vmi: &Value) -> Option<Duration> {
    let asked = text(vmi, "/metadata/deletionTimestamp").to_owned();
    let grace = vmi.at("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(GRACE);
    let grace = u64::try_from(grace).unwrap_or_default();
    let stuck = annotation(vmi, "sandbox/shutdown-seconds") == Some("never") || is(vmi, "Paused", "True");
    let own = if stuck { None } else { Some(seconds(vmi, "sandbox/shutdown-seconds").unwrap_or(SHUTDOWN)) };
    let (after, how) = match own.filter(|own| *own <= grace) {
        Some(own) => (own, End::ShutDown),
        None => (grace, End::Crash),
    };
    if let Some(rest) = rest(world, &asked, after) {
        world.tell(vmi, COMPONENT, "Normal", "ShuttingDown", "Signaled Graceful Shutdown");
        return Some(rest);
    }
    end(world, key, how, true);
    None
}

fn end(world: &mut World, key: &Key, how: End, told: bool) {
    let Some(vmi) = world.store.get(key).cloned() else { return };
    let now = world.stamp();
    drop(world.change(key, |vmi| enter(vmi, if how == End::Crash { "Failed" } else { "Succeeded" }, &now)));
    match how {
        _ if !told => {}
        End::ShutDown => world.tell(&vmi, COMPONENT, "Normal", "Stopped", "The VirtualMachineInstance was shut down."),
        End::Crash => world.tell(&vmi, COMPONENT, "Warning", "Stopped", "The VirtualMachineInstance crashed."),
    }
    if let Some(vmi) = world.get(&VMI, &key.namespace, &key.name) {
        launchers::finish(world, &vmi);
    }
}
