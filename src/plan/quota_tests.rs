//! Stories about batches that do not fit.

use serde_json::{Value, json};

use super::*;
use crate::model::names::End;
use crate::plan::fixtures::{World, codes, disk_plan, machine_plan, object, plan_spec, pod, vm};

fn quota(hard: Value, used: Value) -> Manifest {
    object(kind::QUOTA, "compute", json!({"status": {"hard": hard, "used": used}}))
}

fn batch(strategy: Strategy, sizes: &[u64]) -> PlanSpec {
    let machine = |(index, size): (usize, &u64)| machine_plan(&format!("db-{index}"), vec![disk_plan(&format!("db-{index}"), *size, strategy)]);
    plan_spec(sizes.iter().enumerate().map(machine).collect())
}

#[test]
fn the_whole_batch_is_summed_not_each_machine() {
    let world =
        || World::new().target(quota(json!({"requests.storage": "100Gi", "persistentvolumeclaims": "9"}), json!({"requests.storage": "50Gi"})));
    assert_eq!(findings(&batch(Strategy::Rebind, &[20, 20]), &world().seen()), []);
    let found = findings(&batch(Strategy::Rebind, &[20, 20, 20]), &world().seen());
    assert_eq!(codes(&found), ["Q001"]);
    assert_eq!(found[0].message, "quota compute allows 100Gi of requests.storage, 50Gi are used and 60Gi more are needed for this move");
}

#[test]
fn quotas_count_claims_by_class_and_machines_by_resource() {
    for key in [
        "fast.storageclass.storage.k8s.io/requests.storage",
        "fast.storageclass.storage.k8s.io/persistentvolumeclaims",
        "count/virtualmachines.kubevirt.io",
        "count/persistentvolumeclaims",
    ] {
        let seen = World::new().target(quota(json!({key: "1"}), json!({key: "1"}))).seen();
        assert_eq!(codes(&findings(&batch(Strategy::Rebind, &[20]), &seen)), ["Q001"], "{key}");
    }
}

#[test]
fn copies_beside_the_source_need_room_there_for_the_machines_in_flight() {
    let world = || World::new().source(quota(json!({"requests.storage": "100Gi"}), json!({"requests.storage": "60Gi"})));
    assert_eq!(findings(&batch(Strategy::Rebind, &[30, 30]), &world().seen()), [], "nothing is copied");
    assert_eq!(codes(&findings(&batch(Strategy::CloneRebind, &[30, 30]), &world().seen())), ["Q002"]);
    let mut one_at_a_time = batch(Strategy::CloneRebind, &[30, 30]);
    one_at_a_time.options.parallel = 1;
    assert_eq!(findings(&one_at_a_time, &world().seen()), []);
    assert_eq!(codes(&findings(&batch(Strategy::CdiClone, &[50]), &world().seen())), ["Q002"], "CDI makes a tmp-pvc in the source");
}

#[test]
fn a_claim_outside_the_limits_of_the_target_is_told_with_its_name() {
    let range = object(kind::LIMIT_RANGE, "disks", json!({"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "10Gi"}}]}}));
    let found = findings(&batch(Strategy::Rebind, &[20]), &World::new().target(range).seen());
    assert_eq!(codes(&found), ["Q003"]);
    assert_eq!(found[0].object.name, "db-0");
}

#[test]
fn guests_that_would_not_start_are_a_warning() {
    let mut launcher = pod("virt-launcher-db-0-x", &["db-0"]);
    launcher.set_label("kubevirt.io", "virt-launcher");
    launcher.set("/metadata/ownerReferences", json!([{"kind": "VirtualMachineInstance", "name": "db-0"}]));
    launcher.set("/spec/containers", json!([{"resources": {"requests": {"memory": "3Gi", "cpu": "100m"}}}]));
    let world = |hard: Value| World::new().source(launcher.clone()).target(quota(hard, json!({})));
    let plan = batch(Strategy::Rebind, &[20]);
    let found = findings(&plan, &world(json!({"requests.memory": "2Gi"})).seen());
    assert_eq!((codes(&found), found[0].severity), (vec!["Q004"], Severity::Warning));
    assert_eq!(findings(&plan, &world(json!({"requests.memory": "4Gi", "pods": "1"})).seen()), []);
}

#[test]
fn a_default_limit_below_the_guests_memory_is_a_warning() {
    let range = object(kind::LIMIT_RANGE, "small", json!({"spec": {"limits": [{"type": "Container", "default": {"memory": "256Mi"}}]}}));
    let found = findings(&batch(Strategy::Rebind, &[20]), &World::new().source(vm("db-0", &["db-0"])).target(range).seen());
    assert_eq!(codes(&found), ["Q005"]);
    assert_eq!(found[0].object.end, End::Source);
}
