//! What speaks against moving a disk in the state it is in.

use super::Check;
use super::disks::{Disk, each_disk, is_chosen, machines_using, pods_using};
use crate::model::disk::Volume;
use crate::model::finding::Finding;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{ANNOTATION_RECLAIM_POLICY, LABEL_MOVE};
use crate::plan::relations::{COPIES_OF_CLAIM, EXPORTS_OF_CLAIM, SNAPSHOTS_OF_CLAIM, SOURCES_OF_CLAIM};
use crate::plan::request::MoveRequest;

pub const CHECKS: &[Check] = &[
    Check { code: "S001", title: "the claim of every disk exists", run: |seen, ask| each_disk(seen, ask, missing) },
    Check { code: "S002", title: "every claim is bound", run: |seen, ask| each_disk(seen, ask, unbound) },
    Check { code: "S003", title: "every disk has been filled", run: |seen, ask| each_disk(seen, ask, unfilled) },
    Check { code: "S004", title: "no disk is being resized", run: |seen, ask| each_disk(seen, ask, resizing) },
    Check { code: "S005", title: "no disk is being deleted", run: |seen, ask| each_disk(seen, ask, deleting) },
    Check { code: "S006", title: "no other machine uses a disk", run: |seen, ask| each_disk(seen, ask, used_by_others) },
    Check { code: "S007", title: "no two chosen machines share a disk", run: |seen, ask| each_disk(seen, ask, shared) },
    Check { code: "S008", title: "no other pod uses a disk", run: |seen, ask| each_disk(seen, ask, used_by_pods) },
    Check { code: "S009", title: "no disk is a golden image", run: |seen, ask| each_disk(seen, ask, golden) },
    Check { code: "S010", title: "no disk is being cloned", run: |seen, ask| each_disk(seen, ask, being_cloned) },
    Check { code: "S011", title: "no disk is being exported", run: |seen, ask| each_disk(seen, ask, being_exported) },
    Check { code: "S012", title: "no snapshot of a disk is being taken", run: |seen, ask| each_disk(seen, ask, being_snapshotted) },
    Check { code: "S013", title: "snapshots of disks stay behind", run: |seen, ask| each_disk(seen, ask, snapshots_stay) },
    Check { code: "S014", title: "every volume is its claim's", run: |seen, ask| each_disk(seen, ask, volume_of_another) },
    Check { code: "S015", title: "no volume is in the hands of another move", run: |seen, ask| each_disk(seen, ask, volume_held) },
];

/// The first Secret of a namespace that a volume is tied to for ever: it cannot change hands without it.
pub fn secret_in<'a>(volume: &'a Manifest, namespace: &str) -> Option<&'a str> {
    Volume(volume).secrets().find(|(_, place, _)| *place == namespace).map(|(_, _, name)| name)
}

fn missing(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let listed = disk.machine.seen.source.objects.is_listed(kind::CLAIM);
    let filling = disk.data_volume().is_some_and(|volume| !volume.is_succeeded());
    (listed && disk.claim().is_none() && !filling).then(|| {
        Finding::blocking("S001", disk.machine.reference(), format!("its volume {} is claim {}, which does not exist", disk.volume, disk.name))
            .hint("take the volume out of the virtual machine, or bring the claim back, then plan again")
    })
}

fn unbound(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let claim = disk.claim()?;
    let message = match claim.phase() {
        "Bound" => return None,
        "Lost" => format!("the claim has lost its volume {}", claim.volume_name().unwrap_or_default()),
        _ if disk.data_volume().is_some_and(|volume| !volume.is_succeeded()) => return None,
        phase => format!("the claim is not bound ({})", if phase.is_empty() { "Pending" } else { phase }),
    };
    let hint = if claim.phase() == "Lost" {
        format!("look with 'kubectl vmmove status -n {}': another move may have been left half done", disk.machine.seen.source.namespace)
    } else {
        "nothing was ever written to it: start the virtual machine once, or take the disk out, then plan again".to_owned()
    };
    Some(Finding::blocking("S002", disk.reference(), message).hint(hint))
}

fn unfilled(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let volume = disk.data_volume().filter(|volume| !volume.is_succeeded())?;
    let phase = if volume.phase().is_empty() { "Pending" } else { volume.phase() };
    let (message, hint) = if volume.waits_for_consumer() {
        (
            format!("the disk is still empty: CDI fills it when the virtual machine starts for the first time ({phase})"),
            "start the virtual machine once, or move it by applying its manifest in the target: there is nothing to carry",
        )
    } else if phase == "Failed" {
        ("filling the disk has failed (Failed)".to_owned(), "look at the DataVolume's events, make it right or take the disk out, then plan again")
    } else {
        (format!("CDI is still filling the disk ({phase})"), "wait until its DataVolume has succeeded, then plan again")
    };
    Some(Finding::blocking("S003", disk.reference(), message).hint(hint))
}

fn resizing(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    disk.claim()?.is_resizing().then(|| {
        Finding::blocking("S004", disk.reference(), "the disk is being resized")
            .hint("wait until it has its new size (a pending file system resize needs the guest to run), then plan again")
    })
}

fn deleting(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let going = disk.claim().is_some_and(|claim| claim.0.is_deleting()) || disk.data_volume().is_some_and(|volume| volume.0.is_deleting());
    going.then(|| Finding::blocking("S005", disk.reference(), "the disk is being deleted and only waits for its last user"))
}

