//! Plays cases on a laboratory that runs already: `KUBECONFIG=... cargo run --example conformance [part of a title]...`. Whoever writes a case
//! needs no new laboratory for each try.
#![allow(clippy::print_stdout, reason = "this is a program to be read on a terminal")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

mod real;
mod runner;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use futures::{StreamExt, stream};
use real::Real;
use runner::{Book, CHECKS, Case, play};

/// As many cases are played at a time.
const AT_ONCE: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    for (name, check) in CHECKS {
        check().context(*name)?;
    }
    let kubeconfig = PathBuf::from(std::env::var_os("KUBECONFIG").context("KUBECONFIG says which laboratory")?);
    let laboratory = kubeconfig.parent().and_then(Path::parent).context("no laboratory has this kubeconfig")?;
    let real = Real::connect(&kubeconfig, &laboratory.join("csi")).await?;
    let book = Book::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"))?;
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let cases = book.cases.iter().filter(|case| is_wanted(case, &wanted));
    let run = std::process::id();
    let (book, real) = (&book, &real);
    let played = stream::iter(cases.enumerate()).map(async |(number, case)| {
        let begin = Instant::now();
        let done = play(case, &book.objects, real, &format!("c{run}-{number}")).await;
        (case.title(), begin.elapsed(), done)
    });
    let mut played = std::pin::pin!(played.buffer_unordered(AT_ONCE));
    let (mut good, mut bad) = (0, 0);
    while let Some((title, time, done)) = played.next().await {
        match done {
            Ok(()) => good += 1,
            Err(_) => bad += 1,
        }
        let said = done.map_or_else(|error| format!("FAILED\n{error:#}\n"), |()| "ok".into());
        println!("{title} ({:.1} s) {said}", time.as_secs_f64());
    }
    println!("{good} hold, {bad} do not.");
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Without a wish all; else whatever has one of the parts in its title.
fn is_wanted(case: &Case, parts: &[String]) -> bool {
    parts.is_empty() || parts.iter().any(|part| case.title().contains(part))
}
