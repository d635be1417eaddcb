//! Guests that do not stop when they are asked to.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::machines::{Machine, one, vm};
use crate::scene::each;
use crate::tool::{Answer, Tool};

/// A running machine whose guest takes five minutes to shut down.
fn stubborn(namespace: &str) -> Machine {
    one(namespace, "db-1", json!({"runStrategy": "Always"})).annotation("lab/stop-after", "300s")
}

/// Lets the guest end now.
pub async fn shut_down(lab: &Lab, namespace: &str, name: &str) -> Result<()> {
    lab.patch("VirtualMachineInstance", namespace, name, json!({"metadata": {"annotations": {"lab/stop-after": "100ms"}}})).await
}

/// A guest that takes too long is left alone: the text says what can be typed, and each of that works.
pub async fn a_guest_that_takes_too_long_is_left_alone(lab: &Lab) -> Result<()> {
    each(["resume", "rollback"], async |next| {
        let (source, target) = lab.namespaces("stubborn").await?;
        let machine = stubborn(&source);
        machine.bring_up(lab).await?;
        let before = machine.picture(lab).await?;
        let tool = Tool::new(lab, &source);
        let answer = tool.run(&format!("run db-1 --to {target} --shutdown-timeout 2s --yes")).await?;
        answer.ends_with(7)?;
        answer.says("the guest of db-1 did not shut down within 2s (E006)")?;
        answer.says("--force-stop")?;
        let name = answer.move_name()?;
        for verb in ["status", "resume", "rollback"] {
            answer.says(&format!("kubectl vmmove {verb} {name} -n {source}"))?;
        }
        let guest = lab.get("VirtualMachineInstance", &source, "db-1").await?;
        ensure!(guest["status"]["phase"] == "Running" && grace(&guest) == Some(30), "the guest was hurried: {guest:#}");
        ensure!(lab.list("PersistentVolumeClaim", &target).await?.is_empty(), "something was copied from under the guest");
        shut_down(lab, &source, "db-1").await?;
        tool.done(&format!("{next} {name} --yes")).await?;
        if next == "rollback" {
            machine.is_back(lab, &target, &before).await?;
            machine.wait_status(lab, "Running").await?;
        } else {
            machine.has_its_bytes(lab, &target).await?;
        }
        Ok(())
    })
    .await
}

fn grace(guest: &Value) -> Option<i64> {
    guest["spec"]["terminationGracePeriodSeconds"].as_i64()
}

/// With `--force-stop` its power is cut, once the time it was given has passed.
pub async fn its_power_is_cut_when_that_was_asked_for(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("cut").await?;
    let machine = stubborn(&source);
    machine.bring_up(lab).await?;
    // Left to itself the guest would take far longer than the time limit.
    let flags = "--shutdown-timeout 3s --force-stop --accept-unclean --timeout 2m";
    let run = Tool::new(lab, &source).done(&format!("run db-1 --to {target} {flags} --yes")).await?;
    run.says("1 moved, 0 failed, 0 skipped")?;
    machine.has_its_bytes(lab, &target).await?;
    let there = lab.get("VirtualMachineInstance", &target, "db-1").await?;
    ensure!(grace(&there) == Some(30), "the target's guest has another grace period");
    Ok(())
}

/// Nobody knows whether a guest on a silent node still writes: it is not touched.
pub async fn a_guest_on_a_silent_node_is_not_touched(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("silent").await?;
    let node = format!("{source}-node");
    let machine = one(&source, "db-1", json!({"runStrategy": "Always"})).with(lab.lonely_node(&node).await?);
    machine.bring_up(lab).await?;
    lab.silence(&node).await?;
    let before = machine.picture(lab).await?;
    let refused = Tool::new(lab, &source).run(&format!("run db-1 --to {target} --yes")).await?;
    refused.ends_with(4)?;
    refused.says("H001")?;
    refused.says(&format!("its node {node} does not answer (NotReady)"))?;
    ensure!(machine.picture(lab).await? == before, "something was touched");
    lab.delete("Node", "", &node).await
}

/// A node that falls silent while its guest shuts down: the disks are left alone, whatever else was agreed to, until it answers again.
pub async fn a_guest_whose_node_falls_silent_is_left_alone(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("falls-silent").await?;
    let node = format!("{source}-node");
    let machine = stubborn(&source).with(lab.lonely_node(&node).await?);
    machine.bring_up(lab).await?;
    let tool = Tool::new(lab, &source);
    let flags = "--shutdown-timeout 90s --force-stop --accept-unclean --timeout 3m";
    let child = tool.start(&format!("run db-1 --to {target} {flags} --yes"))?;
    lab.wait("the source is fenced", async || Ok(vm(lab, &source, "db-1").await?["metadata"]["annotations"]["vmmove.io/fence"].is_string())).await?;
    lab.silence(&node).await?;
    let answer = Answer::of("run", child).await?;
    answer.ends_with(7)?;
    answer.says("E007")?;
    answer.says(&format!("{node} does not answer"))?;
    let guest = lab.get("VirtualMachineInstance", &source, "db-1").await?;
    ensure!(grace(&guest) == Some(30), "its power was cut where nobody can see what became of it");
    ensure!(lab.list("PersistentVolumeClaim", &target).await?.is_empty(), "something was copied from under the guest");
    lab.wake(&node).await?;
    shut_down(lab, &source, "db-1").await?;
    tool.done(&format!("resume {} --yes", answer.move_name()?)).await?;
    machine.has_its_bytes(lab, &target).await?;
    lab.delete("Node", "", &node).await
}
