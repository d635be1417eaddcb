//! Copies of what a machine refers to, and whether something of the same name in the target is the same thing.

use serde_json::Value;

use super::Marks;
use super::metadata::{EVERYWHERE, Rule, fresh};
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;

/// The kinds that travel with a machine.
pub const COPIED: [Kind; 6] = [kind::SECRET, kind::CONFIG_MAP, kind::SERVICE, kind::INSTANCETYPE, kind::PREFERENCE, kind::CONTROLLER_REVISION];

/// What stays behind of the annotations of dependents.
const DEPENDENT: &[Rule] = &[
    Rule { key: "service.beta.openshift.io/serving-cert-signed-by", why: "the certificate is signed again for the target" },
    Rule { key: "service.alpha.openshift.io/serving-cert-signed-by", why: "the certificate is signed again for the target" },
    Rule { key: "endpoints.kubernetes.io/last-change-trigger-time", why: "a controller's record about the source object" },
];

/// Fields of a Service that the cluster gave it and that no other Service can have, and the families that go with the cluster's addresses.
const SERVICE_GIVEN: [&str; 3] = ["/spec/clusterIPs", "/spec/healthCheckNodePort", "/spec/ipFamilies"];

/// A copy for the target: contents and type as they are, metadata clean, without an owner (there is none in the target yet, and what has
/// an absent owner is deleted).
pub fn rewrite_dependent(source: &Manifest, namespace: &str, marks: &Marks) -> Manifest {
    let mut copy = bare(source, namespace);
    marks.put(&mut copy);
    copy
}

/// Whether two objects of a name say the same, whatever their metadata and what the server filled in.
pub fn same_content(a: &Manifest, b: &Manifest) -> bool {
    content(a) == content(b)
}

/// Why an object must not be copied though a machine refers to it: its namespace's own controllers make it. Reads metadata and type only.
pub fn made_for_its_namespace(source: &Manifest) -> Option<&'static str> {
    let kind = source.text("/type").unwrap_or_default();
    if kind == "kubernetes.io/service-account-token" || source.annotation("kubernetes.io/service-account.name").is_some() {
        return Some("it is the token of a service account of the source namespace");
    }
    if source.annotation("openshift.io/internal-registry-auth-token.service-account").is_some() {
        return Some("it is OpenShift's registry login of a service account of the source namespace");
    }
    if ["beta", "alpha"].iter().any(|stage| source.annotation(&format!("service.{stage}.openshift.io/originating-service-name")).is_some()) {
        return Some("it is a serving certificate for a Service of the source namespace");
    }
    None
}

/// The controller that makes an object out of another one and would fight over a copy: its kind and name.
pub fn made_from(source: &Manifest) -> Option<(&str, &str)> {
    const MAKERS: [&str; 4] = ["SealedSecret", "ExternalSecret", "Certificate", "VaultStaticSecret"];
    let owner = source.owners().find(|owner| MAKERS.contains(&owner.kind)).map(|owner| (owner.kind, owner.name));
    owner.or_else(|| source.annotation("cert-manager.io/certificate-name").map(|name| ("Certificate", name)))
}

/// An object without what ties it to its place: server's metadata, owners, status, addresses of a Service.
pub fn bare(source: &Manifest, namespace: &str) -> Manifest {
    let mut copy = source.clone();
    copy.remove("/status");
    copy.set("/metadata", fresh(source, namespace, source.name(), &[EVERYWHERE, DEPENDENT]));
    if source.kind() == Some(kind::SERVICE) {
        free_service(&mut copy);
    }
    copy
}

/// Takes what only the source Service can have out of a Service. A headless one stays headless.
fn free_service(service: &mut Manifest) {
    let headless = service.text("/spec/clusterIP") == Some("None");
    if !headless {
        service.remove("/spec/clusterIP");
    }
    for pointer in SERVICE_GIVEN {
        if !(headless && pointer == "/spec/clusterIPs") {
            service.remove(pointer);
        }
    }
    for port in service.value_mut().pointer_mut("/spec/ports").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        port.remove("nodePort");
    }
}

