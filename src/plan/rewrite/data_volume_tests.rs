//! Stories of DataVolumes: size, modes and content type are the source's, and nothing is imported twice.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::names::MoveId;
use crate::plan::document::Ownership;
use crate::plan::request::Strategy;
use crate::plan::rewrite::Role;

fn claim(modes: &[&str], mode: &str, request: &str, capacity: &str) -> Manifest {
    Manifest::from(json!({
        "metadata": {"name": "root", "namespace": "shop", "uid": "u", "labels": {"instancetype.kubevirt.io/default-preference": "rhel.9"},
            "annotations": {"cdi.kubevirt.io/storage.contentType": "kubevirt", "cdi.kubevirt.io/storage.preallocation.requested": "false"}},
        "spec": {"accessModes": modes, "volumeMode": mode, "storageClassName": "fast", "resources": {"requests": {"storage": request}}},
        "status": {"capacity": {"storage": capacity}, "phase": "Bound"}
    }))
}

fn disk(target_class: Option<&str>) -> DiskPlan {
    DiskPlan {
        volume: "root".into(),
        claim: "root".into(),
        claim_uid: "u".into(),
        target_claim: "root".into(),
        request: "10Gi".into(),
        capacity: 10 << 30,
        class: Some("fast".into()),
        target_class: target_class.map(str::to_owned),
        volume_mode: "Block".into(),
        access_modes: vec!["ReadWriteOnce".into()],
        persistent_volume: Some("pv".into()),
        ownership: Ownership::Nobody,
        strategy: Strategy::CdiClone,
        why: String::new(),
        rejected: Vec::new(),
    }
}

fn marks() -> Marks {
    Marks { move_id: MoveId("m".into()), plan_digest: "d".into(), source_uid: "u".into(), role: Role::Target, epoch: Some("u.3".into()) }
}

fn cloned(claim: &Manifest, dv: Option<&Manifest>, class: Option<&str>) -> Manifest {
    let (disk, marks) = (disk(class), marks());
    clone_data_volume(&Making { disk: &disk, source_claim: claim, source_dv: dv, namespace: "prod", marks: &marks }, DEFAULT_OVERHEAD)
}

#[test]
fn a_clone_has_the_size_that_the_source_has_and_binds_at_once() {
    let made = cloned(&claim(&["ReadWriteOnce"], "Block", "10Gi", "16Gi"), None, Some("archive"));
    let spec = json!({
        "source": {"pvc": {"namespace": "shop", "name": "root"}}, "contentType": "kubevirt",
        "pvc": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Block", "storageClassName": "archive", "resources": {"requests": {"storage": "16Gi"}}}
    });
    assert_eq!(made.at("/spec"), Some((&spec).into()));
    assert_eq!(made.annotation("cdi.kubevirt.io/storage.bind.immediate.requested"), Some("true"));
    assert_eq!(made.annotation("cdi.kubevirt.io/storage.deleteAfterCompletion"), Some("false"));
    assert_eq!(made.annotation("cdi.kubevirt.io/allowClaimAdoption"), None);
    assert_eq!(made.label("instancetype.kubevirt.io/default-preference"), Some("rhel.9"));
    assert_eq!((made.namespace(), marks().are_on(&made)), (Some("prod"), true));
}

#[test]
fn several_access_modes_survive_and_a_filesystem_does_not_grow_with_each_move() {
    let modes = ["ReadWriteOnce", "ReadWriteMany"];
    let block = cloned(&claim(&modes, "Block", "10Gi", "10Gi"), None, None);
    assert_eq!(block.at("/spec/storage/accessModes"), Some((&json!(modes)).into()));
    assert_eq!(block.text("/spec/storage/resources/requests/storage"), Some("10Gi"));
    let mut size = "10Gi".to_owned();
    for _ in 0..5 {
        let made = cloned(&claim(&modes, "Filesystem", &size, &size), None, None);
        let asked = quantity::units(made.text("/spec/storage/resources/requests/storage").unwrap()).unwrap();
        // What CDI does with it.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let given = (asked as f64 / (1.0 - DEFAULT_OVERHEAD)).ceil() as u64;
        assert!(given >= quantity::units(&size).unwrap());
        size = given.to_string();
    }
    assert!(quantity::units(&size).unwrap() < (10 << 30) + (8 << 20), "{size}");
}

#[test]
fn labels_of_the_source_stay_and_its_permits_and_progress_do_not() {
    let dv = Manifest::from(json!({
        "metadata": {"name": "root", "labels": {"app": "db", "kubevirt.io/created-by": "x"}, "annotations": {
            "cdi.kubevirt.io/storage.clone.token": "secret", "cdi.kubevirt.io/allowClaimAdoption": "true", "team": "shop"}},
        "spec": {"preallocation": true, "priorityClassName": "high", "source": {"http": {"url": "http://x"}}}
    }));
    let made = cloned(&claim(&["ReadWriteOnce"], "Filesystem", "10Gi", "10Gi"), Some(&dv), None);
    assert_eq!((made.label("app"), made.label("kubevirt.io/created-by"), made.annotation("team")), (Some("db"), None, Some("shop")));
    assert_eq!(made.annotation("cdi.kubevirt.io/storage.clone.token"), None);
    assert_eq!(made.annotation("cdi.kubevirt.io/allowClaimAdoption"), None);
    assert_eq!((made.flag("/spec/preallocation"), made.text("/spec/priorityClassName")), (true, Some("high")));
    assert_eq!(made.at("/spec/source/http"), None);
}

#[test]
fn a_claim_in_place_is_adopted_and_nothing_is_fetched() {
    let (disk, marks) = (disk(None), marks());
    let mut source = claim(&["ReadWriteOnce"], "Filesystem", "10Gi", "10Gi");
    let adopt =
        |claim: &Manifest| adopting_data_volume(&Making { disk: &disk, source_claim: claim, source_dv: None, namespace: "prod", marks: &marks });
    let made = adopt(&source);
    assert_eq!((made.annotation(ALLOW_ADOPTION), made.at("/spec/source")), (Some("true"), Some((&json!({"blank": {}})).into())));
    assert_eq!(made.annotation(BIND_IMMEDIATELY), None);
    source.set_annotation("cdi.kubevirt.io/storage.contentType", "archive");
    let made = adopt(&source);
    assert_eq!((made.text("/spec/contentType"), made.at("/spec/source")), (Some("archive"), Some((&json!({"upload": {}})).into())));
}

#[test]
fn the_overhead_of_a_class_goes_before_the_global_one() {
    let config = Manifest::from(json!({"status": {"filesystemOverhead": {"global": "0.055", "storageClass": {"fast": "0.1"}}}}));
    let near = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
    assert!(near(overhead(Some(&config), Some("fast")), 0.1));
    assert!(near(overhead(Some(&config), Some("slow")), 0.055));
    assert!(near(overhead(None, None), DEFAULT_OVERHEAD));
}
