//! One group forward: write down, act, wait, write down; nodes of a group run side by side where their needs allow.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::cancel::Cancel;
use super::next::{self, State, States};
use super::run::{Engine, GroupEnd, OnFailure};
use super::{Hands, Ledger, Probe, StepError, Wakes};
use crate::model::event::{Event, Outcome};
use crate::model::finding::Finding;
use crate::model::graph::{Node, Phase};
use crate::model::journal::{Cause, Entry};

/// A wait looks again after this long even when nothing woke it.
pub(super) const LIVENESS: Duration = Duration::from_secs(20);
/// So often a step may say "not there yet" right after it acted before that counts as a failure.
const PUSHES: usize = 12;
/// So often a group is made again within one run because its copies no longer counted.
const REMAKES: usize = 3;

/// Why a node, and so its group, did not come to its end.
pub(super) enum Trouble {
    Failed(String),
    Blocked(Finding),
    Stale(String),
    /// Asked to stop, or the lock is lost.
    Stopped,
    /// The downtime limit of the group has passed.
    TooLong(Duration),
}

impl From<StepError> for Trouble {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Transient(cause) | StepError::Permanent(cause) => Self::Failed(cause.0),
            StepError::Blocked(finding) => Self::Blocked(finding),
            StepError::Lost(_) => Self::Stopped,
        }
    }
}

/// When the group went down and came up again, in this run.
#[derive(Default)]
struct Downtime {
    down: Option<Duration>,
    up: Option<Duration>,
}

impl<'a, H: Hands, L: Ledger> Engine<'a, H, L> {
    /// Runs one group as far as the phases allow, and puts it back where the settings say so.
    pub(super) async fn forward_group(&self, group: &'a str, slots: &Semaphore, failed: &RefCell<bool>) -> GroupEnd {
        let mut downtime = Downtime::default();
        let mut ended = self.try_forward(group, slots, failed, &mut downtime).await;
        for _ in 0..REMAKES {
            let Err(Trouble::Stale(why)) = &ended else { break };
            self.say(&Event::Warning { message: format!("{group}: {why}; what was copied since is thrown away and made again") });
            ended = self.try_forward(group, slots, failed, &mut downtime).await;
        }
        let end = |outcome, cause| GroupEnd {
            group: group.to_owned(),
            outcome,
            cause,
            downtime: downtime.up.zip(downtime.down).map(|(up, down)| up.saturating_sub(down)),
        };
        match ended {
            Ok(outcome) => end(outcome, None),
            Err(Trouble::Stopped) => end(Outcome::Stopped, self.cancel.reason()),
            Err(trouble) => {
                let cause = describe(&trouble);
                *failed.borrow_mut() = true;
                let put_back = matches!(trouble, Trouble::TooLong(_)) || self.settings.on_failure == OnFailure::Undo;
                if !put_back || group.is_empty() || self.has_started(group) {
                    return end(Outcome::Failed, Some(cause));
                }
                let back = self.back_group(group).await;
                GroupEnd { cause: Some(back.cause.unwrap_or(cause)), ..back }
            }
        }
    }

    async fn try_forward(&self, group: &'a str, slots: &Semaphore, failed: &RefCell<bool>, downtime: &mut Downtime) -> Result<Outcome, Trouble> {
        self.heal(group).await?;
        let stop = Cancel::default();
        let mut slot = None;
        let mut running = FuturesUnordered::new();
        let mut in_flight = BTreeSet::new();
        let mut dones: Vec<Entry> = Vec::new();
        let mut trouble: Option<Trouble> = None;
        loop {
            let woken = self.changed.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let mut ready = Vec::new();
            if trouble.is_none() && self.cancel.reason().is_none() {
                ready = self.ready_in(group, &dones, &in_flight);
                let begun = slot.is_some() || self.nodes_of(group).any(|node| self.states.borrow().contains_key(&node.id));
                if !ready.is_empty() && slot.is_none() && !group.is_empty() {
                    slot = slots.acquire().await.ok();
                    if *failed.borrow() && self.settings.on_failure != OnFailure::Continue && !begun {
                        return Ok(Outcome::Skipped);
                    }
                }
            }
            match self.begin(group, &ready, std::mem::take(&mut dones)).await {
                Ok(begun) => {
                    for (node, before) in begun {
                        if node.phase == Phase::Stop && downtime.down.is_none() {
                            downtime.down = Some(self.clock.elapsed());
                        }
                        in_flight.insert(node.id.clone());
                        running.push(self.run_node(node, before, &stop));
                    }
                }
                Err(error) => {
                    trouble.get_or_insert(error);
                    stop.ask("the group cannot go on");
                }
            }
            if running.is_empty() {
                if let Some(trouble) = trouble {
                    return Err(trouble);
                }
                match self.standing(group) {
                    Standing::WaitsForOthers if self.cancel.reason().is_none() => tokio::select! { () = woken => {}, () = self.cancel.asked() => {} },
                    Standing::WaitsForOthers | Standing::Unfinished if self.cancel.reason().is_some() => return Err(Trouble::Stopped),
                    Standing::WaitsForOthers | Standing::Unfinished => return Ok(Outcome::Skipped),
                    Standing::Finished => return Ok(Outcome::Done),
                }
                continue;
            }
            tokio::select! {
                Some((node, result)) = running.next() => {
                    in_flight.remove(&node.id);
                    match result {
                        Ok(output) => {
                            self.hands.remember(&node.id, Some(&output));
                            if node.phase == Phase::Start { downtime.up = Some(self.clock.elapsed()); }
                            dones.push(Entry::Done { step: node.id.clone(), at: self.at(), output });
                        }
                        Err(failure) => {
                            self.record(node, &failure).await;
                            stop.ask("the group cannot go on");
                            trouble.get_or_insert(failure);
                        }
                    }
                }
                () = &mut woken => {}
                limit = self.too_long(downtime) => {
                    stop.ask("the downtime limit has passed");
                    trouble.get_or_insert(Trouble::TooLong(limit));
                }
            }
        }
    }

