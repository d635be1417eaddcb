//! The virtual machine of the target: the source's manifest with what must differ, and nothing else, changed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Marks;
use super::changes::changes;
use super::fence::{halted, run_field, without_fence};
use super::metadata::{DISK_TEMPLATE, EVERYWHERE, MACHINE, TEMPLATE, fresh, strip};
use crate::model::json::Json;
use crate::model::manifest::{Manifest, escape};
use crate::model::patch::PatchOp;
use crate::model::vm::{Matcher, Vm};
use crate::plan::document::{Change, Identity};

const UUID: &str = "/spec/template/spec/domain/firmware/uuid";
const SERIAL: &str = "/spec/template/spec/domain/firmware/serial";
const MACHINE_TYPE: &str = "/spec/template/spec/domain/machine/type";
const HOSTNAME: &str = "/spec/template/spec/hostname";
const INTERFACES: &str = "/spec/template/spec/domain/devices/interfaces";
const AFFINITY: &str = "/spec/template/spec/affinity";

/// What the target's machine is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub name: String,
    pub namespace: String,
    /// The namespace that unqualified names in the source's templates mean.
    pub source_namespace: String,
    pub identity: Identity,
    /// Names of claims and DataVolumes in the target, by their names in the source; a name that is not here stays.
    pub claims: BTreeMap<String, String>,
    /// Network attachments in the target, by what the source calls them.
    pub networks: BTreeMap<String, String>,
    /// ControllerRevisions that come along: the machine is pinned to those of them that it runs with.
    pub revisions: Vec<String>,
    /// What the tool writes on it; absent while planning, when there is no move yet.
    pub marks: Option<Marks>,
}

/// Makes the target's machine out of the source's, and tells every field that differs.
pub fn rewrite(source: &Manifest, to: &Target) -> (Manifest, Vec<Change>) {
    let mut vm = source.clone();
    vm.remove("/status");
    vm.set("/metadata", fresh(source, &to.namespace, &to.name, &[EVERYWHERE, MACHINE]));
    if let Some(marks) = &to.marks {
        marks.put(&mut vm);
    }
    if let Some((field, _)) = run_field(source) {
        vm.set(field.pointer(), halted(field));
    }
    pin_identity(&mut vm, source, to);
    clean_template(&mut vm);
    rename_claims(&mut vm, &to.claims);
    map_networks(&mut vm, &to.networks);
    for template in list_mut(&mut vm, "/spec/dataVolumeTemplates") {
        rewrite_disk_template(template, to);
    }
    pin_revision(&mut vm, "/spec/instancetype", Vm(source).instancetype(), &to.revisions);
    pin_revision(&mut vm, "/spec/preference", Vm(source).preference(), &to.revisions);
    let told = changes(source, &vm);
    (vm, told)
}

/// The patch that takes a serial number away which the API server gave the new machine though the source has none (KubeVirt 1.6.1 and later
/// fill it in when a machine is created, and only then). Empty when there is nothing to take away.
pub fn serial_patch(created: &Manifest, identity: &Identity) -> Vec<PatchOp> {
    if identity.firmware_serial.is_some() || created.at(SERIAL).is_none() {
        return Vec::new();
    }
    vec![PatchOp::unchanged(created), PatchOp::Remove(SERIAL.to_owned())]
}

fn pin_identity(vm: &mut Manifest, source: &Manifest, to: &Target) {
    let identity = &to.identity;
    vm.set(UUID, identity.firmware_uuid.as_str().into());
    let missing = [(SERIAL, &identity.firmware_serial), (MACHINE_TYPE, &identity.machine_type)];
    for (pointer, value) in missing {
        if let (None | Some(""), Some(value)) = (source.text(pointer), value) {
            vm.set(pointer, value.as_str().into());
        }
    }
    // Without one KubeVirt draws another address at every start, and the guest would meet a new network card.
    for interface in list_mut(vm, INTERFACES) {
        let unsaid = interface.get("macAddress").and_then(Value::as_str).is_none_or(str::is_empty);
        let mac = interface.get("name").and_then(Value::as_str).and_then(|name| identity.macs.get(name)).filter(|_| unsaid).cloned();
        if let (Some(mac), Some(interface)) = (mac, interface.as_object_mut()) {
            interface.insert("macAddress".to_owned(), mac.into());
        }
    }
    for (key, value) in &identity.pci {
        vm.set(&format!("/spec/template/metadata/annotations/{}", escape(key)), value.as_str().into());
    }
    if to.name != source.name() && source.text(HOSTNAME).is_none_or(str::is_empty) {
        vm.set(HOSTNAME, hostname(source.name()).into());
    }
}

