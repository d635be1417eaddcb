//! What kubectl asks a plugin for completion, and how it wants to be answered.
//!
//! The words after the plugin's name come as arguments, the last one being under the cursor. Each line of the answer is a value,
//! or a value, a tab and a description; the last is `:` and a sum of directives (spf13/cobra `completions.go`).
//! Standard error would land in the user's prompt, so nothing is ever said there.

use std::ffi::OsString;
use std::io::{self, Write};

use clap_complete::CompletionCandidate;

use super::{line, values};
use crate::verbs::args::help;

/// How a line begins that is shown below and goes nowhere.
const HINT: &str = "_activeHelp_ ";
const FILES: u32 = 0;
const NO_SPACE: u32 = 2;
const NO_FILES: u32 = 4;
const FOLDERS: u32 = 16;
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
    line::remember(&typed);
    let mut words = vec![OsString::from("kubectl-vmmove")];
    words.extend(typed.iter().chain([&last]).map(OsString::from));
    let index = words.len() - 1;
    let found = clap_complete::engine::complete(&mut help::plain_command(), words, index, None).unwrap_or_default();
    let wants = |tag: &str| found.iter().any(|candidate| candidate.get_tag().is_some_and(|tagged| tagged.to_string() == tag));
    if wants(values::FILES) {
        return writeln!(out, ":{FILES}");
    }
    if wants(values::FOLDERS) {
        return writeln!(out, ":{FOLDERS}");
    }
    let mut lines = lines(&found, &last);
    if is_torn(&last) {
        lines = lines.into_iter().map(|(value, description)| (format!("{HINT}{value}  {description}"), String::new())).collect();
    }
    // After these somebody goes on typing.
    let open = !lines.is_empty() && lines.iter().all(|(value, _)| value.ends_with(['=', ':']));
    for (value, description) in &lines {
        let tab = if description.is_empty() { "" } else { "\t" };
        writeln!(out, "{value}{tab}{description}")?;
    }
    writeln!(out, ":{}", NO_FILES | KEEP_ORDER | if open { NO_SPACE } else { 0 })
}

/// How long the part of a word is that is a flag with its `=`.
fn flag(word: &str) -> usize {
    if word.starts_with('-') { word.find('=').map_or(0, |at| at + 1) } else { 0 }
}

/// Whether the shells would not agree about the word. cobra's scripts for zsh and fish put everything from the first dash to the last `=` before
/// each value, as if it were a flag; that for bash knows what a flag is. Where these are not the same, any value spoils somebody's line, and what there is can only be shown.
fn is_torn(word: &str) -> bool {
    let taken = word.find('-').zip(word.rfind('=')).filter(|(dash, equals)| dash < equals);
    taken.map_or(0..0, |(dash, equals)| dash..equals + 1) != (0..flag(word))
}

/// Values with their descriptions. Flags are shown only to those who began one, as kubectl does; `--flag=` is cut off again, because
/// shells want the bare value there.
fn lines(found: &[CompletionCandidate], last: &str) -> Vec<(String, String)> {
    let cut = flag(last);
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
    fn after_half_a_value_there_is_no_space() {
        assert_eq!(values(&["plan", "-o", "jsonpath-f"]), ["jsonpath-file=", ":38"]);
        assert_eq!(values(&["status", "--ledger=f"]), ["file:", ":38"]);
        assert_eq!(values(&["plan", "-o", "j"]).last().unwrap(), ":36");
    }

    #[test]
    fn a_word_that_shells_would_tear_is_left_alone() {
        assert_eq!(values(&["plan", "--strategy", "db=R"]), ["db=Rebind", ":36"]);
        for (torn, whole) in [("--strategy db-1=R", "db-1=Rebind"), ("--strategy=db=R", "db=Rebind"), ("--strategy=db-1=R", "db-1=Rebind")] {
            let words: Vec<&str> = std::iter::once("plan").chain(torn.split(' ')).collect();
            assert_eq!(asked(&words), format!("_activeHelp_ {whole}  the volume itself changes hands\n:36\n"), "{torn}");
        }
    }

    #[test]
    fn files_and_folders_are_left_to_the_shell() {
        for words in [&["plan", "-f", ""][..], &["plan", "--save=~/p"], &["validate", "-f."], &["sandbox", "start", "--scenario", "./m"]] {
            assert_eq!(asked(words), ":0\n", "{words:?}");
        }
        assert_eq!(asked(&["completion", "install", "--dir", "/u"]), ":16\n");
    }

    #[cfg(unix)]
    #[test]
    fn words_that_are_no_text_are_borne() {
        use std::os::unix::ffi::OsStringExt as _;
        let odd = || OsString::from_vec(vec![b'p', 0xff]);
        for words in [vec![odd()], vec![odd(), "".into()], vec!["completion".into(), odd(), odd()]] {
            let mut out = Vec::new();
            answer(&words, &mut out).unwrap();
            assert!(out.ends_with(b":36\n"), "{words:?}");
        }
    }

    #[test]
    fn the_names_kubectl_and_oc_look_for_are_known() {
        assert!(is_asked("/usr/local/bin/kubectl_complete-vmmove") && is_asked("oc_complete-vmmove"));
        assert!(!is_asked("/usr/local/bin/kubectl-vmmove"));
    }
}
