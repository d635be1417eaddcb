//! The scripted world: which effects are there, and what is to happen to each step.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use super::journal::MemoryLedger;
use super::*;
use crate::engine::clock::Clock;
use crate::engine::{Hands, Probe, StepError, Undo, Wakes};
use crate::model::event::Progress;
use crate::model::finding::Finding;
use crate::model::graph::UndoPolicy;
use crate::model::kind;
use crate::model::names::{End, ObjectRef};

/// What is to happen to one step.
#[derive(Clone, Default)]
pub(super) struct Script {
    /// Wake-ups until the effect is there after acting, and until it is gone.
    pub waits: usize,
    pub undo_waits: usize,
    /// How long acting takes.
    pub takes: Duration,
    pub before: VecDeque<StepError>,
    pub perform: VecDeque<StepError>,
    pub undo: VecDeque<StepError>,
    pub foreign: bool,
    /// Acting changes nothing.
    pub idle: bool,
    /// It is not counted among those that are busy.
    pub uncounted: bool,
    /// So many of the next effects do not count.
    pub stale: usize,
    /// It can be undone without loss while it is under way.
    pub lossless: bool,
    /// Its first look finds that the effect of another step does not count any more.
    pub sees_stale: Option<StepId>,
    /// While it acts, the effect of another step stops to count.
    pub spoils: Option<StepId>,
}

struct Effect {
    waits: usize,
    stale: bool,
}

/// The world: which effects are there, and what is scripted to happen.
pub(super) struct World<'g> {
    graph: &'g Graph,
    ledger: MemoryLedger,
    clock: System,
    effects: RefCell<BTreeMap<StepId, Effect>>,
    scripts: RefCell<BTreeMap<StepId, Script>>,
    outputs: RefCell<BTreeMap<StepId, Value>>,
    undo_left: RefCell<BTreeMap<StepId, usize>>,
    busy: RefCell<BTreeSet<StepId>>,
    most_busy: Cell<usize>,
    log: RefCell<Vec<String>>,
    cancels: RefCell<Option<(String, Cancel)>>,
}

impl<'g> World<'g> {
    pub(super) fn new(graph: &'g Graph, ledger: MemoryLedger, clock: System) -> Self {
        Self {
            graph,
            ledger,
            clock,
            effects: RefCell::default(),
            scripts: RefCell::default(),
            outputs: RefCell::default(),
            undo_left: RefCell::default(),
            busy: RefCell::default(),
            most_busy: Cell::new(0),
            log: RefCell::default(),
            cancels: RefCell::default(),
        }
    }

    pub(super) fn script(&self, step: &str, change: impl FnOnce(&mut Script)) {
        assert!(self.graph.node(&id(step)).is_some(), "{step}");
        change(self.scripts.borrow_mut().entry(id(step)).or_default());
    }

    /// Asks the run to stop while this is happening, such as `perform db/clone`.
    pub(super) fn cancels_at(&self, call: Option<&str>, cancel: &Cancel) {
        self.cancels.replace(call.map(|call| (call.to_owned(), cancel.clone())));
    }

    /// A new process: it remembers nothing and holds nothing.
    pub(super) fn is_reborn(&self) {
        self.outputs.borrow_mut().clear();
        self.busy.borrow_mut().clear();
        self.ledger.is_held_again();
    }

    pub(super) fn has(&self, step: &StepId) -> bool {
        self.effects.borrow().contains_key(step)
    }

    pub(super) fn vanish(&self, step: &str) {
        self.effects.borrow_mut().remove(&id(step));
    }

    pub(super) fn spoil(&self, step: &str) {
        self.effects.borrow_mut().get_mut(&id(step)).unwrap().stale = true;
    }

    /// What is there of nodes that leave something.
    pub(super) fn effects(&self) -> Vec<String> {
        let leaves = |step: &&StepId| self.graph.node(step).unwrap().undo != UndoPolicy::Nothing;
        self.effects.borrow().keys().filter(leaves).map(|step| step.0.clone()).collect()
    }

    /// What was done to the world, in order: `perform db/fence`.
    pub(super) fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    pub(super) fn times(&self, call: &str) -> usize {
        self.log.borrow().iter().filter(|line| *line == call).count()
    }

    /// How many nodes were at most between acting and being done at the same time.
    pub(super) fn most_busy(&self) -> usize {
        self.most_busy.get()
    }

    pub(super) fn forget_busy(&self) {
        self.most_busy.set(0);
    }

    fn scripted<T>(&self, step: &StepId, read: impl FnOnce(&mut Script) -> T) -> T {
        read(self.scripts.borrow_mut().entry(step.clone()).or_default())
    }

    fn note(&self, call: &str, step: &StepId) {
        self.ledger.assert_held(&format!("{call} {step}"));
        let line = format!("{call} {step}");
        if let Some((at, cancel)) = &*self.cancels.borrow()
            && *at == line
        {
            cancel.ask("interrupted");
        }
        self.log.borrow_mut().push(line);
    }

