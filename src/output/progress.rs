//! A move drawn live on a terminal: what is running stays at the bottom of the screen, what is finished scrolls up as plain lines.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::board::{About, Board};
use super::colour::Paint;
use super::lines::{Line, Script};
use super::stream;
use crate::model::event::{Event, Observer};

/// How often elapsed times move on.
const TICK: Duration = Duration::from_millis(500);

/// A terminal to draw on.
pub type Screen = Arc<dyn Fn() -> ProgressDrawTarget + Send + Sync>;

/// Draws on standard error, unless told where else; finished lines go to standard output. Dropping it leaves the terminal clean.
pub struct Live<'a> {
    script: Script,
    board: Board,
    screen: MultiProgress,
    bars: Vec<(About, ProgressBar)>,
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
}

impl<'a> Live<'a> {
    /// For a standard error that is a terminal; `out` and `err` are the streams themselves, for lines that stay.
    pub fn new(screen: Option<&Screen>, out: impl Write + 'a, err: impl Write + 'a, paint: Paint) -> Self {
        let target = screen.map_or_else(|| ProgressDrawTarget::stderr_with_hz(10), |screen| screen());
        let screen = MultiProgress::with_draw_target(target);
        Self { script: Script::new(paint), board: Board::default(), screen, bars: Vec::new(), out: Box::new(out), err: Box::new(err) }
    }

    fn redraw(&mut self) {
        let lines = self.board.lines();
        self.bars.retain(|(about, bar)| {
            let stays = lines.iter().any(|(other, _)| other == about);
            if !stays {
                bar.finish_and_clear();
                self.screen.remove(bar);
            }
            stays
        });
        for (place, (about, line)) in lines.into_iter().enumerate() {
            if let Some((_, bar)) = self.bars.iter().find(|(other, _)| *other == about) {
                bar.set_message(line);
                continue;
            }
            let place = place.min(self.bars.len());
            let bar = self.screen.insert(place, ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(line);
            bar.enable_steady_tick(TICK);
            self.bars.insert(place, (about, bar));
        }
    }
}

impl Observer for Live<'_> {
    fn on(&mut self, event: &Event) {
        let drawn = matches!(event, Event::StepWaiting { .. } | Event::StepRetrying { .. });
        let line = self.script.line(event).filter(|_| !drawn);
        self.board.see(event);
        let (out, err) = (&mut self.out, &mut self.err);
        match line {
            Some(Line::Out(text)) => self.screen.suspend(|| stream::news(out, &text)),
            Some(Line::Err(text)) => self.screen.suspend(|| stream::news(err, &text)),
            None => {}
        }
        self.redraw();
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        for (_, bar) in &self.bars {
            bar.finish_and_clear();
        }
        let _ = self.screen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Progress;
    use crate::model::graph::{Phase, StepId, Title};
    use indicatif::TermLike;
    use std::io;
    use std::sync::Mutex;

    /// A terminal of 60 columns that remembers what was written to it; a cleared line counts as nothing.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<Vec<String>>>);

    impl Screen {
        fn add(&self, text: &str) -> io::Result<()> {
            self.0.lock().map_err(|_| io::Error::other("poisoned"))?.push(text.to_owned());
            Ok(())
        }

        fn seen(&self) -> String {
            self.0.lock().map(|all| all.join("\n")).unwrap_or_default()
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            60
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.add(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.add("<cleared>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn running_work_is_drawn_and_finished_work_becomes_a_line() {
        let (screen, mut out, mut err) = (Screen::default(), Vec::new(), Vec::new());
        let title = Title { object: "virtualmachine.kubevirt.io/web-1".into(), doing: "stopping".into(), done: "stopped".into(), ..Title::default() };
        let (step, group) = (StepId("web-1/stop".into()), String::from("web-1"));
        let target: super::Screen = {
            let screen = screen.clone();
            Arc::new(move || ProgressDrawTarget::term_like(Box::new(screen.clone())))
        };
        let mut live = Live::new(Some(&target), &mut out, &mut err, Paint::PLAIN);
        live.on(&Event::StepStarted { step: step.clone(), group: group.clone(), phase: Phase::Stop, title: title.clone() });
        live.on(&Event::StepWaiting { step: step.clone(), group: group.clone(), progress: Progress::waiting_for("its pod") });
        live.redraw();
        assert_eq!(live.bars.len(), 1);
        assert_eq!(live.bars[0].1.message(), "web-1  stopping, waiting for its pod");
        live.on(&Event::StepDone { step, group, phase: Phase::Stop, title, remark: None, took: Duration::from_secs(3) });
        assert!(live.bars.is_empty());
        drop(live);
        assert!(screen.seen().contains("web-1  stopping"), "{}", screen.seen());
        assert!(String::from_utf8_lossy(&out).starts_with("virtualmachine.kubevirt.io/web-1 stopped "));
        assert!(err.is_empty(), "what is waited for is drawn, not printed");
    }
}
