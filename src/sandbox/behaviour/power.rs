//! Starting, stopping, restarting and pausing on request: KubeVirt's subresources, with their answers word for word.
//! Source: kubevirt 1.8 `pkg/virt-api/rest/{lifecycle,subresource}.go`.
//!
//! Cases: `virtualmachines/a-start-is-a-change-of-the-specification`, `virtualmachines/a-machine-that-runs-is-not-started`,
//! `virtualmachines/a-restart-makes-a-new-instance`, `virtualmachines/what-is-not-paused-is-not-unpaused`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::instance_rules::is_final;
use super::machine_rules::strategy;
use super::objects::{condition, is, list, put, remove, state};
use super::{instancetypes, launchers, objects};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{POD, Res, VM, VMI};
use crate::sandbox::delete::{self, Deletion};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;
use crate::sandbox::write::{self, Attempt, User};

const RECOVER: &str = "VM recovery required: Volume migration failed, leaving some volumes pointing to non-consistent targets; manual intervention is \
                       needed to reassign them to their original volumes.";

/// What may be asked about machines and their guests, as discovery lists it.
pub const REQUESTS: &[&str] = &[
    "virtualmachineinstances/freeze",
    "virtualmachineinstances/pause",
    "virtualmachineinstances/reset",
    "virtualmachineinstances/softreboot",
    "virtualmachineinstances/unfreeze",
    "virtualmachineinstances/unpause",
    "virtualmachines/expand-spec",
    "virtualmachines/migrate",
    "virtualmachines/restart",
    "virtualmachines/start",
    "virtualmachines/stop",
];

/// A machine with what its instance type and preference give it.
///
/// # Errors
/// 404, or 500 when they are not to be found.
pub fn expanded(world: &World, namespace: &str, name: &str) -> Result<Value, Status> {
    let vm = world.get(&VM, namespace, name).ok_or_else(|| not_found(&VM, name))?;
    instancetypes::expanded(world, &vm).map_err(|why| internal(&why))
}

/// Does what a subresource of a machine (or of its guest) asks for.
///
/// # Errors
/// The refusal, in virt-api's words. An action that the sandbox does not know is said to be unknown.
pub fn request(world: &mut World, _user: &User, namespace: &str, name: &str, action: &str, on_instance: bool, body: &Value) -> Result<(), Status> {
    let call = Call { namespace, name, body, dry: list(body, "/dryRun").iter().any(|mode| mode == "All") };
    match (action, on_instance) {
        ("start", false) => call.start(world),
        ("stop", false) => call.stop(world),
        ("restart", false) => call.restart(world),
        ("migrate", false) => call.migrate(world),
        ("pause", true) => call.pause(world, true),
        ("unpause", true) => call.pause(world, false),
        ("freeze" | "unfreeze" | "softreboot" | "reset", true) => {
            let vmi = call.instance(world)?;
            let words = if action == "unfreeze" { "VMI is not running" } else { "VM is not running" };
            if text(&vmi, "/status/phase") == "Running" { Ok(()) } else { Err(conflict(&VMI, name, words)) }
        }
        _ => Err(Status::no_such_path()),
    }
}

/// As virt-api names a kind in its answers: in the singular.
fn about(mut status: Status, resource: Res, name: &str) -> Status {
    status.0["details"] = json!({"name": name, "group": resource.group, "kind": resource.singular()});
    status
}

fn conflict(resource: Res, name: &str, why: &str) -> Status {
    let words = format!("Operation cannot be fulfilled on {}.{} \"{name}\": {why}", resource.singular(), resource.group);
    about(Status::new(409, "Conflict", words), resource, name)
}

fn not_found(resource: Res, name: &str) -> Status {
    about(Status::new(404, "NotFound", format!("{}.{} \"{name}\" not found", resource.singular(), resource.group)), resource, name)
}

fn internal(why: &str) -> Status {
    let mut status = Status::new(500, "InternalError", format!("Internal error occurred: {why}"));
    status.0["details"] = json!({"causes": [{"message": why}]});
    status
}

struct Call<'c> {
    namespace: &'c str,
    name: &'c str,
    body: &'c Value,
    dry: bool,
}

