//! Holding a move: its Lease says that somebody carries it, its ledger who. One that somebody else holds is refused, waited for, or stopped.

use std::time::Duration;

use super::finding::{Found, Journal, by_group};
use super::flags::Place;
use super::{finding, freezing};
use crate::engine::StepError;
use crate::engine::next::{self, States};
use crate::ledger::lease::{self, EXPIRY, Held as HeldByOther, Lease, NotAcquired};
use crate::ledger::{self, ConfigMaps, FileLedger, Ledger, Opened, request};
use crate::model::failure::{Failure, FailureKind};
use crate::model::graph::Graph;
use crate::model::journal::{Entry, Holder};
use crate::model::names::MoveId;
use crate::output::command::CommandPrefix;
use crate::plan::document::Plan;
use crate::plan::order;
use crate::steps::restore::restore_commands;
use crate::steps::sites::Sites;
use crate::verbs::Context;

/// How long a runner that was asked to stop may take, unless `--timeout` says otherwise: its requests in flight and a sign of life.
const STOPPING: Duration = Duration::from_secs(600);

/// A move that this process carries.
pub struct Held {
    pub id: MoveId,
    pub plan: Plan,
    pub journal: Journal,
    pub user: String,
    pub sites: Sites,
    pub ledger: Ledger,
    /// A ledger in a file has none: the file's lock takes its place.
    pub lease: Option<Lease>,
    /// Begun by this process.
    pub is_new: bool,
}

impl Held {
    pub fn holder(&self) -> &Holder {
        &self.ledger.header().holder
    }

    /// The machines of the move, by their names in the source.
    pub fn machines(&self) -> Vec<String> {
        self.plan.spec.machines.iter().map(|machine| machine.name.clone()).collect()
    }

    /// What the journal says about a machine.
    pub fn entries(&self, machine: &str) -> Vec<Entry> {
        self.journal.get(machine).cloned().unwrap_or_default()
    }

    /// The steps, and where each stands.
    pub fn graph(&self) -> (Graph, States) {
        (order::graph(&self.plan.spec), next::replay(by_group(&self.journal)))
    }

    /// Writes down that the user agreed to something about these machines.
    ///
    /// # Errors
    /// The journal cannot be written; nothing has been done.
    pub async fn agree(&mut self, cx: &Context, machines: &[String], to: &str) -> Result<(), Failure> {
        let entry = Entry::Consented { to: to.to_owned(), by: self.user.clone(), at: cx.clock.now().to_string() };
        for machine in machines {
            let entries = [entry.clone()];
            crate::engine::Ledger::append(&self.ledger, machine, &entries).await.map_err(|error| failure(error, &self.id))?;
            self.journal.entry(machine.clone()).or_default().extend(entries);
        }
        Ok(())
    }

    /// Lets go of the move, so that the next one need not wait. A Lease that cannot be released runs out by itself.
    pub async fn release(&self) {
        if let Some(lease) = &self.lease
            && let Err(error) = lease.release().await
        {
            tracing::debug!("the lease could not be released: {error}");
        }
    }
}

/// What becomes of somebody else who holds the move.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Other {
    /// The move is theirs.
    Respect,
    /// Taken over once nothing was heard of them for long enough.
    OutWait,
    /// Asked to stop, and waited for.
    Stop { limit: Option<Duration> },
}

/// Writes a new move down and holds it.
///
/// # Errors
/// What the server or the disk says; nothing but the ledger was touched.
pub async fn begin(cx: &Context, sites: Sites, plan: Plan, user: String, place: &Place) -> Result<Held, Failure> {
    let restore = |_: &MoveId| restore_commands(&plan.spec);
    let (id, ledger) = match place {
        Place::Cluster => {
            let (id, ledger) = ConfigMaps::begin(&sites.source.cluster, &plan, &user, &*cx.rng, cx.clock.clone(), restore).await?;
            (id, Ledger::Cluster(Box::new(ledger)))
        }
        Place::File(path) => {
            let (id, ledger) = FileLedger::begin(path, &plan, &user, &*cx.rng, &*cx.clock, restore)?;
            (id, Ledger::File(Box::new(ledger)))
        }
    };
    let lease = match place {
        Place::Cluster => {
            let holder = ledger.header().holder.clone();
            let acquired = lease::acquire(&sites.source.cluster, &sites.source.namespace, &id, &holder, cx.clock.clone()).await;
            Some(acquired.map_err(|not| refusal(not, cx, &id, &sites.source.namespace))?)
        }
        Place::File(_) => None,
    };
    Ok(Held { id, plan, journal: Journal::new(), user, sites, ledger, lease, is_new: true })
}

