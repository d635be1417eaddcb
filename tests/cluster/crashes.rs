//! The tool dies, or an answer is lost, at each kind of request that changes something; another process goes on, or back.
//!
//! Every kind of step is tried once. `VMMOVE_EXHAUSTIVE=1` tries every single request of every strategy, and says how many.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, stream};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::lab::proxy::{Fault, Request, When};
use crate::machines::{Machine, vm};
use crate::moves::arrived;
use crate::references::rich;
use crate::residue::{ends_as, no_volume_is_orphaned, residue};
use crate::scene::{begun, each};
use crate::tool::{Answer, Tool};

/// So many moves are disturbed at once.
const SIDE_BY_SIDE: usize = 4;

const STRATEGIES: [&str; 4] = ["", "--volumes move", "--strategy CdiClone", MAKES];
/// The target namespace is the move's own.
const MAKES: &str = "--create-namespace";

/// The requests at which something happens: one row for each kind of step, and what that kind does besides.
/// Flags of the run; method, end and resource of the request; which of those, counted from 1.
const KINDS: &[(&str, &str, usize)] = &[
    ("", "POST source configmaps", 1),
    ("", "POST source leases", 1),
    ("", "POST source configmaps", 2),
    ("", "PUT source configmaps", 1),
    ("", "PUT source configmaps", 4),
    ("", "POST target secrets", 1),
    ("", "PATCH source virtualmachines", 1),
    ("", "POST source persistentvolumeclaims", 1),
    ("", "PATCH - persistentvolumes", 1),
    ("", "PATCH - persistentvolumes", 3),
    ("", "POST target persistentvolumeclaims", 1),
    ("", "PATCH target persistentvolumeclaims", 1),
    ("", "DELETE source persistentvolumeclaims", 1),
    ("", "PATCH - persistentvolumes", 6),
    ("", "POST target datavolumes", 1),
    ("", "POST target virtualmachines", 1),
    ("", "PATCH target virtualmachines", 1),
    (MAKES, "POST - namespaces", 1),
    ("--volumes move", "PATCH - persistentvolumes", 1),
    ("--volumes move", "POST target persistentvolumeclaims", 2),
    ("--volumes move", "PATCH source virtualmachines", 1),
    ("--volumes move", "PATCH - persistentvolumes", 3),
    ("--volumes move", "PATCH target persistentvolumeclaims", 2),
    ("--volumes move", "POST target datavolumes", 1),
    ("--strategy CdiClone", "POST target datavolumes", 1),
    ("--strategy CdiClone", "POST target datavolumes", 2),
];

/// A request at which something happens.
#[derive(Clone)]
pub enum Moment {
    /// The n-th request of a kind.
    Kind(&'static str, usize),
    /// The n-th of all requests that change something.
    Write(usize),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind, number) => write!(f, "{kind} {number}"),
            Self::Write(number) => write!(f, "write {number}"),
        }
    }
}

/// Two namespaces with a machine of two disks, one from a template and one plain, and a Secret.
struct Scene {
    source: String,
    target: String,
    machine: Machine,
    flags: &'static str,
    before: Value,
}

impl Scene {
    async fn new(lab: &Lab, flags: &'static str) -> Result<Self> {
        let (source, target) = lab.namespaces("crash").await?;
        let machine = Machine::new(&source, "db-1").template("db-1-root", "fast").claim("db-1-data", "fast").secret("login");
        machine.bring_up(lab).await?;
        let target = if flags == MAKES { format!("{target}-made") } else { target };
        let before = machine.picture(lab).await?;
        Ok(Self { source, target, machine, flags, before })
    }

    fn run(&self) -> String {
        format!("run db-1 --to {} {} --yes", self.target, self.flags)
    }

    fn ends(&self) -> (&str, &str) {
        (&self.source, &self.target)
    }

    /// The same end as that of an undisturbed run, and nothing left.
    async fn has_arrived(&self, lab: &Lab, undisturbed: &Value) -> Result<()> {
        arrived(lab, &self.machine, &self.target).await?;
        ends_as(lab, &self.source, &self.target, undisturbed).await
    }

    /// The source as it was, and nothing left.
    async fn is_back(&self, lab: &Lab) -> Result<()> {
        self.machine.is_back(lab, &self.target, &self.before).await?;
        self.machine.has_its_bytes(lab, &self.source).await?;
        self.machine.wait_status(lab, "Running").await?;
        no_volume_is_orphaned(lab, &self.source, &self.target).await
    }
}

/// Whether a request is the one of this moment, when nothing else is counted.
fn at(moment: &Moment, (source, target): (&str, &str)) -> (When, impl Fn(&Request) -> bool + Send + Sync + 'static + use<>) {
    let (number, kind) = match moment {
        Moment::Kind(kind, number) => (*number, Some((*kind).to_owned())),
        Moment::Write(number) => (*number, None),
    };
    let (source, target) = (source.to_owned(), target.to_owned());
    let fits = move |request: &Request| request.writes() && kind.as_ref().is_none_or(|kind| *kind == kind_of(request, &source, &target));
    (When::Nth(number), fits)
}

