//! What README has people type at the laboratory, typed; and a cluster that is not ours, rehearsed on in the sandbox.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::lab::Lab;
use crate::machines::Machine;
use crate::tool::{Tool, program};

const README: &str = include_str!("../../README.md");

/// A command of README, and what is shown below it.
struct Shown {
    line: String,
    lines: Vec<String>,
}

/// The text below a heading.
fn section(heading: &str) -> Result<&'static str> {
    let (_, rest) = README.split_once(&format!("\n## {heading}\n")).with_context(|| format!("README has no '{heading}'"))?;
    Ok(rest.split_once("\n## ").map_or(rest, |(section, _)| section))
}

/// The commands of a section that are shown with what they say.
fn shown(section: &str) -> Vec<Shown> {
    let (mut all, mut open): (Vec<Shown>, bool) = (Vec::new(), false);
    for line in section.lines() {
        let Some(code) = line.strip_prefix("    ") else {
            open &= line.is_empty();
            continue;
        };
        if let Some(command) = code.strip_prefix("$ kubectl vmmove ") {
            all.push(Shown { line: command.to_owned(), lines: Vec::new() });
            open = true;
        } else if let Some(last) = all.last_mut().filter(|_| open) {
            last.lines.push(code.to_owned());
        }
    }
    all
}

/// Lines in any order, without what is another thing each time.
fn blurred<'l>(lines: impl Iterator<Item = &'l str>) -> Result<Vec<String>> {
    let chances = [(r"\s+\d+(\.\d+)?s\b", " TIME"), (r"shop-to-prod-\w{5}\b", "MOVE"), (r"digest \w{6}", "DIGEST"), (r"\b10(\.\d+){3}", "ADDRESS")];
    let chances: Vec<(Regex, &str)> = chances.into_iter().map(|(chance, name)| Ok((Regex::new(chance)?, name))).collect::<Result<_>>()?;
    let blur = |line: &str| chances.iter().fold(line.trim_end().to_owned(), |line, (chance, name)| chance.replace_all(&line, *name).into_owned());
    let passes = |line: &str| line.trim().is_empty() || [": waiting for ", "; trying again in "].iter().any(|words| line.contains(words));
    let mut all: Vec<String> = lines.filter(|line| !passes(line)).map(blur).collect();
    all.sort();
    Ok(all)
}

async fn kubectl(lab: &Lab, args: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(lab.kubectl()).args(args).env("KUBECONFIG", lab.kubeconfig()).env("HOME", lab.scratch()).output().await?;
    ensure!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// The move of README, there and back.
pub async fn the_move_of_the_readme_is_what_happens(lab: &Lab) -> Result<()> {
    let section = section("A move, step by step")?;
    ensure!(section.contains("\n    kubectl apply -f tests/fixtures/shop.yaml\n"), "README applies something else");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/shop.yaml");
    kubectl(lab, &["apply", "-f", &file.display().to_string()]).await?;
    lab.wait_field(("VirtualMachine", "shop", "db-1"), "/status/printableStatus", "Running").await?;
    let agent = async || {
        let guest = lab.get("VirtualMachineInstance", "shop", "db-1").await?;
        Ok(guest["status"]["conditions"].as_array().into_iter().flatten().any(|condition| condition["type"] == "AgentConnected"))
    };
    lab.wait("the agent of db-1", agent).await?;
    let (tool, mut name) = (Tool::new(lab, "shop"), None::<String>);
    let all = shown(section);
    ensure!(all.len() == 3, "README shows {} commands there", all.len());
    for Shown { line, lines } in all {
        let ours = |word| if str::starts_with(word, "shop-to-prod-") { name.as_deref().unwrap_or(word) } else { word };
        let line = line.replace(" -n shop", "").split(' ').map(ours).collect::<Vec<_>>().join(" ");
        let answer = tool.done(&line).await?;
        name = name.or_else(|| answer.move_name().ok());
        let (readme, here) = (blurred(lines.iter().map(String::as_str))?, blurred(answer.out.lines().chain(answer.err.lines()))?);
        ensure!(readme == here, "README shows of '{line}'\n{}\nbut it says\n{}", readme.join("\n"), here.join("\n"));
    }
    Ok(())
}

/// A rehearsal looks at a cluster that is no sandbox, and leaves it alone.
pub async fn a_move_is_rehearsed(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("rehearsed").await?;
    let machine = Machine::new(&source, "db-1").template("db-1-root", "fast").claim("db-1-data", "fast").secret("login");
    machine.bring_up(lab).await?;
    let before = machine.picture(lab).await?;
    let rehearsed = Tool::new(lab, &source).done(&format!("plan db-1 --to {target} --rehearse")).await?;
    for words in ["which heard nothing of it", "1 moved, 0 failed, 0 skipped", "1 put back, 0 failed, 0 skipped"] {
        rehearsed.says(words)?;
    }
    ensure!(machine.picture(lab).await? == before, "the rehearsal changed the cluster");
    ensure!(lab.list("PersistentVolumeClaim", &target).await?.is_empty(), "the rehearsal left claims");
    Ok(())
}

/// What README says to take of a cluster, as one list. A cluster need not serve all of it.
async fn dumped(lab: &Lab, namespace: &str) -> Result<Value> {
    let mut items = Vec::new();
    for (from, to) in [("nodes,", "cluster.json"), ("vm,", "shop.json")] {
        let line =
            section("A cluster to try things on")?.lines().find(|line| line.starts_with(&format!("    kubectl get {from}")) && line.ends_with(to));
        let line = line.with_context(|| format!("README does not say how {to} is got"))?;
        let kinds = line.split_whitespace().nth(2).unwrap_or_default().replace(",net-attach-def", "");
        let list: Value = serde_json::from_slice(&kubectl(lab, &["get", &kinds, "-n", namespace, "-o", "json"]).await?)?;
        items.extend(list["items"].as_array().cloned().unwrap_or_default());
    }
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}))
}

/// A sandbox that serves until it is dropped, and its kubeconfig.
async fn serving(lab: &Lab, scenario: &Path) -> Result<(Child, PathBuf)> {
    let mut command = Command::new(program());
    command.args(["sandbox", "start", "--skip-unknown", "--speed", "20", "--scenario"]).arg(scenario);
    command.env("HOME", lab.scratch()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let mut kubeconfig = None;
    while let Some(line) = lines.next_line().await? {
        kubeconfig = kubeconfig.or_else(|| line.strip_prefix("export KUBECONFIG=").map(PathBuf::from));
        if line.starts_with("# Stop it with") {
            break;
        }
    }
    Ok((child, kubeconfig.context("the sandbox did not start")?))
}

/// What is dumped of a real cluster as README says goes on in the sandbox, and can be moved there.
pub async fn a_dump_of_a_cluster_is_a_scenario(lab: &Lab) -> Result<()> {
    let (source, _) = lab.namespaces("dumped").await?;
    let machine = Machine::new(&source, "db-1").template("db-1-root", "fast").claim("db-1-data", "fast");
    machine.bring_up(lab).await?;
    let file = lab.scratch().join("dump.json");
    std::fs::write(&file, serde_json::to_vec(&dumped(lab, &source).await?)?)?;
    let (_serving, kubeconfig) = serving(lab, &file).await?;
    let there = Tool::with(lab, &kubeconfig, &source);
    there.done("assess").await?.says("Running")?;
    there.done("run db-1 --to prod --create-namespace --yes").await?.says("1 moved, 0 failed, 0 skipped")
}
