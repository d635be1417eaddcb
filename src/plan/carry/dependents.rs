//! What the machine refers to that is not copied, must not be copied, or would not be the same in another namespace.

use super::{block, warn};
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::vm::Vm;
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
    let tied =
        |(reference, service): (Reference, &Manifest)| (reference.kind == kind::SERVICE && service.at(RUN).is_some()).then(|| reference.name.clone());
    seen(machine).filter_map(tied).collect()
}

fn searches(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let domain = format!("{}.svc", machine.seen.source.namespace);
    let searched = Vm(machine.vm).instance().list("/dnsConfig/searches").filter_map(Json::as_str);
    searched.filter(|search| search.starts_with(&domain)).map(str::to_owned).collect()
}

/// The references of which the object was seen.
fn seen<'a>(machine: &Machine<'a>) -> impl Iterator<Item = (Reference, &'a Manifest)> + use<'a> {
    let place = &machine.seen.source;
    found(machine).into_iter().filter_map(move |reference| {
        let object = place.objects.get(reference.kind, &reference.name)?;
        Some((reference, object))
    })
}
