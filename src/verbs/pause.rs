//! `pause`: asks whoever carries a move to stop after the steps in flight. It can be resumed, from whatever machine.

use clap_complete::ArgValueCompleter;

use super::Context;
use super::acting::finding::{to_look, user};
use super::acting::flags::Place;
use super::acting::life;
use super::args::moves::MoveName;
use super::completion::values;
use crate::exit::Code;
use crate::ledger::request::ask_pause;
use crate::model::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Let a move stop after the steps in flight, and go on later
  kubectl vmmove pause shop-to-prod-7k2fq -n shop
  kubectl vmmove resume shop-to-prod-7k2fq -n shop")]
pub struct Args {
    /// The move's name
    #[arg(value_name = "MOVE", add = ArgValueCompleter::new(values::moves))]
    name: MoveName,
}

/// Asks, and does not wait.
///
/// # Errors
/// There is no such move, or the request cannot be written.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let (cluster, opened) = to_look(cx, &args.name, &Place::Cluster).await?;
    let (id, namespace) = (&opened.header.move_id, &opened.header.source_namespace);
    let Some(life) = life::of(&cluster, namespace, id, cx.clock.now()).await? else {
        cx.io.print(&format!("move {id} is carried by nobody at the moment; there is nothing to pause\n"))?;
        return Ok(Code::DONE);
    };
    let user = user(&cluster).await?;
    ask_pause(&cluster, namespace, id, &format!("{user} asked to pause"), &*cx.clock).await?;
    let on = cx.commands(namespace).typed(&format!("resume {id}"));
    cx.io.print(&format!("move {id}: {} was asked to stop after the steps in flight; go on with: {on}\n", life.described()))?;
    Ok(Code::DONE)
}
