//! Flags of verbs that carry a move, beside those of every verb that writes.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::telling::Look;
use crate::verbs::Context;
use crate::verbs::args::acting::Acting;
use crate::verbs::args::words::{Word, one_of};
use crate::verbs::completion::values;

/// Where a move is written down.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Place {
    #[default]
    Cluster,
    File(PathBuf),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "cluster" => Ok(Self::Cluster),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err("must be cluster, or file:PATH".to_owned()),
        }
    }
}

/// What a verb prints while it acts, instead of lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    Json,
}

const STREAMS: &[Word<Stream>] = &[("json", Stream::Json, "one event per line")];

/// How a move is carried.
#[derive(Args, Clone, Debug, Default)]
pub struct Carrying {
    #[command(flatten)]
    pub acting: Acting,
    /// Where the move is written down: 'cluster', or 'file:PATH' for whoever may not write ConfigMaps [default: cluster]
    #[arg(long, value_name = "WHERE", default_value = "cluster", hide_default_value = true, add = ArgValueCompleter::new(values::places))]
    pub ledger: Place,
    /// Print each event as a line of JSON
    #[arg(short, long, value_name = "FORMAT", value_parser = one_of(STREAMS), hide_possible_values = true)]
    pub output: Option<Stream>,
    /// Print a line when something is done and never draw over it, for screen readers and recordings
    #[arg(long)]
    pub plain: bool,
}

impl Carrying {
    /// What those who watch are shown.
    pub fn look(&self, cx: &Context) -> Look {
        match self.output {
            Some(Stream::Json) => Look::Events,
            None if self.plain => Look::Lines,
            None => Look::suited(&cx.io, cx.connection.verbosity.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_in_the_cluster_or_in_a_file() {
        assert_eq!("cluster".parse(), Ok(Place::Cluster));
        assert_eq!("file:a:b".parse(), Ok(Place::File("a:b".into())));
        for wrong in ["", "file:", "file", "disk:x"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
