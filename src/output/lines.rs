//! A move as plain lines: what changed goes to standard output as kubectl says it, what is waited for or went wrong to standard error.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use super::colour::Paint;
use super::{error, escape, stream};
use crate::model::age::took;
use crate::model::event::{Event, Observer};
use crate::model::graph::{StepId, Title};

/// Where a line belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Line {
    /// Standard output.
    Out(String),
    /// Standard error.
    Err(String),
}

/// Turns events into lines. Remembers what steps are called, what each waits for, and which warnings were given.
#[derive(Default)]
pub struct Script {
    titles: BTreeMap<StepId, Title>,
    waits: BTreeMap<StepId, String>,
    warned: BTreeSet<String>,
    paint: Paint,
}

impl Script {
    /// `paint` is for standard error.
    pub fn new(paint: Paint) -> Self {
        Self { paint, ..Self::default() }
    }

    /// The line that an event is worth, if any: each ends with a line end, some have several.
    pub fn line(&mut self, event: &Event) -> Option<Line> {
        match event {
            Event::MoveStarted { name } => Some(Line::Out(format!("move {name} started\n"))),
            Event::StepStarted { step, title, .. } => self.begun(step, title.clone()),
            Event::UndoStarted { step, title, .. } => self.begun(step, Title { doing: "going back".to_owned(), ..title.clone() }),
            Event::StepWaiting { step, progress, .. } => self.waiting(step, &progress.waiting_for),
            Event::StepRetrying { step, cause, after, .. } => {
                let text = format!("{}: {}; trying again in {}", self.doing(step), escape::terminal(cause), took(*after));
                Some(Line::Err(self.paint.doubtful(text) + "\n"))
            }
            Event::StepDone { step, title, remark, took, .. } => {
                self.forget(step);
                Some(Line::Out(done(step, title, remark.as_deref(), *took)))
            }
            Event::StepUndone { step, title, took, .. } => {
                self.forget(step);
                Some(Line::Out(timed(format!("{} {}", object(step, title), escape::terminal(&title.undone)), *took)))
            }
            Event::GroupEnded { .. } => None,
            Event::Warning { message } => self.warned.insert(message.clone()).then(|| Line::Err(error::warning(message))),
            Event::Stopping { reason } => Some(Line::Err(format!(
                "stopping: {}; waiting for the requests in flight (interrupt again to leave at once)\n",
                escape::terminal(reason)
            ))),
            Event::StepFailed { step, title, cause, .. } => Some(Line::Err(self.failed(step, title, "not ", &title.done, cause))),
            Event::UndoStuck { step, title, cause, .. } => {
                Some(Line::Err(self.failed(step, title, "is stuck going back: not ", &title.undone, cause)))
            }
            Event::StepBlocked { step, title, finding, .. } => {
                let mut text = self.failed(step, title, "not ", &title.done, &format!("{} ({})", finding.message, finding.code));
                if let Some(hint) = &finding.hint {
                    text.push_str(&error::indented("hint: ", hint));
                }
                Some(Line::Err(text))
            }
        }
    }

    /// What a step is doing, in words: `persistentvolumeclaim/web-1 cloning`.
    pub fn doing(&self, step: &StepId) -> String {
        match self.titles.get(step) {
            Some(title) => format!("{} {}", object(step, title), escape::terminal(&title.doing)),
            None => escape::terminal(&step.0).into_owned(),
        }
    }

    fn begun(&mut self, step: &StepId, title: Title) -> Option<Line> {
        self.titles.insert(step.clone(), title);
        self.waits.remove(step);
        None
    }

    fn waiting(&mut self, step: &StepId, what: &str) -> Option<Line> {
        if what.is_empty() || self.waits.get(step).is_some_and(|before| before == what) {
            return None;
        }
        self.waits.insert(step.clone(), what.to_owned());
        let text = format!("{}: waiting for {}", self.doing(step), escape::terminal(what));
        Some(Line::Err(self.paint.quiet(text) + "\n"))
    }

    fn failed(&mut self, step: &StepId, title: &Title, not: &str, what: &str, cause: &str) -> String {
        self.forget(step);
        let text = format!("error: {} {not}{}: {}", object(step, title), escape::terminal(what), escape::terminal(cause));
        self.paint.bad(text) + "\n"
    }

    fn forget(&mut self, step: &StepId) {
        self.titles.remove(step);
        self.waits.remove(step);
    }
}

/// The column at which durations stand.
const DURATION_COLUMN: usize = 64;

/// `virtualmachine.kubevirt.io/db-1 verified: running`, for what was found to be so.
pub fn stated(step: &StepId, title: &Title, remark: Option<&str>) -> String {
    let remark = remark.map(|remark| format!(": {}", escape::terminal(remark))).unwrap_or_default();
    format!("{} {}{remark}\n", object(step, title), escape::terminal(&title.done))
}

/// `error: virtualmachine.kubevirt.io/db-1 not verified: its guest has ended`.
pub fn stands_against(step: &StepId, title: &Title, why: &str) -> String {
    format!("error: {} not {}: {}\n", object(step, title), escape::terminal(&title.done), escape::terminal(why))
}

fn done(step: &StepId, title: &Title, remark: Option<&str>, took: Duration) -> String {
    let text = format!("{} {}", object(step, title), escape::terminal(&title.done));
    match remark {
        None => timed(text, took),
        Some(remark) => {
            let text = format!("{text}: {}", escape::terminal(remark));
            if text.chars().count() < DURATION_COLUMN { timed(text, took) } else { text + "\n" }
        }
    }
}

/// A line with how long it took; a long one has it two spaces behind.
fn timed(text: String, duration: Duration) -> String {
    let width = DURATION_COLUMN.max(text.chars().count() + 2);
    format!("{text:width$}{}\n", took(duration))
}

