//! What points at the machine from its namespace. It is not carried; where the target has one of the same kind and name, somebody has seen to it.

use super::told;
use crate::model::finding::{Finding, Severity};
use crate::model::inventory::{Inventory, Look};
use crate::model::json::Json;
use crate::model::manifest::Manifest;
use crate::plan::checks::Check;
use crate::plan::checks::machines::{Machine, machines};
use crate::plan::pointers::{BOUND, BUDGET, Pointer, WATCHER, WAY_IN, left_policies, pointers};
use crate::plan::request::MoveRequest;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: WAY_IN,
        title: "what leads to the guest from outside is in the target",
        run: |seen, ask| left_behind(Severity::Blocking, WAY_IN, seen, ask, "addresses from outside lead to the guest and are not carried"),
    },
    Check {
        code: BOUND,
        title: "what bounds the guest's traffic is in the target",
        run: |seen, ask| left_behind(Severity::Blocking, BOUND, seen, ask, "policies bound the guest's traffic and are not carried"),
    },
    Check {
        code: BUDGET,
        title: "the budget that the guest counts in is in the target",
        run: |seen, ask| left_behind(Severity::Blocking, BUDGET, seen, ask, "disruption budgets count the guest and are not carried"),
    },
    Check {
        code: WATCHER,
        title: "what watches the guest, or may use it by name, is in the target",
        run: |seen, ask| left_behind(Severity::Warning, WATCHER, seen, ask, "monitors of the guest and rights on it by name are not carried"),
    },
    Check { code: "C050", title: "what points at the guest says the same in the target", run: differing },
    Check { code: "C055", title: "the cluster's policies for the guest hold in the target", run: policies },
];

/// What became of an object that points at a machine.
#[derive(Eq, PartialEq)]
enum There {
    Same,
    Different,
    Absent,
    /// Only the source was looked at, or the target's may not be listed.
    Unknown,
}

fn there(machine: &Machine, pointer: &Pointer, object: &Manifest) -> There {
    let Some(target) = &machine.seen.target else { return There::Unknown };
    match target.objects.look(pointer.kind) {
        Some(Look::Listed(objects)) => match objects.get(object.name()) {
            Some(other) if said(other) == said(object) => There::Same,
            Some(_) => There::Different,
            None => There::Absent,
        },
        Some(Look::Missing) => There::Absent,
        Some(Look::Forbidden(_)) | None => There::Unknown,
    }
}

fn said(object: &Manifest) -> [Option<serde_json::Value>; 2] {
    ["/spec", "/rules"].map(|pointer| object.at(pointer).map(Json::to_value))
}

/// Blocks at most where the target was seen not to have it.
fn left_behind(severity: Severity, code: &str, seen: &Inventory, ask: &MoveRequest, what: &str) -> Vec<Finding> {
    let finding = |machine: Machine| {
        let found = pointers(&machine).into_iter().filter(|(pointer, _)| pointer.code == code);
        let found = found.map(|(pointer, object)| (there(&machine, pointer, object), told(pointer.kind, object)));
        let left: Vec<(There, String)> = found.filter(|(there, _)| matches!(there, There::Absent | There::Unknown)).collect();
        let sure = left.iter().any(|(there, _)| *there == There::Absent);
        let names: Vec<String> = left.into_iter().map(|(_, name)| name).collect();
        let severity = if sure { severity } else { Severity::Warning };
        let again = if severity == Severity::Blocking { ", then plan again" } else { "" };
        let hint = format!("make those that the guest needs in {}, by the same names{again}", place(seen));
        (!names.is_empty()).then(|| Finding::new(severity, code, machine.reference(), format!("{what}: {}", names.join(", "))).hint(hint))
    };
    machines(seen, ask).filter_map(finding).collect()
}

/// Where something is to be made by hand, which cannot wait until the move has made the namespace.
fn place(seen: &Inventory) -> String {
    match &seen.target {
        None => "the target namespace".to_owned(),
        Some(target) if matches!(target.namespace_look, Look::Listed(_)) && target.namespace_object().is_none() => {
            format!("namespace {}, which has to be made before that", target.namespace)
        }
        Some(target) => format!("namespace {}", target.namespace),
    }
}

fn policies(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let (Some(source), Some(target)) = (seen.source.namespace_object(), &seen.target) else { return Vec::new() };
    // What labels it has is not known where it may not be read.
    let severity = if matches!(target.namespace_look, Look::Forbidden(_)) { Severity::Warning } else { Severity::Blocking };
    let finding = |machine: Machine| {
        let left = left_policies(&machine, source, target.namespace_object());
        let names: Vec<String> = left.into_iter().map(|(kind, policy)| told(kind, policy)).collect();
        let what = format!("policies of the cluster are for the guest in {} and not in {}", seen.source.namespace, target.namespace);
        let hint = format!("label {}, so that they pick it, or let them pick it by name", place(seen));
        (!names.is_empty()).then(|| Finding::new(severity, "C055", machine.reference(), format!("{what}: {}", names.join(", "))).hint(hint))
    };
    machines(seen, ask).filter_map(finding).collect()
}

