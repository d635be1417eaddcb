//! The last words of a command that acted: how many, how long they were down, what is safe, what to type next.

use std::fmt::Write;
use std::time::Duration;

use super::command::CommandPrefix;
use crate::engine::run::{GroupEnd, Summary};
use crate::model::age::human;
use crate::model::event::Outcome;
use crate::model::failure::{Failure, FailureKind};
use crate::model::graph::Phase;

/// What was asked for, in words that fit behind a number: `2 moved`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Aim {
    /// All phases up to verify.
    Move,
    /// One phase of a move, and the word for its being done: `stopped`.
    Phase(Phase, &'static str),
    /// Sources and what they owned removed.
    Cleanup,
    /// Back to the source.
    Rollback,
}

/// Everything the last words depend on.
#[derive(Clone, Copy, Debug)]
pub struct Closing<'a> {
    pub aim: Aim,
    pub summary: &'a Summary,
    /// The move's name in the cluster.
    pub name: &'a str,
    pub command: &'a CommandPrefix,
    /// The source keeps disks of its own (`--volumes copy`).
    pub sources_keep_disks: bool,
    /// A machine was started in the target, so that a rollback loses (copied disks) or hands back (moved disks) its writes.
    pub started: bool,
    /// The signal that asked to stop, if one did.
    pub signal: Option<u8>,
}

impl Closing<'_> {
    /// The text for standard output: the counts and, where all went well, what can be done next.
    pub fn text(&self) -> String {
        let mut text = format!("{}{}\n", self.counts(), downtimes(&self.summary.groups));
        if self.aim == Aim::Move && self.failure().is_none() && !self.summary.groups.is_empty() {
            let disks = if self.sources_keep_disks { ", with their disks" } else { "; their disks are in the target now" };
            let remove = format!("The sources are stopped and fenced{disks}. Remove them with:");
            let back = format!("Go back{} with:", self.price());
            let width = remove.chars().count().max(back.chars().count());
            let _ = writeln!(text, "{remove:width$} {}\n{back:width$} {}", self.typed("cleanup"), self.rollback());
        }
        text
    }

    /// What went wrong, as the failure that fixes the exit code; `None` when all that was asked for is done.
    pub fn failure(&self) -> Option<Failure> {
        let kind = ending(self.aim, &self.summary.groups, self.signal)?;
        let message = match kind {
            FailureKind::Stuck => format!("going back is stuck: {}", self.causes(&[Outcome::Stuck])),
            FailureKind::Undone => format!("failed, and what was begun has been put back: {}", self.causes(&[Outcome::Undone])),
            FailureKind::Interrupted(_) => format!("interrupted; move {} stands where it was and can go on", self.name),
            _ => format!(
                "move {} is not finished: {}",
                self.name,
                self.causes(&[Outcome::Failed, Outcome::Stopped, Outcome::Undone, Outcome::Skipped])
            ),
        };
        let failure = Failure::new(kind, message);
        Some(match kind {
            FailureKind::Stuck => failure
                .hint("nothing more is done by itself; the source's disks are not deleted by going back")
                .hint(format!("see where it stands:  {}", self.typed("status")))
                .hint(format!("when that is repaired: {}", self.rollback())),
            FailureKind::Undone => failure.hint("the sources are as they were; remove the cause and run it again"),
            _ => {
                let (again, way_back) = match self.aim {
                    Aim::Move => (self.typed("resume"), Some(self.rollback())),
                    Aim::Phase(phase, _) => (self.typed(phase.verb()), Some(self.rollback())),
                    Aim::Cleanup => (self.typed("cleanup"), None),
                    Aim::Rollback => (self.rollback(), None),
                };
                let failure = failure.hint(format!("see where it stands: {}", self.typed("status"))).hint(format!("go on with:          {again}"));
                match way_back {
                    Some(command) => failure.hint(format!("go back with:        {command}")),
                    None => failure,
                }
            }
        })
    }

    fn typed(&self, verb: &str) -> String {
        self.command.typed(&format!("{verb} {}", self.name))
    }

    /// The rollback that works: the writes of a copied machine that ran in the target are lost, which must be said.
    fn rollback(&self) -> String {
        let consent = if self.started && self.sources_keep_disks { " --discard-target-writes" } else { "" };
        format!("{}{consent}", self.typed("rollback"))
    }

    /// What going back costs once machines have run in the target.
    fn price(&self) -> &'static str {
        match (self.started, self.sources_keep_disks) {
            (false, _) => "",
            (true, true) => " (what was written since the start is lost)",
            (true, false) => " (what was written since the start comes back with the disks)",
        }
    }

    fn counts(&self) -> String {
        let count = |wanted: &[Outcome]| self.summary.groups.iter().filter(|end| wanted.contains(&end.outcome)).count();
        let (word, done) = match self.aim {
            Aim::Move => ("moved", Outcome::Done),
            Aim::Phase(_, word) => (word, Outcome::Done),
            Aim::Cleanup => ("cleaned up", Outcome::Done),
            Aim::Rollback => ("put back", Outcome::Undone),
        };
        let mut parts = vec![format!("{} {word}", count(&[done]))];
        parts.push(format!("{} failed", count(&[Outcome::Failed, Outcome::Stuck])));
        parts.push(format!("{} skipped", count(&[Outcome::Skipped])));
        let rest = [("put back", Outcome::Undone), ("stopped on the way", Outcome::Stopped)];
        parts.extend(
            rest.into_iter()
                .filter(|(_, outcome)| *outcome != done)
                .map(|(word, outcome)| (count(&[outcome]), word))
                .filter(|(n, _)| *n > 0)
                .map(|(n, word)| format!("{n} {word}")),
        );
        parts.join(", ") + "."
    }

    /// The machines that ended so, each with its cause; those of the first outcome that occurs.
    fn causes(&self, outcomes: &[Outcome]) -> String {
        let of = |outcome: &Outcome| {
            let ends: Vec<String> = self.summary.groups.iter().filter(|end| end.outcome == *outcome).map(cause).collect();
            (!ends.is_empty()).then(|| ends.join("; "))
        };
        outcomes.iter().find_map(of).or_else(|| self.summary.stopped.clone()).unwrap_or_else(|| "it was stopped".to_owned())
    }
}

