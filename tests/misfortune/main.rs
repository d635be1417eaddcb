//! Whole moves on the sandbox, in virtual time, with every misfortune at every point: each of the tales with each of the fates.
//!
//! `VMMOVE_EXHAUSTIVE=1` takes every request instead of those around a write, `VMMOVE_SEED=n` another world, and `VMMOVE_POINT=n` one point of the
//! chosen trials, with all that is told. `VMMOVE_SOAK=n` adds so many moves with two misfortunes each, any at any request; of these
//! `VMMOVE_POINT=n` takes the one of that number.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::large_futures)]
#![allow(clippy::print_stdout, reason = "it says how many moves were tried, and how long that took")]

mod ending;
#[path = "../endings/mod.rs"]
mod endings;
mod fates;
mod points;
mod rivals;
mod scenes;
mod stage;
mod tales;
mod trial;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use fates::{FATES, FIRST, Fate, Then};
use libtest_mimic::{Arguments, Failed, Trial};
use tales::{Back, Row, TALES, Tale};
use vmmove::engine::clock::{Clock, Rng, Seeded, System};
use vmmove::sandbox::fault::{Fault, What};

/// Twenty thousand worlds are made, copied and thrown away: what memory costs is a good part of the time.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So many of a trial's failures are told.
const TOLD: usize = 3;

static RUNS: AtomicUsize = AtomicUsize::new(0);
/// Who asks for what in which order.
static TRACES: Mutex<BTreeMap<u64, &str>> = Mutex::new(BTreeMap::new());

/// A row that is played undisturbed when it is first needed.
struct Told {
    row: &'static Row,
    tale: OnceLock<Tale>,
}

impl Told {
    fn tale(&self) -> &Tale {
        self.tale.get_or_init(|| {
            RUNS.fetch_add(1, Ordering::Relaxed);
            Tale::of(self.row, seed())
        })
    }

