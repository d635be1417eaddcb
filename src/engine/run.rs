//! Carries out a graph, group by group, as far as the phases allow.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, Semaphore};

use super::cancel::Cancel;
use super::clock::{Clock, Rng};
use super::next::{self, PhaseSet, State, States};
use super::retry::Retry;
use super::{Hands, Ledger, StepError};
use crate::model::event::{Event, Observer, Outcome};
use crate::model::graph::{Graph, Lane, Node, Phase, StepId};
use crate::model::journal::Entry;

/// What happens to a group that fails, and to the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnFailure {
    #[default]
    Stop,
    Undo,
    Continue,
}

/// How a run is carried out.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub only: PhaseSet,
    /// The groups to run; all of them when empty. What they share runs always.
    pub groups: Vec<String>,
    /// Groups in flight at once.
    pub parallel: usize,
    /// Nodes in flight at once per lane; lanes without an entry are unlimited.
    pub lanes: BTreeMap<Lane, usize>,
    pub on_failure: OnFailure,
    /// From the first node of phase Stop to the last of phase Start a group may take this long; then it is put back.
    pub max_downtime: Option<Duration>,
}

/// How one group ended.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupEnd {
    pub group: String,
    pub outcome: Outcome,
    pub cause: Option<String>,
    /// From the begin of Stop to the end of Start, when both happened in this run.
    pub downtime: Option<Duration>,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub groups: Vec<GroupEnd>,
    /// Why it stopped before its end, when it was asked to.
    pub stopped: Option<String>,
}

/// Everything a run works with.
pub struct Engine<'a, H: Hands, L: Ledger> {
    pub graph: &'a Graph,
    pub hands: &'a H,
    pub ledger: &'a L,
    pub clock: &'a dyn Clock,
    pub rng: &'a dyn Rng,
    pub cancel: &'a Cancel,
    pub settings: &'a Settings,
    pub(super) tell: RefCell<&'a mut dyn Observer>,
    pub(super) states: RefCell<States>,
    /// Woken whenever a node is done, for groups that need nodes of another.
    pub(super) changed: Notify,
    pub(super) lanes: BTreeMap<Lane, Semaphore>,
    /// Groups that will deliver nothing more in this run.
    pub(super) ended: RefCell<BTreeSet<String>>,
}

impl<'a, H: Hands, L: Ledger> Engine<'a, H, L> {
    /// An engine over what the journal says so far.
    #[allow(clippy::too_many_arguments, reason = "one value each for graph, world, journal, time, chance, cancel, settings, observer")]
    pub fn new(
        graph: &'a Graph,
        states: States,
        hands: &'a H,
        ledger: &'a L,
        clock: &'a dyn Clock,
        rng: &'a dyn Rng,
        cancel: &'a Cancel,
        settings: &'a Settings,
        tell: &'a mut dyn Observer,
    ) -> Self {
        for (id, state) in &states {
            hands.remember(id, state.output());
        }
        let lanes = settings.lanes.iter().map(|(lane, limit)| (lane.clone(), Semaphore::new(*limit))).collect();
        let engine = Self {
            graph,
            hands,
            ledger,
            clock,
            rng,
            cancel,
            settings,
            tell: RefCell::new(tell),
            states: RefCell::new(states),
            changed: Notify::new(),
            lanes,
            ended: RefCell::default(),
        };
        let chosen = engine.groups();
        engine.ended.replace(graph.groups().into_iter().filter(|group| !chosen.contains(group)).map(str::to_owned).collect());
        engine
    }

    /// Runs forward. First what was left half undone is undone, and what no longer counts is made again.
    pub async fn forward(&self) -> Summary {
        let slots = Semaphore::new(self.settings.parallel.max(1));
        let failed = RefCell::new(false);
        let mut running: FuturesUnordered<_> = self.groups().into_iter().map(|group| self.forward_group(group, &slots, &failed)).collect();
        let mut ends = Vec::new();
        while let Some(end) = running.next().await {
            if !end.group.is_empty() {
                self.say(&Event::GroupEnded { group: end.group.clone(), outcome: end.outcome });
            }
            // Whoever waits for a node of this group must look again.
            self.ended.borrow_mut().insert(end.group.clone());
            self.changed.notify_waiters();
            ends.push(end);
        }
        self.summary(ends)
    }

    /// Goes back over everything begun in the chosen groups; what they share last, and only when all groups went back.
    pub async fn back(&self) -> Summary {
        let mut running: FuturesUnordered<_> =
            self.groups().into_iter().filter(|group| !group.is_empty()).map(|group| self.back_group(group)).collect();
        let mut ends = Vec::new();
        while let Some(end) = running.next().await {
            self.say(&Event::GroupEnded { group: end.group.clone(), outcome: end.outcome });
            ends.push(end);
        }
        drop(running);
        let nothing_left = self.graph.nodes.iter().filter(|node| !node.group.is_empty()).all(|node| !self.states.borrow().contains_key(&node.id));
        if nothing_left {
            let shared = self.back_group("").await;
            if shared.outcome == Outcome::Stuck {
                ends.push(shared);
            }
        }
        self.summary(ends)
    }

    fn groups(&self) -> Vec<&'a str> {
        let chosen = |group: &&str| group.is_empty() || self.settings.groups.is_empty() || self.settings.groups.iter().any(|name| name == group);
        self.graph.groups().into_iter().filter(chosen).collect()
    }

    fn summary(&self, mut groups: Vec<GroupEnd>) -> Summary {
        groups.retain(|end| !end.group.is_empty() || end.outcome == Outcome::Failed || end.outcome == Outcome::Stuck);
        groups.sort_by(|a, b| a.group.cmp(&b.group));
        Summary { groups, stopped: self.cancel.reason() }
    }

    pub(super) fn say(&self, event: &Event) {
        self.tell.borrow_mut().on(event);
    }

    pub(super) fn at(&self) -> String {
        self.clock.now().to_string()
    }

    pub(super) fn retry(&self) -> Retry<'_> {
        Retry { clock: self.clock, rng: self.rng, cancel: self.cancel }
    }

    pub(super) fn state(&self, id: &StepId) -> Option<State> {
        self.states.borrow().get(id).cloned()
    }

    pub(super) fn group_of(&self, id: &StepId) -> Option<&'a str> {
        self.graph.node(id).map(|node| node.group.as_str())
    }

    pub(super) fn nodes_of(&self, group: &str) -> impl Iterator<Item = &'a Node> {
        self.graph.nodes.iter().filter(move |node| node.group == group)
    }

    /// Writes entries down, then believes them.
    pub(super) async fn append(&self, group: &str, entries: &[Entry]) -> Result<(), StepError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.ledger.append(group, entries).await.inspect_err(|error| self.heed(error))?;
        let mut states = self.states.borrow_mut();
        for entry in entries {
            next::apply(&mut states, entry);
        }
        Ok(())
    }

    /// A lost lock stops everything, not just the group that noticed.
    pub(super) fn heed(&self, error: &StepError) {
        if let StepError::Lost(why) = error {
            self.cancel.ask(why);
        }
    }

    /// Whether the group has reached the start of its target: putting it back then is for a person to say.
    pub(super) fn has_started(&self, group: &str) -> bool {
        let states = self.states.borrow();
        self.nodes_of(group).any(|node| node.phase >= Phase::Start && states.contains_key(&node.id))
    }
}
