//! `sandbox demo`: the tool's own commands, typed one after the other on a cluster in this process, with a crash in the middle.

use std::borrow::Cow;

use super::inside::Inside;
use crate::app;
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::colour::Paint;
use crate::sandbox::fault::{Fault, What};
use crate::sandbox::load_error::LoadError;
use crate::sandbox::scenario;
use crate::sandbox::scenarios::Scenario;
use crate::sandbox::server::Sandbox;
use crate::verbs::Context;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # See what the tool does, without any cluster
  kubectl vmmove sandbox demo")]
pub struct Args {}

/// What is shown: a remark, a command, and after which request whoever types it dies.
struct Scene {
    says: &'static str,
    types: &'static str,
    dies_after: Option<Fault>,
}

impl Scene {
    const fn new(says: &'static str, types: &'static str) -> Self {
        Self { says, types, dies_after: None }
    }
}

/// The second disk is just being handed over.
const IN_MID_AIR: Fault = Fault {
    verb: Cow::Borrowed("patch"),
    writes: true,
    plural: Cow::Borrowed("persistentvolumes"),
    namespace: String::new(),
    name: String::new(),
    skip: 5,
    times: 1,
    what: What::CrashAfter,
};

/// `MOVE` stands for the name of the move that was begun.
const SCENES: &[Scene] = &[
    Scene::new("Three virtual machines live in namespace shop, and should live in prod. What is there?", "assess -n shop"),
    Scene::new("How would they move? Nothing is touched yet.", "plan --all -n shop --to prod"),
    Scene {
        says: "Move them. While a disk is being handed over, somebody closes the laptop.",
        types: "run --all -n shop --to prod --yes",
        dies_after: Some(IN_MID_AIR),
    },
    Scene::new("Where do things stand? Each step was written down in the cluster before it was done.", "status MOVE -n shop"),
    Scene::new("Somebody else goes on, from another machine.", "resume MOVE -n shop --take-over --yes"),
    Scene::new(
        "The web server is wanted back. Its source was kept, stopped and fenced.",
        "rollback MOVE --vm web-1 -n shop --discard-target-writes --yes",
    ),
    Scene::new("The others stay, and their sources can go.", "cleanup MOVE --vm db-1 --vm job-1 -n shop --yes"),
    Scene::new("How did it end?", "status MOVE -n shop"),
];

/// How many times faster than the world outside.
const SPEED: u32 = 12;

/// Shows it.
///
/// # Errors
/// Standard output cannot be written to. A command that ends otherwise than it should ends the demo with its exit code.
pub async fn run(cx: &mut Context, _: &Args) -> Result<Code, Failure> {
    let cannot = |error: LoadError| Failure::error(format!("the demo's cluster cannot be made: {error}"));
    let story = Scenario::named("demo").unwrap_or_else(Scenario::usual);
    let world = scenario::play(1, cx.clock.now(), story.read().map_err(cannot)?).map_err(cannot)?;
    let inside = Inside::of(world, SPEED, 1);
    cx.clock = inside.clock.clone();
    cx.rng = inside.rng.clone();
    cx.connector = inside.connector();
    show(cx, &inside).await
}

async fn show(cx: &mut Context, inside: &Inside) -> Result<Code, Failure> {
    let paint = Paint::for_stream(cx.io.stdout_is_terminal, cx.io.env);
    for scene in SCENES {
        let line = scene.types.replace("MOVE", &inside.moves("shop").pop().unwrap_or_default());
        cx.io.print(&format!("\n{}\n$ {} {line}\n", paint.quiet(format!("# {}", scene.says)), cx.prefix))?;
        match types(cx, &inside.sandbox, scene, &line).await {
            Some(Code::DONE) => {}
            Some(code) => return Ok(code),
            None => cx.io.print(&format!("{}\n", paint.bad("Killed")))?,
        }
    }
    let prefix = &cx.prefix;
    cx.io.print(&format!(
        "\nThat was the real tool on an embedded cluster. Try it yourself:\n  {prefix} sandbox start      # serves such a cluster; kubectl works on it too\n  \
         {prefix} assess             # looks at your own; changes nothing\n  {prefix} plan VM --to NAMESPACE --rehearse\n"
    ))?;
    Ok(Code::DONE)
}

/// Types one command and waits for its end; nothing when whoever typed it has died.
async fn types(cx: &mut Context, sandbox: &Sandbox, scene: &Scene, line: &str) -> Option<Code> {
    let cli = match app::read(&cx.prefix, line.split_whitespace().map(Into::into), &mut cx.io) {
        Ok(cli) => cli,
        Err(code) => return Some(code),
    };
    cx.connection = cli.connection.clone();
    let mut crashes = sandbox.misfortune().crashes.subscribe();
    crashes.mark_unchanged();
    sandbox.misfortune().clear();
    if let Some(fault) = &scene.dies_after {
        sandbox.misfortune().add(fault.clone());
    }
    tokio::select! {
        biased;
        _ = crashes.changed() => None,
        code = app::run(cli, cx) => Some(code),
    }
}
