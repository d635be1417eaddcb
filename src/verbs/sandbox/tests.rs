//! The demo, typed in virtual time; and plans that are rehearsed.
#![allow(clippy::unwrap_used)]

use jiff::Timestamp;

use super::inside::{Said, in_virtual_time};
use crate::sandbox::catalog::VM;
use crate::sandbox::scenario;
use crate::sandbox::scenarios::Scenario;
use crate::sandbox::world::World;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn world(scenario: &str) -> World {
    scenario::play(1, NOW, Scenario::named(scenario).unwrap().read().unwrap()).unwrap()
}

/// Types one command; what was said, and how many machines are then in namespaces shop and prod.
fn on(world: World, line: &str) -> (Said, [usize; 2]) {
    let typed = in_virtual_time(world, 1, async |inside| {
        let said = inside.types("kubectl vmmove", line, String::new()).await;
        (said, inside.sandbox.with(|world| ["shop", "prod"].map(|namespace| world.list(&VM, Some(namespace)).len())))
    });
    typed.unwrap()
}

/// What README shows is what the demo prints, times and all.
#[test]
fn the_demo_prints_what_the_readme_shows() {
    let (said, _) = on(world("plain"), "sandbox demo");
    assert_eq!(said.code.0, 0, "{}{}", said.stdout, said.stderr);
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let shown: String = said.stdout.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect();
    let shown = shown.trim_matches('\n');
    assert!(readme.contains(shown), "README.md shows another recording than this:\n{shown}");
}

#[test]
fn a_rehearsal_goes_there_and_back_and_touches_nothing() {
    let (said, machines) = on(world("demo"), "plan --all -n shop --to prod --rehearse");
    assert_eq!(said.code.0, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("  3 moved, 0 failed, 0 skipped."), "{}", said.stderr);
    assert!(said.stderr.contains("and back again:\n") && said.stderr.contains("  3 put back, 0 failed, 0 skipped."), "{}", said.stderr);
    assert_eq!(machines, [3, 0]);
}

#[test]
fn a_rehearsal_that_stops_short_blocks_the_plan() {
    let mut world = world("demo");
    scenario::load(
        &mut world,
        "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: ill-1, namespace: shop}
spec:
  runStrategy: Halted
  template:
    metadata: {annotations: {sandbox/boot: fails}}
    spec: {domain: {devices: {}, resources: {requests: {memory: 64Mi}}}}
",
    )
    .unwrap();
    world.let_pass(std::time::Duration::from_secs(60));
    let (said, machines) = on(world, "plan ill-1 -n shop --to prod --start always --rehearse");
    assert_eq!(said.code.0, 4, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("G001") && said.stdout.contains("the rehearsal of this plan did not reach its end"), "{}", said.stdout);
    assert!(said.stderr.contains("and back again:\n") && said.stderr.contains("  1 put back, 0 failed, 0 skipped."), "{}", said.stderr);
    assert_eq!(machines, [4, 0]);
}

#[test]
fn what_others_own_stands_by_in_a_rehearsal() {
    let mut world = world("pool-owned");
    let free = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: free-1, namespace: shop}\n\
                spec: {runStrategy: Halted, template: {spec: {domain: {devices: {}, resources: {requests: {memory: 64Mi}}}}}}\n";
    scenario::load(&mut world, free).unwrap();
    world.let_pass(std::time::Duration::from_secs(60));
    let (said, _) = on(world, "plan free-1 -n shop --to prod --rehearse");
    assert_eq!(said.code.0, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("  1 moved, 0 failed, 0 skipped."), "{}", said.stderr);
}
