//! Whole moves by the built binary: each strategy there, back at every phase, and cleaned up.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::lab::Lab;
use crate::machines::Machine;
use crate::scene::each;
use crate::tool::Tool;

/// A running machine with a disk from a template and a plain claim.
pub fn database(namespace: &str) -> Machine {
    Machine::new(namespace, "db-1").filled("db-1-root", "fast").claim("db-1-data", "fast")
}

/// Everything that must hold after a move, whatever the strategy.
pub async fn arrived(lab: &Lab, machine: &Machine, target: &str) -> Result<()> {
    machine.has_its_bytes(lab, target).await?;
    // The machine's status follows that of its guest, which has been verified.
    lab.wait_field(("VirtualMachine", target, &machine.name), "/status/printableStatus", "Running").await?;
    let vm = lab.get("VirtualMachine", target, &machine.name).await?;
    ensure!(vm["spec"]["runStrategy"] == "Always", "the target's run strategy is {}", vm["spec"]["runStrategy"]);
    let root = lab.get("DataVolume", target, "db-1-root").await?;
    ensure!(root["metadata"]["ownerReferences"][0]["uid"] == vm["metadata"]["uid"], "the target's DataVolume is not the machine's");
    let data = lab.get("PersistentVolumeClaim", target, "db-1-data").await?;
    ensure!(data["metadata"]["ownerReferences"].is_null(), "the plain claim has got an owner");
    ensure!(lab.find("VirtualMachineInstance", &machine.namespace, &machine.name).await?.is_none(), "the source runs");
    Ok(())
}

/// 1. CloneRebind: the source keeps its disks, the target has copies with the bytes.
pub async fn a_machine_moves_by_clone(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("clone-rebind").await?;
    let machine = database(&source);
    machine.bring_up(lab).await?;
    let before = machine.handles(lab, &source).await?;
    let tool = Tool::new(lab, &source);
    let plan = tool.done(&format!("plan db-1 --to {target}")).await?;
    plan.says("CloneRebind")?;
    let run = tool.done(&format!("run db-1 --to {target} --yes")).await?;
    run.says("1 moved, 0 failed, 0 skipped")?;
    arrived(lab, &machine, &target).await?;
    let told = lab.list("Event", &source).await?;
    let moving = told.iter().find(|event| event["reason"] == "Moving").context("no event says that it moves")?;
    let words = format!("moves it to namespace {target} (move {}); it cannot be started here meanwhile", run.move_name()?);
    ensure!(moving["involvedObject"]["name"] == "db-1" && moving["message"].to_string().contains(&words), "the event is {moving:#}");
    let after = machine.handles(lab, &target).await?;
    ensure!(before.iter().all(|handle| !after.contains(handle)), "the target is on the source's volumes");
    machine.has_its_bytes(lab, &source).await?;
    for claim in lab.list("PersistentVolumeClaim", &source).await? {
        ensure!(claim["metadata"]["labels"]["vmmove.io/move"].is_null(), "claim {} is left in the source", claim["metadata"]["name"]);
    }
    Ok(())
}

/// 2. Rebind: the volumes themselves change hands, and their reclaim policy comes back with cleanup.
pub async fn a_machine_moves_with_its_volumes(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("rebind").await?;
    let machine = database(&source);
    machine.bring_up(lab).await?;
    let before = machine.handles(lab, &source).await?;
    let tool = Tool::new(lab, &source);
    let run = tool.done(&format!("run db-1 --to {target} --volumes move --yes")).await?;
    arrived(lab, &machine, &target).await?;
    ensure!(before == machine.handles(lab, &target).await?, "the target is on other volumes");
    tool.done(&format!("cleanup {} --yes", run.move_name()?)).await?;
    ensure!(lab.find("VirtualMachine", &source, "db-1").await?.is_none(), "the source is still there");
    for claim in ["db-1-root", "db-1-data"] {
        ensure!(lab.find("PersistentVolumeClaim", &source, claim).await?.is_none(), "claim {claim} is left in the source");
        let bound = lab.get("PersistentVolumeClaim", &target, claim).await?;
        let volume = lab.get("PersistentVolume", "", bound["spec"]["volumeName"].as_str().unwrap_or_default()).await?;
        ensure!(
            volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete",
            "volume of {claim} is left with policy {}",
            volume["spec"]["persistentVolumeReclaimPolicy"]
        );
    }
    arrived(lab, &machine, &target).await
}

