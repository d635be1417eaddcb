//! What the journal says and the world does not show, and copies that no longer count.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_lasting_effect_that_is_gone_is_drift_and_never_redone() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.settings.only = up_to(Phase::Clone);
    story.forward().await;
    story.world.vanish("db/root/clone");
    story.settings.only = up_to(Phase::Verify);
    let summary = story.resume().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Failed));
    assert!(cause(&summary, "db").contains("that is not so any more"), "{summary:?}");
    assert_eq!(story.ledger.count("blocked db/root/clone"), 1);
    assert!(story.told.iter().any(|event| matches!(event, Event::StepBlocked { finding, .. } if finding.code == "E001")));
    assert_eq!((story.world.times("perform db/root/clone"), story.world.times("perform db/create")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_copy_found_stale_is_made_again_with_all_that_came_after_it() {
    let graph = graphs::disks();
    let mut story = Story::of(&graph);
    story.world.script("db/data/clone", |clone| clone.stale = 2);
    let summary = story.forward().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Done));
    story.assert_arrived();
    assert_eq!(story.world.times("perform db/data/clone"), 3);
    assert_eq!(story.world.times("perform db/fence"), 1);
    assert!(!story.ledger.words().contains(&"goingBack db".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_stays_stale_is_given_up_after_three_remakes() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.world.script("db/root/clone", |clone| clone.stale = 100);
    let summary = story.forward().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Failed));
    assert_eq!(cause(&summary, "db"), "the source has run since");
    assert_eq!(story.world.times("perform db/root/clone"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_later_step_that_sees_a_stale_copy_has_the_copy_made_again() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.settings.only = up_to(Phase::Recreate);
    story.forward().await;
    story.world.spoil("db/root/clone");
    story.settings.only = up_to(Phase::Verify);
    let summary = story.resume().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Done), "{summary:?}");
    story.assert_arrived();
    let undone: Vec<String> = story.world.log().into_iter().filter(|line| line.starts_with("undo")).collect();
    assert_eq!(undone, ["undo db/create", "undo db/root/swap"], "the stale one itself is made again in place");
    assert_eq!(story.world.times("perform db/root/clone"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_looks_and_sees_a_stale_copy_has_it_made_again_unless_it_has_acted() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.world.script("db/start", |start| start.sees_stale = Some(id("db/root/clone")));
    let summary = story.forward().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Done), "{summary:?}");
    story.assert_arrived();
    assert_eq!((story.world.times("perform db/root/clone"), story.world.times("perform db/start")), (2, 1));

    let mut story = Story::of(&graph);
    story.world.script("db/start", |start| start.stale = 1);
    let summary = story.forward().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Failed), "{summary:?}");
    assert!(story.world.log().iter().all(|line| !line.starts_with("undo")), "it may be running: a person decides");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_finds_its_ground_gone_has_it_made_again_at_once() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.world.script("db/create", |create| {
        create.perform = [crate::engine::StepError::Stale("the source has run since".to_owned())].into();
        create.spoils = Some(id("db/fence"));
    });
    let summary = story.forward().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Done), "{summary:?}");
    story.assert_arrived();
    assert_eq!((story.world.times("perform db/fence"), story.world.times("perform db/root/clone")), (2, 2));
    assert!(story.told.iter().all(|event| !matches!(event, Event::StepRetrying { .. })), "there is nothing to wait for");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_again_across_a_start() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.settings.only = up_to(Phase::Start);
    story.forward().await;
    story.world.spoil("db/root/clone");
    story.settings.only = up_to(Phase::Verify);
    let summary = story.resume().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Failed));
    assert!(cause(&summary, "db").contains("started in the target"), "{summary:?}");
    assert!(story.world.log().iter().all(|line| !line.starts_with("undo")));
}

#[tokio::test(start_paused = true)]
async fn cleanup_resumes_although_it_took_away_what_lasted() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.settings.only = up_to(Phase::Cleanup);
    story.world.script("db/remove", |remove| remove.perform = [crate::engine::StepError::permanent("forbidden")].into());
    assert_eq!(outcome(&story.forward().await, "db"), Some(Outcome::Failed));
    story.world.vanish("db/fence");
    let summary = story.resume().await;
    assert_eq!(outcome(&summary, "db"), Some(Outcome::Done), "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn a_remake_cut_short_is_finished_and_goes_forward() {
    let graph = graphs::one();
    for call in 1..60 {
        let mut story = Story::of(&graph);
        story.settings.only = up_to(Phase::Recreate);
        story.forward().await;
        story.world.spoil("db/root/clone");
        story.settings.only = up_to(Phase::Verify);
        story.ledger.dies_at(Some(call));
        let survived = story.live(true).await.is_some();
        story.ledger.dies_at(None);
        if !survived {
            story.resume().await;
        }
        story.assert_arrived();
    }
}
