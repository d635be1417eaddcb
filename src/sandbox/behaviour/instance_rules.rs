//! What may be written about a VirtualMachineInstance, and what is filled in.
//! Sources: kubevirt 1.8 `pkg/virt-api/webhooks/mutating-webhook/mutators/vmi-mutator.go`,
//! `pkg/virt-api/webhooks/validating-webhook/admitters/{vmi-create,vmi-update,migration-create}-admitter.go`, `pkg/storage/admitters/disks.go`,
//! `pkg/defaults/defaults.go`, kubevirt.io/api 1.8 `core/v1/defaults.go`.
//!
//! Cases: `virtualmachines/an-instance-cannot-be-written-by-its-users`, `virtualmachines/a-disk-has-a-volume`,
//! `virtualmachines/a-migration-is-of-an-instance`, `virtualmachines/an-address-of-an-interface-has-a-form`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::objects::{add_finalizer, default, list, put};
use super::refusals::{self, cause, invalid};
use super::{Rule, Verb, is_deleting};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{VMI, VMIM};
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::{Attempt, User};

pub const RULES: &[Rule] = &[
    Rule { resource: &VMI, subresource: "", verbs: &[Verb::Create], run: born },
    Rule { resource: &VMI, subresource: "", verbs: &[Verb::Update], run: changed },
    Rule { resource: &VMIM, subresource: "", verbs: &[Verb::Create], run: migration },
];

/// Held until the guest has ended and its pods are gone.
pub const FINALIZER: &str = "kubevirt.io/foregroundDeleteVirtualMachine";
const CREATE: &str = "virtualmachineinstances-create-validator.kubevirt.io";
const UPDATE: &str = "virtualmachineinstances-update-validator.kubevirt.io";
const MIGRATION: &str = "migration-create-validator.kubevirt.io";

const RESERVED: &[&str] = &[
    "kubevirt.io/created-by",
    "kubevirt.io/migrationJobUID",
    "kubevirt.io/nodeName",
    "kubevirt.io/migrationTargetNodeName",
    "kubevirt.io/schedulable",
    "kubevirt.io/install-strategy",
];

fn reserved(object: &Value) -> Vec<(&str, &Value)> {
    let label = |name: &&'static str| object.at("/metadata/labels")?.get(*name).map(|value| (*name, value));
    RESERVED.iter().filter_map(label).collect()
}

/// Labels that only KubeVirt itself may give.
pub fn reserved_labels(object: Option<&Value>, field: &str) -> Vec<Cause> {
    let message = "creation of the following reserved kubevirt.io/ labels on a VMI object is prohibited";
    let found = object.is_some_and(|object| !reserved(object).is_empty());
    if found { vec![cause("FieldValueNotSupported", field, message)] } else { Vec::new() }
}

/// The rules that a specification of an instance breaks.
pub fn spec(spec: &Value, field: &str) -> Vec<Cause> {
    let mut causes = boot_order(spec, field);
    let disks = format!("{field}.domain.devices.disks");
    let all = list(spec, "/domain/devices/disks");
    causes.extend(same_names(all, &disks));
    for (index, disk) in all.iter().enumerate() {
        if ["disk", "lun", "cdrom"].iter().filter(|target| disk.get(**target).is_some()).count() > 1 {
            let at = format!("{disks}[{index}]");
            causes.push(invalid(&at, format!("{at} can only have a single target type defined")));
        }
    }
    causes.extend(networks(spec, field));
    causes.extend(volumes(spec, field));
    causes
}

fn same_names(all: &[Value], field: &str) -> Vec<Cause> {
    let name = |one: &Value| text(one, "/name").to_owned();
    let twice = |index: &usize| all[..*index].iter().position(|other| name(other) == name(&all[*index])).map(|other| (*index, other));
    let told = |(index, other): (usize, usize)| {
        invalid(&format!("{field}[{index}].name"), format!("{field}[{index}] and {field}[{other}] must not have the same Name."))
    };
    (0..all.len()).filter_map(|index| twice(&index)).map(told).collect()
}

fn boot_order(spec: &Value, field: &str) -> Vec<Cause> {
    let names: BTreeSet<&str> = list(spec, "/volumes").iter().map(|volume| text(volume, "/name")).collect();
    let (mut orders, mut causes) = (BTreeSet::new(), Vec::new());
    for (index, disk) in list(spec, "/domain/devices/disks").iter().enumerate() {
        let at = format!("{field}.domain.devices.disks[{index}]");
        let name = text(disk, "/name");
        if !names.contains(name) && disk.get("cdrom").is_none() {
            causes.push(invalid(&format!("{at}.name"), format!("{at}.Name '{name}' not found.")));
        }
        if let Some(order) = disk.get("bootOrder").and_then(Value::as_u64)
            && !orders.insert(order)
        {
            let message = format!("Boot order for {at}.bootOrder already set for a different device.");
            causes.push(invalid(&format!("{at}.bootOrder"), message));
        }
    }
    causes
}

