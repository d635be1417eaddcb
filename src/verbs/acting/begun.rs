//! Moves of the shop's two machines that were begun already, for stories.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::Value;

use crate::engine::Ledger;
use crate::ledger::{ConfigMaps, lease};
use crate::model::graph::Phase;
use crate::model::journal::{Entry, Holder};
use crate::model::names::MoveId;
use crate::plan::document::Plan;
use crate::plan::order;
use crate::steps::restore::restore_commands;
use crate::verbs::looking::shop::{Shop, shop};
use crate::verbs::looking::typing::{At, Chosen};

/// What the move is called.
pub const MOVE: &str = "shop-to-prod-7k2fq";

/// The plan for both machines.
pub async fn plan() -> Plan {
    let said = shop().run("plan --all -n shop --to prod -o json").await;
    serde_json::from_str(&said.stdout).unwrap()
}

/// The plan in a file, and that file's name.
pub async fn plan_in(folder: &tempfile::TempDir) -> String {
    let path = folder.path().join("plan.json").display().to_string();
    let said = shop().run(&format!("plan --all -n shop --to prod --save {path}")).await;
    assert_eq!(said.code, 0, "{}", said.all());
    path
}

/// The shop, from which alice moves both machines to prod: every step before this phase is done, and nobody carries the move.
pub async fn begun(before: Phase) -> Shop {
    begun_on(&["db-1", "web-1"], before).await
}

/// As [`begun`], where only these machines have come so far and the others have not begun.
pub async fn begun_on(machines: &[&str], before: Phase) -> Shop {
    let (shop, plan) = (shop(), plan().await);
    let (cluster, _) = shop.store.cluster();
    let clock = Arc::new(At::new("2026-11-21T12:00:00Z"));
    let restore = |_: &MoveId| restore_commands(&plan.spec);
    let (id, ledger) = ConfigMaps::begin(&cluster, &plan, "alice", &Chosen, clock, restore).await.unwrap();
    assert_eq!(id.0, MOVE);
    let steps = order::steps(&plan.spec);
    let done = steps.iter().filter(|step| step.phase() < before && (step.machine().is_empty() || machines.contains(&step.machine())));
    for (minute, step) in done.enumerate() {
        let entry = Entry::Done { step: step.id(), at: format!("2026-11-21T12:{minute:02}:00Z"), output: Value::Null };
        ledger.append(step.machine(), &[entry]).await.unwrap();
    }
    shop
}

/// Writes something more into the journal of a machine.
pub async fn written(shop: Shop, machine: &str, entry: Entry) -> Shop {
    let (cluster, _) = shop.store.cluster();
    let opened = crate::ledger::open(&cluster, "shop", MOVE).await.unwrap();
    ConfigMaps::hold(&cluster, &opened, Arc::new(At::new("2026-11-21T12:05:00Z"))).append(machine, &[entry]).await.unwrap();
    shop
}

/// Lets somebody carry the move right now.
pub async fn carried_by(name: &str, shop: Shop) -> Shop {
    let (cluster, _) = shop.store.cluster();
    let (id, holder) = (MoveId(MOVE.to_owned()), Holder { number: 1, name: name.to_owned() });
    let clock = Arc::new(At::new("2026-11-21T12:09:58Z"));
    assert!(lease::acquire(&cluster, "shop", &id, &holder, clock).await.is_ok());
    shop
}
