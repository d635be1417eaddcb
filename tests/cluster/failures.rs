//! One of two machines fails: what becomes of it, of the other, and what is said. And machines that are down for too long.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::machines::{Machine, one, vm};
use crate::scene::each;
use crate::tool::{Answer, Tool};

/// Two running machines. The guest of `bad` ends badly when it is asked to shut down; `early` and `late` come before and after it.
struct Pair {
    source: String,
    target: String,
    machines: [Machine; 2],
    before: Vec<Value>,
}

impl Pair {
    async fn with(lab: &Lab, other: &str) -> Result<Self> {
        let (source, target) = lab.namespaces("failure").await?;
        let always = json!({"runStrategy": "Always"});
        let machines = [one(&source, "bad", always.clone()).annotation("lab/guest", "fail"), one(&source, other, always)];
        try_join_all(machines.iter().map(|machine| machine.bring_up(lab))).await?;
        let before = try_join_all(machines.iter().map(|machine| machine.picture(lab))).await?;
        Ok(Self { source, target, machines, before })
    }

    async fn run(&self, lab: &Lab, flags: &str) -> Result<Answer> {
        Tool::new(lab, &self.source).run(&format!("run --all --to {} --parallel 1 {flags} --yes", self.target)).await
    }

    /// It is what it was, and runs. The target may have the other one.
    async fn is_back(&self, lab: &Lab, number: usize) -> Result<()> {
        let machine = &self.machines[number];
        let now = machine.picture(lab).await?;
        ensure!(now == self.before[number], "{} is not what it was: {now:#}", machine.name);
        for (kind, name) in [("VirtualMachine", &machine.name), ("PersistentVolumeClaim", &format!("{}-root", machine.name))] {
            ensure!(lab.find(kind, &self.target, name).await?.is_none(), "{kind} {name} is in the target");
        }
        machine.wait_status(lab, "Running").await
    }

    async fn has_moved(&self, lab: &Lab, number: usize) -> Result<()> {
        let machine = &self.machines[number];
        machine.has_its_bytes(lab, &self.target).await?;
        lab.wait_field(("VirtualMachine", &self.target, &machine.name), "/status/printableStatus", "Running").await
    }

    /// Fenced, down, and not in the target: as it was when it failed.
    async fn is_kept(&self, lab: &Lab, number: usize) -> Result<()> {
        let name = &self.machines[number].name;
        let source = vm(lab, &self.source, name).await?;
        ensure!(source["metadata"]["annotations"]["vmmove.io/fence"].is_string(), "{name} is not fenced");
        ensure!(source["spec"]["runStrategy"] == "Halted", "{name} is {}", source["spec"]["runStrategy"]);
        ensure!(lab.find("VirtualMachine", &self.target, name).await?.is_none(), "{name} is in the target");
        Ok(())
    }
}

const UNCLEAN: &str = "the guest of bad did not shut down cleanly";

/// `stop` keeps the machine that failed for a look and begins no other; both can go back.
pub async fn a_machine_that_fails_is_kept_for_a_look(lab: &Lab) -> Result<()> {
    let pair = Pair::with(lab, "late").await?;
    let answer = pair.run(lab, "").await?;
    answer.ends_with(7)?;
    answer.says("0 moved, 1 failed, 1 skipped.")?;
    answer.says(UNCLEAN)?;
    pair.is_kept(lab, 0).await?;
    pair.is_back(lab, 1).await?;
    let (name, tool) = (answer.move_name()?, Tool::new(lab, &pair.source));
    for hint in ["status", "resume", "rollback"] {
        answer.says(&format!("{hint} {name} -n {}", pair.source))?;
    }
    tool.done(&format!("rollback {name} --yes")).await?.says("1 put back, 0 failed, 1 skipped.")?;
    pair.is_back(lab, 0).await
}

/// `undo` puts the machine back that failed and begins no other: all is as it was.
pub async fn a_machine_that_fails_is_put_back(lab: &Lab) -> Result<()> {
    let pair = Pair::with(lab, "late").await?;
    let answer = pair.run(lab, "--on-failure undo").await?;
    answer.ends_with(5)?;
    answer.says("0 moved, 0 failed, 1 skipped, 1 put back.")?;
    answer.says("failed, and what was begun has been put back: bad: the guest of bad did not shut down cleanly")?;
    pair.is_back(lab, 0).await?;
    pair.is_back(lab, 1).await
}

