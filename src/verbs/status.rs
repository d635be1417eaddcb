//! `status`: the moves of a namespace, or one move by machine; read from ledger and Lease, so it works from anywhere.

use clap_complete::ArgValueCompleter;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::Context;
use super::acting::finding::{self, to_look};
use super::acting::flags::Place;
use super::acting::life::{self, Life};
use super::acting::reading::{self, Machine, machines, overall};
use super::args::display::Table;
use super::args::moves::MoveName;
use super::completion::values;
use crate::cluster::{About, Cluster, Topic};
use crate::engine::clock::Clock;
use crate::engine::{Hands as _, Probe};
use crate::exit::Code;
use crate::ledger::{self, LABEL_LEDGER, Opened, object_name};
use crate::model::failure::Failure;
use crate::model::kind;
use crate::model::names::LABEL_MOVE;
use crate::output::columns::status::MoveRow;
use crate::output::error::warning;
use crate::output::format::Format;
use crate::output::order::SortBy;
use crate::output::table::{Style, Widths, nothing_found, render, render_below};
use crate::output::{json, stream as streams, yaml};
use crate::plan::document::API_VERSION;
use crate::steps::hand::Hand;
use crate::steps::restore::restore_commands;

/// So many moves are read at once.
const SIDE_BY_SIDE: usize = 8;
/// While watching, progress that leaves no trace in the ledger is looked for so often.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # The moves whose source is namespace shop
  kubectl vmmove status -n shop

  # Where one of them stands, by machine
  kubectl vmmove status shop-to-prod-7k2fq -n shop

  # And how to restore its sources by hand, without this tool
  kubectl vmmove status shop-to-prod-7k2fq -n shop -o wide

  # Follow it to its end
  kubectl vmmove status shop-to-prod-7k2fq -n shop -w")]
pub struct Args {
    /// The move's name; all moves of the namespace without it
    #[arg(value_name = "MOVE", add = ArgValueCompleter::new(values::moves))]
    name: Option<MoveName>,
    /// Go on showing what changes, until nothing does any more
    #[arg(short, long, requires = "name")]
    watch: bool,
    /// Where the move is written down: 'cluster' or 'file:PATH' [default: cluster]
    #[arg(long, value_name = "WHERE", default_value = "cluster", hide_default_value = true, add = ArgValueCompleter::new(values::places))]
    ledger: Place,
    #[command(flatten)]
    table: Table,
    /// Sort moves by what is at this path of each, such as .metadata.creationTimestamp
    #[arg(long, value_name = "PATH", conflicts_with = "name")]
    sort_by: Option<SortBy>,
}

/// Shows it.
///
/// # Errors
/// There is no such move, or it cannot be read.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    match &args.name {
        None => list(cx, args).await,
        Some(name) if args.watch => watch(cx, args, name).await,
        Some(name) => one(cx, args, name).await,
    }
}

/// A move as it stands.
struct Standing {
    opened: Opened,
    life: Option<Life>,
    machines: Vec<Machine>,
}

impl Standing {
    async fn of(cluster: &Cluster, opened: Opened, now: jiff::Timestamp) -> Result<Self, Failure> {
        let life = life::of(cluster, &opened.header.source_namespace, &opened.header.move_id, now).await?;
        let alive = life.as_ref().is_some_and(Life::is_alive);
        let machines = machines(&opened.plan.spec, &opened.journal, &opened.states(), alive);
        Ok(Self { opened, life, machines })
    }

    fn row(&self) -> MoveRow {
        let header = &self.opened.header;
        let arrived = self.machines.iter().filter(|machine| machine.arrived).count();
        MoveRow {
            name: header.move_id.0.clone(),
            target: header.target_namespace.clone(),
            machines: format!("{arrived}/{}", self.machines.len()),
            state: format!("{:?}", overall(&self.machines)),
            holder: self.life.as_ref().map_or_else(|| "-".to_owned(), Life::described),
            began: Some(header.created.clone()),
        }
    }

    fn document(&self) -> Value {
        let header = &self.opened.header;
        json!({
            "apiVersion": API_VERSION,
            "kind": "Move",
            "metadata": {"name": header.move_id, "namespace": header.source_namespace, "creationTimestamp": header.created},
            "spec": {"source": header.source_namespace, "target": header.target_namespace, "digest": header.digest, "author": header.author},
            "status": {
                "state": overall(&self.machines),
                "holder": self.life.as_ref().map(|life| &life.holder),
                "alive": self.life.as_ref().is_some_and(Life::is_alive),
                "machines": self.machines,
                "restore": restore_commands(&self.opened.plan.spec),
            },
        })
    }

    /// Asks the cluster how far the steps under way are. What cannot be seen stays as the journal has it.
    async fn look_closer(&mut self, cluster: &Cluster, clock: std::sync::Arc<dyn Clock>) {
        let header = &self.opened.header;
        let (sites, spec) = (finding::sites(cluster, &self.opened.plan), self.opened.plan.spec.clone());
        let hand = Hand::new(sites, spec, header.digest.clone(), header.move_id.clone(), header.holder.clone(), clock);
        for (id, state) in self.opened.states().begun() {
            hand.remember(id, state.output());
        }
        for machine in &mut self.machines {
            if machine.state != reading::Doing::Running {
                continue;
            }
            let looks = machine.under_way.iter().map(|id| hand.probe(id));
            let seen: Vec<_> = futures::future::join_all(looks).await.into_iter().flatten().collect();
            let waits = seen.into_iter().filter_map(|probe| match probe {
                Probe::Underway(progress) if !progress.waiting_for.is_empty() => Some(match progress.fraction {
                    Some(fraction) => format!("{} ({:.0}%)", progress.waiting_for, fraction * 100.0),
                    None => progress.waiting_for,
                }),
                _ => None,
            });
            let waits: Vec<String> = waits.collect();
            if !waits.is_empty() {
                machine.waiting_for = Some(waits.join(", "));
            }
        }
    }
}

