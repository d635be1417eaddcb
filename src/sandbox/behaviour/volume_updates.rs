//! Disks of a running machine that are exchanged for others: with the strategy `Migration` its guest moves over to them while it runs.
//! Source: kubevirt 1.8 `pkg/virt-controller/watch/volume-migration/volume-migration.go`, `pkg/virt-controller/watch/vm/vm.go`
//! (handleVolumeUpdateRequest, syncVolumeMigration, validLiveUpdateVolumes), `pkg/virt-controller/watch/vmi/storage.go` (requireVolumesUpdate),
//! `pkg/virt-handler/migration-target.go` (removeMigratedVolumes).
//!
//! Cases: `volume_updates/a-guest-is-to-move-to-the-disk-that-is-exchanged`, `volume_updates/a-disk-that-is-exchanged-back-stays`,
//! `volume_updates/a-disk-that-is-left-behind-keeps-a-guest-from-moving`.

use std::time::Duration;

use serde_json::{Value, json};

use super::instance_rules::is_final;
use super::instances::is_hotplugged;
use super::machine_rules::claim_of;
use super::machine_status::Trouble;
use super::objects::{condition, forget, is, list, put, remove, state};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, DATA_VOLUME, VMI, VOLUME};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// What says that a guest is to move over, on the guest and then on its machine.
const CHANGE: &str = "VolumesChange";
const CANCELLED: &str = "VolumesChangeCancellation";
const RECOVERY: &str = "ManualRecoveryRequired";
/// How long a guest takes to move over.
const MOVING: Duration = Duration::from_secs(10);

/// A volume for which a machine wants another claim than its guest has.
struct Exchange<'v> {
    volume: &'v str,
    has: &'v str,
    wants: &'v str,
}

fn exchanges<'v>(vm: &'v Value, vmi: &'v Value) -> Vec<Exchange<'v>> {
    let wanted = list(vm, "/spec/template/spec/volumes");
    let exchange = |volume: &'v Value| {
        let (volume, has) = (text(volume, "/name"), claim_of(volume)?);
        let wants = wanted.iter().find(|wanted| text(wanted, "/name") == volume).and_then(claim_of)?;
        (has != wants).then_some(Exchange { volume, has, wants })
    };
    list(vmi, "/spec/volumes").iter().filter_map(exchange).collect()
}

fn by_migration(vm: &Value) -> bool {
    text(vm, "/spec/updateVolumesStrategy") == "Migration"
}

/// Whether the volumes of a machine may differ so from those its guest began with, without a restart.
pub fn are_live(vm: &Value, before: &Value) -> bool {
    fn same<'a>(volume: &Value, all: &'a [Value]) -> Option<&'a Value> {
        all.iter().find(|other| other["name"] == volume["name"])
    }
    let (now, then) = (list(vm, "/spec/template/spec/volumes"), list(before, "/spec/template/spec/volumes"));
    let fits = |volume: &Value| match same(volume, then) {
        _ if is_hotplugged(volume) => true,
        None => false,
        Some(old) => old == volume || (by_migration(vm) && (volume.get("persistentVolumeClaim").is_some() || volume.get("dataVolume").is_some())),
    };
    now.iter().all(fits) && then.iter().all(|volume| is_hotplugged(volume) || same(volume, now).is_some())
}

/// Has the guest follow the volumes of its machine; why it cannot without a restart.
///
/// # Errors
/// What is not to be done while a guest is moving over.
pub fn follow(world: &mut World, key: &Key, vmi: &Value) -> Result<Option<String>, Trouble> {
    let Some(vm) = world.store.get(key).cloned() else { return Ok(None) };
    let (exchanges, moving) = (exchanges(&vm, vmi), list(vmi, "/status/migratedVolumes"));
    let concerns = |exchange: &Exchange| moving.iter().any(|moved| text(moved, "/volumeName") == exchange.volume);
    if is(vmi, CHANGE, "True") && exchanges.iter().any(concerns) {
        return cancel(world, &vm, vmi, &exchanges).map(|()| None);
    }
    if !by_migration(&vm) || exchanges.is_empty() {
        return Ok(None);
    }
    let (at, now) = (Key::of(&VMI, vmi), world.stamp());
    if let Some(missing) = exchanges.iter().find_map(|exchange| missing(world, &vm, exchange)) {
        let words = format!("One of the destination volumes doesn't exist: {missing}");
        drop(world.change(&at, |vmi| state(vmi, &now, CHANGE, "False", ("", &words))));
        return Ok(None);
    }
    if let Some(words) = unfit(vmi, &exchanges).or_else(|| left_behind(vmi, &exchanges)) {
        return Ok(Some(words));
    }
    let moved: Vec<Value> = exchanges.iter().map(|exchange| migrated(world, &key.namespace, exchange)).collect();
    let volumes = list(&vm, "/spec/template/spec/volumes");
    let begin = |vmi: &mut Value| {
        forget(vmi, CHANGE);
        put(vmi, "/status/migratedVolumes", moved.clone());
        replace(vmi, volumes, &moved);
    };
    drop(world.change(&at, begin));
    drop(world.change(key, |vm| put(vm, "/status/volumeUpdateState", json!({"volumeMigrationState": {"migratedVolumes": moved}}))));
    Ok(None)
}

