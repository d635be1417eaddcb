//! What speaks against moving a virtual machine in the state it is in.
//!
//! States are those of KubeVirt's API (`core/v1/types.go`); which of them refuse or survive a stop is read from
//! `pkg/virt-api/rest/lifecycle.go`, `pkg/storage/admitters/vm-storage-status.go` and `pkg/virt-controller/watch/vm`.

use serde_json::Value;

use super::Check;
use super::machines::{Machine, condition_at, each, nearest};
use crate::model::finding::Finding;
use crate::model::inventory::Inventory;
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{ANNOTATION_FENCE, FENCE_NODE_LABEL};
use crate::plan::relations::{CLONES_OF_MACHINE, EXPORTS_OF_MACHINE, MIGRATIONS_OF_MACHINE, SNAPSHOTS_OF_MACHINE};
use crate::plan::request::MoveRequest;

pub const CHECKS: &[Check] = &[
    Check { code: "V001", title: "every chosen machine exists", run: unknown },
    Check { code: "V002", title: "no machine is being deleted", run: |seen, ask| each(seen, ask, deleting) },
    Check { code: "V003", title: "no other move holds a machine", run: |seen, ask| each(seen, ask, fenced) },
    Check { code: "V004", title: "no guest is paused", run: |seen, ask| each(seen, ask, paused) },
    Check { code: "V005", title: "no guest is being migrated between nodes", run: |seen, ask| each(seen, ask, migrating) },
    Check { code: "V006", title: "no snapshot or restore is under way", run: |seen, ask| each(seen, ask, snapshotting) },
    Check { code: "V007", title: "no export is open", run: |seen, ask| each(seen, ask, exporting) },
    Check { code: "V008", title: "no clone is under way", run: |seen, ask| each(seen, ask, cloning) },
    Check { code: "V009", title: "no volume is being plugged, unplugged or migrated", run: |seen, ask| each(seen, ask, volumes_changing) },
    Check { code: "V010", title: "no memory dump is under way", run: |seen, ask| each(seen, ask, dumping_memory) },
    Check { code: "V011", title: "no start or stop is queued", run: |seen, ask| each(seen, ask, change_requested) },
    Check { code: "V012", title: "the guest runs with what the specification says", run: |seen, ask| each(seen, ask, restart_required) },
    Check { code: "V013", title: "no manual recovery is due", run: |seen, ask| each(seen, ask, recovery_required) },
    Check { code: "V014", title: "finished run-once machines stay finished", run: |seen, ask| each(seen, ask, finished) },
    Check { code: "V015", title: "snapshots stay behind", run: |seen, ask| each(seen, ask, snapshots_stay) },
    Check { code: "V016", title: "no backup is under way", run: |seen, ask| each(seen, ask, backing_up) },
    Check { code: "V017", title: "no machine waits to receive a live migration", run: |seen, ask| each(seen, ask, receiving) },
    Check { code: "V018", title: "no volume is plugged into the instance alone", run: |seen, ask| each(seen, ask, instance_only_volumes) },
    Check { code: "V019", title: "no network is plugged into the instance alone", run: |seen, ask| each(seen, ask, instance_only_networks) },
];

fn unknown(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let source = &seen.source;
    if !source.objects.is_listed(kind::VM) {
        return Vec::new();
    }
    let missing = ask.machines.iter().filter(|name| source.objects.get(kind::VM, name).is_none());
    missing
        .map(|name| {
            let finding = Finding::blocking(
                "V001",
                source.reference(kind::VM, name),
                format!("there is no virtual machine \"{name}\" in namespace {}", source.namespace),
            );
            match nearest(name, source.objects.all(kind::VM).map(Manifest::name)) {
                Some(near) => finding.hint(format!("did you mean \"{near}\"?")),
                None => finding.hint(format!("list them with 'kubectl vmmove assess -n {}'", source.namespace)),
            }
        })
        .collect()
}

fn deleting(machine: &Machine) -> Option<Finding> {
    machine.vm.is_deleting().then(|| Finding::blocking("V002", machine.reference(), "the virtual machine is being deleted"))
}

fn fenced(machine: &Machine) -> Option<Finding> {
    let mark = machine.vm.annotation(ANNOTATION_FENCE);
    let affinity = fence_value(machine.vm);
    if mark.is_none() && affinity.is_none() {
        return None;
    }
    let mark = mark.and_then(|mark| serde_json::from_str::<Value>(mark).ok());
    let said = |key: &str| mark.as_ref().and_then(|mark| Some(mark.get(key)?.as_str()?.to_owned()));
    let (marked, by) = (said("move"), said("by").map(|by| format!(" of {by}")).unwrap_or_default());
    let namespace = &machine.seen.source.namespace;
    let finding = |who: String| Finding::blocking("V003", machine.reference(), format!("{who} holds this virtual machine and keeps it from running"));
    Some(match marked.or_else(|| affinity.filter(|name| !name.is_empty()).map(str::to_owned)) {
        Some(name) => finding(format!("move {name}{by}")).hint(format!(
            "look with 'kubectl vmmove status {name} -n {namespace}'; go on with 'kubectl vmmove resume {name} -n {namespace}' \
             or back with 'kubectl vmmove rollback {name} -n {namespace}'"
        )),
        None => finding("a move that cannot be read".to_owned()).hint(format!("look with 'kubectl vmmove status -n {namespace}'")),
    })
}

