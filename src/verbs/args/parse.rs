//! An argument list becomes a command line to run, a page of help, or a failure. Reads nothing and starts nothing.

use std::ffi::OsString;

use clap::FromArgMatches;
use clap::error::ErrorKind;

use super::{help, usage};
use crate::model::failure::Failure;
use crate::verbs::Cli;

/// What an argument list asks for.
#[derive(Debug)]
pub enum Parsed {
    Run(Box<Cli>),
    /// A page for standard output.
    Help(String),
    /// The failure, and the command whose help says how it is right.
    Wrong(Failure, String),
}

/// Reads an argument list without the program's name; `prefix` is what the caller calls the program.
pub fn parse(prefix: &str, args: impl IntoIterator<Item = OsString>) -> Parsed {
    let mut command = help::command(prefix);
    let args = std::iter::once(OsString::from(prefix)).chain(args.into_iter().filter_map(|arg| switch(&command, arg)));
    let args: Vec<OsString> = args.collect();
    match command.try_get_matches_from_mut(&args).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => Parsed::Run(Box::new(cli)),
        Err(error) if is_help(&error) => Parsed::Help(format!("{}\n", error.render().to_string().trim_end())),
        Err(error) => {
            let verb = help::plain_command().ignore_errors(true).try_get_matches_from(&args).ok();
            let (mut typed, mut within) = (prefix.to_owned(), verb.as_ref());
            while let Some((name, inner)) = within.and_then(clap::ArgMatches::subcommand) {
                typed = format!("{typed} {name}");
                within = Some(inner);
            }
            Parsed::Wrong(usage::failure(&error, &typed), typed)
        }
    }
}

fn is_help(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
}

/// `--all=true` is `--all`, and `--all=false` is nothing, as kubectl has it.
pub fn switch(command: &clap::Command, arg: OsString) -> Option<OsString> {
    let Some((flag, value)) = arg.to_str().and_then(|text| text.strip_prefix("--")?.split_once('=')) else { return Some(arg) };
    let stands_for = match value {
        "true" | "t" | "T" | "True" | "TRUE" | "1" => true,
        "false" | "f" | "F" | "False" | "FALSE" | "0" => false,
        _ => return Some(arg),
    };
    if !help::is_switch(command, flag) {
        return Some(arg);
    }
    stands_for.then(|| OsString::from(format!("--{flag}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Parsed {
        parse("kubectl vmmove", line.split_whitespace().map(OsString::from))
    }

    /// What a wrong line is answered with: message, hints and the page that is pointed to.
    fn wrong(line: &str) -> String {
        let Parsed::Wrong(failure, command) = typed(line) else { panic!("{line} should be wrong") };
        assert_eq!(failure.kind, crate::model::failure::FailureKind::Usage);
        [vec![failure.message], failure.hints, vec![command]].concat().join("; ")
    }

    #[test]
    fn wrong_lines_are_answered_in_kubectls_words() {
        for (line, answer) in [
            ("vers", "unknown command \"vers\" for \"kubectl vmmove\"; did you mean version?; kubectl vmmove"),
            ("version --clint", "unknown flag: --clint; did you mean --client?; kubectl vmmove version"),
            ("version -z", "unknown shorthand flag: 'z' in -z; kubectl vmmove version"),
            ("-n shop version -o xml", "invalid argument \"xml\" for \"--output\" flag: must be one of json, yaml; kubectl vmmove version"),
            ("version -o", "flag needs an argument: --output; kubectl vmmove version"),
            ("version x", "unknown argument \"x\"; kubectl vmmove version"),
            ("completion", "required: SHELL; kubectl vmmove completion"),
            (
                "--request-timeout soon version",
                "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit \
                 (e.g. 1s | 2m | 3h); kubectl vmmove version",
            ),
        ] {
            assert_eq!(wrong(line), answer, "{line}");
        }
    }

    #[test]
    fn flags_stand_before_and_after_the_verb_and_the_last_one_counts() {
        for line in ["-n shop --context=a version --client", "version --client=true --context b -n x --context a -nshop"] {
            let Parsed::Run(cli) = typed(line) else { panic!("{line} should be right") };
            assert_eq!((cli.connection.namespace.as_deref(), cli.connection.context.as_deref()), (Some("shop"), Some("a")), "{line}");
            assert!(cli.verb.is_local(), "{line}");
        }
        let Parsed::Run(cli) = typed("version --client=false") else { panic!("right") };
        assert!(!cli.verb.is_local());
    }

    #[test]
    fn help_is_what_oc_users_type_too() {
        let Parsed::Help(page) = parse("oc vmmove", ["version".into(), "-h".into()]) else { panic!("help") };
        assert!(page.starts_with("Print the versions of this tool and of what the server has\n\nExamples:\n"));
        assert!(page.contains("\n  oc vmmove version --client\n") && !page.contains("kubectl"));
        assert!(page.ends_with("--kubeconfig.\n"));
        assert!(page.contains("--namespace") && !page.contains("--tls-server-name"));
        let Parsed::Help(all) = typed("") else { panic!("help") };
        assert!(all.contains("--tls-server-name"));
    }
}