/// Takes the volumes of this list in place of those that move.
fn replace(vmi: &mut Value, volumes: &[Value], moved: &[Value]) {
    let mut all = list(vmi, "/spec/volumes").to_vec();
    for volume in all.iter_mut().filter(|volume| moved.iter().any(|moved| moved["volumeName"] == volume["name"])) {
        if let Some(new) = volumes.iter().find(|new| new["name"] == volume["name"]) {
            *volume = new.clone();
        }
    }
    put(vmi, "/spec/volumes", all);
}

/// A move can be taken back while it goes on, and that wholly.
fn cancel(world: &mut World, vm: &Value, vmi: &Value, exchanges: &[Exchange]) -> Result<(), Trouble> {
    let moving = list(vmi, "/status/migratedVolumes");
    let reverted = |moved: &Value| {
        let source = text(moved, "/sourcePVCInfo/claimName");
        exchanges.iter().any(|exchange| exchange.volume == text(moved, "/volumeName") && exchange.wants == source)
    };
    if !moving.iter().all(reverted) || exchanges.len() != moving.len() {
        let words = "The volume can only be reverted to the previous version during the update";
        return Err(("VolumesUpdateError", format!("error encountered while handling volumes update requests: {words}")));
    }
    let (now, volumes) = (world.stamp(), list(vm, "/spec/template/spec/volumes"));
    let back = |vmi: &mut Value| {
        replace(vmi, volumes, moving);
        remove(vmi, "/status", "migratedVolumes");
        state(vmi, &now, CHANGE, "False", (CANCELLED, ""));
    };
    drop(world.change(&Key::of(&VMI, vmi), back));
    Ok(())
}

/// A DataVolume that is wanted and is not there, or its claim. Of a claim that stands by itself nobody asks.
fn missing(world: &World, vm: &Value, exchange: &Exchange) -> Option<String> {
    let volume = list(vm, "/spec/template/spec/volumes").iter().find(|volume| text(volume, "/name") == exchange.volume)?;
    volume.get("dataVolume")?;
    let (namespace, name) = (text(vm, "/metadata/namespace"), exchange.wants);
    let Some(found) = world.get(&DATA_VOLUME, namespace, name) else { return Some(format!("the datavolume {name} doesn't exist")) };
    let empty = text(&found, "/status/phase") != "Succeeded" && world.get(&CLAIM, namespace, name).is_none();
    empty.then(|| format!("the pvc {name} doesn't exist"))
}

/// Disks that cannot move.
fn unfit(vmi: &Value, exchanges: &[Exchange]) -> Option<String> {
    let named = |pointer: &str, is_so: &dyn Fn(&Value) -> bool| -> Vec<&str> {
        let so = |exchange: &&Exchange| list(vmi, pointer).iter().any(|one| text(one, "/name") == exchange.volume && is_so(one));
        exchanges.iter().filter(so).map(|exchange| exchange.volume).collect()
    };
    let disks = "/spec/domain/devices/disks";
    let kinds = [
        ("filesystems", named("/spec/domain/devices/filesystems", &|_| true)),
        ("shareable", named(disks, &|disk| disk.at("/shareable") == Some(&true.into()))),
        ("luns", named(disks, &|disk| disk.get("lun").is_some())),
    ];
    let told: Vec<String> =
        kinds.iter().filter(|(_, names)| !names.is_empty()).map(|(kind, names)| format!("{kind}: [{}]", names.join(" "))).collect();
    (!told.is_empty()).then(|| format!("invalid volumes to update with migration: {}", told.join(" ")))
}