/// The value of the fence's node affinity, if any required term has it: the move, or nothing.
fn fence_value(vm: &Manifest) -> Option<&str> {
    let terms = vm.list("/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms");
    let mut expressions = terms.flat_map(|term| term.list("/matchExpressions"));
    let fence = expressions.find(|expression| expression.text("/key") == Some(FENCE_NODE_LABEL))?;
    Some(fence.text("/values/0").unwrap_or_default())
}

fn paused(machine: &Machine) -> Option<Finding> {
    let paused = machine.active().is_some_and(|vmi| vmi.condition("Paused") || machine.lens().printable_status() == "Paused");
    paused.then(|| {
        Finding::blocking(
            "V004",
            machine.reference(),
            "the guest is paused: it cannot shut down and would be cut off, with what it has not written lost",
        )
        .hint(format!("let it run with 'virtctl unpause vm {} -n {}', then plan again", machine.name(), machine.seen.source.namespace))
    })
}

fn migrating(machine: &Machine) -> Option<Finding> {
    let migration = machine.naming(&MIGRATIONS_OF_MACHINE, machine.name()).next();
    let active = machine.active().is_some_and(|vmi| vmi.is_migrating() || migration.is_some() || machine.lens().printable_status() == "Migrating");
    active.then(|| {
        let name = migration.map_or_else(String::new, |migration| format!(" ({})", migration.name()));
        Finding::blocking("V005", machine.reference(), format!("the guest is being migrated between nodes{name}"))
            .hint("wait until it has arrived or cancel the migration, then plan again")
    })
}

fn snapshotting(machine: &Machine) -> Option<Finding> {
    let vm = machine.lens();
    let snapshot = vm.snapshot_in_progress().map(|name| ("snapshot", name));
    let (what, name) = snapshot.or_else(|| vm.restore_in_progress().map(|name| ("restore", name)))?;
    Some(
        Finding::blocking("V006", machine.reference(), format!("{what} {name} is under way; the virtual machine cannot be stopped meanwhile"))
            .hint("wait until it has finished, then plan again"),
    )
}

fn exporting(machine: &Machine) -> Option<Finding> {
    let export = machine.naming(&EXPORTS_OF_MACHINE, machine.name()).next()?;
    Some(Finding::blocking("V007", machine.reference(), format!("export {} is open and reads its disks", export.name())).hint(format!(
        "remove it when it is no longer needed: kubectl delete virtualmachineexport {} -n {}",
        export.name(),
        machine.seen.source.namespace
    )))
}

fn cloning(machine: &Machine) -> Option<Finding> {
    let clone = machine.naming(&CLONES_OF_MACHINE, machine.name()).next()?;
    Some(
        Finding::blocking("V008", machine.reference(), format!("clone {} of it is under way", clone.name()))
            .hint("wait until it has finished, then plan again"),
    )
}

fn volumes_changing(machine: &Machine) -> Option<Finding> {
    let what = if !machine.vm.list("/status/volumeRequests").is_empty() {
        "a volume is being plugged in or out"
    } else if machine.vm.at("/status/volumeUpdateState/volumeMigrationState").is_some()
        || machine.active().is_some_and(|vmi| vmi.condition("VolumesChange"))
    {
        "its volumes are being migrated to other claims"
    } else {
        return None;
    };
    Some(Finding::blocking("V009", machine.reference(), what).hint("wait until that has finished, then plan again"))
}

fn dumping_memory(machine: &Machine) -> Option<Finding> {
    let request = machine.vm.at("/status/memoryDumpRequest")?;
    let phase = request.text("/phase").unwrap_or("Associating");
    (!matches!(phase, "Completed" | "Failed")).then(|| {
        Finding::blocking("V010", machine.reference(), format!("a memory dump is under way ({phase})"))
            .hint("wait until it has finished, then plan again")
    })
}

fn change_requested(machine: &Machine) -> Option<Finding> {
    let action = machine.vm.list("/status/stateChangeRequests").next()?.text("/action").unwrap_or("change");
    Some(
        Finding::blocking("V011", machine.reference(), format!("a {} was asked for and is not done yet", action.to_lowercase()))
            .hint("wait until it is done, then plan again"),
    )
}

