//! `sandbox`: the embedded cluster, to try everything on.

use clap::Subcommand;

use super::Context;
use crate::exit::Code;
use crate::model::failure::Failure;

mod background;
pub mod demo;
pub mod inside;
mod place;
mod scenarios;
mod start;
mod stop;
mod story;
#[cfg(test)]
mod tests;

#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(subcommand_help_heading = "Commands", subcommand_value_name = "COMMAND")]
#[command(before_help = "The sandbox is a small cluster inside this program, with the parts of Kubernetes, KubeVirt, CDI and a storage driver that \
    a move meets. It needs nothing else and touches nothing of yours: kubectl and this tool speak to it through a kubeconfig of its own.")]
#[command(after_help = "\
Examples:
  # See what the tool does, without any cluster
  kubectl vmmove sandbox demo

  # A cluster to try things on
  eval \"$(kubectl vmmove sandbox start --background)\"
  kubectl get vm -n shop
  kubectl vmmove plan --all -n shop --to prod
  kubectl vmmove sandbox stop")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

macro_rules! actions {
    ($($(#[$about:meta])* $variant:ident = $module:ident;)*) => {
        /// What can be done with it; each is the file of the same name.
        #[derive(Debug, Subcommand)]
        enum Action { $($(#[$about])* $variant($module::Args),)* }

        /// Does it.
        ///
        /// # Errors
        /// Whatever its file says.
        pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
            match &args.action { $(Action::$variant(args) => $module::run(cx, args).await,)* }
        }
    };
}

// A new one is its file, its `mod` line, and a line here; the order is that of the help.
actions! {
    /// See three virtual machines moved, a crash survived and a machine put back, in ten seconds
    Demo = demo;
    /// Begin a sandbox and serve it until it is stopped
    Start = start;
    /// Stop a sandbox that was started elsewhere
    Stop = stop;
    /// List what a sandbox can begin with, or show one of them
    Scenarios = scenarios;
}

impl Args {
    /// Whether nothing is waited for, so that no runtime is started.
    pub fn is_local(&self) -> bool {
        matches!(self.action, Action::Scenarios(_))
    }
}