/// `PATCH target virtualmachines`.
pub fn kind_of(request: &Request, source: &str, target: &str) -> String {
    let parts: Vec<&str> = request.path.split('/').collect();
    let (end, rest) = match parts.iter().position(|part| *part == "namespaces") {
        Some(at) if parts.len() > at + 2 => (parts[at + 1], &parts[at + 2..]),
        _ => ("-", &parts[if request.path.starts_with("/api/") { 3 } else { 4 }.min(parts.len())..]),
    };
    let end = if end == source {
        "source"
    } else if end == target {
        "target"
    } else {
        end
    };
    format!("{} {end} {}", request.method, rest.first().unwrap_or(&""))
}

/// Runs a command until the moment, at which it is killed. The request is done; its answer is never read.
pub async fn killed(lab: &Lab, ends: (&str, &str), command: &str, moment: &Moment) -> Result<()> {
    let proxy = lab.proxy().await?;
    let (when, fits) = at(moment, ends);
    let pid = Arc::new(AtomicI32::new(0));
    let victim = pid.clone();
    // Reads come before the first write, so the number is known by then.
    let fault = move |_: &Request| {
        let _ = kill(Pid::from_raw(victim.load(Ordering::SeqCst)), Signal::SIGKILL);
    };
    proxy.spoil(when, fits, Fault::After(Box::new(fault)));
    let child = Tool::with(lab, proxy.kubeconfig(), ends.0).start(command)?;
    pid.store(child.id().context("no process")?.try_into()?, Ordering::SeqCst);
    let output = child.wait_with_output().await?;
    if output.status.code().is_some() {
        let kinds: Vec<String> = proxy.writes().iter().map(|request| kind_of(request, ends.0, ends.1)).collect();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("it came to its end ({}) before it could be killed: {}\n{words}", output.status, kinds.join("; "));
    }
    Ok(())
}

/// Lets the sign of life of a dead process run out at once.
pub async fn forget_holder(lab: &Lab, namespace: &str, name: &str) -> Result<()> {
    let lease = format!("vmmove-{name}");
    if lab.find("Lease", namespace, &lease).await?.is_some() {
        lab.patch("Lease", namespace, &lease, json!({"spec": {"holderIdentity": null}})).await?;
    }
    Ok(())
}

async fn killed_and_resumed(lab: &Lab, flags: &'static str, moment: Moment, undisturbed: &Value) -> Result<()> {
    let scene = Scene::new(lab, flags).await?;
    killed(lab, scene.ends(), &scene.run(), &moment).await?;
    let tool = Tool::new(lab, &scene.source);
    match begun(lab, &scene.source).await? {
        Some(name) => {
            forget_holder(lab, &scene.source, &name).await?;
            tool.done(&format!("resume {name} --yes")).await?;
        }
        None => drop(tool.done(&scene.run()).await?),
    }
    scene.has_arrived(lab, undisturbed).await
}

async fn killed_and_rolled_back(lab: &Lab, flags: &'static str, moment: Moment) -> Result<()> {
    let scene = Scene::new(lab, flags).await?;
    killed(lab, scene.ends(), &scene.run(), &moment).await?;
    let Some(name) = begun(lab, &scene.source).await? else { return scene.is_back(lab).await };
    forget_holder(lab, &scene.source, &name).await?;
    rolled_back(&Tool::new(lab, &scene.source), &name).await?;
    scene.is_back(lab).await
}

/// Goes back, and agrees to the loss of the target's writes only where that is asked for.
pub async fn rolled_back(tool: &Tool, name: &str) -> Result<Answer> {
    let answer = tool.run(&format!("rollback {name} --yes")).await?;
    if answer.code == 1 && answer.err.contains("--discard-target-writes") {
        return tool.done(&format!("rollback {name} --yes --discard-target-writes")).await;
    }
    answer.ends_with(0)?;
    Ok(answer)
}

async fn answer_lost(lab: &Lab, flags: &'static str, moment: Moment, undisturbed: &Value) -> Result<()> {
    let scene = Scene::new(lab, flags).await?;
    let proxy = lab.proxy().await?;
    let (when, fits) = at(&moment, scene.ends());
    proxy.spoil(when, fits, Fault::CutAfter);
    Tool::with(lab, proxy.kubeconfig(), &scene.source).done(&scene.run()).await?;
    scene.has_arrived(lab, undisturbed).await
}

