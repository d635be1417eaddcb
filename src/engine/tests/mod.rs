//! Generic misfortune over several graphs: a scripted world in which any call can fail, wait, lose the lock or be the last.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod back;
mod begin;
mod crash;
mod graphs;
mod journal;
mod limits;
mod stale;
mod trouble;
mod windows;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use self::journal::MemoryLedger;
use self::world::World;
use super::cancel::Cancel;
use super::clock::{Rng, System};
use super::next::{self, States};
use super::run::{Engine, OnFailure, Settings, Summary};
use crate::model::event::{Event, Observer, Outcome};
use crate::model::graph::{Graph, Phase, StepId};
use crate::model::journal::Entry;

/// The same numbers every time.
struct Seeded(std::sync::atomic::AtomicU64);

impl Rng for Seeded {
    fn next(&self) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let seed = self.0.fetch_add(step, std::sync::atomic::Ordering::Relaxed);
        (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }
}

#[derive(Default)]
struct Told(Vec<Event>);

impl Observer for Told {
    fn on(&mut self, event: &Event) {
        self.0.push(event.clone());
    }
}

/// A move of one graph through one world, as often as it takes.
struct Story<'g> {
    graph: &'g Graph,
    ledger: MemoryLedger,
    world: World<'g>,
    settings: Settings,
    cancel: Cancel,
    clock: System,
    told: Vec<Event>,
}

impl<'g> Story<'g> {
    fn of(graph: &'g Graph) -> Self {
        let clock = System::new();
        let settings = Settings { only: up_to(Phase::Verify), parallel: 4, ..Settings::default() };
        let ledger = MemoryLedger::default();
        let world = World::new(graph, ledger.clone(), clock);
        Self { graph, ledger, world, settings, cancel: Cancel::default(), clock, told: Vec::new() }
    }

    fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.settings.on_failure = on_failure;
        self
    }

    fn max_downtime(mut self, seconds: u64) -> Self {
        self.settings.max_downtime = Some(Duration::from_secs(seconds));
        self
    }

    /// A new process that knows the journal only. Ends when the engine does, or when it is killed (then `None`).
    async fn live(&mut self, forward: bool) -> Option<Summary> {
        let mut told = Told::default();
        let rng = Seeded(7.into());
        self.world.is_reborn();
        let states = self.ledger.states();
        let summary = {
            let engine = Engine::new(self.graph, states, &self.world, &self.ledger, &self.clock, &rng, &self.cancel, &self.settings, &mut told);
            let run = async { if forward { engine.forward().await } else { engine.back().await } };
            let hour = Duration::from_secs(24 * 3600);
            tokio::select! {
                biased;
                () = self.ledger.killed() => None,
                summary = run => Some(summary),
                () = super::clock::Clock::sleep(&self.clock, hour) => panic!("the run hangs; journal: {:#?}", self.ledger.words()),
            }
        };
        self.told.extend(told.0);
        summary
    }

    async fn forward(&mut self) -> Summary {
        self.live(true).await.expect("not killed")
    }

    async fn back(&mut self) -> Summary {
        self.live(false).await.expect("not killed")
    }

    /// After a crash or a stop: the next process has its own signals.
    async fn resume(&mut self) -> Summary {
        self.cancel = Cancel::default();
        self.world.cancels_at(None, &self.cancel);
        self.forward().await
    }

    fn assert_arrived(&self) {
        let states = self.ledger.states();
        for node in self.graph.nodes().iter().filter(|node| self.settings.only.contains(&node.phase)) {
            assert!(states.is_done(&node.id), "{} is not done: {:#?}", node.id, self.ledger.words());
            assert!(self.world.has(&node.id), "{} has no effect", node.id);
        }
    }

    fn assert_as_before(&self) {
        assert_eq!(self.world.effects(), Vec::<String>::new(), "left behind; journal: {:#?}", self.ledger.words());
        assert_eq!(self.ledger.states().begun().count(), 0, "{:#?}", self.ledger.words());
    }
}

fn up_to(last: Phase) -> BTreeSet<Phase> {
    [Phase::Stop, Phase::Clone, Phase::Copy, Phase::Recreate, Phase::Start, Phase::Verify, Phase::Cleanup]
        .into_iter()
        .filter(|p| *p <= last)
        .collect()
}

fn id(text: &str) -> StepId {
    StepId(text.to_owned())
}

fn outcome(summary: &Summary, group: &str) -> Option<Outcome> {
    summary.groups.iter().find(|end| end.group == group).map(|end| end.outcome)
}

fn cause(summary: &Summary, group: &str) -> String {
    summary.groups.iter().find(|end| end.group == group).and_then(|end| end.cause.clone()).unwrap_or_default()
}
