//! Whether a plan still holds: what it was decided about against what is there now. What changed since is a finding.

use std::collections::BTreeMap;

use super::document::{DiskPlan, MachinePlan, PlanSpec};
use super::request::MoveRequest;
use crate::model::finding::Finding;
use crate::model::inventory::Inventory;
use crate::model::kind;
use crate::model::names::{End, ObjectRef};

/// The request that leads to a plan's own decisions.
pub fn request(plan: &PlanSpec) -> MoveRequest {
    let disks = || plan.machines.iter().flat_map(|machine| &machine.disks);
    MoveRequest {
        machines: plan.machines.iter().map(|machine| machine.name.clone()).collect(),
        target_namespace: plan.target.namespace.clone(),
        create_namespace: plan.create_namespace,
        options: plan.options.clone(),
        strategy: None,
        claim_strategies: disks().map(|disk| (disk.claim.clone(), disk.strategy)).collect(),
        storage_class: None,
        claim_classes: disks().filter_map(|disk| Some((disk.claim.clone(), disk.target_class.clone()?))).collect(),
        class_map: BTreeMap::new(),
        rename: plan.machines.iter().filter(|machine| machine.name != machine.target).map(|m| (m.name.clone(), m.target.clone())).collect(),
        network_map: plan.networks.clone(),
        force: plan.force,
    }
}

/// The finding that this is not the cluster that the plan was made on, where both are known.
pub fn other_cluster(plan: &PlanSpec, seen: &Inventory) -> Option<Finding> {
    let (planned, here) = (&plan.source.cluster, &seen.source.cluster);
    let differs = !planned.is_empty() && !here.id.is_empty() && *planned != here.id;
    differs.then(|| {
        let message = format!("the plan was made on another cluster than {}: their kube-system namespaces are not the same", here.server);
        Finding::blocking("P001", ObjectRef::cluster(End::Source, kind::NAMESPACE, "kube-system"), message)
            .hint("choose the plan's cluster with --context, or make a plan here")
    })
}

/// What differs between a plan and the same plan made now, besides what the checks find by themselves.
pub fn changes(old: &PlanSpec, now: &PlanSpec) -> Vec<Finding> {
    let mut found = Vec::new();
    for machine in &old.machines {
        // One that is gone is found by the check of names.
        if let Some(now) = now.machines.iter().find(|other| other.name == machine.name) {
            found.extend(machine_changes(old, machine, now));
        }
    }
    for dependent in &old.dependents {
        let twin = now.dependents.iter().find(|other| (other.kind, &other.name) == (dependent.kind, &dependent.name));
        let object = ObjectRef::namespaced(End::Source, dependent.kind, &old.source.namespace, &dependent.name);
        match twin {
            None => found.push(again("P006", object, "it is gone or no longer referred to since the plan was made")),
            Some(twin) if twin.exists != dependent.exists => {
                let there = if twin.exists { "there now" } else { "no longer there" };
                let object = ObjectRef { end: End::Target, namespace: Some(old.target.namespace.clone()), ..object };
                found.push(again("P006", object, &format!("when the plan was made, it was the other way: it is {there} in the target")));
            }
            Some(twin) if (&twin.uid, &twin.resource_version) != (&dependent.uid, &dependent.resource_version) => {
                found.push(Finding::warning("P007", object, "it changed since the plan was made; it is copied as it is when the move comes to it"));
            }
            Some(_) => {}
        }
    }
    let planned = |kind, name: &str| old.dependents.iter().any(|other| other.kind == kind && other.name == name);
    for new in now.dependents.iter().filter(|new| !planned(new.kind, &new.name)) {
        let object = ObjectRef::namespaced(End::Source, new.kind, &old.source.namespace, &new.name);
        found.push(again("P006", object, "the machines refer to it, and the plan does not know it"));
    }
    found
}

fn machine_changes(plan: &PlanSpec, old: &MachinePlan, now: &MachinePlan) -> Vec<Finding> {
    let object = || ObjectRef::namespaced(End::Source, kind::VM, &plan.source.namespace, &old.name);
    if old.uid != now.uid {
        return vec![again("P002", object(), "a virtual machine of this name was made again since the plan was made: it is another one")];
    }
    let mut found = Vec::new();
    if old.generation != now.generation {
        let message = format!("its specification changed since the plan was made (generation {}, now {})", old.generation, now.generation);
        found.push(again("P003", object(), &message));
    }
    if old.power.running != now.power.running {
        let (then, now) = if now.power.running { ("stopped", "runs") } else { ("running", "is stopped") };
        let after = if old.power.start { "it will be started in the target" } else { "it will stay stopped in the target" };
        found.push(Finding::warning("P005", object(), format!("it was {then} when the plan was made and now {now}; {after}, as planned")));
    } else if old.identity != now.identity {
        found.push(again("P003", object(), "what its guest takes for its identity changed since the plan was made"));
    }
    for disk in &old.disks {
        let object = ObjectRef::namespaced(End::Source, kind::CLAIM, &plan.source.namespace, &disk.claim);
        match now.disks.iter().find(|other| other.volume == disk.volume) {
            Some(now) => found.extend(disk_change(disk, now).map(|change| again("P004", object, &change))),
            None => found.push(again("P004", object, "it cannot be carried as planned any more")),
        }
    }
    found
}

