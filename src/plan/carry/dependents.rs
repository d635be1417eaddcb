//! What the machine refers to that is not copied, must not be copied, or would not be the same in another namespace.

use super::{block, warn};
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::vm::Vm;
use crate::model::volume::VolumeSource;
use crate::plan::checks::Check;
use crate::plan::checks::machines::Machine;
use crate::plan::references::{Reference, references};
use crate::plan::request::MoveRequest;
use crate::plan::rewrite::dependent::{made_for_its_namespace, made_from};

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "C040",
        title: "the guest is nobody's service account",
        run: |seen, ask| {
            block(
                "C040",
                seen,
                ask,
                accounts,
                "service accounts are not carried: the guest would be somebody else in the target",
                "make the account and its grants in the target by hand, and take the volume out of the machine for the move",
            )
        },
    },
    Check {
        code: "C041",
        title: "nothing the machine refers to belongs to its namespace alone",
        run: |seen, ask| {
            block(
                "C041",
                seen,
                ask,
                made_there,
                "objects that are made for the source namespace and must not be copied",
                "let the machine refer to something that can be copied, then plan again",
            )
        },
    },
    Check {
        code: "C042",
        title: "nothing the machine refers to is made by another controller",
        run: |seen, ask| {
            warn(
                "C042",
                seen,
                ask,
                made_by_others,
                "copies of these will not be kept up to date in the target, for a controller makes the originals",
                "have the controller make them in the target as well",
            )
        },
    },
    Check {
        code: "C043",
        title: "what the machine refers to exists",
        run: |seen, ask| {
            warn("C043", seen, ask, missing, "objects that are not there", "make them before the next start, in the source or in the target")
        },
    },
    Check {
        code: "C044",
        title: "no Service is tied to one run of the guest",
        run: |seen, ask| {
            block(
                "C044",
                seen,
                ask,
                tied,
                "Services that select the guest by a label that changes with each of its runs",
                "let them select by a label of the machine's template, then plan again",
            )
        },
    },
    Check {
        code: "C045",
        title: "no name is searched in the source namespace",
        run: |seen, ask| {
            warn(
                "C045",
                seen,
                ask,
                searches,
                "the guest searches names in the source namespace",
                "add the target's domain to dnsConfig.searches after the move",
            )
        },
    },
    Check {
        code: "C051",
        title: "no Service has a port of the nodes",
        run: |seen, ask| {
            warn(
                "C051",
                seen,
                ask,
                node_ports,
                "ports of the nodes that only one Service can have, so the copies get new ones",
                "tell those who use them, or set them again when cleanup has removed the source's Services",
            )
        },
    },
    Check {
        code: "C052",
        title: "no Service asks for an address of its own",
        run: |seen, ask| {
            warn(
                "C052",
                seen,
                ask,
                asked_addresses,
                "addresses that the source's Services hold, so that the copies wait for them or share them",
                "remove the source's Services when the move is verified, or ask for others in the target",
            )
        },
    },
    Check {
        code: "C053",
        title: "no template of a disk names what is not copied",
        run: |seen, ask| {
            warn(
                "C053",
                seen,
                ask,
                template_sources,
                "what templates of disks were imported with is not copied, for it is not used while the disk is there",
                "copy it by hand if a disk shall ever be imported anew in the target",
            )
        },
    },
    Check {
        code: "C054",
        title: "the guest does not read where it is",
        run: |seen, ask| {
            warn(
                "C054",
                seen,
                ask,
                self_knowledge,
                "volumes that tell the guest about its own pod will say the target namespace",
                "see that the guest does not depend on the old one",
            )
        },
    },
];

fn found(machine: &Machine) -> Vec<Reference> {
    references(machine.vm, &machine.seen.source)
}

fn told(reference: &Reference) -> String {
    format!("{}/{} ({})", reference.kind.singular(), reference.name, reference.why)
}

fn accounts(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    found(machine).iter().filter(|reference| reference.kind == kind::SERVICE_ACCOUNT).map(told).collect()
}

fn made_there(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    seen(machine).filter_map(|(reference, object)| Some(format!("{}: {}", told(&reference), made_for_its_namespace(object)?))).collect()
}