/// How moves end that nothing disturbs, and how many requests each made that changed something.
struct Undisturbed(Vec<(&'static str, Value, usize)>);

impl Undisturbed {
    async fn see(lab: &Lab) -> Result<Self> {
        let see = async |flags: &'static str| -> Result<_> {
            let scene = Scene::new(lab, flags).await?;
            let proxy = lab.proxy().await?;
            Tool::with(lab, proxy.kubeconfig(), &scene.source).done(&scene.run()).await?;
            no_volume_is_orphaned(lab, &scene.source, &scene.target).await?;
            let writes = proxy.writes();
            if exhaustive() {
                let kinds: Vec<String> = writes.iter().map(|request| kind_of(request, &scene.source, &scene.target)).collect();
                eprintln!("run {flags}: {} writes: {}", kinds.len(), kinds.join("; "));
            }
            Ok((flags, residue(lab, &scene.source, &scene.target).await?, writes.len()))
        };
        Ok(Self(futures::future::try_join_all(STRATEGIES.map(see)).await?))
    }

    fn end(&self, flags: &str) -> &Value {
        self.0.iter().find(|(of, ..)| *of == flags).map_or(&Value::Null, |(_, end, _)| end)
    }

    /// The moments to try.
    fn moments(&self) -> Vec<(&'static str, Moment)> {
        if exhaustive() {
            return self.0.iter().flat_map(|(flags, _, writes)| (1..=*writes).map(|number| (*flags, Moment::Write(number)))).collect();
        }
        KINDS.iter().map(|(flags, kind, number)| (*flags, Moment::Kind(kind, *number))).collect()
    }
}

pub fn exhaustive() -> bool {
    std::env::var_os("VMMOVE_EXHAUSTIVE").is_some()
}

/// Tries something at each moment, some at a time, and tells of all that fail.
async fn at_each(what: &str, moments: Vec<(&'static str, Moment)>, attempt: impl AsyncFn(&'static str, Moment) -> Result<()>) -> Result<()> {
    let all = moments.len();
    let attempt = &attempt;
    let tries = stream::iter(moments).map(async |(flags, moment)| {
        let told = format!("run {flags}, {moment}");
        attempt(flags, moment).await.err().map(|error| format!("{told}: {error:#}"))
    });
    let failed: Vec<String> = tries.buffer_unordered(SIDE_BY_SIDE).filter_map(async |failed| failed).collect().await;
    if exhaustive() {
        eprintln!("{what}: {all} tried, {} failed", failed.len());
    }
    ensure!(failed.is_empty(), "{what}: {} of {all} failed\n{}", failed.len(), failed.join("\n\n"));
    Ok(())
}

/// 5. Killed at each kind of request, then resumed by another process: the end is that of an undisturbed run.
pub async fn a_killed_move_is_resumed(lab: &Lab) -> Result<()> {
    let undisturbed = Undisturbed::see(lab).await?;
    at_each("killed and resumed", undisturbed.moments(), async |flags, moment| killed_and_resumed(lab, flags, moment, undisturbed.end(flags)).await)
        .await
}

/// 6. Killed at each kind of request, then rolled back by another process: the source is what it was.
pub async fn a_killed_move_is_rolled_back(lab: &Lab) -> Result<()> {
    let moments = if exhaustive() { Undisturbed::see(lab).await?.moments() } else { Undisturbed(Vec::new()).moments() };
    at_each("killed and rolled back", moments, async |flags, moment| killed_and_rolled_back(lab, flags, moment).await).await
}

/// Killed while the target's machine is made the owner of what the source's owned.
pub async fn owners_are_set_by_whoever_goes_on(lab: &Lab) -> Result<()> {
    let kind = "PATCH target controllerrevisions";
    each(["resume", "rollback"], async |next| {
        let (source, target) = lab.namespaces("owners").await?;
        let machine = rich(lab, &source).await?;
        let before = machine.picture(lab).await?;
        killed(lab, (&source, &target), &format!("run rich --to {target} --yes"), &Moment::Kind(kind, 1)).await?;
        let name = &begun(lab, &source).await?.context("no move was written down")?;
        forget_holder(lab, &source, name).await?;
        let tool = Tool::new(lab, &source);
        if next == "rollback" {
            rolled_back(&tool, name).await?;
            return machine.is_back(lab, &target, &before).await;
        }
        tool.done(&format!("resume {name} --yes")).await?;
        let uid = vm(lab, &target, "rich").await?["metadata"]["uid"].take();
        let owned = lab.get("PersistentVolumeClaim", &target, "rich-owned").await?;
        ensure!(owned["metadata"]["ownerReferences"][0]["uid"] == uid, "the machine's own claim is not its own: {owned:#}");
        for revision in lab.list("ControllerRevision", &target).await? {
            ensure!(revision["metadata"]["ownerReferences"][0]["uid"] == uid, "a revision is not the machine's: {revision:#}");
        }
        machine.has_its_bytes(lab, &target).await
    })
    .await
}

/// The answer to a request is lost: the move goes on to the same end. Of the kinds every second is tried, as what is lost was done.
pub async fn a_lost_answer_changes_nothing(lab: &Lab) -> Result<()> {
    let undisturbed = Undisturbed::see(lab).await?;
    let moments = undisturbed.moments().into_iter().step_by(if exhaustive() { 1 } else { 2 }).collect();
    at_each("answer lost", moments, async |flags, moment| answer_lost(lab, flags, moment, undisturbed.end(flags)).await).await
}
