//! Does the lab behave as a cluster does? Every other file of trials builds on that.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use http::{Method, StatusCode};

use kube::api::{DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::lab::proxy::{Fault, Request, When};
use crate::lab::{DRIVER, Lab, access, api};

/// A VM with a disk from a template and a disk that was there before boots, stops, and takes with it what it owns.
pub async fn starts(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("starts").await?;
    let vm = ("VirtualMachine", namespace.as_str(), "web");
    let vmi = ("VirtualMachineInstance", namespace.as_str(), "web");
    lab.create(&[claim(&namespace, "data", "fast"), web(&namespace)]).await?;
    lab.wait_field(vm, "/status/printableStatus", "Running").await?;
    lab.wait("the guest agent is connected", async || {
        let vmi = lab.get(vmi.0, vmi.1, vmi.2).await?;
        let conditions = vmi["status"]["conditions"].as_array().context("no conditions")?;
        Ok(conditions.iter().any(|each| each["type"] == "AgentConnected" && each["status"] == "True"))
    })
    .await?;
    lab.wait_field(("DataVolume", &namespace, "web-root"), "/status/phase", "Succeeded").await?;
    for disk in ["web-root", "data"] {
        ensure!(lab.disk_path(&namespace, disk).await?.is_file(), "{disk} has no bytes");
    }

    lab.patch("VirtualMachine", &namespace, "web", json!({"spec": {"runStrategy": "Halted"}})).await?;
    lab.wait_gone("VirtualMachineInstance", &namespace, "web").await?;
    lab.wait_field(vm, "/status/printableStatus", "Stopped").await?;

    lab.delete("VirtualMachine", &namespace, "web").await?;
    lab.wait_gone("DataVolume", &namespace, "web-root").await?;
    lab.wait_gone("PersistentVolumeClaim", &namespace, "web-root").await?;
    lab.get("PersistentVolumeClaim", &namespace, "data").await.map(drop)
}

/// A CSI clone of a claim is another volume with the same bytes.
pub async fn a_volume_clone_carries_the_bytes(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("clone").await?;
    lab.create(&[claim(&namespace, "data", "fast")]).await?;
    bound(lab, &namespace, "data").await?;
    lab.write_marker(&namespace, "data", b"written before the clone").await?;
    let mut copy = claim(&namespace, "copy", "fast");
    copy["spec"]["dataSource"] = json!({"kind": "PersistentVolumeClaim", "name": "data"});
    lab.create(&[copy]).await?;
    bound(lab, &namespace, "copy").await?;
    ensure!(lab.read_marker(&namespace, "copy").await? == b"written before the clone", "the clone has other bytes");
    ensure!(lab.handle(&namespace, "copy").await? != lab.handle(&namespace, "data").await?, "the clone is the same volume");
    Ok(())
}

/// CDI clones from another namespace by way of a temporary claim and a rebind.
pub async fn a_data_volume_carries_the_bytes_across_namespaces(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("across").await?;
    lab.create(&[claim(&source, "data", "fast")]).await?;
    bound(lab, &source, "data").await?;
    lab.write_marker(&source, "data", b"from another namespace").await?;
    lab.create(&[json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": "copy", "namespace": target},
        "spec": {"source": {"pvc": {"namespace": source, "name": "data"}}, "storage": {"storageClassName": "fast"}},
    })])
    .await?;
    lab.wait_field(("DataVolume", &target, "copy"), "/status/phase", "Succeeded").await?;
    ensure!(lab.read_marker(&target, "copy").await? == b"from another namespace", "the copy has other bytes");
    ensure!(lab.handle(&target, "copy").await? != lab.handle(&source, "data").await?, "the copy is the same volume");
    Ok(())
}

