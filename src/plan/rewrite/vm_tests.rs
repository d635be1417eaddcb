//! Stories of machines that are made again: nothing is lost, every change is told, and the guest stays who it is.
#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::model::names::MoveId;
use crate::model::patch::apply;
use crate::plan::fixtures::fixture;
use crate::plan::rewrite::Role;
use crate::plan::rewrite::changes::{UNEXPLAINED, replay};
use crate::plan::rewrite::fence::{FenceBefore, fence, unfence};
use crate::plan::rewrite::identity::identity;

fn target(vm: &Manifest) -> Target {
    Target {
        name: vm.name().to_owned(),
        namespace: "prod".to_owned(),
        source_namespace: "shop".to_owned(),
        identity: identity(vm, None),
        claims: BTreeMap::new(),
        networks: BTreeMap::new(),
        revisions: vec!["db-1-small-v1beta1-3f1a-2".to_owned()],
        marks: None,
    }
}

fn rewritten(name: &str) -> (Manifest, Manifest, Vec<Change>) {
    let vm = fixture(name);
    let (result, changes) = rewrite(&vm, &target(&vm));
    (vm, result, changes)
}

#[test]
fn the_list_of_changes_is_complete_and_explained() {
    for name in ["db-1", "old-7", "win-3"] {
        let (vm, result, changes) = rewritten(name);
        assert_eq!(replay(&vm, &changes), result, "{name}");
        for change in &changes {
            assert_ne!(change.why, UNEXPLAINED, "{name}: {}", change.path);
            let again: Change = serde_json::from_value(serde_json::to_value(change).unwrap()).unwrap();
            assert_eq!(again, *change, "a plan reads back what it says");
        }
        assert!(!format!("{changes:?}").contains("hunter2"));
    }
}

#[test]
fn a_plan_does_not_change_with_what_servers_write() {
    let vm = fixture("db-1");
    let mut later = vm.clone();
    later.set("/metadata/resourceVersion", "99999".into());
    later.set("/status/printableStatus", "Stopped".into());
    assert_eq!(rewrite(&vm, &target(&vm)).1, rewrite(&later, &target(&later)).1);
}

#[test]
fn what_nobody_here_knows_survives() {
    let (vm, result, _) = rewritten("db-1");
    for kept in [
        "/spec/template/spec/domain/devices",
        "/spec/template/spec/volumes",
        "/spec/template/spec/accessCredentials",
        "/spec/template/metadata/annotations",
        "/spec/template/metadata/labels",
        "/spec/dataVolumeTemplates/0/metadata",
        "/spec/dataVolumeTemplates/0/spec/storage",
        "/metadata/annotations/vm.kubevirt.io~1validations",
        "/metadata/annotations/team",
        "/metadata/labels/kubevirt.io~1vm-delete-protection",
        "/metadata/labels/vm.kubevirt.io~1template.namespace",
    ] {
        assert_eq!(result.at(kept), vm.at(kept), "{kept}");
    }
}

#[test]
fn nothing_of_the_servers_controllers_and_trackers_travels() {
    let (_, result, _) = rewritten("db-1");
    let keys: Vec<_> = result.at("/metadata").unwrap().fields().map(|(key, _)| key).collect();
    assert_eq!(keys, ["annotations", "labels", "name", "namespace"]);
    assert_eq!(result.annotations().into_keys().collect::<Vec<_>>(), ["team", "vm.kubevirt.io/validations"]);
    assert_eq!(result.label("app.kubernetes.io/instance"), None);
    assert_eq!((result.at("/status"), result.namespace()), (None, Some("prod")));
}

#[test]
fn a_machine_is_made_stopped_in_the_words_of_its_source() {
    let (_, new, _) = rewritten("db-1");
    assert_eq!((new.text("/spec/runStrategy"), new.at("/spec/running")), (Some("Halted"), None));
    let (_, old, _) = rewritten("old-7");
    assert_eq!((old.at("/spec/running"), old.at("/spec/runStrategy")), (Some((&json!(false)).into()), None));
}

