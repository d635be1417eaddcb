//! Places for machines and for copies, and the time a machine may be down.

use super::*;
use crate::engine::StepError;
use crate::model::graph::Lane;

#[tokio::test(start_paused = true)]
async fn no_more_machines_are_in_flight_than_asked_for() {
    for parallel in [1, 3, 20] {
        let graph = graphs::many(8);
        let mut story = Story::of(&graph);
        story.settings.parallel = parallel;
        for node in graph.nodes() {
            story.world.script(&node.id.0, |script| script.waits = 2);
        }
        story.forward().await;
        story.assert_arrived();
        assert_eq!(story.world.most_busy(), parallel.min(8));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_limits_copies_across_machines() {
    let graph = graphs::many(6);
    let mut story = Story::of(&graph);
    story.settings.parallel = 6;
    story.settings.only = [Phase::Stop].into();
    story.forward().await;
    story.settings.only = [Phase::Clone].into();
    story.settings.lanes = [(Lane("class/fast".into()), 2)].into();
    for number in 0..6 {
        story.world.script(&format!("vm{number}/root/clone"), |clone| clone.waits = 10);
        story.world.script(&format!("vm{number}/root/swap"), |swap| swap.uncounted = true);
    }
    story.world.forget_busy();
    story.forward().await;
    story.assert_arrived();
    assert_eq!(story.world.most_busy(), 2);
}

#[tokio::test(start_paused = true)]
async fn limits_of_zero_still_let_one_through() {
    let graph = graphs::many(2);
    let mut story = Story::of(&graph);
    story.settings.parallel = 0;
    story.settings.lanes = [(Lane("class/fast".into()), 0)].into();
    story.forward().await;
    story.assert_arrived();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_waits_for_another_gives_up_its_place() {
    let graph = graphs::crossed();
    let mut story = Story::of(&graph);
    story.settings.parallel = 1;
    story.forward().await;
    story.assert_arrived();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_down_too_long_is_put_back() {
    let graph = graphs::two();
    let mut story = Story::of(&graph).max_downtime(60);
    story.world.script("db/data/clone", |clone| clone.waits = 600);
    let summary = story.forward().await;
    assert_eq!((outcome(&summary, "db"), outcome(&summary, "web")), (Some(Outcome::Undone), Some(Outcome::Done)));
    assert_eq!(cause(&summary, "db"), "it was not started within 60s");
    assert!(story.world.effects().iter().all(|effect| !effect.starts_with("db/")));
    assert!(story.world.has(&id("secret")), "what is shared stays while a machine uses it");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_may_have_left_something_is_not_taken_back() {
    let graph = graphs::one();
    let mut story = Story::of(&graph).max_downtime(60);
    story.world.script("db/root/clone", |clone| clone.waits = 50);
    story.world.script("db/start", |start| start.waits = 300);
    let summary = story.forward().await;
    assert_eq!(summary.groups[0].downtime, Some(Duration::from_secs(350)));
    story.assert_arrived();
}

#[tokio::test(start_paused = true)]
async fn a_start_that_leaves_nothing_is_taken_back_in_time() {
    let graph = graphs::one();
    let mut story = Story::of(&graph).max_downtime(60);
    story.world.script("db/start", |start| (start.waits, start.lossless) = (300, true));
    let summary = story.forward().await;
    assert_eq!((outcome(&summary, "db"), cause(&summary, "db")), (Some(Outcome::Undone), "it was not started within 60s".to_owned()));
    story.assert_as_before();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_up_in_time_is_not_put_back() {
    let graph = graphs::one();
    let mut story = Story::of(&graph).max_downtime(60);
    story.world.script("db/start", |start| start.lossless = true);
    story.world.script("db/verify", |verify| (verify.waits, verify.lossless) = (300, true));
    story.forward().await;
    story.assert_arrived();
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_while_waiting_for_a_lane_and_while_retrying() {
    let graph = graphs::many(2);
    let mut story = Story::of(&graph).max_downtime(60);
    story.settings.lanes = [(Lane("class/fast".into()), 1)].into();
    story.world.script("vm0/root/clone", |clone| clone.perform = std::iter::repeat_with(|| StepError::transient("timeout")).take(99).collect());
    let began = crate::engine::clock::Clock::elapsed(&story.clock);
    let summary = story.forward().await;
    assert_eq!(outcome(&summary, "vm0"), Some(Outcome::Undone));
    assert!(summary.groups.iter().all(|end| matches!(end.outcome, Outcome::Undone | Outcome::Done)), "{summary:?}");
    let took = crate::engine::clock::Clock::elapsed(&story.clock).saturating_sub(began);
    assert!(took < Duration::from_secs(62), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn remakes_do_not_win_time() {
    let graph = graphs::one();
    let mut story = Story::of(&graph).max_downtime(60);
    story.world.script("db/root/clone", |clone| (clone.waits, clone.stale) = (25, 1));
    story.world.script("db/root/swap", |swap| swap.waits = 45);
    let began = crate::engine::clock::Clock::elapsed(&story.clock);
    assert_eq!(outcome(&story.forward().await, "db"), Some(Outcome::Undone));
    let took = crate::engine::clock::Clock::elapsed(&story.clock).saturating_sub(began);
    assert!(took < Duration::from_secs(62), "{took:?}");
    story.assert_as_before();
}

#[tokio::test(start_paused = true)]
async fn a_resumed_machine_has_the_limit_once_more() {
    let graph = graphs::one();
    let mut story = Story::of(&graph).max_downtime(60);
    story.settings.only = up_to(Phase::Stop);
    story.forward().await;
    story.settings.only = up_to(Phase::Verify);
    story.world.script("db/root/clone", |clone| clone.waits = 600);
    let summary = story.resume().await;
    assert_eq!((outcome(&summary, "db"), summary.groups[0].downtime), (Some(Outcome::Undone), None));
    story.assert_as_before();
}

/// Two machines, the second of which is through with its disk while the first's is still on its way for so long.
async fn begins_the_other(millis: u64) -> (Vec<String>, Duration) {
    let graph = graphs::many(2);
    let mut story = Story::of(&graph);
    story.world.script("vm0/root/swap", |swap| swap.takes = Duration::from_millis(millis));
    story.forward().await;
    story.assert_arrived();
    let order = story.told.iter().filter_map(|event| match event {
        Event::StepStarted { step, .. } => Some(format!("{step} begins")),
        Event::StepDone { step, .. } => Some(format!("{step} done")),
        _ => None,
    });
    (order.collect(), crate::engine::clock::Clock::elapsed(&story.clock))
}

#[tokio::test(start_paused = true)]
async fn a_volume_on_its_way_lands_before_another_machine_is_made() {
    let (order, _) = begins_the_other(600).await;
    let place = |line: &str| order.iter().position(|other| other == line).unwrap();
    assert!(place("vm1/root/swap done") < place("vm0/root/swap done"));
    assert!(place("vm0/root/swap done") < place("vm1/create begins"), "{order:#?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_a_volume_that_does_not_land() {
    let (order, took) = begins_the_other(3_600_000).await;
    let place = |line: &str| order.iter().position(|other| other == line).unwrap();
    assert!(place("vm1/verify done") < place("vm0/root/swap done"), "{order:#?}");
    assert!(took < Duration::from_secs(3_610));
}
