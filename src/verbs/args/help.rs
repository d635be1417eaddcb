//! Help in kubectl's manner: what a verb does, examples, its own flags; the global flags only on the first page.

use clap::builder::StyledStr;
use clap::{ArgAction, Command, CommandFactory};

use crate::verbs::Cli;

const TEMPLATE: &str = "{before-help}{all-args}\n\nUsage:\n  {usage}{after-help}";
/// Where lines break, whatever the terminal: help reads alike everywhere, as kubectl's does.
const WIDTH: usize = 100;
const GLOBAL_FLAGS: &str = "Global flags";

/// The whole command line as seen by somebody who calls it `prefix`, such as `oc vmmove`.
pub fn command(prefix: &str) -> Command {
    let pointer = format!("Use \"{prefix} --help\" for the flags that all commands have, such as --context and --kubeconfig.");
    let mut command = dressed(Cli::command().bin_name(prefix).term_width(WIDTH), prefix);
    command.build();
    command.mut_subcommands(|verb| without_globals(verb, &pointer))
}

/// A verb's page, and those of its own commands, point to the global flags instead of repeating them.
fn without_globals(verb: Command, pointer: &str) -> Command {
    let verb = verb.after_help(pointer.to_owned()).mut_args(|arg| {
        let is_global = arg.get_help_heading() == Some(GLOBAL_FLAGS) && arg.get_long() != Some("namespace");
        if is_global { arg.hide(true) } else { arg }
    });
    verb.mut_subcommands(|command| without_globals(command, pointer))
}

/// The command line without any dressing, for completion.
pub fn plain_command() -> Command {
    Cli::command()
}

/// Puts what a command does, the details and the examples before its flags. They are written for kubectl, and said for the caller.
fn dressed(verb: Command, prefix: &str) -> Command {
    let parts = [verb.get_about(), verb.get_before_help(), verb.get_after_help()];
    let texts: Vec<String> = parts.into_iter().flatten().map(StyledStr::to_string).collect();
    let preface = texts.join("\n\n").replace("kubectl vmmove", prefix);
    let verb = verb.before_help(preface).after_help("").help_template(TEMPLATE).args_override_self(true);
    verb.mut_subcommands(|command| dressed(command, prefix))
}

/// The name a caller knows the program by, from the path it was started with: kubectl and oc strip what stands before the dash.
pub fn prefix(program: &str) -> String {
    let stem = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let stem = stem.strip_suffix(".exe").unwrap_or(stem);
    match stem.split_once('-') {
        Some(("kubectl", plugin)) if !plugin.is_empty() => format!("kubectl {plugin}"),
        Some(("oc", plugin)) if !plugin.is_empty() => format!("oc {plugin}"),
        _ => "kubectl vmmove".to_owned(),
    }
}

/// Whether a flag takes no value: kubectl also lets it be written `--all=true`.
pub fn is_switch(command: &Command, flag: &str) -> bool {
    let has = |command: &Command| {
        let mut args = command.get_arguments();
        args.any(|arg| arg.get_long() == Some(flag) && matches!(arg.get_action(), ArgAction::SetTrue))
    };
    has(command) || command.get_subcommands().any(|command| is_switch(command, flag))
}
