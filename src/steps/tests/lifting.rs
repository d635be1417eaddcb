//! Lifting a fence: the machine is what it was, and runs if it ran.

use super::*;

#[tokio::test(start_paused = true)]
async fn lifting_the_fence_of_a_manual_machine_starts_it_though_the_first_try_is_cut_short() {
    let (plan, vm) = machine("Manual");
    let server = Server::default().with([vm.clone()]);
    let (before, output) = fenced(&server, &plan).await;

    server.hear_starts(false);
    let (first, _) = server.hand(&plan);
    assert!(matches!(first.undo(&id("db-1/fence"), &before, Some(&output)).await, Err(StepError::Transient(_))));
    let half = server.find(&db()).unwrap();
    assert_eq!((half.text("/spec/runStrategy"), half.at("/spec/template/spec/affinity")), (Some("Manual"), None));
    assert!(half.annotation("vmmove.io/fence").is_some(), "the mark says that it is not over");

    server.hear_starts(true);
    let (second, log) = server.hand(&plan);
    assert_eq!(second.undo(&id("db-1/fence"), &before, Some(&output)).await.unwrap(), Undo::Done);
    assert_eq!(writes(&log), ["PUT db-1/start", "PATCH db-1"]);
    let back = server.find(&db()).unwrap();
    assert_eq!((back.at("/spec"), back.at("/metadata/annotations")), (vm.at("/spec"), vm.at("/metadata/annotations")));

    let (third, log) = server.hand(&plan);
    assert_eq!(third.undo(&id("db-1/fence"), &before, Some(&output)).await.unwrap(), Undo::Done);
    assert!(writes(&log).is_empty(), "a machine that is free is not started once more");
}

#[tokio::test(start_paused = true)]
async fn lifting_the_fence_of_other_machines_is_one_patch() {
    let (plan, vm) = machine("Always");
    let server = Server::default().with([vm.clone()]);
    let (before, output) = fenced(&server, &plan).await;
    let (hand, log) = server.hand(&plan);
    assert_eq!(hand.undo(&id("db-1/fence"), &before, Some(&output)).await.unwrap(), Undo::Done);
    assert_eq!(writes(&log), ["PATCH db-1"]);
    assert_eq!(server.find(&db()).unwrap().at("/spec"), vm.at("/spec"));
}

/// As KubeVirt, once it has seen that the machine is halted: the failed start is forgotten.
fn kubevirt_looks(server: &Server) {
    let mut vm = server.find(&db()).unwrap();
    assert_eq!(vm.text("/spec/runStrategy"), Some("Halted"));
    vm.remove("/status/startFailure");
    server.clone().with([vm]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_failed_under_the_fence_is_forgotten_before_the_machine_is_given_back() {
    let (plan, vm) = machine("RerunOnFailure");
    let server = Server::default().with([vm.clone()]);
    let (before, output) = fenced(&server, &plan).await;
    let mut started = server.find(&db()).unwrap();
    started.set("/spec/runStrategy", "Always".into());
    started.set("/status/startFailure", json!({"consecutiveFailCount": 1, "retryAfterTimestamp": "2026-01-01T00:00:10Z"}));
    server.clone().with([started]);

    let (hand, log) = server.hand(&plan);
    for _ in 0..2 {
        assert!(matches!(hand.undo(&id("db-1/fence"), &before, Some(&output)).await.unwrap(), Undo::Waiting(_)));
    }
    assert_eq!(writes(&log), ["PATCH db-1"], "it is halted once");
    kubevirt_looks(&server);
    assert_eq!(hand.undo(&id("db-1/fence"), &before, Some(&output)).await.unwrap(), Undo::Done);
    assert_eq!(server.find(&db()).unwrap().at("/spec"), vm.at("/spec"));
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_the_fence_goes_before_the_machine_is_given_back_also_when_it_has_ended() {
    let (plan, vm) = machine("RerunOnFailure");
    let server = Server::default().with([vm.clone()]);
    let (before, output) = fenced(&server, &plan).await;
    let mut instance = crate::plan::fixtures::vmi(&server.find(&db()).unwrap());
    instance.set("/status/phase", "Failed".into());
    server.clone().with([instance.clone()]);

    let (hand, _) = server.hand(&plan);
    assert!(matches!(hand.undo(&id("db-1/fence"), &before, Some(&output)).await.unwrap(), Undo::Waiting(_)));
    server.forget(&instance.reference(End::Source).unwrap());
    assert_eq!(hand.undo(&id("db-1/fence"), &before, Some(&output)).await.unwrap(), Undo::Done);
    assert_eq!(server.find(&db()).unwrap().at("/spec"), vm.at("/spec"));
}