/// A disk of one node that would not move along.
fn left_behind(vmi: &Value, exchanges: &[Exchange]) -> Option<String> {
    if let Some(cannot) = condition(vmi, "StorageLiveMigratable").filter(|cannot| text(cannot, "/status") == "False") {
        return Some(format!("cannot migrate the volumes as the VMI isn't migratable: {}", text(cannot, "/message")));
    }
    let stays = |status: &&Value| {
        let of_one = list(status, "/persistentVolumeClaimInfo/accessModes").iter().any(|mode| mode == "ReadWriteOnce");
        of_one && exchanges.iter().all(|exchange| exchange.volume != text(status, "/name"))
    };
    let left = list(vmi, "/status/volumeStatus").iter().find(stays)?;
    Some(format!("cannot migrate the VM. The volume {} is RWO and not included in the migration volumes", text(left, "/name")))
}

fn migrated(world: &World, namespace: &str, exchange: &Exchange) -> Value {
    let info = |name: &str| {
        let claim = world.get(&CLAIM, namespace, name).unwrap_or_default();
        json!({
            "claimName": name, "volumeMode": claim["spec"]["volumeMode"], "accessModes": claim["spec"]["accessModes"],
            "requests": claim["spec"]["resources"]["requests"], "capacity": claim["status"]["capacity"],
        })
    };
    json!({"volumeName": exchange.volume, "sourcePVCInfo": info(exchange.has), "destinationPVCInfo": info(exchange.wants)})
}

/// What a machine says of a move that has begun: until its volumes are as before, or it failed.
pub fn tell(said: &mut Value, vmi: Option<&Value>, now: &Value) {
    let state_of = "/status/volumeUpdateState/volumeMigrationState";
    if said.at(state_of).is_none() {
        return;
    }
    let moved = list(said, &format!("{state_of}/migratedVolumes"));
    let is_back = |volume: &Value| {
        let of_it = moved.iter().find(|moved| moved["volumeName"] == volume["name"]);
        of_it.is_none_or(|moved| claim_of(volume).unwrap_or_default() == text(moved, "/sourcePVCInfo/claimName"))
    };
    let recovered = list(said, "/spec/template/spec/volumes").iter().all(is_back);
    let cancelled = |vmi: &Value| condition(vmi, CHANGE).is_some_and(|found| text(found, "/reason") == CANCELLED);
    if recovered || !by_migration(said) {
        put(said, "/status/volumeUpdateState", json!({}));
        forget(said, CHANGE);
        forget(said, RECOVERY);
    } else if vmi.is_none_or(is_final) {
        if is(said, CHANGE, "True") {
            state(said, now, RECOVERY, "True", ("VMI was removed or was final during the volume migration", ""));
        }
    } else if vmi.is_some_and(cancelled) {
        put(said, "/status/volumeUpdateState", json!({}));
    }
}

/// Says on a guest whose volumes were exchanged that it is to move.
pub fn require(said: &mut Value, now: &Value) {
    let moved = list(said, "/status/migratedVolumes");
    let sources: Vec<&str> = moved.iter().map(|moved| text(moved, "/sourcePVCInfo/claimName")).collect();
    let exchanged = list(said, "/spec/volumes").iter().filter_map(claim_of).any(|claim| !sources.contains(&claim));
    if !moved.is_empty() && condition(said, CHANGE).is_none() && exchanged {
        state(said, now, CHANGE, "True", ("", "migrate volumes"));
    }
}

/// The guest's part: it moves over, with all that stands on its disks. What is left of the time it takes.
pub fn move_over(world: &mut World, key: &Key, vmi: &Value) -> Option<Duration> {
    let begun = condition(vmi, CHANGE).filter(|change| text(change, "/status") == "True")?;
    if let Some(rest) = super::guests::rest(world, text(begun, "/lastTransitionTime"), MOVING.as_secs()) {
        return Some(rest);
    }
    let handle = |world: &World, claim: &str| {
        let claim = world.get(&CLAIM, &key.namespace, claim)?;
        Some(text(&*world.get(&VOLUME, "", text(&claim, "/spec/volumeName"))?, "/spec/csi/volumeHandle").to_owned())
    };
    for moved in list(vmi, "/status/migratedVolumes") {
        let from = handle(world, text(moved, "/sourcePVCInfo/claimName"));
        let to = handle(world, text(moved, "/destinationPVCInfo/claimName"));
        if let Some((from, to)) = from.zip(to) {
            let content = world.disks.read(&from).unwrap_or_default().to_vec();
            world.disks.write(&to, &content);
        }
    }
    let done = |vmi: &mut Value| {
        forget(vmi, CHANGE);
        remove(vmi, "/status", "migratedVolumes");
    };
    drop(world.change(key, done));
    None
}

#[cfg(test)]
#[path = "volume_updates_tests.rs"]
mod tests;
