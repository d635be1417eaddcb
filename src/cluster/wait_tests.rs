//! Stories of waiting: who is woken when, by a server that is fed by hand.

#![allow(clippy::unwrap_used)]
use std::collections::VecDeque;
use std::sync::Mutex;

use futures::channel::mpsc::UnboundedSender;
use futures::future::{Either, select};

use super::*;
use crate::cluster::scripted::{Log, Reply, cluster, in_turn};

fn claims() -> Topic {
    Topic { kind: kind::CLAIM, namespace: Some("shop".into()), name: Some("root".into()), labels: None, about: About::All }
}

fn event(change: &str, version: u32) -> String {
    let object = serde_json::json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "root", "resourceVersion": version.to_string()}});
    serde_json::json!({"type": change, "object": object}).to_string()
}

fn expired() -> String {
    r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#.to_owned()
}

/// A cluster whose watches the test feeds, one sender per watch; when they run out, watches are silent.
fn fed(watches: usize) -> (Cluster, Log, Vec<UnboundedSender<String>>) {
    let (senders, replies): (Vec<_>, VecDeque<_>) = (0..watches).map(|_| Reply::lines()).unzip();
    let replies = Mutex::new(replies);
    let (cluster, log) = cluster(move |_| replies.lock().unwrap().pop_front().unwrap_or(Reply::Silence));
    (cluster, log, senders)
}

/// Whether a wake-up comes within so many seconds of the (paused) clock.
async fn woken(cluster: &Cluster, wakes: &mut Wakes, seconds: f64) -> bool {
    let next = std::pin::pin!(wakes.next());
    matches!(select(next, cluster.clock().sleep(Duration::from_secs_f64(seconds))).await, Either::Left(_))
}

#[tokio::test(start_paused = true)]
async fn what_happened_before_the_watch_stood_wakes_and_several_changes_are_one_wake_up() {
    let (cluster, log, feed) = fed(1);
    let mut wakes = cluster.watch(&[claims()]);
    assert!(woken(&cluster, &mut wakes, 1.0).await, "the claim may have been deleted before the watch stood");
    assert!(!woken(&cluster, &mut wakes, 30.0).await, "nothing happened");
    for version in [5, 6, 7] {
        feed[0].unbounded_send(event("MODIFIED", version)).unwrap();
    }
    assert!(woken(&cluster, &mut wakes, 1.0).await);
    assert!(!woken(&cluster, &mut wakes, 10.0).await);
    assert!(log.all()[0].query.starts_with("watch=true&allowWatchBookmarks=true&timeoutSeconds=50&fieldSelector=metadata.name%3Droot"));
}

#[tokio::test(start_paused = true)]
async fn waiters_of_one_topic_share_one_watch_which_ends_with_the_last_of_them() {
    let (cluster, log, feed) = fed(2);
    let (mut one, mut other) = (cluster.watch(&[claims()]), cluster.watch(&[claims()]));
    assert!(woken(&cluster, &mut one, 1.0).await && woken(&cluster, &mut other, 1.0).await);
    assert_eq!(log.len(), 1);
    drop(one);
    feed[0].unbounded_send(event("DELETED", 5)).unwrap();
    assert!(woken(&cluster, &mut other, 1.0).await);
    drop(other);
    tokio::task::yield_now().await;
    assert!(feed[0].is_closed(), "nobody listens any more");
    let _again = cluster.watch(&[claims()]);
    cluster.clock().sleep(Duration::from_secs(1)).await;
    assert_eq!(log.len(), 2);
}

/// A watch on all objects of a kind in a namespace, for those who wait for one of them each. It begins at version 100.
fn all_of(kind: Kind, abouts: [About; 2]) -> (Cluster, Log, UnboundedSender<String>, [Wakes; 2]) {
    let (feed, lines) = Reply::lines();
    let (cluster, log) = in_turn(vec![Reply::list(vec![]), lines]);
    let wakes = abouts.map(|about| cluster.watch(&[Topic { kind, namespace: Some("shop".into()), name: None, labels: None, about }]));
    (cluster, log, feed, wakes)
}

