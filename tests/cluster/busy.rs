//! Machines that are busy, or not their administrator's to move: refused before anything is touched, or waited for by name.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::lab::proxy::{Fault, When};
use crate::machines::{Machine, one};
use crate::moves::database;
use crate::residue::volumes;
use crate::scene::each;
use crate::somebody::Somebody;
use crate::tool::{Answer, Tool};

/// A pod that keeps claims in use.
fn reader(namespace: &str, claim: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reader", "namespace": namespace}, "spec": {
        "containers": [{"name": "reader", "image": "reader", "volumeMounts": [{"name": "disk", "mountPath": "/disk"}]}],
        "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": claim}}]}})
}

/// Writes into a guest's status what only the handler on its node can tell.
async fn handler_says(lab: &Lab, namespace: &str, name: &str, ops: &Value) -> Result<()> {
    let path = format!("/apis/kubevirt.io/v1/namespaces/{namespace}/virtualmachineinstances/{name}");
    let request = Request::builder().method(Method::PATCH).uri(path).header("Content-Type", "application/json-patch+json");
    let request = request.header("Impersonate-User", "system:serviceaccount:kubevirt:kubevirt-handler").body(ops.to_string().into_bytes())?;
    lab.client().request_text(request).await.with_context(|| format!("the handler's words on {name}"))?;
    Ok(())
}

/// Neither a plan nor a run touches these machines, and both say why.
async fn are_refused(lab: &Lab, machines: &[Machine], target: &str, rows: &[(&str, &str, &str)]) -> Result<()> {
    let before = try_join_all(machines.iter().map(|machine| machine.picture(lab))).await?;
    let tool = Tool::new(lab, &machines[0].namespace);
    for (name, code, words) in rows {
        for flags in ["", "--volumes move"] {
            let refused = tool.run(&format!("run {name} --to {target} {flags} --yes")).await?;
            refused.ends_with(4)?;
            refused.says(code)?;
            refused.says(words)?;
        }
    }
    let now = try_join_all(machines.iter().map(|machine| machine.picture(lab))).await?;
    ensure!(now == before, "something was touched\n--- before\n{before:#?}\n--- now\n{now:#?}");
    Ok(())
}

/// A guest that is paused, being migrated or being snapshotted, and a disk that a pod of somebody else reads.
pub async fn what_is_under_way_is_refused(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("busy").await?;
    let machines = ["paused", "migrating", "snapshotting", "read"].map(|name| one(&source, name, json!({"runStrategy": "Always"})));
    try_join_all(machines.iter().map(|machine| machine.bring_up(lab))).await?;
    let paused = json!({"type": "Paused", "status": "True", "reason": "PausedByUser", "lastProbeTime": null, "lastTransitionTime": null});
    handler_says(lab, &source, "paused", &json!([{"op": "add", "path": "/status/conditions/-", "value": paused}])).await?;
    let metadata = |name: &str| json!({"name": name, "namespace": source});
    lab.create(&[
        json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration", "metadata": metadata("to-node2"), "spec": {"vmiName": "migrating"}}),
        json!({"apiVersion": "snapshot.kubevirt.io/v1beta1", "kind": "VirtualMachineSnapshot", "metadata": metadata("nightly"),
            "spec": {"source": {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": "snapshotting"}}}),
        reader(&source, "read-root"),
    ])
    .await?;
    machines[0].wait_status(lab, "Paused").await?;
    // Freezing a guest takes a node, so this snapshot stays on its way.
    lab.wait_field(("VirtualMachine", &source, "snapshotting"), "/status/snapshotInProgress", "nightly").await?;
    lab.wait_field(("Pod", &source, "reader"), "/status/phase", "Running").await?;
    let rows = [
        ("paused", "V004", "virtctl unpause vm paused"),
        ("migrating", "V005", "the guest is being migrated between nodes (to-node2)"),
        ("snapshotting", "V006", "snapshot nightly is under way"),
        ("read", "S008", "pods that do not belong to the guest use the disk: reader"),
    ];
    are_refused(lab, &machines, &target, &rows).await?;
    lab.delete("VirtualMachineInstanceMigration", &source, "to-node2").await?;
    lab.delete("VirtualMachineSnapshot", &source, "nightly").await
}

/// A machine of a pool, of GitOps, of another controller.
pub async fn what_others_decide_about_is_refused(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("owned").await?;
    let halted = || json!({"runStrategy": "Halted"});
    let machines = ["argo", "flux", "owned"].map(|name| one(&source, name, halted()));
    try_join_all(machines.iter().map(|machine| machine.bring_up(lab))).await?;
    let metadata = |name: &str| json!({"name": name, "namespace": source});
    let mut template = Machine::new(&source, "template").strategy(halted()).vm();
    template["metadata"] = json!({"labels": {"app": "pool"}});
    lab.create(&[
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("owner")}),
        json!({"apiVersion": "pool.kubevirt.io/v1beta1", "kind": "VirtualMachinePool", "metadata": metadata("workers"), "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "pool"}},
            "virtualMachineTemplate": {"metadata": template["metadata"], "spec": template["spec"]}}}),
    ])
    .await?;
    let owner = lab.get("ConfigMap", &source, "owner").await?["metadata"]["uid"].take();
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner, "controller": true}]);
    for (name, patch) in [
        ("argo", json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:kubevirt.io/VirtualMachine:shop/argo"}})),
        ("flux", json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}})),
        ("owned", json!({"ownerReferences": owner})),
    ] {
        lab.patch("VirtualMachine", &source, name, json!({"metadata": patch})).await?;
    }
    lab.wait("the pool has a machine", async || Ok(lab.find("VirtualMachine", &source, "workers-0").await?.is_some())).await?;
    let rows = [
        ("workers-0", "O001", "it belongs to pool workers"),
        ("argo", "O002", "Argo CD manages it"),
        ("flux", "O002", "Flux manages it"),
        ("owned", "O003", "ConfigMap owner manages it"),
    ];
    are_refused(lab, &machines, &target, &rows).await?;
    let tool = Tool::new(lab, &source);
    for (name, _, _) in &rows[1..] {
        tool.done(&format!("plan {name} --to {target} --force")).await?.says("take it out of there before you clean up the source")?;
    }
    tool.run(&format!("plan workers-0 --to {target} --force")).await?.ends_with(4)
}

