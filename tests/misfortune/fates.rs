//! What goes wrong: a row each. At which requests of an undisturbed move, what happens there, and what may come of it.

use std::time::Duration;

use vmmove::sandbox::fault::{Asked, Fault, Seen, What};
use vmmove::sandbox::status::Status;

use crate::rivals::{self, Act};
use crate::stage::Stage;
use crate::tales::Tale;

/// Somebody else who acts.
type Rival = for<'a> fn(&'a Stage, &'a Tale) -> Act<'a>;

/// One kind of misfortune.
pub struct Fate {
    pub name: &'static str,
    pub at: At,
    pub what: Blow,
    pub then: &'static [Then],
    /// Whether the mover comes to its end by itself.
    pub bears_it: bool,
    /// Whether the tool may say that it cannot go on; then it has to be able to go back.
    pub may_stand: bool,
    /// The objects of the target that show what somebody did: from the last look at them on nobody can notice.
    pub shown_by: &'static [&'static str],
    /// Whether somebody takes the fence away, which the tool can tell and not prevent.
    pub unfences: bool,
    /// What somebody else has a hand in is not compared: everything that is called so.
    pub spares: &'static [&'static str],
    /// What they do themselves about it when the move has been made.
    pub mends: fn(&Stage, &Tale),
}

fn nothing(_: &Stage, _: &Tale) {}

/// At which requests.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum At {
    /// Those that change something.
    Writes,
    /// Those that change what is there already.
    Changes,
    /// All; unless everything is to be tried only those that change something, and those right before and after.
    Requests,
    /// The first of each kind: what fails there fails whenever it is asked again.
    Kinds,
    /// The first that finds the cluster in a state in which none found it before.
    States,
}

/// What happens there.
pub enum Blow {
    /// The server or the way to it fails.
    Fault(fn(&Asked, usize) -> Fault),
    /// While the request is on its way somebody does something; the mover does nothing meanwhile.
    Meanwhile(Rival),
    /// The same, while the mover goes on as far as it can.
    Beside(Rival),
}

/// What is done about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Then {
    /// The move is resumed, and ends as undisturbed.
    Resume,
    /// It is rolled back, and everything is as before.
    Back,
}

pub const MACHINES: &[&str] = &["virtualmachines", "virtualmachineinstances"];
const BOTH: &[Then] = &[Then::Resume, Then::Back];
const ON: &[Then] = &[Then::Resume];
const HOME: &[Then] = &[Then::Back];

const fn fault(name: &'static str, at: At, what: fn(&Asked, usize) -> Fault, then: &'static [Then]) -> Fate {
    Fate {
        name,
        at,
        what: Blow::Fault(what),
        then,
        bears_it: matches!(then, [Then::Resume]),
        may_stand: false,
        shown_by: MACHINES,
        unfences: false,
        spares: &[],
        mends: nothing,
    }
}

const fn meanwhile(name: &'static str, what: Rival, then: &'static [Then]) -> Fate {
    Fate {
        name,
        at: At::Requests,
        what: Blow::Meanwhile(what),
        then,
        bears_it: false,
        may_stand: false,
        shown_by: MACHINES,
        unfences: false,
        spares: &[],
        mends: nothing,
    }
}

const fn interference(name: &'static str, what: Rival) -> Fate {
    Fate { may_stand: true, ..meanwhile(name, what, BOTH) }
}

fn busy() -> What {
    What::Refuse(Status::new(503, "ServiceUnavailable", "the server is currently unable to handle the request"))
}

/// Whenever this is asked, for as long as it takes.
fn always(asked: &Asked, what: What) -> Fault {
    let Seen { verb, plural, namespace, name, writes, conditional: _ } = asked.request.clone();
    Fault { verb: verb.into(), writes, plural: plural.into(), namespace, name, skip: 0, times: usize::MAX, what }
}

fn forbidden(asked: &Asked) -> What {
    let request = &asked.request;
    What::Refuse(Status::new(
        403,
        "Forbidden",
        format!("{} \"{}\" is forbidden: somebody took the right to {} away", request.plural, request.name, request.verb),
    ))
}

/// So many of the rows are tried with every tale; the others with those that are told thoroughly, unless everything is to be tried.
pub const FIRST: usize = 3;

pub const FATES: &[Fate] = &[
    fault("the mover dies", At::States, |_, point| Fault::of_all(point, What::CrashBefore), BOTH),
    fault("the mover dies right after a write", At::Writes, |_, point| Fault::of_all(point, What::CrashAfter), BOTH),
    fault("an answer is lost", At::Writes, |_, point| Fault::of_all(point, What::LoseReply), ON),
    fault("a request is refused once", At::Requests, |_, point| Fault::of_all(point, busy()), ON),
    fault("a write is refused for ever", At::Kinds, |asked, _| always(asked, forbidden(asked)), BOTH),
    fault("the server cannot do a write for ever", At::Kinds, |asked, _| always(asked, busy()), BOTH),
    fault("a request is lost", At::Requests, |_, point| Fault::of_all(point, What::LoseRequest), ON),
    fault("a write arrives twice", At::Writes, |_, point| Fault::of_all(point, What::Twice), ON),
    // A late creation that finds its place empty again can only be cleaned up after: `gc` finds it by its mark.
    fault("a change arrives late", At::Changes, |_, point| Fault::of_all(point, What::Late(Duration::from_millis(400))), ON),
    fault("an answer takes its time", At::Writes, |_, point| Fault::of_all(point, What::Delay(Duration::from_secs(40))), ON),
    fault("all watches break", At::Requests, |_, point| Fault::of_all(point, What::CutWatches), ON),
    meanwhile("another types the same while the mover sleeps", rivals::types_the_same, ON),
    Fate { what: Blow::Beside(rivals::types_the_same), ..meanwhile("another types the same", rivals::types_the_same, ON) },
    meanwhile("another resumes while the mover sleeps", rivals::resumes, ON),
    meanwhile("another rolls back while the mover sleeps", rivals::rolls_back, HOME),
    Fate { mends: rivals::stops_the_source, ..interference("a user starts the source", rivals::starts_the_source) },
    Fate { mends: rivals::stops_the_source, ..interference("a user starts the source again and again", rivals::starts_the_source_for_ever) },
    // The volume of a claim that they delete stays if its class says so, also when CDI makes another claim.
    Fate {
        spares: &["once of prod"],
        shown_by: &["persistentvolumeclaims"],
        ..interference("somebody deletes the target's claims", rivals::deletes_claims)
    },
    Fate { shown_by: &["virtualmachines"], ..interference("somebody deletes the target's machines", rivals::deletes_machines) },
    Fate { unfences: true, ..interference("GitOps reverts the source", rivals::reverts) },
    Fate { unfences: true, ..interference("GitOps reverts the source again and again", rivals::reverts_for_ever) },
    Fate { spares: &["prod"], ..meanwhile("somebody deletes the target namespace", rivals::deletes_the_namespace, HOME) },
    Fate { spares: &["taken"], ..interference("somebody takes the names in the target", rivals::takes_names) },
];
