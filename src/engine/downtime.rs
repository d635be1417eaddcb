//! How long a group has been down in this run, and for how long it may be.

use std::time::Duration;

use super::run::Engine;
use super::{Hands, Ledger};
use crate::model::graph::{Node, Phase};

/// When a group went down and came up again, as far as this run has seen it.
#[derive(Debug, Default)]
pub(super) struct Downtime {
    group: String,
    /// It is down since then, or at least since this run began.
    since: Option<Duration>,
    /// It went down then, in this run.
    down: Option<Duration>,
    up: Option<Duration>,
}

impl Downtime {
    /// A group that an earlier run stopped is measured against the limit anew: whoever resumes wants it to go on.
    pub(super) fn of<H: Hands, L: Ledger>(engine: &Engine<'_, H, L>, group: &str) -> Self {
        let states = engine.states.borrow();
        let stopped = engine.nodes_of(group).any(|node| node.phase == Phase::Stop && states.is_begun(&node.id));
        Self { group: group.to_owned(), since: stopped.then(|| engine.clock.elapsed()), down: None, up: None }
    }

    pub(super) fn begins(&mut self, node: &Node, now: Duration) {
        if node.phase == Phase::Stop && self.since.is_none() {
            (self.since, self.down) = (Some(now), Some(now));
        }
    }

    pub(super) fn ends(&mut self, node: &Node, now: Duration) {
        if node.phase == Phase::Start {
            self.up = Some(now);
        }
    }

    /// From the begin of Stop to the end of Start, when both happened in this run.
    pub(super) fn measured(&self) -> Option<Duration> {
        self.up.zip(self.down).map(|(up, down)| up.saturating_sub(down))
    }

    /// Resolves with the limit when the group has been down for longer and can still be put back without loss; else never.
    pub(super) async fn passed<H: Hands, L: Ledger>(&self, engine: &Engine<'_, H, L>) -> Duration {
        let will_start = engine.nodes_of(&self.group).any(|node| node.phase == Phase::Start);
        match (engine.settings.max_downtime, self.since) {
            (Some(limit), Some(since)) if will_start && self.up.is_none() => {
                engine.clock.sleep((since + limit).saturating_sub(engine.clock.elapsed())).await;
                // It may have come up while this slept.
                if engine.is_up(&self.group).await { std::future::pending().await } else { limit }
            }
            _ => std::future::pending().await,
        }
    }
}
