//! One group forward: write down, act, wait, write down; nodes of a group run side by side where their needs allow.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::sync::SemaphorePermit;

use super::call::Trouble;
use super::cancel::Cancel;
use super::downtime::Downtime;
use super::next::{self, State};
use super::node::Landed;
use super::run::{Engine, GroupEnd, OnFailure};
use super::{Hands, Ledger};
use crate::model::event::{Event, Outcome};
use crate::model::graph::{Node, StepId};
use crate::model::journal::Entry;

/// So often a group is made again within one run because its copies no longer counted.
const REMAKES: usize = 3;

/// One try to bring a group to its end.
struct Flight<'f, 'a> {
    group: &'a str,
    /// Asks the nodes in flight to end, because the group cannot go on.
    stop: &'f Cancel,
    /// The group's place among those that may run at once.
    slot: Option<SemaphorePermit<'f>>,
    running: FuturesUnordered<LocalBoxFuture<'f, Landed<'a>>>,
    /// What was begun in this try, however it ended.
    begun: BTreeSet<StepId>,
    /// What is done, perhaps not yet in the journal.
    done: BTreeSet<StepId>,
    /// Until when it gives others the right of way.
    courtesy: Option<Duration>,
    /// To be written with the next intent.
    unwritten: Vec<Entry>,
    trouble: Option<Trouble>,
}

impl Flight<'_, '_> {
    /// The first trouble counts. It ends the whole group, unless it is that of one shared thing while the others go on.
    fn give_up(&mut self, trouble: Trouble, on_failure: OnFailure) {
        let of_one = matches!(trouble, Trouble::Failed(_) | Trouble::Blocked(_));
        if !(of_one && self.group.is_empty() && on_failure == OnFailure::Continue) {
            self.stop.ask("the group cannot go on");
        }
        self.trouble.get_or_insert(trouble);
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.unwritten.is_empty()
    }
}

/// Where a group stands that has nothing running and nothing ready.
enum Standing {
    Finished,
    WaitsForOthers,
    /// Something it needs will not come in this run; says what.
    Unfinished(String),
}

impl<'a, H: Hands, L: Ledger> Engine<'a, H, L> {
    /// Runs one group as far as the phases allow, and puts it back where the settings say so.
    pub(super) async fn forward_group(&self, group: &'a str) -> GroupEnd {
        if self.states.borrow().is_going_back(group) && self.is_begun(group) {
            let back = self.back_group(group).await;
            return GroupEnd { cause: back.cause.or_else(|| Some("it was being put back before".to_owned())), ..back };
        }
        let mut downtime = Downtime::of(self, group);
        let (mut suspect, mut remakes) = (None, 0);
        let ended = loop {
            match self.try_forward(group, suspect.take(), &mut downtime).await {
                Err(Trouble::Stale(node, why)) if remakes < REMAKES => {
                    remakes += 1;
                    suspect = Some((node, why.clone()));
                    self.say(&Event::Warning { message: format!("{group}: {why}; what was made since is thrown away and made again") });
                }
                ended => break ended,
            }
        };
        let end = |outcome, cause| GroupEnd { group: group.to_owned(), outcome, cause, downtime: downtime.measured() };
        match ended {
            Ok((outcome, cause)) => end(outcome, cause),
            Err(Trouble::Stopped) => end(Outcome::Stopped, self.cancel.reason()),
            Err(Trouble::Stuck(cause)) => end(Outcome::Stuck, Some(cause)),
            Err(trouble) => {
                self.failed.set(true);
                let (asked, kept) = match trouble {
                    // It may have come up while what was in flight came to its end.
                    Trouble::TooLong(_) => (true, self.is_up(group).await),
                    _ => (self.settings.on_failure == OnFailure::Undo, self.has_started(group)),
                };
                if !asked || group.is_empty() || kept || self.cancel.reason().is_some() {
                    return end(Outcome::Failed, Some(trouble.cause()));
                }
                let back = self.back_group(group).await;
                GroupEnd { cause: Some(back.cause.unwrap_or(trouble.cause())), ..back }
            }
        }
    }

