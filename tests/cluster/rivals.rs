//! Two movers at once, and movers that sleep while another takes their move over.
#![allow(clippy::disallowed_methods, reason = "a mover sleeps for real time")]

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::crashes::{exhaustive, forget_holder, rolled_back};
use crate::lab::Lab;
use crate::lab::proxy::{Fault, Proxy, Request, When};
use crate::moves::arrived;
use crate::scene::{Scene, each, lock};
use crate::tool::{Answer, Tool};

/// A tool that is stopped, as a laptop that sleeps, right after a request.
async fn asleep(
    lab: &Lab,
    scene: &Scene,
    flags: &str,
    when: When,
    fits: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> Result<Option<Sleeper>> {
    let proxy = lab.proxy().await?;
    let pid = Arc::new(AtomicI32::new(0));
    let (victim, fell) = (pid.clone(), Arc::new(AtomicBool::new(false)));
    let sleeps = fell.clone();
    let stop = move |_: &Request| {
        let _ = kill(Pid::from_raw(victim.load(Ordering::SeqCst)), Signal::SIGSTOP);
        sleeps.store(true, Ordering::SeqCst);
    };
    proxy.spoil(when, fits, Fault::After(Box::new(stop)));
    let mut child = scene.tool(lab, &proxy).start(&scene.run(flags))?;
    pid.store(child.id().context("no process")?.try_into()?, Ordering::SeqCst);
    // It may also come to its end before.
    let asleep = lab.wait("the tool sleeps", async || Ok(fell.load(Ordering::SeqCst)));
    tokio::select! {
        slept = asleep => slept?,
        _ = child.wait() => return Ok(None),
    }
    Ok(Some(Sleeper { proxy, child }))
}

struct Sleeper {
    proxy: Proxy,
    child: tokio::process::Child,
}

impl Sleeper {
    /// Wakes it and waits for its end.
    async fn wake(self) -> Result<(Answer, Proxy)> {
        kill(Pid::from_raw(self.child.id().context("it is gone")?.try_into()?), Signal::SIGCONT)?;
        Ok((Answer::of("the sleeper", self.child).await?, self.proxy))
    }
}

/// 9. A second mover is refused with the first's name, and the first goes on to its end.
pub async fn a_second_mover_is_refused(lab: &Lab) -> Result<()> {
    each(["", "--volumes move"], async |flags| {
        let scene = Scene::new(lab).await?;
        let first = asleep(lab, &scene, flags, When::Nth(1), scene.kind("PATCH source virtualmachines")).await?.context("nobody slept")?;
        let (_, elsewhere) = lab.namespaces("elsewhere").await?;
        let tool = Tool::new(lab, &scene.source);
        for target in [&scene.target, &elsewhere] {
            let second = tool.run(&format!("run db-1 --to {target} {flags} --yes")).await?;
            second.ends_with(4)?;
            second.says("lab-proxy")?;
        }
        let name = scene.name(lab).await?;
        let resumed = tool.run(&format!("resume {name} --yes")).await?;
        resumed.ends_with(1)?;
        resumed.says("lab-proxy")?;
        first.wake().await?.0.ends_with(0)?;
        arrived(lab, &scene.machine, &scene.target).await
    })
    .await
}

/// 9. Two movers planned the same machine; the one whose fence comes second touches nothing of it, and takes back what it had prepared.
pub async fn of_two_fences_the_first_holds(lab: &Lab) -> Result<()> {
    let rows = [("", "PATCH source virtualmachines"), ("--volumes move", "PATCH - persistentvolumes")];
    each(rows, async |(flags, moment)| {
        let scene = Scene::new(lab).await?;
        let (_, elsewhere) = lab.namespaces("elsewhere").await?;
        let proxy = lab.proxy().await?;
        let (bin, first) = (env!("CARGO_BIN_EXE_kubectl-vmmove"), scene.run(flags));
        let (kubeconfig, source) = (lab.kubeconfig().to_owned(), scene.source.clone());
        let ended = Arc::new(Mutex::new(None));
        let told = ended.clone();
        let overtake = move |_: &Request| {
            let mut told = tokio::task::block_in_place(|| lock(&told));
            if told.is_some() {
                return;
            }
            let mut command = std::process::Command::new(bin);
            command.args(first.split_whitespace()).args(["-n", &source]).env("KUBECONFIG", &kubeconfig);
            let output = tokio::task::block_in_place(|| command.output());
            *told = output.ok();
        };
        proxy.spoil(When::Every, scene.kind(moment), Fault::Before(Box::new(overtake)));
        let second = scene.tool(lab, &proxy).run(&format!("run db-1 --to {elsewhere} {flags} --yes")).await?;
        let first = lock(&ended).take().context("the first did not run")?;
        ensure!(first.status.success(), "the first failed: {}", String::from_utf8_lossy(&first.stderr));
        second.ends_with(7)?;
        arrived(lab, &scene.machine, &scene.target).await?;
        rolled_back(&Tool::new(lab, &scene.source), &second.move_name()?).await?;
        arrived(lab, &scene.machine, &scene.target).await?;
        for kind in ["PersistentVolumeClaim", "DataVolume", "VirtualMachine"] {
            ensure!(lab.list(kind, &elsewhere).await?.is_empty(), "{kind} of the second are left");
        }
        let vm = lab.get("VirtualMachine", &scene.source, "db-1").await?;
        let fence = vm["metadata"]["annotations"]["vmmove.io/fence"].as_str().unwrap_or_default().to_owned();
        let told = String::from_utf8_lossy(&first.stdout).into_owned();
        let name = told.strip_prefix("move ").and_then(|rest| rest.split(' ').next()).context("the first has not said its name")?;
        ensure!(fence.contains(&format!("\"{name}\"")), "the fence is not {name}'s: {fence}");
        Ok(())
    })
    .await
}

/// Requests after which a mover falls asleep.
const SLEEPS: &[(&str, &str, usize)] = &[
    ("", "PATCH source virtualmachines", 1),
    ("", "POST source persistentvolumeclaims", 1),
    ("", "PATCH - persistentvolumes", 1),
    ("", "POST target virtualmachines", 1),
    ("--volumes move", "PATCH - persistentvolumes", 2),
    ("--volumes move", "PATCH target persistentvolumeclaims", 1),
];

/// Nobody is taken over who slept for less: an answer may be five seconds old that is acted on, a Lease runs for longer. Here it is made to run out
/// at once.
const A_SLEEP: Duration = Duration::from_secs(6);

/// 9. A mover that slept past its Lease was taken over: on waking it changes nothing, and says who carries the move.
pub async fn a_mover_that_slept_does_nothing_more(lab: &Lab) -> Result<()> {
    let all = AtomicUsize::new(0);
    let sleep = async |flags: &'static str, scene: Scene, sleeper: Sleeper| -> Result<()> {
        let name = scene.name(lab).await?;
        forget_holder(lab, &scene.source, &name).await?;
        let (before, asleep) = (sleeper.proxy.writes().len(), Instant::now());
        scene.never_both(lab, Tool::new(lab, &scene.source).done(&format!("resume {name} --yes"))).await?;
        tokio::time::sleep(A_SLEEP.saturating_sub(asleep.elapsed())).await;
        let (woken, proxy) = scene.never_both(lab, sleeper.wake()).await?;
        woken.ends_with(7)?;
        woken.says("is carried by")?;
        for request in proxy.writes().into_iter().skip(before) {
            // An Event that tells of the fence it made just before falling asleep does no harm.
            if request.path.ends_with("/events") {
                continue;
            }
            // A renewal that its own end cut off carried the version it had seen, so that it could not replace another's.
            let cut_off = request.status().is_none() && request.path.contains("/leases/");
            let refused = request.status().is_some_and(|status| !status.is_success());
            ensure!(refused || cut_off, "after waking it changed something ({flags}): {request:?}");
        }
        all.fetch_add(1, Ordering::SeqCst);
        arrived(lab, &scene.machine, &scene.target).await
    };
    if !exhaustive() {
        return each(SLEEPS.iter().copied(), async |(flags, kind, number)| {
            let scene = Scene::new(lab).await?;
            let sleeper = asleep(lab, &scene, flags, When::Nth(number), scene.kind(kind)).await?.context("nobody slept")?;
            sleep(flags, scene, sleeper).await
        })
        .await;
    }
    let rows = ["", "--volumes move", "--strategy CdiClone"].into_iter().flat_map(|flags| (3..60).map(move |number| (flags, number)));
    each(rows, async |(flags, number)| {
        let scene = Scene::new(lab).await?;
        match asleep(lab, &scene, flags, When::Nth(number), Request::writes).await? {
            Some(sleeper) => sleep(flags, scene, sleeper).await,
            // The run has fewer requests.
            None => Ok(()),
        }
    })
    .await?;
    eprintln!("slept and taken over: {} tried, 0 failed", all.load(Ordering::SeqCst));
    Ok(())
}

/// 9. With nothing but the tool: a dead mover's Lease is waited out, then the move is taken over.
pub async fn a_dead_mover_is_waited_out(lab: &Lab) -> Result<()> {
    let scene = Scene::new(lab).await?;
    let mut dead = asleep(lab, &scene, "", When::Nth(1), scene.kind("POST source persistentvolumeclaims")).await?.context("nobody slept")?;
    dead.child.kill().await?;
    Tool::new(lab, &scene.source).done(&format!("resume {} --take-over --yes", scene.name(lab).await?)).await?;
    arrived(lab, &scene.machine, &scene.target).await
}
