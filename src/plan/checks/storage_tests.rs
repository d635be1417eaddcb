//! Stories about disks that should not be moved right now, or not there.

use serde_json::json;

use super::*;
use crate::model::finding::Severity;
use crate::model::inventory::Inventory;
use crate::plan::fixtures::{World, ask, claim, codes, object, pod, vm, volume};

fn of(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let mut found: Vec<_> = CHECKS.iter().flat_map(|check| (check.run)(seen, ask)).collect();
    super::super::sort(&mut found);
    found
}

/// A code and the change to a claim that leads to it.
type Story = (&'static str, fn(&mut Manifest));

/// Machine `db-1` with disk `data`, after a change to its claim.
fn world(change: impl FnOnce(&mut Manifest)) -> World {
    let mut disk = claim("data", 20);
    let volume = volume(&disk);
    change(&mut disk);
    World::new().source(vm("db-1", &["data"])).source(disk).cluster(volume)
}

fn plain() -> World {
    world(|_| {})
}

fn severities(world: World, ask: &MoveRequest) -> Vec<(String, Severity)> {
    of(&world.seen(), ask).into_iter().map(|finding| (finding.code, finding.severity)).collect()
}

#[test]
fn a_bound_disk_that_nobody_else_uses_is_fine() {
    assert_eq!(of(&plain().seen(), &ask(&["db-1"])), []);
}

#[test]
fn a_disk_must_be_there_bound_and_whole() {
    assert_eq!(codes(&of(&World::new().source(vm("db-1", &["data"])).seen(), &ask(&["db-1"]))), ["S001"]);
    let stories: [Story; 5] = [
        ("S002", |claim| claim.set("/status/phase", "Pending".into())),
        ("S002", |claim| claim.set("/status/phase", "Lost".into())),
        ("S004", |claim| claim.set("/status/allocatedResourceStatuses", json!({"storage": "ControllerResizeInProgress"}))),
        ("S005", |claim| claim.set("/metadata/deletionTimestamp", "2026-01-01T00:00:00Z".into())),
        ("S014", |claim| claim.set("/metadata/uid", "another".into())),
    ];
    for (code, change) in stories {
        assert_eq!(severities(world(change), &ask(&["db-1"])), [(code.to_owned(), Severity::Blocking)]);
    }
}

#[test]
fn a_disk_that_cdi_has_not_filled_is_told_as_that_and_not_as_unbound() {
    for phase in ["PendingPopulation", "ImportInProgress", "Failed"] {
        let import = object(kind::DATA_VOLUME, "data", json!({"status": {"phase": phase}}));
        let pending = world(|claim| claim.set("/status/phase", "Pending".into())).source(import);
        assert_eq!(codes(&of(&pending.seen(), &ask(&["db-1"]))), ["S003"], "{phase}");
    }
}

#[test]
fn a_shared_disk_is_refused_inside_and_outside_the_plan() {
    let world = || plain().source(vm("web-1", &["data"]));
    assert_eq!(codes(&of(&world().seen(), &ask(&["db-1"]))), ["S006"]);
    assert_eq!(codes(&of(&world().seen(), &ask(&["db-1", "web-1"]))), ["S007"]);
}

#[test]
fn the_guests_own_pods_are_no_strangers() {
    let mut launcher = pod("virt-launcher-db-1-x", &["data"]);
    launcher.set("/metadata/ownerReferences", json!([{"kind": "VirtualMachineInstance", "name": "db-1"}]));
    let mut plug = pod("hp-volume-y", &["data"]);
    plug.set("/metadata/ownerReferences", json!([{"kind": "Pod", "name": "virt-launcher-db-1-x"}]));
    let mut ended = pod("importer", &["data"]);
    ended.set("/status/phase", "Succeeded".into());
    let own = plain().source(launcher).source(plug).source(ended);
    assert_eq!(of(&own.seen(), &ask(&["db-1"])), []);
    assert_eq!(codes(&of(&plain().source(pod("backup", &["data"])).seen(), &ask(&["db-1"]))), ["S008"]);
}

#[test]
fn work_on_a_disk_is_seen_from_the_objects_that_do_it() {
    let clone = object(
        kind::CLAIM,
        "copy",
        json!({"spec": {"dataSource": {"kind": "PersistentVolumeClaim", "name": "data"}}, "status": {"phase": "Pending"}}),
    );
    let export = object(kind::VM_EXPORT, "e", json!({"spec": {"source": {"kind": "PersistentVolumeClaim", "name": "data"}}}));
    let snapshot = |ready: bool| {
        object(kind::VOLUME_SNAPSHOT, "s", json!({"spec": {"source": {"persistentVolumeClaimName": "data"}}, "status": {"readyToUse": ready}}))
    };
    let golden = object(kind::DATA_SOURCE, "fedora", json!({"spec": {"source": {"pvc": {"name": "data", "namespace": "shop"}}}}));
    let stories = [
        (clone, "S010", Severity::Blocking),
        (export, "S011", Severity::Blocking),
        (snapshot(false), "S012", Severity::Blocking),
        (snapshot(true), "S013", Severity::Info),
        (golden, "S009", Severity::Warning),
    ];
    for (work, code, severity) in stories {
        assert_eq!(severities(plain().source(work), &ask(&["db-1"])), [(code.to_owned(), severity)]);
    }
}

#[test]
fn a_volume_that_another_move_holds_is_left_alone() {
    let disk = claim("data", 20);
    let mut held = volume(&disk);
    held.set_annotation(ANNOTATION_RECLAIM_POLICY, "Delete");
    held.set_label(LABEL_MOVE, "shop-to-test-7k2fq");
    let found = of(&plain().cluster(held).seen(), &ask(&["db-1"]));
    assert_eq!(codes(&found), ["S015"]);
    assert!(found[0].message.contains("shop-to-test-7k2fq"));
}

#[test]
fn a_volume_tied_to_a_secret_of_the_source_says_so() {
    let disk = claim("data", 20);
    let mut tied = volume(&disk);
    tied.set("/spec/csi/nodePublishSecretRef", json!({"namespace": "shop", "name": "key"}));
    assert_eq!((secret_in(&tied, "shop"), secret_in(&tied, "storage-system"), secret_in(&volume(&disk), "shop")), (Some("key"), None, None));
}
