//! `sandbox start`: serves a cluster until somebody stops it.

use std::io;
use std::sync::Arc;

use clap_complete::ArgValueCompleter;

use super::background;
use super::place::{self, File};
use super::story::{Story, story, wrong};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::yaml;
use crate::sandbox::catalog::VM;
use crate::sandbox::identity::Identities;
use crate::sandbox::listen::{Door, Socket};
use crate::sandbox::scenario;
use crate::sandbox::server::Sandbox;
use crate::sandbox::store::text;
use crate::sandbox::time::Scaled;
use crate::sandbox::world::World;
use crate::sandbox::write::User;
use crate::verbs::Context;
use crate::verbs::acting::signals::Signals;
use crate::verbs::args::connection::quoted;
use crate::verbs::completion::values;

/// The last line that is printed begins so.
pub(super) const LAST: &str = "# Stop it with:";

#[derive(Clone, Debug, clap::Args)]
#[command(before_help = "Prints the line that leads kubectl there, and serves until Ctrl-C. Nothing is kept: what you did in it goes with it. \
    A file may hold manifests, also with Repeat and Scenario documents, or what 'kubectl get ... -o yaml' prints of a real cluster.")]
#[command(after_help = "\
Examples:
  # A small cluster, here until Ctrl-C
  kubectl vmmove sandbox start

  # Another one, in the background
  eval \"$(kubectl vmmove sandbox start --scenario shared-disk --background)\"

  # Rehearse on a dump of a real cluster; README says what has to be in it
  kubectl vmmove sandbox start --scenario dump.json --skip-unknown")]
pub struct Args {
    /// What to begin with: a name that 'sandbox scenarios' lists, a file, or - for standard input
    #[arg(long, value_name = "NAME|FILE", default_value = "plain", add = ArgValueCompleter::new(values::scenarios))]
    pub scenario: String,
    /// The port of 127.0.0.1 to serve at (default: any free one)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Go on in the background as soon as it serves
    #[arg(long)]
    pub background: bool,
    /// How many times as fast as on the wall time goes there; the cluster's clock then runs ahead of yours
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub speed: u32,
    /// Serve over HTTP without certificates: whoever reaches the port on this computer may do all that the scenario's user may
    #[arg(long)]
    pub plain: bool,
    /// Leave objects out of kinds that the sandbox does not serve, such as Deployments
    #[arg(long)]
    pub skip_unknown: bool,
}

/// Serves until a signal comes or somebody stops it. The file that leads there goes with it.
///
/// # Errors
/// The scenario is unknown or wrong, the port is taken, a file cannot be written.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    if args.background {
        return background::start(cx, args).await;
    }
    let cannot = |error: io::Error| Failure::error(format!("cannot listen for signals: {error}"));
    let mut signals = Signals::listen().map_err(cannot)?;
    let story = story(cx, &args.scenario, args.skip_unknown)?;
    let socket = Socket::take(args.port.unwrap_or_default(), door(&story, args.plain)?).await.map_err(|error| taken(cx, args.port, &error))?;
    let (now, speed) = (cx.clock.now(), args.speed);
    let world = scenario::play(cx.rng.next(), now, story.reading).map_err(|error| wrong(cx, &story.name, &error))?;
    let (namespace, machine) = first(&world);
    let file = File::write(&place::folder(&cx.io), socket.port(), &yaml::write(&socket.kubeconfig(&namespace))?)?;
    let title = story.about.map_or_else(|| story.name.clone(), |about| format!("{}: {about}", story.name));
    cx.io.print(&page(cx, &file, &title, speed, (&namespace, machine.as_deref()), socket.port()))?;
    let sandbox = Sandbox::of(world, Arc::new(Scaled::new(now, speed)));
    let mut signal = None;
    let asked = socket.serve(sandbox, async { signal = Some(signals.next().await) }).await;
    drop(file);
    cx.io.remark("sandbox stopped\n");
    Ok(if asked { Code::DONE } else { Code(128_u8.saturating_add(signal.unwrap_or_default())) })
}

/// Certificates for whom the scenario is about, and for an administrator; without them everybody is whom it is about.
fn door(story: &Story, plain: bool) -> Result<Door, Failure> {
    if plain {
        return Ok(Door::Open(story.reading.header.user().unwrap_or_else(User::admin)));
    }
    let people = match story.reading.header.user() {
        Some(user) => vec![("sandbox", user), ("sandbox-admin", User::admin())],
        None => vec![("sandbox", User::admin())],
    };
    Identities::make(&people).map(Door::Tls).map_err(|error| Failure::error(format!("cannot make certificates: {error}")))
}

fn taken(cx: &Context, port: Option<u16>, error: &io::Error) -> Failure {
    let Some(port) = port else { return Failure::error(format!("cannot listen on 127.0.0.1: {error}")) };
    if error.kind() != io::ErrorKind::AddrInUse {
        return Failure::error(format!("cannot listen on port {port} of 127.0.0.1: {error}"));
    }
    let failure = Failure::error(format!("port {port} of 127.0.0.1 is in use"));
    let ours = place::all(&place::folder(&cx.io)).iter().any(|(known, _)| *known == port);
    let failure =
        if ours { failure.hint(format!("a sandbox serves there; stop it with: {} sandbox stop --port {port}", cx.prefix)) } else { failure };
    failure.hint("name another port, or none: then any free one is taken")
}

/// The namespace that commands are about, and a machine in it.
fn first(world: &World) -> (String, Option<String>) {
    let machines = world.list(&VM, None);
    let place = |namespace: &str| machines.iter().find(|vm| namespace.is_empty() || text(vm, "/metadata/namespace") == namespace);
    let Some(vm) = place("shop").or_else(|| place("")) else { return ("default".to_owned(), None) };
    (text(vm, "/metadata/namespace").to_owned(), Some(text(vm, "/metadata/name").to_owned()))
}

/// What is printed: a shell takes the first line, people read the others.
fn page(cx: &Context, file: &File, title: &str, speed: u32, (namespace, machine): (&str, Option<&str>), port: u16) -> String {
    let (prefix, path) = (&cx.prefix, quoted(&file.path().display().to_string()));
    let export = if cfg!(windows) { format!("$env:KUBECONFIG = {path}") } else { format!("export KUBECONFIG={path}") };
    let time = if speed == 1 { "Time goes as on the wall".to_owned() } else { format!("Time goes {speed} times as fast as on the wall") };
    let machine = machine.map_or_else(|| "--all".to_owned(), quoted);
    format!(
        "{export}\n# {title}\n# {time}. Type the line above, then try:\n#   kubectl get vm -n {namespace}\n#   {prefix} assess -n {namespace}\n\
         #   {prefix} plan {machine} -n {namespace} --to prod\n#   {prefix} run {machine} -n {namespace} --to prod\n{LAST} {prefix} sandbox stop --port {port}\n"
    )
}
