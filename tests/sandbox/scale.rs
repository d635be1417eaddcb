//! Figures with limits: ten thousand machines looked at and decided about, two hundred moved in virtual time. Ends with 1 when one is missed.
//! `cargo build --release && cargo run --release --example scale`, or with `-- start`, `-- demo`, `-- assess`, `-- plan`, `-- move` a part of it.
#![allow(clippy::print_stdout, reason = "this is a program to be read on a terminal")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use nix::sys::resource::{UsageWho, getrusage};
use vmmove::cluster::Cluster;
use vmmove::engine::clock::{System, SystemRng};
use vmmove::exit::Code;
use vmmove::output::yaml;
use vmmove::plan::decide::plan;
use vmmove::plan::document::Plan;
use vmmove::plan::request::MoveRequest;
use vmmove::sandbox::scenario;
use vmmove::sandbox::scenarios::Scenario;
use vmmove::sandbox::server::Sandbox;
use vmmove::sandbox::time::Scaled;
use vmmove::sandbox::world::World;
use vmmove::survey::{Scope, survey};
use vmmove::verbs::sandbox::inside::{Inside, in_virtual_time};

/// What was measured, and what it may be at most.
struct Figure {
    name: &'static str,
    value: f64,
    limit: f64,
    unit: &'static str,
}

/// How long something takes, and what comes of it.
fn timed<T>(name: &'static str, limit: f64, what: impl FnOnce() -> Result<T>) -> Result<(T, Figure)> {
    let begin = Instant::now();
    let done = what().context(name)?;
    Ok((done, Figure { name, value: begin.elapsed().as_secs_f64(), limit, unit: "s" }))
}

fn load(name: &str) -> Result<World> {
    let scenario = Scenario::named(name).context("there is no such scenario")?;
    Ok(scenario::play(1, Timestamp::now(), scenario.read()?)?)
}

type Part = fn() -> Result<Vec<Figure>>;

/// What is measured, by the word that asks for it alone. What children take most only grows, and a child is
/// counted with what its parent had when it was made: the small ones come first, and what is done in this process comes last.
const PARTS: &[(&str, Part)] = &[("start", starting), ("demo", demo), ("assess", assessing), ("plan", planning), ("move", moving)];

