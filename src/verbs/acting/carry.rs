//! Carries a held move: drives the engine and heeds what asks it to stop - a signal, a request, a lost Lease, the time limit.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use super::closing::{self, Ending};
use super::freezing::{self, Freezing};
use super::holding::{Held, failure};
use super::passes::{Pass, Way};
use super::signals::{INTERRUPT, Signals};
use super::telling::{Look, Telling};
use crate::engine::cancel::Cancel;
use crate::engine::clock::{Clock, Rng};
use crate::engine::run::{self, Engine, GroupEnd, Settings, Summary};
use crate::engine::{Ledger as _, StepError};
use crate::exit::Code;
use crate::ledger::{Ledger, request};
use crate::model::age;
use crate::model::event::{Event, Outcome};
use crate::model::failure::{Failure, FailureKind};
use crate::model::graph::Graph;
use crate::model::journal::Entry;
use crate::output::command::CommandPrefix;
use crate::output::summary::Aim;
use crate::plan::document::PlanSpec;
use crate::plan::order;
use crate::plan::request::OnFailure;
use crate::steps::hand::Hand;
use crate::verbs::Context;

/// Disks of one storage class that are copied at once.
const DISKS_PER_CLASS: usize = 8;
/// Tries to write a new holder's number on the fences while others write to the same machines, and the time between them.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// What is to be done with a held move.
pub struct Task {
    pub aim: Aim,
    /// Driven one after the other.
    pub passes: Vec<Pass>,
    /// For the whole run.
    pub limit: Option<Duration>,
    /// What those who watch are shown.
    pub look: Look,
}

/// Carries the move, lets go of it, says how it ended.
///
/// # Errors
/// The ending, where it is not that all is done.
pub async fn carry(cx: &mut Context, held: Held, task: Task) -> Result<Code, Failure> {
    let commands = cx.commands(&held.sites.source.namespace);
    let signals = Signals::listen().map_err(|error| Failure::error(format!("signals cannot be heard: {error}")))?;
    let (clock, rng) = (cx.clock.clone(), cx.rng.clone());
    let (spec, digest) = (&held.plan.spec, &held.plan.metadata.digest);
    let graph = order::graph(spec);
    let journal = Freezing::new(&held.ledger, freezing::steps(spec), &held.journal);
    let hand = Hand::new(held.sites.clone(), spec.clone(), digest.clone(), held.id.clone(), held.holder().clone(), clock.clone());
    hand.recall(held.journal.values().flatten());
    let run = Run {
        held: &held,
        task: &task,
        graph: &graph,
        journal: &journal,
        hand: &hand,
        clock: &*clock,
        rng: &*rng,
        cancel: Cancel::default(),
        signal: Cell::new(None),
        paused: Cell::new(false),
    };
    let ended = run.to_its_end(&Telling::new(&mut cx.io, &*clock, task.look, &commands, &held.id), signals).await;
    let signal = run.signal.get();
    if let Err(Left::AtOnce) = &ended {
        return Err(left_at_once(&held, &commands));
    }
    run.note_pause().await;
    held.release().await;
    match ended {
        Ok(summary) => {
            let states = journal.states();
            let ending = Ending { task: &task, plan: spec, graph: &graph, states: &states, summary: &summary, name: &held.id.0, signal };
            closing::close(cx, &ending, &commands)
        }
        Err(Left::Failed(error)) => Err(failure(*error, &held.id).hint(format!("go on with: {}", commands.typed(&format!("resume {}", held.id))))),
        Err(Left::AtOnce) => Err(left_at_once(&held, &commands)),
    }
}

fn left_at_once(held: &Held, commands: &CommandPrefix) -> Failure {
    Failure::new(FailureKind::Interrupted(INTERRUPT), format!("left move {} with requests in flight", held.id))
        .hint("what was intended is written down; whoever goes on looks first what came of it")
        .hint(format!("go on with: {}", commands.typed(&format!("resume {} --take-over", held.id))))
}

/// Why a run ended without an ending of its own.
enum Left {
    /// SIGINT a second time.
    AtOnce,
    Failed(Box<StepError>),
}

/// One run of the engine with everything around it.
struct Run<'a> {
    held: &'a Held,
    task: &'a Task,
    graph: &'a Graph,
    journal: &'a Freezing<'a, Ledger>,
    hand: &'a Hand,
    clock: &'a dyn Clock,
    rng: &'a dyn Rng,
    cancel: Cancel,
    /// The signal that asked to stop.
    signal: Cell<Option<u8>>,
    /// Somebody's request asked to stop.
    paused: Cell<bool>,
}