#[test]
fn a_stopped_machine_says_no_change_of_its_run() {
    let mut vm = fixture("old-7");
    vm.set("/spec/running", false.into());
    let (result, changes) = rewrite(&vm, &target(&vm));
    assert_eq!(result.at("/spec/running"), Some((&json!(false)).into()));
    assert!(changes.iter().all(|change| change.path != "/spec/running"));
}

#[test]
fn the_guest_stays_the_same_machine() {
    let (vm, result, _) = rewritten("db-1");
    assert_eq!(result.at("/spec/template/spec/domain/firmware"), vm.at("/spec/template/spec/domain/firmware"));
    // A machine from before KubeVirt kept the UUID gets the one its name has always given it.
    let (_, old, changes) = rewritten("old-7");
    assert_eq!(old.text(UUID), Some(crate::plan::rewrite::identity::legacy_uuid("old-7").as_str()));
    assert!(changes.iter().any(|change| change.path == UUID));
    assert_eq!(old.at(SERIAL), None);
}

#[test]
fn a_serial_that_the_server_invents_is_taken_away_again() {
    let (vm, mut created, _) = rewritten("old-7");
    let identity = identity(&vm, None);
    assert_eq!(serial_patch(&created, &identity), []);
    created.set("/metadata/resourceVersion", "1".into());
    created.set(SERIAL, "invented".into());
    let healed = apply(&serial_patch(&created, &identity), &created).unwrap();
    assert_eq!((healed.at(SERIAL), healed.text(UUID)), (None, created.text(UUID)));
    let with_serial = Identity { firmware_serial: Some("own".into()), ..identity };
    assert_eq!(serial_patch(&created, &with_serial), []);
}

#[test]
fn what_only_the_instance_knows_is_written_down() {
    let vm = fixture("old-7");
    let mut to = target(&vm);
    to.identity.machine_type = Some("pc-q35-rhel8.6.0".into());
    to.identity.pci.insert("kubevirt.io/pci-topology-version".into(), "v2".into());
    to.identity.macs.insert("default".into(), "02:00:00:00:00:01".into());
    let mut vm = vm;
    vm.set("/spec/template/spec/domain/devices/interfaces", json!([{"name": "default", "masquerade": {}}]));
    let (result, changes) = rewrite(&vm, &to);
    assert_eq!(result.text("/spec/template/spec/domain/devices/interfaces/0/macAddress"), Some("02:00:00:00:00:01"));
    assert_eq!(result.text(MACHINE_TYPE), Some("pc-q35-rhel8.6.0"));
    assert_eq!(result.text("/spec/template/metadata/annotations/kubevirt.io~1pci-topology-version"), Some("v2"));
    assert_eq!(replay(&vm, &changes), result);
    assert!(changes.iter().all(|change| change.why != UNEXPLAINED));
}

#[test]
fn templates_of_disks_mean_what_they_meant() {
    let (vm, result, _) = rewritten("old-7");
    let spec = |index: usize, pointer: &str| result.text(&format!("/spec/dataVolumeTemplates/{index}{pointer}")).map(str::to_owned);
    assert_eq!(result.at("/spec/dataVolumeTemplates/0/metadata"), Some((&json!({"name": "old-7-root", "labels": {}})).into()));
    assert_eq!(result.at("/spec/dataVolumeTemplates/0/spec"), vm.at("/spec/dataVolumeTemplates/0/spec"));
    assert_eq!(spec(1, "/spec/source/pvc/namespace").as_deref(), Some("shop"));
    let (_, golden, _) = rewritten("db-1");
    assert_eq!(golden.text("/spec/dataVolumeTemplates/0/spec/sourceRef/namespace"), Some("shop"));
}

#[test]
fn a_golden_image_elsewhere_stays_where_it_is() {
    let mut vm = fixture("db-1");
    vm.set("/spec/dataVolumeTemplates/0/spec/sourceRef/namespace", "golden-images".into());
    let (result, changes) = rewrite(&vm, &target(&vm));
    assert_eq!(result.at("/spec/dataVolumeTemplates"), vm.at("/spec/dataVolumeTemplates"));
    assert!(changes.iter().all(|change| !change.path.starts_with("/spec/dataVolumeTemplates")));
}

