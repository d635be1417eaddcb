//! Networks that the target must have, and addresses that cannot come along.
//!
//! Sources: kubevirt/kubevirt `pkg/network/multus`, `api/core/v1/types.go` (InterfaceBindingPlugin); ovn-kubernetes
//! `go-controller/pkg/util/multi_network.go` (netAttachDefName); kubemacpool `pkg/pool-manager`.

use serde_json::Value;

use super::{block, warn};
use crate::model::inventory::{Look, Place};
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::vm::{InstanceSpec, Vm};
use crate::model::volume::NetworkSource;
use crate::plan::checks::Check;
use crate::plan::checks::machines::Machine;
use crate::plan::request::MoveRequest;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "C030",
        title: "the target has the networks",
        run: |seen, ask| {
            block(
                "C030",
                seen,
                ask,
                absent,
                "network attachments that are not in the target namespace, where the guest would never start",
                "make them there, or use others with --map-network A=B",
            )
        },
    },
    Check {
        code: "C031",
        title: "networks of a name are one network",
        run: |seen, ask| {
            warn(
                "C031",
                seen,
                ask,
                different,
                "networks that the target has with another configuration",
                "see that they lead to the same network, or use others with --map-network A=B",
            )
        },
    },
    Check {
        code: "C032",
        title: "networks do not lead into the source namespace",
        run: |seen, ask| {
            warn(
                "C032",
                seen,
                ask,
                foreign,
                "networks of the source namespace by their full name, which the target can use only while Multus does not isolate namespaces",
                "make them in the target and use those with --map-network A=B",
            )
        },
    },
    Check {
        code: "C033",
        title: "every network and its binding is known",
        run: |seen, ask| {
            block(
                "C033",
                seen,
                ask,
                unknown,
                "networks or bindings that this tool does not know",
                "see whether a newer version of this tool knows them, or take them out of the machine",
            )
        },
    },
    Check {
        code: "C034",
        title: "no two machines have one MAC address",
        run: |seen, ask| {
            block(
                "C034",
                seen,
                ask,
                duplicates,
                "MAC addresses that another machine has too, of which a MAC pool allows one",
                "give one of the machines another address, then plan again",
            )
        },
    },
    Check {
        code: "C035",
        title: "no MAC pool watches the addresses",
        run: |seen, ask| {
            warn(
                "C035",
                seen,
                ask,
                pooled,
                "a MAC pool watches these addresses; before version 0.51 it refuses the target while the source exists, which the dry run will tell",
                "if it refuses, label the target namespace mutatevirtualmachines.kubemacpool.io=ignore for the time of the move",
            )
        },
    },
    Check {
        code: "C036",
        title: "the primary network is that of the cluster",
        run: |seen, ask| {
            block(
                "C036",
                seen,
                ask,
                primary,
                "the namespaces do not have the same kind of primary network, so the guest would lose its addresses",
                "make the target namespace with the label k8s.ovn.org/primary-user-defined-network and the same network, or leave it off both",
            )
        },
    },
];

/// Label of namespaces whose pods have a user-defined primary network.
const PRIMARY: &str = "k8s.ovn.org/primary-user-defined-network";
/// KubeMacPool's mark on machines it has seen.
const POOL: &str = "kubemacpool.io/transaction-timestamp";
/// KubeMacPool's label on namespaces; `ignore` opts out.
const POOL_LABEL: &str = "mutatevirtualmachines.kubemacpool.io";

/// The attachments the machine will use in the target, as `(namespace if it is said, name)`.
fn attachments<'a>(machine: &Machine<'a>, ask: &'a MoveRequest) -> Vec<(Option<&'a str>, &'a str)> {
    let mapped = |name: &'a str| ask.network_map.get(name).map_or(name, String::as_str);
    let networks = Vm(machine.vm).instance().networks().filter_map(|network| match network.source {
        NetworkSource::Multus { attachment, .. } => Some(mapped(attachment)),
        _ => None,
    });
    let named = networks.map(split);
    named.chain(plugins(machine).into_iter().map(split)).collect()
}

/// Attachments of binding plugins, which the KubeVirt CR names for a binding.
fn plugins<'a>(machine: &Machine<'a>) -> Vec<&'a str> {
    let source = &machine.seen.source;
    let kubevirts = || source.cluster.objects.all(kind::KUBEVIRT).chain(source.objects.all(kind::KUBEVIRT));
    let bindings = Vm(machine.vm).instance().interfaces().filter(|interface| interface.plugin).filter_map(|interface| interface.binding);
    let attachment = |binding: &str| {
        let bindings = kubevirts().find_map(|kubevirt| kubevirt.at("/spec/configuration/network/binding"));
        bindings?.get(binding)?.get("networkAttachmentDefinition")?.as_str().filter(|name| !name.is_empty())
    };
    bindings.filter_map(attachment).collect()
}

fn split(name: &str) -> (Option<&str>, &str) {
    name.split_once('/').map_or((None, name), |(namespace, name)| (Some(namespace), name))
}

/// The target, where its attachments were looked at: a server without that kind has none.
fn looked_at<'a>(machine: &Machine<'a>) -> Option<&'a Place> {
    let target = machine.seen.target.as_ref()?;
    match target.objects.0.get(&kind::NETWORK_ATTACHMENT) {
        Some(Look::Forbidden(_)) => None,
        _ => Some(target),
    }
}

