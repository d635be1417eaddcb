//! What virtual machines refer to: taken along as it is, never overwritten, never made anew.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::machines::{Machine, one, vm};
use crate::tool::Tool;

/// A golden image of another namespace that everybody's default service account may clone, and of the source's own.
async fn golden(lab: &Lab, images: &str, users: &[&str]) -> Result<()> {
    lab.create(&[
        json!({"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": "golden", "namespace": images},
            "spec": {"source": {"blank": {}}, "pvc": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}}}),
        json!({"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataSource", "metadata": {"name": "golden", "namespace": images},
            "spec": {"source": {"pvc": {"name": "golden", "namespace": images}}}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "clone", "namespace": images},
            "rules": [{"apiGroups": ["cdi.kubevirt.io"], "resources": ["datavolumes/source"], "verbs": ["create"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "clone", "namespace": images},
            "subjects": users.iter().map(|namespace| json!({"kind": "ServiceAccount", "name": "default", "namespace": namespace})).collect::<Vec<_>>(),
            "roleRef": {"kind": "Role", "name": "clone", "apiGroup": "rbac.authorization.k8s.io"}}),
    ])
    .await?;
    lab.wait_field(("DataVolume", images, "golden"), "/status/phase", "Succeeded").await
}

/// 1, 17, 18, 19, 20: disks that came from a golden image are moved as they are, and nothing is imported or cloned from the image again.
pub async fn disks_of_golden_images_are_not_made_anew(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("golden").await?;
    let (images, _) = lab.namespaces("images").await?;
    // Only the source's account may clone: in the target nobody may ask for the image again.
    golden(lab, &images, &[&source]).await?;
    golden(lab, &source, &[&source]).await?;
    let machines = [
        ("elsewhere", json!({"sourceRef": {"kind": "DataSource", "name": "golden", "namespace": images}})),
        ("here", json!({"sourceRef": {"kind": "DataSource", "name": "golden"}})),
        ("claim", json!({"source": {"pvc": {"name": "golden", "namespace": source}}})),
    ]
    .map(|(name, from)| {
        let mut template = json!({"metadata": {"name": format!("{name}-root"), "namespace": source},
            "spec": {"pvc": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}}});
        json_patch::merge(&mut template["spec"], &from);
        one(&source, name, json!({"runStrategy": "Always"})).with(json!({"spec": {"dataVolumeTemplates": [template]}}))
    });
    try_join_all(machines.iter().map(|machine| machine.bring_up(lab))).await?;
    let tool = Tool::new(lab, &source);
    tool.done(&format!("run elsewhere here claim --to {target} --yes --cleanup")).await?;
    for (machine, from) in machines.iter().zip([&images, &source, &source]) {
        let vm = vm(lab, &target, &machine.name).await?;
        let template = &vm["spec"]["dataVolumeTemplates"][0];
        let space = &template["metadata"]["namespace"];
        ensure!(space.is_null() || space == target.as_str(), "the template of {} names namespace {space}", machine.name);
        let named = template.pointer("/spec/sourceRef/namespace").or(template.pointer("/spec/source/pvc/namespace"));
        ensure!(named == Some(&json!(from)), "the template of {} has its source in {named:?}", machine.name);
        machine.has_its_bytes(lab, &target).await?;
        machine_runs(lab, &target, &machine.name).await?;
        let disk = lab.get("DataVolume", &target, &format!("{}-root", machine.name)).await?;
        ensure!(disk["metadata"]["ownerReferences"][0]["uid"] == vm["metadata"]["uid"], "the DataVolume of {} is not its own", machine.name);
    }
    for event in lab.list("Event", &target).await? {
        let text = event["message"].as_str().unwrap_or_default();
        ensure!(!text.contains("not authorized"), "{text}");
    }
    lab.get("PersistentVolumeClaim", &source, "golden").await.map(drop)
}

async fn machine_runs(lab: &Lab, namespace: &str, name: &str) -> Result<()> {
    lab.wait_field(("VirtualMachine", namespace, name), "/status/printableStatus", "Running").await
}