fn made_by_others(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let by = |(reference, object): (Reference, &Manifest)| made_from(object).map(|(kind, name)| format!("{} by {kind} {name}", told(&reference)));
    seen(machine).filter_map(by).collect()
}

fn missing(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let listed = |reference: &&Reference| machine.seen.source.objects.is_listed(reference.kind);
    // Revisions are C004's.
    let counts = |reference: &&Reference| reference.is_copied() && reference.kind != kind::CONTROLLER_REVISION;
    found(machine).iter().filter(|reference| !reference.exists && !reference.optional).filter(counts).filter(listed).map(told).collect()
}

fn tied(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    const RUN: &str = "/spec/selector/kubevirt.io~1created-by";
    services(machine).filter(|service| service.at(RUN).is_some()).map(|service| service.name().to_owned()).collect()
}

fn searches(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let domain = format!("{}.svc", machine.seen.source.namespace);
    let searched = Vm(machine.vm).instance().list("/dnsConfig/searches").filter_map(Json::as_str);
    searched.filter(|search| search.starts_with(&domain)).map(str::to_owned).collect()
}

fn node_ports(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    services(machine)
        .flat_map(|service| {
            let ports = service.list("/spec/ports").filter_map(|port| port.at("/nodePort")).chain(service.at("/spec/healthCheckNodePort"));
            ports.filter_map(Json::as_u64).filter(|port| *port != 0).map(|port| format!("{port} ({})", service.name())).collect::<Vec<_>>()
        })
        .collect()
}

/// Source of the annotations: metallb/metallb `internal/k8s/controllers` and its documentation (0.13 to 0.15).
fn asked_addresses(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    const ANNOTATIONS: [&str; 2] = ["metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs"];
    services(machine)
        .flat_map(|service| {
            let annotated = ANNOTATIONS.iter().filter_map(|key| service.annotation(key));
            let external = service.list("/spec/externalIPs").filter_map(Json::as_str);
            let addresses = service.text("/spec/loadBalancerIP").into_iter().chain(annotated).chain(external).filter(|address| !address.is_empty());
            addresses.map(|address| format!("{address} ({})", service.name())).collect::<Vec<_>>()
        })
        .collect()
}

/// Source of the fields: containerized-data-importer `core/v1beta1/types.go`, DataVolumeSource.
fn template_sources(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let named = |template: Json| {
        let disk = template.text("/metadata/name").unwrap_or("without a name").to_owned();
        let sources: Vec<Json> = template.at("/spec/source").into_iter().flat_map(Json::fields).map(|(_, source)| source).collect();
        let one = |field, kind| sources.iter().filter_map(|source| source.text(field)).map(|name| format!("{kind}/{name}")).collect::<Vec<_>>();
        let headers =
            sources.iter().flat_map(|source| source.list("/secretExtraHeaders")).filter_map(Json::as_str).map(|name| format!("secret/{name}"));
        let named = one("/secretRef", "secret").into_iter().chain(one("/certConfigMap", "configmap")).chain(headers);
        named.map(|name| format!("{name} ({disk})")).collect::<Vec<_>>()
    };
    Vm(machine.vm).data_volume_templates().flat_map(named).collect()
}

fn self_knowledge(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let volumes = Vm(machine.vm).instance().volumes();
    volumes.filter(|volume| volume.source == VolumeSource::DownwardApi).map(|volume| volume.name.to_owned()).collect()
}

fn services<'a>(machine: &Machine<'a>) -> impl Iterator<Item = &'a Manifest> + use<'a> {
    seen(machine).filter(|(reference, _)| reference.kind == kind::SERVICE).map(|(_, service)| service)
}

/// The references of which the object was seen.
fn seen<'a>(machine: &Machine<'a>) -> impl Iterator<Item = (Reference, &'a Manifest)> + use<'a> {
    let place = &machine.seen.source;
    found(machine).into_iter().filter_map(move |reference| {
        let object = place.objects.get(reference.kind, &reference.name)?;
        Some((reference, object))
    })
}