fn main() -> Result<ExitCode> {
    let wanted = std::env::args().nth(1);
    let mut missed = false;
    for (_, part) in PARTS.iter().filter(|(word, _)| wanted.as_ref().is_none_or(|wanted| wanted == word)) {
        for Figure { name, value, limit, unit } in part()? {
            let verdict = if value <= limit { "" } else { "  MISSED" };
            println!("{name:<48}{value:>8.2} {unit:<2} (at most {limit} {unit}){verdict}");
            missed |= value > limit;
        }
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Loading, deciding about all machines without asking the server about them, and the document that comes of it.
fn planning() -> Result<Vec<Figure>> {
    let (world, loaded) = timed("huge-10000: the sandbox loads it", 3.0, || load("huge-10000"))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let sandbox = Sandbox::of(world, Arc::new(Scaled::new(Timestamp::now(), 1)));
    let cluster = runtime.block_on(async { Cluster::from_service(sandbox, "shop", Arc::new(System::new()), Arc::new(SystemRng)) });
    let scope = Scope { source_namespace: "shop".to_owned(), target_namespace: Some("prod".to_owned()) };
    let seen = runtime.block_on(survey(&cluster, None, &scope)).map_err(|failure| anyhow::anyhow!(failure.message))?;
    let machines = (seen.source.objects.all(vmmove::model::kind::VM)).map(|vm| vm.name().to_owned()).collect();
    let ask = MoveRequest { machines, target_namespace: "prod".to_owned(), ..MoveRequest::default() };
    let (planned, deciding) = timed("huge-10000: deciding about all machines", 2.0, || Ok(plan(&seen, &ask)))?;
    ensure!(planned.plan.spec.machines.len() == 10_000, "only {} were decided about", planned.plan.spec.machines.len());
    let failed = |failure: vmmove::model::failure::Failure| anyhow::anyhow!(failure.message);
    let (text, writing) = timed("huge-10000: the plan is written", 1.0, || yaml::write(&planned.plan).map_err(failed))?;
    let (read, reading) = timed("huge-10000: the plan is read back", 1.0, || {
        let one = yaml::read_all("plan.yaml", &text).map_err(failed)?.pop().context("there is no document")?;
        yaml::understand::<Plan>("plan.yaml", &text, one).map_err(failed)
    })?;
    ensure!(read == planned.plan, "the plan is not what was written");
    Ok(vec![loaded, deciding, writing, reading])
}

/// The built program, which lies beside the folder of the examples.
fn program() -> Result<PathBuf> {
    let program = std::env::current_exe()?.ancestors().nth(2).context("no folder")?.join("kubectl-vmmove");
    ensure!(program.is_file(), "build the program first: cargo build --release");
    Ok(program)
}

/// The most memory that a child has had so far, in megabytes.
fn most_memory() -> Result<f64> {
    #[allow(clippy::cast_precision_loss, reason = "it is printed with two decimals")]
    Ok(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() as f64 / 1000.0)
}

/// What needs no cluster: the shortest of several tries, for others are at work on the machine too.
fn starting() -> Result<Vec<Figure>> {
    const TRIES: usize = 20;
    let mut figures = Vec::new();
    for (name, args) in [("version --client, from start to end", &["version", "--client"][..]), ("--help, from start to end", &["--help"])] {
        let mut shortest = f64::INFINITY;
        for _ in 0..TRIES {
            let (output, figure) = timed(name, 10.0, || Ok(Command::new(program()?).args(args).output()?))?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            shortest = shortest.min(figure.value * 1000.0);
        }
        figures.push(Figure { name, value: shortest, limit: 10.0, unit: "ms" });
    }
    figures.push(Figure { name: "memory of either", value: most_memory()?, limit: 12.0, unit: "MB" });
    Ok(figures)
}

/// The demo, as README has people begin.
fn demo() -> Result<Vec<Figure>> {
    let home = tempfile::tempdir()?;
    let run = || Ok(Command::new(program()?).args(["sandbox", "demo"]).env_clear().env("HOME", home.path()).output()?);
    let (said, time) = timed("sandbox demo, from start to end", 10.0, run)?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    Ok(vec![time, Figure { name: "memory of the demo", value: most_memory()?, limit: 60.0, unit: "MB" }])
}

/// `assess` as a process of its own, at a sandbox in another.
fn assessing() -> Result<Vec<Figure>> {
    let program = program()?;
    let home = tempfile::tempdir()?;
    let type_in = |line: &str| {
        let mut command = Command::new(&program);
        command.args(line.split_whitespace()).env_clear().env("HOME", home.path()).stdin(Stdio::null());
        command
    };
    let mut serving = type_in("sandbox start --scenario huge-10000").stdout(Stdio::piped()).spawn()?;
    let first = BufReader::new(serving.stdout.as_mut().context("no output")?).lines().next().context("the sandbox did not start")??;
    let kubeconfig = Path::new(first.trim_start_matches("export KUBECONFIG=")).to_owned();
    let assess = || Ok(type_in("assess -n shop").env("KUBECONFIG", &kubeconfig).output()?);
    let assessed = timed("huge-10000: assess, from start to end", 3.0, assess);
    let memory = most_memory()?;
    serving.kill()?;
    serving.wait()?;
    let (said, time) = assessed?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    ensure!(said.stdout.split(|byte| *byte == b'\n').count() > 10_000, "not all machines were shown");
    Ok(vec![time, Figure { name: "huge-10000: memory of assess", value: memory, limit: 200.0, unit: "MB" }])
}

/// All machines of a namespace, in virtual time.
fn moving() -> Result<Vec<Figure>> {
    let world = load("big-200")?;
    let tale = async |inside: Inside| inside.types("kubectl vmmove", "run --all -n shop --to prod --yes", String::new()).await;
    let (said, figure) = timed("big-200: all are moved, in virtual time", 3.0, || Ok(in_virtual_time(world, 1, tale)?))?;
    ensure!(said.code == Code::DONE, "{}", said.stderr);
    Ok(vec![figure])
}