/// The first thing about a disk that is no longer so. Its strategy, and why, are the plan's.
fn disk_change(old: &DiskPlan, now: &DiskPlan) -> Option<String> {
    let since = |what: &str| format!("{what} since the plan was made");
    let said = |what: &str, then: &str, now: &str| since(&format!("{what} changed from {then} to {now}"));
    let name = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    if old.claim != now.claim || old.claim_uid != now.claim_uid {
        return Some(since("another claim took its place"));
    }
    if old.persistent_volume != now.persistent_volume {
        return Some(said("its volume", &name(&old.persistent_volume), &name(&now.persistent_volume)));
    }
    if (old.capacity, &old.request) != (now.capacity, &now.request) {
        return Some(since("its size changed"));
    }
    if old.target_class != now.target_class {
        return Some(said("its class", &name(&old.class), &name(&now.class)));
    }
    if (&old.volume_mode, &old.access_modes) != (&now.volume_mode, &now.access_modes) {
        return Some(since("its modes changed"));
    }
    (old.ownership != now.ownership).then(|| since("its owner changed"))
}

fn again(code: &str, object: ObjectRef, message: &str) -> Finding {
    Finding::blocking(code, object, message).hint("make the plan again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::Severity;
    use crate::plan::decide::plan;
    use crate::plan::fixtures::{World, ask, claim, codes, disk_plan, machine_plan, plan_spec, running, vm, vmi, volume};
    use crate::plan::request::Strategy;

    /// A change to a plan of one machine with one disk, as a second look would see it.
    fn after(change: impl FnOnce(&mut MachinePlan)) -> Vec<Finding> {
        let old = plan_spec(vec![machine_plan("db-1", vec![disk_plan("data", 20, Strategy::Rebind)])]);
        let mut now = old.clone();
        change(&mut now.machines[0]);
        changes(&old, &now)
    }

    #[test]
    fn a_plan_made_again_from_its_own_decisions_is_the_same() {
        let (db, disk) = (running(vm("db-1", &["data"])), claim("data", 20));
        let seen = World::new().source(vmi(&db)).source(db).cluster(volume(&disk)).source(disk).seen();
        let wish = MoveRequest {
            rename: [("db-1".to_owned(), "db-2".to_owned())].into(),
            storage_class: Some("slow".to_owned()),
            force: true,
            ..ask(&["db-1"])
        };
        let first = plan(&seen, &wish).plan.spec;
        let second = plan(&seen, &request(&first)).plan.spec;
        assert_eq!(first.machines[0].disks[0].target_class.as_deref(), Some("slow"));
        assert_eq!(changes(&first, &second), []);
        assert_eq!((&second.machines[0].target, second.force), (&"db-2".to_owned(), true));
    }

    #[test]
    fn what_changed_since_is_named() {
        assert_eq!(after(|_| {}), []);
        assert_eq!(codes(&after(|now| now.uid = "other".to_owned())), ["P002"]);
        assert_eq!(codes(&after(|now| now.generation = 4)), ["P003"]);
        assert_eq!(codes(&after(|now| now.disks[0].claim_uid = "other".to_owned())), ["P004"]);
        let volume = after(|now| now.disks[0].persistent_volume = Some("pv-2".to_owned()));
        assert_eq!(volume[0].message, "its volume changed from pv-data to pv-2 since the plan was made");
        assert_eq!(codes(&after(|now| now.disks.clear())), ["P004"]);
        let stopped = after(|now| now.power.running = false);
        assert_eq!((codes(&stopped), stopped[0].severity), (vec!["P005"], Severity::Warning));
    }

    #[test]
    fn another_cluster_is_told_by_its_system_namespace() {
        let old = plan_spec(Vec::new());
        assert_eq!(other_cluster(&old, &World::new().seen()), None);
        let elsewhere = World::new().known(|cluster| cluster.id = "cluster-2".to_owned()).seen();
        assert_eq!(other_cluster(&old, &elsewhere).map(|finding| finding.code), Some("P001".to_owned()));
        let unknown = World::new().known(|cluster| cluster.id.clear()).seen();
        assert_eq!(other_cluster(&old, &unknown), None);
    }

    #[test]
    fn dependents_may_change_but_not_come_and_go() {
        let old = crate::plan::fixtures::plan();
        let with = |change: fn(&mut PlanSpec)| {
            let mut now = old.clone();
            change(&mut now);
            changes(&old, &now).iter().map(|finding| finding.code.clone()).collect::<Vec<_>>()
        };
        assert_eq!(with(|now| now.dependents[0].resource_version = "2".to_owned()), ["P007"]);
        assert_eq!(with(|now| now.dependents[0].exists = true), ["P006"]);
        assert_eq!(with(|now| now.dependents.clear()), ["P006"]);
        assert_eq!(with(|now| now.dependents[0].name = "other".to_owned()), ["P006", "P006"]);
    }
}