/// The host name that a guest without one gets from its machine's name: up to the first dot, at most 63 characters.
/// Source: kubevirt/kubevirt `pkg/util/net/dns/dns.go` SanitizeHostname.
pub fn hostname(name: &str) -> &str {
    let label = name.split('.').next().unwrap_or(name);
    label.get(..63).unwrap_or(label)
}

fn clean_template(vm: &mut Manifest) {
    if let Some(metadata) = vm.value_mut().pointer_mut("/spec/template/metadata") {
        remove_server_keys(metadata);
        strip(metadata, &[EVERYWHERE, TEMPLATE]);
    }
    if let Some(affinity) = vm.at(AFFINITY).map(Json::to_value) {
        match without_fence((&affinity).into()) {
            Some(rest) if rest == affinity => {}
            Some(rest) => vm.set(AFFINITY, rest),
            None => drop(vm.remove(AFFINITY)),
        }
    }
}

fn rename_claims(vm: &mut Manifest, claims: &BTreeMap<String, String>) {
    for volume in list_mut(vm, "/spec/template/spec/volumes") {
        for pointer in ["/persistentVolumeClaim/claimName", "/dataVolume/name"] {
            rename(volume.pointer_mut(pointer), claims);
        }
    }
    for template in list_mut(vm, "/spec/dataVolumeTemplates") {
        rename(template.pointer_mut("/metadata/name"), claims);
    }
}

fn map_networks(vm: &mut Manifest, networks: &BTreeMap<String, String>) {
    for network in list_mut(vm, "/spec/template/spec/networks") {
        rename(network.pointer_mut("/multus/networkName"), networks);
    }
}

/// A template that KubeVirt accepts in the target. It is not evaluated while the DataVolume of its name exists, but it must stay what it
/// was: names without a namespace meant the source's.
fn rewrite_disk_template(template: &mut Value, to: &Target) {
    if let Some(metadata) = template.get_mut("metadata") {
        remove_server_keys(metadata);
        strip(metadata, &[EVERYWHERE, DISK_TEMPLATE]);
    }
    for pointer in ["/spec/sourceRef", "/spec/source/pvc", "/spec/source/snapshot"] {
        let Some(source) = template.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
        let unsaid = source.get("namespace").and_then(Value::as_str).is_none_or(str::is_empty);
        if unsaid {
            source.insert("namespace".to_owned(), to.source_namespace.as_str().into());
        }
    }
}

/// Pins an instancetype or preference to the revision that came along; without one the current object holds.
fn pin_revision(vm: &mut Manifest, pointer: &str, matcher: Option<Matcher>, revisions: &[String]) {
    let Some(matcher) = matcher else { return };
    let at = |key: &str| format!("{pointer}/{key}");
    match matcher.revision.filter(|revision| revisions.iter().any(|copied| copied == revision)) {
        Some(revision) => vm.set(&at("revisionName"), revision.into()),
        None => drop(vm.remove(&at("revisionName"))),
    }
    let Some(name) = matcher.resolved_name.filter(|_| matcher.infer_from_volume.is_some()) else { return };
    vm.remove(&at("inferFromVolume"));
    vm.remove(&at("inferFromVolumeFailurePolicy"));
    vm.set(&at("name"), name.into());
    if let Some(kind) = matcher.resolved_kind {
        vm.set(&at("kind"), kind.into());
    }
}

fn rename(name: Option<&mut Value>, names: &BTreeMap<String, String>) {
    let Some(name) = name else { return };
    if let Some(new) = name.as_str().and_then(|old| names.get(old)) {
        *name = new.as_str().into();
    }
}

fn list_mut<'a>(object: &'a mut Manifest, pointer: &str) -> &'a mut [Value] {
    object.value_mut().pointer_mut(pointer).and_then(Value::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
}

/// Takes what a server writes out of a template's metadata. A null says nothing and may stay.
fn remove_server_keys(metadata: &mut Value) {
    const KEYS: [&str; 9] =
        ["namespace", "creationTimestamp", "uid", "resourceVersion", "generation", "managedFields", "selfLink", "ownerReferences", "finalizers"];
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.retain(|key, value| value.is_null() || !KEYS.contains(&key.as_str()));
    }
}

#[cfg(test)]
#[path = "vm_tests.rs"]
mod tests;
