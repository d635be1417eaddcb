//! What a rehearsal showed, as a person reads it.

use std::time::Duration;

use super::colour::Paint;
use super::review::counted;
use crate::model::age;
use crate::model::finding::Finding;

/// What happened when a plan was carried out in the sandbox.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// How many objects the sandbox began with.
    pub objects: usize,
    pub forth: Told,
    /// Going back; nothing when the move did not get so far that there was a way back.
    pub back: Option<Told>,
    pub findings: Vec<Finding>,
}

/// What a command said, how long it took there, and whether it ended well.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub lines: String,
    pub errors: String,
    pub took: Duration,
    pub is_done: bool,
}

/// The text of a rehearsal. Commands that its lines offer are left out: there is no such move.
pub fn told(rehearsal: &Rehearsal, prefix: &str, paint: Paint) -> String {
    let mut text = format!("rehearsed on {} seen in your cluster, which heard nothing of it:\n", counted(rehearsal.objects, "object"));
    text += &lines(&rehearsal.forth, prefix);
    let mut times = format!("It took {} there", age::human(rehearsal.forth.took));
    if let Some(back) = &rehearsal.back {
        text += "and back again:\n";
        text += &lines(back, prefix);
        times.push_str(" and ");
        times.push_str(&age::human(back.took));
        times.push_str(" back");
    }
    text + &paint.quiet(format!("{times}; guests, drivers and controllers were simulated, yours take their own time.")) + "\n"
}

fn lines(told: &Told, prefix: &str) -> String {
    let offers = format!("{prefix} ");
    let all = told.lines.lines().chain(if told.is_done { "" } else { &told.errors }.lines());
    let kept = all.filter(|line| !line.is_empty() && !line.contains(&offers));
    kept.fold(String::new(), |text, line| text + "  " + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_told_without_commands_that_make_no_sense() {
        let forth = Told {
            lines: "a done\n1 moved\nRemove it with: kubectl vmmove cleanup x\n".to_owned(),
            took: Duration::from_secs(90),
            is_done: true,
            ..Told::default()
        };
        let back = Told { lines: "a undone\n".to_owned(), errors: "error: no\n".to_owned(), took: Duration::from_secs(5), is_done: false };
        let rehearsal = Rehearsal { objects: 1, forth, back: Some(back), findings: Vec::new() };
        assert_eq!(
            told(&rehearsal, "kubectl vmmove", Paint::PLAIN),
            "rehearsed on 1 object seen in your cluster, which heard nothing of it:\n  a done\n  1 moved\nand back again:\n  a undone\n  error: no\n\
             It took 90s there and 5s back; guests, drivers and controllers were simulated, yours take their own time.\n"
        );
    }
}
