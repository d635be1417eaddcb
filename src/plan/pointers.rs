//! What points at a machine or at its Services from their namespace and does not travel with it: one line for each kind.
//!
//! Sources of the fields: kubernetes/api `networking/v1/types.go`, `policy/v1/types.go`, `rbac/v1/types.go`; openshift/api `route/v1/types.go`;
//! kubernetes-sigs/gateway-api `apis/v1/httproute_types.go`; k8snetworkplumbingwg/multi-networkpolicy `scheme.yml`;
//! ovn-org/ovn-kubernetes `go-controller/pkg/crd/egressip/v1/types.go`; kubernetes-sigs/network-policy-api `apis/v1alpha1/shared_types.go`;
//! prometheus-operator `pkg/apis/monitoring/v1/{servicemonitor,podmonitor}_types.go`.

use std::collections::BTreeMap;

use super::checks::machines::Machine;
use super::references::{matches, pod_labels, selects};
use crate::model::json::Json;
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::model::vm::InstanceSpec;

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

/// A kind of policies of the cluster, which pick namespaces by their labels and in them pods by theirs.
pub struct Policies {
    pub kind: Kind,
    pub why: &'static str,
    /// Where the two selectors stand, in one way or another; without one for pods all are meant.
    selectors: &'static [(&'static str, Option<&'static str>)],
}

const SUBJECT: &[(&str, Option<&str>)] =
    &[("/spec/subject/namespaces", None), ("/spec/subject/pods/namespaceSelector", Some("/spec/subject/pods/podSelector"))];

pub const POLICIES: &[Policies] = &[
    Policies {
        kind: kind::EGRESS_IP,
        why: "from which address guests are seen outside",
        selectors: &[("/spec/namespaceSelector", Some("/spec/podSelector"))],
    },
    Policies { kind: kind::ADMIN_NETWORK_POLICY, why: BOUNDS, selectors: SUBJECT },
    Policies { kind: kind::BASELINE_ADMIN_NETWORK_POLICY, why: BOUNDS, selectors: SUBJECT },
];

/// The policies of the cluster that are for a machine in its namespace and will not be in the target, whose labels are others.
pub fn left_policies<'a>(machine: &Machine<'a>, source: &Manifest, target: Option<&Manifest>) -> Vec<(Kind, &'a Manifest)> {
    let cluster = &machine.seen.source.cluster.objects;
    let mut there = POLICIES.iter().flat_map(|row| cluster.all(row.kind).map(move |policy| (row, policy))).peekable();
    if there.peek().is_none() {
        return Vec::new();
    }
    let (labels, source, target) = (pod_labels(machine.vm, machine.vmi), owned(source), target.map(owned));
    let is_for = |row: &Policies, policy: &Manifest, namespace: &BTreeMap<String, String>| {
        let mut selectors = row.selectors.iter();
        selectors.any(|(spaces, pods)| picks(policy, spaces, namespace) && pods.is_none_or(|pods| matches(policy.at(pods), &labels)))
    };
    let left = there.filter(|(row, policy)| is_for(row, policy, &source) && !target.as_ref().is_some_and(|target| is_for(row, policy, target)));
    left.map(|(row, policy)| (row.kind, policy)).collect()
}

pub fn owned(object: &Manifest) -> BTreeMap<String, String> {
    object.labels().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// What an object can point at.
pub struct Guest<'a> {
    pub name: &'a str,
    /// Those of its pod.
    pub labels: BTreeMap<String, String>,
    /// The Services that lead to it.
    pub services: Vec<&'a Manifest>,
    pub instance: InstanceSpec<'a>,
}

impl<'a> Guest<'a> {
    pub fn of(machine: &Machine<'a>) -> Self {
        let labels = pod_labels(machine.vm, machine.vmi);
        let services = machine.beside(kind::SERVICE).filter(|service| selects(service.at("/spec/selector"), &labels)).collect();
        Self { name: machine.name(), labels, services, instance: machine.lens().instance() }
    }

    pub fn has_service(&self, name: &str) -> bool {
        self.services.iter().any(|service| service.name() == name)
    }
}

/// The objects of the source namespace that point at a machine, each with what is known of its kind.
pub fn pointers<'a>(machine: &Machine<'a>) -> Vec<(&'static Pointer, &'a Manifest)> {
    let objects = &machine.seen.source.objects;
    let mut there = POINTERS.iter().flat_map(|pointer| objects.all(pointer.kind).map(move |object| (pointer, object))).peekable();
    if there.peek().is_none() {
        return Vec::new();
    }
    let guest = Guest::of(machine);
    there.filter(|(pointer, object)| (pointer.points)(object, &guest)).collect()
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
    guest.services.iter().any(|service| picks(monitor, "/spec/selector", &owned(service)))
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
pub fn picks(object: &Manifest, selector: &str, labels: &BTreeMap<String, String>) -> bool {
    object.at(selector).is_some_and(|selector| matches(Some(selector), labels))
}
