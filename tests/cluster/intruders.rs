//! Other people's objects in the target, and users who start the source in the middle.

use std::io::Write;
use std::sync::Mutex;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::crashes::rolled_back;
use crate::lab::Lab;
use crate::lab::proxy::{Fault, Request, When};
use crate::machines::{Machine, claim, secret};
use crate::moves::arrived;
use crate::residue::no_volume_is_orphaned;
use crate::scene::{Scene, each, lock};
use crate::somebody::Somebody;
use crate::tool::Tool;

/// What somebody else has in the target under the name of something that the move makes there.
fn foreign(kind: &str, namespace: &str) -> Value {
    let mut object = match kind {
        "PersistentVolumeClaim" => claim(namespace, "db-1-data", "fast"),
        "DataVolume" => json!({
            "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": "db-1-root", "namespace": namespace},
            "spec": {"source": {"blank": {}}, "pvc": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}},
        }),
        "VirtualMachine" => Machine::new(namespace, "db-1").strategy(json!({"runStrategy": "Halted"})).vm(),
        _ => secret(namespace, "login"),
    };
    if kind == "Secret" {
        object["stringData"]["password"] = "another one".into();
    }
    object["metadata"]["annotations"]["of"] = "somebody else".into();
    object
}

/// Somebody else's object is there, and is what it was.
async fn stands(lab: &Lab, object: &Value) -> Result<Value> {
    let at = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let found = lab.get(at("/kind"), at("/metadata/namespace"), at("/metadata/name")).await?;
    ensure!(found["metadata"]["annotations"]["of"] == "somebody else", "{} of somebody else was replaced", at("/kind"));
    ensure!(found["metadata"]["deletionTimestamp"].is_null(), "{} of somebody else was deleted", at("/kind"));
    let marks = found["metadata"]["labels"].as_object().into_iter().flatten().filter(|(key, _)| key.starts_with("vmmove.io/")).count();
    ensure!(marks == 0, "{} of somebody else was marked", at("/kind"));
    Ok(found["metadata"]["uid"].clone())
}

/// 7. Somebody else's object was there before: the plan is blocked, and nothing at all is changed.
pub async fn what_is_foreign_blocks_the_plan(lab: &Lab) -> Result<()> {
    let rows =
        [("PersistentVolumeClaim", ""), ("DataVolume", ""), ("VirtualMachine", ""), ("Secret", ""), ("PersistentVolumeClaim", "--strategy CdiClone")];
    each(rows, async |(kind, flags)| {
        let scene = Scene::new(lab).await?;
        let object = foreign(kind, &scene.target);
        lab.create(std::slice::from_ref(&object)).await?;
        let uid = stands(lab, &object).await?;
        let proxy = lab.proxy().await?;
        scene.tool(lab, &proxy).run(&scene.run(flags)).await?.ends_with(4)?;
        ensure!(proxy.writes().is_empty(), "something was changed: {:?}", proxy.writes());
        ensure!(stands(lab, &object).await? == uid, "it was made anew");
        scene.is_untouched(lab).await
    })
    .await
}

/// When somebody else's object appears: flags of the run, the request before which it appears, its kind.
const APPEARANCES: &[(&str, &str, &str)] = &[
    ("", "POST target secrets", "Secret"),
    ("", "PATCH source virtualmachines", "PersistentVolumeClaim"),
    ("", "POST target persistentvolumeclaims", "PersistentVolumeClaim"),
    ("", "PATCH source virtualmachines", "DataVolume"),
    ("", "POST target virtualmachines", "VirtualMachine"),
    ("--volumes move", "POST target persistentvolumeclaims", "PersistentVolumeClaim"),
    ("--volumes move", "POST target virtualmachines", "VirtualMachine"),
    ("--strategy CdiClone", "POST target datavolumes", "DataVolume"),
    ("--strategy CdiClone", "POST target datavolumes", "PersistentVolumeClaim"),
];

