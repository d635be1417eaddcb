//! A plan carried out in the sandbox, on what was seen of the user's own cluster: forth, and back again. The cluster itself hears nothing of it.
//!
//! Time there is virtual, so that minutes of waiting cost nothing; guests, drivers and controllers are simulated.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::engine::clock::Seeded;
use crate::exit::Code;
use crate::ledger::LABEL_LEDGER;
use crate::model::failure::Failure;
use crate::model::finding::Finding;
use crate::model::inventory::{Inventory, Look, Objects, Place};
use crate::model::kind;
use crate::model::names::{End, ObjectRef};
use crate::output::json as as_json;
use crate::output::rehearsal::{Rehearsal, Told};
use crate::plan::document::Plan;
use crate::sandbox::catalog::{CONFIG_MAP, VM};
use crate::sandbox::reading;
use crate::sandbox::scenario;
use crate::sandbox::server::Sandbox;
use crate::sandbox::store::text;
use crate::sandbox::time::Scaled;
use crate::sandbox::world::World;
use crate::verbs::sandbox::inside::types;

/// Rehearses a plan that nothing blocks.
///
/// # Errors
/// What was seen does not make a cluster that stands by itself.
pub async fn rehearse(prefix: &str, now: Timestamp, seen: &Inventory, plan: &Plan) -> Result<Rehearsal, Failure> {
    let (prefix, cluster, plan) = (prefix.to_owned(), seen_as_list(seen), plan.clone());
    // A paused clock needs a runtime of its own, and that a thread of its own.
    let played = tokio::task::spawn_blocking(move || play(&prefix, now, &cluster, &plan)).await;
    played.unwrap_or_else(|_| Err(Failure::error("the rehearsal ended by a defect; your cluster was not touched")))
}

fn play(prefix: &str, now: Timestamp, cluster: &Value, plan: &Plan) -> Result<Rehearsal, Failure> {
    let cannot =
        |why: String| Failure::error(format!("what was seen cannot be rehearsed on: {why}")).hint("plan without --rehearse; nothing was touched");
    let reading = reading::read(&cluster.to_string()).map_err(|error| cannot(error.to_string()))?;
    let objects = reading.objects.len();
    let begin = scenario::play(1, now, reading).map_err(|error| cannot(error.to_string()))?;
    let names: Vec<String> = plan.spec.machines.iter().map(|machine| machine.name.clone()).collect();
    let namespace = plan.spec.source.namespace.clone();
    let line = format!("run -f - -n {namespace} --yes");
    let (forth, moved) = on(begin.clone(), prefix, &line, as_json::write(plan)?)?;
    let mut rehearsal = Rehearsal { objects, forth, ..Rehearsal::default() };
    if !rehearsal.forth.is_done {
        rehearsal.findings.push(stopped_short(plan, &rehearsal.forth));
    }
    let Some(name) = begun(&moved, &namespace) else { return Ok(rehearsal) };
    let (back, returned) = on(moved, prefix, &format!("rollback {name} -n {namespace} --discard-target-writes --yes"), String::new())?;
    if !back.is_done {
        rehearsal.findings.push(stuck(plan, &back));
    }
    let differ = names.iter().filter(|machine| as_it_was(&begin, &namespace, machine) != as_it_was(&returned, &namespace, machine));
    rehearsal.findings.extend(differ.map(|machine| not_restored(&namespace, machine)));
    rehearsal.back = Some(back);
    Ok(rehearsal)
}

/// Types one command in a world, and gives what was said and how the world is then.
fn on(world: World, prefix: &str, line: &str, stdin: String) -> Result<(Told, World), Failure> {
    let cannot = |error: io::Error| Failure::error(format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().map_err(cannot)?;
    runtime.block_on(async {
        let (began, time) = (world.now(), Scaled::new(world.now(), 1));
        let sandbox = Sandbox::of(world, Arc::new(time));
        let alive = tokio::spawn(sandbox.clone().live());
        let said = types(&sandbox, time, Arc::new(Seeded::new(1)), prefix, line, stdin).await;
        alive.abort();
        let world = sandbox.with(|world| world.clone());
        let took = Duration::try_from(world.now().duration_since(began)).unwrap_or_default();
        let told = Told { lines: said.stdout, errors: said.stderr, took, is_done: said.code == Code::DONE };
        Ok((told, world))
    })
}

/// Everything that was seen, as kubectl would list it.
fn seen_as_list(seen: &Inventory) -> Value {
    let mut items = Vec::new();
    let mut ends: Vec<&Place> = vec![&seen.source];
    ends.extend(seen.target.as_ref().filter(|target| target.namespace != seen.source.namespace));
    let system = json!({"metadata": {"name": "kube-system", "uid": seen.source.cluster.id}});
    items.push(named(kind::NAMESPACE, &system));
    add(&mut items, &seen.source.cluster.objects);
    for place in ends {
        items.extend(place.namespace_object().map(|object| named(kind::NAMESPACE, &object.0)));
        add(&mut items, &place.objects);
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn add(items: &mut Vec<Value>, objects: &Objects) {
    for (kind, look) in &objects.0 {
        if let Look::Listed(listed) = look {
            // Of the journals of other moves only the labels were seen.
            let others = listed.values().filter(|object| object.label(LABEL_LEDGER).is_none());
            items.extend(others.map(|object| named(*kind, &object.0)));
        }
    }
}

/// In a list objects do not say what they are.
fn named(kind: kind::Kind, object: &Value) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.kind.into();
    object
}

/// What going back has to restore of a machine.
fn as_it_was(world: &World, namespace: &str, name: &str) -> Option<[Value; 3]> {
    let machine = world.get(&VM, namespace, name)?;
    Some([machine["spec"].clone(), machine["metadata"]["labels"].clone(), machine["metadata"]["annotations"].clone()])
}

fn begun(world: &World, namespace: &str) -> Option<String> {
    let maps = world.list(&CONFIG_MAP, Some(namespace));
    maps.iter().map(|map| text(map, "/metadata/labels/vmmove.io~1move").to_owned()).find(|name| !name.is_empty())
}

fn whole(plan: &Plan) -> ObjectRef {
    ObjectRef::cluster(End::Source, kind::NAMESPACE, &plan.spec.source.namespace)
}

/// The last sentence that a command said about why it ended.
fn reason(told: &Told) -> &str {
    told.errors.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or("it said nothing")
}

fn stopped_short(plan: &Plan, told: &Told) -> Finding {
    Finding::blocking("G001", whole(plan), format!("the rehearsal of this plan did not reach its end: {}", reason(told)))
        .hint("what it printed stands above; if your cluster differs from the sandbox there, plan without --rehearse")
}

fn stuck(plan: &Plan, told: &Told) -> Finding {
    Finding::blocking("G002", whole(plan), format!("in the rehearsal, going back got stuck: {}", reason(told)))
}

fn not_restored(namespace: &str, machine: &str) -> Finding {
    let object = ObjectRef::namespaced(End::Source, kind::VM, namespace, machine);
    Finding::blocking("G002", object, "in the rehearsal, going back did not leave it exactly as it was")
}
