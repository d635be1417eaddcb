//! A plan carried out in the sandbox, on what was seen of the user's own cluster: forth, and back again. The cluster itself hears nothing of it.
//!
//! Time there is virtual, so that minutes of waiting cost nothing; guests, drivers and controllers are simulated.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

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
use crate::sandbox::catalog::VM;
use crate::sandbox::reading;
use crate::sandbox::scenario;
use crate::verbs::sandbox::inside::{Inside, in_virtual_time};

/// A move that takes longer in the sandbox waits for something that never comes.
const DAY: Duration = Duration::from_secs(24 * 3600);

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
    let document = as_json::write(plan)?;
    let tale = async |inside: Inside| forth_and_back(&inside, prefix, document, plan).await;
    let rehearsal = in_virtual_time(begin, 1, tale).map_err(|error| cannot(error.to_string()))?;
    Ok(Rehearsal { objects, ..rehearsal })
}

async fn forth_and_back(inside: &Inside, prefix: &str, document: String, plan: &Plan) -> Rehearsal {
    let namespace = &plan.spec.source.namespace;
    let sources =
        || -> Vec<_> { plan.spec.machines.iter().map(|machine| (machine.name.as_str(), as_it_is(inside, namespace, &machine.name))).collect() };
    let before = sources();
    let forth = types(inside, prefix, &format!("run -f - -n {namespace} --yes"), document).await;
    let mut findings = Vec::new();
    if !forth.is_done {
        findings.push(stopped_short(plan, &forth));
    }
    let Some(name) = inside.moves(namespace).pop() else { return Rehearsal { forth, findings, ..Rehearsal::default() } };
    let back = types(inside, prefix, &format!("rollback {name} -n {namespace} --discard-target-writes --yes"), String::new()).await;
    if !back.is_done {
        findings.push(stuck(plan, &back));
    }
    let differ = before.into_iter().zip(sources()).filter(|(before, after)| before != after);
    findings.extend(differ.map(|((machine, _), _)| not_restored(namespace, machine)));
    Rehearsal { forth, back: Some(back), findings, ..Rehearsal::default() }
}

/// Types one command, and gives it a day.
async fn types(inside: &Inside, prefix: &str, line: &str, stdin: String) -> Told {
    let began = inside.clock.elapsed();
    let told = tokio::select! {
        biased;
        said = inside.types(prefix, line, stdin) => Told { lines: said.stdout, errors: said.stderr, is_done: said.code == Code::DONE, ..Told::default() },
        () = inside.clock.sleep(DAY) => Told { errors: "error: it had not ended after a day\n".to_owned(), ..Told::default() },
    };
    Told { took: inside.clock.elapsed().saturating_sub(began), ..told }
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
        items.extend(place.namespace_object().map(|object| named(kind::NAMESPACE, &object.value())));
        add(&mut items, &place.objects);
    }
    without_strangers(&mut items);
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn add(items: &mut Vec<Value>, objects: &Objects) {
    for (kind, look) in objects.looks() {
        if let Look::Listed(listed) = look {
            // Of the journals of other moves only the labels were seen.
            let others = listed.values().filter(|object| object.label(LABEL_LEDGER).is_none());
            items.extend(others.map(|object| named(kind, &object.value())));
        }
    }
}

/// Owners that were not looked at, such as pools, are there all the same: nothing goes because they cannot be found here.
fn without_strangers(items: &mut [Value]) {
    let uid = |object: &Value| object["uid"].as_str().unwrap_or_default().to_owned();
    let known: BTreeSet<String> = items.iter().map(|item| uid(&item["metadata"])).collect();
    for item in items {
        if let Some(owners) = item["metadata"].get_mut("ownerReferences").and_then(Value::as_array_mut) {
            owners.retain(|owner| known.contains(&uid(owner)));
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
fn as_it_is(inside: &Inside, namespace: &str, name: &str) -> Option<[Value; 3]> {
    let machine = inside.sandbox.with(|world| world.get(&VM, namespace, name))?;
    Some([machine["spec"].clone(), machine["metadata"]["labels"].clone(), machine["metadata"]["annotations"].clone()])
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sandbox::fault::{Fault, What};
    use crate::sandbox::scenarios::Scenario;
    use crate::sandbox::status::Status;

    #[test]
    fn a_way_back_that_is_stuck_blocks_the_plan() {
        let world = scenario::play(1, Timestamp::UNIX_EPOCH + 50 * DAY, Scenario::usual().read().unwrap()).unwrap();
        let rehearsal = in_virtual_time(world, 1, async |inside: Inside| {
            let document = inside.types("kubectl vmmove", "plan web-1 -n shop --to prod -o json", String::new()).await.stdout;
            let plan: Plan = serde_json::from_str(&document).unwrap();
            let what = What::Refuse(Status::new(403, "Forbidden", "machines stay"));
            let all = Fault { times: usize::MAX, ..Fault::of_writes(0, what) };
            inside.sandbox.misfortune().add(Fault { verb: "delete".into(), plural: VM.plural.into(), ..all });
            forth_and_back(&inside, "kubectl vmmove", document, &plan).await
        });
        let rehearsal = rehearsal.unwrap();
        let found: Vec<(&str, &str)> = rehearsal.findings.iter().map(|finding| (finding.code.as_str(), finding.object.name.as_str())).collect();
        assert_eq!((rehearsal.forth.is_done, found), (true, vec![("G002", "shop"), ("G002", "web-1")]), "{rehearsal:?}");
        assert!(rehearsal.findings[0].message.starts_with("in the rehearsal, going back got stuck: "), "{rehearsal:?}");
    }
}
