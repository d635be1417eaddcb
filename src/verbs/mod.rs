//! The front doors: one file per verb, with its flags and what it does in order. What several verbs decide or show lives below.

use std::sync::Arc;

use clap::{Parser, Subcommand};
use futures::future::BoxFuture;

use self::args::connection::{Connection, quoted};
use crate::cluster::{Cluster, Connect};
use crate::engine::clock::{Clock, Rng};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::command::CommandPrefix;
use crate::output::io::Io;

pub mod acting;
pub mod args;
pub mod assess;
pub mod cleanup;
pub mod clone;
pub mod completion;
pub mod copy;
pub mod explain;
pub mod looking;
pub mod pause;
pub mod plan;
pub mod recreate;
pub mod resume;
pub mod rollback;
pub mod run;
pub mod sandbox;
pub mod select;
pub mod start;
pub mod status;
pub mod stop;
pub mod validate;
pub mod verify;
pub mod version;

#[cfg(test)]
mod compat_tests;
#[cfg(test)]
mod status_tests;

/// Move KubeVirt virtual machines: look, decide, act step by step, go back
#[derive(Debug, Parser)]
#[command(
    name = "vmmove",
    disable_help_flag = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    args_override_self = true
)]
#[command(subcommand_help_heading = "Commands", subcommand_value_name = "COMMAND")]
pub struct Cli {
    /// Print help
    #[arg(short, long, global = true, action = clap::ArgAction::HelpShort)]
    help: Option<bool>,
    #[command(flatten)]
    pub connection: Connection,
    #[command(subcommand)]
    pub verb: Verb,
}

macro_rules! verbs {
    ($($(#[$about:meta])* $variant:ident = $module:ident $name:literal;)*) => {
        /// What can be done; each is the file of the same name.
        #[derive(Debug, Subcommand)]
        #[allow(clippy::large_enum_variant, reason = "there is one in a process")]
        pub enum Verb { $($(#[$about])* $variant($module::Args),)* }

        impl Verb {
            /// The verb as typed.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// Does it.
            ///
            /// # Errors
            /// Whatever its file says.
            pub async fn run(&self, cx: &mut Context) -> Result<Code, Failure> {
                match self { $(Self::$variant(args) => $module::run(cx, args).await,)* }
            }
        }
    };
}

// A new verb is its file, its `pub mod` line, and a line here; the order is that of the help.
verbs! {
    /// Look at virtual machines: disks, networks, what they refer to, what speaks against moving them
    Assess = assess "assess";
    /// Write down which virtual machines to move
    Select = select "select";
    /// Decide everything about a move and say why
    Plan = plan "plan";
    /// Say whether a plan still holds
    Validate = validate "validate";
    /// Move virtual machines: plan, ask once, do all phases but cleanup
    Run = run "run";
    /// Fence the source and wait until nothing holds its disks
    Stop = stop "stop";
    /// Bring the disks to the target, each by its strategy
    Clone = clone "clone";
    /// Copy what the machines refer to
    Copy = copy "copy";
    /// Make the machines in the target, halted
    Recreate = recreate "recreate";
    /// Start the machines in the target
    Start = start "start";
    /// Compare the target with the source, and see that guests are up
    Verify = verify "verify";
    /// Remove the sources with their disks; there is no way back then
    Cleanup = cleanup "cleanup";
    /// Show moves, or one move per machine and disk
    Status = status "status";
    /// Ask whoever carries a move to stop after the steps in flight
    Pause = pause "pause";
    /// Go on with a move, also from another machine
    Resume = resume "resume";
    /// Go back to the source, as long as cleanup has not begun
    Rollback = rollback "rollback";
    /// A cluster in this process, to try the tool on
    Sandbox = sandbox "sandbox";
    /// Print shell completion, or install it for kubectl and oc
    Completion = completion "completion";
    /// Explain a finding, a strategy, or the fields of a document
    Explain = explain "explain";
    /// Print the versions of this tool and of what the server has
    Version = version "version";
}

impl Verb {
    /// Whether a verb asks no cluster and waits for nothing, so that no runtime is started for it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Completion(_) | Self::Explain(_) => true,
            Self::Version(args) => args.client,
            Self::Sandbox(args) => args.is_local(),
            _ => false,
        }
    }
}

/// Reaches the cluster that flags and kubeconfig name.
pub type Connector = Arc<dyn Fn(Connect) -> BoxFuture<'static, Result<Cluster, Failure>> + Send + Sync>;

/// What a verb works with besides its own arguments.
pub struct Context {
    /// The connection flags as typed.
    pub connection: Connection,
    pub connector: Connector,
    pub io: Io,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    /// What the user calls the program: `kubectl vmmove`.
    pub prefix: String,
    /// The file that was started, as found by kubectl.
    pub program: String,
}

impl Context {
    /// Connects as the flags say.
    ///
    /// # Errors
    /// What is wrong with flags, kubeconfig or credentials.
    pub async fn connect(&self) -> Result<Cluster, Failure> {
        (self.connector)(Connect::from(&self.connection)).await
    }

    /// What stands around commands that are printed to be typed: they name the namespace, and repeat how the cluster is reached.
    pub fn commands(&self, namespace: &str) -> CommandPrefix {
        CommandPrefix { program: self.prefix.clone(), flags: format!(" -n {}{}", quoted(namespace), self.connection.retyped()) }
    }
}
