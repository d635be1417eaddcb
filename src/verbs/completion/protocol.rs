//! What kubectl asks a plugin for completion, and how it wants to be answered.
//!
//! The words after the plugin's name come as arguments, the last one being under the cursor. Each line of the answer is a value,
//! or a value, a tab and a description; the last is `:` and a sum of [`Directive`]s (spf13/cobra `completions.go`).
//! Standard error would land in the user's prompt, so nothing is ever said there.

use std::ffi::OsString;
use std::io::{self, Write};

use clap_complete::CompletionCandidate;

use super::values;
use crate::verbs::args::help;

const NO_SPACE: u32 = 2;
const NO_FILES: u32 = 4;
const KEEP_ORDER: u32 = 32;

/// Says whether a program of this name is asked for completion and not for work: the multi-call names that kubectl and oc look for.
pub fn is_asked(program: &str) -> bool {
    let stem = program.rsplit(['/', '\\']).next().unwrap_or(program);
    stem.starts_with("kubectl_complete-") || stem.starts_with("oc_complete-")
}

/// Answers: candidates for the last of `words`, the words typed after the plugin's name.
///
/// # Errors
/// The answer cannot be written.
pub fn answer(words: &[OsString], out: &mut dyn Write) -> io::Result<()> {
    let mut typed: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let last = typed.pop().unwrap_or_default();
    let last = if last == "\"\"" { String::new() } else { last }; // Older PowerShells cannot pass an empty word.
    values::remember(&typed);
    let mut line = vec![OsString::from("kubectl-vmmove")];
    line.extend(typed.iter().chain([&last]).map(OsString::from));
    let index = line.len() - 1;
    let mut command = help::plain_command();
    let found = clap_complete::engine::complete(&mut command, line, index, std::env::current_dir().ok().as_deref()).unwrap_or_default();
    let lines = lines(&found, &last);
    let open = matches!(&lines[..], [only] if only.0.ends_with(['/', '=']));
    for (value, description) in &lines {
        let tab = if description.is_empty() { "" } else { "\t" };
        writeln!(out, "{value}{tab}{description}")?;
    }
    writeln!(out, ":{}", NO_FILES | KEEP_ORDER | if open { NO_SPACE } else { 0 })
}

/// Values with their descriptions. Flags are shown only to those who began one, as kubectl does; `--flag=` is cut off again, because
/// shells want the bare value there.
fn lines(found: &[CompletionCandidate], last: &str) -> Vec<(String, String)> {
    let cut = if last.starts_with('-') { last.find('=').map_or(0, |at| at + 1) } else { 0 };
    let has_visible = found.iter().any(|candidate| !candidate.is_hide_set());
    let wanted = found.iter().filter(|candidate| !has_visible || !candidate.is_hide_set());
    let texts = wanted.map(|candidate| {
        let description = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        (candidate.get_value().to_string_lossy().into_owned(), description.lines().next().unwrap_or_default().replace('\t', " "))
    });
    texts
        .filter(|(value, _)| last.starts_with('-') || !value.starts_with('-'))
        .filter_map(|(value, description)| Some((value.get(cut..)?.to_owned(), description)))
        .filter(|(value, _)| !value.is_empty() && !value.contains('\n'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> String {
        let mut out = Vec::new();
        answer(&words.iter().map(OsString::from).collect::<Vec<_>>(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn values(words: &[&str]) -> Vec<String> {
        asked(words).lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn verbs_are_offered_with_what_they_do_and_without_flags() {
        assert_eq!(asked(&["vers"]), "version\tPrint the versions of this tool and of what the server has\n:36\n");
        assert!(values(&[""]).iter().all(|value| !value.starts_with('-')));
        assert_eq!(values(&[]), values(&[""]));
    }

    #[test]
    fn flags_are_offered_to_who_begins_one() {
        assert_eq!(values(&["version", "--cl"]), ["--client", "--cluster", "--client-certificate", "--client-key", ":36"]);
    }

    #[test]
    fn the_words_of_a_flag_or_argument_are_offered_bare() {
        assert_eq!(values(&["completion", "z"]), ["zsh", ":36"]);
        assert_eq!(values(&["version", "--output=j"]), ["json", ":36"]);
    }

    #[test]
    fn the_names_kubectl_and_oc_look_for_are_known() {
        assert!(is_asked("/usr/local/bin/kubectl_complete-vmmove") && is_asked("oc_complete-vmmove"));
        assert!(!is_asked("/usr/local/bin/kubectl-vmmove"));
    }
}
