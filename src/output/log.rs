//! What `-v` shows on standard error: remarks that the tool makes on the way, one line each, with the time. Nothing of the libraries that it
//! uses: only our own remarks are known to hold no secret.

use std::fmt;
use std::sync::Arc;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{self as lines, MakeWriter};
use tracing_subscriber::prelude::*;

use crate::engine::clock::Clock;

/// Where the remarks about requests come from.
const REQUESTS: &str = "vmmove::cluster::log";

/// From which `-v` on whose remarks are shown, and how deep. The numbers are kubectl's: 4 for what helps debugging, 6 for requests, 7 for their
/// headers; the levels above would show bodies there, and show nothing more here.
const LEVELS: [(u8, &str, LevelFilter); 3] =
    [(4, "vmmove", LevelFilter::DEBUG), (6, REQUESTS, LevelFilter::DEBUG), (7, REQUESTS, LevelFilter::TRACE)];

/// Writes what this verbosity shows. `None` when it shows nothing, so that nobody listens.
pub fn listener<W>(verbosity: u8, clock: Arc<dyn Clock>, to: W) -> Option<impl Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    if !shows_anything(verbosity) {
        return None;
    }
    let shown = LEVELS.iter().filter(|(from, ..)| *from <= verbosity);
    let none = Targets::new().with_target(REQUESTS, LevelFilter::OFF);
    let targets = shown.fold(none, |targets, (_, target, level)| targets.with_target(*target, *level));
    // A closed standard error must not stop a move: what cannot be written is lost.
    let text = lines::layer().with_writer(to).with_timer(Time(clock)).with_target(false).with_ansi(false).log_internal_errors(false);
    Some(tracing_subscriber::registry().with(text.with_filter(targets)))
}

/// Whether this verbosity shows anything at all. A live display would be torn by it.
pub fn shows_anything(verbosity: u8) -> bool {
    LEVELS.iter().any(|(from, ..)| *from <= verbosity)
}

struct Time(Arc<dyn Clock>);

impl FormatTime for Time {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        write!(to, "{:.3}", self.0.now())
    }
}