fn absent(machine: &Machine, ask: &MoveRequest) -> Vec<String> {
    let Some(target) = machine.seen.target.as_ref() else { return Vec::new() };
    let here = |namespace: Option<&str>| namespace.is_none_or(|namespace| namespace == target.namespace);
    let needed = attachments(machine, ask).into_iter().filter(|(namespace, _)| here(*namespace));
    match looked_at(machine) {
        Some(target) => {
            needed.filter(|(_, name)| target.objects.get(kind::NETWORK_ATTACHMENT, name).is_none()).map(|(_, name)| name.to_owned()).collect()
        }
        None => needed.map(|(_, name)| format!("{name} (you may not look)")).collect(),
    }
}

fn different(machine: &Machine, ask: &MoveRequest) -> Vec<String> {
    let Some(target) = looked_at(machine) else { return Vec::new() };
    let config = |place: &Place, name: &str| {
        let mut config: Value = serde_json::from_str(place.objects.get(kind::NETWORK_ATTACHMENT, name)?.text("/spec/config")?).ok()?;
        // OVN-Kubernetes wants the attachment's own namespace and name in here.
        config.as_object_mut()?.remove("netAttachDefName");
        Some(config)
    };
    let differs = |(namespace, name): &(Option<&str>, &str)| {
        let both = config(&machine.seen.source, name).zip(config(target, name));
        namespace.is_none() && both.is_some_and(|(source, target)| source != target)
    };
    attachments(machine, ask).into_iter().filter(differs).map(|(_, name)| name.to_owned()).collect()
}

fn foreign(machine: &Machine, ask: &MoveRequest) -> Vec<String> {
    let source = machine.seen.source.namespace.as_str();
    attachments(machine, ask).into_iter().filter(|(namespace, _)| *namespace == Some(source)).map(|(_, name)| format!("{source}/{name}")).collect()
}

/// Keys of an interface that say no binding.
const INTERFACE: [&str; 10] = ["name", "model", "ports", "macAddress", "bootOrder", "pciAddress", "dhcpOptions", "tag", "acpiIndex", "state"];
/// Bindings that KubeVirt has today; `slirp`, `macvtap` and `passt` it has given up, and refuses.
const BINDINGS: [&str; 5] = ["masquerade", "bridge", "sriov", "passtBinding", "binding"];

fn unknown(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let spec = Vm(machine.vm).instance();
    let networks = spec.networks().filter_map(|network| match network.source {
        NetworkSource::Other(keys) => Some(format!("{} ({keys})", network.name)),
        _ => None,
    });
    let interfaces = spec.list("/domain/devices/interfaces").iter().filter_map(|interface| {
        let stranger = |(key, value): &(&String, &Value)| !value.is_null() && !INTERFACE.contains(&key.as_str()) && !BINDINGS.contains(&key.as_str());
        let keys: Vec<&str> = interface.as_object()?.iter().filter(stranger).map(|(key, _)| key.as_str()).collect();
        let name = interface.get("name").and_then(Value::as_str).unwrap_or("without a name");
        (!keys.is_empty()).then(|| format!("{name} ({})", keys.join("+")))
    });
    networks.chain(interfaces).collect()
}

fn macs(vm: &Manifest) -> impl Iterator<Item = String> {
    Vm(vm).instance().interfaces().filter_map(|interface| interface.mac.map(normal)).collect::<Vec<_>>().into_iter()
}

/// A MAC address however it is written.
fn normal(mac: &str) -> String {
    mac.to_lowercase().replace('-', ":")
}

/// Whether a pool watches the machine and will watch its copy.
fn is_pooled(machine: &Machine) -> bool {
    let target = machine.seen.target.as_ref().and_then(Place::namespace_object);
    let exempt = target.is_some_and(|namespace| namespace.label(POOL_LABEL) == Some("ignore"));
    machine.vm.annotation(POOL).is_some() && !exempt
}

fn duplicates(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    if !is_pooled(machine) {
        return Vec::new();
    }
    let places = std::iter::once(&machine.seen.source).chain(machine.seen.target.as_ref());
    let others: Vec<&Manifest> = places.flat_map(|place| place.objects.all(kind::VM)).filter(|vm| vm.uid() != machine.vm.uid()).collect();
    let holder = |mac: &String| others.iter().find(|vm| macs(vm).any(|other| other == *mac));
    macs(machine.vm).filter_map(|mac| holder(&mac).map(|vm| format!("{mac} ({})", vm.name()))).collect()
}

fn pooled(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    if is_pooled(machine) { macs(machine.vm).collect() } else { Vec::new() }
}

fn primary(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let Some(target) = machine.seen.target.as_ref().and_then(Place::namespace_object) else { return Vec::new() };
    let Some(source) = machine.seen.source.namespace_object() else { return Vec::new() };
    let differ = source.label(PRIMARY).is_some() != target.label(PRIMARY).is_some();
    (differ && uses_pod_network(Vm(machine.vm).instance())).then(|| "pod network".to_owned()).into_iter().collect()
}

fn uses_pod_network(spec: InstanceSpec) -> bool {
    let mut networks = spec.networks().peekable();
    networks.peek().is_none() || networks.any(|network| network.source == NetworkSource::Pod)
}
