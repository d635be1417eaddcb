//! Pods find a node, run, and end.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::sandbox::catalog::{NODE, POD};

fn with_nodes() -> World {
    let mut world = world();
    for name in ["node1", "node2"] {
        world.create(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})).unwrap();
    }
    world.let_pass(SECOND);
    world
}

fn pod(name: &str, more: &Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": [{"name": "main", "image": "none", "resources": {"requests": {"memory": "1Gi"}}}]}});
    for (field, value) in more.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    pod
}

fn using(claim: &str) -> Value {
    json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]})
}

fn why_not(world: &World, name: &str) -> String {
    let pod = world.get(&POD, "shop", name).unwrap();
    assert_eq!(pod["status"]["conditions"][0]["reason"], "Unschedulable");
    text(&pod, "/status/conditions/0/message").to_owned()
}

#[test]
fn a_pod_runs_on_a_node_that_suits_it() {
    let mut world = with_nodes();
    world.create(pod("web", &json!({"nodeSelector": {"kubernetes.io/hostname": "node2"}}))).unwrap();
    world.let_pass(SECOND);
    let web = world.get(&POD, "shop", "web").unwrap();
    assert_eq!((text(&web, "/spec/nodeName"), text(&web, "/status/phase")), ("node2", "Running"));
    assert_eq!(web["status"]["containerStatuses"][0]["ready"], true);
    assert!(world.told("shop", "web").contains(&"Scheduled: Successfully assigned shop/web to node2".to_owned()));
}

#[test]
fn a_pod_that_fits_nowhere_says_why_and_runs_as_soon_as_it_does() {
    let mut world = with_nodes();
    let never = "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.";
    for (name, more, why) in [
        ("label", json!({"nodeSelector": {"nobody": "here"}}), "2 node(s) didn't match Pod's node affinity/selector"),
        ("claim", using("db"), "persistentvolumeclaim \"db\" not found"),
    ] {
        world.create(pod(name, &more)).unwrap();
        world.let_pass(SECOND);
        assert_eq!(why_not(&world, name), format!("0/2 nodes are available: {why}. {never}"));
    }
    let big = json!({"containers": [{"name": "main", "image": "none", "resources": {"requests": {"memory": "1Ti"}}}]});
    world.create(pod("big", &big)).unwrap();
    world.let_pass(SECOND);
    let words =
        "0/2 nodes are available: 2 Insufficient memory. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.";
    assert_eq!(why_not(&world, "big"), words);
    world.edit(&NODE, "", "node1", |node| node["metadata"]["labels"]["nobody"] = "here".into()).unwrap();
    world.bound("shop", "db", &json!({}));
    world.let_pass(SECOND);
    assert_eq!((world.phase(&POD, "shop", "label"), world.phase(&POD, "shop", "claim")), ("Running".to_owned(), "Running".to_owned()));
}

#[test]
fn a_pod_brings_its_claim_to_its_node_and_holds_it_until_it_is_gone() {
    let mut world = with_nodes();
    world.create(claim("shop", "db", &json!({"storageClassName": "wait"}))).unwrap();
    world.create(pod("web", &using("db"))).unwrap();
    world.let_pass(SECOND);
    assert_eq!(world.phase(&POD, "shop", "web"), "Running");
    let chosen = text(&world.claim("shop", "db"), "/metadata/annotations/volume.kubernetes.io~1selected-node").to_owned();
    assert_eq!(chosen, text(&world.get(&POD, "shop", "web").unwrap(), "/spec/nodeName"));
    world.delete(&Key::new(&CLAIM, "shop", "db")).unwrap();
    world.let_pass(SECOND * 5);
    assert_eq!(world.phase(&CLAIM, "shop", "db"), "Bound");
    world.delete(&Key::new(&POD, "shop", "web")).unwrap();
    world.let_pass(SECOND);
    assert_eq!((world.phase(&POD, "shop", "web"), world.phase(&CLAIM, "shop", "db")), ("gone".to_owned(), "gone".to_owned()));
}

#[test]
fn a_pod_takes_its_time_to_stop_but_no_longer_than_its_grace() {
    for (stop, rest, phase) in [("10", 9, "Running"), ("10", 11, "gone"), ("100", 29, "Running"), ("100", 31, "gone")] {
        let mut world = with_nodes();
        let mut slow = pod("slow", &json!({}));
        slow["metadata"]["annotations"] = json!({"sandbox/stop-seconds": stop});
        world.create(slow).unwrap();
        world.let_pass(SECOND);
        world.delete(&Key::new(&POD, "shop", "slow")).unwrap();
        world.let_pass(SECOND * rest);
        assert_eq!(world.phase(&POD, "shop", "slow"), phase, "{stop} {rest}");
    }
}

#[test]
fn a_pod_that_ends_stays() {
    let mut world = with_nodes();
    let mut job = pod("job", &json!({}));
    job["metadata"]["annotations"] = json!({"sandbox/complete-seconds": "5"});
    world.create(job).unwrap();
    world.let_pass(SECOND * 4);
    assert_eq!(world.phase(&POD, "shop", "job"), "Running");
    world.let_pass(SECOND * 60);
    assert_eq!(world.phase(&POD, "shop", "job"), "Succeeded");
}
