//! Flags of verbs that write: how to ask, how to pretend, how long to wait.

use std::time::Duration;

use clap::Args;

use super::duration::parse;
use super::words::{Word, one_of};

/// How far to go.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DryRun {
    #[default]
    None,
    /// Print what would be done; send nothing that writes.
    Client,
    /// Send everything that the server can try without doing it.
    Server,
}

const DRY_RUNS: &[Word<DryRun>] = &[
    ("none", DryRun::None, "do it"),
    ("client", DryRun::Client, "say what would be done, send nothing"),
    ("server", DryRun::Server, "let the server try what it can try"),
];

/// How a verb that writes goes about it.
#[derive(Args, Clone, Debug, Default)]
pub struct Acting {
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
    /// Do not do it: 'client' says what would be done, 'server' also lets the server try what it can
    #[arg(long, value_name = "MODE", value_parser = one_of(DRY_RUNS), num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "client", hide_default_value = true, hide_possible_values = true)]
    pub dry_run: DryRun,
    /// How long to wait in all (such as 90s or 2h); what is not done by then stays resumable. 0 means no limit
    #[arg(long, value_name = "DURATION", value_parser = parse, default_value = "0", hide_default_value = true)]
    pub timeout: Duration,
}

impl Acting {
    /// The limit for the whole run, if there is one.
    pub fn limit(&self) -> Option<Duration> {
        (!self.timeout.is_zero()).then_some(self.timeout)
    }
}
