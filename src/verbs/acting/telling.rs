//! Who is told what happens: a live display on a terminal, plain lines elsewhere, one event per line for programs.

use std::cell::RefCell;

use crate::engine::clock::Clock;
use crate::model::event::{Event, Observer};
use crate::model::names::MoveId;
use crate::output::colour::Paint;
use crate::output::command::CommandPrefix;
use crate::output::events::Events;
use crate::output::io::Io;
use crate::output::lines::Lines;
use crate::output::log;
use crate::output::progress::Live;

/// What it looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Look {
    /// One event per line, as JSON.
    Events,
    Lines,
    /// Drawn over and over on a terminal.
    Live,
}

impl Look {
    /// What suits a terminal that can be drawn on, unless `-v` writes to it as well: its lines would tear the drawing.
    pub fn suited(io: &Io, verbosity: u8) -> Self {
        let dumb = (io.env)("TERM").is_some_and(|term| term == "dumb");
        if io.stderr_is_terminal && !dumb && !log::shows_anything(verbosity) { Self::Live } else { Self::Lines }
    }
}

/// One observer that the engine and those beside it tell.
pub struct Telling<'a> {
    observer: RefCell<Box<dyn Observer + 'a>>,
    commands: &'a CommandPrefix,
    id: &'a MoveId,
}

impl<'a> Telling<'a> {
    pub fn new(io: &'a mut Io, clock: &'a dyn Clock, look: Look, commands: &'a CommandPrefix, id: &'a MoveId) -> Self {
        let paint = Paint::for_stream(io.stderr_is_terminal, io.env);
        let (out, err) = (&mut io.stdout, &mut io.stderr);
        let observer: Box<dyn Observer + 'a> = match look {
            Look::Events => Box::new(Events::new(out, clock)),
            Look::Lines => Box::new(Lines::new(out, err, paint)),
            Look::Live => Box::new(Live::new(io.screen.as_ref(), out, err, paint)),
        };
        Self { observer: RefCell::new(observer), commands, id }
    }

    pub fn tell(&self, event: &Event) {
        let mut event = event.clone();
        if let Event::StepBlocked { finding, .. } = &mut event {
            finding.hint = finding.hint.take().map(|hint| self.commands.completed(&hint, self.id));
        }
        self.observer.borrow_mut().on(&event);
    }
}

impl Observer for &Telling<'_> {
    fn on(&mut self, event: &Event) {
        self.tell(event);
    }
}
