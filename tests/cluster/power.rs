//! How virtual machines are powered: in the target as they were, by going back as they were, and under the fence not at all.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::machines::{Machine, one, vm};
use crate::references::rich;
use crate::tool::Tool;

/// `virtctl start` or `stop`.
pub async fn ask(lab: &Lab, namespace: &str, name: &str, what: &str) -> Result<()> {
    let path = format!("/apis/subresources.kubevirt.io/v1/namespaces/{namespace}/virtualmachines/{name}/{what}");
    let request = Request::builder().method(Method::PUT).uri(path).header("Content-Type", "application/json").body(b"{}".to_vec())?;
    lab.client().request_text(request).await.with_context(|| format!("{what} of {name}"))?;
    Ok(())
}

async fn runs(lab: &Lab, namespace: &str, name: &str) -> Result<bool> {
    let instance = lab.find("VirtualMachineInstance", namespace, name).await?;
    Ok(instance.is_some_and(|instance| instance["status"]["phase"] == "Running"))
}

/// The guest of a running machine powers itself off.
async fn power_off(lab: &Lab, namespace: &str, name: &str) -> Result<()> {
    let mark = json!({"metadata": {"annotations": {"lab/guest": "poweroff"}}});
    lab.patch("VirtualMachineInstance", namespace, name, mark.clone()).await?;
    for pod in lab.list("Pod", namespace).await? {
        if pod["metadata"]["annotations"]["kubevirt.io/domain"] == name {
            lab.patch("Pod", namespace, pod["metadata"]["name"].as_str().unwrap_or_default(), mark.clone()).await?;
        }
    }
    lab.wait_field(("VirtualMachineInstance", namespace, name), "/status/phase", "Succeeded").await
}

/// How a machine was powered, and what it must be in the target.
struct Powered {
    machine: Machine,
    field: &'static str,
    before: Value,
    after: Value,
    runs: bool,
}

/// One machine of every way to be powered, up and in that state.
async fn every_power(lab: &Lab, source: &str) -> Result<Vec<Powered>> {
    let strategy = |name: &str| json!({"runStrategy": name});
    let row = |name: &str, made: Value, field: &'static str, after: Value, runs: bool| {
        let before = made[field].clone();
        Powered { machine: one(source, name, made), field, before, after, runs }
    };
    let all = vec![
        row("true-up", json!({"running": true}), "running", true.into(), true),
        row("false-down", json!({"running": false}), "running", false.into(), false),
        row("halted", strategy("Halted"), "runStrategy", "Halted".into(), false),
        row("manual-up", strategy("Manual"), "runStrategy", "Manual".into(), true),
        row("manual-off", strategy("Manual"), "runStrategy", "Manual".into(), false),
        row("once-up", strategy("Once"), "runStrategy", "Once".into(), true),
        row("once-done", strategy("Once"), "runStrategy", "Halted".into(), false),
        row("rerun-up", strategy("RerunOnFailure"), "runStrategy", "RerunOnFailure".into(), true),
        row("rerun-off", strategy("RerunOnFailure"), "runStrategy", "Halted".into(), false),
    ];
    try_join_all(all.iter().map(|each| async move {
        each.machine.bring_up(lab).await?;
        let name = &each.machine.name;
        if name.starts_with("manual") {
            ask(lab, source, name, "start").await?;
            each.machine.wait_status(lab, "Running").await?;
        }
        if ["manual-off", "once-done", "rerun-off"].contains(&name.as_str()) {
            power_off(lab, source, name).await?;
            each.machine.wait_status(lab, "Stopped").await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(all)
}

/// 2, 3, 5, 6, 7, 8 of the scenarios: each machine is powered in the target as it was, and one that was over does not run again.
pub async fn machines_keep_their_power(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("power").await?;
    let all = every_power(lab, &source).await?;
    let tool = Tool::new(lab, &source);
    let run = tool.done(&format!("run --all --to {target} --volumes move --parallel 9 --yes")).await?;
    run.says(&format!("{} moved, 0 failed, 0 skipped", all.len()))?;
    for each in &all {
        let name = &each.machine.name;
        let spec = vm(lab, &target, name).await?["spec"].take();
        ensure!(spec[each.field] == each.after, "{name} has {} {} in the target", each.field, spec[each.field]);
        ensure!(["running", "runStrategy"].iter().filter(|field| !spec[**field].is_null()).count() == 1, "{name} has both fields, or none");
        ensure!(runs(lab, &target, name).await? == each.runs, "{name} {} in the target", if each.runs { "does not run" } else { "runs" });
        ensure!(!runs(lab, &source, name).await?, "{name} runs in the source");
        each.machine.has_its_bytes(lab, &target).await?;
    }
    Ok(())
}

/// Lifting the fence gives each machine its power back, and starts none that was over.
pub async fn machines_get_their_power_back(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("power-back").await?;
    let all = every_power(lab, &source).await?;
    let before = try_join_all(all.iter().map(|each| each.machine.picture(lab))).await?;
    let tool = Tool::new(lab, &source);
    let name = tool.begins(&format!("--all --to {target} --parallel 9")).await?;
    tool.done(&format!("rollback {name} --yes")).await?;
    for (each, before) in all.iter().zip(&before) {
        each.machine.is_back(lab, &target, before).await?;
        let name = &each.machine.name;
        let spec = vm(lab, &source, name).await?["spec"].take();
        ensure!(spec[each.field] == each.before, "{name} has {} {} again", each.field, spec[each.field]);
        if each.runs {
            each.machine.wait_status(lab, "Running").await.with_context(|| name.clone())?;
        }
    }
    for each in all.iter().filter(|each| !each.runs) {
        ensure!(!runs(lab, &source, &each.machine.name).await?, "{} was started by going back", each.machine.name);
    }
    Ok(())
}

/// The fence: whoever starts the source gets no guest, whatever its shape; lifting it leaves the machine as it was.
pub async fn a_fenced_machine_gets_no_guest(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("fence").await?;
    let rich = rich(lab, &source).await?;
    let plain = one(&source, "plain", json!({"runStrategy": "Always"}));
    let manual = one(&source, "manual", json!({"runStrategy": "Manual"}));
    let machines = [&rich, &plain, &manual];
    try_join_all([plain.bring_up(lab), manual.bring_up(lab)]).await?;
    ask(lab, &source, "manual", "start").await?;
    manual.wait_status(lab, "Running").await?;
    let before = try_join_all(machines.iter().map(|machine| machine.picture(lab))).await?;
    let tool = Tool::new(lab, &source);
    let name = tool.begins(&format!("rich plain manual --to {target}")).await?;
    for machine in machines {
        ask(lab, &source, &machine.name, "start").await?;
    }
    for machine in machines {
        machine.wait_status(lab, "ErrorUnschedulable").await.with_context(|| machine.name.clone())?;
    }
    for pod in lab.list("Pod", &source).await? {
        let launches = pod["metadata"]["labels"]["kubevirt.io"] == "virt-launcher" && pod["metadata"]["deletionTimestamp"].is_null();
        ensure!(!launches || pod["spec"]["nodeName"].is_null(), "pod {} has a node", pod["metadata"]["name"]);
    }
    tool.done(&format!("rollback {name} --yes")).await?;
    for (machine, before) in machines.iter().zip(&before) {
        machine.is_back(lab, &target, before).await?;
        machine.wait_status(lab, "Running").await?;
        machine.has_its_bytes(lab, &source).await?;
    }
    Ok(())
}