    /// Another tale that asks for the same in the same order: it stands for this one too.
    fn is_told_by(&self) -> Option<&'static str> {
        let teller = *TRACES.lock().unwrap().entry(self.tale().trace()).or_insert(self.row.name);
        (teller != self.row.name).then_some(teller)
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seed() -> u64 {
    number("VMMOVE_SEED").unwrap_or(1)
}

fn everything() -> bool {
    std::env::var_os("VMMOVE_EXHAUSTIVE").is_some()
}

fn main() -> ExitCode {
    let (arguments, clock) = (Arguments::from_args(), System::new());
    let told: Vec<Arc<Told>> = TALES.iter().map(|row| Arc::new(Told { row, tale: OnceLock::new() })).collect();
    let mut trials = Vec::new();
    for told in &told {
        let undisturbed = told.clone();
        trials.push(Trial::test(format!("{}/undisturbed", told.row.name), move || is_as_it_should_be(undisturbed.tale())));
        let fates = if told.row.thorough || everything() { FATES } else { &FATES[..FIRST] };
        for fate in fates {
            for then in fate.then.iter().filter(|then| **then == Then::Resume || told.row.back != Back::Never) {
                let told = told.clone();
                let end = if *then == Then::Back { "back" } else { "on" };
                let name = format!("{}/{}/{end}", told.row.name, fate.name.replace(' ', "-"));
                trials.push(Trial::test(name, move || told.is_told_by().map_or_else(|| everywhere(told.tale(), fate, *then), |_| Ok(()))));
            }
        }
    }
    if let Some(times) = number("VMMOVE_SOAK") {
        trials.push(Trial::test("soak", move || soak(&told, times)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    println!("{} moves in {:.0?}, seed {}", RUNS.load(Ordering::Relaxed), clock.elapsed(), seed());
    conclusion.exit_code()
}

/// Undisturbed, a move that is made is made, and one that is refused changes nothing; what is taken back is as before.
fn is_as_it_should_be(tale: &Tale) -> Result<(), Failed> {
    let Tale { row, seen, before, after, .. } = tale;
    let mut wrong = match row.back {
        Back::Before | Back::Never if row.code == 0 => Vec::new(),
        _ => endings::differences(before, after),
    };
    if seen.code != row.code {
        wrong.push(format!("it ended with {} and not with {}", seen.code, row.code));
    }
    wrong.extend(blind_writes(tale));
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{}{}", wrong.join("\n"), seen.stdout, seen.stderr).into()) }
}

/// Changes of what others write too, which would be made whatever has become of it.
fn blind_writes(tale: &Tale) -> Vec<String> {
    let changes = tale.log.iter().map(|asked| &asked.request).filter(|request| request.writes && request.verb != "create");
    let blind = changes.filter(|request| !request.conditional);
    blind.map(|request| format!("{} of {} {}/{} has no condition", request.verb, request.plural, request.namespace, request.name)).collect()
}

/// Tries a move with a misfortune at each of its points.
fn everywhere(tale: &Tale, fate: &Fate, then: Then) -> Result<(), Failed> {
    let chosen = number("VMMOVE_POINT").and_then(|point| usize::try_from(point).ok());
    let points = points::of(tale, fate.at, everything());
    let (clock, mut wrong) = (System::new(), Vec::new());
    for point in points.iter().copied().filter(|point| chosen.is_none_or(|chosen| chosen == *point)) {
        RUNS.fetch_add(1, Ordering::Relaxed);
        let why = trial::play(&trial::Trial { tale, fate, point, then, again: None }, seed(), chosen.is_some());
        if !why.is_empty() {
            let request = &tale.log[point].request;
            wrong.push(format!(
                "at {point}, {} {} {}/{}:\n    {}",
                request.verb,
                request.plural,
                request.namespace,
                request.name,
                why.join("\n    ")
            ));
        }
    }
    println!("{}/{}/{then:?}: {} in {:.1?}", tale.row.name, fate.name, points.len(), clock.elapsed());
    if wrong.is_empty() {
        return Ok(());
    }
    let head = format!("{} of {} went wrong (VMMOVE_SEED={})", wrong.len(), points.len(), seed());
    wrong.truncate(TOLD);
    println!("{head}\n{}", wrong.join("\n"));
    Err(format!("{head}\n{}", wrong.join("\n")).into())
}

/// Tries so many moves with two misfortunes, any at any request: the second one hits who mends the first.
fn soak(told: &[Arc<Told>], times: u64) -> Result<(), Failed> {
    let chance = Seeded::new(seed());
    let any = |count: usize| usize::try_from(chance.next() % count.max(1) as u64).unwrap_or_default();
    let told: Vec<&Arc<Told>> = told.iter().filter(|told| told.row.code == 0).collect();
    let (chosen, mut wrong) = (number("VMMOVE_POINT"), Vec::new());
    for row in 0..times {
        let tale = told[any(told.len())].tale();
        let (fate, point) = (&FATES[any(FATES.len())], any(tale.log.len()));
        let then = fate.then[any(fate.then.len())];
        let whats = [What::CrashBefore, What::CrashAfter, What::LoseReply, What::LoseRequest, What::Twice, What::CutWatches];
        let again = Fault::of_all(any(tale.log.len()), whats[any(whats.len())].clone());
        if (then == Then::Back && tale.row.back == Back::Never) || chosen.is_some_and(|chosen| chosen != row) {
            continue;
        }
        RUNS.fetch_add(1, Ordering::Relaxed);
        let head = format!("{row}: {}/{} at {point}, {then:?}, then {:?} at {}", tale.row.name, fate.name, again.what, again.skip);
        let why = trial::play(&trial::Trial { tale, fate, point, then, again: Some(again) }, seed(), chosen.is_some());
        if !why.is_empty() {
            println!("{head}:\n    {}", why.join("\n    "));
            wrong.push(head);
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} of {times} went wrong (VMMOVE_SEED={})\n{}", wrong.len(), seed(), wrong.join("\n")).into())
    }
}
