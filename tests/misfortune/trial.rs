//! One move, disturbed once; and what is wrong with how it ended.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use vmmove::exit::Code;
use vmmove::sandbox::catalog::{CLAIM, DATA_VOLUME, Res, SECRET, SERVICE, VM, VMI, VOLUME};
use vmmove::sandbox::fault::{Fault, What};
use vmmove::sandbox::store::{Key, What as Happened, text};

use crate::ending::ending;
use crate::endings::differences;
use crate::fates::{Blow, Fate, Then};
use crate::points;
use crate::scenes::{self, WROTE};
use crate::stage::{Seen, Stage, play_from};
use crate::tales::{Back, REST, Tale};

/// What nobody but a cleanup may delete of the source.
const KEPT: [Res; 5] = [&VM, &CLAIM, &DATA_VOLUME, &SECRET, &SERVICE];

/// A move, disturbed.
pub struct Trial<'t> {
    pub tale: &'t Tale,
    pub fate: &'t Fate,
    /// At which of the requests.
    pub point: usize,
    pub then: Then,
    /// What goes wrong with the first try to mend it.
    pub again: Option<Fault>,
}

/// Plays it; says what went wrong, with everything that was typed and told when that was asked for.
pub fn play(trial: &Trial, seed: u64, aloud: bool) -> Vec<String> {
    let Trial { tale, fate, point, then, ref again } = *trial;
    play_from(&tale.begin, scenes::user(tale.row.scenario), seed, async |stage| {
        let since = stage.sandbox.with(|world| world.store.version());
        let mut story = Story { stage: &stage, tale, told: Vec::new(), wrong: Vec::new() };
        let died = story.disturbed(fate, point).await;
        stage.pass(REST).await;
        let home = then == Then::Back;
        let code = story.told.last().map_or(0, |(_, seen)| seen.code);
        let failed = died || code != 0;
        let unnoticed = fate.may_stand && !failed && points::is_after_the_last_look(tale, point, fate.shown_by);
        if let Some(fault) = again.clone().filter(|_| home || failed) {
            let lines = if home { stage.back() } else { stage.again(tale) };
            stage.sandbox.misfortune().add(fault);
            if let Some(line) = lines.first()
                && let Some(seen) = stage.may_die_at(line, None, false).await
            {
                story.told.push((line.clone(), seen));
            }
            stage.sandbox.misfortune().clear();
            stage.pass(REST).await;
        }
        let mut wanted = if home { tale.home() } else { Some(&tale.after) };
        if home {
            story.types_all(stage.back(), true).await;
        } else if [Code::UNDONE.0, Code::STUCK.0].contains(&code) {
            // It went back by itself, as far as it could; a journal that could not be written does not know, and goes on.
            story.types_all(if code == Code::STUCK.0 { stage.again(tale) } else { Vec::new() }, true).await;
            let arrived = stage.sandbox.with(|world| !world.list(&VM, Some("prod")).is_empty());
            wanted = if arrived { Some(&tale.after) } else { tale.home() };
        } else if failed && !story.goes_on(!fate.may_stand).await {
            // It says that it cannot go on. Then there has to be a way back, unless the source is being removed.
            let lines = if tale.home().is_some() { stage.back() } else { Vec::new() };
            story.types_all(lines, true).await;
            wanted = tale.home();
        }
        if wanted == Some(&tale.after) && !home && tale.row.phase {
            story.types_all(stage.again(tale), true).await;
        }
        if wanted == Some(&tale.after) && tale.row.back == Back::Before && tale.row.code == 0 {
            (fate.mends)(&stage, tale);
        }
        stage.pass(REST).await;
        if let Some(wanted) = wanted.filter(|_| home || !unnoticed) {
            let moved = fate.may_stand && tale.row.back == Back::Before && wanted == &tale.after;
            let missed = if moved { points::looked_at_for_the_last_time(tale, point, fate.shown_by) } else { Vec::new() };
            let [wanted, found] = [wanted, &ending(&stage)].map(|ending| without(ending, fate.spares, &missed));
            story.wrong.extend(differences(&wanted, &found));
        }
        // Whoever takes the fence away when the target is up has both running; that has to be told.
        let told =
            unnoticed || !tale.row.first.is_empty() || story.told.iter().any(|(_, seen)| seen.stderr.contains("took the fence off its source"));
        let both = both_running(&stage, since).into_iter().chain(stale(&stage, tale));
        story.wrong.extend(both.filter(|_| !(fate.unfences && told)));
        story.wrong.extend(lost(&stage, tale, since));
        if aloud {
            print_all(&story.told);
        }
        let secrets =
            story.told.iter().filter(|(_, seen)| tale.secrets.iter().any(|secret| seen.stdout.contains(secret) || seen.stderr.contains(secret)));
        let leaks: Vec<String> = secrets.map(|(line, _)| format!("{line} told a secret")).collect();
        story.wrong.extend(leaks);
        story.wrong
    })
}

