//! Who else is at work while a move is under way: another mover, a user, a controller that knows better.

use std::time::Duration;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use serde_json::{Value, json};
use vmmove::sandbox::behaviour::power;
use vmmove::sandbox::catalog::{CLAIM, NAMESPACE, Res, VM, VMI};
use vmmove::sandbox::store::{Key, text};
use vmmove::sandbox::world::World;
use vmmove::sandbox::write::User;

use crate::stage::Stage;
use crate::tales::Tale;

/// What somebody does.
pub type Act<'a> = LocalBoxFuture<'a, ()>;

fn types(stage: &Stage, lines: Vec<String>) -> Act<'_> {
    async move {
        for line in lines {
            drop(stage.types(&line).await);
        }
    }
    .boxed_local()
}

/// A second mover, with the same wish.
pub fn types_the_same<'a>(stage: &'a Stage, tale: &'a Tale) -> Act<'a> {
    types(stage, vec![tale.line.clone()])
}

/// A colleague who takes over from a mover of whom nothing is heard.
pub fn resumes<'a>(stage: &'a Stage, tale: &'a Tale) -> Act<'a> {
    types(stage, stage.again(tale))
}

/// A colleague who has had enough of it.
pub fn rolls_back<'a>(stage: &'a Stage, _: &'a Tale) -> Act<'a> {
    types(stage, stage.back())
}

/// What is done at once, in no time.
fn at_once<'a>(stage: &'a Stage, act: impl FnOnce(&mut World) + 'a) -> Act<'a> {
    async { stage.sandbox.with(act) }.boxed_local()
}

/// What is done again and again until the line has ended.
fn for_ever(stage: &Stage, pause: Duration, act: impl Fn(&mut World) + Send + 'static) -> Act<'_> {
    async move { stage.again_and_again(pause, act) }.boxed_local()
}

fn in_namespace(world: &World, kind: Res, namespace: &str) -> Vec<Key> {
    world.store.list(kind, Some(namespace)).map(|(key, _)| key.clone()).collect()
}

/// As `virtctl start`; what virt-api says to it is the user's to bear.
fn power(world: &mut World, machines: &[String], action: &str) {
    for vm in machines {
        drop(power::request(world, &User::controller(), "shop", vm, action, false, &Value::Null));
    }
}

/// The machines that are up to begin with: who starts another one wants something else.
fn running(tale: &Tale) -> Vec<String> {
    in_namespace(&tale.begin, &VMI, "shop").into_iter().map(|key| key.name).collect()
}

pub fn starts_the_source<'a>(stage: &'a Stage, tale: &'a Tale) -> Act<'a> {
    let machines = running(tale);
    at_once(stage, move |world| power(world, &machines, "start"))
}

pub fn starts_the_source_for_ever<'a>(stage: &'a Stage, tale: &'a Tale) -> Act<'a> {
    let machines = running(tale);
    for_ever(stage, Duration::from_millis(700), move |world| power(world, &machines, "start"))
}

pub fn stops_the_source(stage: &Stage, tale: &Tale) {
    stage.sandbox.with(|world| power(world, &running(tale), "stop"));
}

/// Everything of a kind that is new in the target.
fn deletes<'a>(stage: &'a Stage, tale: &'a Tale, kind: Res) -> Act<'a> {
    at_once(stage, move |world| {
        for key in in_namespace(world, kind, "prod") {
            if tale.begin.store.get(&key).is_none() {
                drop(world.delete(&key));
            }
        }
    })
}

pub fn deletes_claims<'a>(stage: &'a Stage, tale: &'a Tale) -> Act<'a> {
    deletes(stage, tale, &CLAIM)
}

pub fn deletes_machines<'a>(stage: &'a Stage, tale: &'a Tale) -> Act<'a> {
    deletes(stage, tale, &VM)
}

pub fn deletes_the_namespace<'a>(stage: &'a Stage, _: &'a Tale) -> Act<'a> {
    at_once(stage, |world| drop(world.delete(&Key::new(&NAMESPACE, "", "prod"))))
}

/// Every machine of the source as its repository has it.
fn revert(world: &mut World, originals: &[Value]) {
    for original in originals {
        let key = Key::of(&VM, original);
        drop(world.change(&key, |vm| {
            vm["spec"] = original["spec"].clone();
            for marks in ["labels", "annotations"] {
                vm["metadata"][marks] = original["metadata"][marks].clone();
            }
        }));
    }
}

pub fn reverts<'a>(stage: &'a Stage, tale: &'a Tale) -> Act<'a> {
    let originals = tale.originals.clone();
    at_once(stage, move |world| revert(world, &originals))
}

pub fn reverts_for_ever<'a>(stage: &'a Stage, tale: &'a Tale) -> Act<'a> {
    let originals = tale.originals.clone();
    for_ever(stage, Duration::from_secs(3), move |world| revert(world, &originals))
}

/// Other claims and machines under the names that the move is about to use, where it has not yet.
pub fn takes_names<'a>(stage: &'a Stage, _: &'a Tale) -> Act<'a> {
    at_once(stage, |world| {
        for claim in in_namespace(world, &CLAIM, "shop") {
            drop(world.create(json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim.name, "namespace": "prod", "labels": {"whose": "taken"}},
                "spec": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            })));
        }
        for vm in world.list(&VM, Some("shop")) {
            drop(world.create(json!({
                "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
                "metadata": {"name": text(&vm, "/metadata/name"), "namespace": "prod", "labels": {"whose": "taken"}},
                "spec": {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}, "resources": {"requests": {"memory": "64Mi"}}}}}},
            })));
        }
    })
}
