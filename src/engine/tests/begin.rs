//! When nothing goes wrong: everything once, in order, written down before, in few writes.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_undisturbed_run_reaches_every_effect_once() {
    for graph in graphs::all() {
        let mut story = Story::of(&graph);
        let summary = story.forward().await;
        assert!(summary.groups.iter().all(|end| end.outcome == Outcome::Done), "{summary:?}");
        assert_eq!(summary.stopped, None);
        story.assert_arrived();
        for line in story.world.log() {
            assert_eq!(story.world.times(&line), 1, "{line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_run_finds_nothing_to_do() {
    let graph = graphs::two();
    let mut story = Story::of(&graph);
    story.forward().await;
    let (appends, acts) = (story.ledger.appends(), story.world.log());
    let summary = story.forward().await;
    assert_eq!((outcome(&summary, "db"), outcome(&summary, "web")), (Some(Outcome::Done), Some(Outcome::Done)));
    assert_eq!((story.ledger.appends(), story.world.log()), (appends, acts));
}

#[tokio::test(start_paused = true)]
async fn done_and_the_next_intent_are_one_write() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.settings.only = up_to(Phase::Cleanup);
    story.forward().await;
    story.assert_arrived();
    assert_eq!(graph.nodes().len(), 8);
    assert_eq!(story.ledger.appends(), 9);
    assert_eq!(story.ledger.words()[..3], ["started db/fence", "done db/fence", "started db/stop"]);
}

#[tokio::test(start_paused = true)]
async fn downtime_is_from_stop_to_start() {
    let graph = graphs::one();
    let mut story = Story::of(&graph);
    story.world.script("db/root/clone", |clone| clone.waits = 10);
    story.world.script("db/start", |start| start.waits = 3);
    story.world.script("db/verify", |verify| verify.waits = 30);
    let summary = story.forward().await;
    assert_eq!(summary.groups[0].downtime, Some(Duration::from_secs(13)));
}

#[tokio::test(start_paused = true)]
async fn disks_of_a_machine_travel_side_by_side() {
    let graph = graphs::disks();
    let mut story = Story::of(&graph);
    for disk in ["root", "data", "log"] {
        story.world.script(&format!("db/{disk}/clone"), |clone| clone.waits = 60);
    }
    let summary = story.forward().await;
    assert_eq!(story.world.most_busy(), 3);
    assert_eq!(summary.groups[0].downtime, Some(Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_about_one_disk_does_not_hold_up_another() {
    let graph = graphs::disks();
    let mut story = Story::of(&graph);
    let transient = || crate::engine::StepError::transient("timeout");
    story.world.script("db/root/swap", |swap| swap.before = std::iter::repeat_with(transient).take(8).collect());
    story.world.script("db/data/clone", |clone| clone.takes = Duration::from_secs(2));
    story.forward().await;
    story.assert_arrived();
    let done: Vec<String> =
        story.told.iter().filter_map(|event| if let Event::StepDone { step, .. } = event { Some(step.0.clone()) } else { None }).collect();
    let place = |step: &str| done.iter().position(|other| other == step).unwrap();
    assert!(place("db/data/clone") < place("db/root/swap"), "{done:?}");
}
