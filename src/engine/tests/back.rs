//! Going back: last first, told once, stopped by what cannot be undone.

use super::*;
use crate::engine::StepError;

#[tokio::test(start_paused = true)]
async fn what_is_shared_goes_back_last_and_only_when_nobody_uses_it() {
    let graph = graphs::two();
    let mut story = Story::of(&graph);
    story.forward().await;
    story.settings.groups = vec!["web".to_owned()];
    let summary = story.back().await;
    assert_eq!((outcome(&summary, "web"), outcome(&summary, "db")), (Some(Outcome::Undone), None));
    assert!(story.world.has(&id("db/start")) && story.world.has(&id("secret")) && !story.world.has(&id("web/fence")));
    story.settings.groups.clear();
    let summary = story.back().await;
    assert_eq!((outcome(&summary, "web"), outcome(&summary, "db")), (Some(Outcome::Skipped), Some(Outcome::Undone)));
    story.assert_as_before();
    assert_eq!(story.world.log().last().map(String::as_str), Some("undo namespace"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_undone_is_stuck_and_nothing_more_is_undone() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.forward().await;
    story.world.script("db/root/swap", |swap| swap.undo = [StepError::permanent("forbidden")].into());
    let summary = story.back().await;
    assert_eq!((outcome(&summary, "db"), cause(&summary, "db")), (Some(Outcome::Stuck), "forbidden".to_owned()));
    assert_eq!((story.ledger.count("stuck db/root/swap"), story.world.times("undo db/root/clone")), (1, 0));
    // When that is repaired, the same command finishes it.
    let summary = story.back().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Undone));
    story.assert_as_before();
    assert_eq!(story.ledger.count("goingBack db"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_of_undoing_is_tried_again() {
    let graph = graphs::two();
    let mut story = Story::of(&graph);
    story.forward().await;
    for node in graph.nodes() {
        story.world.script(&node.id.0, |script| script.undo = [StepError::transient("timeout")].into());
    }
    let summary = story.back().await;
    assert!(summary.groups.iter().all(|end| end.outcome == Outcome::Undone), "{summary:?}");
    story.assert_as_before();
}

#[tokio::test(start_paused = true)]
async fn after_cleanup_began_nothing_at_all_is_undone() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.settings.only = up_to(Phase::Cleanup);
    story.forward().await;
    let words = story.ledger.words();
    let why = next::point_of_no_return(&graph, &story.ledger.states()).map(|(node, why)| (node.id.0.as_str(), why));
    assert_eq!(why, Some(("db/remove", "the source has been removed")));
    let summary = story.back().await;
    assert_eq!((outcome(&summary, "db"), cause(&summary, "db")), (Some(Outcome::Stuck), "the source has been removed".to_owned()));
    assert_eq!(story.ledger.words(), words);
    assert!(story.world.log().iter().all(|line| !line.starts_with("undo")));
}

#[tokio::test(start_paused = true)]
async fn a_way_back_that_is_asked_to_stop_stops_between_steps() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.forward().await;
    story.world.cancels_at(Some("undo db/create"), &story.cancel);
    let summary = story.back().await;
    assert_eq!((outcome(&summary, "db"), summary.stopped.as_deref()), (Some(Outcome::Stopped), Some("interrupted")));
    assert_eq!(story.world.log().last().map(String::as_str), Some("undo db/create"));
    assert!(!story.ledger.states().is_begun(&id("db/create")), "what was undone is written down");
    let summary = story.resume().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Undone), "resuming goes on with going back");
    story.assert_as_before();
    assert_eq!(story.ledger.count("goingBack db"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_went_back_can_be_moved_again() {
    let graph = graphs::two();
    let mut story = Story::of(&graph);
    story.forward().await;
    story.back().await;
    let summary = story.forward().await;
    assert!(summary.groups.iter().all(|end| end.outcome == Outcome::Done), "{summary:?}");
    story.assert_arrived();
    assert_eq!(next::what_next(&graph, &story.ledger.states(), &story.settings.only), next::Next::Finished);
}