fn restart_required(machine: &Machine) -> Option<Finding> {
    if !machine.lens().condition("RestartRequired") {
        return None;
    }
    let message = condition_at(machine.vm, "RestartRequired").and_then(|condition| condition.text("/message")).unwrap_or_default();
    let words = if message.is_empty() { String::new() } else { format!(" ({message})") };
    Some(
        Finding::warning(
            "V012",
            machine.reference(),
            format!("the specification was changed since the guest started{words}; in the target it starts with the changes"),
        )
        .hint("restart it in the source first if you want to see the changes at work before the move"),
    )
}

fn recovery_required(machine: &Machine) -> Option<Finding> {
    machine.lens().condition("ManualRecoveryRequired").then(|| {
        Finding::blocking(
            "V013",
            machine.reference(),
            "KubeVirt says that this virtual machine needs manual recovery after a failed volume migration",
        )
        .hint("put its volumes right as its condition ManualRecoveryRequired says, then plan again")
    })
}

fn finished(machine: &Machine) -> Option<Finding> {
    let strategy = machine.lens().strategy();
    let ended = matches!(strategy, "Once" | "RerunOnFailure") && machine.active().is_none();
    ended.then(|| {
        Finding::info(
            "V014",
            machine.reference(),
            format!("run strategy {strategy} and its run is over: the target gets Halted, because {strategy} would run it again"),
        )
        .hint("set the strategy in the target yourself when you want another run")
    })
}

fn snapshots_stay(machine: &Machine) -> Option<Finding> {
    let names: Vec<&str> = machine.naming(&SNAPSHOTS_OF_MACHINE, machine.name()).map(Manifest::name).collect();
    (!names.is_empty()).then(|| {
        Finding::info(
            "V015",
            machine.reference(),
            format!("snapshots stay in the source namespace and cannot be restored in the target: {}", names.join(", ")),
        )
        .hint("take a new snapshot in the target after the move")
    })
}

fn backing_up(machine: &Machine) -> Option<Finding> {
    let under_way = |object: &Manifest| {
        object
            .at("/status/changedBlockTracking/backupStatus")
            .is_some_and(|backup| !backup.flag("/completed") && !backup.flag("/failed") && backup.at("/endTimestamp").is_none())
    };
    let active = under_way(machine.vm) || machine.active().is_some_and(|vmi| under_way(vmi.0));
    active.then(|| Finding::blocking("V016", machine.reference(), "a backup is under way").hint("wait until it has finished, then plan again"))
}

fn receiving(machine: &Machine) -> Option<Finding> {
    (machine.lens().strategy() == "WaitAsReceiver").then(|| {
        Finding::blocking("V017", machine.reference(), "it waits to receive a live migration: its disks are not its own yet")
            .hint("let the migration finish or give it another run strategy, then plan again")
    })
}

fn instance_only_volumes(machine: &Machine) -> Option<Finding> {
    let extra = instance_only(machine, "volumes", |volume| {
        ["persistentVolumeClaim", "dataVolume", "hostDisk", "utilityVolume"].iter().any(|source| volume.get(source).is_some())
    });
    (!extra.is_empty()).then(|| {
        let (name, namespace) = (machine.name(), &machine.seen.source.namespace);
        lost_on_stop("V018", machine, "volumes", &extra).hint(format!(
            "keep one with 'virtctl addvolume {name} --volume-name NAME --persist -n {namespace}' \
             or take it out with 'virtctl removevolume {name} --volume-name NAME -n {namespace}'"
        ))
    })
}

fn instance_only_networks(machine: &Machine) -> Option<Finding> {
    let extra = instance_only(machine, "networks", |network| network.get("multus").is_some());
    (!extra.is_empty())
        .then(|| lost_on_stop("V019", machine, "networks", &extra).hint("add them to the virtual machine's template or unplug them, then plan again"))
}

fn lost_on_stop(code: &str, machine: &Machine, what: &str, names: &[&str]) -> Finding {
    let message = format!("{what} are plugged into the running instance only and would be lost when it stops: {}", names.join(", "));
    Finding::blocking(code, machine.reference(), message)
}

/// Names in a list of the instance's specification that the virtual machine's template does not have.
fn instance_only<'a>(machine: &Machine<'a>, list: &str, counts: fn(Json) -> bool) -> Vec<&'a str> {
    let Some(vmi) = machine.active() else { return Vec::new() };
    let name = |entry: Json<'a>| entry.text("/name").unwrap_or_default();
    let known: Vec<&str> = machine.lens().instance().list(&format!("/{list}")).map(name).collect();
    vmi.instance().list(&format!("/{list}")).filter(|entry| counts(*entry)).map(name).filter(|name| !known.contains(name)).collect()
}

#[cfg(test)]
#[path = "vms_tests.rs"]
mod tests;