    async fn try_forward(
        &self,
        group: &'a str,
        suspect: Option<(StepId, String)>,
        downtime: &mut Downtime,
    ) -> Result<(Outcome, Option<String>), Trouble> {
        self.heal(group, suspect.as_ref()).await?;
        let stop = Cancel::default();
        let (running, begun, done) = (FuturesUnordered::new(), BTreeSet::new(), BTreeSet::new());
        let mut flight = Flight { group, stop: &stop, slot: None, running, begun, done, courtesy: None, unwritten: Vec::new(), trouble: None };
        loop {
            // Listening comes before looking, so that no change is missed.
            let mut woken = pin!(self.changed.notified());
            woken.as_mut().enable();
            let mut ready = self.ready_in(&flight);
            let held_back = self.way.hold_back(&mut ready, &mut flight.courtesy, self.clock.elapsed());
            if flight.slot.is_none() && !ready.is_empty() && !group.is_empty() {
                tokio::select! {
                    biased;
                    slot = self.slots.acquire() => flight.slot = slot.ok(),
                    limit = downtime.passed(self) => return Err(Trouble::TooLong(limit)),
                    () = self.cancel.asked() => {}
                }
                if self.failed.get() && self.settings.on_failure != OnFailure::Continue && !self.is_begun(group) {
                    return Ok((Outcome::Skipped, None));
                }
                continue;
            }
            self.begin(&mut flight, &ready, downtime).await;
            if flight.is_idle() && held_back.is_none() {
                if let Some(trouble) = flight.trouble {
                    return Err(trouble);
                }
                match self.standing(group) {
                    Standing::Finished => return Ok((Outcome::Done, None)),
                    _ if self.cancel.reason().is_some() => return Err(Trouble::Stopped),
                    // A group that waits is not in flight: another may have its place.
                    Standing::WaitsForOthers => flight.slot = None,
                    Standing::Unfinished(why) if self.is_begun(group) => return Err(Trouble::Failed(why)),
                    Standing::Unfinished(why) => return Ok((Outcome::Skipped, Some(why))),
                }
            }
            tokio::select! {
                biased;
                Some(landed) = flight.running.next() => self.land(&mut flight, landed, downtime),
                limit = downtime.passed(self), if flight.trouble.is_none() => flight.give_up(Trouble::TooLong(limit), self.settings.on_failure),
                () = woken => {}
                () = self.clock.sleep(held_back.unwrap_or_default()), if held_back.is_some() => {}
                () = self.cancel.asked(), if flight.running.is_empty() => {}
                () = std::future::ready(()), if !flight.unwritten.is_empty() => {}
            }
        }
    }

