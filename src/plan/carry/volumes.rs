//! Volumes that are not a disk of the machine's own.

use super::{block, warn};
use crate::model::vm::{InstanceSpec, Vm, Vmi};
use crate::model::volume::VolumeSource;
use crate::plan::checks::Check;
use crate::plan::checks::machines::Machine;
use crate::plan::request::MoveRequest;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "C010",
        title: "no disk is shared between machines",
        run: |seen, ask| {
            block(
                "C010",
                seen,
                ask,
                shared,
                "disks that several machines may use at once are not carried yet",
                "take the disk out of the machine, or out of 'shareable' if no other machine uses it",
            )
        },
    },
    Check {
        code: "C011",
        title: "no memory dump is among the volumes",
        run: |seen, ask| {
            block(
                "C011",
                seen,
                ask,
                memory_dumps,
                "memory dumps are not carried yet",
                "take the dump off the machine with 'virtctl memory-dump remove' (its claim stays), then plan again",
            )
        },
    },
    Check {
        code: "C012",
        title: "no volume is a file of a node",
        run: |seen, ask| {
            block("C012", seen, ask, host_disks, "files of a node are not carried", "copy what is in them to a claim of the machine, then plan again")
        },
    },
    Check {
        code: "C013",
        title: "no volume is a throw-away layer over a claim",
        run: |seen, ask| {
            block(
                "C013",
                seen,
                ask,
                ephemeral,
                "read-only bases of ephemeral volumes are not carried yet, for other machines may use them",
                "make the volume a persistentVolumeClaim of the machine's own, then plan again",
            )
        },
    },
    Check {
        code: "C014",
        title: "no backup or dump has plugged in a volume",
        run: |seen, ask| {
            block("C014", seen, ask, utility, "volumes of a backup or dump are plugged in", "wait until the backup or dump is done, then plan again")
        },
    },
    Check {
        code: "C015",
        title: "every volume is of a known sort",
        run: |seen, ask| {
            block(
                "C015",
                seen,
                ask,
                unknown,
                "volumes of a sort that this tool does not know",
                "see whether a newer version of this tool knows them, or take them out of the machine",
            )
        },
    },
    Check {
        code: "C016",
        title: "no disk forgets what is written to it",
        run: |seen, ask| {
            warn(
                "C016",
                seen,
                ask,
                forgetful,
                "what the guest wrote to these volumes is lost when it stops, as at every stop",
                "copy what you need of it to another disk before the move",
            )
        },
    },
    Check {
        code: "C017",
        title: "images come from a place that the target can read",
        run: |seen, ask| {
            warn(
                "C017",
                seen,
                ask,
                registry,
                "images from the source namespace of the cluster's own registry can be read in the target only with a grant",
                "grant the target's service accounts the role system:image-puller in the source namespace",
            )
        },
    },
];

fn shared(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let spec = Vm(machine.vm).instance();
    let reserved = spec.disks().filter(|disk| disk.flag("/lun/reservation"));
    let reserved = reserved.filter_map(|disk| disk.get("name")?.as_str());
    let mut names: Vec<String> = spec.shareable_disks().chain(reserved).map(str::to_owned).collect();
    names.dedup();
    names
}

fn memory_dumps(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    named(machine, |source| matches!(source, VolumeSource::MemoryDump { .. }))
}

fn host_disks(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    named(machine, |source| matches!(source, VolumeSource::HostDisk { .. }))
}

fn ephemeral(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    named(machine, |source| matches!(source, VolumeSource::Ephemeral { .. }))
}

fn forgetful(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    if machine.vmi.is_none() {
        return Vec::new();
    }
    let disks = Vm(machine.vm).instance().disks();
    let read_only: Vec<&str> = disks.filter(|disk| disk.get("cdrom").is_some()).filter_map(|disk| disk.get("name")?.as_str()).collect();
    let mut names = named(machine, |source| matches!(source, VolumeSource::ContainerDisk { .. } | VolumeSource::EmptyDisk));
    names.retain(|name| !read_only.contains(&name.as_str()));
    names
}

fn utility(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let volumes = specs(machine).flat_map(|spec| spec.list("/utilityVolumes"));
    volumes.map(|volume| volume.text("/name").unwrap_or("without a name").to_owned()).collect()
}

fn unknown(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let mut found: Vec<String> = specs(machine)
        .flat_map(InstanceSpec::volumes)
        .filter_map(|volume| match volume.source {
            VolumeSource::Other(keys) if keys.is_empty() => Some(format!("{} (without a source)", volume.name)),
            VolumeSource::Other(keys) => Some(format!("{} ({keys})", volume.name)),
            _ => None,
        })
        .collect();
    found.dedup();
    found
}

fn registry(machine: &Machine, _: &MoveRequest) -> Vec<String> {
    let local = format!("image-registry.openshift-image-registry.svc:5000/{}/", machine.seen.source.namespace);
    let image = |source: &VolumeSource| matches!(source, VolumeSource::ContainerDisk { image, .. } if image.contains(&local));
    named(machine, image)
}

/// The machine's template, and its instance while there is one.
fn specs<'a>(machine: &Machine<'a>) -> impl Iterator<Item = InstanceSpec<'a>> + use<'a> {
    std::iter::once(Vm(machine.vm).instance()).chain(machine.vmi.map(|vmi| Vmi(vmi).instance()))
}

/// Names of the template's volumes of a sort.
fn named(machine: &Machine, is: impl Fn(&VolumeSource) -> bool) -> Vec<String> {
    Vm(machine.vm).instance().volumes().filter(|volume| is(&volume.source)).map(|volume| volume.name.to_owned()).collect()
}
