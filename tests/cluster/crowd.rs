//! Many machines at once, and verification that is not fooled.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use http::Method;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::machines::Machine;
use crate::tool::Tool;

/// 11. Twenty machines go together; what five of them share is copied once; two that share a disk are refused and hinder nobody.
pub async fn twenty_machines_move_at_once(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("crowd").await?;
    lab.create(&[json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared", "namespace": source}, "data": {"key": "value"}})])
        .await?;
    let machines: Vec<Machine> = ('a'..='t')
        .enumerate()
        .map(|(number, letter)| {
            let machine = Machine::new(&source, &format!("vm-{letter}")).template(&format!("disk-{letter}"), "fast");
            if number < 5 { machine.volume(json!({"name": "shared", "configMap": {"name": "shared"}})) } else { machine }
        })
        .collect();
    let halted = json!({"runStrategy": "Halted"});
    let first = Machine::new(&source, "pair-x").claim("both", "fast").strategy(halted.clone());
    let second = Machine::new(&source, "pair-y").strategy(halted).volume(json!({"name": "both", "persistentVolumeClaim": {"claimName": "both"}}));
    try_join_all(machines.iter().chain([&first]).map(|machine| machine.bring_up(lab))).await?;
    lab.create(&[second.vm()]).await?;

    let proxy = lab.proxy().await?;
    let tool = Tool::with(lab, proxy.kubeconfig(), &source);
    for (names, code) in [("pair-x", "S006"), ("pair-x pair-y", "S007")] {
        let refused = tool.run(&format!("plan {names} --to {target}")).await?;
        refused.ends_with(4)?;
        refused.says(code)?;
    }
    proxy.forget();
    let run = tool.done(&format!("run vm-* --to {target} --parallel 20 --yes")).await?;
    run.says("20 moved, 0 failed, 0 skipped")?;
    let path = format!("/api/v1/namespaces/{target}/configmaps");
    let copies = proxy.writes().iter().filter(|request| request.method == Method::POST && request.path == path).count();
    ensure!(copies == 1, "the shared ConfigMap was copied {copies} times");
    for machine in &machines {
        machine.has_its_bytes(lab, &target).await?;
        machine_runs(lab, &target, &machine.name).await?;
    }
    let name = run.move_name()?;
    tool.done(&format!("cleanup {name} --yes")).await?;
    for machine in &machines {
        ensure!(lab.find("VirtualMachine", &source, &machine.name).await?.is_none(), "{} is left in the source", machine.name);
    }
    for namespace in [&source, &target] {
        lab.get("ConfigMap", namespace, "shared").await?;
    }
    lab.get("VirtualMachine", &source, "pair-x").await?;
    lab.get("PersistentVolumeClaim", &source, "both").await.map(drop)
}

async fn machine_runs(lab: &Lab, namespace: &str, name: &str) -> Result<()> {
    lab.wait_field(("VirtualMachine", namespace, name), "/status/printableStatus", "Running").await
}

/// 12. Disks of a class that binds on first use are cloned by CDI and bound at once, of a running machine and of a stopped one.
pub async fn disks_that_bind_on_first_use_are_cloned_at_once(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("first-use").await?;
    let machines =
        ["up", "down"].map(|name| Machine::new(&source, name).template(&format!("{name}-root"), "wait").claim(&format!("{name}-data"), "wait"));
    try_join_all(machines.iter().map(|machine| machine.bring_up(lab))).await?;
    lab.patch("VirtualMachine", &source, "down", json!({"spec": {"runStrategy": "Halted"}})).await?;
    machines[1].wait_status(lab, "Stopped").await?;
    lab.wait_gone("VirtualMachineInstance", &source, "down").await?;
    let tool = Tool::new(lab, &source);
    let plan = tool.done(&format!("plan up down --to {target}")).await?;
    plan.says("CdiClone")?;
    plan.says("binds on first use")?;
    ensure!(!plan.out.lines().any(|line| line.contains("CloneRebind ")), "a clone beside the source is planned\n{}", plan.out);
    tool.done(&format!("run up down --to {target} --yes")).await?;
    for machine in &machines {
        machine.has_its_bytes(lab, &target).await?;
        machine.has_its_bytes(lab, &source).await?;
    }
    machine_runs(lab, &target, "up").await?;
    ensure!(lab.find("VirtualMachineInstance", &target, "down").await?.is_none(), "the stopped machine runs");
    Ok(())
}

/// 14. What is wrong in the target alone is seen, and can be taken back.
pub async fn verify_is_not_fooled(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("fooled").await?;
    let mac = Machine::new(&source, "wrong-mac").template("mac-root", "fast");
    let agent = Machine::new(&source, "no-agent").template("agent-root", "fast");
    let failed = Machine::new(&source, "failed").template("failed-root", "fast").strategy(json!({"runStrategy": "Once"}));
    let machines = [&mac, &agent, &failed];
    try_join_all(machines.iter().map(|machine| machine.bring_up(lab))).await?;
    let before = try_join_all(machines.iter().map(|machine| machine.picture(lab))).await?;
    let tool = Tool::new(lab, &source);
    let name = tool.begins(&format!("wrong-mac no-agent failed --to {target}")).await?;
    for phase in ["clone", "copy", "recreate"] {
        tool.done(&format!("{phase} {name} --yes")).await?;
    }
    let spoil = |annotations: Value| json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
    lab.patch("VirtualMachine", &target, "wrong-mac", spoil(json!({"lab/wrong-mac": "true"}))).await?;
    lab.patch("VirtualMachine", &target, "no-agent", spoil(json!({"lab/no-agent": "true"}))).await?;
    tool.done(&format!("start {name} --yes")).await?;
    fail(lab, &target, "failed").await?;

    for (vm, says, limit) in [
        ("wrong-mac", "has MAC address 02:00:00:00:00:99", ""),
        ("failed", "its guest has ended (Failed)", ""),
        ("no-agent", "agent", "--timeout 5s"),
    ] {
        let answer = tool.run(&format!("verify {name} --vm {vm} --yes {limit}")).await?;
        answer.ends_with(7)?;
        answer.says(says)?;
        if limit.is_empty() {
            answer.says("E008")?;
        }
    }
    let refused = tool.run(&format!("cleanup {name} --yes")).await?;
    ensure!(refused.code != 0, "what was not verified is cleaned up\n{}{}", refused.out, refused.err);
    tool.done(&format!("rollback {name} --yes --discard-target-writes")).await?;
    for (machine, before) in machines.iter().zip(&before) {
        machine.is_back(lab, &target, before).await.with_context(|| machine.name.clone())?;
        machine.has_its_bytes(lab, &source).await?;
    }
    Ok(())
}

/// Ends a guest badly: its launcher is gone before it is over.
async fn fail(lab: &Lab, namespace: &str, name: &str) -> Result<()> {
    for pod in lab.list("Pod", namespace).await? {
        if pod["metadata"]["annotations"]["kubevirt.io/domain"] == name {
            lab.delete("Pod", namespace, pod["metadata"]["name"].as_str().unwrap_or_default()).await?;
        }
    }
    lab.wait_field(("VirtualMachineInstance", namespace, name), "/status/phase", "Failed").await
}
