//! What was typed before the word under the cursor. Completers are handed that word alone, so it is kept here for them.

use std::ffi::OsString;
use std::sync::OnceLock;

use clap::{ArgMatches, FromArgMatches};

use crate::cluster::Connect;
use crate::verbs::args::connection::Connection;
use crate::verbs::args::help;
use crate::verbs::args::parse::switch;

static WORDS: OnceLock<Vec<String>> = OnceLock::new();

/// Keeps the words typed so far; they are one program run's, so the first call counts.
pub fn remember(words: &[String]) {
    WORDS.get_or_init(|| words.to_vec());
}

/// How to reach the cluster that the words speak of. Nobody is to be asked for a password while they type.
pub fn connection() -> Connect {
    Connect { unattended: true, ..Connect::from(&connection_of(words())) }
}

/// The namespace after `--to`.
pub fn target() -> Option<String> {
    target_of(words())
}

fn words() -> &'static [String] {
    WORDS.get().map_or(&[], Vec::as_slice)
}

/// The flags among words that need not be a whole command line yet; nothing when no sense can be made of them.
fn flags(words: &[String]) -> Option<ArgMatches> {
    let command = help::plain_command().ignore_errors(true);
    let words = words.iter().filter_map(|word| switch(&command, word.into()));
    let line: Vec<OsString> = std::iter::once("kubectl-vmmove".into()).chain(words).collect();
    command.try_get_matches_from(line).ok()
}

fn connection_of(words: &[String]) -> Connection {
    flags(words).and_then(|flags| Connection::from_arg_matches(&flags).ok()).unwrap_or_default()
}

fn target_of(words: &[String]) -> Option<String> {
    let flags = flags(words)?;
    let (_, flags) = flags.subcommand()?;
    flags.try_get_one("to").ok().flatten().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn connection_flags_are_found_in_an_unfinished_line() {
        for line in [
            "-n shop version --context=prod --unknown",
            "plan db-1 --context prod -n other -nshop --to x --strategy",
            "assess --all=true --no-headers=false --namespace=shop --context prod vm/x",
            "run -f plan.yaml --dry-run=client --context prod -n shop --timeout",
        ] {
            let found = connection_of(&words(line));
            assert_eq!((found.namespace.as_deref(), found.context.as_deref()), (Some("shop"), Some("prod")), "{line}");
        }
    }

    #[test]
    fn the_target_is_known_once_it_is_typed() {
        assert_eq!(target_of(&words("plan db-1 -n shop --to prod --map-network")).as_deref(), Some("prod"));
        for line in ["plan db-1 --to", "plan db-1", "version", ""] {
            assert_eq!(target_of(&words(line)), None, "{line}");
        }
    }
}
