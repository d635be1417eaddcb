//! Stories of single steps against a server in this process.

#![allow(clippy::unwrap_used)]

mod copies;
mod lifting;
mod strangers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::hand::Hand;
use super::sites::{Site, Sites};
use crate::cluster::scripted::{Log, Reply, Seen, cluster};
use crate::engine::clock::{Clock, System};
use crate::engine::{Hands, Probe, StepError, Undo};
use crate::model::finding::Finding;
use crate::model::graph::StepId;
use crate::model::journal::{Entry, Holder};
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::model::names::{End, MoveId, ObjectRef};
use crate::model::patch::{PatchOp, apply};
use crate::plan::document::PlanSpec;
use crate::plan::fixtures::{claim, disk_plan, machine_plan, object, plan_spec, running, vm};
use crate::plan::order;
use crate::plan::request::Strategy;
use crate::plan::step::Step;

/// Objects by path, with resource versions; patches apply, and so do deletions.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Manifest>,
    version: u32,
    /// Starts that the server was asked for are answered with a reset connection.
    deaf_to_starts: bool,
    /// So long reads of machines take.
    slow: Duration,
}

impl Server {
    fn with(self, objects: impl IntoIterator<Item = Manifest>) -> Self {
        for object in objects {
            self.0.lock().unwrap().keep(object);
        }
        self
    }

    fn hear_starts(&self, heard: bool) {
        self.0.lock().unwrap().deaf_to_starts = !heard;
    }

    fn answers_after(&self, time: Duration) {
        self.0.lock().unwrap().slow = time;
    }

    fn find(&self, object: &ObjectRef) -> Option<Manifest> {
        self.0.lock().unwrap().objects.get(&path(object)).cloned()
    }

    /// The object of this kind that a step made.
    fn made(&self, kind: Kind) -> Manifest {
        self.0.lock().unwrap().objects.values().find(|object| object.kind() == Some(kind) && object.uid() == "made").cloned().unwrap()
    }

    fn forget(&self, object: &ObjectRef) {
        self.0.lock().unwrap().objects.remove(&path(object));
    }

    /// A new process that carries the plan, and what it asks the server.
    fn hand(&self, plan: &PlanSpec) -> (Hand, Log) {
        let server = self.clone();
        let (cluster, log) = cluster(move |seen| server.0.lock().unwrap().reply(seen));
        let site = |namespace: &str| Site { cluster: cluster.clone(), namespace: namespace.to_owned() };
        let sites = Sites { source: site("shop"), target: site("prod") };
        let holder = Holder { number: 1, name: "alice".to_owned() };
        let id = MoveId("shop-to-prod-7k2fq".to_owned());
        (Hand::new(sites, plan.clone(), "d".to_owned(), id, holder, Arc::new(System::new())), log)
    }
}

impl State {
    fn keep(&mut self, mut object: Manifest) -> Manifest {
        self.version += 1;
        object.set("/metadata/resourceVersion", self.version.to_string().into());
        self.objects.insert(path(&object.reference(End::Source).unwrap()), object.clone());
        object
    }

    fn reply(&mut self, seen: &Seen) -> Reply {
        let found = self.objects.get(&seen.path).cloned();
        match (seen.method.as_str(), found) {
            ("GET", _) if seen.query.contains("watch=true") => Reply::Silence,
            ("GET", Some(found)) if seen.path.contains("/virtualmachines/") && !self.slow.is_zero() => late(&found, self.slow),
            ("GET", Some(found)) => Reply::ok(found.into_value()),
            // Enough of field selectors for the one in use.
            ("GET", None) if seen.path.rsplit('/').next().is_some_and(|last| last.ends_with('s')) => {
                let ended = |object: &&Manifest| !seen.query.contains("reason%3DStopped") || object.text("/reason") == Some("Stopped");
                let below = self.objects.iter().filter(|(path, _)| path.starts_with(&format!("{}/", seen.path)));
                Reply::list(below.map(|(_, object)| object).filter(ended).map(|object| object.value().into_owned()).collect())
            }
            ("PUT", _) if seen.path.ends_with("/start") && self.deaf_to_starts => Reply::Break,
            ("PUT", _) if seen.path.ends_with("/start") => Reply::ok(Value::Null),
            ("PATCH", Some(found)) => {
                let ops: Vec<PatchOp> = serde_json::from_value(seen.body.clone()).unwrap();
                let mut changed = apply(&ops, &found).unwrap();
                if changed.at("/spec") != found.at("/spec") {
                    changed.set("/metadata/generation", (found.generation() + 1).into());
                }
                Reply::ok(self.keep(changed).into_value())
            }
            ("POST", _) => {
                let mut made = Manifest::from(seen.body.clone());
                made.set("/metadata/uid", "made".into());
                Reply::ok(self.keep(made).into_value())
            }
            ("DELETE", Some(_)) => {
                self.objects.remove(&seen.path);
                Reply::ok(json!({}))
            }
            _ => Reply::status(404, "NotFound", "not found"),
        }
    }
}