/// Runs a move before one of whose requests somebody else's object appears.
async fn intruded(lab: &Lab, scene: &Scene, (flags, moment, kind): (&str, &str, &str)) -> Result<(Value, Value)> {
    let object = foreign(kind, &scene.target);
    let proxy = lab.proxy().await?;
    let (somebody, made) = (Somebody::new(lab), object.clone());
    let once = Mutex::new(false);
    let appear = move |_: &Request| {
        // Requests of the same kind for another disk wait. An object that could not be made is missed below.
        let mut done = tokio::task::block_in_place(|| lock(&once));
        if !std::mem::replace(&mut *done, true) {
            drop(somebody.creates(&made));
        }
    };
    proxy.spoil(When::Every, scene.kind(moment), Fault::Before(Box::new(appear)));
    let answer = scene.tool(lab, &proxy).run(&scene.run(flags)).await?;
    let uid = stands(lab, &object).await?;
    answer.ends_with(7)?;
    answer.says("was not made by this move")?;
    Ok((object, uid))
}

/// 7. Somebody else's object appears in the middle: the move stops, and goes back around it.
pub async fn what_is_foreign_is_left_by_a_rollback(lab: &Lab) -> Result<()> {
    each(APPEARANCES.iter().copied(), async |row| {
        let scene = Scene::new(lab).await?;
        let (object, uid) = intruded(lab, &scene, row).await?;
        rolled_back(&Tool::new(lab, &scene.source), &scene.name(lab).await?).await?;
        ensure!(stands(lab, &object).await? == uid, "it was made anew");
        scene.is_untouched(lab).await?;
        scene.machine.wait_status(lab, "Running").await?;
        no_volume_is_orphaned(lab, &scene.source, &scene.target).await
    })
    .await
}

/// 7. When somebody else's object has gone again, the move goes on.
pub async fn a_move_goes_on_when_what_is_foreign_is_gone(lab: &Lab) -> Result<()> {
    each(APPEARANCES.iter().copied(), async |row| {
        let scene = Scene::new(lab).await?;
        let (object, _) = intruded(lab, &scene, row).await?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        lab.delete(row.2, &scene.target, name).await?;
        lab.wait_gone(row.2, &scene.target, name).await?;
        // A DataVolume takes its claim with it.
        lab.wait("its claim is gone", async || {
            let claim = lab.find("PersistentVolumeClaim", &scene.target, name).await?;
            Ok(claim.is_none_or(|claim| claim["metadata"]["deletionTimestamp"].is_null()))
        })
        .await?;
        Tool::new(lab, &scene.source).done(&format!("resume {} --yes", scene.name(lab).await?)).await?;
        arrived(lab, &scene.machine, &scene.target).await
    })
    .await
}

/// 13. A user starts the stopped source before the fence: the move leaves it alone.
pub async fn a_start_before_the_fence_ends_the_move(lab: &Lab) -> Result<()> {
    let moments = ["POST source configmaps", "PATCH source virtualmachines"];
    each(moments, async |moment| {
        let scene = Scene::of(lab, |machine| machine.strategy(json!({"runStrategy": "Halted"}))).await?;
        let proxy = lab.proxy().await?;
        let (somebody, source) = (Somebody::new(lab), scene.source.clone());
        let start = move |_: &Request| {
            drop(somebody.starts(&source, "db-1"));
            drop(somebody.sees_running(&source, "db-1"));
        };
        proxy.spoil(When::Nth(1), scene.kind(moment), Fault::Before(Box::new(start)));
        let answer = scene.never_both(lab, scene.tool(lab, &proxy).run(&scene.run(""))).await?;
        answer.ends_with(7)?;
        answer.says("was changed, started or stopped since the plan was made")?;
        rolled_back(&Tool::new(lab, &scene.source), &scene.name(lab).await?).await?;
        let guest = lab.get("VirtualMachineInstance", &scene.source, "db-1").await?;
        ensure!(guest["status"]["phase"] == "Running" && guest["metadata"]["deletionTimestamp"].is_null(), "the user's guest was stopped");
        let vm = lab.get("VirtualMachine", &scene.source, "db-1").await?;
        ensure!(vm["spec"]["runStrategy"] == "Always", "the user's start was undone");
        ensure!(vm["metadata"]["annotations"]["vmmove.io/fence"].is_null(), "the fence is left");
        ensure!(lab.find("VirtualMachine", &scene.target, "db-1").await?.is_none(), "something is left in the target");
        Ok(())
    })
    .await
}

