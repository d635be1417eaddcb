//! The process dies after each journal entry and each call of the world; another one goes on, or back.

use super::*;

/// Counts the calls of an undisturbed run, forward or of the way back after it.
async fn calls(graph: &Graph, forward: bool) -> usize {
    let mut story = Story::of(graph);
    slow(&story);
    story.forward().await;
    if !forward {
        story.ledger.dies_at(None);
        story.back().await;
    }
    story.ledger.calls()
}

fn slow(story: &Story) {
    for (index, node) in story.graph.nodes().iter().enumerate() {
        story.world.script(&node.id.0, |script| (script.waits, script.undo_waits) = (index % 3, index % 2));
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_last_call_was_another_process_goes_on_to_the_same_end() {
    for graph in graphs::all() {
        for call in 1..=calls(&graph, true).await {
            let mut story = Story::of(&graph);
            slow(&story);
            story.ledger.dies_at(Some(call));
            assert_eq!(story.live(true).await, None, "call {call}");
            let summary = story.resume().await;
            assert!(summary.groups.iter().all(|end| end.outcome == Outcome::Done), "call {call}: {summary:?}");
            story.assert_arrived();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_last_call_was_another_process_puts_everything_back() {
    for graph in graphs::all() {
        for call in 1..=calls(&graph, true).await {
            let mut story = Story::of(&graph);
            slow(&story);
            story.ledger.dies_at(Some(call));
            assert_eq!(story.live(true).await, None, "call {call}");
            let summary = story.back().await;
            assert!(summary.groups.iter().all(|end| matches!(end.outcome, Outcome::Undone | Outcome::Skipped)), "call {call}: {summary:?}");
            story.assert_as_before();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_way_back_cut_short_is_finished_by_whoever_comes_next() {
    for graph in graphs::all() {
        for call in 1..=calls(&graph, false).await {
            for forward in [false, true] {
                let mut story = Story::of(&graph);
                slow(&story);
                story.forward().await;
                story.ledger.dies_at(Some(call));
                assert_eq!(story.live(false).await, None, "call {call}");
                // A resumed run goes on with what was going on: the groups on their way back.
                let on_their_way: Vec<&str> = graph.groups();
                let on_their_way: Vec<&str> = on_their_way.into_iter().filter(|group| story.ledger.states().is_going_back(group)).collect();
                if forward {
                    let left = |group: &&str| graph.nodes().iter().any(|node| node.group == **group && story.ledger.states().is_begun(&node.id));
                    let left: Vec<&str> = on_their_way.into_iter().filter(left).collect();
                    let performed = story.world.log().len();
                    let summary = story.forward().await;
                    for group in left {
                        assert!(group.is_empty() || outcome(&summary, group) == Some(Outcome::Undone), "call {call}: {summary:?}");
                        let again = story.world.log()[performed..].iter().any(|line| line.starts_with(&format!("perform {group}/")));
                        assert!(!again, "{group} went forward on its way back");
                    }
                } else {
                    story.back().await;
                    story.assert_as_before();
                    for group in graph.groups() {
                        assert!(story.ledger.count(&format!("goingBack {group}")) <= 1, "{:#?}", story.ledger.words());
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dying_twice_is_no_worse() {
    let graph = graphs::two();
    for call in (1..=calls(&graph, true).await).step_by(7) {
        for second in [1, 3, 8, 13] {
            let mut story = Story::of(&graph);
            slow(&story);
            story.ledger.dies_at(Some(call));
            story.live(true).await;
            story.ledger.dies_at(Some(second));
            let survived = story.live(true).await.is_some();
            story.ledger.dies_at(None);
            if !survived {
                story.forward().await;
            }
            story.assert_arrived();
        }
    }
}
