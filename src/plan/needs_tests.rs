//! Stories about the rights that plans need.

use super::*;
use crate::plan::fixtures::{disk_plan, machine_plan, plan_spec};

fn told(plan: &PlanSpec) -> Vec<String> {
    needs(plan).iter().map(ToString::to_string).collect()
}

#[test]
fn a_copy_by_cdi_needs_no_right_on_volumes() {
    let plan = plan_spec(vec![machine_plan("db-1", vec![disk_plan("db-1", 20, Strategy::CdiClone)])]);
    let told = told(&plan);
    let volumes: Vec<_> = needs(&plan).into_iter().filter(|need| need.resource == "persistentvolumes").map(|need| need.duty).collect();
    assert_eq!(volumes, [Cleanup], "only cleanup looks at volumes");
    assert!(told.contains(&"create datavolumes/source.cdi.kubevirt.io in namespace shop".to_owned()));
    assert!(told.contains(&"create datavolumes.cdi.kubevirt.io in namespace prod".to_owned()));
    assert!(!told.contains(&"create persistentvolumeclaims in namespace shop".to_owned()));
}

#[test]
fn handing_volumes_over_needs_them_patched() {
    let plan = plan_spec(vec![machine_plan("db-1", vec![disk_plan("db-1", 20, Strategy::Rebind)])]);
    let told = told(&plan);
    for need in [
        "patch persistentvolumes in the cluster",
        "patch persistentvolumeclaims in namespace shop",
        "create persistentvolumeclaims in namespace prod",
    ] {
        assert!(told.contains(&need.to_owned()), "{need}");
    }
    assert!(!told.iter().any(|need| need.contains("datavolumes/source") || need == "create datavolumes.cdi.kubevirt.io in namespace prod"));
}

#[test]
fn a_right_is_asked_for_once_and_with_the_strongest_duty() {
    let plan = plan_spec(vec![machine_plan("db-1", vec![disk_plan("db-1", 20, Strategy::CloneRebind)])]);
    let deletes: Vec<_> = needs(&plan).into_iter().filter(|need| need.to_string() == "delete persistentvolumeclaims in namespace shop").collect();
    assert_eq!(deletes.iter().map(|need| need.duty).collect::<Vec<_>>(), [Must]);
}

#[test]
fn a_manual_machine_is_started_by_request() {
    let mut machine = machine_plan("db-1", Vec::new());
    assert!(!told(&plan_spec(vec![machine.clone()])).iter().any(|need| need.contains("/start")));
    machine.power.value = "Manual".into();
    machine.power.running = true;
    machine.power.start = true;
    let starts: Vec<_> = told(&plan_spec(vec![machine])).into_iter().filter(|need| need.contains("/start")).collect();
    assert_eq!(
        starts,
        [
            "update virtualmachines/start.subresources.kubevirt.io in namespace shop",
            "update virtualmachines/start.subresources.kubevirt.io in namespace prod"
        ]
    );
}