fn object<'a>(step: &'a StepId, title: &'a Title) -> std::borrow::Cow<'a, str> {
    escape::terminal(if title.object.is_empty() { &step.0 } else { &title.object })
}

/// Prints the lines of a [`Script`]. A closed stream never stops a move.
pub struct Lines<'a> {
    script: Script,
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
}

impl<'a> Lines<'a> {
    /// `paint` is for `err`.
    pub fn new(out: impl Write + 'a, err: impl Write + 'a, paint: Paint) -> Self {
        Self { script: Script::new(paint), out: Box::new(out), err: Box::new(err) }
    }
}

impl Observer for Lines<'_> {
    fn on(&mut self, event: &Event) {
        match self.script.line(event) {
            Some(Line::Out(text)) => stream::news(&mut self.out, &text),
            Some(Line::Err(text)) => stream::news(&mut self.err, &text),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Progress;
    use crate::model::finding::Finding;
    use crate::model::graph::Phase;
    use crate::model::kind;
    use crate::model::names::{End, ObjectRef};
    use crate::output::stream::tests::Closed;

    fn step(id: &str) -> StepId {
        StepId(id.to_owned())
    }

    fn stop() -> Title {
        let text = |text: &str| text.to_owned();
        Title { object: text("virtualmachine.kubevirt.io/web-1"), doing: text("stopping"), done: text("stopped"), undone: text("started again") }
    }

    fn waiting(what: &str) -> Event {
        Event::StepWaiting { step: step("web-1/stop"), group: "web-1".into(), progress: Progress::waiting_for(what) }
    }

    fn done(remark: Option<&str>, seconds: f64) -> Event {
        Event::StepDone {
            step: step("web-1/stop"),
            group: "web-1".into(),
            phase: Phase::Stop,
            title: stop(),
            remark: remark.map(str::to_owned),
            took: Duration::from_secs_f64(seconds),
        }
    }

    fn told(events: &[Event]) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut lines = Lines::new(&mut out, &mut err, Paint::PLAIN);
        for event in events {
            lines.on(event);
        }
        drop(lines);
        (String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned())
    }

    #[test]
    fn what_is_done_goes_to_standard_output() {
        let started = Event::MoveStarted { name: "shop-to-prod-7k2fq".into() };
        let undone = Event::StepUndone { step: step("web-1/stop"), group: "web-1".into(), title: stop(), took: Duration::from_secs(130) };
        let long = "running, agent connected, 10.0.3.7, same MAC";
        let (out, err) = told(&[started, done(None, 3.12), done(Some("clean"), 3.1), done(Some(long), 3.1), undone]);
        insta::assert_snapshot!(out, @r#"
        move shop-to-prod-7k2fq started
        virtualmachine.kubevirt.io/web-1 stopped                        3.1s
        virtualmachine.kubevirt.io/web-1 stopped: clean                 3.1s
        virtualmachine.kubevirt.io/web-1 stopped: running, agent connected, 10.0.3.7, same MAC
        virtualmachine.kubevirt.io/web-1 started again                  2m10s
        "#);
        assert_eq!(err, "");
    }

    #[test]
    fn a_wait_is_told_once_and_again_when_it_waits_for_something_else() {
        let started = Event::StepStarted { step: step("web-1/stop"), group: "web-1".into(), phase: Phase::Stop, title: stop() };
        let retry = Event::StepRetrying {
            step: step("web-1/stop"),
            group: "web-1".into(),
            cause: "the server is busy".into(),
            after: Duration::from_secs(2),
        };
        let (out, err) = told(&[started, waiting("the guest"), waiting("the guest"), waiting("its pod"), waiting(""), retry]);
        insta::assert_snapshot!(err, @r#"
        virtualmachine.kubevirt.io/web-1 stopping: waiting for the guest
        virtualmachine.kubevirt.io/web-1 stopping: waiting for its pod
        virtualmachine.kubevirt.io/web-1 stopping: the server is busy; trying again in 2.0s
        "#);
        assert_eq!(out, "");
    }

    #[test]
    fn failures_name_object_and_cause() {
        let vm = ObjectRef::namespaced(End::Source, kind::VM, "shop", "web-1");
        let finding = Finding::blocking("P003", vm, "somebody else fenced it").hint("wait for move shop-to-test-x");
        let warning = Event::Warning { message: "old API".into() };
        let (id, group) = (step("web-1/stop"), String::from("web-1"));
        let (out, err) = told(&[
            Event::StepFailed { step: id.clone(), group: group.clone(), title: stop(), cause: "no answer\nat all".into() },
            Event::StepBlocked { step: id.clone(), group: group.clone(), title: stop(), finding },
            Event::UndoStuck { step: id, group, title: stop(), cause: "forbidden".into() },
            warning.clone(),
            warning,
            Event::Stopping { reason: "interrupted".into() },
        ]);
        insta::assert_snapshot!(err, @r#"
        error: virtualmachine.kubevirt.io/web-1 not stopped: no answer\nat all
        error: virtualmachine.kubevirt.io/web-1 not stopped: somebody else fenced it (P003)
          hint: wait for move shop-to-test-x
        error: virtualmachine.kubevirt.io/web-1 is stuck going back: not started again: forbidden
        Warning: old API
        stopping: interrupted; waiting for the requests in flight (interrupt again to leave at once)
        "#);
        assert_eq!(out, "");
    }

    #[test]
    fn closed_streams_stop_nothing() {
        let mut lines = Lines::new(Closed, Closed, Paint::PLAIN);
        lines.on(&done(None, 1.0));
        lines.on(&waiting("the guest"));
    }
}