/// How it ended, as what fixes the exit code; `None` when all is done.
fn ending(aim: Aim, ends: &[GroupEnd], signal: Option<u8>) -> Option<FailureKind> {
    let any = |outcome: Outcome| ends.iter().any(|end| end.outcome == outcome);
    let good = |outcome: Outcome| if aim == Aim::Rollback { matches!(outcome, Outcome::Undone | Outcome::Skipped) } else { outcome == Outcome::Done };
    if any(Outcome::Stuck) {
        return Some(FailureKind::Stuck);
    }
    if ends.iter().all(|end| good(end.outcome)) {
        return None;
    }
    if let Some(signal) = signal {
        return Some(FailureKind::Interrupted(signal));
    }
    let all_back = ends.iter().all(|end| matches!(end.outcome, Outcome::Undone | Outcome::Skipped));
    Some(if all_back && any(Outcome::Undone) { FailureKind::Undone } else { FailureKind::Resumable })
}

fn cause(end: &GroupEnd) -> String {
    let name = if end.group.is_empty() { "what the machines share" } else { &end.group };
    match &end.cause {
        Some(cause) => format!("{name}: {cause}"),
        None => name.to_owned(),
    }
}

/// ` Downtime 14s and 15s.`; of more than two machines the least and the most.
fn downtimes(ends: &[GroupEnd]) -> String {
    let mut all: Vec<Duration> = ends.iter().filter_map(|end| end.downtime).collect();
    all.sort_unstable();
    match all.as_slice() {
        [] => String::new(),
        [one] => format!(" Downtime {}.", human(*one)),
        [one, other] => format!(" Downtime {} and {}.", human(*one), human(*other)),
        [least, .., most] => format!(" Downtime {} to {}.", human(*least), human(*most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::error;

    fn end(group: &str, outcome: Outcome, seconds: Option<u64>) -> GroupEnd {
        let cause = matches!(outcome, Outcome::Failed | Outcome::Stuck | Outcome::Undone).then(|| "the clone was refused".to_owned());
        GroupEnd { group: group.to_owned(), outcome, cause, downtime: seconds.map(Duration::from_secs) }
    }

    fn said(aim: Aim, groups: Vec<GroupEnd>, signal: Option<u8>) -> (String, Option<FailureKind>) {
        let command = CommandPrefix { program: "kubectl vmmove".into(), flags: " -n shop --context lab".into() };
        let summary = Summary { groups, stopped: signal.map(|_| "interrupted".to_owned()) };
        let name = "shop-to-prod-7k2fq";
        let closing = Closing { aim, summary: &summary, name, command: &command, sources_keep_disks: true, started: true, signal };
        let failure = closing.failure();
        let text = closing.text() + &failure.as_ref().map(|failure| error::render(failure, "kubectl vmmove run")).unwrap_or_default();
        (text, failure.map(|failure| failure.kind))
    }

    #[test]
    fn a_finished_move_says_what_is_left_to_do() {
        let (text, kind) = said(Aim::Move, vec![end("db-1", Outcome::Done, Some(14)), end("web-1", Outcome::Done, Some(15))], None);
        assert_eq!(kind, None);
        insta::assert_snapshot!(text, @r#"
        2 moved, 0 failed, 0 skipped. Downtime 14s and 15s.
        The sources are stopped and fenced, with their disks. Remove them with: kubectl vmmove cleanup shop-to-prod-7k2fq -n shop --context lab
        Go back (what was written since the start is lost) with:                kubectl vmmove rollback shop-to-prod-7k2fq -n shop --context lab --discard-target-writes
        "#);
    }

    #[test]
    fn a_machine_kept_for_a_look_can_go_on_or_back() {
        let (text, kind) =
            said(Aim::Move, vec![end("a", Outcome::Done, Some(9)), end("b", Outcome::Failed, None), end("c", Outcome::Skipped, None)], None);
        assert_eq!(kind, Some(FailureKind::Resumable));
        insta::assert_snapshot!(text, @r#"
        1 moved, 1 failed, 1 skipped. Downtime 9s.
        error: move shop-to-prod-7k2fq is not finished: b: the clone was refused
          hint: see where it stands: kubectl vmmove status shop-to-prod-7k2fq -n shop --context lab
          hint: go on with:          kubectl vmmove resume shop-to-prod-7k2fq -n shop --context lab
          hint: go back with:        kubectl vmmove rollback shop-to-prod-7k2fq -n shop --context lab --discard-target-writes
        "#);
    }

    #[test]
    fn put_back_stuck_and_interrupted_are_told_apart() {
        let (undone, kind) = said(Aim::Move, vec![end("b", Outcome::Undone, None), end("c", Outcome::Skipped, None)], None);
        assert_eq!(kind, Some(FailureKind::Undone));
        let (stuck, kind) = said(Aim::Move, vec![end("b", Outcome::Stuck, None)], Some(2));
        assert_eq!(kind, Some(FailureKind::Stuck));
        let (interrupted, kind) = said(Aim::Move, vec![end("b", Outcome::Stopped, None)], Some(15));
        assert_eq!(kind, Some(FailureKind::Interrupted(15)));
        insta::assert_snapshot!([undone, stuck, interrupted].join("\n"), @r#"
        0 moved, 0 failed, 1 skipped, 1 put back.
        error: failed, and what was begun has been put back: b: the clone was refused
          hint: the sources are as they were; remove the cause and run it again

        0 moved, 1 failed, 0 skipped.
        error: going back is stuck: b: the clone was refused
          hint: nothing more is done by itself; the source's disks are not deleted by going back
          hint: see where it stands:  kubectl vmmove status shop-to-prod-7k2fq -n shop --context lab
          hint: when that is repaired: kubectl vmmove rollback shop-to-prod-7k2fq -n shop --context lab --discard-target-writes

        0 moved, 0 failed, 0 skipped, 1 stopped on the way.
        error: interrupted; move shop-to-prod-7k2fq stands where it was and can go on
          hint: see where it stands: kubectl vmmove status shop-to-prod-7k2fq -n shop --context lab
          hint: go on with:          kubectl vmmove resume shop-to-prod-7k2fq -n shop --context lab
          hint: go back with:        kubectl vmmove rollback shop-to-prod-7k2fq -n shop --context lab --discard-target-writes
        "#);
    }

    #[test]
    fn some_moved_and_some_put_back_can_be_resumed() {
        let (_, kind) = said(Aim::Move, vec![end("a", Outcome::Done, None), end("b", Outcome::Undone, None)], None);
        assert_eq!(kind, Some(FailureKind::Resumable));
    }

    #[test]
    fn going_back_is_no_failure_when_it_was_asked_for() {
        let (text, kind) = said(Aim::Rollback, vec![end("a", Outcome::Undone, None), end("b", Outcome::Skipped, None)], None);
        assert_eq!((text.as_str(), kind), ("1 put back, 0 failed, 1 skipped.\n", None));
        let (text, kind) = said(Aim::Rollback, vec![end("a", Outcome::Stopped, None)], None);
        assert_eq!(kind, Some(FailureKind::Resumable));
        assert!(text.contains("go on with:          kubectl vmmove rollback shop-to-prod-7k2fq -n shop"), "{text}");
    }

    #[test]
    fn phases_use_their_own_word_and_many_downtimes_are_a_range() {
        let (text, _) = said(
            Aim::Phase(Phase::Stop, "stopped"),
            vec![end("a", Outcome::Done, Some(4)), end("b", Outcome::Done, Some(400)), end("c", Outcome::Done, Some(50))],
            None,
        );
        assert_eq!(text, "3 stopped, 0 failed, 0 skipped. Downtime 4s to 6m40s.\n");
    }
}