/// `undo` leaves alone what had moved before; then not everything is as it was, and the code says so.
pub async fn what_had_moved_before_stays(lab: &Lab) -> Result<()> {
    let pair = Pair::with(lab, "a-early").await?;
    let answer = pair.run(lab, "--on-failure undo").await?;
    answer.ends_with(7)?;
    answer.says("1 moved, 0 failed, 0 skipped, 1 put back.")?;
    pair.is_back(lab, 0).await?;
    pair.has_moved(lab, 1).await
}

/// `continue` keeps the machine that failed and moves the others.
pub async fn the_others_go_on(lab: &Lab) -> Result<()> {
    let pair = Pair::with(lab, "late").await?;
    let answer = pair.run(lab, "--on-failure continue").await?;
    answer.ends_with(7)?;
    answer.says("1 moved, 1 failed, 0 skipped.")?;
    answer.says(UNCLEAN)?;
    pair.is_kept(lab, 0).await?;
    pair.has_moved(lab, 1).await?;
    let name = answer.move_name()?;
    Tool::new(lab, &pair.source).done(&format!("rollback {name} --vm bad --yes")).await?;
    pair.is_back(lab, 0).await?;
    pair.has_moved(lab, 1).await
}

/// `undo` never goes back across a start: the target may have written.
pub async fn a_started_machine_is_never_put_back(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("started").await?;
    let machine = one(&source, "db-1", json!({"runStrategy": "Always"}));
    machine.bring_up(lab).await?;
    let before = machine.picture(lab).await?;
    let tool = Tool::new(lab, &source);
    let name = tool.begins(&format!("db-1 --to {target} --on-failure undo")).await?;
    for phase in ["clone", "copy", "recreate"] {
        tool.done(&format!("{phase} {name} --yes")).await?;
    }
    let wrong = json!({"spec": {"template": {"metadata": {"annotations": {"lab/wrong-mac": "true"}}}}});
    lab.patch("VirtualMachine", &target, "db-1", wrong).await?;
    let answer = tool.run(&format!("resume {name} --yes")).await?;
    answer.ends_with(7)?;
    answer.says("has MAC address 02:00:00:00:00:99")?;
    answer.says(&format!("rollback {name} -n {source} --discard-target-writes"))?;
    ensure!(vm(lab, &target, "db-1").await?["status"]["printableStatus"] == "Running", "the target was stopped");
    tool.run(&format!("rollback {name} --yes")).await?.ends_with(1)?;
    tool.done(&format!("rollback {name} --yes --discard-target-writes")).await?;
    machine.is_back(lab, &target, &before).await
}

/// A machine that does not reach its start within `--max-downtime` is put back and runs in the source again.
pub async fn a_machine_that_is_down_too_long_is_put_back(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("downtime").await?;
    let machine = one(&source, "db-1", json!({"runStrategy": "Always"})).annotation("lab/stop-after", "6s");
    machine.bring_up(lab).await?;
    let before = machine.picture(lab).await?;
    let answer = Tool::new(lab, &source).run(&format!("run db-1 --to {target} --max-downtime 3s --yes")).await?;
    answer.ends_with(5)?;
    answer.says("0 moved, 0 failed, 0 skipped, 1 put back.")?;
    answer.says("db-1: it was not started within 3s")?;
    machine.is_back(lab, &target, &before).await?;
    machine.wait_status(lab, "Running").await?;
    machine.has_its_bytes(lab, &source).await
}

/// So is one whose guest does not come up in the target in time: it has not run there, so nothing is lost.
pub async fn a_guest_that_does_not_come_up_is_put_back(lab: &Lab) -> Result<()> {
    each(["", "--volumes move"], async |flags| {
        let (source, target) = lab.namespaces("late").await?;
        let machine = one(&source, "db-1", json!({"runStrategy": "Always"}));
        machine.bring_up(lab).await?;
        let before = machine.picture(lab).await?;
        let tool = Tool::new(lab, &source);
        let name = tool.begins(&format!("db-1 --to {target} {flags} --max-downtime 8s")).await?;
        for phase in ["clone", "copy", "recreate"] {
            tool.done(&format!("{phase} {name} --yes")).await?;
        }
        let slow = json!({"spec": {"template": {"metadata": {"annotations": {"lab/boot-after": "300s"}}}}});
        lab.patch("VirtualMachine", &target, "db-1", slow).await?;
        let answer = tool.run(&format!("resume {name} --yes")).await?;
        answer.ends_with(5)?;
        answer.says("virtualmachine.kubevirt.io/db-1 starting: waiting for its guest to start")?;
        answer.says("db-1: it was not started within 8s")?;
        machine.is_back(lab, &target, &before).await?;
        machine.wait_status(lab, "Running").await?;
        machine.has_its_bytes(lab, &source).await
    })
    .await
}