/// A volume made from a snapshot has the bytes of when the snapshot was taken.
pub async fn a_snapshot_keeps_the_bytes_of_its_time(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("snapshot").await?;
    lab.create(&[claim(&namespace, "data", "fast")]).await?;
    bound(lab, &namespace, "data").await?;
    lab.write_marker(&namespace, "data", b"before").await?;
    lab.create(&[json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": {"name": "then", "namespace": namespace},
        "spec": {"volumeSnapshotClassName": "fast-snapshots", "source": {"persistentVolumeClaimName": "data"}},
    })])
    .await?;
    lab.wait_field(("VolumeSnapshot", &namespace, "then"), "/status/readyToUse", true).await?;
    lab.write_marker(&namespace, "data", b"after!").await?;
    let mut copy = claim(&namespace, "copy", "fast");
    copy["spec"]["dataSource"] = json!({"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "then"});
    lab.create(&[copy]).await?;
    bound(lab, &namespace, "copy").await?;
    ensure!(lab.read_marker(&namespace, "copy").await? == b"before", "the restored volume has other bytes");
    Ok(())
}

/// Without its certificates virt-controller would die of the first export.
pub async fn an_export_does_not_end_its_controller(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("export").await?;
    lab.create(&[
        claim(&namespace, "data", "fast"),
        json!({
            "apiVersion": "export.kubevirt.io/v1beta1", "kind": "VirtualMachineExport", "metadata": {"name": "out", "namespace": namespace},
            "spec": {"source": {"apiGroup": "", "kind": "PersistentVolumeClaim", "name": "data"}},
        }),
    ])
    .await?;
    lab.wait_field(("VirtualMachineExport", &namespace, "out"), "/status/phase", "Ready").await
}

/// The class `wait` provisions nothing until a VM wants the claim.
pub async fn a_claim_waits_for_its_first_consumer(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("wait").await?;
    lab.create(&[claim(&namespace, "data", "wait")]).await?;
    lab.wait("the claim says what it waits for", async || {
        let events = lab.list("Event", &namespace).await?;
        Ok(events.iter().any(|event| event["reason"] == "WaitForFirstConsumer"))
    })
    .await?;
    lab.create(&[web(&namespace)]).await?;
    bound(lab, &namespace, "data").await
}

/// A user to whom nobody gave a right may do nothing, and with a role just what it says.
pub async fn a_stranger_is_forbidden(lab: &Lab) -> Result<()> {
    let (granted, other) = lab.namespaces("stranger").await?;
    let stranger = access::client(&lab.kubeconfig_for_user("stranger", None)?).await?;
    ensure!(refused(&stranger, &granted).await?, "a stranger can list VMs");
    lab.create(&[json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "stranger", "namespace": granted},
        "subjects": [{"kind": "User", "name": "stranger", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "kubevirt.io:view", "apiGroup": "rbac.authorization.k8s.io"},
    })])
    .await?;
    lab.wait("the binding counts", async || Ok(!refused(&stranger, &granted).await?)).await?;
    ensure!(refused(&stranger, &other).await?, "the right reaches further than its namespace");
    Ok(())
}

/// The proxy sees each request, can lose an answer, and can keep a request from the server.
pub async fn the_proxy_counts_and_cuts(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("proxy").await?;
    let proxy = lab.proxy().await?;
    let client = once(proxy.kubeconfig()).await?;
    let maps = api::api(&client, "ConfigMap", &namespace);
    let map = |name: &str| serde_json::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}));
    proxy.spoil(When::Nth(2), |request| request.method == Method::POST, Fault::CutBefore);
    proxy.spoil(When::Nth(3), |request| request.method == Method::POST, Fault::CutAfter);

    ensure!(maps.create(&PostParams::default(), &map("plain")?).await.is_ok(), "the proxy does not pass requests on");
    ensure!(maps.create(&PostParams::default(), &map("cut-before")?).await.is_err(), "the request was not cut");
    ensure!(maps.create(&PostParams::default(), &map("cut-after")?).await.is_err(), "the answer was not cut");
    let there = async |name: &str| anyhow::Ok(lab.find("ConfigMap", &namespace, name).await?.is_some());
    ensure!(there("plain").await? && there("cut-after").await? && !there("cut-before").await?, "the cuts are not where they should be");

    let writes = proxy.writes();
    let seen: Vec<_> = writes.iter().map(|request| request.status().map(|status| status.as_u16())).collect();
    ensure!(seen == [Some(201), None, Some(201)], "counted {writes:?}");
    Ok(())
}