impl Run<'_> {
    async fn to_its_end(&self, telling: &Telling<'_>, signals: Signals) -> Result<Summary, Left> {
        if self.held.is_new {
            telling.tell(&Event::MoveStarted { name: self.held.id.0.clone() });
        }
        tokio::select! {
            biased;
            ended = self.drive(telling) => ended.map_err(|error| Left::Failed(Box::new(error))),
            left = self.heed(signals) => Err(left),
            never = self.watch() => match never {},
        }
    }

    /// One pass after the other. Those that are not reached any more count as stopped.
    async fn drive(&self, telling: &Telling<'_>) -> Result<Summary, StepError> {
        if !self.held.is_new {
            self.mark_fences().await?;
        }
        let mut groups = Vec::new();
        for pass in &self.task.passes {
            if let Some(reason) = self.cancel.reason() {
                let stopped =
                    |group: &String| GroupEnd { group: group.clone(), outcome: Outcome::Stopped, cause: Some(reason.clone()), downtime: None };
                groups.extend(pass.groups.iter().map(stopped));
                continue;
            }
            let settings = settings(&self.held.plan.spec, pass);
            let mut tell = telling;
            let states = self.journal.states();
            let engine = Engine::new(self.graph, states, self.hand, self.journal, self.clock, self.rng, &self.cancel, &settings, &mut tell);
            let summary = match pass.way {
                Way::Forward => engine.forward().await,
                Way::Back => engine.back().await,
            };
            groups.extend(summary.groups);
        }
        groups.sort_by(|a, b| a.group.cmp(&b.group));
        Ok(Summary { groups, stopped: self.cancel.reason() })
    }

    /// Writes our number on the fences, so that a holder before us that wakes up does nothing.
    async fn mark_fences(&self) -> Result<(), StepError> {
        let machines = &self.held.ledger.header().machines;
        for _ in 1..TRIES {
            match self.hand.take_over(machines).await {
                Err(StepError::Transient(_)) => self.clock.sleep(PAUSE).await,
                marked => return marked,
            }
        }
        self.hand.take_over(machines).await
    }

    /// The first signal asks to stop; another SIGINT leaves at once.
    async fn heed(&self, mut signals: Signals) -> Left {
        let first = signals.next().await;
        self.signal.set(Some(first));
        self.cancel.ask(match first {
            1 => "the terminal went away",
            INTERRUPT => "interrupted",
            _ => "asked to end",
        });
        while signals.next().await != INTERRUPT {}
        Left::AtOnce
    }

    /// Shows signs of life, and hands on whatever else asks to stop.
    async fn watch(&self) -> Infallible {
        let sites = &self.held.sites.source;
        let alive = async {
            if let Some(lease) = &self.held.lease {
                lease.keep_alive(&self.cancel).await;
            }
        };
        let requests = async {
            if self.held.lease.is_some() {
                request::watch_requests(&sites.cluster, &sites.namespace, &self.held.id, &self.cancel).await;
                self.paused.set(true);
            }
        };
        let limit = async {
            if let Some(limit) = self.task.limit {
                self.clock.sleep(limit).await;
                self.cancel.ask(&format!("the time limit of {} has passed", age::human(limit)));
            }
        };
        tokio::join!(alive, requests, limit);
        pending().await
    }

    /// Notes that a request to stop was met. It is a courtesy: whoever goes on clears the request again.
    async fn note_pause(&self) {
        if !self.paused.get() {
            return;
        }
        let source = &self.held.sites.source;
        let noted = self.journal.append("", &[Entry::Paused { at: self.clock.now().to_string() }]).await;
        let cleared = request::clear(&source.cluster, &source.namespace, &self.held.id, self.clock).await;
        if noted.is_err() || cleared.is_err() {
            tracing::debug!("the pause of move {} could not be noted", self.held.id);
        }
    }
}

fn settings(plan: &PlanSpec, pass: &Pass) -> Settings {
    let graph = order::graph(plan);
    let lanes = graph.nodes().iter().map(|node| node.lane.clone()).filter(|lane| !lane.0.is_empty());
    Settings {
        only: pass.only.clone(),
        groups: pass.groups.clone(),
        parallel: plan.options.parallel,
        lanes: lanes.map(|lane| (lane, DISKS_PER_CLASS)).collect(),
        on_failure: match plan.options.on_failure {
            OnFailure::Stop => run::OnFailure::Stop,
            OnFailure::Undo => run::OnFailure::Undo,
            OnFailure::Continue => run::OnFailure::Continue,
        },
        max_downtime: plan.options.max_downtime_seconds.map(Duration::from_secs),
    }
}