/// Source: kubevirt 1.8 `pkg/network/admitter/netiface.go`.
fn networks(spec: &Value, field: &str) -> Vec<Cause> {
    let names = |pointer: &str| list(spec, pointer).iter().map(|one| text(one, "/name").to_owned()).collect::<Vec<String>>();
    let (networks, interfaces) = (names("/networks"), names("/domain/devices/interfaces"));
    let mut causes = Vec::new();
    for (index, name) in interfaces.iter().enumerate().filter(|(_, name)| !networks.contains(name)) {
        let at = format!("{field}.domain.devices.interfaces[{index}].name");
        causes.push(invalid(&at, format!("{at} '{name}' not found.")));
    }
    for (index, interface) in list(spec, "/domain/devices/interfaces").iter().enumerate() {
        let address = text(interface, "/macAddress");
        if !address.is_empty() && !is_hardware_address(address) {
            let at = format!("{field}.domain.devices.interfaces[{index}].name");
            causes.push(invalid(
                &format!("{field}.domain.devices.interfaces[{index}].macAddress"),
                format!("interface {at} has malformed MAC address ({address})."),
            ));
        }
    }
    for (index, name) in networks.iter().enumerate().filter(|(_, name)| !interfaces.contains(name)) {
        let at = format!("{field}.networks[{index}].name");
        causes.push(cause("FieldValueRequired", &at, format!("{at} '{name}' not found.")));
    }
    causes
}

