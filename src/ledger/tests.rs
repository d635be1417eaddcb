//! Stories of a ledger in the cluster.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use serde_json::json;

use super::store::{Fault, Store};
use super::{ConfigMaps, Opened, list, object_name, open, remove, take_over};
use crate::cluster::Cluster;
use crate::engine::clock::{Clock, Rng, System};
use crate::engine::{Ledger, StepError};
use crate::model::graph::StepId;
use crate::model::journal::Entry;
use crate::model::names::MoveId;
use crate::plan::decide::digest;
use crate::plan::document::{API_VERSION, Plan, PlanMeta, PlanSpec};
use crate::plan::fixtures;
use crate::plan::request::Strategy;

/// Numbers in turn.
struct Dice(std::sync::atomic::AtomicU64);

impl Rng for Dice {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }
}

pub(super) fn dice() -> impl Rng {
    Dice(1_000_000.into())
}

pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(System::new())
}

pub(super) fn document(spec: PlanSpec) -> Plan {
    let metadata = PlanMeta { name: "shop-to-prod".into(), digest: digest(&spec) };
    Plan { api_version: API_VERSION.into(), kind: "MovePlan".into(), metadata, spec }
}

pub(super) fn restore(id: &MoveId) -> Vec<String> {
    vec![format!("kubectl patch virtualmachine db-1 # {id}")]
}

pub(super) fn started(step: &str) -> Entry {
    Entry::Started { step: StepId(step.into()), at: "2026-01-02T03:04:05Z".into(), before: json!({"was": step}) }
}

async fn begun(cluster: &Cluster) -> (MoveId, ConfigMaps) {
    ConfigMaps::begin(cluster, &document(fixtures::plan()), "alice", &dice(), clock(), restore).await.unwrap()
}

async fn reopened(cluster: &Cluster, id: &MoveId) -> Opened {
    open(cluster, "shop", &id.0).await.unwrap()
}

