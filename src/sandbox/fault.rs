//! Misfortune: rules for which requests go wrong, and how.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::access::Wish;
use super::status::Status;

/// What happens to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It is refused with these words, and not done.
    Refuse(Status),
    /// It is answered later.
    Delay(Duration),
    /// The connection breaks before it is done.
    LoseRequest,
    /// It is done, and the connection breaks.
    LoseReply,
    /// It is not done and never answered: its sender dies while it waits.
    CrashBefore,
    /// It is done and never answered: its sender dies while it waits.
    CrashAfter,
    /// All watches that run are cut; the request itself is done.
    CutWatches,
    /// It is done twice, as by a proxy that tries again; the second answer is the one that arrives.
    Twice,
    /// The connection breaks, and yet the request arrives, so much later.
    Late(Duration),
    /// It is on its way until [`Misfortune::release`] is called.
    Hold,
}

/// Which requests go wrong: the first `times` ones after `skip` of those that fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// As access rules name it: `get`, `patch`; empty for all.
    pub verb: Cow<'static, str>,
    /// Whether only requests that change something fit.
    pub writes: bool,
    /// The plural; empty for all.
    pub plural: Cow<'static, str>,
    /// Empty for all.
    pub namespace: String,
    /// Empty for all.
    pub name: String,
    pub skip: usize,
    pub times: usize,
    pub what: What,
}

impl Fault {
    /// Whatever happens to the request of this number among all that fit nothing in particular.
    pub fn of_all(skip: usize, what: What) -> Self {
        let (verb, plural, namespace, name) = Default::default();
        Self { verb, writes: false, plural, namespace, name, skip, times: 1, what }
    }

    /// As [`Fault::of_all`], counting requests that change something.
    pub fn of_writes(skip: usize, what: What) -> Self {
        Self { writes: true, ..Self::of_all(skip, what) }
    }

    fn fits(&self, request: &Seen) -> bool {
        let is = |wanted: &str, seen: &str| wanted.is_empty() || wanted == seen;
        let place = is(&self.namespace, &request.namespace) && is(&self.name, &request.name);
        (!self.writes || request.writes) && is(&self.verb, &request.verb) && is(&self.plural, &request.plural) && place
    }
}

/// A request as rules see it, and as the log keeps it.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Seen {
    pub verb: String,
    pub plural: String,
    pub namespace: String,
    pub name: String,
    /// Whether it changes something: no question, and no dry run.
    pub writes: bool,
    /// Whether it is done only to what its sender has seen: it names the object's version or identity, or tests what is there.
    pub conditional: bool,
}

impl Seen {
    pub fn of(wish: &Wish, dry_run: bool, body: &[u8]) -> Self {
        let asks = matches!(wish.verb.as_str(), "get" | "list" | "watch" | "") || !wish.path.is_empty();
        Self {
            verb: wish.verb.clone(),
            plural: wish.resource.clone(),
            namespace: wish.namespace.clone(),
            name: wish.name.clone(),
            writes: !asks && !dry_run,
            conditional: !asks && serde_json::from_slice(body).is_ok_and(|body| is_conditional(&body)),
        }
    }
}

/// A patch with a test, options of a deletion with preconditions, or an object with its version.
fn is_conditional(body: &Value) -> bool {
    let tests = body.as_array().into_iter().flatten().any(|operation| operation["op"] == "test");
    tests || body["preconditions"].is_object() || body["metadata"]["resourceVersion"].is_string()
}

/// A request, and how far the cluster was when it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    pub request: Seen,
    /// The version of the last change before it.
    pub version: u64,
}

/// The rules that are in force, what has been asked, and signs to those who run.
#[derive(Default)]
pub struct Misfortune {
    rules: Mutex<Vec<(Fault, usize)>>,
    log: Mutex<Vec<Asked>>,
    /// Grows when a sender is to die.
    pub crashes: watch::Sender<u64>,
    /// How often all watches have been cut, and the sign of it, which they hear in the order in which they began to wait.
    pub(super) cuts: AtomicU64,
    pub(super) cut: Arc<Notify>,
    /// Grows when a request is held.
    pub held: watch::Sender<u64>,
    /// Grows when those that are held may go on.
    released: watch::Sender<u64>,
}

impl Misfortune {
    pub fn add(&self, fault: Fault) {
        lock(&self.rules).push((fault, 0));
    }

    /// Nothing goes wrong any more, and nothing has been asked.
    pub fn clear(&self) {
        lock(&self.rules).clear();
        lock(&self.log).clear();
    }

    /// What has been asked, in order.
    pub fn log(&self) -> Vec<Asked> {
        lock(&self.log).clone()
    }

    /// Cuts all watches that run.
    pub(super) fn cut_watches(&self) {
        self.cuts.fetch_add(1, Ordering::Relaxed);
        self.cut.notify_waiters();
    }

    /// Lets the requests that are held go on.
    pub fn release(&self) {
        self.released.send_modify(|times| *times += 1);
    }

    /// Holds a request until somebody lets it go on.
    pub(super) async fn hold(&self) {
        let mut released = self.released.subscribe();
        released.mark_unchanged();
        self.held.send_modify(|held| *held += 1);
        let _ = released.changed().await;
    }

    /// Notes a request that comes when the cluster is at a version, and says what happens to it.
    pub fn meets(&self, request: Seen, version: u64) -> Option<What> {
        let mut found = None;
        for (fault, seen) in lock(&self.rules).iter_mut().filter(|(fault, _)| fault.fits(&request)) {
            *seen += 1;
            if *seen > fault.skip && *seen <= fault.skip + fault.times && found.is_none() {
                found = Some(fault.what.clone());
            }
        }
        lock(&self.log).push(Asked { request, version });
        found
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_then_strikes_so_many_times() {
        let misfortune = Misfortune::default();
        misfortune.add(Fault { plural: "pods".into(), ..Fault { times: 2, ..Fault::of_writes(1, What::LoseReply) } });
        let ask = |verb: &str, plural: &str| {
            let wish = Wish { verb: verb.to_owned(), resource: plural.to_owned(), ..Wish::default() };
            misfortune.meets(Seen::of(&wish, false, b""), 7).is_some()
        };
        assert_eq!(
            [ask("create", "pods"), ask("get", "pods"), ask("patch", "pods"), ask("patch", "secrets"), ask("delete", "pods"), ask("delete", "pods")],
            [false, false, true, false, true, false]
        );
        assert_eq!((misfortune.log().len(), misfortune.log()[5].version), (6, 7));
        misfortune.clear();
        assert!(!ask("patch", "pods"));
    }
}