/// Takes a move that was found into this process's hands: the Lease first, then the journal, with a higher number.
///
/// # Errors
/// Somebody else holds it, or the tool is too different from the one that began it. Nothing was done then.
pub async fn hold(cx: &mut Context, found: Found, other: Other) -> Result<Held, Failure> {
    let steps = freezing::steps(&found.plan().spec);
    freezing::check(&found.opened.header, &found.opened.journal, &steps)?;
    let sites = found.sites();
    let Found { cluster, opened, file, user } = found;
    if let Some(file) = file {
        return Ok(held(opened, Ledger::File(Box::new(file)), None, user, sites));
    }
    let (id, namespace) = (opened.header.move_id.clone(), opened.header.source_namespace.clone());
    let me = Holder { number: opened.header.holder.number + 1, name: user.clone() };
    let lease = acquire(cx, &sites, &id, &me, other).await?;
    let taken = async {
        let (opened, ledger) = ledger::take_over(&cluster, &opened, &user, cx.clock.clone()).await?;
        request::clear(&cluster, &namespace, &id, &*cx.clock).await?;
        Ok((opened, ledger))
    };
    match taken.await {
        Ok((opened, ledger)) => Ok(held(opened, Ledger::Cluster(Box::new(ledger)), Some(lease), user, sites)),
        Err(failure) => {
            let _ = lease.release().await;
            Err(failure)
        }
    }
}

fn held(opened: Opened, ledger: Ledger, lease: Option<Lease>, user: String, sites: Sites) -> Held {
    let id = opened.header.move_id.clone();
    Held { id, plan: opened.plan, journal: opened.journal, user, sites, ledger, lease, is_new: false }
}

async fn acquire(cx: &mut Context, sites: &Sites, id: &MoveId, me: &Holder, other: Other) -> Result<Lease, Failure> {
    let (cluster, namespace) = (&sites.source.cluster, sites.source.namespace.as_str());
    let limit = match other {
        Other::Stop { limit } => limit.unwrap_or(STOPPING),
        Other::Respect | Other::OutWait => Duration::ZERO,
    };
    let until = cx.clock.elapsed() + limit;
    let mut asked = false;
    loop {
        let held = match lease::acquire(cluster, namespace, id, me, cx.clock.clone()).await {
            Ok(lease) => return Ok(lease),
            Err(NotAcquired::Held(held)) if other != Other::Respect => held,
            Err(not) => return Err(refusal(not, cx, id, namespace)),
        };
        if !asked {
            if let Other::Stop { .. } = other {
                request::ask_pause(cluster, namespace, id, &format!("asked by {} to stop, for a rollback", me.name), &*cx.clock).await?;
            }
            cx.io.remark(&waiting(&held, id, other));
            asked = true;
        }
        match held.wait_until_stale().await {
            Ok(()) => match held.replace(me).await {
                Ok(lease) => return Ok(lease),
                // Somebody was quicker: look again who.
                Err(NotAcquired::Held(_)) if cx.clock.elapsed() < until => {}
                Err(not) => return Err(refusal(not, cx, id, namespace)),
            },
            // It is at work still: it finishes what it has in flight.
            Err(_) if cx.clock.elapsed() < until => {}
            Err(not) => return Err(refusal(not, cx, id, namespace)),
        }
    }
}

fn waiting(held: &HeldByOther, id: &MoveId, other: Other) -> String {
    let holder = &held.holder;
    match other {
        Other::Stop { .. } => format!("move {id} is carried by {holder}, who was asked to stop; waiting until that is done\n"),
        _ => format!("move {id} is held by {holder}; waiting {} s for a sign of life before it is taken over\n", EXPIRY.as_secs()),
    }
}

fn refusal(not: NotAcquired, cx: &Context, id: &MoveId, namespace: &str) -> Failure {
    match not {
        NotAcquired::Failed(failure) => failure,
        NotAcquired::Held(held) => theirs(&held.holder, &held.since, id, &cx.commands(namespace)),
    }
}

/// Why a move that somebody else holds is left alone.
fn theirs(holder: &str, since: &str, id: &MoveId, commands: &CommandPrefix) -> Failure {
    let sign = if since.is_empty() { String::new() } else { format!(" (last sign of life at {since})") };
    Failure::error(format!("move {id} is carried by {holder}{sign}; nothing was done"))
        .hint(format!("see what it does:           {}", commands.typed(&format!("status {id}"))))
        .hint(format!("ask it to stop:             {}", commands.typed(&format!("pause {id}"))))
        .hint(format!("if that process is gone:    {}", commands.typed(&format!("resume {id} --take-over"))))
}

/// What a step's error means for a verb that cannot go on.
pub fn failure(error: StepError, id: &MoveId) -> Failure {
    let why = match error {
        StepError::Transient(cause) | StepError::Permanent(cause) => cause.0,
        StepError::Blocked(finding) => finding.message,
        StepError::Stale(why) | StepError::Lost(why) => why,
    };
    Failure::new(FailureKind::Resumable, format!("move {id} cannot go on: {why}"))
}

/// Looks for a move that was begun with this plan already; who may not list is not told.
///
/// # Errors
/// There is one.
pub async fn refuse_second(cx: &Context, sites: &Sites, plan: &Plan) -> Result<(), Failure> {
    let Ok(Some(found)) = finding::of_plan(&sites.source.cluster, plan).await else { return Ok(()) };
    let commands = found.commands(cx);
    let message = format!("this plan is being carried out already, as move {} of {}", found.id(), found.opened.header.author);
    Err(Failure::error(message)
        .hint(format!("see where it stands: {}", commands.typed(&format!("status {}", found.id()))))
        .hint(format!("go on with it:       {}", commands.typed(&format!("resume {}", found.id())))))
}
