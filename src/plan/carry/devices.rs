//! Devices and parts of the machine that are bound to more than the machine, or that nobody here knows.
//!
//! Source of the known names: kubevirt/kubevirt 1.8 `staging/src/kubevirt.io/api/core/v1/{schema,types}.go`.

use super::{block, warn};
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::vm::{Vm, Vmi};
use crate::model::volume::NetworkSource;
use crate::plan::checks::Check;
use crate::plan::checks::machines::Machine;
use crate::plan::references::{HOOKS, matches};
use crate::plan::request::MoveRequest;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "C020",
        title: "no device comes from a resource claim",
        run: |seen, ask| {
            block(
                "C020",
                seen,
                ask,
                resource_claims,
                "devices of resource claims are not carried",
                "give the machine its devices by deviceName, or keep it where it is",
            )
        },
    },
    Check {
        code: "C021",
        title: "no hook changes the guest's definition",
        run: |seen, ask| {
            block(
                "C021",
                seen,
                ask,
                hooks,
                "hook sidecars are not carried yet",
                "take the annotation hooks.kubevirt.io/hookSidecars off the template, and add the hooks again after the move",
            )
        },
    },
    Check {
        code: "C022",
        title: "no preset changes the machine",
        run: |seen, ask| {
            block(
                "C022",
                seen,
                ask,
                presets,
                "presets of the source namespace change this machine and are not carried",
                "write what they set into the machine itself, then plan again",
            )
        },
    },
    Check {
        code: "C023",
        title: "every device is known",
        run: |seen, ask| {
            block(
                "C023",
                seen,
                ask,
                unknown_devices,
                "devices that this tool does not know",
                "see whether a newer version of this tool knows them, or take them out of the machine",
            )
        },
    },
    Check {
        code: "C024",
        title: "every part of the machine is known",
        run: |seen, ask| {
            warn(
                "C024",
                seen,
                ask,
                unknown_parts,
                "parts that this tool does not know are kept as they are, and not looked at",
                "see that they mean the same in the target namespace",
            )
        },
    },
    Check {
        code: "C025",
        title: "no rule speaks of pods that stay behind",
        run: |seen, ask| {
            warn(
                "C025",
                seen,
                ask,
                neighbours,
                "rules about neighbouring pods look at the machine's own namespace, so those left in the source no longer count",
                "move the neighbours too, or name the source in the rule's 'namespaces'",
            )
        },
    },
];

const DEVICES: [&str; 27] = [
    "autoattachGraphicsDevice",
    "autoattachInputDevice",
    "autoattachMemBalloon",
    "autoattachPodInterface",
    "autoattachSerialConsole",
    "autoattachVSOCK",
    "blockMultiQueue",
    "clientPassthrough",
    "disableHotplug",
    "disks",
    "downwardMetrics",
    "filesystems",
    "gpus",
    "hostDevices",
    "inputs",
    "interfaces",
    "logSerialConsole",
    "networkInterfaceMultiqueue",
    "panicDevices",
    "rng",
    "sound",
    "tpm",
    "useVirtioTransitional",
    "video",
    "virtualGPUOptions",
    "vsock",
    "watchdog",
];

const PARTS: [&str; 23] = [
    "accessCredentials",
    "affinity",
    "architecture",
    "dnsConfig",
    "dnsPolicy",
    "domain",
    "evictionStrategy",
    "hostname",
    "livenessProbe",
    "networks",
    "nodeSelector",
    "priorityClassName",
    "readinessProbe",
    "resourceClaims",
    "schedulerName",
    "serviceAccountName",
    "startStrategy",
    "subdomain",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "utilityVolumes",
    "volumes",
];

fn resource_claims(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let spec = Vm(machine.vm).instance();
    let name = |entry: Json| entry.text("/name").unwrap_or("without a name").to_owned();
    let devices = ["/domain/devices/gpus", "/domain/devices/hostDevices"].into_iter().flat_map(|list| spec.list(list));
    let claimed = devices.filter(|device| device.get("claimName").is_some());
    let networks = spec.networks().filter(|network| network.source == NetworkSource::ResourceClaim).map(|network| network.name.to_owned());
    spec.list("/resourceClaims").chain(claimed).map(name).chain(networks).collect()
}

fn hooks(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    Vm(machine.vm).instance().annotation(HOOKS).map(|_| HOOKS.to_owned()).into_iter().collect()
}

/// Presets that were seen to match the guest's labels, and those that KubeVirt wrote on the instance when it applied them.
fn presets(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    const APPLIED: &str = "virtualmachinepreset.kubevirt.io/";
    let applied = machine.vmi.into_iter().flat_map(Manifest::annotations).filter_map(|(key, _)| key.strip_prefix(APPLIED).map(str::to_owned));
    let labels = Vm(machine.vm).instance().labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let matching = machine.beside(kind::PRESET).filter(|preset| matches(preset.at("/spec/selector"), &labels)).map(|preset| preset.name().to_owned());
    let mut found: Vec<String> = applied.chain(matching).collect();
    found.sort();
    found.dedup();
    found
}

fn unknown_devices(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let spec = Vm(machine.vm).instance();
    let mut found = strangers(spec.at("/domain/devices"), &DEVICES);
    for (index, credential) in spec.list("/accessCredentials").enumerate() {
        let known = |way: &str, value: Json| matches!(way, "sshPublicKey" | "userPassword") && value.at("/source/secret").is_some();
        let strange = credential.fields().filter(|(way, value)| !known(way, *value));
        found.extend(strange.map(|(way, _)| format!("accessCredentials {index} ({way})")));
    }
    found
}

fn unknown_parts(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    strangers(Vm(machine.vm).instance().at(""), &PARTS)
}

fn neighbours(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let spec = machine.vmi.map_or_else(|| Vm(machine.vm).instance(), |vmi| Vmi(vmi).instance());
    let parts = ["/affinity/podAffinity", "/affinity/podAntiAffinity", "/topologySpreadConstraints"];
    let says = |part: &&str| spec.at(part).is_some_and(|value| !value.is_empty());
    parts.into_iter().filter(says).filter_map(|part| part.rsplit('/').next()).map(str::to_owned).collect()
}

/// The keys of an object that are not among the known ones.
fn strangers(object: Option<Json>, known: &[&str]) -> Vec<String> {
    let fields = object.into_iter().flat_map(Json::fields);
    fields.filter(|(key, value)| !value.is_null() && !known.contains(key)).map(|(key, _)| key.to_owned()).collect()
}