/// A pod of somebody else that takes hold of a disk once the source is fenced is waited for by its name, and nothing is taken from under it.
pub async fn a_pod_that_comes_late_is_waited_for(lab: &Lab) -> Result<()> {
    each(["", "--volumes move"], async |flags| {
        let (source, target) = lab.namespaces("late-pod").await?;
        let machine = database(&source);
        machine.bring_up(lab).await?;
        let handles = machine.handles(lab, &source).await?;
        let proxy = lab.proxy().await?;
        let (somebody, pod) = (Somebody::new(lab), reader(&source, "db-1-data"));
        let fences = format!("/namespaces/{source}/virtualmachines/db-1");
        let appear = Fault::Before(Box::new(move |_| drop(somebody.creates(&pod))));
        proxy.spoil(When::Nth(1), move |request| request.method == Method::PATCH && request.writes() && request.path.ends_with(&fences), appear);
        let held = Tool::with(lab, proxy.kubeconfig(), &source).run(&format!("run db-1 --to {target} {flags} --timeout 12s --yes")).await?;
        held.ends_with(7)?;
        held.says("waiting for pod reader to end")?;
        ensure!(machine.handles(lab, &source).await? == handles, "a disk was taken from under the pod");
        for volume in volumes(lab, &source, &target).await? {
            let reference = &volume["spec"]["claimRef"];
            ensure!(reference["namespace"] == source.as_str() && volume["status"]["phase"] == "Bound", "a volume is of {reference}");
        }
        lab.delete("Pod", &source, "reader").await?;
        Tool::new(lab, &source).done(&format!("resume {} --yes", held.move_name()?)).await?;
        machine.has_its_bytes(lab, &target).await
    })
    .await
}

/// A volume that a node holds on to: nothing is copied or handed over until it lets go, and cleanup does not delete it either.
pub async fn a_disk_that_is_attached_is_waited_for(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("attached").await?;
    let machine = database(&source);
    machine.bring_up(lab).await?;
    let claim = lab.get("PersistentVolumeClaim", &source, "db-1-data").await?;
    let volume = claim["spec"]["volumeName"].as_str().context("the claim has no volume")?;
    let name = format!("csi-{source}");
    let attachment = json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": name}, "spec": {
        "attacher": "lab.vmmove.io", "nodeName": "node1", "source": {"persistentVolumeName": volume}}});
    lab.create(std::slice::from_ref(&attachment)).await?;
    let tool = Tool::new(lab, &source);
    let held = tool.run(&format!("run db-1 --to {target} --timeout 8s --yes")).await?;
    held.ends_with(7)?;
    held.says(&format!("waiting for volume {volume} to be detached from node node1"))?;
    ensure!(lab.list("PersistentVolumeClaim", &target).await?.is_empty(), "something was copied from under the node");
    let name_of_move = held.move_name()?;
    let resumed = tool.start(&format!("resume {name_of_move} --timeout 1m --yes"))?;
    lab.delete("VolumeAttachment", "", &name).await?;
    Answer::of("resume", resumed).await?.ends_with(0)?;
    machine.has_its_bytes(lab, &target).await?;

    lab.create(&[attachment]).await?;
    let refused = tool.run(&format!("cleanup {name_of_move} --yes")).await?;
    refused.says(&format!("persistentvolume {volume} is still attached to node node1"))?;
    ensure!(lab.find("VirtualMachine", &source, "db-1").await?.is_some(), "the source has gone");
    lab.delete("VolumeAttachment", "", &name).await?;
    tool.done(&format!("cleanup {name_of_move} --yes")).await?;
    Ok(())
}
