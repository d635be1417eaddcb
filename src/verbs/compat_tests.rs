//! Every plan, move list and journal that a release wrote is read for ever: each file under `tests/fixtures/compat/`.
//!
//! At a release, with the version in `Cargo.toml` already the new one:
//!
//! ```sh
//! cargo test --lib compat_tests -- --ignored
//! ```
//!
//! writes the folder of this version, which is committed with the release. No file of a released version is ever changed or removed. Where a
//! test here fails after a change, the change is wrong, or journals get a new `FORMAT` and documents a new `apiVersion`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::acting::freezing;
use super::looking::documents::{Document, read};
use super::looking::shop::{bare, shop};
use crate::engine::Ledger;
use crate::engine::clock::{Clock, Rng, System};
use crate::ledger::{self, ConfigMaps, FileLedger, Opened, object_name};
use crate::model::finding::Finding;
use crate::model::graph::StepId;
use crate::model::journal::{Cause, Entry, Holder};
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{End, MoveId, ObjectRef};
use crate::output::io::Io;
use crate::output::yaml;
use crate::plan::decide::digest;
use crate::plan::document::{API_VERSION, Plan, PlanMeta, PlanSpec};
use crate::plan::fixtures::{self, running, vm};
use crate::plan::move_list::{ListedDisk, ListedMachine, MoveList};
use crate::plan::order;
use crate::plan::request::Strategy;
use crate::plan::rewrite::fence::FenceBefore;
use crate::plan::step::Step;
use crate::steps::restore::restore_commands;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compat")
}

fn nowhere() -> Io {
    let (stdout, stderr) = (Box::new(std::io::sink()), Box::new(std::io::sink()));
    let stdin = Box::new(std::io::empty());
    Io { stdin, stdout, stderr, stdin_is_terminal: false, stdout_is_terminal: false, stderr_is_terminal: false, screen: None, env: |_| None }
}

/// The files of released versions.
fn kept() -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(folder()).sort_by_file_name().into_iter().map(Result::unwrap);
    files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[tokio::test]
async fn whatever_a_release_wrote_is_read() {
    let mut seen = Vec::new();
    for path in kept() {
        let what = match path.extension().and_then(|end| end.to_str()) {
            Some("yaml") => document(&path).await,
            Some("ledger") => journal(ledger::file::read(&path).unwrap()),
            _ => panic!("nobody knows how to read {}", path.display()),
        };
        seen.push(what);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, ["MoveList", "MovePlan", "journal"], "each kind is kept");
}

/// Reads a document by its kind.
async fn document(path: &Path) -> &'static str {
    let text = std::fs::read_to_string(path).unwrap();
    let values = yaml::read_all("it", &text).unwrap();
    if values[0]["kind"] == "List" {
        return journal(in_cluster(&values[0]["items"]).await.unwrap());
    }
    match read(path, &mut nowhere()).unwrap() {
        Document::Plan(plan) => {
            assert!(!order::steps(&plan.spec).is_empty());
            "MovePlan"
        }
        Document::List(list) => {
            assert!(!list.request().machines.is_empty());
            "MoveList"
        }
        other => panic!("{}: {other:?}", path.display()),
    }
}

/// Opens the move whose ConfigMaps these are.
async fn in_cluster(items: &Value) -> Result<Opened, crate::model::failure::Failure> {
    let items: Vec<Manifest> = items.as_array().unwrap().iter().cloned().map(Manifest::from).collect();
    let header = items.iter().find(|item| item.text("/data/header").is_some()).unwrap();
    let (namespace, name) = (header.namespace().unwrap().to_owned(), header.name().strip_prefix("vmmove-").unwrap().to_owned());
    let (cluster, _) = items.into_iter().fold(bare(), super::looking::shop::Shop::with).serve();
    ledger::open(&cluster, &namespace, &name).await
}

/// What a journal holds makes sense to this version: its steps, where they stand, and what undoing the fence needs.
fn journal(opened: Opened) -> &'static str {
    let graph = order::graph(&opened.plan.spec);
    assert!(opened.states().begun().count() > 0);
    for (id, state) in opened.states().begun() {
        assert!(graph.node(id).is_some(), "step {id}");
        if id.0.ends_with("/fence") {
            serde_json::from_value::<FenceBefore>(state.before().clone()).unwrap();
        }
    }
    for entry in opened.entries() {
        if let Entry::Frozen { steps } = entry {
            assert!(steps.iter().all(|step| serde_json::from_value::<Step>(step.clone()).is_ok()));
        }
    }
    "journal"
}

#[tokio::test]
async fn a_journal_that_needs_a_newer_reader_is_refused_with_a_sentence() {
    let newer = |header: &str| header.replace("\"oldestReader\":1", "\"oldestReader\":99").replace("\"tool\":\"", "\"future\":1,\"tool\":\"9.");
    for path in kept().into_iter().filter(|path| path.file_stem().is_some_and(|stem| stem == "journal")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let refused = if path.extension().is_some_and(|end| end == "ledger") {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), newer(&text)).unwrap();
            ledger::file::read(file.path()).unwrap_err()
        } else {
            let mut items = yaml::read_all("it", &text).unwrap()[0]["items"].take();
            let header = items.as_array_mut().unwrap().iter_mut().find_map(|map| map.pointer_mut("/data/header")).unwrap();
            *header = newer(header.as_str().unwrap()).into();
            in_cluster(&items).await.unwrap_err()
        };
        assert!(refused.message.contains("in a format that this version") && refused.message.ends_with("nothing was touched"), "{refused}");
        assert!(refused.hints[0].starts_with("use kubectl-vmmove 9."), "{:?}", refused.hints);
    }
}

