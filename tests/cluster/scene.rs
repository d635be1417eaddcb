//! Where others meddle: a machine of two disks and a Secret, and what must be true of it whatever they do.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, stream};
use serde_json::Value;

use crate::crashes::kind_of;
use crate::lab::Lab;
use crate::lab::proxy::{Proxy, Request};
use crate::machines::Machine;
use crate::tool::Tool;

/// So many scenes are played at once.
const SIDE_BY_SIDE: usize = 4;

/// A machine with a disk from a template, a plain claim, and a Secret.
pub struct Scene {
    pub source: String,
    pub target: String,
    pub machine: Machine,
    before: Value,
}

impl Scene {
    pub async fn new(lab: &Lab) -> Result<Self> {
        Self::of(lab, |machine| machine).await
    }

    pub async fn of(lab: &Lab, with: impl FnOnce(Machine) -> Machine) -> Result<Self> {
        let (source, target) = lab.namespaces("intruder").await?;
        let machine = Machine::new(&source, "db-1").template("db-1-root", "fast").claim("db-1-data", "fast").secret("login");
        let machine = with(machine);
        machine.bring_up(lab).await?;
        let before = machine.picture(lab).await?;
        Ok(Self { source, target, machine, before })
    }

    pub fn run(&self, flags: &str) -> String {
        format!("run db-1 --to {} {flags} --yes", self.target)
    }

    /// The tool by way of a proxy.
    pub fn tool(&self, lab: &Lab, proxy: &Proxy) -> Tool {
        Tool::with(lab, proxy.kubeconfig(), &self.source)
    }

    /// Recognises the requests of a kind.
    pub fn kind(&self, kind: &str) -> impl Fn(&Request) -> bool + Send + Sync + 'static + use<> {
        let (source, target, kind) = (self.source.clone(), self.target.clone(), kind.to_owned());
        move |request| request.writes() && kind_of(request, &source, &target) == kind
    }

    /// The name of the move that the ledgers in the source tell of.
    pub async fn name(&self, lab: &Lab) -> Result<String> {
        begun(lab, &self.source).await?.context("no move was written down")
    }

    /// What the source was before the move.
    pub fn before(&self) -> &Value {
        &self.before
    }

    /// The source is what it was, with its bytes.
    pub async fn is_untouched(&self, lab: &Lab) -> Result<()> {
        let now = self.machine.picture(lab).await?;
        ensure!(now == self.before, "the source is not what it was\n--- before\n{:#}\n--- now\n{now:#}", self.before);
        self.machine.has_its_bytes(lab, &self.source).await
    }

    /// Does something and sees to it that the guests of both ends never run at the same time.
    pub async fn never_both<T>(&self, lab: &Lab, action: impl Future<Output = Result<T>>) -> Result<T> {
        let runs = async |namespace: &str| -> Result<bool> {
            let guest = lab.find("VirtualMachineInstance", namespace, "db-1").await?;
            Ok(guest.is_some_and(|guest| guest["status"]["phase"] == "Running"))
        };
        let both = lab.wait_for_the_worst("both run", async || Ok(runs(&self.source).await? && runs(&self.target).await?));
        tokio::select! {
            done = action => done,
            seen = both => {
                seen?;
                bail!("both guests ran at the same time")
            }
        }
    }
}

/// The name of the move that was written down in a namespace: all that another process has to go by.
pub async fn begun(lab: &Lab, namespace: &str) -> Result<Option<String>> {
    let ledgers = lab.list("ConfigMap", namespace).await?;
    let ledger = ledgers.iter().find(|ledger| ledger["metadata"]["labels"]["vmmove.io/ledger"] == "move");
    Ok(ledger.and_then(|ledger| ledger["metadata"]["labels"]["vmmove.io/move"].as_str()).map(str::to_owned))
}

/// Plays scenes, some at a time, and tells of all that fail.
pub async fn each<T: Clone + std::fmt::Debug>(scenes: impl IntoIterator<Item = T>, play: impl AsyncFn(T) -> Result<()>) -> Result<()> {
    let play = &play;
    let told = stream::iter(scenes).map(async |scene: T| play(scene.clone()).await.err().map(|error| format!("{scene:?}: {error:#}")));
    let failed: Vec<String> = told.buffer_unordered(SIDE_BY_SIDE).filter_map(async |failed| failed).collect().await;
    ensure!(failed.is_empty(), "{}", failed.join("\n\n"));
    Ok(())
}

/// A test that panicked with the lock in hand has failed already.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
