//! What points at a machine and does not travel with it: nothing is left behind in silence.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::machines::one;
use crate::tool::Tool;

/// What points at machine `db-1` of a namespace; all but the Service has to be made in the target by hand.
fn pointing(namespace: &str) -> Vec<Value> {
    let object = |api: &str, kind: &str, name: &str, spec: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec});
    let backend = json!({"service": {"name": "db", "port": {"number": 80}}});
    vec![
        object("networking.k8s.io/v1", "Ingress", "front", json!({"defaultBackend": backend})),
        object("networking.k8s.io/v1", "NetworkPolicy", "deny", json!({"podSelector": {}})),
        object("policy/v1", "PodDisruptionBudget", "db", json!({"minAvailable": 1, "selector": {"matchLabels": {"app": "db"}}})),
    ]
}

/// What another namespace says of this one: traffic of its guests is let in, and their Service has another name there.
fn naming(elsewhere: &str, namespace: &str) -> [Value; 2] {
    let from = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}});
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "open", "namespace": elsewhere},
        "spec": {"podSelector": {}, "ingress": [{"from": [from]}]}});
    let name = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": elsewhere},
        "spec": {"type": "ExternalName", "externalName": format!("db.{namespace}.svc.cluster.local")}});
    [policy, name]
}

/// The kind of the claims that keep a guest's addresses, as OVN-Kubernetes brings it.
fn address_claims() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "ipamclaims.k8s.cni.cncf.io"},
        "spec": {"group": "k8s.cni.cncf.io", "scope": "Namespaced",
            "names": {"kind": "IPAMClaim", "plural": "ipamclaims", "singular": "ipamclaim", "listKind": "IPAMClaimList"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

/// What leads to a guest, bounds it or keeps its addresses blocks the plan, until the target has it too.
pub async fn what_points_at_a_machine_is_not_left_behind_in_silence(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("pointers").await?;
    let (elsewhere, _) = lab.namespaces("pointing").await?;
    let labels = json!({"spec": {"template": {"metadata": {"labels": {"app": "db"}}}}});
    let machine = one(&source, "db-1", json!({"runStrategy": "Always"})).with(labels);
    machine.bring_up(lab).await?;
    lab.create(&[
        address_claims(),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": source}, "spec": {"type": "NodePort", "selector": {"app": "db"}, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "operator", "namespace": source},
            "rules": [{"apiGroups": ["subresources.kubevirt.io"], "resources": ["virtualmachines/restart"], "resourceNames": ["db-1"], "verbs": ["update"]}]}),
    ])
    .await?;
    lab.create(&pointing(&source)).await?;
    lab.create(&naming(&elsewhere, &source)).await?;
    lab.wait("the kind of the claims being served", async || {
        let kind = lab.get("CustomResourceDefinition", "", "ipamclaims.k8s.cni.cncf.io").await?;
        let told = kind["status"]["conditions"].as_array().cloned().unwrap_or_default();
        Ok(told.iter().any(|told| told["type"] == "Established" && told["status"] == "True"))
    })
    .await?;
    let claim = json!({"apiVersion": "k8s.cni.cncf.io/v1alpha1", "kind": "IPAMClaim",
        "metadata": {"name": "db-1.lan", "namespace": source, "labels": {"kubevirt.io/vm": "db-1"}}, "spec": {"network": "lan", "interface": "net1"}});
    lab.create(&[claim]).await?;

    let before = machine.picture(lab).await?;
    let tool = Tool::new(lab, &source);
    let refused = tool.run(&format!("run db-1 --to {target} --yes")).await?;
    refused.ends_with(4)?;
    for (code, object) in [
        ("C037", "db-1.lan"),
        ("C046", "ingress.networking.k8s.io/front"),
        ("C047", "networkpolicy.networking.k8s.io/deny"),
        ("C048", "poddisruptionbudget.policy/db"),
        ("C049", "role.rbac.authorization.k8s.io/operator"),
        ("C051", "(db)"),
        ("C056", &format!("networkpolicy.networking.k8s.io/open in {elsewhere}")),
        ("C056", &format!("service/db in {elsewhere}")),
    ] {
        refused.says(code)?;
        refused.says(object)?;
    }
    ensure!(!refused.err.contains("kubevirt-disruption-budget"), "KubeVirt's own budget counts\n{}", refused.err);
    ensure!(machine.picture(lab).await? == before, "something was touched");

    lab.delete("IPAMClaim", &source, "db-1.lan").await?;
    lab.create(&pointing(&target)).await?;
    let moved = tool.done(&format!("run db-1 --to {target} --yes")).await?;
    moved.says("C049")?;
    machine.has_its_bytes(lab, &target).await
}