/// An object that comes after a while.
fn late(object: &Manifest, time: Duration) -> Reply {
    let (sender, reply) = Reply::lines();
    let text = object.value().to_string();
    tokio::spawn(async move {
        System::new().sleep(time).await;
        sender.unbounded_send(text).unwrap();
    });
    reply
}

fn path(object: &ObjectRef) -> String {
    let group = if object.kind.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", object.kind.group) };
    let namespace = object.namespace.as_ref().map_or_else(String::new, |namespace| format!("/namespaces/{namespace}"));
    format!("{group}/{}{namespace}/{}/{}", object.kind.version, object.kind.plural, object.name)
}

fn db() -> ObjectRef {
    ObjectRef::namespaced(End::Source, kind::VM, "shop", "db-1")
}

fn id(step: &str) -> StepId {
    StepId(step.to_owned())
}

/// The requests that change something, but for events: `PATCH db-1`.
fn writes(log: &Log) -> Vec<String> {
    let writes = log.all().into_iter().filter(|seen| seen.method != "GET" && !seen.path.ends_with("/events"));
    writes.map(|seen| format!("{} {}", seen.method, seen.path.rsplit("virtualmachines/").next().unwrap())).collect()
}

fn refused(result: Result<impl std::fmt::Debug, StepError>) -> Finding {
    match result {
        Err(StepError::Blocked(finding)) => finding,
        other => panic!("{other:?}"),
    }
}

/// A plan for a running machine of this strategy, and the machine.
fn machine(strategy: &str) -> (PlanSpec, Manifest) {
    let mut vm = running(vm("db-1", &["data"]));
    vm.remove("/spec/running");
    vm.set("/spec/runStrategy", strategy.into());
    let mut plan = machine_plan("db-1", vec![disk_plan("data", 20, Strategy::CloneRebind)]);
    (plan.uid, plan.generation, plan.power.value) = (vm.uid().to_owned(), vm.generation(), strategy.into());
    (plan_spec(vec![plan]), vm)
}

/// Fences the machine and gives what the journal knows then.
async fn fenced(server: &Server, plan: &PlanSpec) -> (Value, Value) {
    let (hand, _) = server.hand(plan);
    let mut vmi = crate::plan::fixtures::vmi(&server.find(&db()).unwrap());
    vmi.set("/status/phase", "Running".into());
    let instance = vmi.reference(End::Source).unwrap();
    server.clone().with([vmi]);
    let fence = id("db-1/fence");
    let before = hand.before(&fence).await.unwrap();
    hand.perform(&fence, &before).await.unwrap();
    let Probe::Ours(output) = hand.probe(&fence).await.unwrap() else { panic!("it is not fenced") };
    server.forget(&instance);
    (before, output)
}

/// How a guest ended, as an event tells it.
fn end(kind: &str, at: &str) -> Manifest {
    let name = format!("db-1.{at}");
    object(kind::EVENT, &name, json!({"type": kind, "reason": "Stopped", "lastTimestamp": format!("2026-01-01T00:00:{at}Z")}))
}

