//! State of the guest outside its disks: TPM, EFI variables, block tracking; and what froze its size.
//!
//! Source: kubevirt/kubevirt `pkg/storage/backend-storage/backend-storage.go`, `pkg/storage/cbt/cbt.go`,
//! `pkg/instancetype/preference/apply/{device,firmware}.go`, `pkg/instancetype/infer/handler.go`.

use super::block;
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::model::vm::{InstanceSpec, Matcher, Vm, Vmi};
use crate::plan::checks::Check;
use crate::plan::checks::machines::Machine;
use crate::plan::relations::STATE_OF_MACHINE;
use crate::plan::request::MoveRequest;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "C001",
        title: "no TPM or EFI state outlives the guest",
        run: |seen, ask| {
            block("C001", seen, ask, persistent, "state that outlives the guest is not carried yet and would be empty in the target", KEEP)
        },
    },
    Check {
        code: "C002",
        title: "no claim holds state of the guest beside its disks",
        run: |seen, ask| block("C002", seen, ask, state_claims, "claims with the guest's TPM, EFI or tracking state are not carried yet", KEEP),
    },
    Check {
        code: "C003",
        title: "changed blocks are not tracked",
        run: |seen, ask| {
            block(
                "C003",
                seen,
                ask,
                tracking,
                "changed block tracking is on, and what it has tracked is not carried yet",
                "switch it off by taking its label from the machine, and plan a full backup after the move",
            )
        },
    },
    Check {
        code: "C004",
        title: "instancetype and preference are known as the guest runs with them",
        run: |seen, ask| {
            block(
                "C004",
                seen,
                ask,
                unknown_size,
                "what the guest runs with cannot be read, so it may be another machine in the target",
                "start the machine once so that KubeVirt finds it, or ask for the right to read it, then plan again",
            )
        },
    },
];

const KEEP: &str = "keep this machine where it is for now; without its TPM or EFI state a guest may ask for recovery keys or not boot";

fn persistent(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let asked = Vm(machine.vm).instance();
    let running = machine.vmi.map(|vmi| Vmi(vmi).instance());
    let preferences = preferences(machine);
    let prefers = |pointer: &str| preferences.iter().any(|preference| preference.flag(pointer));
    let default_tpm = asked.at("/domain/devices/tpm").is_none() && prefers("/spec/devices/preferredTPM/persistent");
    let default_efi = asked.at("/domain/firmware/bootloader/efi").is_none()
        && asked.at("/domain/firmware/bootloader/bios").is_none()
        && prefers("/spec/firmware/preferredEfi/persistent");
    let tpm = asked.has_persistent_tpm() || running.is_some_and(InstanceSpec::has_persistent_tpm) || default_tpm;
    let efi = asked.has_persistent_efi() || running.is_some_and(InstanceSpec::has_persistent_efi) || default_efi;
    [(tpm, "TPM"), (efi, "EFI variables")].into_iter().filter(|(has, _)| *has).map(|(_, what)| what.to_owned()).collect()
}

fn state_claims(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    machine.naming(&STATE_OF_MACHINE, machine.name()).map(|claim| claim.name().to_owned()).collect()
}

fn tracking(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let state = |object: &Manifest| object.text("/status/changedBlockTracking/state").map(str::to_owned);
    let found = state(machine.vm).or_else(|| machine.vmi.and_then(state));
    found.filter(|state| !matches!(state.as_str(), "" | "Undefined" | "Disabled")).into_iter().collect()
}

fn unknown_size(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let rows = [
        (Vm(machine.vm).instancetype(), "instancetype", kind::INSTANCETYPE, kind::CLUSTER_INSTANCETYPE),
        (Vm(machine.vm).preference(), "preference", kind::PREFERENCE, kind::CLUSTER_PREFERENCE),
    ];
    let unknown = |(matcher, what, own, wide): (Option<Matcher>, &str, Kind, Kind)| {
        let matcher = matcher?;
        let Some(name) = matcher.name.or(matcher.resolved_name) else {
            return Some(format!("{what} named by volume {}, which KubeVirt has not looked at", matcher.infer_from_volume.unwrap_or("nobody knows")));
        };
        match matcher.revision {
            Some(revision) => {
                let absent = machine.seen.source.objects.get(kind::CONTROLLER_REVISION, revision).is_none();
                absent.then(|| format!("controllerrevision {revision} of {what} {name}"))
            }
            None => object(machine, matcher, own, wide).is_none().then(|| format!("{what} {name}")),
        }
    };
    rows.into_iter().filter_map(unknown).collect()
}

/// The preference as it was frozen and as it is now: either may be what the next guest runs with.
fn preferences(machine: &Machine) -> Vec<Manifest> {
    let Some(matcher) = Vm(machine.vm).preference() else { return Vec::new() };
    let frozen = matcher.revision.and_then(|revision| machine.seen.source.objects.get(kind::CONTROLLER_REVISION, revision));
    let frozen = frozen.and_then(|revision| revision.at("/data")).map(|data| Manifest::from(data.to_value()));
    let current = object(machine, matcher, kind::PREFERENCE, kind::CLUSTER_PREFERENCE).cloned();
    frozen.into_iter().chain(current).collect()
}

fn object<'a>(machine: &Machine<'a>, matcher: Matcher<'a>, own: Kind, wide: Kind) -> Option<&'a Manifest> {
    let name = matcher.name.or(matcher.resolved_name)?;
    let place = &machine.seen.source;
    if matcher.is_namespaced() { place.objects.get(own, name) } else { place.cluster.objects.get(wide, name) }
}
