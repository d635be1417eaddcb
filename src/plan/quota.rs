//! Whether the whole batch fits: quotas of both namespaces, and limits on single claims.
//!
//! A dry run looks at one object at a time and never adds up, so the sum is made here. Keys of quotas: kubernetes/kubernetes
//! `pkg/quota/v1/evaluator/core` (claims, services, pods) and `pkg/quota/v1/generic` (`count/<resource>.<group>`).

use std::collections::BTreeMap;

use super::document::{DependentPlan, DiskPlan, MachinePlan, Ownership, PlanSpec};
use super::relations::LAUNCHERS_OF_MACHINE;
use super::request::Strategy;
use crate::model::finding::{Finding, Severity};
use crate::model::inventory::{Inventory, Place};
use crate::model::json::Json;
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::model::quantity;

/// What is asked of a quota, in thousandths, by the quota's key.
type Demand = BTreeMap<String, i128>;

/// One object, in thousandths.
const ONE: i128 = 1000;

/// What speaks against the plan in the quotas and limit ranges of both namespaces.
pub fn findings(plan: &PlanSpec, seen: &Inventory) -> Vec<Finding> {
    let mut found = exceeded("Q002", Severity::Blocking, &seen.source, &staging(plan, seen), "for copies beside the source");
    found.extend(limits(plan, seen, &seen.source, |disk| stages(disk, seen)));
    if let Some(target) = &seen.target {
        found.extend(exceeded("Q001", Severity::Blocking, target, &objects(plan, seen), "for this move"));
        found.extend(exceeded("Q004", Severity::Warning, target, &launchers(plan, seen), "for the pods of the guests"));
        found.extend(limits(plan, seen, target, |_| true));
        found.extend(throttled(plan, seen, target));
    }
    super::checks::sort(&mut found);
    found
}

fn add(demand: &mut Demand, key: impl Into<String>, amount: i128) {
    *demand.entry(key.into()).or_default() += amount;
}

/// An object counts under `count/<resource>`, core kinds also under their plain name.
fn add_object(demand: &mut Demand, kind: Kind) {
    add(demand, format!("count/{}", kind.resource()), ONE);
    if kind.group.is_empty() {
        add(demand, kind.plural, ONE);
    }
}