struct Story<'s> {
    stage: &'s Stage,
    tale: &'s Tale,
    told: Vec<(String, Seen)>,
    wrong: Vec<String>,
}

impl Story<'_> {
    /// Types the line, with the misfortune at its point; whether the mover died of it.
    async fn disturbed(&mut self, fate: &Fate, point: usize) -> bool {
        let (stage, tale) = (self.stage, self.tale);
        let misfortune = stage.sandbox.misfortune();
        let (fault, act, beside) = match fate.what {
            Blow::Fault(fault) => (fault(&tale.log[point], point), None, false),
            Blow::Meanwhile(act) => (Fault::of_all(point, What::Hold), Some(act(stage, tale)), false),
            Blow::Beside(act) => (Fault::of_all(point, What::Hold), Some(act(stage, tale)), true),
        };
        misfortune.add(fault);
        let seen = stage.may_die_at(&tale.line, act, beside).await;
        misfortune.clear();
        stage.be_quiet();
        let Some(seen) = seen else { return true };
        if fate.bears_it && seen.code != tale.seen.code {
            self.wrong.push(format!("ended with {}: {}", seen.code, seen.stderr));
        }
        self.told.push((tale.line.clone(), seen));
        false
    }

    /// Whether it can be gone on with. Of several moves of the same machines each has got some, or none: then the ending tells.
    async fn goes_on(&mut self, have_to: bool) -> bool {
        let several = self.stage.moves().len() > 1;
        self.types_all(self.stage.again(self.tale), have_to && !several).await || several
    }

    /// Types lines one after the other; whether they succeeded. Of several moves of one machine only one can be gone back over.
    async fn types_all(&mut self, lines: Vec<String>, have_to: bool) -> bool {
        let (mut failed, several) = (Vec::new(), self.stage.moves().len() > 1);
        let count = lines.len();
        for line in lines {
            let seen = self.stage.types(&line).await;
            // A line that is refused undisturbed is refused again.
            if seen.code != 0 && (line != self.tale.line || seen.code != self.tale.seen.code) {
                failed.push(format!("{line} ended with {}: {}", seen.code, seen.stderr));
            }
            self.told.push((line, seen));
        }
        let fine = failed.is_empty() || (several && failed.len() < count);
        if !fine && have_to {
            self.wrong.extend(failed);
        }
        fine
    }
}

#[allow(clippy::print_stdout)]
fn print_all(told: &[(String, Seen)]) {
    for (line, seen) in told {
        println!("$ kubectl vmmove {line}\n{}{}({})", seen.stdout, seen.stderr, seen.code);
    }
}

/// What is left to compare: nothing that somebody else had a hand in, and of the machines that were out of sight only the source's disks.
fn without(ending: &Value, spares: &[&str], missed: &[String]) -> Value {
    let mut left = ending.clone();
    let foreign = |place: &str| {
        let claim = place.replace("volume of", "PersistentVolumeClaim");
        spares.iter().any(|spare| place.contains(&format!(" {spare}/")) || ending[&claim]["labels"]["whose"] == *spare || place.ends_with(spare))
    };
    if let Some(all) = left.as_object_mut() {
        let out_of_sight = |place: &str| {
            (place.contains(" prod/") || place.starts_with("VirtualMachine")) && missed.iter().any(|name| place.ends_with(&format!("/{name}")))
        };
        all.retain(|place, _| !foreign(place) && !out_of_sight(place));
    }
    left
}

