//! What each run strategy does with a guest that is there, or is not.
//! Source: kubevirt 1.8 `pkg/virt-controller/watch/vm/vm.go` syncRunStrategy.
//!
//! Cases: `virtualmachines/a-machine-that-runs-once-is-not-started-again`, `virtualmachines/a-machine-that-reruns-on-failure-is-stopped`,
//! `virtualmachines/a-machine-started-by-hand-keeps-its-strategy`, `virtualmachines/a-guest-that-powers-off-is-started-again`.

use serde_json::{Value, json};

use super::instance_rules::is_final;
use super::is_deleting;
use super::machine_status::{Trouble, backs_off};
use super::machines::{start, stop};
use super::objects::{annotation, list, put};
use crate::sandbox::at::At;
use crate::sandbox::catalog::VM;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// The request that a machine is to act on first.
pub fn asked(vm: &Value) -> Option<&Value> {
    list(vm, "/status/stateChangeRequests").first()
}

fn to_start(vm: &Value) -> bool {
    asked(vm).is_some_and(|request| text(request, "/action") == "Start")
}

fn to_stop(vm: &Value, vmi: &Value) -> bool {
    asked(vm).is_some_and(|request| text(request, "/action") == "Stop" && text(request, "/uid") == text(vmi, "/metadata/uid"))
}

/// Does what the strategy asks for.
///
/// # Errors
/// What is then said on the machine.
pub fn follow(world: &mut World, vm: &Value, vmi: Option<&Value>, strategy: &str) -> Result<(), Trouble> {
    match (strategy, vmi) {
        ("Always", Some(vmi)) if to_stop(vm, vmi) || is_final(vmi) => stop(world, vm, vmi),
        ("Manual", Some(vmi)) if to_stop(vm, vmi) => stop(world, vm, vmi),
        ("RerunOnFailure", Some(vmi)) if !is_deleting(vmi) && (to_stop(vm, vmi) || is_final(vmi)) => rerun(world, vm, vmi),
        ("Halted", Some(vmi)) => stop(world, vm, vmi),
        ("Halted", None) if to_start(vm) => power_on(world, vm),
        ("Manual", None) if to_start(vm) => start(world, vm),
        ("Once" | "WaitAsReceiver", None) => start(world, vm),
        ("Always", None) if !backs_off(world, vm) => start(world, vm),
        ("RerunOnFailure", None) if !backs_off(world, vm) && (to_start(vm) || text(vm, "/status/runStrategy") != strategy) => start(world, vm),
        ("Always" | "Manual" | "RerunOnFailure" | "Halted" | "Once", _) => Ok(()),
        ("WaitAsReceiver", Some(vmi)) if annotation(vmi, "kubevirt.io/create-migration-target") == Some("true") => Ok(()),
        ("WaitAsReceiver", Some(_)) => Err(("FailedCreate", "VMI is not a receiver".to_owned())),
        (other, _) => Err(("FailedCreate", format!("unknown runstrategy: {other}"))),
    }
}

fn rerun(world: &mut World, vm: &Value, vmi: &Value) -> Result<(), Trouble> {
    stop(world, vm, vmi)?;
    if text(vmi, "/status/phase") == "Failed" {
        drop(world.change(&Key::of(&VM, vm), |vm| put(vm, "/status/stateChangeRequests", json!([{"action": "Start"}]))));
    }
    Ok(())
}

/// A machine that was asked to start paused while it was halted runs from then on.
fn power_on(world: &mut World, vm: &Value) -> Result<(), Trouble> {
    let on = |vm: &mut Value| {
        if vm.at("/spec/runStrategy").is_some_and(Value::is_string) {
            put(vm, "/spec/runStrategy", "Always");
        } else {
            put(vm, "/spec/running", true);
        }
    };
    world.change(&Key::of(&VM, vm), on).map_err(|status| ("FailedCreate", format!("Failure while starting VMI: {}", status.message())))
}
