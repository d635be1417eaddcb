//! Plays the conformance cases against the sandbox: `cargo test --test conformance`. The same cases are played against the real control
//! plane by `cargo test --test cluster -- conformance`; a case counts when it holds on both. What the sandbox does not do yet is listed in
//! `not_yet.txt`: a listed case that holds is a failure as well, so the list only shrinks.
#![allow(clippy::print_stdout, reason = "it says how many cases there are")]

mod runner;
mod sandbox;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use runner::{Book, CHECKS, Case, play};
use sandbox::Simulated;

fn main() -> Result<()> {
    let arguments = Arguments::from_args();
    let book = Arc::new(Book::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"))?);
    let checks = CHECKS.iter().map(|(name, check)| Trial::test(*name, || check().map_err(|error| Failed::from(format!("{error:#}")))));
    let not_yet: BTreeSet<&str> = include_str!("not_yet.txt").lines().collect();
    let unknown: Vec<_> = not_yet.iter().filter(|title| !book.cases.iter().any(|case| case.title() == **title)).collect();
    anyhow::ensure!(unknown.is_empty(), "not_yet.txt lists cases that are not there: {unknown:?}");
    let cases = book.cases.iter().enumerate().map(|(number, case)| {
        let (book, case, held_back) = (book.clone(), case.clone(), not_yet.contains(case.title().as_str()));
        Trial::test(case.title(), move || match (on_sandbox(&book, &case, number), held_back) {
            (Ok(()), true) => Err(Failed::from("it holds now: take it off not_yet.txt")),
            (Err(error), false) => Err(Failed::from(format!("{error:#}"))),
            _ => Ok(()),
        })
    });
    let named = book.clone();
    let pins = Trial::test("runner/rules_name_the_cases_that_pin_them", move || {
        rules_name_their_cases(&named).map_err(|error| Failed::from(format!("{error:#}")))
    });
    let trials: Vec<Trial> = checks.chain([pins]).chain(cases).collect();
    let subjects = book.cases.chunk_by(|a, b| a.subject == b.subject).count();
    println!("{} cases about {subjects} subjects, of which {} do not hold yet", book.cases.len(), not_yet.len());
    libtest_mimic::run(&arguments, trials).exit()
}

/// What of the folder of rules is none: the list of them, and tests.
const NO_RULES: [&str; 2] = ["mod.rs", "cluster_for_tests.rs"];

/// Each file of rules says in its first lines which cases hold it to the real thing, and these are there.
fn rules_name_their_cases(book: &Book) -> Result<()> {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sandbox/behaviour"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() || name.ends_with("_tests.rs") || NO_RULES.contains(&name.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).skip_while(|line| !line.starts_with("//! Cases: ")).collect();
        let named: Vec<&str> = head.iter().flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
        anyhow::ensure!(!named.is_empty(), "{name} names no case: add a line '//! Cases: `subject/name`.'");
        for case in named {
            anyhow::ensure!(book.cases.iter().any(|known| known.title() == case), "{name} names {case}, which is no case");
        }
    }
    Ok(())
}

/// Each case has a cluster, and a runtime whose time stands still while anything is to be done.
fn on_sandbox(book: &Book, case: &Case, number: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let backend = Simulated::begin(u64::try_from(number)?)?;
        play(case, &book.objects, &backend, &format!("case-{number}")).await
    })
}
