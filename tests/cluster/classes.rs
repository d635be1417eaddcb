//! Storage classes: one of another driver, and one whose volumes are kept when their claims go.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use http::{Method, StatusCode};
use serde_json::Value;

use crate::lab::proxy::{Fault, When};
use crate::lab::{Lab, OTHER_DRIVER};
use crate::machines::Machine;
use crate::moves::database;
use crate::residue::{no_volume_is_orphaned, volumes};
use crate::scene::each;
use crate::tool::Tool;

const STRATEGIES: [&str; 3] = ["", "--volumes move", "--strategy CdiClone"];

/// The volume of a claim.
async fn volume(lab: &Lab, namespace: &str, claim: &str) -> Result<Value> {
    let claim = lab.get("PersistentVolumeClaim", namespace, claim).await?;
    lab.get("PersistentVolume", "", claim["spec"]["volumeName"].as_str().unwrap_or_default()).await
}

/// 3. CdiClone to the class of another driver, and back. Objects only: CDI has pods copy between drivers, and pods copy nothing here.
pub async fn disks_go_to_another_driver_and_back(lab: &Lab) -> Result<()> {
    each(["--storage-class other", "--map-storage-class fast=other"], async |flags| {
        let (source, target) = lab.namespaces("drivers").await?;
        let machine = database(&source);
        machine.bring_up(lab).await?;
        let before = machine.picture(lab).await?;
        let tool = Tool::new(lab, &source);
        let plan = tool.done(&format!("plan db-1 --to {target} {flags}")).await?;
        plan.says("CdiClone")?;
        plan.says("class changes fast -> other, so bytes must be copied")?;
        for strategy in ["--strategy CloneRebind", "--volumes move"] {
            let refused = tool.run(&format!("plan db-1 --to {target} {flags} {strategy}")).await?;
            refused.ends_with(4)?;
            refused.says("the class changes from fast to other")?;
        }
        let run = tool.done(&format!("run db-1 --to {target} {flags} --yes")).await?;
        run.says("virtualmachine.kubevirt.io/db-1 verified")?;
        for name in ["db-1-root", "db-1-data"] {
            let claim = lab.get("PersistentVolumeClaim", &target, name).await?;
            ensure!(claim["status"]["phase"] == "Bound" && claim["spec"]["storageClassName"] == "other", "claim {name} is {claim:#}");
            let volume = volume(lab, &target, name).await?;
            ensure!(volume["spec"]["csi"]["driver"] == OTHER_DRIVER, "claim {name} is on driver {}", volume["spec"]["csi"]["driver"]);
            ensure!(volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete", "the volume of {name} is left with another policy");
        }
        let vm = lab.get("VirtualMachine", &target, "db-1").await?;
        ensure!(vm["status"]["printableStatus"] == "Running", "the target is {}", vm["status"]["printableStatus"]);
        let root = lab.get("DataVolume", &target, "db-1-root").await?;
        ensure!(root["status"]["phase"] == "Succeeded", "the DataVolume is {}", root["status"]["phase"]);
        ensure!(root["metadata"]["ownerReferences"][0]["uid"] == vm["metadata"]["uid"], "the DataVolume is not the machine's");
        tool.done(&format!("rollback {} --yes --discard-target-writes", run.move_name()?)).await?;
        machine.is_back(lab, &target, &before).await?;
        machine.has_its_bytes(lab, &source).await?;
        machine.wait_status(lab, "Running").await?;
        no_volume_is_orphaned(lab, &source, &target).await
    })
    .await
}

/// A running machine on volumes that outlive their claims.
fn keeper(namespace: &str) -> Machine {
    Machine::new(namespace, "db-1").template("db-1-root", "keep").claim("db-1-data", "keep")
}

/// Cleaned up, a machine of a Retain class is on volumes with that policy and without marks. What it leaves behind is what the class asks
/// for, and is named.
pub async fn kept_volumes_are_left_and_named_by_cleanup(lab: &Lab) -> Result<()> {
    each(STRATEGIES, async |flags| {
        let (source, target) = lab.namespaces("keep").await?;
        let machine = keeper(&source);
        machine.bring_up(lab).await?;
        let mut originals = Vec::new();
        for claim in ["db-1-root", "db-1-data"] {
            originals.push(volume(lab, &source, claim).await?["metadata"]["name"].as_str().unwrap_or_default().to_owned());
        }
        let tool = Tool::new(lab, &source);
        let name = tool.done(&format!("run db-1 --to {target} {flags} --yes")).await?.move_name()?;
        let cleanup = tool.done(&format!("cleanup {name} --yes")).await?;
        machine.has_its_bytes(lab, &target).await?;
        for claim in ["db-1-root", "db-1-data"] {
            let volume = volume(lab, &target, claim).await?;
            ensure!(volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain", "{flags}: the policy of {claim} is another one");
            for map in ["labels", "annotations"] {
                let marks = volume["metadata"][map].as_object().into_iter().flatten().find(|(key, _)| key.starts_with("vmmove.io/"));
                ensure!(marks.is_none(), "{flags}: the volume of {claim} is still marked: {marks:?}");
            }
        }
        originals.retain(|_| flags != "--volumes move");
        lab.wait("the source's volumes are left, and no other", async || {
            let all = volumes(lab, &source, &target).await?;
            let released = all.iter().filter(|volume| volume["status"]["phase"] != "Bound").filter_map(|volume| volume["metadata"]["name"].as_str());
            let released: BTreeSet<&str> = released.collect();
            ensure!(released == originals.iter().map(String::as_str).collect(), "{flags}: {released:?} are left, not {originals:?}");
            Ok(true)
        })
        .await?;
        for name in &originals {
            cleanup.says(&format!("persistentvolume/{name} stays with its bytes, for its reclaim policy is Retain"))?;
        }
        Ok(())
    })
    .await
}

/// Going back leaves no copy behind, whatever the class does with volumes, and the source's with their policy.
pub async fn kept_volumes_of_copies_go_with_a_rollback(lab: &Lab) -> Result<()> {
    let rows = STRATEGIES.into_iter().flat_map(|flags| ["clone", "recreate", "verify"].map(|last| (flags, last)));
    each(rows, async |(flags, last)| {
        let (source, target) = lab.namespaces("keep-back").await?;
        let machine = keeper(&source);
        machine.bring_up(lab).await?;
        let before = machine.picture(lab).await?;
        let tool = Tool::new(lab, &source);
        let name = tool.begins(&format!("db-1 --to {target} {flags}")).await?;
        for phase in ["clone", "copy", "recreate", "start", "verify"] {
            tool.done(&format!("{phase} {name} --yes")).await?;
            if phase == last {
                break;
            }
        }
        tool.done(&format!("rollback {name} --yes --discard-target-writes")).await?;
        machine.is_back(lab, &target, &before).await?;
        machine.has_its_bytes(lab, &source).await?;
        no_volume_is_orphaned(lab, &source, &target).await
    })
    .await
}

/// A copy that has not reached the target goes as well: the move fails between the copy and its hand-over, or while another disk is copied.
pub async fn kept_volumes_of_half_done_copies_go_with_a_rollback(lab: &Lab) -> Result<()> {
    each([("target", When::Every), ("source", When::Nth(2))], async |(end, when)| {
        let (source, target) = lab.namespaces("keep-half").await?;
        let machine = keeper(&source);
        machine.bring_up(lab).await?;
        let before = machine.picture(lab).await?;
        let proxy = lab.proxy().await?;
        let claims = format!("/api/v1/namespaces/{}/persistentvolumeclaims", if end == "target" { &target } else { &source });
        let refused = Fault::Answer(StatusCode::FORBIDDEN, "Forbidden");
        proxy.spoil(when, move |request| request.method == Method::POST && request.writes() && request.path == claims, refused);
        let failed = Tool::with(lab, proxy.kubeconfig(), &source).run(&format!("run db-1 --to {target} --yes")).await?;
        failed.ends_with(7)?;
        lab.wait("a clone is bound beside the source", async || {
            let claims = lab.list("PersistentVolumeClaim", &source).await?;
            let is_clone = |claim: &Value| claim["metadata"]["labels"]["vmmove.io/move"].is_string() && claim["status"]["phase"] == "Bound";
            Ok(claims.iter().any(is_clone))
        })
        .await?;
        Tool::new(lab, &source).done(&format!("rollback {} --yes", failed.move_name()?)).await?;
        machine.is_back(lab, &target, &before).await?;
        no_volume_is_orphaned(lab, &source, &target).await
    })
    .await
}
