//! Phases as windows onto one graph, and what they need from outside.

use super::*;

#[tokio::test(start_paused = true)]
async fn phase_by_phase_is_the_same_as_all_at_once() {
    for graph in graphs::all() {
        let mut story = Story::of(&graph);
        for phase in [Phase::Copy, Phase::Stop, Phase::Clone, Phase::Recreate, Phase::Start, Phase::Verify] {
            story.settings.only = [phase].into();
            assert!(next::missing(&graph, &story.ledger.states(), &story.settings.only, "").is_empty(), "{phase:?}");
            let already = story.world.log().len();
            let summary = story.forward().await;
            assert!(summary.groups.iter().all(|end| end.outcome == Outcome::Done), "{phase:?}: {summary:?}");
            let of = |line: &String| graph.node(&id(line.split_once(' ').unwrap().1)).unwrap().phase;
            assert!(story.world.log()[already..].iter().all(|line| of(line) == phase));
        }
        story.settings.only = up_to(Phase::Verify);
        story.assert_arrived();
    }
}

#[tokio::test(start_paused = true)]
async fn a_phase_too_early_says_what_is_missing_and_touches_nothing() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.settings.only = [Phase::Recreate].into();
    let missing = next::missing(&graph, &story.ledger.states(), &story.settings.only, "db");
    let missing: Vec<&str> = missing.iter().map(|node| node.id.0.as_str()).collect();
    assert_eq!(missing, ["db/fence", "db/stop", "db/root/clone", "db/root/swap"]);
    let summary = story.forward().await;
    assert_eq!((outcome(&summary, "db"), story.world.log()), (Some(Outcome::Skipped), vec![]));
    assert_eq!(cause(&summary, "db"), "db/root/swap was not made, which has to come first");
}

#[tokio::test(start_paused = true)]
async fn what_only_comes_first_counts_within_the_same_run_only() {
    let graph = graphs::two();
    let mut story = Story::of(&graph);
    story.world.script("config", |config| config.waits = 9);
    story.forward().await;
    let log = story.world.log();
    let place = |line: &str| log.iter().position(|other| other == line).unwrap();
    assert!(place("perform config") < place("perform web/fence"));

    let mut story = Story::of(&graph);
    story.settings.only = [Phase::Stop].into();
    assert!(story.forward().await.groups.iter().all(|end| end.outcome == Outcome::Done));
    assert!(!story.world.has(&id("config")));
}

#[tokio::test(start_paused = true)]
async fn chosen_machines_take_what_they_share_and_leave_the_others_alone() {
    let graph = graphs::two();
    let mut story = Story::of(&graph);
    story.settings.groups = vec!["web".to_owned()];
    let summary = story.forward().await;
    assert_eq!((outcome(&summary, "web"), outcome(&summary, "db")), (Some(Outcome::Done), None));
    assert!(story.world.has(&id("config")) && story.world.log().iter().all(|line| !line.contains("db/")));
}

#[tokio::test(start_paused = true)]
async fn machines_that_wait_for_what_never_comes_end_instead_of_hanging() {
    let graph = graphs::knotted();
    let mut story = Story::of(&graph);
    story.settings.only = [Phase::Copy].into();
    let summary = story.forward().await;
    assert!(summary.groups.iter().all(|end| end.outcome == Outcome::Skipped), "{summary:?}");
}