/// 3. CdiClone within one driver carries the bytes.
pub async fn a_machine_moves_by_cdi(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("cdi-clone").await?;
    let machine = database(&source);
    machine.bring_up(lab).await?;
    let tool = Tool::new(lab, &source);
    tool.done(&format!("run db-1 --to {target} --strategy CdiClone --yes")).await?;
    arrived(lab, &machine, &target).await?;
    machine.has_its_bytes(lab, &source).await
}

/// 4. After the whole move a rollback is refused without consent to lose the target's writes, and gives the source back with it.
pub async fn a_copied_machine_comes_back_untouched(lab: &Lab) -> Result<()> {
    each(["", "--strategy CdiClone"], async |flags| {
        let (source, target) = lab.namespaces("back-copy").await?;
        let machine = database(&source);
        machine.bring_up(lab).await?;
        let before = machine.picture(lab).await?;
        let tool = Tool::new(lab, &source);
        let name = tool.done(&format!("run db-1 --to {target} {flags} --yes")).await?.move_name()?;
        lab.write_marker(&target, "db-1-data", b"written in the target").await?;
        let refused = tool.run(&format!("rollback {name} --yes")).await?;
        refused.ends_with(1)?;
        refused.says("--discard-target-writes")?;
        tool.done(&format!("rollback {name} --yes --discard-target-writes")).await?;
        machine.is_back(lab, &target, &before).await?;
        machine.has_its_bytes(lab, &source).await?;
        machine.wait_status(lab, "Running").await
    })
    .await
}

/// 4. A moved disk comes back with what was written to it in the target.
pub async fn a_moved_machine_comes_back_with_its_writes(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("back-move").await?;
    let machine = database(&source);
    machine.bring_up(lab).await?;
    let before = machine.picture(lab).await?;
    let tool = Tool::new(lab, &source);
    let name = tool.done(&format!("run db-1 --to {target} --volumes move --yes")).await?.move_name()?;
    lab.write_marker(&target, "db-1-data", b"written in the target").await?;
    tool.done(&format!("rollback {name} --yes")).await?;
    machine.is_back(lab, &target, &before).await?;
    ensure!(lab.read_marker(&source, "db-1-data").await?.starts_with(b"written in the target"), "the target's writes are lost");
    machine.wait_status(lab, "Running").await
}

/// 4. Phase by phase, and back from each phase before the start: the source is what it was.
pub async fn a_machine_comes_back_from_every_phase(lab: &Lab) -> Result<()> {
    for flags in ["", "--volumes move", "--strategy CdiClone"] {
        for last in ["stop", "clone", "copy", "recreate"] {
            let (source, target) = lab.namespaces("phases").await?;
            let machine = database(&source);
            machine.bring_up(lab).await?;
            let before = machine.picture(lab).await?;
            let tool = Tool::new(lab, &source);
            let name = tool.begins(&format!("db-1 --to {target} {flags}")).await?;
            for phase in ["clone", "copy", "recreate"] {
                if last == "stop" {
                    break;
                }
                tool.done(&format!("{phase} {name} --yes")).await?;
                if phase == last {
                    break;
                }
            }
            tool.done(&format!("rollback {name} --yes")).await?;
            machine.is_back(lab, &target, &before).await?;
            machine.has_its_bytes(lab, &source).await?;
            machine.wait_status(lab, "Running").await?;
        }
    }
    Ok(())
}

/// Nothing of the machine is left in the source.
pub async fn is_gone(lab: &Lab, source: &str) -> Result<()> {
    let all =
        [("VirtualMachine", "db-1"), ("DataVolume", "db-1-root"), ("PersistentVolumeClaim", "db-1-root"), ("PersistentVolumeClaim", "db-1-data")];
    for (kind, name) in all {
        ensure!(lab.find(kind, source, name).await?.is_none(), "{kind} {name} is left in the source");
    }
    Ok(())
}

/// 10. Cleanup removes the source's machine and disks, and leaves the target and what others use.
pub async fn cleanup_removes_only_the_source(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("cleanup").await?;
    let machine = database(&source);
    lab.create(&[json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared", "namespace": source}, "data": {"key": "value"}})])
        .await?;
    machine.bring_up(lab).await?;
    let tool = Tool::new(lab, &source);
    tool.done(&format!("run db-1 --to {target} --yes --cleanup")).await?;
    is_gone(lab, &source).await?;
    ensure!(lab.find("ConfigMap", &source, "shared").await?.is_some(), "a ConfigMap of nobody was removed");
    arrived(lab, &machine, &target).await
}
