//! Networks and addresses: what a binding needs, what a pool refuses, what nobody knows. Plain attachments are checked in `checks/network`.
//!
//! Sources: kubevirt/kubevirt `api/core/v1/types.go` (Interface, InterfaceBindingPlugin); kubemacpool `pkg/pool-manager`.

use super::{block, warn};
use crate::model::inventory::Place;
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::vm::{InstanceSpec, Vm};
use crate::model::volume::NetworkSource;
use crate::plan::checks::Check;
use crate::plan::checks::machines::Machine;
use crate::plan::checks::network::{configuration, target_network};
use crate::plan::relations::{MACHINES_OF_MAC, macs};
use crate::plan::request::MoveRequest;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "C030",
        title: "the target has the networks of binding plugins",
        run: |seen, ask| {
            block(
                "C030",
                seen,
                ask,
                absent,
                "network attachments that a binding plugin needs are not in the target namespace, where the guest would never come up",
                "make them there, or let the KubeVirt resource name the attachment with its namespace",
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
                "the namespaces do not have the same primary network, so the guest would lose its addresses",
                "make the target namespace with the label k8s.ovn.org/primary-user-defined-network and the same network, or leave it off both",
            )
        },
    },
    Check {
        code: "C037",
        title: "no address is kept for the machine outside it",
        run: |seen, ask| {
            block(
                "C037",
                seen,
                ask,
                kept_addresses,
                "claims keep the guest's addresses for it and are not carried, so it would get others",
                "write down its addresses and take persistent addresses off its network, or keep this machine where it is for now",
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

fn absent(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let Some(target) = &machine.seen.target else { return Vec::new() };
    let needed = plugins(machine).into_iter().filter_map(|name| match name.split_once('/') {
        None => Some(name),
        Some((namespace, name)) => (namespace == target.namespace).then_some(name),
    });
    needed.filter(|name| target.objects.get(kind::NETWORK_ATTACHMENT, name).is_none()).map(str::to_owned).collect()
}

fn foreign(machine: &Machine, ask: &MoveRequest) -> Vec<String> {
    let prefix = format!("{}/", machine.seen.source.namespace);
    let spec = Vm(machine.vm).instance();
    let attachments = spec.networks().filter_map(|network| match network.source {
        NetworkSource::Multus { attachment, .. } => Some(target_network(ask, attachment)),
        _ => None,
    });
    attachments.filter(|name| name.starts_with(&prefix)).map(str::to_owned).collect()
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
    let interfaces = spec.list("/domain/devices/interfaces").filter_map(|interface| {
        let stranger = |(key, value): &(&str, Json)| !value.is_null() && !INTERFACE.contains(key) && !BINDINGS.contains(key);
        let keys: Vec<&str> = interface.fields().filter(stranger).map(|(key, _)| key).collect();
        let name = interface.text("/name").unwrap_or("without a name");
        (!keys.is_empty()).then(|| format!("{name} ({})", keys.join("+")))
    });
    networks.chain(interfaces).collect()
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
    let places = || std::iter::once(&machine.seen.source).chain(machine.seen.target.as_ref());
    let holders = |mac: &str| places().flat_map(|place| place.objects.naming(&MACHINES_OF_MAC, mac)).collect::<Vec<_>>();
    let holder = |mac: &String| holders(mac).into_iter().find(|vm| vm.uid() != machine.vm.uid());
    macs(machine.vm).into_iter().filter_map(|mac| holder(&mac).map(|vm| format!("{mac} ({})", vm.name()))).collect()
}

fn pooled(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    if is_pooled(machine) { macs(machine.vm) } else { Vec::new() }
}

fn primary(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let Some(target) = machine.seen.target.as_ref() else { return Vec::new() };
    let (Some(here), Some(there)) = (machine.seen.source.namespace_object(), target.namespace_object()) else { return Vec::new() };
    let differ = match (here.label(PRIMARY), there.label(PRIMARY)) {
        (None, None) => false,
        (Some(_), Some(_)) => {
            let networks = primary_networks(&machine.seen.source);
            networks.is_empty() || networks != primary_networks(target)
        }
        _ => true,
    };
    (differ && uses_pod_network(Vm(machine.vm).instance())).then(|| "pod network".to_owned()).into_iter().collect()
}

/// What OVN-Kubernetes made of the user-defined network that is a namespace's primary one; the attachment's own place in it is left out.
/// Source: ovn-org/ovn-kubernetes `go-controller/pkg/clustermanager/userdefinednetwork/template/net-attach-def-template.go`.
fn primary_networks(place: &Place) -> Vec<serde_json::Value> {
    let networks = place.objects.all(kind::NETWORK_ATTACHMENT).filter_map(configuration);
    networks.filter(|network| network.get("role").and_then(serde_json::Value::as_str) == Some("primary")).collect()
}

/// Addresses that outlive the guest, in claims that OVN-Kubernetes' controller makes for a machine and labels with its name.
/// Source: kubevirt/ipam-extensions `pkg/vminetworkscontroller/vmi_controller.go`.
fn kept_addresses(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let is_its = |claim: &&Manifest| claim.label("kubevirt.io/vm") == Some(machine.name()) || claim.is_owned_by(machine.vm.uid());
    machine.beside(kind::IP_CLAIM).filter(is_its).map(|claim| claim.name().to_owned()).collect()
}

fn uses_pod_network(spec: InstanceSpec) -> bool {
    let mut networks = spec.networks().peekable();
    networks.peek().is_none() || networks.any(|network| network.source == NetworkSource::Pod)
}
