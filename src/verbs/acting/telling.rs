//! Who is told what happens: a live display on a terminal, plain lines elsewhere, one event per line for programs.

use std::cell::RefCell;

use crate::app::Io;
use crate::engine::clock::Clock;
use crate::model::event::{Event, Observer};
use crate::output::colour::Paint;
use crate::output::events::Events;
use crate::output::lines::Lines;
use crate::output::progress::Live;

/// One observer that the engine and those beside it tell.
pub struct Telling<'a>(RefCell<Box<dyn Observer + 'a>>);

impl<'a> Telling<'a> {
    /// On these streams; `events` asks for JSON.
    pub fn new(io: &'a mut Io, clock: &'a dyn Clock, events: bool) -> Self {
        let paint = Paint::for_stream(io.stderr_is_terminal, io.env);
        let (out, err) = (&mut io.stdout, &mut io.stderr);
        Self(RefCell::new(if events {
            Box::new(Events::new(out, clock))
        } else if io.stderr_is_terminal {
            Box::new(Live::new(out, err, paint))
        } else {
            Box::new(Lines::new(out, err, paint))
        }))
    }

    pub fn tell(&self, event: &Event) {
        self.0.borrow_mut().on(event);
    }
}

impl Observer for &Telling<'_> {
    fn on(&mut self, event: &Event) {
        self.tell(event);
    }
}