/// What an object says: everything but names, metadata and fields that say no more than their absence.
fn content(object: &Manifest) -> Manifest {
    let mut said = bare(object, "");
    for pointer in ["/metadata", "/apiVersion", "/kind", "/immutable"] {
        said.remove(pointer);
    }
    if object.kind() == Some(kind::SECRET) && said.at("/type").is_none() {
        said.set("/type", "Opaque".into());
    }
    let silent = |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    if let Some(fields) = said.value_mut().as_object_mut() {
        fields.retain(|_, value| !silent(value));
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::names::MoveId;
    use crate::plan::rewrite::Role;

    fn marks() -> Marks {
        Marks { move_id: MoveId("m".into()), plan_digest: "d".into(), source_uid: "u".into(), role: Role::Dependent, epoch: None }
    }

    fn secret(data: Value) -> Manifest {
        Manifest::from(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "immutable": true, "data": data,
            "metadata": {"name": "pull", "namespace": "shop", "uid": "u", "ownerReferences": [{"kind": "VirtualMachine", "name": "db-1", "uid": "v"}]}
        }))
    }

    #[test]
    fn a_secret_keeps_its_type_and_loses_its_owner() {
        let copy = rewrite_dependent(&secret(json!({".dockerconfigjson": "e30="})), "prod", &marks());
        assert_eq!((copy.text("/type"), copy.namespace(), copy.flag("/immutable")), (Some("kubernetes.io/dockerconfigjson"), Some("prod"), true));
        assert_eq!(copy.at("/metadata/ownerReferences"), None);
        assert!(marks().are_on(&copy));
    }

    #[test]
    fn a_secret_of_the_same_name_with_other_data_is_another_secret() {
        let source = secret(json!({"a": "MQ=="}));
        let mut in_target = rewrite_dependent(&source, "prod", &marks());
        in_target.set("/metadata/uid", "other".into());
        assert!(same_content(&source, &in_target));
        in_target.set("/data/a", "Mg==".into());
        assert!(!same_content(&source, &in_target));
        let mut typed = source.clone();
        typed.set("/type", "Opaque".into());
        assert!(!same_content(&source, &typed));
    }

    #[test]
    fn a_service_gives_back_what_only_one_can_have() {
        let service = |cluster_ip: &str| {
            Manifest::from(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "shop"},
                "spec": {"clusterIP": cluster_ip, "clusterIPs": [cluster_ip], "ipFamilies": ["IPv4"], "type": "NodePort", "selector": {"app": "db"},
                    "ports": [{"port": 5432, "targetPort": "pg", "nodePort": 30123}], "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000},
                "status": {"loadBalancer": {}}
            }))
        };
        let copy = rewrite_dependent(&service("10.0.0.7"), "prod", &marks());
        let spec =
            json!({"type": "NodePort", "selector": {"app": "db"}, "ports": [{"port": 5432, "targetPort": "pg"}], "externalTrafficPolicy": "Local"});
        assert_eq!((copy.at("/spec"), copy.at("/status")), (Some((&spec).into()), None));
        assert_eq!(rewrite_dependent(&service("None"), "prod", &marks()).text("/spec/clusterIP"), Some("None"));
        assert!(same_content(&service("10.0.0.7"), &service("10.0.0.8")));
        assert!(!same_content(&service("10.0.0.7"), &service("None")));
    }

    #[test]
    fn a_revision_keeps_what_it_froze_and_the_labels_that_say_of_what() {
        let revision = Manifest::from(json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 0, "data": {"kind": "VirtualMachineInstancetype", "spec": {"cpu": {"guest": 2}}},
            "metadata": {"name": "db-1-small-v1beta1-u-1", "namespace": "shop", "labels": {"instancetype.kubevirt.io/object-name": "small"},
                "ownerReferences": [{"kind": "VirtualMachine", "name": "db-1", "uid": "v"}]}
        }));
        let copy = rewrite_dependent(&revision, "prod", &marks());
        assert_eq!((copy.at("/data"), copy.label("instancetype.kubevirt.io/object-name")), (revision.at("/data"), Some("small")));
        assert_eq!((copy.at("/revision"), copy.at("/metadata/ownerReferences")), (Some((&json!(0)).into()), None));
    }

    #[test]
    fn what_a_namespace_makes_for_itself_is_known_by_its_metadata() {
        let annotated = |key: &str| Manifest::from(json!({"metadata": {"annotations": {key: "x"}}}));
        assert!(made_for_its_namespace(&annotated("kubernetes.io/service-account.name")).is_some());
        assert!(made_for_its_namespace(&annotated("service.beta.openshift.io/originating-service-name")).is_some());
        assert_eq!(made_for_its_namespace(&annotated("team")), None);
        assert_eq!(made_from(&annotated("cert-manager.io/certificate-name")), Some(("Certificate", "x")));
    }
}