fn changed(change: &str, metadata: &serde_json::Value) -> String {
    serde_json::json!({"type": change, "object": {"apiVersion": "v1", "kind": "Any", "metadata": metadata}}).to_string()
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_guest_sleeps_on_when_pods_of_other_guests_change() {
    let (cluster, log, feed, [mut db, mut web]) = all_of(kind::POD, ["db-1", "web-1"].map(|guest| About::Guest(guest.into())));
    let pod = |owner: &str, kind: &str| {
        let owners = serde_json::json!([{"kind": kind, "name": owner}]);
        changed("MODIFIED", &serde_json::json!({"name": "pod", "resourceVersion": "105", "ownerReferences": owners}))
    };
    assert!(woken(&cluster, &mut db, 1.0).await && woken(&cluster, &mut web, 1.0).await, "what happened before the watch stood is not known");
    feed.unbounded_send(pod("web-1", "VirtualMachineInstance")).unwrap();
    assert!(woken(&cluster, &mut web, 1.0).await && !woken(&cluster, &mut db, 5.0).await);
    feed.unbounded_send(pod("backup", "Job")).unwrap();
    assert!(woken(&cluster, &mut db, 1.0).await && woken(&cluster, &mut web, 1.0).await, "it may mount the disks of either");
    assert_eq!(log.len(), 2);
    assert_eq!(log.all()[0].query, "limit=1");
    assert!(log.all()[1].query.contains("resourceVersion=100"), "what is there already is not sent");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_what_is_told_of_an_object_sleeps_on_when_others_are_spoken_of() {
    let (cluster, _, feed, [mut root, mut data]) = all_of(kind::EVENT, ["root", "data"].map(|name| About::Told(name.into())));
    assert!(woken(&cluster, &mut root, 1.0).await && woken(&cluster, &mut data, 1.0).await);
    feed.unbounded_send(event("ADDED", 105).replace("\"root\"", "\"root.18a7f3c2d1e0\"")).unwrap();
    assert!(woken(&cluster, &mut root, 1.0).await && !woken(&cluster, &mut data, 5.0).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_one_object_sleeps_on_when_others_change() {
    let (cluster, _, feed, [mut root, mut data]) = all_of(kind::CLAIM, ["root", "data"].map(|name| About::Object(name.into())));
    assert!(woken(&cluster, &mut root, 1.0).await && woken(&cluster, &mut data, 1.0).await);
    feed.unbounded_send(event("MODIFIED", 105)).unwrap();
    assert!(woken(&cluster, &mut root, 1.0).await && !woken(&cluster, &mut data, 5.0).await);
}

#[tokio::test(start_paused = true)]
async fn a_new_status_wakes_nobody_who_waits_for_what_is_wished() {
    let (cluster, _, feed, [mut wish, mut any]) = all_of(kind::VM, [About::Wish("db-1".into()), About::Object("db-1".into())]);
    let vm = |change: &str, version: &str, generation: u32| {
        let metadata = serde_json::json!({"name": "db-1", "resourceVersion": version, "generation": generation, "managedFields": [version]});
        changed(change, &metadata)
    };
    assert!(woken(&cluster, &mut wish, 1.0).await && woken(&cluster, &mut any, 1.0).await);
    for (line, wakes) in [
        (vm("MODIFIED", "105", 2), true),
        (vm("MODIFIED", "106", 2), false),
        (vm("MODIFIED", "107", 3), true),
        (vm("DELETED", "108", 3), true),
        (vm("ADDED", "109", 3), true),
    ] {
        feed.unbounded_send(line).unwrap();
        assert!(woken(&cluster, &mut any, 1.0).await);
        assert_eq!(woken(&cluster, &mut wish, 1.0).await, wakes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_is_resumed_where_it_was_without_a_wake_up() {
    let (cluster, log, mut feed) = fed(2);
    let mut wakes = cluster.watch(&[claims()]);
    assert!(woken(&cluster, &mut wakes, 1.0).await);
    feed[0].unbounded_send(event("BOOKMARK", 42)).unwrap();
    feed.remove(0).close_channel();
    assert!(!woken(&cluster, &mut wakes, 20.0).await);
    assert!(log.all()[1].query.contains("resourceVersion=42"));
    feed[0].unbounded_send(event("ADDED", 43)).unwrap();
    assert!(woken(&cluster, &mut wakes, 1.0).await);
}

#[tokio::test(start_paused = true)]
async fn too_old_a_version_wakes_everybody_and_begins_again() {
    let (cluster, log, feed) = fed(2);
    let mut wakes = cluster.watch(&[claims()]);
    feed[0].unbounded_send(event("ADDED", 42)).unwrap();
    assert!(woken(&cluster, &mut wakes, 1.0).await);
    feed[0].unbounded_send(expired()).unwrap();
    assert!(woken(&cluster, &mut wakes, 1.0).await);
    assert!(woken(&cluster, &mut wakes, 2.0).await, "and once the new watch stands");
    assert!(!log.all()[1].query.contains("resourceVersion"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_taken_for_dead() {
    let (cluster, log, _feed) = fed(2);
    let mut wakes = cluster.watch(&[claims()]);
    assert!(woken(&cluster, &mut wakes, 1.0).await);
    assert!(!woken(&cluster, &mut wakes, 58.0).await);
    assert!(woken(&cluster, &mut wakes, 5.0).await);
    cluster.clock().sleep(Duration::from_secs(1)).await;
    assert_eq!(log.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn where_watching_is_forbidden_the_waiter_looks_every_five_seconds() {
    let (cluster, _) = cluster(|_| Reply::status(403, "Forbidden", "no watch for you"));
    let mut wakes = cluster.watch(&[claims()]);
    for _ in 0..3 {
        assert!(!woken(&cluster, &mut wakes, 4.0).await);
        assert!(woken(&cluster, &mut wakes, 1.5).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restarting_server_is_waited_for_and_what_was_missed_wakes() {
    let (feed, lines) = Reply::lines();
    let (cluster, log) = in_turn(vec![Reply::Break, Reply::Break, Reply::status(503, "ServiceUnavailable", "starting"), lines]);
    let mut wakes = cluster.watch(&[claims()]);
    cluster.clock().sleep(Duration::from_secs(10)).await;
    assert!(woken(&cluster, &mut wakes, 1.0).await);
    assert_eq!(log.len(), 4, "with pauses that grow");
    feed.unbounded_send(event("ADDED", 5)).unwrap();
    assert!(woken(&cluster, &mut wakes, 1.0).await);
}