/// Everything around one machine: instance types, affinity, credentials, a Service, disks of every kind.
pub async fn rich(lab: &Lab, source: &str) -> Result<Machine> {
    let metadata = |name: &str| json!({"name": name, "namespace": source});
    let block = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata("rich-block"),
        "spec": {"storageClassName": "fast", "accessModes": ["ReadWriteMany"], "volumeMode": "Block", "resources": {"requests": {"storage": "64Mi"}}}});
    let kind = |kind: &str, spec: Value| json!({"apiVersion": "instancetype.kubevirt.io/v1beta1", "kind": kind, "metadata": metadata("small"), "spec": spec});
    lab.create(&[
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("cloud-init"), "stringData": {"userdata": "#cloud-config\n"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("settings"), "data": {"key": "value"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("answers"), "data": {"Autounattend.xml": "<unattend/>"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("rich"), "spec": {"selector": {"app": "rich"}, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("rich-headless"), "spec": {"clusterIP": "None", "selector": {"app": "rich"}, "ports": [{"port": 80}]}}),
        kind("VirtualMachineInstancetype", json!({"cpu": {"guest": 2}, "memory": {"guest": "128Mi"}, "nodeSelector": {"kubernetes.io/os": "linux"}})),
        kind("VirtualMachinePreference", json!({"cpu": {"preferredCPUTopology": "sockets"}})),
        block,
    ])
    .await?;
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node1"]}]},
        {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}]}}});
    let machine = Machine::new(source, "rich").template("rich-root", "fast").claim("rich-data", "fast").claim("rich-owned", "fast");
    let machine = machine.with(json!({"spec": {
        "instancetype": {"kind": "VirtualMachineInstancetype", "name": "small"},
        "preference": {"kind": "VirtualMachinePreference", "name": "small"},
        "template": {"spec": {"affinity": affinity, "domain": {"resources": null}}}}}));
    let machine = machine.volume(json!({"name": "seed", "cloudInitNoCloud": {"secretRef": {"name": "cloud-init"}}}));
    let machine = machine.volume(json!({"name": "settings", "configMap": {"name": "settings"}}));
    let machine = machine.volume(json!({"name": "answers", "sysprep": {"configMap": {"name": "answers"}}}));
    let machine = machine.volume(json!({"name": "block", "persistentVolumeClaim": {"claimName": "rich-block"}}));
    machine.bring_up(lab).await?;
    let uid = vm(lab, source, "rich").await?["metadata"]["uid"].take();
    let owner = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": "rich", "uid": uid});
    lab.patch("PersistentVolumeClaim", source, "rich-owned", json!({"metadata": {"ownerReferences": [owner]}})).await?;
    lab.write_marker(source, "rich-block", b"raw bytes").await?;
    // What was booted is frozen: the copy shall have it, too, whatever the instance type says now.
    lab.patch("VirtualMachineInstancetype", source, "small", json!({"metadata": {"labels": {"edited": "true"}}})).await?;
    Ok(machine)
}

/// 21, 22, 25, 46, 49, 57: all that a machine refers to is there, and the guest is the same guest.
pub async fn a_machine_takes_along_what_it_refers_to(lab: &Lab) -> Result<()> {
    for flags in ["", "--volumes move", "--strategy CdiClone"] {
        let (source, target) = lab.namespaces("rich").await?;
        let machine = rich(lab, &source).await?;
        let guest = lab.get("VirtualMachineInstance", &source, "rich").await?;
        let before = vm(lab, &source, "rich").await?;
        let tool = Tool::new(lab, &source);
        tool.done(&format!("run rich --to {target} {flags} --yes")).await.context(flags)?;
        machine.has_its_bytes(lab, &target).await?;
        ensure!(lab.read_marker(&target, "rich-block").await?.starts_with(b"raw bytes"), "the block disk has other bytes");
        let block = lab.get("PersistentVolumeClaim", &target, "rich-block").await?;
        ensure!(block["spec"]["volumeMode"] == "Block" && block["spec"]["accessModes"] == json!(["ReadWriteMany"]), "{}", block["spec"]);
        same_guest(&guest, &lab.get("VirtualMachineInstance", &target, "rich").await?)?;
        let now = vm(lab, &target, "rich").await?;
        ensure!(now["spec"]["template"]["spec"]["affinity"] == before["spec"]["template"]["spec"]["affinity"], "the affinity is another one");
        let owner = |name: &'static str| {
            let target = target.clone();
            async move {
                let claim = lab.get("PersistentVolumeClaim", &target, name).await?;
                anyhow::Ok(claim.pointer("/metadata/ownerReferences/0/uid").cloned())
            }
        };
        ensure!(owner("rich-owned").await?.as_ref() == Some(&now["metadata"]["uid"]), "the machine's own claim is not its own in the target");
        ensure!(owner("rich-data").await?.as_ref() != Some(&now["metadata"]["uid"]), "a claim of nobody is the machine's in the target");
        for (kind, name) in [
            ("Secret", "cloud-init"),
            ("ConfigMap", "settings"),
            ("ConfigMap", "answers"),
            ("Service", "rich"),
            ("VirtualMachineInstancetype", "small"),
            ("VirtualMachinePreference", "small"),
        ] {
            let copy = lab.get(kind, &target, name).await?;
            ensure!(copy["metadata"]["ownerReferences"].is_null(), "{kind} {name} has an owner in the target");
        }
        let headless = lab.get("Service", &target, "rich-headless").await?;
        ensure!(headless["spec"]["clusterIP"] == "None", "the headless Service has an address");
        let revision =
            now["spec"]["instancetype"]["revisionName"].as_str().or(now["status"]["instancetypeRef"]["controllerRevisionRef"]["name"].as_str());
        let revision = lab.get("ControllerRevision", &target, revision.context("no revision")?).await?;
        ensure!(revision["metadata"]["ownerReferences"][0]["uid"] == now["metadata"]["uid"], "the revision is not the machine's");
    }
    Ok(())
}

