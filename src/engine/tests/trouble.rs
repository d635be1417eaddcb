//! Steps that fail once, for ever, are blocked, meet something foreign; signals and lost locks in the middle.

use super::*;
use crate::engine::StepError;
use crate::model::finding::Finding;
use crate::model::kind;
use crate::model::names::{End, ObjectRef};

fn blocked() -> StepError {
    StepError::Blocked(Finding::blocking("E007", ObjectRef::cluster(End::Source, kind::NODE, "n1"), "node n1 does not answer"))
}

/// Every step of a graph that is carried out up to verify.
fn steps(graph: &Graph) -> Vec<String> {
    graph.nodes().iter().filter(|node| node.phase < Phase::Cleanup).map(|node| node.id.0.clone()).collect()
}

fn group_of(step: &str) -> &str {
    step.split_once('/').map_or("", |(group, _)| group)
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_of_any_call_is_tried_again() {
    for graph in graphs::all() {
        for step in steps(&graph) {
            let mut story = Story::of(&graph);
            story.world.script(&step, |script| {
                script.before = [StepError::transient("timeout")].into();
                script.perform = [StepError::transient("conflict"), StepError::transient("conflict")].into();
            });
            story.ledger.fails([StepError::transient("timeout")]);
            let summary = story.forward().await;
            assert!(summary.groups.iter().all(|end| end.outcome == Outcome::Done), "{step}: {summary:?}");
            story.assert_arrived();
            assert_eq!(story.told.iter().filter(|event| matches!(event, Event::StepRetrying { .. })).count(), 3);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_stays_keeps_the_machine_for_a_look() {
    for graph in graphs::all() {
        for (step, error, word) in
            steps(&graph).into_iter().flat_map(|step| [(step.clone(), StepError::permanent("forbidden"), "failed"), (step, blocked(), "blocked")])
        {
            let mut story = Story::of(&graph);
            story.world.script(&step, |script| script.perform = [error].into());
            let summary = story.forward().await;
            assert_eq!(outcome(&summary, group_of(&step)), Some(Outcome::Failed), "{step}: {summary:?}");
            assert_eq!(story.ledger.count(&format!("{word} {step}")), 1);
            assert!(story.world.log().iter().all(|line| !line.starts_with("undo")));
            // The cause is gone: going on reaches the same end.
            story.resume().await;
            story.assert_arrived();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_before_anything_is_written_leaves_no_half_intents() {
    let graph = graphs::disks();
    let mut story = Story::of(&graph);
    story.world.script("db/data/clone", |clone| clone.before = [blocked()].into());
    let summary = story.forward().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Failed));
    assert_eq!(story.ledger.words()[3..], ["done db/stop", "blocked db/data/clone"]);
    story.resume().await;
    story.assert_arrived();
}

#[tokio::test(start_paused = true)]
async fn what_is_foreign_is_never_touched() {
    for graph in graphs::all() {
        for step in steps(&graph) {
            let mut story = Story::of(&graph);
            story.world.script(&step, |script| script.foreign = true);
            let summary = story.forward().await;
            assert_eq!(outcome(&summary, group_of(&step)), Some(Outcome::Failed), "{step}: {summary:?}");
            assert_eq!(story.world.times(&format!("perform {step}")), 0);
            assert!(cause(&summary, group_of(&step)).contains("is not ours"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_undo_a_failed_machine_is_put_back_but_never_across_its_start() {
    for graph in graphs::all() {
        for step in steps(&graph) {
            let mut story = Story::of(&graph).on_failure(OnFailure::Undo);
            story.settings.parallel = 1;
            story.world.script(&step, |script| script.perform = [StepError::permanent("forbidden")].into());
            let summary = story.forward().await;
            let phase = graph.node(&id(&step)).unwrap().phase;
            let expected = if phase >= Phase::Start { Outcome::Failed } else { Outcome::Undone };
            assert_eq!(outcome(&summary, group_of(&step)), Some(expected), "{step}: {summary:?}");
            if summary.groups.iter().all(|end| matches!(end.outcome, Outcome::Undone | Outcome::Skipped)) {
                story.assert_as_before();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_stop_machines_in_flight_finish_and_none_begins() {
    let graph = graphs::many(4);
    let mut story = Story::of(&graph);
    story.settings.parallel = 2;
    story.world.script("vm0/fence", |fence| fence.waits = 1);
    story.world.script("vm0/stop", |stop| stop.perform = [StepError::permanent("forbidden")].into());
    story.world.script("vm1/root/clone", |clone| clone.waits = 5);
    let summary = story.forward().await;
    let ends: Vec<Outcome> = summary.groups.iter().map(|end| end.outcome).collect();
    assert_eq!(ends, [Outcome::Failed, Outcome::Done, Outcome::Skipped, Outcome::Skipped]);
    assert!(story.ledger.words().iter().all(|word| !word.contains("vm2") && !word.contains("vm3")));
}

#[tokio::test(start_paused = true)]
async fn with_continue_the_others_go_on() {
    let graph = graphs::many(4);
    let mut story = Story::of(&graph).on_failure(OnFailure::Continue);
    story.settings.parallel = 2;
    story.world.script("vm0/fence", |fence| fence.perform = [StepError::permanent("forbidden")].into());
    let ends: Vec<Outcome> = story.forward().await.groups.iter().map(|end| end.outcome).collect();
    assert_eq!(ends, [Outcome::Failed, Outcome::Done, Outcome::Done, Outcome::Done]);
}

#[tokio::test(start_paused = true)]
async fn with_continue_one_shared_failure_holds_up_only_those_who_need_it() {
    let graph = graphs::two();
    let mut story = Story::of(&graph).on_failure(OnFailure::Continue);
    story.world.script("secret", |secret| secret.foreign = true);
    story.world.script("config", |config| config.waits = 5);
    let summary = story.forward().await;
    assert_eq!(outcome(&summary, ""), Some(Outcome::Failed));
    assert_eq!((outcome(&summary, "db"), outcome(&summary, "web")), (Some(Outcome::Skipped), Some(Outcome::Done)));
    assert_eq!(cause(&summary, "db"), "secret was not made, which has to come first");
}

#[tokio::test(start_paused = true)]
async fn a_signal_lets_requests_finish_and_begins_nothing() {
    for graph in graphs::all() {
        for step in steps(&graph) {
            let mut story = Story::of(&graph);
            let cancelled = format!("perform {step}");
            story.world.script(&step, |script| (script.takes, script.waits) = (Duration::from_secs(2), 3));
            story.world.cancels_at(Some(&cancelled), &story.cancel);
            let summary = story.forward().await;
            assert_eq!(summary.stopped.as_deref(), Some("interrupted"), "{step}");
            assert!(summary.groups.iter().any(|end| end.outcome == Outcome::Stopped), "{step}: {summary:?}");
            assert!(story.world.has(&id(&step)), "the request in flight was finished");
            let log = story.world.log();
            let at = log.iter().position(|line| *line == cancelled).unwrap();
            let busy = |line: &String| graph.node(&id(line.split_once(' ').unwrap().1)).unwrap().needs.contains(&id(&step));
            assert!(!log[at..].iter().any(busy), "{step}: {log:?}");
            assert_eq!(story.told.iter().filter(|event| matches!(event, Event::Stopping { .. })).count(), 1);
            assert!(story.ledger.words().iter().all(|word| !word.starts_with("failed")));
            story.resume().await;
            story.assert_arrived();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_retries_too() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.world.script("db/root/clone", |clone| clone.perform = std::iter::repeat_with(|| StepError::transient("timeout")).take(3).collect());
    story.world.cancels_at(Some("perform db/root/clone"), &story.cancel);
    let summary = story.forward().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Stopped));
    assert_eq!(story.world.times("perform db/root/clone"), 1);
}

/// The world and the ledger panic at any call after the lock was lost.
#[tokio::test(start_paused = true)]
async fn once_the_lock_is_lost_nothing_is_touched_or_written() {
    for graph in graphs::all() {
        for step in steps(&graph) {
            let mut story = Story::of(&graph).on_failure(OnFailure::Undo);
            for node in graph.nodes() {
                story.world.script(&node.id.0, |script| (script.takes, script.waits) = (Duration::from_millis(300), 1));
            }
            story.world.script(&step, |script| script.perform = [StepError::Lost("held by ann".into())].into());
            let summary = story.forward().await;
            assert_eq!(summary.stopped.as_deref(), Some("held by ann"), "{step}");
            story.resume().await;
            story.assert_arrived();
        }
        let mut story = Story::of(&graph);
        story.forward().await;
        story.ledger.fails([StepError::Lost("held by ann".into())]);
        assert_eq!(story.back().await.stopped.as_deref(), Some("held by ann"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_ends_the_machine_before_it_acts() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.ledger.fails([StepError::permanent("forbidden")]);
    let summary = story.forward().await;
    assert_eq!(cause(&summary, "db"), "the journal could not be written: forbidden");
    assert_eq!(story.world.log(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_takes_no_effect_fails_in_the_end() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.settings.only = up_to(Phase::Stop);
    story.forward().await;
    story.settings.only = up_to(Phase::Verify);
    story.world.script("db/root/clone", |clone| clone.idle = true);
    let summary = story.forward().await;
    assert_eq!(cause(&summary, "db"), "db/root/clone: making takes no effect");
}