/// When a user starts the source: flags of the run, the request after which it happens.
const STARTS: &[(&str, &str, usize)] = &[
    ("", "PATCH source virtualmachines", 1),
    ("", "POST source persistentvolumeclaims", 2),
    ("", "PATCH - persistentvolumes", 3),
    ("", "POST target virtualmachines", 1),
    ("", "PATCH target virtualmachines", 1),
    ("--volumes move", "PATCH source virtualmachines", 1),
    ("--volumes move", "PATCH - persistentvolumes", 3),
    ("--volumes move", "POST target virtualmachines", 1),
    ("--strategy CdiClone", "POST target datavolumes", 1),
    ("--strategy CdiClone", "POST target virtualmachines", 1),
];

/// 13. A user starts the fenced source: it gets no guest, and the move comes to its end, or back to the source.
pub async fn a_start_under_the_fence_gets_no_guest(lab: &Lab) -> Result<()> {
    each(STARTS.iter().copied(), async |(flags, moment, number)| {
        let scene = Scene::new(lab).await?;
        let proxy = lab.proxy().await?;
        let (somebody, source) = (Somebody::new(lab), scene.source.clone());
        proxy.spoil(When::Nth(number), scene.kind(moment), Fault::After(Box::new(move |_| drop(somebody.starts(&source, "db-1")))));
        let answer = scene.never_both(lab, scene.tool(lab, &proxy).run(&scene.run(flags))).await?;
        answer.ends_with(0)?;
        scene.machine.has_its_bytes(lab, &scene.target).await?;
        let vm = lab.get("VirtualMachine", &scene.source, "db-1").await?;
        if vm["spec"]["runStrategy"] == "Halted" {
            // A DataVolume that had adopted its claim fails when that loses its volume.
            let status = if flags.contains("move") { "DataVolumeError" } else { "Stopped" };
            return scene.machine.wait_status(lab, status).await;
        }
        // The target has been started by then: the source waits for a node for ever, and cleanup leaves what somebody else changed.
        scene.machine.wait_status(lab, "ErrorUnschedulable").await?;
        let refused = Tool::new(lab, &scene.source).run(&format!("cleanup {} --yes", answer.move_name()?)).await?;
        ensure!(refused.code != 0, "a source that somebody started is removed\n{}{}", refused.out, refused.err);
        refused.says("somebody changed it after it was fenced")
    })
    .await
}

/// 13. A user takes the fence off and starts the source, whose guest writes: what was copied before is not used.
pub async fn a_stale_copy_is_not_used(lab: &Lab) -> Result<()> {
    let rows =
        [("", "POST source persistentvolumeclaims"), ("", "POST target virtualmachines"), ("--strategy CdiClone", "POST target virtualmachines")];
    each(rows, async |(flags, moment)| {
        let scene = Scene::new(lab).await?;
        let disk = lab.disk_path(&scene.source, "db-1-data").await?;
        let proxy = lab.proxy().await?;
        let (somebody, source) = (Somebody::new(lab), scene.source.clone());
        let free = move |_: &Request| {
            drop(somebody.frees(&source, "db-1"));
            drop(somebody.sees_running(&source, "db-1"));
            let file = std::fs::OpenOptions::new().write(true).open(&disk);
            drop(file.and_then(|mut file| file.write_all(b"written after the start")));
        };
        proxy.spoil(When::Nth(1), scene.kind(moment), Fault::Before(Box::new(free)));
        let answer = scene.never_both(lab, scene.tool(lab, &proxy).run(&scene.run(flags))).await?;
        let source = lab.read_marker(&scene.source, "db-1-data").await?;
        ensure!(source.starts_with(b"written after the start"), "the user's guest wrote nothing");
        if answer.code == 0 {
            let there = lab.read_marker(&scene.target, "db-1-data").await?;
            ensure!(there.starts_with(b"written after the start"), "the target runs on a stale copy");
            return Ok(());
        }
        answer.ends_with(7)?;
        let there = lab.find("VirtualMachineInstance", &scene.target, "db-1").await?;
        ensure!(there.is_none(), "the target runs");
        rolled_back(&Tool::new(lab, &scene.source), &scene.name(lab).await?).await?;
        scene.machine.is_back(lab, &scene.target, scene.before()).await?;
        ensure!(lab.read_marker(&scene.source, "db-1-data").await? == source, "the user's writes are lost");
        scene.machine.wait_status(lab, "Running").await
    })
    .await
}