fn add_claim(demand: &mut Demand, class: Option<&str>, bytes: u64) {
    let bytes = i128::from(bytes) * ONE;
    add_object(demand, kind::CLAIM);
    add(demand, "requests.storage", bytes);
    if let Some(class) = class {
        add(demand, format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"), ONE);
        add(demand, format!("{class}.storageclass.storage.k8s.io/requests.storage"), bytes);
    }
}

/// Bytes that a claim for this disk asks for: a volume that is only handed over keeps its request, a copy must hold the whole source.
fn asked(disk: &DiskPlan) -> u64 {
    let request = quantity::units(&disk.request).unwrap_or(disk.capacity);
    match disk.strategy {
        Strategy::Rebind => request,
        Strategy::CloneRebind | Strategy::CdiClone => request.max(disk.capacity),
    }
}

/// What the plan makes in the target, pods apart.
fn objects(plan: &PlanSpec, seen: &Inventory) -> Demand {
    let mut demand = Demand::new();
    for machine in &plan.machines {
        add_object(&mut demand, kind::VM);
        for _ in &machine.revisions {
            add_object(&mut demand, kind::CONTROLLER_REVISION);
        }
        for disk in &machine.disks {
            add_claim(&mut demand, disk.target_class.as_deref(), asked(disk));
            if disk.strategy == Strategy::CdiClone || matches!(disk.ownership, Ownership::DataVolume { .. }) {
                add_object(&mut demand, kind::DATA_VOLUME);
            }
        }
    }
    for dependent in plan.dependents.iter().filter(|dependent| !dependent.exists) {
        add_object(&mut demand, dependent.kind);
        add_ports(&mut demand, dependent, seen);
    }
    demand
}

/// Node ports and load balancers of a Service have quotas of their own.
fn add_ports(demand: &mut Demand, dependent: &DependentPlan, seen: &Inventory) {
    let Some(service) = seen.source.objects.get(kind::SERVICE, &dependent.name).filter(|_| dependent.kind == kind::SERVICE) else { return };
    let ports = i128::try_from(service.list("/spec/ports").count()).unwrap_or(0) * ONE;
    let balanced = service.text("/spec/type") == Some("LoadBalancer");
    if balanced {
        add(demand, "services.loadbalancers", ONE);
    }
    let allocates = service.at("/spec/allocateLoadBalancerNodePorts").and_then(Json::as_bool).unwrap_or(true);
    if service.text("/spec/type") == Some("NodePort") || balanced && allocates {
        add(demand, "services.nodeports", ports);
    }
}

/// Whether a disk needs a second claim in the source for a while: our clone, or CDI's `tmp-pvc` when it clones within one driver.
fn stages(disk: &DiskPlan, seen: &Inventory) -> bool {
    let driver =
        |class: &Option<String>| class.as_deref().and_then(|class| seen.source.cluster.objects.get(kind::STORAGE_CLASS, class)?.text("/provisioner"));
    match disk.strategy {
        Strategy::Rebind => false,
        Strategy::CloneRebind => true,
        Strategy::CdiClone => driver(&disk.class) == driver(&disk.target_class),
    }
}

/// The most that the source holds for copies at one time: those of the machines in flight, the largest ones for each key.
fn staging(plan: &PlanSpec, seen: &Inventory) -> Demand {
    let of_machine = |machine: &MachinePlan| {
        let mut demand = Demand::new();
        for disk in machine.disks.iter().filter(|disk| stages(disk, seen)) {
            add_claim(&mut demand, disk.target_class.as_deref().or(disk.class.as_deref()), asked(disk));
        }
        demand
    };
    let mut by_key: BTreeMap<String, Vec<i128>> = BTreeMap::new();
    for (key, amount) in plan.machines.iter().flat_map(of_machine) {
        by_key.entry(key).or_default().push(amount);
    }
    let peak = |mut amounts: Vec<i128>| {
        amounts.sort_unstable_by(|a, b| b.cmp(a));
        amounts.iter().take(plan.options.parallel.max(1)).sum()
    };
    by_key.into_iter().map(|(key, amounts)| (key, peak(amounts))).collect()
}

/// What the pods of the guests will ask for, about as much as they ask for in the source.
fn launchers(plan: &PlanSpec, seen: &Inventory) -> Demand {
    let mut demand = Demand::new();
    for machine in plan.machines.iter().filter(|machine| machine.power.start) {
        add(&mut demand, "pods", ONE);
        add(&mut demand, "count/pods", ONE);
        let launcher = seen.source.objects.naming(&LAUNCHERS_OF_MACHINE, &machine.name).next();
        for (key, amount) in launcher.map_or_else(|| guest_memory(seen, &machine.name), compute) {
            add(&mut demand, key, amount);
        }
    }
    demand
}

/// Requests and limits of a pod's containers; a plain `cpu` or `memory` in a quota means the request.
fn compute(pod: &Manifest) -> Demand {
    let mut demand = Demand::new();
    for container in pod.list("/spec/containers") {
        for (group, resource) in [("requests", "cpu"), ("requests", "memory"), ("limits", "cpu"), ("limits", "memory")] {
            let amount = container.text(&format!("/resources/{group}/{resource}")).and_then(quantity::milli).unwrap_or(0);
            add(&mut demand, format!("{group}.{resource}"), amount);
            if group == "requests" {
                add(&mut demand, resource, amount);
            }
        }
    }
    demand
}

/// Of a machine that does not run only the guest's memory is known.
fn guest_memory(seen: &Inventory, name: &str) -> Demand {
    let domain = |vm: &Manifest, pointer: &str| vm.text(&format!("/spec/template/spec/domain{pointer}")).and_then(quantity::milli);
    let memory =
        seen.source.objects.get(kind::VM, name).and_then(|vm| domain(vm, "/memory/guest").or_else(|| domain(vm, "/resources/requests/memory")));
    memory.map(|bytes| Demand::from([("memory".to_owned(), bytes), ("requests.memory".to_owned(), bytes)])).unwrap_or_default()
}

/// Where a demand exceeds what a quota still has. Quotas with scopes count pods of some kind only and are left out.
fn exceeded(code: &str, severity: Severity, place: &Place, demand: &Demand, what: &str) -> Vec<Finding> {
    let scoped = |quota: &Manifest| !quota.list("/spec/scopes").is_empty() || quota.at("/spec/scopeSelector").is_some();
    let mut found = Vec::new();
    for quota in place.objects.all(kind::QUOTA).filter(|quota| !scoped(quota)) {
        let hard = quota.at("/status/hard").or_else(|| quota.at("/spec/hard"));
        for (key, limit) in hard.into_iter().flat_map(Json::fields) {
            let used = quota.at("/status/used").and_then(|used| used.get(key)).and_then(Json::as_str).and_then(quantity::milli).unwrap_or(0);
            let (Some(more), Some(limit)) = (demand.get(key).copied(), limit.as_str().and_then(quantity::milli)) else { continue };
            if more > 0 && used + more > limit {
                let message = format!(
                    "quota {} allows {} of {key}, {} are used and {} more are needed {what}",
                    quota.name(),
                    amount(key, limit),
                    amount(key, used),
                    amount(key, more)
                );
                let hint = format!("raise quota {} in namespace {}, or move fewer machines at once", quota.name(), place.namespace);
                found.push(Finding::new(severity, code, place.reference(kind::QUOTA, quota.name()), message).hint(hint));
            }
        }
    }
    found
}

/// An amount as people read it: bytes for storage and memory, else a number.
fn amount(key: &str, milli: i128) -> String {
    let units = u64::try_from(milli / ONE).unwrap_or(0);
    match key {
        key if key.ends_with("storage") || key.ends_with("memory") => quantity::human(units),
        key if key.ends_with("cpu") && milli % ONE != 0 => format!("{milli}m"),
        _ => units.to_string(),
    }
}

/// Claims that a limit range of the namespace would refuse.
fn limits(plan: &PlanSpec, seen: &Inventory, place: &Place, counts: impl Fn(&DiskPlan) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for (range, limit) in limits_of(place, "PersistentVolumeClaim") {
        let bound = |side: &str| limit.text(&format!("/{side}/storage")).and_then(quantity::units);
        for disk in plan.machines.iter().flat_map(|machine| &machine.disks).filter(|disk| counts(disk)) {
            let bytes = asked(disk);
            let wrong = bound("min").filter(|min| bytes < *min).map(|min| ("at least", min));
            let Some((word, bound)) = wrong.or_else(|| bound("max").filter(|max| bytes > *max).map(|max| ("at most", max))) else { continue };
            let message = format!(
                "a claim of {} would be refused: limit range {} of {} wants {word} {}",
                quantity::human(bytes),
                range.name(),
                place.namespace,
                quantity::human(bound)
            );
            found.push(Finding::blocking("Q003", seen.source.reference(kind::CLAIM, &disk.claim), message).hint(format!(
                "change limit range {} in namespace {}",
                range.name(),
                place.namespace
            )));
        }
    }
    found
}

/// A default memory limit of containers that is below the guest's memory.
fn throttled(plan: &PlanSpec, seen: &Inventory, target: &Place) -> Vec<Finding> {
    let mut found = Vec::new();
    for (range, limit) in limits_of(target, "Container") {
        let Some(bound) = limit.text("/default/memory").and_then(quantity::milli) else { continue };
        for machine in plan.machines.iter().filter(|machine| machine.power.start) {
            if guest_memory(seen, &machine.name).get("memory").is_some_and(|memory| *memory > bound) {
                let message = format!(
                    "limit range {} of {} limits containers to {} of memory by default, less than the guest has",
                    range.name(),
                    target.namespace,
                    amount("memory", bound)
                );
                found.push(
                    Finding::warning("Q005", seen.source.reference(kind::VM, &machine.name), message)
                        .hint("raise the default, or give the virtual machine a memory limit of its own; otherwise its pod is refused or killed"),
                );
            }
        }
    }
    found
}

/// The limits of one type in a namespace, with the limit range each is of.
fn limits_of<'a>(place: &'a Place, wanted: &'a str) -> impl Iterator<Item = (&'a Manifest, Json<'a>)> {
    let ranges = place.objects.all(kind::LIMIT_RANGE);
    ranges.flat_map(|range| range.list("/spec/limits").map(move |limit| (range, limit))).filter(move |(_, limit)| limit.text("/type") == Some(wanted))
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