fn differing(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    super::warn(
        "C050",
        seen,
        ask,
        |machine, _| {
            let found = pointers(machine).into_iter().filter(|(pointer, object)| there(machine, pointer, object) == There::Different);
            found.map(|(pointer, object)| told(pointer.kind, object)).collect()
        },
        "what points at the guest is in the target by the same name and says something else there",
        "see that it does for the guest what you mean it to do",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::model::kind::{self, Kind};
    use crate::model::names::End;
    use crate::plan::carry::not_carried;
    use crate::plan::fixtures::{World, ask, object, vm};
    use crate::plan::pointers::POINTERS;

    fn labelled() -> Manifest {
        let mut vm = vm("db-1", &[]);
        vm.set("/spec/template/metadata/labels", json!({"app": "db", "tier": "back"}));
        vm
    }

    fn service() -> Manifest {
        let mut service = object(kind::SERVICE, "db", json!({"spec": {"selector": {"app": "db"}}}));
        service.set_label("team", "shop");
        service
    }

    fn of(world: World) -> Vec<(String, Severity)> {
        let machine = labelled();
        let seen = world.source(machine.clone()).source(service()).seen();
        not_carried(&machine, &seen, &ask(&[])).into_iter().map(|finding| (finding.code, finding.severity)).collect()
    }

    fn blocks(kind: Kind, spec: Value) -> bool {
        of(World::new().source(object(kind, "a", json!({"spec": spec})))) == [(code(kind), Severity::Blocking)]
    }

    fn code(kind: Kind) -> String {
        POINTERS.iter().find(|pointer| pointer.kind == kind).unwrap().code.to_owned()
    }

    #[test]
    fn what_leads_to_the_guest_is_known_by_its_service() {
        let path = |name: &str| json!({"rules": [{"http": {"paths": [{"backend": {"service": {"name": name, "port": {"number": 80}}}}]}}]});
        assert!(blocks(kind::INGRESS, path("db")) && !blocks(kind::INGRESS, path("web")));
        assert!(blocks(kind::INGRESS, json!({"defaultBackend": {"service": {"name": "db"}}})));
        assert!(blocks(kind::ROUTE, json!({"to": {"kind": "Service", "name": "db"}})) && !blocks(kind::ROUTE, json!({"to": {"name": "web"}})));
        assert!(blocks(kind::ROUTE, json!({"to": {"name": "web"}, "alternateBackends": [{"name": "db"}]})));
        let backend = |backend: Value| json!({"rules": [{"backendRefs": [backend]}]});
        assert!(blocks(kind::HTTP_ROUTE, backend(json!({"name": "db"}))));
        assert!(!blocks(kind::HTTP_ROUTE, backend(json!({"name": "db", "namespace": "elsewhere"}))));
        assert!(!blocks(kind::HTTP_ROUTE, backend(json!({"name": "db", "kind": "Backend"}))));
    }

    #[test]
    fn policies_and_budgets_are_known_by_the_labels_they_select() {
        let pods = |selector: Value| json!({"podSelector": selector});
        assert!(blocks(kind::NETWORK_POLICY, pods(json!({}))), "a policy without a selector is everybody's");
        assert!(blocks(kind::NETWORK_POLICY, pods(json!({"matchLabels": {"vm.kubevirt.io/name": "db-1"}}))));
        assert!(!blocks(kind::NETWORK_POLICY, pods(json!({"matchLabels": {"app": "web"}}))));
        for (operator, values, is) in [
            ("In", json!(["db", "web"]), true),
            ("In", json!(["web"]), false),
            ("NotIn", json!(["db"]), false),
            ("NotIn", json!(["web"]), true),
            ("Exists", json!([]), true),
            ("DoesNotExist", json!([]), false),
            ("Resembles", json!([]), true),
        ] {
            let expression = json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]});
            assert_eq!(blocks(kind::MULTI_NETWORK_POLICY, pods(expression)), is, "{operator} {values}");
        }
        assert!(blocks(kind::EGRESS_FIREWALL, json!({})));
        assert!(blocks(kind::DISRUPTION_BUDGET, json!({"selector": {"matchLabels": {"tier": "back"}}})));
        assert!(!blocks(kind::DISRUPTION_BUDGET, json!({"minAvailable": 1})), "one without a selector counts nobody");
        let mut own = object(kind::DISRUPTION_BUDGET, "kubevirt-disruption-budget-x", json!({"spec": {"selector": {}}}));
        own.set("/metadata/ownerReferences", json!([{"kind": "VirtualMachineInstance", "name": "db-1", "uid": "u"}]));
        assert_eq!(of(World::new().source(own)), []);
    }

    #[test]
    fn policies_of_the_cluster_hold_where_the_labels_of_the_namespace_say_so() {
        let selector = || json!({"matchLabels": {"zone": "inner"}});
        let namespace = |name: &str, zone: &str| {
            let mut namespace = Manifest::new(kind::NAMESPACE, "", name);
            namespace.set_label("zone", zone);
            Look::Listed(std::collections::BTreeMap::from([(name.to_owned(), namespace)]))
        };
        let found = |kind: Kind, spec: Value, target: Look| {
            let machine = labelled();
            let mut policy = Manifest::new(kind, "", "a");
            policy.set("/spec", spec);
            let mut seen = World::new().source(machine.clone()).cluster(policy).target_namespace(target).seen();
            seen.source.namespace_look = namespace("shop", "inner");
            not_carried(&machine, &seen, &ask(&[])).into_iter().map(|finding| (finding.code, finding.severity)).collect::<Vec<_>>()
        };
        let left = |kind: Kind, spec: Value, zone: &str| found(kind, spec, namespace("prod", zone)) == [("C055".to_owned(), Severity::Blocking)];
        let out = |pods: Value| json!({"namespaceSelector": selector(), "podSelector": pods, "egressIPs": ["192.0.2.1"]});
        assert!(left(kind::EGRESS_IP, out(json!({"matchLabels": {"app": "db"}})), "outer"));
        assert!(!left(kind::EGRESS_IP, out(json!({"matchLabels": {"app": "web"}})), "outer"));
        assert!(!left(kind::EGRESS_IP, out(json!({})), "inner"));
        let unseen = found(kind::EGRESS_IP, out(json!({})), Look::Forbidden("no".into()));
        assert_eq!(unseen, [("C055".to_owned(), Severity::Warning)]);
        for kind in [kind::ADMIN_NETWORK_POLICY, kind::BASELINE_ADMIN_NETWORK_POLICY] {
            assert!(left(kind, json!({"subject": {"namespaces": selector()}}), "outer"));
            assert!(!left(kind, json!({"subject": {"namespaces": selector()}}), "inner"));
            assert!(left(kind, json!({"subject": {"pods": {"namespaceSelector": selector(), "podSelector": {}}}}), "outer"));
        }
    }

    #[test]
    fn monitors_and_rights_by_name_are_only_told() {
        let warned = |kind: Kind, what: Value| of(World::new().source(object(kind, "a", what))) == [(WATCHER.to_owned(), Severity::Warning)];
        assert!(warned(kind::SERVICE_MONITOR, json!({"spec": {"selector": {"matchLabels": {"team": "shop"}}}})));
        assert!(!warned(kind::SERVICE_MONITOR, json!({"spec": {"selector": {"matchLabels": {"app": "db"}}}})), "a Service's own labels count");
        assert!(warned(kind::POD_MONITOR, json!({"spec": {"selector": {"matchLabels": {"app": "db"}}}})));
        let rights =
            |group: &str, names: Value| json!({"rules": [{"apiGroups": [group], "resources": ["virtualmachines/start"], "resourceNames": names}]});
        assert!(warned(kind::ROLE, rights("subresources.kubevirt.io", json!(["db-1"]))));
        assert!(!warned(kind::ROLE, rights("subresources.kubevirt.io", json!(["db-2"]))) && !warned(kind::ROLE, rights("", json!(["db-1"]))));
    }

    #[test]
    fn what_the_target_has_by_the_same_name_is_seen_to() {
        let policy = |port: i32| object(kind::NETWORK_POLICY, "deny", json!({"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": port}]}]}}));
        assert_eq!(of(World::new().source(policy(1)).target(policy(1))), []);
        assert_eq!(of(World::new().source(policy(1)).target(policy(2))), [("C050".to_owned(), Severity::Warning)]);
        let unseen = World::new().source(policy(1)).look(End::Target, kind::NETWORK_POLICY, Look::Forbidden("no".into()));
        assert_eq!(of(unseen), [(BOUND.to_owned(), Severity::Warning)]);
        let elsewhere = World::new().source(policy(1)).look(End::Target, kind::NETWORK_POLICY, Look::Missing);
        assert_eq!(of(elsewhere), [(BOUND.to_owned(), Severity::Blocking)]);
        let hint = |world: World| {
            let machine = labelled();
            not_carried(&machine, &world.source(policy(1)).source(machine.clone()).seen(), &ask(&[]))[0].hint.clone().unwrap()
        };
        assert_eq!(hint(World::new()), "make those that the guest needs in namespace prod, by the same names, then plan again");
        let absent = World::new().target_namespace(Look::Listed(std::collections::BTreeMap::new()));
        assert!(hint(absent).contains("namespace prod, which has to be made before that"));
        let machine = labelled();
        let assessed = World::new().source(policy(1)).source(machine.clone()).seen_source();
        assert_eq!(not_carried(&machine, &assessed, &ask(&[]))[0].severity, Severity::Warning);
    }
}
