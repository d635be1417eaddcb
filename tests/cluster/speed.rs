//! Figures, not tests: how long disks take to change hands, and how many requests a machine costs.
//! `cargo build --release && cargo run --release --example speed`
#![allow(clippy::print_stdout, reason = "this is a program to be read on a terminal")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]
#![allow(clippy::large_futures, reason = "there is one of each")]
#![allow(dead_code, reason = "the tests use what this does not")]

mod lab;
mod machines;
mod tool;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use lab::proxy::Request;
use lab::{Lab, Options};
use machines::{Machine, claim};
use serde_json::{Value, json};
use tool::Tool;

/// How often the state of the cluster is looked at, and so how exact the times are.
const TICK: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() -> Result<()> {
    let lab = Lab::start(Options::default()).await?;
    let manager = lab.component("kube-controller-manager")?;
    for resync in ["1s", "15s"] {
        manager.set_flag("--pvclaimbinder-sync-period", resync);
        manager.restart().await?;
        let rebind = from_gone_to_bound(&lab, "rebind", 1, "--volumes move").await?;
        println!("rebind of one disk, resync {resync}: {:.2} s from the guest gone to the claim bound", rebind.as_secs_f64());
    }
    manager.set_flag("--pvclaimbinder-sync-period", "1s");
    manager.restart().await?;
    let (clone, whole) = (csi_clone(&lab).await?, from_gone_to_bound(&lab, "clone", 1, "").await?);
    let more = whole.saturating_sub(clone);
    println!("CloneRebind: {:.2} s, the CSI clone alone {:.2} s: {:.2} s more", whole.as_secs_f64(), clone.as_secs_f64(), more.as_secs_f64());
    let (swaps, moves) = (swap_by_hand(&lab, 20).await?, from_gone_to_bound(&lab, "twenty", 20, "--volumes move --parallel 20").await?);
    println!(
        "20 machines: {:.2} s from the last guest gone to all claims bound; a loop that swaps 20 claims needs {:.2} s: {:.2} times",
        moves.as_secs_f64(),
        swaps.as_secs_f64(),
        moves.as_secs_f64() / swaps.as_secs_f64()
    );
    requests(&lab).await?;
    lab.stop();
    Ok(())
}

/// Moves so many machines of one disk. The time from the last guest's end to the last claim's binding in the target.
async fn from_gone_to_bound(lab: &Lab, prefix: &str, count: usize, flags: &str) -> Result<Duration> {
    let (source, target) = lab.namespaces(prefix).await?;
    bring_up(lab, &source, count).await?;
    let tool = Tool::new(lab, &source);
    let run = tool.start(&format!("run --all --to {target} {flags} --yes"))?;
    let until = async |kind: &str, namespace: &str, done: fn(&[Value], usize) -> bool| -> Result<Instant> {
        while !done(&lab.list(kind, namespace).await?, count) {
            tokio::time::sleep(TICK).await;
        }
        Ok(Instant::now())
    };
    let bound = |all: &[Value], count: usize| all.iter().filter(|claim| claim["status"]["phase"] == "Bound").count() == count;
    let watched = async {
        let gone = until("VirtualMachineInstance", &source, |all, _| all.is_empty());
        tokio::try_join!(gone, until("PersistentVolumeClaim", &target, bound))
    };
    let (gone, bound) = watched.await?;
    let output = run.wait_with_output().await?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(bound.saturating_duration_since(gone))
}

async fn bring_up(lab: &Lab, namespace: &str, count: usize) -> Result<()> {
    let machines: Vec<Machine> =
        ('a'..).take(count).map(|letter| Machine::new(namespace, &format!("vm-{letter}")).claim(&format!("disk-{letter}"), "fast")).collect();
    try_join_all(machines.iter().map(|machine| machine.bring_up(lab))).await.map(drop)
}

/// What the storage driver and its provisioner need for a clone.
async fn csi_clone(lab: &Lab) -> Result<Duration> {
    let (namespace, _) = lab.namespaces("csi").await?;
    lab.create(&[claim(&namespace, "data", "fast")]).await?;
    lab.wait_field(("PersistentVolumeClaim", &namespace, "data"), "/status/phase", "Bound").await?;
    let mut copy = claim(&namespace, "copy", "fast");
    copy["spec"]["dataSource"] = json!({"kind": "PersistentVolumeClaim", "name": "data"});
    let begin = Instant::now();
    lab.create(&[copy]).await?;
    lab.wait_field(("PersistentVolumeClaim", &namespace, "copy"), "/status/phase", "Bound").await?;
    Ok(begin.elapsed())
}