impl Call<'_> {
    fn machine(&self, world: &World) -> Result<Arc<Value>, Status> {
        world.get(&VM, self.namespace, self.name).ok_or_else(|| not_found(&VM, self.name))
    }

    fn instance(&self, world: &World) -> Result<Arc<Value>, Status> {
        world.get(&VMI, self.namespace, self.name).ok_or_else(|| not_found(&VMI, self.name))
    }

    fn conflict(&self, why: &str) -> Status {
        conflict(&VM, self.name, why)
    }

    fn strategy(vm: &Value) -> Result<&str, Status> {
        strategy(vm).ok_or_else(|| internal("Running or RunStrategy must be specified"))
    }

    /// Writes as virt-api does, and answers a refusal as it does.
    fn write(&self, world: &mut World, resource: Res, subresource: &'static str, change: impl FnOnce(&mut Value)) -> Result<(), Status> {
        let Some(found) = world.get(resource, self.namespace, self.name) else { return Err(not_found(resource, self.name)) };
        let mut attempt = Attempt::new(User::controller(), resource, Value::clone(&found));
        (attempt.subresource, attempt.dry_run) = (subresource, self.dry);
        change(&mut attempt.object);
        write::update(world, attempt).map(drop).map_err(|status| internal(status.message()))
    }

    fn ask(&self, world: &mut World, vm: &Value, requests: &[Value]) -> Result<(), Status> {
        let queued = !list(vm, "/status/stateChangeRequests").is_empty();
        let only_stop = matches!(requests, [one] if one["action"] == "Stop");
        if queued && !only_stop {
            return Err(internal("unable to complete request: stop/start already underway"));
        }
        self.write(world, &VM, "status", |vm| {
            put(vm, "/status/stateChangeRequests", requests.to_vec());
            remove(vm, "/status", "startFailure");
        })
    }

    fn set_running(&self, world: &mut World, running: bool) -> Result<(), Status> {
        self.write(world, &VM, "", |vm| {
            if vm.at("/spec/runStrategy").is_some_and(Value::is_string) {
                put(vm, "/spec/runStrategy", if running { "Always" } else { "Halted" });
            } else {
                put(vm, "/spec/running", running);
            }
        })
    }

    fn start(&self, world: &mut World) -> Result<(), Status> {
        let vm = self.machine(world)?;
        let vmi = world.get(&VMI, self.namespace, self.name);
        let phase = vmi.as_ref().map(|vmi| text(vmi, "/status/phase").to_owned()).unwrap_or_default();
        let ended = vmi.as_ref().is_none_or(|vmi| is_final(vmi));
        if !ended && !matches!(phase.as_str(), "Unknown" | "") {
            return Err(self.conflict("VM is already running"));
        }
        if is(&vm, "ManualRecoveryRequired", "True") {
            return Err(self.conflict(RECOVER));
        }
        let paused = self.body.get("paused") == Some(&true.into());
        let mut start = json!({"action": "Start"});
        if paused {
            start["data"] = json!({"paused": "true"});
        }
        let strategy = Self::strategy(&vm)?;
        match strategy {
            "Halted" if paused => self.ask(world, &vm, &[start]),
            "Halted" => self.set_running(world, true),
            "RerunOnFailure" if phase == "Failed" => Err(self.conflict("RerunOnFailure does not support starting VM from failed state")),
            "Manual" | "RerunOnFailure" => match vmi.filter(|vmi| is_final(vmi)) {
                Some(vmi) => self.ask(world, &vm, &[json!({"action": "Stop", "uid": vmi["metadata"]["uid"]}), start]),
                None => self.ask(world, &vm, &[start]),
            },
            "Always" | "Once" => Err(self.conflict(&format!("{strategy} does not support manual start requests"))),
            _ => Ok(()),
        }
    }

    fn stop(&self, world: &mut World) -> Result<(), Status> {
        let vm = self.machine(world)?;
        let vmi = world.get(&VMI, self.namespace, self.name).filter(|vmi| !is_final(vmi));
        let asked = self.body.get("gracePeriod").and_then(Value::as_i64);
        let before = vmi.as_ref().and_then(|vmi| vmi.at("/spec/terminationGracePeriodSeconds")?.as_i64());
        if let (Some(_), Some(grace)) = (&vmi, asked) {
            self.write(world, &VMI, "", |vmi| put(vmi, "/spec/terminationGracePeriodSeconds", grace))?;
        }
        let strategy = Self::strategy(&vm)?;
        match (strategy, vmi) {
            ("Halted" | "RerunOnFailure" | "Manual", None) => Err(self.conflict("VM is not running")),
            ("Halted", Some(_)) if asked.is_none_or(|asked| before.is_some_and(|before| asked >= before)) => {
                Err(self.conflict("Halted only supports manual stop requests with a shorter graceperiod"))
            }
            ("Halted" | "RerunOnFailure" | "Manual", Some(vmi)) => self.ask(world, &vm, &[json!({"action": "Stop", "uid": vmi["metadata"]["uid"]})]),
            ("Always" | "Once", _) => self.set_running(world, false),
            _ => Ok(()),
        }
    }

    fn restart(&self, world: &mut World) -> Result<(), Status> {
        let grace = self.body.get("gracePeriodSeconds").and_then(Value::as_i64);
        if grace.is_some_and(|grace| grace > 0) {
            return Err(Status::bad_request("For force restart, only gracePeriod=0 is supported for now"));
        }
        if grace.is_some_and(|grace| grace < 0) {
            return Err(Status::bad_request("gracePeriod has to be greater or equal to 0"));
        }
        let vm = self.machine(world)?;
        if is(&vm, "VolumesChange", "True") {
            return Err(self.conflict(RECOVER));
        }
        let strategy = Self::strategy(&vm)?;
        if matches!(strategy, "Halted" | "Once") {
            return Err(self.conflict(&format!("RunStategy {strategy} does not support manual restart requests")));
        }
        let Some(vmi) = world.get(&VMI, self.namespace, self.name) else { return Err(self.conflict("VM is not running: Halted")) };
        self.ask(world, &vm, &[json!({"action": "Stop", "uid": vmi["metadata"]["uid"]}), json!({"action": "Start"})])?;
        let running = launchers::current(world, &vmi).filter(|pod| launchers::is_ready(pod));
        if let (Some(pod), Some(0), false) = (running, grace, self.dry) {
            let soon = Deletion { grace: Some(1), ..Deletion::default() };
            drop(delete::delete(world, &User::controller(), &Key::of(&POD, &pod), &soon));
        }
        Ok(())
    }

    fn pause(&self, world: &mut World, pause: bool) -> Result<(), Status> {
        if !pause && world.get(&VM, self.namespace, self.name).is_some_and(|vm| vm.at("/status/snapshotInProgress").is_some()) {
            return Err(self.conflict("VM snapshot is in progress"));
        }
        let vmi = self.instance(world)?;
        let paused = condition(&vmi, "Paused").is_some();
        if text(&vmi, "/status/phase") != "Running" {
            return Err(conflict(&VMI, self.name, if pause { "VM is not running" } else { "VMI is not running" }));
        }
        if pause && vmi.at("/spec/livenessProbe").is_some() {
            let why = "Pausing VMIs with LivenessProbe is currently not supported";
            let words = format!("virtualmachineinstance.kubevirt.io \"{}\" is forbidden: {why}", self.name);
            return Err(about(Status::new(403, "Forbidden", words), &VMI, self.name));
        }
        if pause == paused {
            return Err(conflict(&VMI, self.name, if pause { "VMI is already paused" } else { "VMI is not paused" }));
        }
        let now = world.stamp();
        self.write(world, &VMI, "", |vmi| {
            if pause {
                state(vmi, &now, "Paused", "True", ("PausedByUser", "VMI was paused by user"));
            } else {
                objects::forget(vmi, "Paused");
            }
        })
    }

    fn migrate(&self, world: &mut World) -> Result<(), Status> {
        self.machine(world)?;
        if text(&*self.instance(world)?, "/status/phase") != "Running" {
            return Err(self.conflict("VM is not running"));
        }
        let migration = json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration",
            "metadata": {"generateName": "kubevirt-migrate-vm-", "namespace": self.namespace}, "spec": {"vmiName": self.name},
        });
        if self.dry {
            return Ok(());
        }
        world.create(migration).map(drop).map_err(|status| internal(status.message()))
    }
}
