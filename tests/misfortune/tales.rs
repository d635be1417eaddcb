//! Which moves are disturbed: a cluster, and what is typed. A row each; how it goes undisturbed is found out by playing it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::Value;
use vmmove::sandbox::catalog::{CLAIM, SECRET, VM, VOLUME};
use vmmove::sandbox::fault::Asked;
use vmmove::sandbox::store::text;
use vmmove::sandbox::world::World;

use crate::ending::ending;
use crate::scenes;
use crate::stage::{Seen, Stage, play, play_from};

/// A move to be disturbed.
pub struct Row {
    pub name: &'static str,
    /// The scenario that it begins with.
    pub scenario: &'static str,
    /// What has been typed before, undisturbed; `{move}` stands for the move's name.
    pub first: &'static [&'static str],
    /// What is disturbed.
    pub line: &'static str,
    /// How everything is after a rollback.
    pub back: Back,
    /// How it ends: done, or refused with nothing changed.
    pub code: u8,
    /// Whether it is a phase, after which the move is gone on with to its end.
    pub phase: bool,
    /// Whether it is tried with every fate.
    pub thorough: bool,
}

/// Where a rollback leads.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Back {
    /// To how it was before the line was typed.
    Before,
    /// To where the line itself leads.
    After,
    /// Nowhere: there is no way back.
    Never,
}

const CLONE: &str = "run --all -n shop --to prod --strategy CloneRebind --yes";
const MOVE: &str = "run --all -n shop --to prod --volumes move --yes";
const COPY: &str = "run --all -n shop --to prod --strategy CdiClone --yes";
const PLAIN: &str = "run --all -n shop --to prod --yes";
const BACK: &str = "rollback {move} -n shop --yes --discard-target-writes";
const STOP: &str = "plan db-1 -n shop --to prod -o yaml | stop -f - --yes";
const CLONES: &str = "clone {move} -n shop --yes";
const COPIES: &str = "copy {move} -n shop --yes";
const RECREATES: &str = "recreate {move} -n shop --yes";
const CLEANUP: &str = "cleanup {move} -n shop --yes";

const fn run(name: &'static str, scenario: &'static str, line: &'static str) -> Row {
    Row { name, scenario, first: &[], line, back: Back::Before, code: 0, phase: false, thorough: false }
}

const fn refused(name: &'static str, scenario: &'static str, line: &'static str) -> Row {
    Row { code: 4, ..run(name, scenario, line) }
}

const fn back(name: &'static str, scenario: &'static str, first: &'static [&'static str]) -> Row {
    Row { first, back: Back::After, ..run(name, scenario, BACK) }
}

const fn cleanup(name: &'static str, scenario: &'static str, first: &'static [&'static str]) -> Row {
    Row { first, back: Back::Never, ..run(name, scenario, CLEANUP) }
}

