//! Moves that somebody takes in hand from elsewhere: paused, called back, written down in a file, or undone without the tool.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

use crate::crashes::rolled_back;
use crate::lab::Lab;
use crate::lab::proxy::{Fault, Request, When};
use crate::moves::arrived;
use crate::scene::{Scene, each};
use crate::stopping::shut_down;
use crate::tool::{Answer, Tool};

/// A move that waits for a guest which takes its time, and its name.
async fn waiting(lab: &Lab, scene: &Scene, flags: &str) -> Result<(Child, String)> {
    let child = Tool::new(lab, &scene.source).start(&scene.run(flags))?;
    lab.wait("the machine being fenced", async || {
        let vm = lab.get("VirtualMachine", &scene.source, "db-1").await?;
        Ok(vm["metadata"]["annotations"]["vmmove.io/fence"].is_string())
    })
    .await?;
    let name = scene.name(lab).await?;
    Ok((child, name))
}

async fn slow(lab: &Lab) -> Result<Scene> {
    Scene::of(lab, |machine| machine.annotation("lab/stop-after", "300s")).await
}

/// `pause` from another terminal: the one that carries the move stops at a safe point, and `resume` goes on from there.
pub async fn a_move_is_paused_and_gone_on_with(lab: &Lab) -> Result<()> {
    let scene = slow(lab).await?;
    let (child, name) = waiting(lab, &scene, "").await?;
    let tool = Tool::new(lab, &scene.source);
    tool.done(&format!("pause {name}")).await?;
    let paused = Answer::of("run", child).await?;
    paused.ends_with(7)?;
    paused.says(&format!("kubectl vmmove resume {name} -n {}", scene.source))?;
    ensure!(lab.list("PersistentVolumeClaim", &scene.target).await?.is_empty(), "something was made after the pause");
    shut_down(lab, &scene.source, "db-1").await?;
    tool.done(&format!("resume {name} --yes")).await?;
    arrived(lab, &scene.machine, &scene.target).await
}

/// `rollback` of a move that is being carried: its carrier is asked to stop first, and nobody acts beside another.
pub async fn a_move_is_called_back_from_who_carries_it(lab: &Lab) -> Result<()> {
    let scene = slow(lab).await?;
    let (child, name) = waiting(lab, &scene, "").await?;
    let rollback = Tool::new(lab, &scene.source).start(&format!("rollback {name} --yes"))?;
    Answer::of("run", child).await?.ends_with(7)?;
    // Its power comes back when the guest that was told to stop has stopped.
    shut_down(lab, &scene.source, "db-1").await?;
    Answer::of("rollback", rollback).await?.ends_with(0)?;
    scene.is_untouched(lab).await?;
    scene.machine.wait_status(lab, "Running").await
}

/// A ledger in a file: the move that died is gone on with, or back, from that file; nothing of a ledger is in the cluster.
pub async fn a_move_is_written_down_in_a_file(lab: &Lab) -> Result<()> {
    each(["resume", "rollback"], async |next| {
        let scene = Scene::new(lab).await?;
        let file = lab.scratch().join(format!("{}.ledger", scene.source));
        let ledger = format!("--ledger file:{}", file.display());
        let proxy = lab.proxy().await?;
        // It cannot go on from here, and does not write that down in the cluster either.
        proxy.spoil(When::Every, scene.kind("POST target virtualmachines"), Fault::CutBefore);
        let cut = scene.tool(lab, &proxy).run(&scene.run(&format!("{ledger} --timeout 20s"))).await?;
        cut.ends_with(7)?;
        let name = cut.move_name()?;
        let written = lab.list("ConfigMap", &scene.source).await?;
        ensure!(written.iter().all(|map| map["metadata"]["labels"]["vmmove.io/ledger"].is_null()), "a ledger is in the cluster");
        let text = std::fs::read_to_string(&file)?;
        ensure!(text.contains(&name), "the file is not the ledger of {name}");
        // The Secret's password, as it is and as it travels.
        ensure!(!text.contains("correct horse") && !text.contains("Y29ycmVjdCBob3"), "the file holds what it must not");
        let tool = Tool::new(lab, &scene.source);
        tool.done(&format!("{next} {name} {ledger} --yes")).await?;
        if next == "resume" {
            return arrived(lab, &scene.machine, &scene.target).await;
        }
        scene.is_untouched(lab).await?;
        scene.machine.wait_status(lab, "Running").await
    })
    .await
}

/// The commands in the ledger bring the source back without the tool.
pub async fn a_source_is_restored_by_hand(lab: &Lab) -> Result<()> {
    each(["", "--volumes move", "--strategy CdiClone"], async |flags| {
        let scene = Scene::new(lab).await?;
        Tool::new(lab, &scene.source).done(&scene.run(flags)).await?;
        let maps = lab.list("ConfigMap", &scene.source).await?;
        let commands = maps.iter().find_map(|map| map["data"]["restore"].as_str()).context("no ledger says how")?;
        let path = format!("{}:/usr/bin:/bin", lab.kubectl().parent().context("kubectl lies nowhere")?.display());
        let mut shell = Command::new("sh");
        shell.args(["-ec", commands]).env("PATH", path).env("KUBECONFIG", lab.kubeconfig()).env("HOME", lab.scratch());
        let output = shell.output().await?;
        ensure!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
        scene.machine.wait_status(lab, "Running").await?;
        ensure!(
            lab.find("VirtualMachineInstance", &scene.target, "db-1").await?.is_none_or(|guest| guest["status"]["phase"] != "Running"),
            "both run"
        );
        scene.machine.has_its_bytes(lab, &scene.source).await
    })
    .await
}

/// Answers that take their time: each request is waited for, none is sent twice, and the move ends as always.
pub async fn a_slow_server_is_borne(lab: &Lab) -> Result<()> {
    let scene = Scene::new(lab).await?;
    let proxy = lab.proxy().await?;
    let slow = |request: &Request| request.writes() && !request.path.contains("/leases");
    proxy.spoil(When::Every, slow, Fault::Delay(Duration::from_millis(300)));
    scene.tool(lab, &proxy).done(&scene.run("")).await?;
    arrived(lab, &scene.machine, &scene.target).await?;
    let made = proxy.writes();
    let machines = made.iter().filter(|request| scene.kind("POST target virtualmachines")(request)).count();
    ensure!(machines == 1, "the target's machine was asked for {machines} times");
    rolled_back(&Tool::new(lab, &scene.source), &scene.name(lab).await?).await?;
    scene.is_untouched(lab).await
}
