//! What names what in a namespace, so that it is found by what it names: a line for each relation.

use crate::model::disk::Claim;
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::model::relation::Relation;
use crate::model::vm::{InstanceSpec, Vm, Vmi};
use crate::model::volume::{Volume, VolumeSource};

/// Label of the claim with a machine's state, since KubeVirt 1.4; before, and still honoured, the claim's name alone told.
const STATE: &str = "persistent-state-for";

/// The virtual machines that use a claim in any way.
pub static MACHINES_OF_CLAIM: Relation = Relation { kind: kind::VM, names: |vm| used(Vm(vm).instance()) };
/// As [`MACHINES_OF_CLAIM`], for instances.
pub static INSTANCES_OF_CLAIM: Relation = Relation { kind: kind::VMI, names: |vmi| used(Vmi(vmi).instance()) };
/// The pods that mount a claim.
pub static PODS_OF_CLAIM: Relation = Relation { kind: kind::POD, names: mounted };
/// The DataSources that offer a claim as an image.
pub static SOURCES_OF_CLAIM: Relation = Relation { kind: kind::DATA_SOURCE, names: offered };
/// The claims that are being filled from a claim.
pub static COPIES_OF_CLAIM: Relation = Relation { kind: kind::CLAIM, names: copied };
/// The open exports of a claim.
pub static EXPORTS_OF_CLAIM: Relation = Relation { kind: kind::VM_EXPORT, names: |export| exported(export, kind::CLAIM) };
pub static SNAPSHOTS_OF_CLAIM: Relation =
    Relation { kind: kind::VOLUME_SNAPSHOT, names: |snapshot| at(snapshot, "/spec/source/persistentVolumeClaimName") };
/// The open exports of a virtual machine.
pub static EXPORTS_OF_MACHINE: Relation = Relation { kind: kind::VM_EXPORT, names: |export| exported(export, kind::VM) };
pub static SNAPSHOTS_OF_MACHINE: Relation = Relation { kind: kind::VM_SNAPSHOT, names: |snapshot| at(snapshot, "/spec/source/name") };
/// The clones from or into a virtual machine that are under way.
pub static CLONES_OF_MACHINE: Relation = Relation { kind: kind::VM_CLONE, names: cloned };
/// The migrations of a virtual machine that are under way.
pub static MIGRATIONS_OF_MACHINE: Relation = Relation { kind: kind::VMIM, names: migrated };
/// The claims that hold the state of a virtual machine (TPM, EFI variables).
pub static STATE_OF_MACHINE: Relation = Relation { kind: kind::CLAIM, names: state };
/// The pods in which the guest of a virtual machine runs (KubeVirt `pkg/virt-controller/services/template.go`).
pub static LAUNCHERS_OF_MACHINE: Relation = Relation { kind: kind::POD, names: launched };
/// The virtual machines that say a MAC address.
pub static MACHINES_OF_MAC: Relation = Relation { kind: kind::VM, names: macs };

fn at(object: &Manifest, pointer: &str) -> Vec<String> {
    object.text(pointer).map(str::to_owned).into_iter().collect()
}

fn is_over(object: &Manifest, ends: &[&str]) -> bool {
    object.text("/status/phase").is_some_and(|phase| ends.contains(&phase))
}

fn used(instance: InstanceSpec) -> Vec<String> {
    let claim = |volume: &Volume| match volume.source {
        VolumeSource::Ephemeral { claim } | VolumeSource::MemoryDump { claim } => Some(claim.to_owned()),
        _ => volume.claim().map(str::to_owned),
    };
    instance.volumes().filter_map(|volume| claim(&volume)).collect()
}

fn mounted(pod: &Manifest) -> Vec<String> {
    pod.list("/spec/volumes").filter_map(|volume| volume.text("/persistentVolumeClaim/claimName").map(str::to_owned)).collect()
}

fn offered(source: &Manifest) -> Vec<String> {
    let Some(claim) = source.at("/status/source/pvc").or_else(|| source.at("/spec/source/pvc")) else { return Vec::new() };
    let here = claim.text("/namespace").is_none_or(|namespace| Some(namespace) == source.namespace());
    claim.text("/name").filter(|_| here).map(str::to_owned).into_iter().collect()
}

fn copied(claim: &Manifest) -> Vec<String> {
    let from = |field: &&&str| claim.text(&format!("/spec/{field}/kind")) == Some("PersistentVolumeClaim");
    let waits = Claim(claim).phase() == "Pending";
    ["dataSource", "dataSourceRef"].iter().filter(|_| waits).filter(from).flat_map(|field| at(claim, &format!("/spec/{field}/name"))).collect()
}

fn exported(export: &Manifest, what: Kind) -> Vec<String> {
    let open = !is_over(export, &["Terminated", "Skipped"]);
    if open && export.text("/spec/source/kind") == Some(what.kind) { at(export, "/spec/source/name") } else { Vec::new() }
}

fn cloned(clone: &Manifest) -> Vec<String> {
    let machine = |side: &&&str| clone.text(&format!("/spec/{side}/kind")).unwrap_or("VirtualMachine") == "VirtualMachine";
    let under_way = !is_over(clone, &["Succeeded", "Failed"]);
    ["source", "target"].iter().filter(|_| under_way).filter(machine).flat_map(|side| at(clone, &format!("/spec/{side}/name"))).collect()
}

fn migrated(migration: &Manifest) -> Vec<String> {
    if is_over(migration, &["Succeeded", "Failed"]) { Vec::new() } else { at(migration, "/spec/vmiName") }
}

fn state(claim: &Manifest) -> Vec<String> {
    let named = claim.label(STATE).or_else(|| claim.name().strip_prefix(STATE)?.strip_prefix('-'));
    named.map(str::to_owned).into_iter().collect()
}

fn launched(pod: &Manifest) -> Vec<String> {
    if pod.label("kubevirt.io") != Some("virt-launcher") || is_over(pod, &["Succeeded", "Failed"]) {
        return Vec::new();
    }
    pod.owners().filter(|owner| owner.kind == "VirtualMachineInstance").map(|owner| owner.name.to_owned()).collect()
}

/// The MAC addresses of a virtual machine, however they are written.
pub fn macs(vm: &Manifest) -> Vec<String> {
    Vm(vm).instance().interfaces().filter_map(|interface| Some(interface.mac?.to_lowercase().replace('-', ":"))).collect()
}