async fn steps(cluster: &Cluster, id: &MoveId) -> Vec<String> {
    reopened(cluster, id).await.states().begun().map(|(step, _)| step.0.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_read_back_on_another_machine() {
    let store = Store::default();
    let (cluster, log) = store.cluster();
    let (id, ledger) = begun(&cluster).await;
    assert_eq!(log.len(), 1, "one write begins a move");
    assert_eq!(log.all()[0].body["data"]["restore"], format!("kubectl patch virtualmachine db-1 # {id}\n"));
    ledger.append("db-1", &[started("db-1/fence")]).await.unwrap();
    let consent = Entry::Consented { to: "cleanup".into(), by: "bob".into(), at: String::new() };
    ledger.append("", &[started("copy/secret/login"), consent]).await.unwrap();
    ledger.append("db-1", &[started("db-1/stop"), Entry::GoingBack { at: String::new() }]).await.unwrap();
    assert_eq!(log.len(), 4, "one request per append");

    let opened = open(&cluster, "shop", &format!("move/{id}")).await.unwrap();
    assert_eq!(opened.plan, document(fixtures::plan()));
    assert_eq!(opened.header.holder.name, "alice");
    assert_eq!(opened.states().begun().map(|(step, _)| step.0.clone()).collect::<Vec<_>>(), ["copy/secret/login", "db-1/fence", "db-1/stop"]);
    assert!(opened.consented("cleanup") && !opened.consented("discard-target-writes"));
    assert!(opened.is_going_back("db-1") && !opened.is_going_back(""));

    let next = ConfigMaps::hold(&cluster, &opened, clock());
    next.append("db-1", &[started("db-1/clone")]).await.unwrap();
    assert_eq!(steps(&cluster, &id).await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_neither_repeats_nor_loses_an_entry() {
    for fault in [Fault::LostReply, Fault::LostRequest, Fault::Status(504, "Timeout"), Fault::Status(429, "TooManyRequests")] {
        let store = Store::default();
        let (cluster, _) = store.cluster();
        store.fail([fault]);
        let (id, ledger) = begun(&cluster).await;
        for step in ["a", "b", "c"] {
            store.fail([fault]);
            ledger.append("db-1", &[started(step)]).await.unwrap();
        }
        assert_eq!(reopened(&cluster, &id).await.journal["db-1"], [started("a"), started("b"), started("c")], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_holder_is_told_who_carries_the_move_now() {
    let store = Store::default();
    let (cluster, _) = store.cluster();
    let (id, stale) = begun(&cluster).await;
    stale.append("db-1", &[started("a")]).await.unwrap();
    let opened = reopened(&cluster, &id).await;
    stale.append("db-1", &[started("b")]).await.unwrap();
    let (opened, ledger) = take_over(&cluster, &opened, "bob", clock()).await.unwrap();
    assert!(opened.states().is_begun(&StepId("b".into())), "what was written until just now is known");
    assert_eq!((opened.header.holder.number, opened.header.author.as_str()), (2, "alice"));
    // Also where nothing had been written before.
    for group in ["db-1", ""] {
        let lost = stale.append(group, &[started("c")]).await.unwrap_err();
        assert_eq!(lost, StepError::Lost(format!("move {id} is carried by bob now")));
    }
    ledger.append("", &[started("d")]).await.unwrap();
    assert_eq!(steps(&cluster, &id).await, ["a", "b", "d"]);
}

#[tokio::test(start_paused = true)]
async fn an_append_fails_for_now_when_the_server_stays_away_and_counts_when_it_arrived_after_all() {
    let store = Store::default();
    let (cluster, _) = store.cluster();
    let (id, ledger) = begun(&cluster).await;
    ledger.append("db-1", &[started("a")]).await.unwrap();
    store.fail([Fault::Status(429, "TooManyRequests"); 200]);
    assert!(matches!(ledger.append("db-1", &[started("b")]).await, Err(StepError::Transient(_))));
    store.heal();
    store.fail([Fault::Status(403, "Forbidden")]);
    let Err(StepError::Permanent(cause)) = ledger.append("db-1", &[started("b")]).await else { panic!() };
    assert!(cause.0.starts_with(&format!("the journal of move {id} could not be written to ConfigMap vmmove-{id}-")), "{}", cause.0);
    ledger.append("db-1", &[started("c")]).await.unwrap();
    assert_eq!(steps(&cluster, &id).await, ["a", "c"]);

    store.fail([Fault::LostReply]);
    store.go_blind(true);
    assert!(matches!(ledger.append("db-1", &[started("d")]).await, Err(StepError::Transient(_))), "nobody can tell whether it arrived");
    store.go_blind(false);
    ledger.append("db-1", &[started("e")]).await.unwrap();
    assert_eq!(steps(&cluster, &id).await, ["a", "c", "d", "e"]);
}

#[tokio::test(start_paused = true)]
async fn what_others_put_beside_the_journal_stays_and_what_they_do_to_it_is_noticed() {
    let store = Store::default();
    let (cluster, _) = store.cluster();
    let (id, ledger) = begun(&cluster).await;
    ledger.append("db-1", &[started("a")]).await.unwrap();
    let part = store.names().into_iter().find(|name| name.ends_with("-0")).unwrap();
    store.edit(&part, |part| part["metadata"]["annotations"]["backup"] = "yes".into());
    ledger.append("db-1", &[started("b")]).await.unwrap();
    store.edit(&part, |part| assert_eq!(part["metadata"]["annotations"]["backup"], "yes"));
    assert_eq!(steps(&cluster, &id).await, ["a", "b"]);

    store.edit(&part, |part| part["binaryData"]["entries"] = "AAAA".into());
    assert!(matches!(ledger.append("db-1", &[started("c")]).await, Err(StepError::Lost(_))));
    let damaged = open(&cluster, "shop", &id.0).await.unwrap_err();
    assert!(damaged.message.starts_with(&format!("ConfigMap {part} in namespace shop does not hold")), "{}", damaged.message);
    assert!(damaged.message.ends_with("nothing was touched"), "{}", damaged.message);
    store.drop_object(&part);
    assert!(matches!(ledger.append("db-1", &[started("c")]).await, Err(StepError::Permanent(_))));
}

#[tokio::test(start_paused = true)]
async fn moves_are_found_by_similar_names_listed_and_removed() {
    let store = Store::default();
    let (cluster, _) = store.cluster();
    let (id, ledger) = begun(&cluster).await;
    ledger.append("db-1", &[started("a")]).await.unwrap();
    let unknown = open(&cluster, "shop", "shop-to-prod-xxxxx").await.unwrap_err();
    assert_eq!(unknown.message, "there is no move shop-to-prod-xxxxx in namespace shop");
    assert_eq!(unknown.hints, [format!("did you mean {id}?")]);
    assert_eq!(list(&cluster, Some("shop")).await.unwrap().headers, [ledger.header().clone()]);
    remove(&cluster, "shop", &id).await.unwrap();
    assert!(store.names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_move_of_a_newer_version_is_left_alone() {
    let store = Store::default();
    let (cluster, _) = store.cluster();
    let (id, _) = begun(&cluster).await;
    store.edit(&object_name(&id), |map| map["data"]["header"] = json!({"oldestReader": 7, "tool": "9.1.0", "new": {}}).to_string().into());
    let refused = open(&cluster, "shop", &id.0).await.unwrap_err();
    assert_eq!(refused.hints, ["use kubectl-vmmove 9.1.0 or newer for this move"]);
    assert_eq!(list(&cluster, Some("shop")).await.unwrap().unreadable.len(), 1);
}

/// Text that does not pack, in place of what packs ten times: so a few writes fill a part.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b' ' + u8::try_from(state >> 58).unwrap())
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test(start_paused = true)]
async fn five_hundred_disks_fit() {
    let store = Store::default();
    let (cluster, log) = store.cluster();
    let disks = (0..500).map(|number| fixtures::disk_plan(&format!("disk-{number}"), 20, Strategy::CloneRebind)).collect();
    let plan = document(fixtures::plan_spec(vec![fixtures::machine_plan("db-1", disks)]));
    let (id, ledger) = ConfigMaps::begin(&cluster, &plan, "alice", &dice(), clock(), restore).await.unwrap();
    let mut written = Vec::new();
    for number in 0..500 {
        let step = StepId(format!("db-1/disk-{number}/clone"));
        // A manifest as a step keeps it, with a part that is different each time.
        let before = json!({"uid": format!("{number:032x}"), "spec": fixtures::claim("disk", 20), "odd": noise(number % 40)});
        let done = Entry::Done { step: step.clone(), at: format!("{number}"), output: json!({"uid": format!("{number:x}")}) };
        written.extend([Entry::Started { step, at: format!("{number}"), before }, done]);
    }
    for entries in written.chunks(10) {
        ledger.append("db-1", entries).await.unwrap();
    }
    let largest = log.all().iter().map(|seen| seen.body.to_string().len()).max().unwrap();
    assert!(largest < 1 << 20, "{largest} bytes");
    let opened = reopened(&cluster, &id).await;
    assert_eq!((&opened.journal["db-1"], opened.plan), (&written, plan));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_outgrows_its_part_goes_on_in_another_and_so_does_a_plan() {
    let store = Store::default();
    let (cluster, _) = store.cluster();
    let mut spec = fixtures::plan();
    spec.machines[0].disks[0].why = noise(900 << 10);
    let (id, ledger) = ConfigMaps::begin(&cluster, &document(spec), "alice", &dice(), clock(), restore).await.unwrap();
    let large = |step: &str| Entry::Started { step: StepId(step.into()), at: String::new(), before: noise(300 << 10).into() };
    for step in ["a", "b", "c", "d"] {
        store.fail([Fault::LostReply]);
        ledger.append("db-1", &[large(step)]).await.unwrap();
    }
    assert_eq!(store.names().len(), 2 + 2, "{:?}", store.names());
    let opened = reopened(&cluster, &id).await;
    assert_eq!(opened.entries().count(), 4);
    let next = ConfigMaps::hold(&cluster, &opened, clock());
    next.append("db-1", &[large("e")]).await.unwrap();
    assert!(matches!(ledger.append("db-1", &[large("f")]).await, Err(StepError::Lost(_))), "two processes under one number are told apart");
    assert_eq!(steps(&cluster, &id).await, ["a", "b", "c", "d", "e"]);
    assert!(store.names().contains(&format!("vmmove-{id}-plan-1")));
}

#[tokio::test(start_paused = true)]
async fn of_two_who_take_over_one_does_and_a_cut_short_take_over_is_repeated() {
    let store = Store::default();
    let (cluster, _) = store.cluster();
    let (id, ledger) = begun(&cluster).await;
    ledger.append("db-1", &[started("a")]).await.unwrap();
    let opened = reopened(&cluster, &id).await;
    // Somebody labels the header, then it is written without an answer; the first chain is refused.
    store.edit(&object_name(&id), |map| map["metadata"]["labels"]["team"] = "db".into());
    store.fail([Fault::Status(409, "Conflict"), Fault::LostReply, Fault::Status(403, "Forbidden")]);
    assert!(take_over(&cluster, &opened, "bob", clock()).await.is_err());
    let late = take_over(&cluster, &opened, "carol", clock()).await.err().unwrap();
    assert_eq!(late.message, format!("move {id} is carried by bob now"));
    let (opened, _) = take_over(&cluster, &reopened(&cluster, &id).await, "carol", clock()).await.unwrap();
    assert_eq!((opened.header.holder.number, opened.header.holder.name.as_str()), (3, "carol"));
    assert!(matches!(ledger.append("db-1", &[started("b")]).await, Err(StepError::Lost(_))));
}