/// Swaps the volumes of so many claims at once, as quickly as the binding controller lets one.
async fn swap_by_hand(lab: &Lab, count: usize) -> Result<Duration> {
    let (source, target) = lab.namespaces("by-hand").await?;
    let names: Vec<String> = (0..count).map(|number| format!("data-{number}")).collect();
    let claims: Vec<Value> = names.iter().map(|name| claim(&source, name, "fast")).collect();
    lab.create(&claims).await?;
    let mut volumes = Vec::new();
    for name in &names {
        lab.wait_field(("PersistentVolumeClaim", &source, name), "/status/phase", "Bound").await?;
        let volume = lab.get("PersistentVolumeClaim", &source, name).await?["spec"]["volumeName"].as_str().context("no volume")?.to_owned();
        lab.patch("PersistentVolume", "", &volume, json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}})).await?;
        let mut new = claim(&target, name, "fast");
        new["spec"]["volumeName"] = volume.clone().into();
        lab.create(&[new]).await?;
        let uid = lab.get("PersistentVolumeClaim", &target, name).await?["metadata"]["uid"].take();
        volumes.push((volume, json!({"spec": {"claimRef": {"namespace": target, "name": name, "uid": uid, "resourceVersion": null}}})));
    }
    let begin = Instant::now();
    try_join_all(volumes.into_iter().map(|(volume, patch)| async move { lab.patch("PersistentVolume", "", &volume, patch).await })).await?;
    let touch = |name: &String| {
        let (name, target) = (name.clone(), target.clone());
        async move { lab.patch("PersistentVolumeClaim", &target, &name, json!({"metadata": {"annotations": {"lab/touch": "now"}}})).await }
    };
    try_join_all(names.iter().map(touch)).await?;
    while !lab.list("PersistentVolumeClaim", &target).await?.iter().all(|claim| claim["status"]["phase"] == "Bound") {
        tokio::time::sleep(TICK).await;
    }
    Ok(begin.elapsed())
}

type Sort = (&'static str, fn(&Request) -> bool);

const SORTS: &[Sort] = &[
    ("dry runs", Request::dry_run),
    ("access reviews", |request| request.path.starts_with("/apis/authorization.k8s.io/")),
    ("lease writes", |request| request.writes() && request.path.contains("/leases")),
    ("ledger writes", |request| request.writes() && request.path.contains("/configmaps")),
    ("event writes", |request| request.writes() && request.path.ends_with("/events")),
    ("other writes", Request::writes),
    ("watches", Request::watches),
    ("lists", |request| !is_one(request)),
    ("reads of one object", |_| true),
];

/// Whether a path names an object: below a namespace an even number of parts is a name.
fn is_one(request: &Request) -> bool {
    let last = request.path.rsplit('/').next().unwrap_or_default();
    last.contains(['-', '.']) || last.chars().any(|char| char.is_ascii_digit())
}

/// What one more machine costs: counted for one, three and five of them.
async fn requests(lab: &Lab) -> Result<()> {
    for flags in ["--volumes move", ""] {
        let mut rows = Vec::new();
        for count in [1_usize, 3, 5] {
            let (source, target) = lab.namespaces("requests").await?;
            bring_up(lab, &source, count).await?;
            let proxy = lab.proxy().await?;
            let tool = Tool::with(lab, proxy.kubeconfig(), &source);
            tool.done(&format!("plan --all --to {target} {flags}")).await?;
            let survey = counted(&proxy.requests());
            proxy.forget();
            tool.done(&format!("run --all --to {target} {flags} --parallel 5 --yes")).await?;
            rows.push((count, survey, counted(&proxy.requests())));
            if count == 1 {
                println!("\nwhat 'run --all {flags}' reads for one machine: {}", reads(&proxy.requests()));
            }
        }
        println!("\nrequests of 'run --all {flags}', in brackets those of 'plan' alone, and per machine more:");
        println!("{:<22}{:>14}{:>14}{:>14}{:>10}", "", "1 machine", "3 machines", "5 machines", "each more");
        for (index, (name, _)) in SORTS.iter().enumerate() {
            print!("{name:<22}");
            for (_, survey, run) in &rows {
                print!("{:>14}", format!("{} ({})", run[index], survey[index]));
            }
            let (first, last) = (rows[0].2[index], rows[2].2[index]);
            println!("{:>10}", format!("{:.1}", (f64::from(last) - f64::from(first)) / 4.0));
        }
    }
    Ok(())
}

/// The kinds of reads of one object, with how many there were of each.
fn reads(requests: &[Request]) -> String {
    let mut kinds = std::collections::BTreeMap::<String, u32>::new();
    for request in requests.iter().filter(|request| request.method == http::Method::GET && !request.watches() && is_one(request)) {
        let kind = request.path.split('/').rev().nth(1).unwrap_or_default();
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
}

/// How many requests there were of each sort; each counts once.
fn counted(requests: &[Request]) -> Vec<u32> {
    let mut counts = vec![0; SORTS.len()];
    for request in requests {
        if let Some(index) = SORTS.iter().position(|(_, is)| is(request)) {
            counts[index] += 1;
        }
    }
    counts
}