async fn list(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let cluster = cx.connect().await?;
    let namespace = cluster.default_namespace().to_owned();
    let now = cx.clock.now();
    let found = ledger::list(&cluster, Some(&namespace)).await?;
    for failure in &found.unreadable {
        cx.io.remark(&warning(&failure.message));
    }
    let read = |header: ledger::Header| {
        let (cluster, namespace) = (&cluster, &namespace);
        async move { Standing::of(cluster, ledger::open(cluster, namespace, &header.move_id.0).await?, now).await }
    };
    let mut moves: Vec<Standing> = stream::iter(found.headers).map(read).buffered(SIDE_BY_SIDE).try_collect().await?;
    if let Some(path) = &args.sort_by {
        path.sort(&mut moves, |standing| Ok(standing.document()))?;
    }
    let format = args.table.output.format();
    if format.is_table() {
        if moves.is_empty() {
            cx.io.remark(&nothing_found(Some(&namespace)));
        }
        let rows: Vec<MoveRow> = moves.iter().map(Standing::row).collect();
        cx.io.print(&render(&rows, args.table.style(&cx.io), now))?;
        return Ok(Code::DONE);
    }
    let documents: Vec<Value> = moves.iter().map(Standing::document).collect();
    let text = match format {
        Format::Name => moves.iter().map(|standing| name_line(&standing.opened)).collect(),
        format if args.table.no_headers => format.many_without_headers(&documents)?,
        format => format.many(&documents)?,
    };
    cx.io.print(&text)?;
    Ok(Code::DONE)
}

/// `move/shop-to-prod-7k2fq`, as verbs take it.
fn name_line(opened: &Opened) -> String {
    format!("move/{}\n", opened.header.move_id)
}

async fn one(cx: &mut Context, args: &Args, name: &MoveName) -> Result<Code, Failure> {
    let (cluster, opened) = to_look(cx, name, &args.ledger).await?;
    let now = cx.clock.now();
    let mut standing = Standing::of(&cluster, opened, now).await?;
    standing.look_closer(&cluster, cx.clock.clone()).await;
    let format = args.table.output.format();
    let text = match format {
        Format::Table | Format::Wide => {
            let mut text = table(&mut Widths::default(), &standing.machines, args.table.style(&cx.io), now);
            if format == Format::Wide {
                text += &in_words(&standing);
            }
            text
        }
        Format::Name => name_line(&standing.opened),
        format => format.one(&standing.document())?,
    };
    cx.io.print(&text)?;
    Ok(Code::DONE)
}

fn table(widths: &mut Widths, machines: &[Machine], style: Style, now: jiff::Timestamp) -> String {
    render_below(widths, &machines.iter().map(|machine| machine.row(now)).collect::<Vec<_>>(), &[], style, now)
}

/// Who began and who carries it, and what to type when the tool is not at hand.
fn in_words(standing: &Standing) -> String {
    let header = &standing.opened.header;
    let holder = standing.life.as_ref().map_or_else(|| "nobody".to_owned(), Life::described);
    let restore: String = restore_commands(&standing.opened.plan.spec).into_iter().map(|line| line + "\n").collect();
    format!("\nbegun by {} at {}, carried by {holder}\n\nTo restore the sources without this tool:\n{restore}", header.author, header.created)
}

/// Shows each machine again when something about it changed.
async fn watch(cx: &mut Context, args: &Args, name: &MoveName) -> Result<Code, Failure> {
    let (cluster, mut opened) = to_look(cx, name, &args.ledger).await?;
    let (namespace, id) = (opened.header.source_namespace.clone(), opened.header.move_id.clone());
    let about = |kind, name, labels| Topic { kind, namespace: Some(namespace.clone()), name, labels, about: About::All };
    let journal = about(kind::CONFIG_MAP, None, Some(format!("{LABEL_MOVE}={id},{LABEL_LEDGER}")));
    let mut wakes = cluster.watch(&[journal, about(kind::LEASE, Some(object_name(&id)), None)]);
    let mut shown: Vec<Machine> = Vec::new();
    let (mut style, mut widths) = (args.table.style(&cx.io), Widths::default());
    loop {
        let now = cx.clock.now();
        let mut standing = Standing::of(&cluster, opened, now).await?;
        standing.look_closer(&cluster, cx.clock.clone()).await;
        let changed: Vec<Machine> = standing.machines.iter().filter(|machine| !shown.contains(machine)).cloned().collect();
        if !changed.is_empty() {
            let documents: Vec<Value> = changed.iter().map(|machine| json!(machine)).collect();
            let text = match args.table.output.format() {
                Format::Table | Format::Wide => table(&mut widths, &changed, style, now),
                Format::Json => documents.iter().map(json::line).collect::<Result<String, _>>()?,
                Format::Yaml => yaml::stream(&documents, shown.is_empty())?,
                Format::Name => name_line(&standing.opened),
                format if style.headers => format.many(&documents)?,
                format => format.many_without_headers(&documents)?,
            };
            streams::data(&mut *cx.io.stdout, &text)?;
            style.headers = false;
        }
        if standing.machines.iter().all(Machine::is_at_an_end) {
            return Ok(Code::DONE);
        }
        shown = standing.machines;
        tokio::select! {
            biased;
            () = wakes.next() => {}
            () = cx.clock.sleep(LOOK_AGAIN) => {}
        }
        opened = match &args.ledger {
            Place::Cluster => ledger::open(&cluster, &namespace, &id.0).await?,
            Place::File(path) => ledger::file::read(path)?,
        };
    }
}