/// Six pairs of digits, between colons or hyphens.
fn is_hardware_address(text: &str) -> bool {
    [':', '-'].iter().any(|between| {
        let pairs: Vec<&str> = text.split(*between).collect();
        pairs.len() == 6 && pairs.iter().all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

fn volumes(spec: &Value, field: &str) -> Vec<Cause> {
    let (all, field) = (list(spec, "/volumes"), format!("{field}.volumes"));
    let mut causes = same_names(all, &field);
    for (index, volume) in all.iter().enumerate() {
        let at = format!("{field}[{index}]");
        if volume.get("dataVolume").is_some() && text(volume, "/dataVolume/name").is_empty() {
            causes.push(cause("FieldValueRequired", &format!("{at}.name"), "DataVolume 'name' must be set"));
        }
        let sources = volume.as_object().map_or(0, |volume| volume.iter().filter(|(key, value)| *key != "name" && !value.is_null()).count());
        if sources != 1 {
            causes.push(invalid(&at, format!("{at} must have exactly one source type set")));
        }
        for (source, pointer) in
            [("configMap", "/configMap/name"), ("secret", "/secret/secretName"), ("serviceAccount", "/serviceAccount/serviceAccountName")]
        {
            if volume.get(source).is_some() && text(volume, pointer).is_empty() {
                let at = format!("{at}{}", pointer.replace('/', "."));
                causes.push(invalid(&at, format!("{at} is a required field")));
            }
        }
    }
    if all.iter().filter(|volume| volume.get("serviceAccount").is_some()).count() > 1 {
        causes.push(invalid(&field, format!("{field} must have max one serviceAccount volume set")));
    }
    causes
}

/// What an instance gets that says nothing about it. Its template shows none of this.
pub fn fill_in(spec: &mut Value) {
    default(spec, "/architecture", "amd64");
    default(spec, "/domain/machine/type", "q35");
    if spec.at("/domain/memory/guest").is_none() {
        let asked = ["requests", "limits"].map(|kind| text(spec, &format!("/domain/resources/{kind}/memory")).to_owned());
        if let Some(memory) = asked.into_iter().find(|memory| !memory.is_empty()) {
            put(spec, "/domain/memory/guest", memory);
        }
    }
    let topology = ["sockets", "cores", "threads"];
    if topology.iter().all(|part| spec.at(&format!("/domain/cpu/{part}")).is_none()) {
        for part in topology {
            put(spec, &format!("/domain/cpu/{part}"), 1);
        }
    }
    default(spec, "/domain/cpu/model", "host-model");
    let alone = list(spec, "/domain/devices/interfaces").is_empty() && list(spec, "/networks").is_empty();
    if alone && spec.at("/domain/devices/autoattachPodInterface") != Some(&false.into()) {
        put(spec, "/domain/devices/interfaces", json!([{"name": "default", "masquerade": {}}]));
        put(spec, "/networks", json!([{"name": "default", "pod": {}}]));
    }
    let mut disks = list(spec, "/domain/devices/disks").to_vec();
    for disk in &mut disks {
        if ["disk", "lun", "cdrom"].iter().all(|target| disk.get(*target).is_none()) {
            put(disk, "/disk", json!({}));
        }
    }
    for volume in list(spec, "/volumes") {
        let shown = |device: &Value| device["name"] == volume["name"];
        if !disks.iter().any(shown) && !list(spec, "/domain/devices/filesystems").iter().any(shown) {
            disks.push(json!({"name": volume["name"], "disk": {}}));
        }
    }
    if !disks.is_empty() {
        put(spec, "/domain/devices/disks", disks);
    }
}

fn born(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let known = attempt.user == User::controller();
    let vmi = &mut attempt.object;
    let mut wanted = vmi.get("spec").cloned().unwrap_or_else(|| json!({}));
    fill_in(&mut wanted);
    let mut causes = spec(&wanted, "spec");
    if !known {
        causes.extend(reserved_labels(Some(vmi), "metadata.labels"));
    }
    refusals::kubevirt(CREATE, &causes)?;
    if let Some(guest) = wanted.at("/domain/memory/guest") {
        put(vmi, "/status/memory", json!({"guestAtBoot": guest, "guestCurrent": guest, "guestRequested": guest}));
    }
    let part = |part: &str| wanted.at(&format!("/domain/cpu/{part}")).cloned().unwrap_or_else(|| 1.into());
    put(vmi, "/status/currentCPUTopology", json!({"sockets": part("sockets"), "cores": part("cores"), "threads": part("threads")}));
    put(vmi, "/spec", wanted);
    default(vmi, "/spec/domain/firmware/uuid", vmi["metadata"]["uid"].clone());
    default(vmi, "/metadata/annotations/kubevirt.io~1pci-topology-version", "v3");
    put(vmi, "/status/runtimeUser", 107);
    add_finalizer(vmi, FINALIZER);
    put(vmi, "/status/phase", "Pending");
    put(vmi, "/status/phaseTransitionTimestamps", json!([{"phase": "Pending", "phaseTransitionTimestamp": world.stamp()}]));
    Ok(())
}

fn changed(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let Some(old) = attempt.old.clone() else { return Ok(()) };
    if attempt.user == User::controller() {
        return Ok(());
    }
    // Its status is part of the object, and what others write there is quietly undone.
    match old.get("status") {
        Some(status) => attempt.object["status"] = status.clone(),
        None => super::objects::remove(&mut attempt.object, "", "status"),
    }
    let restricted = attempt.object.get("spec") != old.get("spec");
    let relabelled = reserved(&attempt.object) != reserved(&old);
    let causes = [
        restricted.then(|| cause("FieldValueNotSupported", "", "update of VMI object is restricted")),
        relabelled
            .then(|| cause("FieldValueNotSupported", "", "modification of the following reserved kubevirt.io/ labels on a VMI object is prohibited")),
    ];
    refusals::kubevirt(UPDATE, &causes.into_iter().flatten().take(1).collect::<Vec<_>>())
}

fn migration(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let (namespace, name) = (text(&attempt.object, "/metadata/namespace"), text(&attempt.object, "/spec/vmiName"));
    let Some(vmi) = world.get(&VMI, namespace, name) else {
        return Err(refusals::failed(MIGRATION, &format!("the VMI \"{namespace}/{name}\" does not exist")));
    };
    if is_final(&vmi) {
        return Err(refusals::failed(MIGRATION, "Cannot migrate VMI in finalized state."));
    }
    let under_way = |other: &Value| text(other, "/spec/vmiName") == name && !matches!(text(other, "/status/phase"), "Succeeded" | "Failed");
    if let Some(other) = world.list(&VMIM, Some(namespace)).iter().find(|other| under_way(other) && !is_deleting(other)) {
        let words = format!(
            "in-flight migration detected. Active migration job ({}) is currently already in progress for VMI {name}.",
            text(other, "/metadata/uid")
        );
        return Err(refusals::failed(MIGRATION, &words));
    }
    let name = name.to_owned();
    put(&mut attempt.object, "/metadata/labels/kubevirt.io~1vmi-name", name);
    add_finalizer(&mut attempt.object, "kubevirt.io/migrationJobFinalize");
    Ok(())
}

/// Whether a guest has ended, one way or the other.
pub fn is_final(vmi: &Value) -> bool {
    matches!(text(vmi, "/status/phase"), "Succeeded" | "Failed")
}
