//! What anywhere in the cluster names the namespace that the machine leaves. It is not the move's to change; it is told.

use super::told;
use crate::model::finding::{Finding, Severity};
use crate::model::inventory::Inventory;
use crate::model::kind::Kind;
use crate::model::manifest::Manifest;
use crate::plan::checks::Check;
use crate::plan::checks::machines::machines;
use crate::plan::elsewhere::{Ends, left_pointing};
use crate::plan::request::MoveRequest;

pub(super) const CHECKS: &[Check] =
    &[Check { code: "C056", title: "what names the guest's namespace from elsewhere finds it in the target", run: named }];

fn named(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let ends = Ends::of(&seen.source, seen.target.as_ref());
    let hint = match &seen.target {
        Some(target) => format!("let them name namespace {} too, if they are to work for the guest there", target.namespace),
        None => "they do not find the guest once it is moved".to_owned(),
    };
    let finding = |machine| {
        let left: Vec<String> = left_pointing(&machine, &ends).into_iter().map(|(kind, object)| placed(kind, object)).collect();
        let what = format!("what names namespace {} from elsewhere would not find the guest: {}", seen.source.namespace, left.join(", "));
        (!left.is_empty()).then(|| Finding::new(Severity::Warning, "C056", machine.reference(), what).hint(hint.as_str()))
    };
    machines(seen, ask).filter_map(finding).collect()
}

