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
    let trials: Vec<Trial> = checks.chain(cases).collect();
    let subjects = book.cases.chunk_by(|a, b| a.subject == b.subject).count();
    println!("{} cases about {subjects} subjects, of which {} do not hold yet", book.cases.len(), not_yet.len());
    libtest_mimic::run(&arguments, trials).exit()
}

/// Each case has a cluster, and a runtime whose time stands still while anything is to be done.
fn on_sandbox(book: &Book, case: &Case, number: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let backend = Simulated::begin(u64::try_from(number)?)?;
        play(case, &book.objects, &backend, &format!("case-{number}")).await
    })
}