fn used_by_others(disk: &Disk, ask: &MoveRequest) -> Option<Finding> {
    let others: Vec<&str> = machines_using(disk).into_iter().filter(|name| !is_chosen(disk, ask, name)).collect();
    (!others.is_empty()).then(|| {
        Finding::blocking("S006", disk.reference(), format!("machines that stay behind use the disk too: {}", others.join(", ")))
            .hint("a disk cannot be in two namespaces: take it out of one side first")
    })
}

fn shared(disk: &Disk, ask: &MoveRequest) -> Option<Finding> {
    let chosen: Vec<&str> = machines_using(disk).into_iter().filter(|name| is_chosen(disk, ask, name)).collect();
    (chosen.len() > 1).then(|| {
        Finding::blocking("S007", disk.reference(), format!("several of the chosen machines share the disk: {}", chosen.join(", ")))
            .hint("this version moves no shared disks: take it out of all but one, and put it back in the target")
    })
}

fn used_by_pods(disk: &Disk, ask: &MoveRequest) -> Option<Finding> {
    let pods = pods_using(disk, ask);
    (!pods.is_empty()).then(|| {
        Finding::blocking("S008", disk.reference(), format!("pods that do not belong to the guest use the disk: {}", pods.join(", ")))
            .hint("end them, then plan again")
    })
}

fn golden(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let source = disk.machine.naming(&SOURCES_OF_CLAIM, disk.name).next()?;
    Some(
        Finding::warning(
            "S009",
            disk.reference(),
            format!(
                "DataSource {} offers this disk as an image for new machines; after cleanup, or with --volumes move, it offers nothing",
                source.name()
            ),
        )
        .hint("point the DataSource elsewhere, or copy the disk and keep the source"),
    )
}

/// A clone in progress is a claim that waits and names this one; the driver's finalizer says nothing, it stays for ever
/// (kubernetes-csi/external-provisioner `pkg/controller/clone_controller.go`).
fn being_cloned(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let clone = disk.machine.naming(&COPIES_OF_CLAIM, disk.name).next()?;
    Some(
        Finding::blocking("S010", disk.reference(), format!("claim {} is being cloned from it", clone.name()))
            .hint("wait until it is bound or delete it, then plan again"),
    )
}

fn being_exported(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let export = disk.machine.naming(&EXPORTS_OF_CLAIM, disk.name).next()?;
    let namespace = &disk.machine.seen.source.namespace;
    Some(
        Finding::blocking("S011", disk.reference(), format!("export {} is open and reads the disk", export.name()))
            .hint(format!("remove it when it is no longer needed: kubectl delete virtualmachineexport {} -n {namespace}", export.name())),
    )
}

fn snapshots<'a>(disk: &Disk<'a>, ready: bool) -> Vec<&'a str> {
    disk.machine.naming(&SNAPSHOTS_OF_CLAIM, disk.name).filter(|snapshot| snapshot.flag("/status/readyToUse") == ready).map(Manifest::name).collect()
}

fn being_snapshotted(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let names = snapshots(disk, false);
    (!names.is_empty()).then(|| {
        Finding::blocking("S012", disk.reference(), format!("snapshots of the disk are not ready yet: {}", names.join(", ")))
            .hint("wait until they are ready, or delete those that failed, then plan again")
    })
}

fn snapshots_stay(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let names = snapshots(disk, true);
    (!names.is_empty()).then(|| {
        Finding::info("S013", disk.reference(), format!("snapshots of the disk stay in the source namespace: {}", names.join(", ")))
            .hint("take new ones in the target after the move")
    })
}

fn volume_of_another(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let claim = disk.claim().filter(|claim| claim.is_bound())?;
    let volumes = &disk.machine.seen.source.cluster.objects;
    let name = claim.volume_name()?;
    let message = match volumes.get(kind::VOLUME, name).map(Volume) {
        None if !volumes.is_listed(kind::VOLUME) => return None,
        None => format!("its volume {name} does not exist"),
        Some(volume) => match volume.claim_ref() {
            Some(owner) if owner.uid == claim.0.uid() => return None,
            Some(owner) => format!("its volume {name} belongs to claim {} in namespace {}", owner.name, owner.namespace),
            None => format!("its volume {name} belongs to no claim"),
        },
    };
    let hint = format!("look with 'kubectl vmmove status -n {}': another move may have been left half done", disk.machine.seen.source.namespace);
    Some(Finding::blocking("S014", disk.reference(), message).hint(hint))
}

fn volume_held(disk: &Disk, _: &MoveRequest) -> Option<Finding> {
    let volume = disk.persistent_volume().filter(|volume| volume.annotation(ANNOTATION_RECLAIM_POLICY).is_some())?;
    let namespace = &disk.machine.seen.source.namespace;
    let who = volume.label(LABEL_MOVE).map_or_else(|| "another move".to_owned(), |name| format!("move {name}"));
    Some(
        Finding::blocking(
            "S015",
            disk.reference(),
            format!("its volume {} is in the hands of {who}, which owes it its reclaim policy", volume.name()),
        )
        .hint(format!("finish or undo that move; look with 'kubectl vmmove status -n {namespace}'")),
    )
}

#[cfg(test)]
#[path = "storage_tests.rs"]
mod tests;
