//! What is running right now, as lines: one per virtual machine, and below it one per disk on its way. Knows no terminal.

use super::escape;
use crate::model::event::{Event, Progress};
use crate::model::graph::{Phase, StepId, Title};

/// What a line is about; stays the same while its words change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum About {
    /// A virtual machine, or (empty) what several share.
    Group(String),
    Disk(StepId),
}

/// A step under way.
#[derive(Clone, Debug)]
struct Running {
    step: StepId,
    group: String,
    /// Travels as a disk does: gets a line of its own.
    is_disk: bool,
    title: Title,
    progress: Progress,
    undoing: bool,
    trouble: Option<String>,
}

/// The steps under way, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub struct Board {
    running: Vec<Running>,
}

impl Board {
    /// Takes an event in.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, group, phase, title } => self.begin(step, group, *phase == Phase::Clone, title, false),
            Event::UndoStarted { step, group, title } => {
                let is_disk = title.object.starts_with("persistentvolumeclaim/") || title.object.starts_with("datavolume");
                self.begin(step, group, is_disk, title, true);
            }
            Event::StepWaiting { step, progress, .. } => {
                if let Some(running) = self.find(step) {
                    running.progress = progress.clone();
                    running.trouble = None;
                }
            }
            Event::StepRetrying { step, cause, .. } => {
                if let Some(running) = self.find(step) {
                    running.trouble = Some(cause.clone());
                }
            }
            Event::StepDone { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepBlocked { step, .. }
            | Event::StepUndone { step, .. }
            | Event::UndoStuck { step, .. } => self.running.retain(|running| running.step != *step),
            Event::GroupEnded { group, .. } => self.running.retain(|running| running.group != *group),
            Event::MoveStarted { .. } | Event::Warning { .. } | Event::Stopping { .. } => {}
        }
    }

    /// The lines, machines in the order in which they began.
    pub fn lines(&self) -> Vec<(About, String)> {
        let mut groups: Vec<&str> = Vec::new();
        for running in &self.running {
            if !groups.contains(&running.group.as_str()) {
                groups.push(&running.group);
            }
        }
        let width = groups.iter().map(|group| label(group).chars().count()).max().unwrap_or_default();
        groups.into_iter().flat_map(|group| self.of_group(group, width)).collect()
    }

    fn of_group(&self, group: &str, width: usize) -> Vec<(About, String)> {
        let mine = || self.running.iter().filter(|running| running.group == group);
        let disks = mine().filter(|running| running.is_disk);
        let count = disks.clone().count();
        let latest = mine().rfind(|running| !running.is_disk);
        let doing = match latest {
            Some(running) => running.words(),
            None => format!("{count} {} on the way", if count == 1 { "disk" } else { "disks" }),
        };
        let head = (About::Group(group.to_owned()), format!("{:width$}  {doing}", escape::terminal(label(group))));
        let below = disks.map(|disk| (About::Disk(disk.step.clone()), format!("  {}  {}", escape::terminal(disk.name()), disk.words())));
        std::iter::once(head).chain(below).collect()
    }

    fn begin(&mut self, step: &StepId, group: &str, is_disk: bool, title: &Title, undoing: bool) {
        self.running.retain(|running| running.step != *step);
        let (step, group, title) = (step.clone(), group.to_owned(), title.clone());
        self.running.push(Running { step, group, is_disk, title, progress: Progress::default(), undoing, trouble: None });
    }

    fn find(&mut self, step: &StepId) -> Option<&mut Running> {
        self.running.iter_mut().find(|running| running.step == *step)
    }
}

impl Running {
    fn name(&self) -> &str {
        self.title.object.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&self.step.0)
    }

    /// `43% cloning, waiting for CDI clone of db-1-data, 22 MB/s`.
    fn words(&self) -> String {
        let percent = self.progress.fraction.map_or(String::new(), |fraction| format!("{:.0}% ", fraction.clamp(0.0, 1.0) * 100.0));
        let doing = match (self.undoing, self.title.doing.as_str()) {
            (true, _) => "going back",
            (false, "") => "working",
            (false, doing) => doing,
        };
        let why = match (&self.trouble, self.progress.waiting_for.as_str()) {
            (Some(trouble), _) => format!(", trying again: {trouble}"),
            (None, "") => String::new(),
            (None, what) => format!(", waiting for {what}"),
        };
        escape::terminal(&format!("{percent}{doing}{why}")).into_owned()
    }
}

fn label(group: &str) -> &str {
    if group.is_empty() { "shared" } else { group }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn started(step: &str, group: &str, phase: Phase, object: &str, doing: &str) -> Event {
        let title = Title { object: object.into(), doing: doing.into(), ..Title::default() };
        Event::StepStarted { step: StepId(step.into()), group: group.into(), phase, title }
    }

    fn waiting(step: &str, what: &str, fraction: Option<f64>) -> Event {
        let progress = Progress { waiting_for: what.into(), fraction };
        Event::StepWaiting { step: StepId(step.into()), group: String::new(), progress }
    }

    fn shown(events: &[Event]) -> String {
        let mut board = Board::default();
        for event in events {
            board.see(event);
        }
        board.lines().into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    fn under_way() -> Vec<Event> {
        vec![
            started("web-1/stop", "web-1", Phase::Stop, "virtualmachine.kubevirt.io/web-1", "stopping"),
            waiting("web-1/stop", "pod virt-launcher-web-1-x to end", None),
            started("db-1/root/clone", "db-1", Phase::Clone, "persistentvolumeclaim/db-1-root", "cloning"),
            started("db-1/data/clone", "db-1", Phase::Clone, "persistentvolumeclaim/db-1-data", "cloning"),
            waiting("db-1/data/clone", "CDI, 22 MB/s, 41 min left", Some(0.43)),
            started("secret", "", Phase::Copy, "secret/login", "copying"),
        ]
    }

    #[test]
    fn machines_and_their_disks_stand_together() {
        insta::assert_snapshot!(shown(&under_way()), @r#"
        web-1   stopping, waiting for pod virt-launcher-web-1-x to end
        db-1    2 disks on the way
          db-1-root  cloning
          db-1-data  43% cloning, waiting for CDI, 22 MB/s, 41 min left
        shared  copying
        "#);
    }

    #[test]
    fn what_is_done_leaves_and_trouble_shows() {
        let mut events = under_way();
        let step = StepId("web-1/stop".into());
        events.push(Event::StepRetrying { step, group: "web-1".into(), cause: "server busy".into(), after: Duration::from_secs(1) });
        events.push(Event::StepDone {
            step: StepId("db-1/root/clone".into()),
            group: "db-1".into(),
            phase: Phase::Clone,
            title: Title::default(),
            remark: None,
            took: Duration::ZERO,
        });
        insta::assert_snapshot!(shown(&events), @r#"
        web-1   stopping, trying again: server busy
        db-1    1 disk on the way
          db-1-data  43% cloning, waiting for CDI, 22 MB/s, 41 min left
        shared  copying
        "#);
    }
}
