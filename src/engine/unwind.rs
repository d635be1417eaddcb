//! One group back: each begun node undone, last first, written down before and after.

use serde_json::Value;

use super::forward::{LIVENESS, Trouble};
use super::next::{self, State};
use super::run::{Engine, GroupEnd};
use super::{Hands, Ledger, Probe, StepError, Undo, Wakes};
use crate::model::event::{Event, Outcome};
use crate::model::finding::Finding;
use crate::model::graph::{Node, StepId, UndoPolicy};
use crate::model::journal::{Cause, Entry};

impl<'a, H: Hands, L: Ledger> Engine<'a, H, L> {
    /// Goes back over everything begun in one group.
    pub(super) async fn back_group(&self, group: &str) -> GroupEnd {
        let end = |outcome, cause| GroupEnd { group: group.to_owned(), outcome, cause, downtime: None };
        let order = next::unwind_order(self.graph, &self.states.borrow(), |node| node.group == group);
        if order.is_empty() {
            return end(Outcome::Skipped, None);
        }
        match self.unwind(group, &order, true).await {
            Ok(()) => end(Outcome::Undone, None),
            Err(StepError::Lost(why)) => end(Outcome::Stopped, Some(why)),
            Err(StepError::Transient(_)) if self.cancel.reason().is_some() => end(Outcome::Stopped, self.cancel.reason()),
            Err(StepError::Transient(cause) | StepError::Permanent(cause)) => end(Outcome::Stuck, Some(cause.0)),
            Err(StepError::Blocked(finding)) => end(Outcome::Stuck, Some(finding.message)),
        }
    }

    /// Undoes these nodes in this order. What was done and what comes next are written down in one write.
    async fn unwind(&self, group: &str, order: &[StepId], announce: bool) -> Result<(), StepError> {
        let mut entries = if announce { vec![Entry::GoingBack { at: self.at() }] } else { Vec::new() };
        for id in order {
            let (Some(node), Some(state)) = (self.graph.node(id), self.state(id)) else { continue };
            if let UndoPolicy::NoReturn(why) = node.undo {
                return Err(StepError::permanent(why));
            }
            if !matches!(state, State::Undoing { .. }) {
                entries.push(Entry::UndoStarted { step: id.clone(), at: self.at() });
            }
            self.append(group, &entries).await?;
            entries.clear();
            self.undo_node(node, state.before(), state.output()).await?;
            self.hands.remember(id, None);
            entries.push(Entry::Undone { step: id.clone(), at: self.at() });
        }
        self.append(group, &entries).await
    }

    async fn undo_node(&self, node: &Node, before: &Value, output: Option<&Value>) -> Result<(), StepError> {
        if node.undo == UndoPolicy::Nothing {
            return Ok(());
        }
        let (began, title) = (self.clock.elapsed(), || node.title.clone());
        self.say(&Event::UndoStarted { step: node.id.clone(), group: node.group.clone(), title: title() });
        let undone = self.undo_until_done(node, before, output).await;
        match &undone {
            Ok(()) => {
                let took = self.clock.elapsed().saturating_sub(began);
                self.say(&Event::StepUndone { step: node.id.clone(), group: node.group.clone(), title: title(), took });
            }
            Err(StepError::Lost(_)) => {}
            Err(StepError::Transient(_)) if self.cancel.reason().is_some() => {}
            Err(StepError::Transient(cause) | StepError::Permanent(cause)) => self.record_stuck(node, cause.clone()).await,
            Err(StepError::Blocked(finding)) => self.record_stuck(node, Cause(finding.message.clone())).await,
        }
        undone
    }

    async fn undo_until_done(&self, node: &Node, before: &Value, output: Option<&Value>) -> Result<(), StepError> {
        let mut said = None;
        loop {
            let mut wakes = self.hands.listen(&node.id);
            let undo = self.retry().again(|| self.hands.undo(&node.id, before, output), |cause, after| self.say_retry(node, cause, after)).await;
            match undo.inspect_err(|error| self.heed(error))? {
                Undo::Done => return Ok(()),
                Undo::Waiting(progress) => {
                    if said.as_ref() != Some(&progress) {
                        self.say(&Event::StepWaiting { step: node.id.clone(), group: node.group.clone(), progress: progress.clone() });
                        said = Some(progress);
                    }
                    tokio::select! {
                        () = wakes.next() => {}
                        () = self.clock.sleep(LIVENESS) => {}
                        () = self.cancel.asked() => return Err(StepError::transient("stopped while going back")),
                    }
                }
            }
        }
    }

    async fn record_stuck(&self, node: &Node, cause: Cause) {
        self.say(&Event::UndoStuck { step: node.id.clone(), group: node.group.clone(), title: node.title.clone(), cause: cause.0.clone() });
        if let Err(StepError::Transient(why) | StepError::Permanent(why)) =
            self.append(&node.group, &[Entry::Stuck { step: node.id.clone(), at: self.at(), cause }]).await
        {
            self.say(&Event::Warning { message: format!("the journal could not be written: {}", why.0) });
        }
    }

    /// Makes a group that an earlier run left behind fit to go on: finishes what was being undone, and goes back over what no longer counts.
    /// What the journal calls done but the world does not show is drift: a person decides.
    pub(super) async fn heal(&self, group: &'a str) -> Result<(), Trouble> {
        let half = next::unwind_order(self.graph, &self.states.borrow(), |node| {
            node.group == group && matches!(self.states.borrow().get(&node.id), Some(State::Undoing { .. }))
        });
        self.unwind(group, &half, false).await?;
        let lasting: Vec<&Node> = self.nodes_of(group).filter(|node| node.lasting && next::is_done(&self.states.borrow(), &node.id)).collect();
        for node in lasting {
            let probe = self.retry().again(|| self.hands.probe(&node.id), |cause, after| self.say_retry(node, cause, after)).await;
            match probe.inspect_err(|error| self.heed(error))? {
                Probe::Ours(_) | Probe::Underway(_) => {}
                Probe::Stale(_) => return self.remake_from(group, node).await,
                Probe::Foreign(finding) => return Err(Trouble::Blocked(finding)),
                Probe::Absent => return Err(Trouble::Blocked(drift(node))),
            }
        }
        Ok(())
    }

    /// Undoes a node and all of its group that came after it.
    async fn remake_from(&self, group: &str, first: &Node) -> Result<(), Trouble> {
        let later: Vec<&StepId> = self.graph.nodes.iter().skip_while(|node| node.id != first.id).map(|node| &node.id).collect();
        let order = next::unwind_order(self.graph, &self.states.borrow(), |node| node.group == group && later.contains(&&node.id));
        Ok(self.unwind(group, &order, false).await?)
    }
}

fn drift(node: &Node) -> Finding {
    let object = crate::model::names::ObjectRef::cluster(crate::model::names::End::Target, crate::model::kind::VM, &node.group);
    Finding::blocking("E001", object, format!("{} was {} by this move, but that is not so any more", node.title.object, node.title.done))
        .hint("somebody changed it behind the move; look at it, then go back with 'kubectl vmmove rollback'")
}