#[tokio::test]
#[ignore = "writes the folder of this version"]
async fn write_what_this_version_writes() {
    let folder = folder().join(env!("CARGO_PKG_VERSION"));
    std::fs::create_dir_all(&folder).unwrap();
    let keep = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let planned = shop().run("plan db-1 web-1 -n shop --to prod --map-storage-class fast=fast -o yaml").await;
    keep("plan.yaml", &planned.stdout);
    let chosen = shop().run("select --all -n shop --to prod").await;
    keep("chosen.yaml", &chosen.stdout);
    keep("list.yaml", &yaml::write(&full_list()).unwrap());

    let clock: Arc<dyn Clock> = Arc::new(System::new());
    let plan = plan();
    let restore = |_: &MoveId| restore_commands(&plan.spec);
    let (cluster, log) = bare().serve();
    let (id, maps) = ConfigMaps::begin(&cluster, &plan, "alice", &Dice, clock.clone(), restore).await.unwrap();
    fill(&maps, &plan.spec).await;
    let made: Vec<Value> = log.all().into_iter().filter(|seen| seen.method == "POST").map(|seen| seen.body).collect();
    assert!(made.iter().any(|map| map["metadata"]["name"] == object_name(&id)));
    keep("journal.yaml", &yaml::write(&json!({"apiVersion": "v1", "kind": "List", "items": made})).unwrap());

    let path = folder.join("journal.ledger");
    let _ = std::fs::remove_file(&path);
    let (_, file) = FileLedger::begin(&path, &plan, "alice", &Dice, &*clock, restore).unwrap();
    fill(&file, &plan.spec).await;
}

struct Dice;

impl Rng for Dice {
    fn next(&self) -> u64 {
        7
    }
}

fn plan() -> Plan {
    let spec = fixtures::plan();
    let metadata = PlanMeta { name: "shop-to-prod".to_owned(), digest: digest(&spec) };
    Plan { api_version: API_VERSION.to_owned(), kind: "MovePlan".to_owned(), metadata, spec }
}

/// A list in which much is said.
fn full_list() -> MoveList {
    let disk = |claim: &str, strategy, class: Option<&str>| ListedDisk { claim: claim.to_owned(), strategy, storage_class: class.map(str::to_owned) };
    let disks = vec![disk("db-1-data", Some(Strategy::CdiClone), None), disk("db-1-log", None, Some("cheap"))];
    let mut list = MoveList::of("shop", Some("prod"), &["web-1".to_owned()]);
    list.spec.create_namespace = true;
    list.spec.options.parallel = 2;
    list.spec.options.max_downtime_seconds = Some(600);
    list.spec.map_storage_class = [("old".to_owned(), "new".to_owned())].into();
    list.spec.map_network = [("vlan10".to_owned(), "prod/vlan10".to_owned())].into();
    list.spec.machines.push(ListedMachine { name: "db-1".to_owned(), rename: Some("db-2".to_owned()), disks });
    list
}

/// One entry of each kind, in two appends: the first thing of each group and all the rest.
async fn fill(ledger: &impl Ledger, plan: &PlanSpec) {
    let at = || "2026-01-02T03:04:05Z".to_owned();
    let step = |id: &str| StepId(id.to_owned());
    let started = |id: &str, before: Value| Entry::Started { step: step(id), at: at(), before };
    let done = |id: &str, output: Value| Entry::Done { step: step(id), at: at(), output };
    let frozen = |group: &str| Entry::Frozen { steps: freezing::steps(plan)[group].clone() };
    let fence = FenceBefore::read(&running(vm("db-1", &["root", "data"]))).unwrap();
    let object = ObjectRef::namespaced(End::Source, kind::VM, "shop", "db-1");
    let copied = done("copy/secrets/login", json!({"ours": true, "uid": "secrets-login-2"}));
    ledger.append("", &[frozen(""), started("copy/secrets/login", Value::Null), copied]).await.unwrap();
    let entries = [
        frozen("db-1"),
        started("db-1/fence", json!(fence)),
        done("db-1/fence", json!({"epoch": {"uid": "virtualmachines-db-1", "generation": 4}})),
        started("db-1/stop", Value::Null),
        Entry::Blocked { step: step("db-1/stop"), at: at(), finding: Finding::blocking("E006", object, "it does not shut down").hint("wait") },
        Entry::Paused { at: at() },
        Entry::TakenOver { holder: Holder { number: 2, name: "bob".to_owned() }, at: at() },
        done("db-1/stop", json!({})),
        started("db-1/root/clone", Value::Null),
        Entry::Failed { step: step("db-1/root/clone"), at: at(), cause: Cause("the driver refuses".to_owned()) },
        Entry::Consented { to: "rollback".to_owned(), by: "bob".to_owned(), at: at() },
        Entry::GoingBack { at: at() },
        Entry::UndoStarted { step: step("db-1/root/clone"), at: at() },
        Entry::Stuck { step: step("db-1/root/clone"), at: at(), cause: Cause("it is in use".to_owned()) },
        Entry::Undone { step: step("db-1/root/clone"), at: at() },
    ];
    ledger.append("db-1", &entries).await.unwrap();
}
