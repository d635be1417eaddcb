//! The roles with which a plan runs, ready for `kubectl apply`: what [`super::needs::needs`] lists, and apart from it what only lets a plan see more.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::PlanSpec;
use super::needs::{Duty, Need, needs, reads};
use crate::model::manifest::{Manifest, escape};
use crate::model::names::End;

/// Annotation that says what each rule is for.
const ANNOTATION_WHY: &str = "vmmove.io/why";

/// One role: what goes in, and what it is called after the plan's name.
struct RoleKind {
    suffix: &'static str,
    end: End,
    namespaced: bool,
    wanted: fn(Duty) -> bool,
}

const ROLES: &[RoleKind] = &[
    RoleKind { suffix: "source", end: End::Source, namespaced: true, wanted: is_required },
    RoleKind { suffix: "target", end: End::Target, namespaced: true, wanted: is_required },
    RoleKind { suffix: "cluster", end: End::Target, namespaced: false, wanted: is_required },
    RoleKind { suffix: "cleanup", end: End::Source, namespaced: true, wanted: |duty| duty == Duty::Cleanup },
    RoleKind { suffix: "cluster-cleanup", end: End::Target, namespaced: false, wanted: |duty| duty == Duty::Cleanup },
    RoleKind { suffix: "source-optional", end: End::Source, namespaced: true, wanted: |duty| duty == Duty::May },
    RoleKind { suffix: "target-optional", end: End::Target, namespaced: true, wanted: |duty| duty == Duty::May },
    RoleKind { suffix: "cluster-optional", end: End::Target, namespaced: false, wanted: |duty| duty == Duty::May },
];

fn is_required(duty: Duty) -> bool {
    matches!(duty, Duty::Must | Duty::OneOf(_))
}

/// The roles of a plan: for each namespace and the cluster what the move needs, and apart from it what cleanup needs and what is only useful.
/// Empty roles are left out. Of rights that replace each other, the first is asked for.
pub fn rbac(plan: &PlanSpec) -> Vec<Manifest> {
    let required = needs(plan);
    let granted = |read: &Need| {
        required
            .iter()
            .any(|need| need.namespace == read.namespace && need.group == read.group && need.path() == read.path() && need.verb == read.verb)
    };
    let optional: Vec<Need> = reads(plan).into_iter().filter(|read| !granted(read)).collect();
    let all: Vec<Need> = required.iter().cloned().chain(optional).collect();
    let first_of = |need: &&Need| match need.duty {
        Duty::OneOf(_) => all.iter().find(|other| other.duty == need.duty) == Some(need),
        _ => true,
    };
    ROLES
        .iter()
        .filter_map(|role| {
            let belongs =
                |need: &&Need| (role.wanted)(need.duty) && need.namespace.is_some() == role.namespaced && (!role.namespaced || need.end == role.end);
            let needs: Vec<&Need> = all.iter().filter(first_of).filter(belongs).collect();
            (!needs.is_empty()).then(|| manifest(plan, role, &needs))
        })
        .collect()
}

fn manifest(plan: &PlanSpec, role: &RoleKind, needs: &[&Need]) -> Manifest {
    let mut rules: Vec<(&str, String, Vec<&str>)> = Vec::new();
    let mut why: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for need in needs {
        match rules.iter_mut().find(|(group, path, _)| *group == need.group && *path == need.path()) {
            Some((_, _, verbs)) => verbs.push(need.verb),
            None => rules.push((need.group, need.path(), vec![need.verb])),
        }
        why.entry(need.why.as_str()).or_default().push(format!("{} {}", need.verb, need.path()));
    }
    let rules: Vec<Value> =
        rules.into_iter().map(|(group, path, verbs)| json!({"apiGroups": [group], "resources": [path], "verbs": verbs})).collect();
    let why = why.into_iter().map(|(why, rights)| format!("{}: to {why}", rights.join(", "))).collect::<Vec<_>>().join("\n");
    let mut manifest = Manifest::from(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": if role.namespaced { "Role" } else { "ClusterRole" },
        "metadata": {"name": format!("vmmove-{}-to-{}-{}", plan.source.namespace, plan.target.namespace, role.suffix)},
    }));
    if let Some(namespace) = needs.first().and_then(|need| need.namespace.clone()) {
        manifest.set("/metadata/namespace", namespace.into());
    }
    manifest.set(&format!("/metadata/annotations/{}", escape(ANNOTATION_WHY)), why.into());
    manifest.set("/rules", rules.into());
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{disk_plan, machine_plan, plan_spec};
    use crate::plan::request::Strategy;

    fn roles(strategy: Strategy) -> Vec<Manifest> {
        rbac(&plan_spec(vec![machine_plan("db-1", vec![disk_plan("db-1", 20, strategy)])]))
    }

    fn grants(roles: &[Manifest], suffix: &str, path: &str, verb: &str) -> bool {
        let role = roles.iter().filter(|role| role.name() == format!("vmmove-shop-to-prod-{suffix}"));
        role.flat_map(|role| role.list("/rules"))
            .any(|rule| rule.text("/resources/0") == Some(path) && rule.list("/verbs").any(|known| known.as_str() == Some(verb)))
    }

    #[test]
    fn a_tenant_gets_by_without_a_cluster_role() {
        let roles = roles(Strategy::CdiClone);
        assert!(!roles.iter().any(|role| role.name().ends_with("-cluster")));
        assert!(grants(&roles, "source", "datavolumes/source", "create"));
        assert!(!grants(&roles, "source", "pods", "create"), "one of the two rights to clone is enough");
        assert!(grants(&roles, "target", "datavolumes", "create"));
    }

    #[test]
    fn handing_volumes_over_needs_a_cluster_role_and_cleanup_is_apart() {
        let roles = roles(Strategy::Rebind);
        assert!(grants(&roles, "cluster", "persistentvolumes", "patch"));
        assert!(!grants(&roles, "source", "virtualmachines", "delete"));
        assert!(grants(&roles, "cleanup", "virtualmachines", "delete"));
    }

    #[test]
    fn what_only_lets_the_plan_say_more_is_in_a_role_of_its_own() {
        let roles = roles(Strategy::Rebind);
        assert!(grants(&roles, "target-optional", "resourcequotas", "list") && !grants(&roles, "target", "resourcequotas", "list"));
        assert!(grants(&roles, "cluster-optional", "nodes", "list") && !grants(&roles, "cluster", "nodes", "list"));
        assert!(!grants(&roles, "cluster-optional", "persistentvolumes", "list"), "granted with what is required");
        assert!(grants(&roles, "source-optional", "configmaps", "list") && !grants(&roles, "source", "configmaps", "list"));
    }

    #[test]
    fn every_role_says_what_it_is_for() {
        for role in roles(Strategy::CloneRebind) {
            assert!(role.annotation(ANNOTATION_WHY).is_some_and(|why| why.contains(": to ")), "{}", role.name());
            assert_eq!(role.kind_name() == "Role", role.namespace().is_some());
        }
    }
}