#[test]
fn labels_that_only_kubevirt_may_set_stay_behind() {
    let (_, result, _) = rewritten("old-7");
    assert_eq!(result.at("/spec/template/metadata/labels"), Some((&json!({"kubevirt.io/vm": "old-7"})).into()));
}

#[test]
fn a_machine_is_pinned_to_the_revisions_that_come_along_and_to_no_other() {
    let (_, result, _) = rewritten("db-1");
    assert_eq!(result.text("/spec/instancetype/revisionName"), Some("db-1-small-v1beta1-3f1a-2"));
    assert_eq!(result.at("/spec/preference/revisionName"), None);
    let mut inferred = fixture("db-1");
    inferred.set("/spec/instancetype", json!({"inferFromVolume": "root", "inferFromVolumeFailurePolicy": "Ignore"}));
    let (result, _) = rewrite(&inferred, &target(&inferred));
    let pinned = json!({"kind": "VirtualMachineInstancetype", "name": "small", "revisionName": "db-1-small-v1beta1-3f1a-2"});
    assert_eq!(result.at("/spec/instancetype"), Some((&pinned).into()));
}

#[test]
fn names_in_the_target_are_used_wherever_the_machine_says_them() {
    let vm = fixture("db-1");
    let mut to = target(&vm);
    "db-one".clone_into(&mut to.name);
    to.claims = BTreeMap::from([("db-1-root".to_owned(), "db-one-root".to_owned()), ("db-1-data".to_owned(), "db-one-data".to_owned())]);
    to.networks = BTreeMap::from([("vlan10".to_owned(), "lan/vlan10".to_owned())]);
    let (result, changes) = rewrite(&vm, &to);
    assert_eq!(result.text("/spec/template/spec/volumes/0/dataVolume/name"), Some("db-one-root"));
    assert_eq!(result.at("/spec/template/spec/volumes/1/dataVolume"), Some((&json!({"name": "db-one-data", "hotpluggable": true})).into()));
    assert_eq!(result.text("/spec/dataVolumeTemplates/0/metadata/name"), Some("db-one-root"));
    assert_eq!(result.text("/spec/template/spec/networks/1/multus/networkName"), Some("lan/vlan10"));
    assert_eq!((result.name(), result.text(HOSTNAME)), ("db-one", Some("db-1")));
    assert_eq!(replay(&vm, &changes), result);
    assert!(changes.iter().all(|change| change.why != UNEXPLAINED));
}

#[test]
fn the_fence_of_the_source_does_not_travel() {
    let id = MoveId("shop-to-prod-7k2fq".into());
    for name in ["db-1", "old-7", "win-3"] {
        let vm = fixture(name);
        let before = FenceBefore::read(&vm).unwrap();
        let fenced = apply(&fence(&vm, &id, "{}", true), &vm).unwrap();
        let (expected, told) = rewrite(&vm, &target(&vm));
        assert_eq!(rewrite(&unfence(&fenced, &before), &target(&vm)), (expected.clone(), told));
        // Somebody who has lost what was before still gets a machine that can run.
        let without_knowing = rewrite(&fenced, &target(&vm)).0;
        assert_eq!((without_knowing.at("/spec"), without_knowing.annotations()), (expected.at("/spec"), expected.annotations()));
    }
}

#[test]
fn what_the_tool_makes_it_marks_and_says_so() {
    let vm = fixture("old-7");
    let marks = Marks { move_id: MoveId("m".into()), plan_digest: "d".into(), source_uid: vm.uid().to_owned(), role: Role::Target, epoch: None };
    let (result, changes) = rewrite(&vm, &Target { marks: Some(marks.clone()), ..target(&vm) });
    assert!(marks.are_on(&result));
    assert!(changes.iter().all(|change| change.why != UNEXPLAINED));
}
