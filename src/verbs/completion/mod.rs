//! `completion`: prints what a shell needs to complete the plugin when it is called by its own name, and installs what kubectl and
//! oc need to complete `kubectl vmmove` and `oc vmmove`.

use std::path::PathBuf;

use clap_complete::ArgValueCompleter;

use super::Context;
use super::args::words::{Word, one_of};
use crate::exit::Code;
use crate::model::failure::Failure;

mod install;
mod line;
pub mod protocol;
pub mod values;

#[derive(Clone, Copy, Debug)]
enum What {
    Script(&'static str),
    Install,
}

const WHAT: &[Word<What>] = &[
    ("bash", What::Script(include_str!("../../../completions/kubectl-vmmove.bash")), "print the script for bash"),
    ("zsh", What::Script(include_str!("../../../completions/kubectl-vmmove.zsh")), "print the script for zsh"),
    ("fish", What::Script(include_str!("../../../completions/kubectl-vmmove.fish")), "print the script for fish"),
    ("powershell", What::Script(include_str!("../../../completions/kubectl-vmmove.ps1")), "print the script for PowerShell"),
    ("install", What::Install, "let kubectl and oc complete the plugin, whatever the shell"),
];

#[derive(Debug, clap::Args)]
#[command(before_help = "With 'install', writes two small programs, kubectl_complete-vmmove and oc_complete-vmmove, next to the plugin. The \
    completion of kubectl and oc that your shell has already calls them. With a shell's name, prints a script for calling kubectl-vmmove \
    directly.")]
#[command(after_help = "\
Examples:
  # Complete 'kubectl vmmove' and 'oc vmmove' in every shell that completes kubectl or oc
  kubectl vmmove completion install

  # Complete the program's own name in this bash
  source <(kubectl vmmove completion bash)")]
pub struct Args {
    /// A shell, or 'install'
    #[arg(value_name = "SHELL", value_parser = one_of(WHAT))]
    what: What,
    /// Where 'install' writes to; a folder of PATH (default: the plugin's own)
    #[arg(long, value_name = "FOLDER", add = ArgValueCompleter::new(values::folders))]
    dir: Option<PathBuf>,
}

/// Prints a script, or installs the two programs and says where.
///
/// # Errors
/// The folder cannot be written to, or holds a file of that name that is not ours.
#[allow(clippy::unused_async)] // Every verb is called alike.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    match args.what {
        What::Script(script) => cx.io.print(script)?,
        What::Install => {
            let path = (cx.io.env)("PATH").unwrap_or_default();
            let installed = install::install(&cx.program, args.dir.as_deref(), &path)?;
            cx.io.print(&installed.lines)?;
            if let Some(remark) = installed.remark {
                cx.io.remark(&crate::output::error::warning(&remark));
            }
        }
    }
    Ok(Code::DONE)
}