/// The moments at which a guest could have run at both ends.
fn both_running(stage: &Stage, since: u64) -> Option<String> {
    stage.sandbox.with(|world| {
        let mut up: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for key in world.store.list_at(since, &VMI, None).ok()?.into_keys() {
            up.entry(key.name).or_default().insert(key.namespace);
        }
        for change in world.store.since(since).ok()?.filter(|change| change.key.resource == &VMI) {
            // One that no node takes does not run.
            let runs = matches!(text(&change.object, "/status/phase"), "Scheduled" | "Running");
            let at = up.entry(change.key.name.clone()).or_default();
            if change.what == Happened::Deleted || !runs {
                at.remove(&change.key.namespace);
            } else {
                at.insert(change.key.namespace.clone());
            }
            if at.len() > 1 {
                return Some(format!("at version {} the guest of {} is up at both ends", change.version, change.key.name));
            }
        }
        None
    })
}

/// Copies on which guests run though they lack what those of the source have written; and originals on which guests of the target have.
fn stale(stage: &Stage, tale: &Tale) -> Vec<String> {
    let moves = tale.line.contains("--volumes move");
    stage.sandbox.with(|world| {
        let mut wrong = Vec::new();
        for volume in tale.begin.list(&VOLUME, None).iter().filter(|_| tale.row.first.is_empty() && !moves) {
            let [namespace, name] = ["namespace", "name"].map(|field| text(volume, &format!("/spec/claimRef/{field}")));
            let [source, target] = ["shop", "prod"].map(|place| format!("{WROTE} {place}/"));
            let written = |volume: &Value, mark: &str| {
                let bytes = world.disks.read(text(volume, "/spec/csi/volumeHandle")).unwrap_or_default();
                String::from_utf8_lossy(bytes).lines().filter(|line| line.starts_with(mark)).count()
            };
            if written(volume, &target) > 0 {
                wrong.push(format!("a guest of the target wrote on the volume of {namespace}/{name}"));
            }
            let claim = world.get(&CLAIM, "prod", name).filter(|_| namespace == "shop");
            let copy = claim.and_then(|claim| world.get(&VOLUME, "", text(&claim, "/spec/volumeName"))).filter(|copy| written(copy, &target) > 0);
            if let Some(copy) = copy.filter(|copy| written(copy, &source) != written(volume, &source)) {
                let [there, here] = [written(&copy, &source), written(volume, &source)];
                wrong.push(format!("a guest runs on a copy of {name} that has {there} of what was written {here} times"));
            }
        }
        wrong
    })
}

/// What is gone of the source, or of what somebody else made; and volumes on which not the same is written any more.
fn lost(stage: &Stage, tale: &Tale, since: u64) -> Vec<String> {
    // A rollback deletes what the move had made, a cleanup what it had moved.
    let begins = tale.row.first.is_empty();
    let volumes: Vec<_> = tale.begin.list(&VOLUME, None).into_iter().filter(|volume| text(volume, "/spec/claimRef/namespace") == "shop").collect();
    let is_volume = |key: &Key| key.resource == &VOLUME && volumes.iter().any(|volume| text(volume, "/metadata/name") == key.name);
    stage.sandbox.with(|world| {
        let mut wrong = Vec::new();
        let Ok(changes) = world.store.since(since) else { return vec!["too much happened to be remembered".to_owned()] };
        for change in changes.filter(|change| change.what == Happened::Deleted) {
            let is_old = tale.begin.same(&change.key, text(&change.object, "/metadata/uid")).is_some();
            let of_source = change.key.namespace == "shop" && KEPT.contains(&change.key.resource);
            let foreign = change.object.pointer("/metadata/labels/whose").is_some();
            if foreign || (begins && is_old && (of_source || is_volume(&change.key))) {
                wrong.push(format!("{} was deleted", change.key));
            }
        }
        for volume in volumes.iter().filter(|_| begins) {
            let handle = text(volume, "/spec/csi/volumeHandle");
            let now = world.disks.read(handle).unwrap_or_default();
            if !now.starts_with(tale.bytes.get(handle).map(Vec::as_slice).unwrap_or_default()) {
                wrong.push(format!("what was on {handle} is not there any more"));
            }
        }
        wrong
    })
}
