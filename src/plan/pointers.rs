//! What points at a machine or at its Services from their namespace and does not travel with it: one line for each kind.
//!
//! Sources of the fields: kubernetes/api `networking/v1/types.go`, `policy/v1/types.go`, `rbac/v1/types.go`; openshift/api `route/v1/types.go`;
//! kubernetes-sigs/gateway-api `apis/v1/httproute_types.go`; k8snetworkplumbingwg/multi-networkpolicy `scheme.yml`;
//! prometheus-operator `pkg/apis/monitoring/v1/{servicemonitor,podmonitor}_types.go`.

use std::collections::BTreeMap;

use super::checks::machines::Machine;
use super::references::{matches, pod_labels, selects};
use crate::model::json::Json;
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;

/// A kind of which objects may point at a machine.
pub struct Pointer {
    pub kind: Kind,
    /// What cannot be known where the kind may not be listed: completes "it cannot be known ...".
    pub why: &'static str,
    /// The check that tells of it.
    pub code: &'static str,
    points: fn(&Manifest, &Guest) -> bool,
}

pub const WAY_IN: &str = "C046";
pub const BOUND: &str = "C047";
pub const BUDGET: &str = "C048";
pub const WATCHER: &str = "C049";

const IN: &str = "whether addresses from outside lead to a guest";
const BOUNDS: &str = "whether network policies bound a guest";
const WATCHES: &str = "whether a guest is monitored";

pub const POINTERS: &[Pointer] = &[
    Pointer { kind: kind::INGRESS, why: IN, code: WAY_IN, points: ingress },
    Pointer { kind: kind::ROUTE, why: IN, code: WAY_IN, points: route },
    Pointer { kind: kind::HTTP_ROUTE, why: IN, code: WAY_IN, points: http_route },
    Pointer { kind: kind::NETWORK_POLICY, why: BOUNDS, code: BOUND, points: selects_pod },
    Pointer { kind: kind::MULTI_NETWORK_POLICY, why: BOUNDS, code: BOUND, points: selects_pod },
    // One for a whole namespace, without a selector.
    Pointer { kind: kind::EGRESS_FIREWALL, why: BOUNDS, code: BOUND, points: |_, _| true },
    Pointer { kind: kind::DISRUPTION_BUDGET, why: "whether a guest counts in a disruption budget", code: BUDGET, points: budget },
    Pointer { kind: kind::SERVICE_MONITOR, why: WATCHES, code: WATCHER, points: service_monitor },
    Pointer { kind: kind::POD_MONITOR, why: WATCHES, code: WATCHER, points: |monitor, guest| picks(monitor, "/spec/selector", &guest.labels) },
    Pointer { kind: kind::ROLE, why: "who was given rights on a machine by its name", code: WATCHER, points: role },
];

/// What an object can point at.
struct Guest<'a> {
    name: &'a str,
    /// Those of its pod.
    labels: BTreeMap<String, String>,
    /// The Services that lead to it.
    services: Vec<&'a Manifest>,
}

impl Guest<'_> {
    fn has_service(&self, name: &str) -> bool {
        self.services.iter().any(|service| service.name() == name)
    }
}

/// The objects of the source namespace that point at a machine, of the kinds of one check.
pub fn pointers<'a>(machine: &Machine<'a>, code: &str) -> Vec<(Kind, &'a Manifest)> {
    let objects = &machine.seen.source.objects;
    let labels = pod_labels(machine.vm, machine.vmi);
    let services = objects.all(kind::SERVICE).filter(|service| selects(service.at("/spec/selector"), &labels)).collect();
    let guest = Guest { name: machine.name(), labels, services };
    let rows = POINTERS.iter().filter(|pointer| pointer.code == code);
    let found = rows.flat_map(|row| objects.all(row.kind).filter(|object| (row.points)(object, &guest)).map(|object| (row.kind, object)));
    found.collect()
}

fn ingress(ingress: &Manifest, guest: &Guest) -> bool {
    let paths = ingress.list("/spec/rules").flat_map(|rule| rule.list("/http/paths")).filter_map(|path| path.text("/backend/service/name"));
    ingress.text("/spec/defaultBackend/service/name").into_iter().chain(paths).any(|service| guest.has_service(service))
}

fn route(route: &Manifest, guest: &Guest) -> bool {
    let others = route.list("/spec/alternateBackends").filter_map(|backend| backend.text("/name"));
    route.text("/spec/to/name").into_iter().chain(others).any(|service| guest.has_service(service))
}

fn http_route(route: &Manifest, guest: &Guest) -> bool {
    let mut backends = route.list("/spec/rules").flat_map(|rule| rule.list("/backendRefs"));
    let here = |backend: &Json| backend.text("/namespace").is_none_or(|namespace| Some(namespace) == route.namespace());
    let service = |backend: &Json| backend.text("/kind").is_none_or(|kind| kind == "Service");
    backends.any(|backend| here(&backend) && service(&backend) && backend.text("/name").is_some_and(|name| guest.has_service(name)))
}

fn selects_pod(policy: &Manifest, guest: &Guest) -> bool {
    matches(policy.at("/spec/podSelector"), &guest.labels)
}

/// KubeVirt makes a budget of its own for each guest, which its instance owns, and makes it again in the target.
fn budget(budget: &Manifest, guest: &Guest) -> bool {
    picks(budget, "/spec/selector", &guest.labels) && !budget.owners().any(|owner| owner.kind == kind::VMI.kind)
}

fn service_monitor(monitor: &Manifest, guest: &Guest) -> bool {
    let labels = |service: &Manifest| service.labels().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    guest.services.iter().any(|service| picks(monitor, "/spec/selector", &labels(service)))
}

fn role(role: &Manifest, guest: &Guest) -> bool {
    let has = |rule: &Json, list: &str, item: &str| rule.list(list).any(|entry| entry.as_str() == Some(item));
    let mut rules = role.list("/rules");
    rules.any(|rule| {
        let machines = ["kubevirt.io", "subresources.kubevirt.io"].iter().any(|group| has(&rule, "/apiGroups", group));
        machines && has(&rule, "/resourceNames", guest.name)
    })
}

/// Whether a selector that is there picks these labels; an absent one picks nothing.
fn picks(object: &Manifest, selector: &str, labels: &BTreeMap<String, String>) -> bool {
    object.at(selector).is_some_and(|selector| matches(Some(selector), labels))
}