/// Firmware, serial number, addresses, processors and memory are what they were.
fn same_guest(was: &Value, is: &Value) -> Result<()> {
    for pointer in [
        "/spec/domain/firmware/uuid",
        "/spec/domain/firmware/serial",
        "/spec/domain/cpu",
        "/spec/domain/memory/guest",
        "/spec/domain/machine",
        "/spec/domain/devices/interfaces/0/macAddress",
        "/status/interfaces/0/mac",
    ] {
        ensure!(was.pointer(pointer) == is.pointer(pointer), "{pointer} was {:?} and is {:?}", was.pointer(pointer), is.pointer(pointer));
    }
    Ok(())
}

/// 46: a machine that never pinned its firmware or its address keeps those that its guest has seen.
pub async fn a_guest_keeps_what_nobody_pinned(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("unpinned").await?;
    let bare = json!({"spec": {"template": {"spec": {"domain": {"devices": {"interfaces": [{"name": "default", "masquerade": {}}]}}}}}});
    let machine = one(&source, "bare", json!({"runStrategy": "Always"})).with(bare);
    machine.bring_up(lab).await?;
    let guest = lab.get("VirtualMachineInstance", &source, "bare").await?;
    let tool = Tool::new(lab, &source);
    tool.done(&format!("run bare --to {target} --yes")).await?;
    let mut seen = guest.clone();
    seen["spec"]["domain"]["devices"]["interfaces"][0]["macAddress"] = guest["status"]["interfaces"][0]["mac"].clone();
    same_guest(&seen, &lab.get("VirtualMachineInstance", &target, "bare").await?)
}

/// 56, 77, 78: what is in the way is named, nothing is overwritten, and no Secret is quoted.
pub async fn what_is_in_the_way_is_refused(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("in-the-way").await?;
    let secret = |namespace: &str, word: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": namespace}, "stringData": {"password": word}});
    lab.create(&[secret(&source, "sesame-source"), secret(&target, "sesame-target")]).await?;
    let machine = one(&source, "db-1", json!({"runStrategy": "Always"})).volume(json!({"name": "login", "secret": {"secretName": "login"}}));
    machine.bring_up(lab).await?;
    let before = machine.picture(lab).await?;
    let tool = Tool::new(lab, &source);
    let refused = tool.run(&format!("run db-1 --to {target} --yes")).await?;
    refused.ends_with(4)?;
    refused.says("secret/login")?;
    ensure!(!format!("{}{}", refused.out, refused.err).contains("sesame"), "a Secret is quoted\n{}{}", refused.out, refused.err);
    ensure!(!format!("{}{}", refused.out, refused.err).contains("c2VzYW1l"), "a Secret is quoted\n{}{}", refused.out, refused.err);

    // The same content is used, and is not the move's: neither marked, nor removed with it.
    lab.patch("Secret", &target, "login", json!({"stringData": {"password": "sesame-source"}})).await?;
    let theirs = lab.get("Secret", &target, "login").await?;
    let used = tool.done(&format!("run db-1 --to {target} --yes")).await?;
    used.says("an identical one was there")?;
    machine.has_its_bytes(lab, &target).await?;
    ensure!(lab.get("Secret", &target, "login").await? == theirs, "the target's own Secret was changed");
    tool.done(&format!("rollback {} --yes --discard-target-writes", used.move_name()?)).await?;
    machine.is_back(lab, &target, &before).await?;
    machine.wait_status(lab, "Running").await?;
    ensure!(lab.get("Secret", &target, "login").await? == theirs, "the target's own Secret was changed by going back");

    lab.create(&[one(&target, "db-1", json!({"runStrategy": "Halted"})).vm()]).await?;
    let refused = tool.run(&format!("run db-1 --to {target} --yes")).await?;
    refused.ends_with(4)?;
    refused.says("db-1")?;

    let refused = tool.run(&format!("run db-1 --to {target}-absent --yes")).await?;
    refused.ends_with(4)?;
    refused.says("--create-namespace")?;
    let (ending, _) = lab.namespaces("ending").await?;
    lab.create(&[json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stays", "namespace": ending, "finalizers": ["lab/stays"]}})])
        .await?;
    lab.delete("Namespace", "", &ending).await?;
    lab.wait_field(("Namespace", "", &ending), "/status/phase", "Terminating").await?;
    let refused = tool.run(&format!("run db-1 --to {ending} --create-namespace --yes")).await?;
    refused.ends_with(4)?;
    ensure!(machine.picture(lab).await? == before, "something was touched");
    lab.patch("ConfigMap", &ending, "stays", json!({"metadata": {"finalizers": null}})).await?;

    let made = format!("{target}-absent");
    let name = tool.done(&format!("run db-1 --to {made} --create-namespace --yes")).await?.move_name()?;
    machine.has_its_bytes(lab, &made).await?;
    tool.done(&format!("rollback {name} --yes --discard-target-writes")).await?;
    machine.is_back(lab, &made, &before).await?;
    Ok(())
}