fn placed(kind: Kind, object: &Manifest) -> String {
    match object.namespace() {
        Some(namespace) => format!("{} in {namespace}", told(kind, object)),
        None => told(kind, object),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::inventory::Look;
    use crate::model::kind;
    use crate::plan::fixtures::{World, ask, object, vm};

    /// What is said of machine `db-1` with a disk `data` and Services `db`, where `elsewhere` has this object.
    fn said(elsewhere: &str, kind: Kind, what: Value) -> Vec<String> {
        let mut machine = vm("db-1", &["data"]);
        machine.set("/spec/template/metadata/labels", json!({"app": "db"}));
        let mut service = object(kind::SERVICE, "db", json!({"spec": {"selector": {"app": "db"}}}));
        service.set_label("team", "shop");
        let seen = World::new().source(machine).source(service).elsewhere(elsewhere, object(kind, "a", what)).seen();
        named(&seen, &ask(&["db-1"])).into_iter().map(|finding| finding.message).collect()
    }

    fn is_told(kind: Kind, spec: Value) -> bool {
        !said("web", kind, json!({"spec": spec})).is_empty()
    }

    #[test]
    fn a_policy_that_lets_the_guest_through_by_its_namespace() {
        let from = |peer: Value| json!({"podSelector": {}, "ingress": [{"from": [peer]}]});
        let space = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
        assert!(is_told(kind::NETWORK_POLICY, from(json!({"namespaceSelector": space("shop")}))));
        assert!(is_told(kind::MULTI_NETWORK_POLICY, json!({"egress": [{"to": [{"namespaceSelector": space("shop")}]}]})));
        assert!(!is_told(kind::NETWORK_POLICY, from(json!({"namespaceSelector": space("other")}))));
        assert!(!is_told(kind::NETWORK_POLICY, from(json!({"namespaceSelector": {}}))), "it picks the target too");
        let pods = |app: &str| json!({"namespaceSelector": space("shop"), "podSelector": {"matchLabels": {"app": app}}});
        assert!(is_told(kind::NETWORK_POLICY, from(pods("db"))) && !is_told(kind::NETWORK_POLICY, from(pods("web"))));
        assert!(!is_told(kind::NETWORK_POLICY, from(json!({"ipBlock": {"cidr": "10.0.0.0/8"}}))));
        let neighbours = json!({"spec": from(json!({"podSelector": {}}))});
        assert_eq!(
            said("shop", kind::NETWORK_POLICY, neighbours.clone()),
            ["what names namespace shop from elsewhere would not find the guest: networkpolicy.networking.k8s.io/a in shop"]
        );
        assert_eq!(said("web", kind::NETWORK_POLICY, neighbours), [""; 0]);
    }

    #[test]
    fn another_name_or_a_route_for_its_service() {
        let name = |host: &str| json!({"type": "ExternalName", "externalName": host});
        for host in ["db.shop.svc", "db.shop.svc.cluster.local.", "db-1.db.shop.svc.cluster.local"] {
            assert!(is_told(kind::SERVICE, name(host)), "{host}");
        }
        for host in ["web.shop.svc", "db.prod.svc", "db.shop.example.org"] {
            assert!(!is_told(kind::SERVICE, name(host)), "{host}");
        }
        let route = |backend: Value| json!({"spec": {"rules": [{"backendRefs": [backend]}]}});
        assert_eq!(said("web", kind::HTTP_ROUTE, route(json!({"name": "db", "namespace": "shop"}))).len(), 1);
        assert_eq!(said("web", kind::HTTP_ROUTE, route(json!({"name": "db"}))), [""; 0]);
        assert_eq!(said("shop", kind::HTTP_ROUTE, route(json!({"name": "db", "namespace": "shop"}))), [""; 0], "that points at it there");
    }

    #[test]
    fn an_image_made_of_its_disk() {
        let image = |claim: &str, namespace: &str| json!({"source": {"pvc": {"name": claim, "namespace": namespace}}});
        assert!(is_told(kind::DATA_SOURCE, image("data", "shop")));
        assert!(!is_told(kind::DATA_SOURCE, image("other", "shop")) && !is_told(kind::DATA_SOURCE, image("data", "web")));
    }

    #[test]
    fn monitors_schedules_and_policies_for_migrations() {
        let of = |names: Value, labels: Value| json!({"namespaceSelector": {"matchNames": names}, "selector": {"matchLabels": labels}});
        assert!(is_told(kind::SERVICE_MONITOR, of(json!(["shop"]), json!({"team": "shop"}))));
        assert!(is_told(kind::POD_MONITOR, of(json!(["shop"]), json!({"app": "db"}))));
        assert!(!is_told(kind::POD_MONITOR, of(json!(["shop", "prod"]), json!({"app": "db"}))));
        let backup = |included: Value, excluded: Value| json!({"template": {"includedNamespaces": included, "excludedNamespaces": excluded}});
        assert!(is_told(kind::BACKUP_SCHEDULE, backup(json!(["shop"]), json!([]))));
        assert!(is_told(kind::BACKUP_SCHEDULE, backup(json!([]), json!(["prod"]))));
        assert!(!is_told(kind::BACKUP_SCHEDULE, backup(json!(["*"]), json!([]))) && !is_told(kind::BACKUP_SCHEDULE, json!({"template": {}})));
        let policy = |guest: Value| json!({"selectors": {"namespaceSelector": {"kubernetes.io/metadata.name": "shop"}, "virtualMachineInstanceSelector": guest}});
        assert!(is_told(kind::MIGRATION_POLICY, policy(json!({"app": "db"}))) && !is_told(kind::MIGRATION_POLICY, policy(json!({"app": "web"}))));
        assert!(!is_told(kind::MIGRATION_POLICY, json!({"selectors": {"virtualMachineInstanceSelector": {"app": "db"}}})));
    }

    #[test]
    fn the_labels_of_the_namespaces_count_where_they_are_seen() {
        let inner = |name: &str| {
            let mut namespace = Manifest::new(kind::NAMESPACE, "", name);
            namespace.set_label("zone", "inner");
            Look::Listed(std::collections::BTreeMap::from([(name.to_owned(), namespace)]))
        };
        let policy = json!({"spec": {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"zone": "inner"}}}]}]}});
        let told = |target: Look| {
            let world = World::new().source(vm("db-1", &[])).elsewhere("web", object(kind::NETWORK_POLICY, "a", policy.clone()));
            let mut seen = world.target_namespace(target).seen();
            seen.source.namespace_look = inner("shop");
            named(&seen, &ask(&["db-1"])).len()
        };
        assert_eq!((told(inner("prod")), told(Look::Forbidden("no".into()))), (0, 1));
    }
}
