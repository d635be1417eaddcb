//! Moves while parts of the cluster are down or out of order: they wait and end well, or say at once why not.
#![allow(clippy::disallowed_methods, reason = "real parts of a real cluster are away for real time")]

use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::process::Child;

use crate::lab::{DRIVER, Lab};
use crate::machines::Machine;
use crate::tool::{Answer, Tool};

/// As long as something is kept away. Reconnecting, backing off and waiting show within it.
const AWAY: Duration = Duration::from_secs(8);

/// As long as nobody binds claims: longer than a wait goes without looking again.
const UNMANAGED: Duration = Duration::from_secs(30);

/// A running machine of two disks and a move of it under way: its source is fenced.
async fn under_way(lab: &Lab, prefix: &str, flags: &str) -> Result<(Machine, String, Child, Tool)> {
    let (source, target) = lab.namespaces(prefix).await?;
    let machine = Machine::new(&source, "db-1").template("db-1-root", "fast").claim("db-1-data", "fast").annotation("lab/stop-after", "2s");
    machine.bring_up(lab).await?;
    let tool = Tool::new(lab, &source);
    let child = tool.start(&format!("run db-1 --to {target} {flags} --yes"))?;
    lab.wait("the source is fenced", async || {
        let vm = lab.get("VirtualMachine", &source, "db-1").await?;
        Ok(vm["metadata"]["annotations"]["vmmove.io/fence"].is_string())
    })
    .await?;
    Ok((machine, target, child, tool))
}

async fn ends(child: Child, code: i32) -> Result<Answer> {
    let answer = Answer::of("run", child).await?;
    answer.ends_with(code).map(|()| answer)
}

async fn arrived(lab: &Lab, machine: &Machine, target: &str) -> Result<()> {
    machine.has_its_bytes(lab, target).await?;
    machine.has_its_bytes(lab, &machine.namespace).await?;
    lab.wait_field(("VirtualMachine", target, &machine.name), "/status/printableStatus", "Running").await
}

/// 15. The API server is restarted in the middle.
pub async fn the_api_server_restarts(lab: &Lab) -> Result<()> {
    let (machine, target, child, _) = under_way(lab, "restart", "").await?;
    lab.component("kube-apiserver")?.restart().await?;
    ends(child, 0).await?;
    arrived(lab, &machine, &target).await
}

/// 15. Nobody binds claims for a while.
pub async fn the_controller_manager_is_away(lab: &Lab) -> Result<()> {
    let (machine, target, child, _) = under_way(lab, "unmanaged", "").await?;
    let manager = lab.component("kube-controller-manager")?;
    manager.stop();
    tokio::time::sleep(UNMANAGED).await;
    manager.start().await?;
    ends(child, 0).await?;
    arrived(lab, &machine, &target).await
}

/// 15. Webhooks that do not answer fail writes for a while.
pub async fn the_webhooks_are_down(lab: &Lab) -> Result<()> {
    let moves =
        try_join_all(["", "--strategy CdiClone"].map(async |flags| Ok::<_, Error>((flags, under_way(lab, "webhooks", flags).await?)))).await?;
    for name in ["virt-api", "cdi-apiserver"] {
        lab.component(name)?.stop();
    }
    tokio::time::sleep(AWAY).await;
    lab.restore().await?;
    try_join_all(moves.into_iter().map(async |(flags, (machine, target, child, _))| {
        // What KWOK could not write about a guest meanwhile, as a virt-handler would again and again, it writes when the guest changes.
        for namespace in [&machine.namespace, &target] {
            // It may have gone by now, or not be there yet.
            drop(lab.patch("VirtualMachineInstance", namespace, "db-1", json!({"metadata": {"annotations": {"lab/again": "true"}}})).await);
        }
        ends(child, 0).await.context(flags)?;
        arrived(lab, &machine, &target).await
    }))
    .await
    .map(drop)
}

/// 15. The storage driver is out of order, says so, and heals.
pub async fn the_driver_heals(lab: &Lab) -> Result<()> {
    for flags in ["", "--strategy CdiClone"] {
        let (source, target) = lab.namespaces("heals").await?;
        let machine = Machine::new(&source, "db-1").template("db-1-root", "fast").claim("db-1-data", "fast");
        machine.bring_up(lab).await?;
        lab.fail(DRIVER, "CreateVolume", "3 Unavailable out of order")?;
        let answer = Tool::new(lab, &source).run(&format!("run db-1 --to {target} {flags} --yes")).await?;
        answer.ends_with(0).context(flags)?;
        arrived(lab, &machine, &target).await?;
        lab.heal(DRIVER)?;
    }
    Ok(())
}

/// 15. A driver that will never clone is believed at once, and the machine can go back.
pub async fn a_refused_clone_is_told_at_once(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("refused").await?;
    let machine = Machine::new(&source, "db-1").claim("db-1-data", "fast");
    machine.bring_up(lab).await?;
    let before = machine.picture(lab).await?;
    lab.fail(DRIVER, "CreateVolume", "InvalidArgument this driver does not clone")?;
    let tool = Tool::new(lab, &source);
    let begin = Instant::now();
    let answer = tool.run(&format!("run db-1 --to {target} --strategy CloneRebind --yes")).await?;
    answer.ends_with(7)?;
    answer.says("this driver does not clone")?;
    answer.says("CdiClone")?;
    ensure!(begin.elapsed() < Duration::from_secs(60), "it took {:?} to say so", begin.elapsed());
    lab.heal(DRIVER)?;
    tool.done(&format!("rollback {} --yes", answer.move_name()?)).await?;
    machine.is_back(lab, &target, &before).await?;
    machine.wait_status(lab, "Running").await
}

/// With the resync of production a volume still changes hands at once: the touch wakes the controller that binds.
pub async fn a_slow_resync_is_not_waited_for(lab: &Lab) -> Result<()> {
    let manager = lab.component("kube-controller-manager")?;
    manager.set_flag("--pvclaimbinder-sync-period", "15s");
    manager.restart().await?;
    let measured = swap_of_one(lab).await;
    manager.set_flag("--pvclaimbinder-sync-period", "1s");
    manager.restart().await?;
    let there_and_back = measured?;
    ensure!(there_and_back.iter().all(|seconds| *seconds < 4.0), "the swap took {there_and_back:?} s");
    Ok(())
}

/// How long the volume of a stopped machine's disk takes to change hands, and to come back, in seconds.
async fn swap_of_one(lab: &Lab) -> Result<[f64; 2]> {
    let (source, target) = lab.namespaces("resync").await?;
    let machine = Machine::new(&source, "db-1").claim("db-1-data", "fast");
    machine.bring_up(lab).await?;
    let before = machine.picture(lab).await?;
    let tool = Tool::new(lab, &source);
    let run = tool.done(&format!("run db-1 --to {target} --volumes move --yes -o json")).await?;
    let events: Vec<Value> = run.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let swap = events.iter().filter(|event| event["event"] == "stepDone" && event["phase"] == "clone");
    let there: f64 = swap.filter_map(|event| event["tookSeconds"].as_f64()).sum();
    let name = events.iter().find(|event| event["event"] == "moveStarted").and_then(|event| event["name"].as_str()).context("no move has started")?;
    let begin = Instant::now();
    tool.done(&format!("rollback {name} --yes")).await?;
    let back = begin.elapsed().as_secs_f64();
    machine.is_back(lab, &target, &before).await?;
    // Rolling back also stops a guest and the tool looks first: what a resync would add is far more.
    Ok([there, back - 6.0])
}
