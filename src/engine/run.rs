//! Carries out a graph, group by group, as far as the phases allow.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, Semaphore};

use super::cancel::Cancel;
use super::clock::{Clock, Rng};
use super::courtesy::RightOfWay;
use super::next::{PhaseSet, State, States};
use super::{Hands, Ledger};
use crate::model::event::{Event, Observer, Outcome};
use crate::model::graph::{Graph, Lane, Node, Phase, StepId};

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
    /// The groups to run; all of them when empty. What the groups share runs always.
    pub groups: Vec<String>,
    /// Groups in flight at once.
    pub parallel: usize,
    /// Nodes in flight at once per lane; lanes without an entry are unlimited.
    pub lanes: BTreeMap<Lane, usize>,
    pub on_failure: OnFailure,
    /// From the first node of phase Stop until it has come up a group may take this long in one run; then it is put back, unless that
    /// would lose something.
    /// Groups without a node of phase Start are down anyway and have no limit.
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
    /// Nodes whose effect may be there: begun in an earlier run, or acted on in this one.
    pub(super) acted: RefCell<BTreeSet<StepId>>,
    /// Woken when a node that other groups wait for is done, or a group has ended.
    pub(super) changed: Notify,
    pub(super) way: RightOfWay,
    /// The nodes that other groups wait for.
    pub(super) awaited: BTreeSet<&'a StepId>,
    pub(super) slots: Semaphore,
    pub(super) lanes: BTreeMap<Lane, Semaphore>,
    /// Groups that will deliver nothing more in this run.
    pub(super) ended: RefCell<BTreeSet<String>>,
    /// Some group failed in this run.
    pub(super) failed: Cell<bool>,
    /// Why somebody else carries the move now; from then on nothing is touched or written.
    pub(super) lost: RefCell<Option<String>>,
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
        for (id, state) in states.begun() {
            hands.remember(id, state.output());
        }
        let acted = states.begun().map(|(id, _)| id.clone()).collect();
        let lanes = settings.lanes.iter().map(|(lane, limit)| (lane.clone(), Semaphore::new((*limit).max(1)))).collect();
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
            acted: RefCell::new(acted),
            changed: Notify::new(),
            way: RightOfWay::default(),
            awaited: awaited(graph),
            slots: Semaphore::new(settings.parallel.max(1)),
            lanes,
            ended: RefCell::default(),
            failed: Cell::new(false),
            lost: RefCell::default(),
        };
        let chosen = engine.groups();
        engine.ended.replace(graph.groups().into_iter().filter(|group| !chosen.contains(group)).map(str::to_owned).collect());
        engine
    }

    /// Runs forward. First what was left half undone is undone, and what no longer counts is made again.
    /// Groups that an earlier run was putting back go on going back.
    pub async fn forward(&self) -> Summary {
        let ends = self.side_by_side(self.groups(), |group| self.forward_group(group)).await;
        let ends = self.share_goes_back_too(ends).await;
        self.summary(ends)
    }

    /// Goes back over everything begun in the chosen groups; what they share last, and only when all groups went back.
    /// Groups go back side by side, so beyond what is shared no group may need a node of another.
    pub async fn back(&self) -> Summary {
        let groups = self.groups().into_iter().filter(|group| !group.is_empty()).collect();
        let mut ends = self.side_by_side(groups, |group| self.back_group_in_turn(group)).await;
        if self.only_shared_left() {
            ends.push(self.back_group("").await);
        }
        self.summary(ends)
    }

    /// Runs groups at the same time and tells how each ended.
    async fn side_by_side<F: Future<Output = GroupEnd>>(&self, groups: Vec<&'a str>, run: impl Fn(&'a str) -> F) -> Vec<GroupEnd> {
        let mut running: FuturesUnordered<F> = groups.into_iter().map(run).collect();
        let (mut ends, mut told) = (Vec::new(), false);
        loop {
            tokio::select! {
                biased;
                () = self.cancel.asked(), if !told => {
                    told = true;
                    if !running.is_empty() {
                        self.say(&Event::Stopping { reason: self.cancel.reason().unwrap_or_default() });
                    }
                }
                end = running.next() => {
                    let Some(end) = end else { return ends };
                    if !end.group.is_empty() {
                        self.say(&Event::GroupEnded { group: end.group.clone(), outcome: end.outcome });
                    }
                    // Whoever waits for a node of this group must look again.
                    self.ended.borrow_mut().insert(end.group.clone());
                    self.changed.notify_waiters();
                    ends.push(end);
                }
            }
        }
    }

    async fn back_group_in_turn(&self, group: &'a str) -> GroupEnd {
        let _slot = self.slots.acquire().await;
        self.back_group(group).await
    }

    /// When every group was put back, or none begun because of what they share, that goes back as well: nothing is left behind.
    async fn share_goes_back_too(&self, mut ends: Vec<GroupEnd>) -> Vec<GroupEnd> {
        let undo = self.settings.on_failure == OnFailure::Undo;
        let asked = ends.iter().any(|end| end.outcome == Outcome::Undone || (undo && end.group.is_empty() && end.outcome == Outcome::Failed));
        if !asked || !self.only_shared_left() || self.cancel.reason().is_some() {
            return ends;
        }
        let back = self.back_group("").await;
        match ends.iter_mut().find(|end| end.group.is_empty() && end.outcome == Outcome::Failed) {
            Some(failed) => *failed = GroupEnd { cause: back.cause.or(failed.cause.take()), ..back },
            None if back.outcome == Outcome::Stuck => ends.push(back),
            None => {}
        }
        ends
    }

    fn only_shared_left(&self) -> bool {
        let states = self.states.borrow();
        self.graph.nodes().iter().all(|node| node.group.is_empty() || !states.is_begun(&node.id))
    }

    fn groups(&self) -> Vec<&'a str> {
        let chosen = |group: &&str| group.is_empty() || self.settings.groups.is_empty() || self.settings.groups.iter().any(|name| name == group);
        self.graph.groups().into_iter().filter(chosen).collect()
    }

    /// What is shared belongs to no machine: it is listed only where it went wrong.
    fn summary(&self, mut groups: Vec<GroupEnd>) -> Summary {
        let wrong =
            |end: &GroupEnd| matches!(end.outcome, Outcome::Failed | Outcome::Stuck) || (end.outcome == Outcome::Undone && end.cause.is_some());
        groups.retain(|end| !end.group.is_empty() || wrong(end));
        groups.sort_by(|a, b| a.group.cmp(&b.group));
        Summary { groups, stopped: self.cancel.reason() }
    }

    pub(super) fn say(&self, event: &Event) {
        self.tell.borrow_mut().on(event);
    }

    pub(super) fn at(&self) -> String {
        self.clock.now().to_string()
    }

    pub(super) fn state(&self, id: &StepId) -> Option<State> {
        self.states.borrow().get(id).cloned()
    }

    pub(super) fn nodes_of(&self, group: &str) -> impl Iterator<Item = &'a Node> + use<'a, H, L> {
        self.graph.group(group)
    }

    /// Whether the group may have been started in the target: making it again or putting it back then is for a person to say.
    pub(super) fn has_started(&self, group: &str) -> bool {
        let (states, acted) = (self.states.borrow(), self.acted.borrow());
        self.nodes_of(group).any(|node| node.phase >= Phase::Start && states.is_begun(&node.id) && acted.contains(&node.id))
    }
}

impl<H: Hands, L: Ledger> Engine<'_, H, L> {
    /// Whether the group has come up in the target, or nobody can say that it has not.
    pub(super) async fn is_up(&self, group: &str) -> bool {
        let begun = |node: &&Node| node.phase >= Phase::Start && self.acted.borrow().contains(&node.id);
        for node in self.nodes_of(group).filter(begun) {
            if self.states.borrow().is_done(&node.id) || !matches!(self.hands.loses_nothing(&node.id).await, Ok(true)) {
                return true;
            }
        }
        false
    }
}

fn awaited(graph: &Graph) -> BTreeSet<&StepId> {
    let groups: BTreeMap<&StepId, &str> = graph.nodes().iter().map(|node| (&node.id, node.group.as_str())).collect();
    let of_others = |node: &Node, id: &StepId| groups.get(id).is_some_and(|group| *group != node.group);
    graph.nodes().iter().flat_map(|node| node.needs.iter().chain(&node.after).filter(|id| of_others(node, id))).collect()
}
