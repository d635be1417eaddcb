//! Stories about machines that should not be moved right now.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;

use super::*;
use crate::model::finding::Severity;
use crate::plan::fixtures::{World, ask, object, running, vm, vmi};

fn of(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let mut found: Vec<_> = CHECKS.iter().flat_map(|check| (check.run)(seen, ask)).collect();
    super::super::sort(&mut found);
    found
}

/// A running machine after a change to it and to its instance: what is found, as `code severity`.
fn changed(change: impl FnOnce(&mut Manifest, &mut Manifest)) -> Vec<(String, Severity)> {
    let mut vm = running(vm("db-1", &["db-1"]));
    let mut vmi = vmi(&vm);
    change(&mut vm, &mut vmi);
    let seen = World::new().source(vm).source(vmi).seen();
    of(&seen, &ask(&["db-1"])).into_iter().map(|finding| (finding.code, finding.severity)).collect()
}

#[test]
fn a_mistyped_name_is_answered_with_the_nearest() {
    let seen = World::new().source(vm("db-1", &[])).source(vm("web-1", &[])).seen();
    let found = of(&seen, &ask(&["db1", "web-1"]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "there is no virtual machine \"db1\" in namespace shop");
    assert_eq!(found[0].hint.as_deref(), Some("did you mean \"db-1\"?"));
}

#[test]
fn work_in_progress_blocks_the_move() {
    type Story = (&'static str, fn(&mut Manifest, &mut Manifest));
    let stories: [Story; 14] = [
        ("V002", |vm, _| vm.set("/metadata/deletionTimestamp", "2026-01-01T00:00:00Z".into())),
        ("V004", |_, vmi| vmi.set("/status/conditions", json!([{"type": "Paused", "status": "True"}]))),
        ("V005", |_, vmi| vmi.set("/status/migrationState", json!({"targetNode": "node-2"}))),
        ("V006", |vm, _| vm.set("/status/snapshotInProgress", "nightly".into())),
        ("V006", |vm, _| vm.set("/status/restoreInProgress", "back".into())),
        ("V009", |vm, _| vm.set("/status/volumeRequests", json!([{"addVolumeOptions": {"name": "x"}}]))),
        ("V009", |vm, _| vm.set("/status/volumeUpdateState/volumeMigrationState", json!({"migratedVolumes": []}))),
        ("V010", |vm, _| vm.set("/status/memoryDumpRequest", json!({"claimName": "dump", "phase": "InProgress"}))),
        ("V011", |vm, _| vm.set("/status/stateChangeRequests", json!([{"action": "Stop"}]))),
        ("V013", |vm, _| vm.set("/status/conditions", json!([{"type": "ManualRecoveryRequired", "status": "True"}]))),
        ("V016", |_, vmi| vmi.set("/status/changedBlockTracking/backupStatus", json!({"backupName": "b"}))),
        ("V017", |vm, _| vm.set("/spec/runStrategy", "WaitAsReceiver".into())),
        ("V018", |_, vmi| vmi.set("/spec/volumes", json!([{"name": "db-1"}, {"name": "hot", "dataVolume": {"name": "hot", "hotpluggable": true}}]))),
        ("V019", |_, vmi| vmi.set("/spec/networks", json!([{"name": "hot", "multus": {"networkName": "vlan10"}}]))),
    ];
    for (code, change) in stories {
        assert_eq!(changed(change), [(code.to_owned(), Severity::Blocking)]);
    }
}

#[test]
fn what_is_over_does_not_block() {
    assert_eq!(changed(|_, vmi| vmi.set("/status/migrationState", json!({"completed": true}))), []);
    assert_eq!(changed(|vm, _| vm.set("/status/memoryDumpRequest", json!({"claimName": "dump", "phase": "Completed"}))), []);
    assert_eq!(changed(|_, vmi| vmi.set("/spec/networks", json!([{"name": "default", "pod": {}}]))), []);
}

#[test]
fn a_pending_restart_is_told() {
    let found = changed(|vm, _| vm.set("/status/conditions", json!([{"type": "RestartRequired", "status": "True", "message": "memory changed"}])));
    assert_eq!(found, [("V012".to_owned(), Severity::Warning)]);
}

#[test]
fn a_fenced_machine_names_the_move_that_holds_it() {
    let mut db = vm("db-1", &[]);
    db.set_annotation(ANNOTATION_FENCE, r#"{"move":"shop-to-test-7k2fq"}"#);
    let found = of(&World::new().source(db.clone()).seen(), &ask(&["db-1"]));
    assert!(found[0].message.contains("shop-to-test-7k2fq"), "{}", found[0].message);
    db.set_annotation(ANNOTATION_FENCE, "?");
    assert_eq!(of(&World::new().source(db.clone()).seen(), &ask(&["db-1"]))[0].message.split(' ').next(), Some("a"));
    db.remove("/metadata/annotations");
    let expression = json!({"key": FENCE_NODE_LABEL, "operator": "In", "values": ["shop-to-test-7k2fq"]});
    let terms = json!([{"matchExpressions": [expression]}]);
    db.set("/spec/template/spec/affinity", json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}));
    assert_eq!(of(&World::new().source(db).seen(), &ask(&["db-1"]))[0].code, "V003");
}

#[test]
fn work_on_a_machine_is_seen_from_the_objects_that_do_it() {
    let migration = object(kind::VMIM, "m", json!({"spec": {"vmiName": "db-1"}, "status": {"phase": "Running"}}));
    let export = object(kind::VM_EXPORT, "e", json!({"spec": {"source": {"kind": "VirtualMachine", "name": "db-1"}}, "status": {"phase": "Ready"}}));
    let clone = object(kind::VM_CLONE, "c", json!({"spec": {"source": {"kind": "VirtualMachine", "name": "db-1"}}}));
    for (work, code) in [(migration, "V005"), (export, "V007"), (clone, "V008")] {
        let db = running(vm("db-1", &[]));
        let seen = World::new().source(vmi(&db)).source(db).source(work).seen();
        assert_eq!(crate::plan::fixtures::codes(&of(&seen, &ask(&["db-1"]))), [code]);
    }
}

#[test]
fn a_finished_run_once_machine_is_not_run_again() {
    let mut job = vm("job", &[]);
    job.set("/spec/runStrategy", "Once".into());
    let mut ended = vmi(&job);
    ended.set("/status/phase", "Succeeded".into());
    let found = of(&World::new().source(job).source(ended).seen(), &ask(&["job"]));
    assert_eq!((found[0].code.as_str(), found[0].severity), ("V014", Severity::Info));
}

#[test]
fn snapshots_are_named_that_stay_behind() {
    let snapshot = object(kind::VM_SNAPSHOT, "nightly", json!({"spec": {"source": {"kind": "VirtualMachine", "name": "db-1"}}}));
    let found = of(&World::new().source(vm("db-1", &[])).source(snapshot).seen(), &ask(&["db-1"]));
    assert!(found[0].message.contains("nightly"));
}