    /// The nodes of a group that can begin now, counting what is done but not yet written down.
    fn ready_in(&self, flight: &Flight<'_, 'a>) -> Vec<&'a Node> {
        if self.is_stopped(flight.stop) {
            return Vec::new();
        }
        let states = self.states.borrow();
        let done = |id: &StepId| states.is_done(id) || flight.done.contains(id);
        let ready = next::ready(self.graph, self.graph.group(flight.group), &self.settings.only, done);
        ready.filter(|node| !flight.begun.contains(&node.id)).collect()
    }

    /// Writes down what is done and what comes next, then lets it run. What is in flight goes on meanwhile.
    async fn begin<'f>(&'f self, flight: &mut Flight<'f, 'a>, ready: &[&'a Node], downtime: &mut Downtime) {
        let entries = std::mem::take(&mut flight.unwritten);
        let awaited = entries.iter().any(|entry| matches!(entry, Entry::Done { step, .. } if self.awaited.contains(step)));
        let intended = {
            let mut writing = pin!(self.intend(flight.group, ready, entries, flight.stop));
            loop {
                tokio::select! {
                    biased;
                    intended = &mut writing => break intended,
                    Some(landed) = flight.running.next() => self.land(flight, landed, downtime),
                    limit = downtime.passed(self), if flight.trouble.is_none() => flight.give_up(Trouble::TooLong(limit), self.settings.on_failure),
                }
            }
        };
        match intended {
            Ok(begun) => {
                for (node, before) in begun {
                    downtime.begins(node, self.clock.elapsed());
                    flight.begun.insert(node.id.clone());
                    flight.running.push(Box::pin(self.run_node(node, before, flight.stop)));
                }
            }
            Err((refused, trouble)) => {
                flight.begun.extend(refused.map(|node| node.id.clone()));
                flight.give_up(trouble, self.settings.on_failure);
            }
        }
        if awaited {
            self.changed.notify_waiters();
        }
    }

    /// Asks each node what undoing it will need, and writes that down together with what is done: intent before effect, one write.
    /// When one of them refuses, none of them begins.
    async fn intend(
        &self,
        group: &str,
        ready: &[&'a Node],
        mut entries: Vec<Entry>,
        stop: &Cancel,
    ) -> Result<Vec<(&'a Node, Value)>, (Option<&'a Node>, Trouble)> {
        let (mut begun, mut intents) = (Vec::new(), Vec::new());
        for node in ready {
            // A node that was begun in an earlier run keeps what was journalled then.
            if let Some(State::Started { before }) = self.state(&node.id) {
                begun.push((*node, before));
                continue;
            }
            match self.call(node, stop, || self.hands.before(&node.id)).await {
                Ok(before) => {
                    intents.push(Entry::Started { step: node.id.clone(), at: self.at(), before: before.clone() });
                    begun.push((*node, before));
                }
                Err(trouble) => {
                    entries.extend(self.tell_trouble(node, &trouble));
                    // What the journal refuses has been told; the node's own trouble is the cause.
                    let _ = self.append(group, &entries).await;
                    return Err((Some(node), trouble));
                }
            }
        }
        entries.extend(intents);
        self.append(group, &entries).await.map_err(|trouble| (None, trouble))?;
        Ok(begun)
    }

    fn land(&self, flight: &mut Flight<'_, 'a>, (node, result): Landed<'a>, downtime: &mut Downtime) {
        match result {
            Ok(output) => {
                self.hands.remember(&node.id, Some(&output));
                downtime.ends(node, self.clock.elapsed());
                flight.done.insert(node.id.clone());
                flight.unwritten.push(Entry::Done { step: node.id.clone(), at: self.at(), output });
            }
            Err(trouble) => {
                flight.unwritten.extend(self.tell_trouble(node, &trouble));
                flight.give_up(trouble, self.settings.on_failure);
            }
        }
    }

    fn standing(&self, group: &str) -> Standing {
        let states = self.states.borrow();
        let open: Vec<&Node> = self.nodes_of(group).filter(|node| self.settings.only.contains(&node.phase) && !states.is_done(&node.id)).collect();
        if open.is_empty() {
            return Standing::Finished;
        }
        let reach = next::within_reach(self.graph, &states, &self.settings.only, &self.ended.borrow());
        if open.iter().any(|node| reach.contains(&node.id)) {
            return Standing::WaitsForOthers;
        }
        let missing = open.iter().flat_map(|node| node.needs.iter().chain(&node.after)).find(|id| !states.is_done(id));
        match missing.and_then(|id| self.graph.node(id)) {
            Some(node) => Standing::Unfinished(format!("{} was not {}, which has to come first", node.title.object, node.title.done)),
            None => Standing::Unfinished("not all of it could be done".to_owned()),
        }
    }

    pub(super) fn is_begun(&self, group: &str) -> bool {
        let states = self.states.borrow();
        self.nodes_of(group).any(|node| states.is_begun(&node.id))
    }
}
