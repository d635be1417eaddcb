//! Stories of looking around.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::cluster::Access;
use crate::cluster::scripted::{Reply, Seen, cluster};
use crate::model::kind::Kind;
use crate::plan::needs::{Duty, Need};

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name, "uid": format!("uid-{name}")}})
}

/// A healthy cluster with one machine, that says yes to every right.
fn healthy(seen: &Seen) -> Reply {
    let kubevirt = json!({"metadata": {"name": "kubevirt"}, "status": {"observedKubeVirtVersion": "v1.6.0"},
        "spec": {"configuration": {"developerConfiguration": {"featureGates": ["HotplugVolumes"]}}}});
    match seen.path.as_str() {
        "/version" => Reply::ok(json!({"gitVersion": "v1.36.2"})),
        "/apis/snapshot.storage.k8s.io" => Reply::ok(json!({"preferredVersion": {"version": "v1"}})),
        "/api/v1/namespaces/kube-system" => Reply::ok(named("kube-system")),
        "/api/v1/namespaces/shop" => Reply::ok(named("shop")),
        "/api/v1/namespaces/prod" => Reply::status(404, "NotFound", "namespaces \"prod\" not found"),
        "/apis/kubevirt.io/v1/kubevirts" => Reply::list(vec![kubevirt]),
        "/apis/cdi.kubevirt.io/v1beta1/cdis" => Reply::list(vec![json!({"metadata": {"name": "cdi"}, "status": {"observedVersion": "v1.62"}})]),
        "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines" => Reply::list(vec![named("db-1")]),
        path if path.ends_with("/selfsubjectreviews") => Reply::ok(json!({"status": {"userInfo": {"username": "alice"}}})),
        path if path.ends_with("/selfsubjectaccessreviews") => Reply::ok(json!({"status": {"allowed": true}})),
        path if path.ends_with("/selfsubjectrulesreviews") => {
            Reply::ok(json!({"status": {"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}}))
        }
        _ => Reply::list(Vec::new()),
    }
}

fn to_prod() -> Scope {
    Scope { source_namespace: "shop".into(), target_namespace: Some("prod".into()) }
}

#[tokio::test]
async fn one_look_sees_both_ends_and_asks_for_each_thing_once() {
    let (cluster, log) = cluster(healthy);
    let seen = survey(&cluster, None, &to_prod()).await.unwrap();
    let target = seen.target.unwrap();
    assert!(seen.source.namespace_object().is_some() && target.namespace_object().is_none());
    assert_eq!(seen.source.objects.get(kind::VM, "db-1").unwrap().kind_name(), "VirtualMachine");
    assert!(target.objects.is_listed(kind::VM) && target.objects.get(kind::VM, "db-1").is_none());
    assert!(Arc::ptr_eq(&seen.source.cluster, &target.cluster));
    let whole = &seen.source.cluster;
    assert_eq!((whole.id.as_str(), whole.user.as_str(), whole.may_patch_volumes), ("uid-kube-system", "alice", true));
    let stack =
        Stack { kubernetes: Some("v1.36.2".into()), kubevirt: Some("v1.6.0".into()), cdi: Some("v1.62".into()), snapshots: Some("v1".into()) };
    assert_eq!((&whole.stack, whole.kubevirt_gates.as_slice()), (&stack, &["HotplugVolumes".to_owned()][..]));
    assert!(seen.source.rights.allow("create", "", "pods"));
    let mut asked: Vec<String> = log.all().iter().filter(|seen| seen.method == "GET").map(|seen| seen.path.clone()).collect();
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all, "no list twice");
    assert_eq!(super::stack(&cluster).await.unwrap(), stack);
}

#[tokio::test]
async fn what_secrets_and_config_maps_hold_is_not_asked_for() {
    let (cluster, log) = cluster(healthy);
    survey(&cluster, None, &to_prod()).await.unwrap();
    let of = |plural: &str| log.all().into_iter().filter(|seen| seen.path.ends_with(plural)).collect::<Vec<_>>();
    let accept = |seen: &Seen| seen.headers["accept"].to_str().unwrap().to_owned();
    assert_eq!(of("/secrets").len(), 2);
    assert!(of("/secrets").iter().chain(&of("/configmaps")).all(|seen| accept(seen).contains("as=PartialObjectMetadataList")));
    assert!(of("/services").iter().all(|seen| accept(seen) == "application/json"));
}

#[tokio::test]
async fn a_missing_kind_and_a_forbidden_list_are_facts() {
    let (cluster, _) = cluster(|seen| match seen.path.as_str() {
        path if path.contains("network-attachment-definitions") => Reply::Answer(404, Vec::new(), "404 page not found".into()),
        "/api/v1/persistentvolumes" | "/apis/kubevirt.io/v1/kubevirts" | "/api/v1/namespaces/kube-system" => {
            Reply::status(403, "Forbidden", "not for alice")
        }
        "/apis/subresources.kubevirt.io/v1/version" => Reply::ok(json!({"gitVersion": "v1.5.1"})),
        _ => healthy(seen),
    });
    let seen = survey(&cluster, None, &Scope { source_namespace: "shop".into(), target_namespace: None }).await.unwrap();
    assert_eq!(seen.target, None);
    assert_eq!(seen.source.objects.look(kind::NETWORK_ATTACHMENT), Some(&Look::Missing));
    assert_eq!(seen.source.cluster.objects.look(kind::VOLUME), Some(&Look::Forbidden("not for alice".into())));
    assert_eq!((seen.source.cluster.id.as_str(), seen.source.cluster.stack.kubevirt.as_deref()), ("", Some("v1.5.1")));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_or_does_not_know_the_user_is_a_failure() {
    let (lost, _) = cluster(|_| Reply::Break);
    let failure = survey(&lost, None, &to_prod()).await.unwrap_err();
    assert!(failure.message.starts_with("The connection to the server in-process was lost"), "{failure}");
    let (expired, _) = cluster(|_| Reply::status(401, "Unauthorized", "Unauthorized"));
    assert_eq!(survey(&expired, None, &to_prod()).await.unwrap_err().message, "You must be logged in to the server (Unauthorized)");
    let (broken, _) = cluster(|seen| if seen.path.ends_with("/pods") { Reply::status(500, "InternalError", "etcd") } else { healthy(seen) });
    let failure = survey(&broken, None, &to_prod()).await.unwrap_err();
    assert!(failure.hints[0].contains("listing pods in namespace"), "{failure:?}");
}

#[tokio::test]
async fn a_target_in_another_cluster_is_looked_at_there() {
    let ((source, _), (target, log)) = (cluster(healthy), cluster(healthy));
    let seen = survey(&source, Some(&target), &to_prod()).await.unwrap();
    let other = seen.target.unwrap();
    assert!(!Arc::ptr_eq(&seen.source.cluster, &other.cluster));
    assert!(other.cluster.objects.is_listed(kind::STORAGE_CLASS));
    assert!(log.all().iter().all(|seen| !seen.path.contains("/namespaces/shop/")));
}

#[test]
fn every_kind_of_the_tables_lives_where_its_table_says() {
    let namespaced = namespaced();
    assert!(namespaced.iter().all(|row| row.kind.namespaced));
    let mut kinds: Vec<Kind> = namespaced.iter().map(|row| row.kind).collect();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), namespaced.len(), "a kind is in one table");
}

#[tokio::test]
async fn rights_are_asked_once_each_and_no_answer_is_not_no() {
    let pods = Access { verb: "create".into(), resource: "pods".into(), ..Access::default() };
    let volumes = Access { verb: "patch".into(), resource: "persistentvolumes".into(), ..Access::default() };
    let (alice, log) = cluster(|seen| {
        let allowed = seen.body.pointer("/spec/resourceAttributes/resource") == Some(&json!("pods"));
        Reply::ok(json!({"status": {"allowed": allowed}}))
    });
    let answers = answers::ask_rights(&alice, &[volumes.clone(), pods.clone(), pods.clone()]).await.unwrap();
    assert_eq!(answers, [(volumes, false), (pods.clone(), true), (pods.clone(), true)]);
    assert_eq!(log.len(), 2);
    let (broken, _) = cluster(|_| Reply::status(500, "InternalError", "authorizer down"));
    assert!(answers::ask_rights(&broken, &[pods]).await.is_err());
}

#[tokio::test]
async fn only_what_a_complete_list_of_rules_does_not_grant_is_asked() {
    let need = |verb, resource, namespace: Option<&str>| Need {
        end: End::Source,
        namespace: namespace.map(str::to_owned),
        group: "",
        resource,
        subresource: "",
        verb,
        duty: Duty::Must,
        why: String::new(),
    };
    let needs = [need("list", "pods", Some("shop")), need("patch", "pods", Some("shop")), need("list", "nodes", None)];
    for (incomplete, asked) in [(false, vec!["nodes", "pods"]), (true, vec!["nodes", "pods", "pods"])] {
        let (cluster, log) = cluster(move |seen| match seen.path.as_str() {
            path if path.ends_with("/selfsubjectrulesreviews") => {
                let rules = json!([{"verbs": ["list"], "apiGroups": [""], "resources": ["pods", "nodes"]}]);
                Reply::ok(json!({"status": {"incomplete": incomplete, "resourceRules": rules}}))
            }
            path if path.ends_with("/selfsubjectaccessreviews") => Reply::ok(json!({"status": {"allowed": false}})),
            _ => healthy(seen),
        });
        let seen = survey(&cluster, None, &Scope { source_namespace: "shop".into(), target_namespace: None }).await.unwrap();
        let before = log.len();
        let answers = answers::ask_needs(&cluster, None, &seen, &needs).await.unwrap();
        assert_eq!(answers.iter().filter(|(_, granted)| *granted).count(), usize::from(!incomplete));
        let mut reviewed: Vec<String> =
            log.all().drain(before..).map(|seen| seen.body["spec"]["resourceAttributes"]["resource"].as_str().unwrap().to_owned()).collect();
        reviewed.sort();
        assert_eq!(reviewed, asked);
    }
}
