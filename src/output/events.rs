//! A move as one JSON object per line, for programs: the event as it is, when it happened, durations in seconds.

use std::io::Write;

use serde_json::Value;

use super::{json, stream};
use crate::engine::clock::Clock;
use crate::model::event::{Event, Observer};

/// Writes each event as a line. A closed stream never stops a move.
pub struct Events<'a> {
    out: Box<dyn Write + 'a>,
    clock: &'a dyn Clock,
}

impl<'a> Events<'a> {
    pub fn new(out: impl Write + 'a, clock: &'a dyn Clock) -> Self {
        Self { out: Box::new(out), clock }
    }
}

impl Observer for Events<'_> {
    fn on(&mut self, event: &Event) {
        if let Ok(line) = line(event, self.clock.now()) {
            stream::news(&mut self.out, &line);
        }
    }
}

/// The line of one event, with its line end.
fn line(event: &Event, at: jiff::Timestamp) -> Result<String, crate::model::failure::Failure> {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("at".to_owned(), at.to_string().into());
        for (name, renamed) in [("took", "tookSeconds"), ("after", "afterSeconds")] {
            if let Some(duration) = fields.remove(name).and_then(|value| serde_json::from_value::<std::time::Duration>(value).ok()) {
                fields.insert(renamed.to_owned(), duration.as_secs_f64().into());
            }
        }
    }
    json::line(&value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::graph::{Phase, StepId, Title};
    use std::time::Duration;

    #[test]
    fn a_line_is_one_json_object_with_time_and_seconds() {
        let event = Event::StepDone {
            step: StepId("web-1/stop".into()),
            group: "web-1".into(),
            phase: Phase::Stop,
            title: Title { object: "virtualmachine.kubevirt.io/web-1".into(), done: "stopped".into(), ..Title::default() },
            remark: Some("two\nlines".into()),
            took: Duration::from_millis(3100),
        };
        let line = line(&event, "2026-11-21T12:00:00Z".parse().unwrap()).unwrap();
        insta::assert_snapshot!(line, @r#"{"at":"2026-11-21T12:00:00Z","event":"stepDone","group":"web-1","phase":"stop","remark":"two\nlines","step":"web-1/stop","title":{"doing":"","done":"stopped","object":"virtualmachine.kubevirt.io/web-1","undone":""},"tookSeconds":3.1}"#);
        assert_eq!(line.matches('\n').count(), 1);
    }
}
