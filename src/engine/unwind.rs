//! One group back: each begun node undone, last first, written down before and after.

use serde_json::Value;

use super::call::Trouble;
use super::next::{self, State};
use super::run::{Engine, GroupEnd};
use super::{Hands, Ledger, Probe, Undo};
use crate::model::event::{Event, Outcome};
use crate::model::finding::Finding;
use crate::model::graph::{Node, StepId, UndoPolicy};
use crate::model::journal::{Cause, Entry};

impl<H: Hands, L: Ledger> Engine<'_, H, L> {
    /// Goes back over everything begun in one group.
    pub(super) async fn back_group(&self, group: &str) -> GroupEnd {
        let end = |outcome, cause| GroupEnd { group: group.to_owned(), outcome, cause, downtime: None };
        let order = next::unwind_order(self.graph, &self.states.borrow(), |node| node.group == group);
        if order.is_empty() {
            return end(Outcome::Skipped, None);
        }
        let announced = self.states.borrow().is_going_back(group);
        let first = if announced { Vec::new() } else { vec![Entry::GoingBack { at: self.at() }] };
        match self.unwind(group, &order, first).await {
            Ok(()) => end(Outcome::Undone, None),
            Err(Trouble::Stopped) => end(Outcome::Stopped, self.cancel.reason()),
            Err(trouble) => end(Outcome::Stuck, Some(trouble.cause())),
        }
    }

    /// Undoes these nodes in this order. What was done and what comes next are written down in one write.
    /// Nothing is undone when one of them cannot be.
    async fn unwind(&self, group: &str, order: &[StepId], mut entries: Vec<Entry>) -> Result<(), Trouble> {
        let nodes: Vec<&Node> = order.iter().filter_map(|id| self.graph.node(id)).collect();
        if let Some(why) = nodes.iter().find_map(|node| if let UndoPolicy::NoReturn(why) = node.undo { Some(why) } else { None }) {
            return Err(Trouble::Stuck(why.to_owned()));
        }
        for node in nodes {
            let Some(state) = self.state(&node.id) else { continue };
            if self.cancel.reason().is_some() {
                entries.retain(|entry| matches!(entry, Entry::Undone { .. }));
                self.append(group, &entries).await?;
                return Err(Trouble::Stopped);
            }
            if !matches!(state, State::Undoing { .. }) {
                entries.push(Entry::UndoStarted { step: node.id.clone(), at: self.at() });
            }
            if node.undo != UndoPolicy::Nothing {
                self.append(group, &std::mem::take(&mut entries)).await?;
                self.undo_node(node, state.before(), state.output()).await?;
            }
            self.hands.remember(&node.id, None);
            self.acted.borrow_mut().remove(&node.id);
            entries.push(Entry::Undone { step: node.id.clone(), at: self.at() });
        }
        self.append(group, &entries).await
    }

    async fn undo_node(&self, node: &Node, before: &Value, output: Option<&Value>) -> Result<(), Trouble> {
        let (began, title) = (self.clock.elapsed(), || node.title.clone());
        self.say(&Event::UndoStarted { step: node.id.clone(), group: node.group.clone(), title: title() });
        match self.undo_until_done(node, before, output).await {
            Ok(()) => {
                let took = self.clock.elapsed().saturating_sub(began);
                self.say(&Event::StepUndone { step: node.id.clone(), group: node.group.clone(), title: title(), took });
                Ok(())
            }
            Err(Trouble::Stopped) => Err(Trouble::Stopped),
            Err(trouble) => {
                let cause = trouble.cause();
                self.say(&Event::UndoStuck { step: node.id.clone(), group: node.group.clone(), title: title(), cause: cause.clone() });
                let stuck = Entry::Stuck { step: node.id.clone(), at: self.at(), cause: Cause(cause.clone()) };
                // What the journal refuses has been told; that it is stuck counts more.
                let _ = self.append(&node.group, &[stuck]).await;
                Err(Trouble::Stuck(cause))
            }
        }
    }

    async fn undo_until_done(&self, node: &Node, before: &Value, output: Option<&Value>) -> Result<(), Trouble> {
        let mut said = None;
        let mut wakes = self.hands.listen(&node.id);
        loop {
            match self.call(node, self.cancel, || self.hands.undo(&node.id, before, output)).await? {
                Undo::Done => return Ok(()),
                Undo::Waiting(_) if self.cancel.reason().is_some() => return Err(Trouble::Stopped),
                Undo::Waiting(progress) => self.wait(node, progress, &mut said, &mut wakes, self.cancel).await,
            }
            if self.cancel.reason().is_some() {
                return Err(Trouble::Stopped);
            }
        }
    }

    /// Makes a group that an earlier run left behind fit to go on: finishes what was being undone, and goes back over what no longer counts,
    /// be it the suspect or found by looking. What the journal calls done but the world does not show is drift: a person decides.
    pub(super) async fn heal(&self, group: &str, suspect: Option<&(StepId, String)>) -> Result<(), Trouble> {
        let undoing = |id: &StepId| matches!(self.states.borrow().get(id), Some(State::Undoing { .. }));
        let half: Vec<StepId> = next::unwind_order(self.graph, &self.states.borrow(), |node| node.group == group && undoing(&node.id));
        self.unwind(group, &half, Vec::new()).await?;
        // Cleanup takes away what earlier steps made at the source, and looks at everything by itself.
        let is_leaving = |node: &Node| matches!(node.undo, UndoPolicy::NoReturn(_)) && self.states.borrow().is_begun(&node.id);
        if self.nodes_of(group).any(is_leaving) {
            return Ok(());
        }
        for node in self.nodes_of(group) {
            if let Some((_, why)) = suspect.filter(|(id, _)| *id == node.id) {
                return self.remake_from(group, node, why).await;
            }
            if !node.lasting || !self.states.borrow().is_done(&node.id) {
                continue;
            }
            match self.call(node, self.cancel, || self.hands.probe(&node.id)).await? {
                Probe::Ours(_) | Probe::Underway(_) => {}
                Probe::Stale(why) => return self.remake_from(group, node, &why).await,
                Probe::Foreign(finding) => return Err(self.block(node, finding).await),
                Probe::Absent => {
                    let finding = drift(node, "that is not so any more", self.has_started(group));
                    return Err(self.block(node, finding).await);
                }
            }
        }
        Ok(())
    }

    /// Undoes all of a group that came after a node, and has the node itself made again in place: what it holds, such as a lock, is not let go
    /// in between. Never across a start: what the target has written since would be lost.
    async fn remake_from(&self, group: &str, first: &Node, why: &str) -> Result<(), Trouble> {
        if self.has_started(group) {
            return Err(self.block(first, drift(first, why, true)).await);
        }
        let later: Vec<&StepId> = self.graph.nodes().iter().skip_while(|node| node.id != first.id).skip(1).map(|node| &node.id).collect();
        let order = next::unwind_order(self.graph, &self.states.borrow(), |node| node.group == group && later.contains(&&node.id));
        self.unwind(group, &order, Vec::new()).await?;
        let Some(state) = self.state(&first.id) else { return Ok(()) };
        self.hands.remember(&first.id, None);
        self.append(group, &[Entry::Started { step: first.id.clone(), at: self.at(), before: state.before().clone() }]).await
    }

    async fn block(&self, node: &Node, finding: Finding) -> Trouble {
        let trouble = Trouble::Blocked(finding);
        let told: Vec<Entry> = self.tell_trouble(node, &trouble).into_iter().collect();
        // What the journal refuses has been told; the finding is the cause.
        let _ = self.append(&node.group, &told).await;
        trouble
    }
}

/// What was done is not so any more. A machine that may have run in the target has written there what going back would lose.
fn drift(node: &Node, but: &str, started: bool) -> Finding {
    let object = crate::model::names::ObjectRef::cluster(crate::model::names::End::Target, crate::model::kind::VM, &node.group);
    let (ran, back) = if started {
        (", and it may have been started in the target already", "which says first what the target wrote that would be lost")
    } else {
        ("", "which leaves alone what this move did not make")
    };
    Finding::blocking("E001", object, format!("{} was {} by this move, but {but}{ran}", node.title.object, node.title.done))
        .hint(format!("somebody changed it behind the move; nothing more is done; look at it, then go back with 'kubectl vmmove rollback', {back}"))
}
