//! One node forward: look, act if nothing is there, wait, look again.

use std::time::Duration;

use serde_json::Value;

use super::call::Trouble;
use super::cancel::Cancel;
use super::run::Engine;
use super::{Hands, Ledger, Probe, Wakes};
use crate::model::event::{Event, Progress};
use crate::model::graph::Node;
use crate::model::journal::{Cause, Entry};

/// A wait looks again after this long even when nothing woke it.
pub(super) const LIVENESS: Duration = Duration::from_secs(20);
/// So often a step may say "not there yet" right after it acted before that counts as a failure.
const PUSHES: usize = 12;

/// A node and how it ended: with its output or with trouble.
pub(super) type Landed<'a> = (&'a Node, Result<Value, Trouble>);

impl<'a, H: Hands, L: Ledger> Engine<'a, H, L> {
    /// Brings one node to its end, once its lane has a place.
    pub(super) async fn run_node(&self, node: &'a Node, before: Value, stop: &Cancel) -> Landed<'a> {
        let place = async {
            match self.lanes.get(&node.lane) {
                Some(lane) => lane.acquire().await.ok(),
                None => None,
            }
        };
        let _place = tokio::select! {
            biased;
            () = stop.asked() => return (node, Err(Trouble::Stopped)),
            () = self.cancel.asked() => return (node, Err(Trouble::Stopped)),
            place = place => place,
        };
        let began = self.clock.elapsed();
        let _way = self.way.given_to(node, &self.changed, began);
        self.say(&Event::StepStarted { step: node.id.clone(), group: node.group.clone(), phase: node.phase, title: node.title.clone() });
        let result = self.drive(node, &before, stop).await;
        if let Ok(output) = &result {
            self.say(&Event::StepDone {
                step: node.id.clone(),
                group: node.group.clone(),
                phase: node.phase,
                title: node.title.clone(),
                remark: output.get("remark").and_then(Value::as_str).map(str::to_owned),
                took: self.clock.elapsed().saturating_sub(began),
            });
        }
        (node, result)
    }

    async fn drive(&self, node: &Node, before: &Value, stop: &Cancel) -> Result<Value, Trouble> {
        let mut pushes = 0;
        let mut said = None;
        // One subscription for the whole wait: it tells what changed since the last look, also while looking.
        let mut wakes = self.hands.listen(&node.id);
        loop {
            let probe = self.call(node, stop, || self.hands.probe(&node.id)).await?;
            match probe {
                Probe::Ours(output) => return Ok(output),
                Probe::Foreign(finding) => return Err(Trouble::Blocked(finding)),
                Probe::Stale(why) => return Err(Trouble::Stale(node.id.clone(), why)),
                // Looking does no harm while stopping; anything more does.
                _ if self.is_stopped(stop) => return Err(Trouble::Stopped),
                Probe::Underway(progress) => self.wait(node, progress, &mut said, &mut wakes, stop).await,
                Probe::Absent if pushes >= PUSHES => {
                    return Err(Trouble::Failed(format!("{}: {} takes no effect", node.title.object, node.title.doing)));
                }
                Probe::Absent => {
                    pushes += 1;
                    self.acted.borrow_mut().insert(node.id.clone());
                    self.call(node, stop, || self.hands.perform(&node.id, before)).await?;
                }
            }
        }
    }

    /// Waits until something changed, or it is time to look again, or to stop. Says what it waits for when that is news.
    pub(super) async fn wait(&self, node: &Node, progress: Progress, said: &mut Option<Progress>, wakes: &mut H::Wakes, stop: &Cancel) {
        if said.as_ref() != Some(&progress) {
            self.say(&Event::StepWaiting { step: node.id.clone(), group: node.group.clone(), progress: progress.clone() });
            *said = Some(progress);
        }
        tokio::select! {
            biased;
            () = wakes.next() => {}
            () = self.clock.sleep(LIVENESS) => {}
            () = stop.asked() => {}
            () = self.cancel.asked() => {}
        }
    }

    /// Tells how a node ended badly, and gives the entry that says so in the journal.
    pub(super) fn tell_trouble(&self, node: &Node, trouble: &Trouble) -> Option<Entry> {
        let (step, at) = (node.id.clone(), self.at());
        let (id, group, title) = (node.id.clone(), node.group.clone(), node.title.clone());
        match trouble {
            Trouble::Failed(cause) => {
                self.say(&Event::StepFailed { step: id, group, title, cause: cause.clone() });
                Some(Entry::Failed { step, at, cause: Cause(cause.clone()) })
            }
            Trouble::Blocked(finding) => {
                self.say(&Event::StepBlocked { step: id, group, title, finding: finding.clone() });
                Some(Entry::Blocked { step, at, finding: finding.clone() })
            }
            Trouble::Stale(..) | Trouble::Stopped | Trouble::TooLong(_) | Trouble::Stuck(_) => None,
        }
    }
}