    /// The nodes of a group that can begin now, counting what is done but not yet written down.
    fn ready_in(&self, group: &str, dones: &[Entry], in_flight: &BTreeSet<crate::model::graph::StepId>) -> Vec<&'a Node> {
        let mut states: States = self.states.borrow().clone();
        for entry in dones {
            next::apply(&mut states, entry);
        }
        let ready = next::ready(self.graph, &states, &self.settings.only);
        let ids: BTreeSet<_> = ready.filter(|node| node.group == group && !in_flight.contains(&node.id)).map(|node| node.id.clone()).collect();
        self.nodes_of(group).filter(|node| ids.contains(&node.id)).collect()
    }

    /// Asks each node what undoing it will need, and writes that down together with what is done: intent before effect, one write.
    async fn begin(&self, group: &str, ready: &[&'a Node], mut entries: Vec<Entry>) -> Result<Vec<(&'a Node, Value)>, Trouble> {
        let mut begun = Vec::new();
        let mut refused = None;
        for node in ready {
            // A node that was begun in an earlier run keeps what was journalled then.
            if let Some(State::Started { before }) = self.state(&node.id) {
                begun.push((*node, before));
                continue;
            }
            match self.retry().again(|| self.hands.before(&node.id), |cause, after| self.say_retry(node, cause, after)).await {
                Ok(before) => {
                    entries.push(Entry::Started { step: node.id.clone(), at: self.at(), before: before.clone() });
                    begun.push((*node, before));
                }
                Err(error) => {
                    self.heed(&error);
                    let trouble = Trouble::from(error);
                    self.tell_trouble(node, &trouble);
                    refused = Some(trouble);
                    break;
                }
            }
        }
        let finished = entries.iter().any(|entry| matches!(entry, Entry::Done { .. }));
        self.append(group, &entries).await?;
        if finished {
            self.changed.notify_waiters();
        }
        match refused {
            // What was written down as begun but will not run now is picked up by the next run.
            Some(trouble) => Err(trouble),
            None => Ok(begun),
        }
    }

    /// Brings one node to its end: look, act if nothing is there, wait, look again.
    async fn run_node(&self, node: &'a Node, before: Value, stop: &Cancel) -> (&'a Node, Result<Value, Trouble>) {
        let _place = match self.lanes.get(&node.lane) {
            Some(lane) => lane.acquire().await.ok(),
            None => None,
        };
        let began = self.clock.elapsed();
        self.say(&Event::StepStarted { step: node.id.clone(), group: node.group.clone(), phase: node.phase, title: node.title.clone() });
        let result = self.drive(node, &before, stop).await;
        if let Ok(output) = &result {
            let remark = output.get("remark").and_then(Value::as_str).map(str::to_owned);
            let took = self.clock.elapsed().saturating_sub(began);
            self.say(&Event::StepDone {
                step: node.id.clone(),
                group: node.group.clone(),
                phase: node.phase,
                title: node.title.clone(),
                remark,
                took,
            });
        }
        (node, result)
    }

    async fn drive(&self, node: &Node, before: &Value, stop: &Cancel) -> Result<Value, Trouble> {
        let mut pushes = 0;
        let mut said = None;
        loop {
            if stop.reason().is_some() || self.cancel.reason().is_some() {
                return Err(Trouble::Stopped);
            }
            let mut wakes = self.hands.listen(&node.id);
            let probe = self.retry().again(|| self.hands.probe(&node.id), |cause, after| self.say_retry(node, cause, after)).await;
            match probe.inspect_err(|error| self.heed(error))? {
                Probe::Ours(output) => return Ok(output),
                Probe::Foreign(finding) => return Err(Trouble::Blocked(finding)),
                Probe::Stale(why) => return Err(Trouble::Stale(why)),
                Probe::Underway(progress) => {
                    if said.as_ref() != Some(&progress) {
                        self.say(&Event::StepWaiting { step: node.id.clone(), group: node.group.clone(), progress: progress.clone() });
                        said = Some(progress);
                    }
                    tokio::select! {
                        () = wakes.next() => {}
                        () = self.clock.sleep(LIVENESS) => {}
                        () = stop.asked() => {}
                        () = self.cancel.asked() => {}
                    }
                }
                Probe::Absent if pushes >= PUSHES => {
                    return Err(Trouble::Failed(format!("{}: {} takes no effect", node.title.object, node.title.doing)));
                }
                Probe::Absent => {
                    pushes += 1;
                    let acted = self.retry().again(|| self.hands.perform(&node.id, before), |cause, after| self.say_retry(node, cause, after)).await;
                    acted.inspect_err(|error| self.heed(error))?;
                }
            }
        }
    }

    /// Resolves when the group has been down for longer than the settings allow.
    async fn too_long(&self, downtime: &Downtime) -> Duration {
        match (self.settings.max_downtime, downtime.down, downtime.up) {
            (Some(limit), Some(down), None) => {
                let left = (down + limit).saturating_sub(self.clock.elapsed());
                self.clock.sleep(left).await;
                limit
            }
            _ => std::future::pending().await,
        }
    }

    /// Writes down and tells how a node ended badly. A journal that cannot be written does not hide the failure itself.
    async fn record(&self, node: &Node, trouble: &Trouble) {
        let (step, at) = (node.id.clone(), self.at());
        let entry = match trouble {
            Trouble::Failed(cause) => Entry::Failed { step, at, cause: Cause(cause.clone()) },
            Trouble::Blocked(finding) => Entry::Blocked { step, at, finding: finding.clone() },
            Trouble::Stale(_) | Trouble::Stopped | Trouble::TooLong(_) => return,
        };
        self.tell_trouble(node, trouble);
        if let Err(StepError::Transient(cause) | StepError::Permanent(cause)) = self.append(&node.group, &[entry]).await {
            self.say(&Event::Warning { message: format!("the journal could not be written: {}", cause.0) });
        }
    }

    fn tell_trouble(&self, node: &Node, trouble: &Trouble) {
        let (step, group, title) = (node.id.clone(), node.group.clone(), node.title.clone());
        match trouble {
            Trouble::Failed(cause) => self.say(&Event::StepFailed { step, group, title, cause: cause.clone() }),
            Trouble::Blocked(finding) => self.say(&Event::StepBlocked { step, group, title, finding: finding.clone() }),
            Trouble::Stale(_) | Trouble::Stopped | Trouble::TooLong(_) => {}
        }
    }

    pub(super) fn say_retry(&self, node: &Node, cause: &str, after: Duration) {
        self.say(&Event::StepRetrying { step: node.id.clone(), group: node.group.clone(), cause: cause.to_owned(), after });
    }

    /// Where a group stands that has nothing running and nothing ready.
    fn standing(&self, group: &str) -> Standing {
        let states = self.states.borrow();
        let mut open = self.nodes_of(group).filter(|node| self.settings.only.contains(&node.phase) && !next::is_done(&states, &node.id)).peekable();
        if open.peek().is_none() {
            return Standing::Finished;
        }
        let ended = self.ended.borrow();
        let foreign = |need: &crate::model::graph::StepId| {
            !next::is_done(&states, need) && self.group_of(need).is_some_and(|of| of != group && !ended.contains(of))
        };
        if open.any(|node| node.needs.iter().chain(&node.after).any(foreign)) { Standing::WaitsForOthers } else { Standing::Unfinished }
    }
}

enum Standing {
    Finished,
    WaitsForOthers,
    /// Something it needs will not come in this run.
    Unfinished,
}

fn describe(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Failed(cause) => cause.clone(),
        Trouble::Blocked(finding) => finding.message.clone(),
        Trouble::Stale(why) => why.clone(),
        Trouble::Stopped => "stopped".to_owned(),
        Trouble::TooLong(limit) => format!("it was not started within {}", crate::model::age::human(*limit)),
    }
}