const fn phase(name: &'static str, first: &'static [&'static str], line: &'static str) -> Row {
    Row { first, phase: true, ..run(name, "plain", line) }
}

const fn thorough(row: Row) -> Row {
    Row { thorough: true, ..row }
}

pub const TALES: &[Row] = &[
    thorough(run("machine-clone", "machine", CLONE)),
    thorough(run("machine-move", "machine", MOVE)),
    thorough(run("machine-copy", "machine", COPY)),
    thorough(back("machine-clone-back", "machine", &[CLONE])),
    thorough(back("machine-move-back", "machine", &[MOVE])),
    thorough(back("machine-copy-back", "machine", &[COPY])),
    thorough(cleanup("machine-clone-cleanup", "machine", &[CLONE])),
    thorough(cleanup("machine-move-cleanup", "machine", &[MOVE])),
    thorough(cleanup("machine-copy-cleanup", "machine", &[COPY])),
    run("shop-clone", "plain", CLONE),
    run("shop-move", "plain", MOVE),
    run("shop-copy", "plain", COPY),
    thorough(run("template-clone", "dv-template", CLONE)),
    run("template-move", "dv-template", MOVE),
    run("template-copy", "dv-template", COPY),
    back("template-move-back", "dv-template", &[MOVE]),
    cleanup("template-move-cleanup", "dv-template", &[MOVE]),
    run("instancetype-clone", "instancetype", CLONE),
    run("instancetype-move", "instancetype", MOVE),
    run("instancetype-copy", "instancetype", COPY),
    run("hot-plugged-clone", "hot-plugged", CLONE),
    run("hot-plugged-move", "hot-plugged", MOVE),
    run("hot-plugged-copy", "hot-plugged", COPY),
    run("no-snapshots", "no-snapshots", PLAIN),
    run("no-snapshots-move", "no-snapshots", MOVE),
    run("machine-class", "machine", "run --all -n shop --to prod --storage-class other --yes"),
    run("machine-namespace", "machine", "run --all -n shop --to elsewhere --create-namespace --yes"),
    run("machine-undo", "machine", "run --all -n shop --to prod --on-failure undo --yes"),
    run("wait-move", "wait-for-consumer", "run node-1 -n shop --to prod --volumes move --yes"),
    refused("wait-clone", "wait-for-consumer", "run node-1 -n shop --to prod --strategy CloneRebind --yes"),
    run("wait-copy", "wait-for-consumer", "run node-1 -n shop --to prod --strategy CdiClone --yes"),
    refused("wait-unbound", "wait-for-consumer", PLAIN),
    refused("networks", "multi-network", CLONE),
    refused("vtpm-clone", "vtpm", CLONE),
    refused("vtpm-move", "vtpm", MOVE),
    refused("shared-clone", "shared-disk", CLONE),
    refused("shared-move", "shared-disk", MOVE),
    refused("gitops", "gitops-owned", PLAIN),
    refused("pool", "pool-owned", PLAIN),
    refused("guarded", "guarded", PLAIN),
    refused("paused", "paused", PLAIN),
    refused("quota", "quota-tight", PLAIN),
    refused("no-rights", "no-rights", PLAIN),
    phase("phase-stop", &[], STOP),
    phase("phase-clone", &[STOP], CLONES),
    phase("phase-copy", &[STOP, CLONES], COPIES),
    phase("phase-recreate", &[STOP, CLONES, COPIES], RECREATES),
    phase("phase-start", &[STOP, CLONES, COPIES, RECREATES], "start {move} -n shop --yes"),
];

/// A row, played undisturbed.
pub struct Tale {
    pub row: &'static Row,
    pub line: String,
    pub begin: World,
    /// The source's machines as nobody has touched them.
    pub originals: Vec<Value>,
    /// How everything is before the first line, and after the last.
    pub before: Value,
    pub after: Value,
    /// The requests that are made, and how the line ends.
    pub log: Vec<Asked>,
    pub seen: Seen,
    /// What nobody may ever see.
    pub secrets: Vec<String>,
    /// What is on each volume.
    pub bytes: BTreeMap<String, Vec<u8>>,
}

/// Time for everything to come to rest.
pub const REST: Duration = Duration::from_secs(30);

impl Tale {
    pub fn of(row: &'static Row, seed: u64) -> Self {
        let (begin, before, line, originals) = play(seed, row.scenario, async |stage| {
            write_on_all(&stage);
            let before = ending(&stage);
            let originals = stage.sandbox.with(|world| world.list(&VM, Some("shop")).iter().map(|vm| Value::clone(vm)).collect());
            for line in row.first {
                stage.does(&stage.filled_in(line)).await;
                stage.pass(REST).await;
            }
            (stage.sandbox.with(|world| world.clone()), before, stage.filled_in(row.line), originals)
        });
        let (after, log, told) = play_from(&begin, scenes::user(row.scenario), seed, async |stage| {
            let told = stage.types(&line).await;
            let log = stage.sandbox.misfortune().log();
            if row.phase {
                stage.does(&stage.filled_in("resume {move} -n shop --yes")).await;
            }
            stage.pass(REST).await;
            (ending(&stage), log, told)
        });
        let secrets = begin.list(&SECRET, None).iter().flat_map(|secret| words(&secret["data"])).collect();
        let bytes = begin.disks.handles().map(|handle| (handle.to_owned(), begin.disks.read(handle).unwrap_or_default().to_vec())).collect();
        Self { row, line, begin, originals, before, after, log, seen: told, secrets, bytes }
    }

    /// How everything is to be after a rollback.
    pub fn home(&self) -> Option<&Value> {
        match self.row.back {
            Back::Before => Some(&self.before),
            Back::After => Some(&self.after),
            Back::Never => None,
        }
    }

    /// A number for what is asked in which order: the same for two that are one.
    pub fn trace(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        self.row.scenario.hash(&mut hash);
        self.log.iter().for_each(|asked| asked.request.hash(&mut hash));
        hash.finish()
    }
}

/// Every volume says whose it is.
fn write_on_all(stage: &Stage) {
    stage.sandbox.with(|world| {
        for volume in world.list(&VOLUME, None) {
            let claim = &volume["spec"]["claimRef"];
            let words = format!("what {}/{} holds\n", text(claim, "/namespace"), text(claim, "/name"));
            world.disks.write(text(&volume, "/spec/csi/volumeHandle"), words.as_bytes());
        }
        assert!(world.list(&CLAIM, Some("shop")).iter().any(|claim| text(claim, "/status/phase") == "Bound") || world.list(&CLAIM, None).is_empty());
    });
}

fn words(data: &Value) -> Vec<String> {
    data.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str().filter(|value| value.len() > 5).map(str::to_owned)).collect()
}
