//! The demo, typed in virtual time; and a plan that is rehearsed.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use jiff::Timestamp;

use super::inside::{Said, types};
use crate::engine::clock::Seeded;
use crate::sandbox::catalog::VM;
use crate::sandbox::scenario;
use crate::sandbox::scenarios::Scenario;
use crate::sandbox::server::Sandbox;
use crate::sandbox::time::Scaled;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Types one command on a scenario, in virtual time.
fn on(scenario: &str, line: &str) -> (Said, Sandbox) {
    let world = scenario::play(1, NOW, Scenario::named(scenario).unwrap().read().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let time = Scaled::new(world.now(), 1);
        let sandbox = Sandbox::of(world, Arc::new(time));
        tokio::spawn(sandbox.clone().live());
        let said = types(&sandbox, time, Arc::new(Seeded::new(1)), "kubectl vmmove", line, String::new()).await;
        (said, sandbox)
    })
}

/// What README shows is what the demo prints, times and all.
#[test]
fn the_demo_prints_what_the_readme_shows() {
    let (said, _) = on("plain", "sandbox demo");
    assert_eq!(said.code.0, 0, "{}{}", said.stdout, said.stderr);
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let shown: String = said.stdout.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect();
    let shown = shown.trim_matches('\n');
    assert!(readme.contains(shown), "README.md shows another recording than this:\n{shown}");
}

#[test]
fn a_rehearsal_goes_there_and_back_and_touches_nothing() {
    let (said, sandbox) = on("demo", "plan --all -n shop --to prod --rehearse");
    assert_eq!(said.code.0, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("  3 moved, 0 failed, 0 skipped."), "{}", said.stderr);
    assert!(said.stderr.contains("and back again:\n") && said.stderr.contains("  3 put back, 0 failed, 0 skipped."), "{}", said.stderr);
    sandbox.with(|world| {
        assert!(world.list(&VM, Some("prod")).is_empty());
        assert_eq!(world.list(&VM, Some("shop")).len(), 3);
    });
}