    fn failing(&self, step: &StepId, queue: impl FnOnce(&mut Script) -> &mut VecDeque<StepError>) -> Result<(), StepError> {
        match self.scripted(step, |script| queue(script).pop_front()) {
            Some(error) => {
                self.ledger.loses(&error);
                Err(error)
            }
            None => Ok(()),
        }
    }
}

impl Hands for World<'_> {
    type Wakes = Ticking;

    async fn before(&self, step: &StepId) -> Result<Value, StepError> {
        self.ledger.assert_held("before");
        self.failing(step, |script| &mut script.before)?;
        self.ledger.tick().await;
        Ok(json!({"before": step.0}))
    }

    async fn probe(&self, step: &StepId) -> Result<Probe, StepError> {
        self.ledger.assert_held("a probe");
        self.ledger.tick().await;
        if self.scripted(step, |script| script.foreign) {
            let object = ObjectRef::cluster(End::Target, kind::CLAIM, &step.0);
            return Ok(Probe::Foreign(Finding::blocking("E004", object, format!("{step} is not ours"))));
        }
        if let Some(other) = self.scripted(step, |script| script.sees_stale.take()) {
            self.spoil(&other.0);
            return Ok(Probe::Stale("the source has run since".to_owned()));
        }
        let mut effects = self.effects.borrow_mut();
        Ok(match effects.get_mut(step) {
            None => Probe::Absent,
            Some(Effect { stale: true, .. }) => Probe::Stale("the source has run since".to_owned()),
            Some(Effect { waits: 0, .. }) => {
                self.busy.borrow_mut().remove(step);
                Probe::Ours(json!({"made": step.0}))
            }
            Some(effect) => {
                effect.waits -= 1;
                Probe::Underway(Progress::waiting_for("the storage system"))
            }
        })
    }

    async fn loses_nothing(&self, step: &StepId) -> Result<bool, StepError> {
        Ok(self.scripted(step, |script| script.lossless))
    }

    async fn perform(&self, step: &StepId, before: &Value) -> Result<(), StepError> {
        self.note("perform", step);
        let states = self.ledger.states();
        assert!(matches!(states.get(step), Some(next::State::Started { .. })), "{step} acts without intent: {:#?}", self.ledger.words());
        assert_eq!(before, &json!({"before": step.0}));
        for need in &self.graph.node(step).unwrap().needs {
            assert!(states.is_done(need) && self.has(need), "{step} acts before {need}");
            assert_eq!(self.outputs.borrow().get(need), Some(&json!({"made": need.0})), "{step} does not know what {need} gave");
        }
        if !self.scripted(step, |script| script.uncounted) {
            self.busy.borrow_mut().insert(step.clone());
        }
        self.most_busy.set(self.most_busy.get().max(self.busy.borrow().len()));
        if let Some(other) = self.scripted(step, |script| script.spoils.take()) {
            self.spoil(&other.0);
        }
        self.failing(step, |script| &mut script.perform).inspect_err(|_| {
            self.busy.borrow_mut().remove(step);
        })?;
        self.clock.sleep(self.scripted(step, |script| script.takes)).await;
        if self.scripted(step, |script| script.idle) {
            return Ok(());
        }
        let (waits, stale) = self.scripted(step, |script| (script.waits, script.stale > 0));
        self.scripted(step, |script| script.stale = script.stale.saturating_sub(1));
        self.effects.borrow_mut().insert(step.clone(), Effect { waits, stale });
        self.ledger.tick().await;
        Ok(())
    }

    async fn undo(&self, step: &StepId, before: &Value, _made: Option<&Value>) -> Result<Undo, StepError> {
        self.note("undo", step);
        assert!(matches!(self.ledger.states().get(step), Some(next::State::Undoing { .. })), "{step} is undone without intent");
        assert_eq!(before, &json!({"before": step.0}));
        for later in self.graph.nodes().iter().filter(|node| node.needs.contains(step) && node.undo == UndoPolicy::Automatic) {
            assert!(!self.has(&later.id), "{step} is undone under {}", later.id);
        }
        self.failing(step, |script| &mut script.undo)?;
        let waits = self.scripted(step, |script| script.undo_waits);
        let left = *self.undo_left.borrow_mut().entry(step.clone()).and_modify(|left| *left = left.saturating_sub(1)).or_insert(waits);
        if left > 0 {
            return Ok(Undo::Waiting(Progress::waiting_for("it to be gone")));
        }
        self.effects.borrow_mut().remove(step);
        self.ledger.tick().await;
        Ok(Undo::Done)
    }

    fn listen(&self, _: &StepId) -> Ticking {
        Ticking(self.clock)
    }

    fn remember(&self, step: &StepId, output: Option<&Value>) {
        let Some(output) = output else {
            // Told to make it again, a step looks past what no longer counts.
            self.effects.borrow_mut().retain(|id, effect| id != step || !effect.stale);
            self.outputs.borrow_mut().remove(step);
            return;
        };
        self.outputs.borrow_mut().insert(step.clone(), output.clone());
    }
}

/// Something changes every second.
pub(super) struct Ticking(System);

impl Wakes for Ticking {
    async fn next(&mut self) {
        self.0.sleep(Duration::from_secs(1)).await;
    }
}
