//! Plays the conformance cases against the sandbox: `cargo test --test conformance`. The same cases are played against the real control
//! plane by `cargo test --test cluster -- conformance`; a case counts when it holds on both.
#![allow(clippy::print_stdout, reason = "it says how many cases there are")]

mod runner;
mod sandbox;

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
    let cases = book.cases.iter().enumerate().map(|(number, case)| {
        let (book, case) = (book.clone(), case.clone());
        Trial::test(case.title(), move || on_sandbox(&book, &case, number).map_err(|error| Failed::from(format!("{error:#}"))))
    });
    let trials: Vec<Trial> = checks.chain(cases).collect();
    println!("{} cases about {} subjects", book.cases.len(), book.cases.chunk_by(|a, b| a.subject == b.subject).count());
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