/// What a look at a stopped machine says whose instance is gone, after these events and this journal.
async fn looked(events: Vec<Manifest>, journal: &[Entry], accept: bool) -> Result<Probe, StepError> {
    let (mut plan, vm) = machine("Always");
    plan.options.accept_unclean = accept;
    let server = Server::default().with([vm]).with(events);
    let (_, output) = fenced(&server, &plan).await;
    let (hand, _) = server.hand(&plan);
    hand.remember(&id("db-1/fence"), Some(&output));
    hand.recall(journal);
    hand.probe(&id("db-1/stop")).await
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_was_cut_off_is_known_when_its_instance_is_gone() {
    let clean = |probe: Result<Probe, StepError>| matches!(probe, Ok(Probe::Ours(_)));
    assert!(clean(looked(vec![], &[], false).await));
    assert!(clean(looked(vec![end("Warning", "01"), end("Normal", "02")], &[], false).await), "it crashed once, and came back");
    assert_eq!(refused(looked(vec![end("Normal", "01"), end("Warning", "02")], &[], false).await).code, "E005");
    assert!(clean(looked(vec![end("Warning", "02")], &[], true).await), "it may");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_was_seen_to_be_cut_off_stays_so_when_the_move_goes_on() {
    let step = id("db-1/stop");
    let finding = Finding::blocking("E005", db(), "cut off");
    let blocked = || Entry::Blocked { step: step.clone(), at: String::new(), finding: finding.clone() };
    let started = Entry::Started { step: step.clone(), at: String::new(), before: Value::Null };
    assert_eq!(refused(looked(vec![], &[blocked()], false).await).code, "E005");
    assert!(matches!(looked(vec![], &[blocked(), started], false).await, Ok(Probe::Ours(_))), "stopped anew since");
}

#[tokio::test(start_paused = true)]
async fn going_back_keeps_the_copy_of_a_disk_that_is_gone() {
    let (plan, vm) = machine("Always");
    let disk = claim("data", 20);
    let at = disk.reference(End::Source).unwrap();
    let server = Server::default().with([vm, disk.clone()]);
    let (_, output) = fenced(&server, &plan).await;
    let (hand, _) = server.hand(&plan);
    hand.remember(&id("db-1/fence"), Some(&output));
    hand.perform(&id("db-1/data/clone"), &Value::Null).await.unwrap();
    let copy = server.made(kind::CLAIM).reference(End::Source).unwrap();

    server.forget(&at);
    let kept = refused(hand.undo(&id("db-1/data/clone"), &Value::Null, None).await);
    assert_eq!(kept.code, "E010");
    assert!(kept.message.contains(&format!("delete persistentvolumeclaim {} in namespace shop yourself", copy.name)), "{}", kept.message);
    let mut another = disk.clone();
    another.set("/metadata/uid", "another".into());
    server.clone().with([another]);
    assert_eq!(refused(hand.undo(&id("db-1/data/clone"), &Value::Null, None).await).code, "E010", "made anew, without its data");
    assert!(server.find(&copy).is_some());

    server.clone().with([disk]);
    assert!(matches!(hand.undo(&id("db-1/data/clone"), &Value::Null, None).await, Ok(Undo::Waiting(_))));
    assert_eq!(hand.undo(&id("db-1/data/clone"), &Value::Null, None).await.unwrap(), Undo::Done);
    assert!(server.find(&copy).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_source_keeps_its_disk_when_the_copys_claim_was_made_anew() {
    let (plan, _) = machine("Always");
    let mut copy = claim("data", 20);
    copy.set("/metadata/namespace", "prod".into());
    copy.set("/metadata/uid", "made anew".into());
    let server = Server::default().with([claim("data", 20), copy]);
    let (hand, log) = server.hand(&plan);
    hand.remember(&id("db-1/data/swap"), Some(&json!({"claim": "the copy's", "volume": "pv-copy"})));
    let removal = order::steps(&plan).into_iter().find(|step| matches!(step, Step::RemoveDisk { .. })).unwrap().id();
    let finding = refused(hand.perform(&removal, &Value::Null).await);
    assert!(finding.message.contains("made anew"), "{}", finding.message);
    assert!(writes(&log).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_look_that_took_as_long_as_a_sleep_is_not_acted_on() {
    let (plan, vm) = machine("Always");
    let server = Server::default().with([vm, claim("data", 20)]);
    let (_, output) = fenced(&server, &plan).await;
    let (hand, log) = server.hand(&plan);
    hand.remember(&id("db-1/fence"), Some(&output));
    server.answers_after(Duration::from_secs(6));
    let Err(StepError::Transient(cause)) = hand.perform(&id("db-1/data/clone"), &Value::Null).await else { panic!("it acted") };
    assert_eq!(cause.0, "looking at virtual machine db-1 took 6s, too long to act on what was seen");
    assert!(writes(&log).is_empty());
    server.answers_after(Duration::from_secs(4));
    hand.perform(&id("db-1/data/clone"), &Value::Null).await.unwrap();
    server.made(kind::CLAIM);
}
