//! Whole moves on the sandbox, in virtual time: first undisturbed, then with misfortune at every point.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::large_futures)]
#![allow(clippy::print_stdout, reason = "it says how many moves were tried")]

mod ending;
#[path = "../endings/mod.rs"]
mod endings;
mod stage;

use std::time::Duration;

use ending::ending;
use endings::differences;
use serde_json::Value;
use stage::{Stage, play, play_from};
use vmmove::sandbox::catalog::{CLAIM, VM, VMI};
use vmmove::sandbox::fault::{Fault, What};
use vmmove::sandbox::status::Status;
use vmmove::sandbox::store::{What as Happened, text};
use vmmove::sandbox::world::World;

/// A running machine with two disks of its own.
const MACHINE: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: root, namespace: shop}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
---
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: db-1, namespace: shop}
spec:
  runStrategy: Always
  template:
    metadata: {labels: {app: db}}
    spec:
      domain:
        devices:
          disks: [{name: root, disk: {bus: virtio}}, {name: data, disk: {bus: virtio}}]
          interfaces: [{name: default, masquerade: {}, macAddress: \"02:00:00:00:00:01\"}]
        resources: {requests: {memory: 64Mi}}
      networks: [{name: default, pod: {}}]
      volumes: [{name: root, persistentVolumeClaim: {claimName: root}}, {name: data, persistentVolumeClaim: {claimName: data}}]
";

async fn running(stage: &Stage) {
    stage.namespaces(&["shop", "prod"]);
    stage.make(MACHINE);
    stage.machine_is("shop", "db-1", "Running").await;
    stage.write("shop", "data", "orders");
    stage.write("shop", "root", "system");
}

#[test]
fn a_running_machine_moves_by_each_strategy_and_leaves_nothing_after_cleanup() {
    for flags in ["", "--volumes move"] {
        play(async |stage| {
            running(&stage).await;
            let seen = stage.does(&format!("run db-1 -n shop --to prod {flags} --yes")).await;
            assert!(seen.stdout.contains("1 moved"), "{}", seen.stdout);
            stage.machine_is("prod", "db-1", "Running").await;
            stage.machine_is("shop", "db-1", "Stopped").await;
            assert_eq!((stage.read("prod", "data"), stage.read("prod", "root")), ("orders".to_owned(), "system".to_owned()));
            assert_eq!(stage.instances().len(), 1);
            let name = seen.stdout.split_whitespace().nth(1).unwrap().to_owned();
            stage.does(&format!("cleanup {name} -n shop --yes")).await;
            assert!(stage.get(&VM, "shop", "db-1").is_none() && stage.get(&CLAIM, "shop", "data").is_none());
        });
    }
}

/// A move that is tried again and again, each time from the same moment.
struct Tale {
    line: String,
    begin: World,
    /// How everything is before the move, and after an undisturbed one.
    before: Value,
    after: Value,
    /// How many requests an undisturbed move makes, and how many of them change something.
    requests: usize,
    writes: usize,
}

/// Time for everything to come to rest.
const REST: Duration = Duration::from_secs(30);

impl Tale {
    fn of(flags: &str) -> Self {
        let line = format!("run db-1 -n shop --to prod {flags} --yes");
        let (begin, before) = play(async |stage| {
            running(&stage).await;
            stage.pass(REST).await;
            (stage.sandbox.with(|world| world.clone()), ending(&stage))
        });
        let (after, requests, writes) = play_from(&begin, async |stage| {
            stage.does(&line).await;
            let log = stage.sandbox.misfortune().log();
            stage.pass(REST).await;
            (ending(&stage), log.len(), log.iter().filter(|request| request.writes).count())
        });
        Self { line, begin, before, after, requests, writes }
    }

    /// Tries the move once with this misfortune; what went wrong.
    fn once(&self, fault: &Fault, goes_back: bool) -> Vec<String> {
        play_from(&self.begin, async |stage| {
            let mut wrong = Vec::new();
            let since = stage.sandbox.with(|world| world.store.version());
            stage.sandbox.misfortune().add(fault.clone());
            let seen = stage.may_die_at(&self.line).await;
            stage.sandbox.misfortune().clear();
            let died = seen.is_none();
            if let Some(seen) = seen.filter(|seen| seen.code.0 != 0) {
                wrong.push(format!("ended with {}: {}", seen.code.0, seen.stderr));
            }
            if died || goes_back {
                stage.pass(REST).await;
                let line = match stage.ledger("shop") {
                    Some(name) if goes_back => format!("rollback {name} -n shop --yes --discard-target-writes"),
                    Some(name) => format!("resume {name} -n shop --yes --take-over"),
                    None if goes_back => String::new(),
                    None => self.line.clone(),
                };
                if !line.is_empty() {
                    let seen = stage.types(&line).await;
                    if seen.code.0 != 0 {
                        wrong.push(format!("{line} ended with {}: {}", seen.code.0, seen.stderr));
                    }
                }
            }
            stage.pass(REST).await;
            wrong.extend(differences(if goes_back { &self.before } else { &self.after }, &ending(&stage)));
            wrong.extend(both_running(&stage, since));
            wrong
        })
    }

    /// Tries it with a misfortune at each of so many points; says what went wrong where.
    fn at_each(&self, points: usize, fault: impl Fn(usize) -> Fault, goes_back: bool) -> Vec<String> {
        let tried = (0..points).map(|point| (point, self.once(&fault(point), goes_back)));
        tried.filter(|(_, wrong)| !wrong.is_empty()).map(|(point, wrong)| format!("{} at {point}: {}", self.line, wrong.join("\n    "))).collect()
    }
}

/// The moments at which a guest could have run at both ends.
fn both_running(stage: &Stage, since: u64) -> Option<String> {
    stage.sandbox.with(|world| {
        let mut up: std::collections::BTreeSet<String> = world.store.list_at(since, &VMI, None).ok()?.into_keys().map(|key| key.namespace).collect();
        for change in world.store.since(since).ok()?.filter(|change| change.key.resource == &VMI) {
            let is_over = matches!(text(&change.object, "/status/phase"), "Succeeded" | "Failed");
            if change.what == Happened::Deleted || is_over {
                up.remove(&change.key.namespace);
            } else {
                up.insert(change.key.namespace.clone());
            }
            if up.len() > 1 {
                return Some(format!("at version {} a guest is up at both ends", change.version));
            }
        }
        None
    })
}

const STRATEGIES: [&str; 2] = ["--strategy CloneRebind", "--volumes move"];

/// Tries each strategy with a misfortune at each write, or at each request when everything is to be tried (`VMMOVE_EXHAUSTIVE=1`).
fn everywhere(what: &What, goes_back: bool) {
    let all = std::env::var_os("VMMOVE_EXHAUSTIVE").is_some();
    let (mut tried, mut wrong) = (0, Vec::new());
    for flags in STRATEGIES {
        let tale = Tale::of(flags);
        let (points, fault): (usize, fn(usize, What) -> Fault) = if all { (tale.requests, Fault::of_all) } else { (tale.writes, Fault::of_writes) };
        wrong.extend(tale.at_each(points, |point| fault(point, what.clone()), goes_back));
        tried += points;
    }
    println!("{what:?}: {tried} moves, {} went wrong", wrong.len());
    assert!(wrong.is_empty(), "{} of {tried} went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_mover_that_dies_is_followed_by_one_that_ends_the_move() {
    everywhere(&What::CrashAfter, false);
}

#[test]
fn a_mover_that_dies_is_followed_by_one_that_puts_everything_back() {
    everywhere(&What::CrashAfter, true);
}

#[test]
fn an_answer_that_is_lost_changes_nothing() {
    everywhere(&What::LoseReply, false);
}

#[test]
fn a_server_that_cannot_serve_for_a_moment_changes_nothing() {
    everywhere(&What::Refuse(Status::new(503, "ServiceUnavailable", "the server is currently unable to handle the request")), false);
}

#[test]
fn watches_that_break_change_nothing() {
    everywhere(&What::CutWatches, false);
}