/// A watch through the proxy brings each event as it happens, and ends when the connection breaks. Refusals look real.
pub async fn the_proxy_streams_until_it_hangs_up(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("stream").await?;
    let proxy = lab.proxy().await?;
    let client = once(proxy.kubeconfig()).await?;
    let maps = api::api(&client, "ConfigMap", &namespace);
    let mut events = maps.watch(&WatchParams::default().labels("lab=stream").disable_bookmarks(), "0").await?.boxed();
    lab.create(&[json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "seen", "namespace": namespace, "labels": {"lab": "stream"}},
    })])
    .await?;
    let event = events.try_next().await?.context("the watch ended")?;
    ensure!(matches!(&event, WatchEvent::Added(map) if map.name_any() == "seen"), "the watch brought {event:?}");
    proxy.hang_up();
    while let Some(Ok(_)) = events.next().await {}

    proxy.spoil(When::Every, |request| request.method == Method::DELETE, Fault::Answer(StatusCode::CONFLICT, "Conflict"));
    let refused = maps.delete("seen", &DeleteParams::default()).await;
    ensure!(matches!(&refused, Err(kube::Error::Api(status)) if status.is_conflict()), "not a conflict: {refused:?}");
    let watches = proxy.requests().into_iter().filter(Request::watches).count();
    ensure!(watches == 1, "counted {watches} watches");
    Ok(())
}

/// The API server and the controller manager can be taken away and given back.
pub async fn components_come_back(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("return").await?;
    let manager = lab.component("kube-controller-manager")?;
    manager.stop();
    lab.create(&[claim(&namespace, "data", "fast")]).await?;
    lab.component("kube-apiserver")?.restart().await?;
    manager.set_flag("--pvclaimbinder-sync-period", "15s");
    manager.start().await?;
    bound(lab, &namespace, "data").await?;
    manager.set_flag("--pvclaimbinder-sync-period", "1s");
    manager.restart().await
}

/// A fault that a test puts into the driver reaches the claim, and goes with its file.
pub async fn a_driver_fails_on_demand(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("fault").await?;
    lab.fail(DRIVER, "CreateVolume", "Unavailable out of order")?;
    lab.create(&[claim(&namespace, "data", "fast")]).await?;
    lab.wait("the driver's words are in an event", async || {
        let events = lab.list("Event", &namespace).await?;
        Ok(events.iter().any(|event| event["message"].as_str().is_some_and(|text| text.contains("out of order"))))
    })
    .await?;
    lab.heal(DRIVER)?;
    bound(lab, &namespace, "data").await
}

async fn bound(lab: &Lab, namespace: &str, name: &str) -> Result<()> {
    lab.wait_field(("PersistentVolumeClaim", namespace, name), "/status/phase", "Bound").await
}

/// Whether a client is forbidden to list the VMs of a namespace.
async fn refused(client: &Client, namespace: &str) -> Result<bool> {
    match api::api(client, "VirtualMachine", namespace).list(&ListParams::default()).await {
        Ok(_) => Ok(false),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// A client that tries everything just once.
async fn once(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

fn claim(namespace: &str, name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    })
}

/// A running VM with the disk `web-root` from a template and the claim `data`.
fn web(namespace: &str) -> Value {
    let disk = |name: &str| json!({"name": name, "disk": {"bus": "virtio"}});
    json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "runStrategy": "Always",
            "dataVolumeTemplates": [{
                "metadata": {"name": "web-root"},
                "spec": {"source": {"blank": {}}, "storage": {"storageClassName": "fast", "resources": {"requests": {"storage": "64Mi"}}}},
            }],
            "template": {"spec": {
                "domain": {
                    "memory": {"guest": "128Mi"},
                    "devices": {"disks": [disk("root"), disk("data")], "interfaces": [{"name": "default", "masquerade": {}}]},
                },
                "networks": [{"name": "default", "pod": {}}],
                "volumes": [
                    {"name": "root", "dataVolume": {"name": "web-root"}},
                    {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                ],
            }},
        },
    })
}

/// The laboratory's storage driver keeps to the rules of CSI: its own tests, csi-sanity among them.
pub async fn the_storage_driver_keeps_to_the_rules(_: &Lab) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/modules/csi-driver");
    let mut tests = tokio::process::Command::new("go");
    let output = tests.args(["test", "./..."]).current_dir(folder).env("GOWORK", "off").env("CGO_ENABLED", "0").output().await?;
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    ensure!(output.status.success(), "{out}{err}");
    Ok(())
}
