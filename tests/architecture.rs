//! Keeps the shape of the house: reads every source file as tokens and says which rule is broken in which line.
//!
//! The checker is a function of a path and a text, so the tests below also show that each rule can fail.

use std::fmt;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The rooms of the house by floor. Rooms of one row are one room; `sandbox` is an island.
const FLOORS: &[(u8, &[&str])] = &[
    (0, &["model"]),
    (1, &["plan"]),
    (2, &["engine"]),
    (3, &["cluster"]),
    (4, &["survey"]),
    (4, &["steps"]),
    (4, &["ledger"]),
    (5, &["output"]),
    (6, &["verbs", "app", "exit"]),
    (7, &["main"]),
];
const ISLAND: &str = "sandbox";

/// A name that a file mentions: a path such as `crate::model::age`, or a macro's name with its `!`.
struct Mention {
    segments: Vec<String>,
    line: usize,
}

impl Mention {
    fn ends_with(&self, tail: &[&str]) -> bool {
        self.segments.len() >= tail.len() && self.segments[self.segments.len() - tail.len()..].iter().zip(tail).all(|(have, want)| have == want)
    }

    fn starts_with_any(&self, crates: &[&str]) -> bool {
        crates.contains(&self.segments[0].as_str())
    }

    fn is_any(&self, names: &[&str]) -> bool {
        self.segments.len() == 1 && names.contains(&self.segments[0].as_str())
    }

    /// The room of this package that the mention is about, seen from within `module`.
    fn room(&self, module: &[String]) -> Option<String> {
        let supers = self.segments.iter().take_while(|segment| *segment == "super").count();
        match self.segments[0].as_str() {
            "crate" | "vmmove" => self.segments.get(1).cloned(),
            "super" if supers == module.len() => self.segments.get(supers).cloned(),
            _ => None,
        }
    }
}

/// One rule: its words, and what it finds wrong with a mention in a room.
struct Rule {
    words: &'static str,
    broken: fn(room: &str, seen: &Mention, about: Option<&str>) -> bool,
}

const RULES: &[Rule] = &[
    Rule { words: "a file imports only from lower floors or from its own folder", broken: breaks_floors },
    Rule {
        words: "output/ turns values and events into text; it sees floors 0-2 only",
        broken: |room, _, about| room == "output" && about.and_then(floor).is_some_and(|floor| floor > 2) && about != Some("output"),
    },
    Rule {
        words: "sandbox/ is an island: a simulated cluster that imports nothing of ours",
        broken: |room, _, about| room == ISLAND && about.is_some_and(|about| about != ISLAND),
    },
    Rule {
        words: "model/ and plan/ are pure, never async",
        broken: |room, seen, _| {
            floor(room).is_some_and(|floor| floor < 2) && (seen.is_any(&["async", "await"]) || seen.starts_with_any(&["tokio", "futures"]))
        },
    },
    Rule {
        words: "cluster/ is the only user of the kube crate",
        broken: |room, seen, _| {
            room != "cluster" && seen.segments.len() > 1 && seen.starts_with_any(&["kube", "kube_client", "kube_core", "kube_runtime", "k8s_openapi"])
        },
    },
    Rule {
        words: "printing only in output/ and main.rs",
        broken: |room, seen, _| {
            let prints = seen.is_any(&["print!", "println!", "eprint!", "eprintln!", "dbg!"])
                || seen.ends_with(&["io", "stdout"])
                || seen.ends_with(&["io", "stderr"])
                || (seen.segments.len() > 1 && seen.starts_with_any(&["indicatif", "inquire"]));
            prints && !["output", "main"].contains(&room)
        },
    },
    Rule {
        words: "waits are on conditions, and time comes from a Clock that is handed in; only engine/clock.rs sleeps",
        broken: |_, seen, _| {
            ["time", "thread"].iter().any(|parent| ["sleep", "sleep_until", "interval"].iter().any(|name| seen.ends_with(&[parent, name])))
        },
    },
];

/// Files that a rule does not bind, by the rule's first word.
const EXCEPTIONS: &[(&str, &str)] = &[("src/engine/clock.rs", "waits"), ("src/sandbox/time.rs", "waits")];

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

fn breaks_floors(room: &str, _: &Mention, about: Option<&str>) -> bool {
    let Some(about) = about else { return false };
    if about == room || room == ISLAND {
        return false;
    }
    let (Some(here), Some(there)) = (floor(room), floor(about)) else { return about != ISLAND || floor(room).is_none_or(|floor| floor < 6) };
    let same_room = FLOORS.iter().any(|(_, rooms)| rooms.contains(&room) && rooms.contains(&about));
    there >= here && !same_room
}

struct Violation {
    file: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// What is wrong with a file; `path` is relative to the package, such as `src/model/age.rs`.
fn check(path: &str, source: &str) -> Vec<Violation> {
    let violation = |line, rule: &str| Violation { file: path.to_owned(), line, rule: rule.to_owned() };
    let file = match syn::parse_file(source) {
        Ok(file) => file,
        Err(error) => return vec![violation(error.span().start().line, &format!("does not parse: {error}"))],
    };
    let mut found = Vec::new();
    let opens = file.attrs.first().is_some_and(|attr| matches!(attr.style, syn::AttrStyle::Inner(_)) && attr.path().is_ident("doc"));
    if !opens {
        found.push(violation(1, "a file opens with //! saying what it is for"));
    }
    let Some(mut module) = module_of(path) else { return found };
    let room = module.first().cloned().unwrap_or_else(|| "lib".to_owned());
    if room != "lib" && room != ISLAND && floor(&room).is_none() {
        found.push(violation(1, &format!("{room} has no floor; give it one in tests/architecture.rs")));
    }
    let tokens: TokenStream = source.parse().unwrap_or_default();
    walk(tokens, &mut module, &mut |seen, module| {
        let about = seen.room(module);
        let broken = RULES.iter().filter(|rule| (rule.broken)(&room, seen, about.as_deref()));
        for rule in broken.filter(|rule| !EXCEPTIONS.iter().any(|(file, word)| *file == path && rule.words.starts_with(word))) {
            found.push(violation(seen.line, &format!("{} ({})", rule.words, seen.segments.join("::"))));
        }
    });
    found
}

/// The module path of a source file: `src/model/age.rs` is `["model", "age"]`; `None` outside `src/`.
fn module_of(path: &str) -> Option<Vec<String>> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    Some(module)
}

/// Calls `tell` for every path and macro name in the tokens, with the module they stand in. Macros' arguments count too.
fn walk(tokens: TokenStream, module: &mut Vec<String>, tell: &mut dyn FnMut(&Mention, &[String])) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Ident(word) if *word == "mod" && is_body(trees.get(at + 2)) => {
                module.push(trees[at + 1].to_string());
                walk(body(&trees[at + 2]), module, tell);
                module.pop();
                at += 3;
            }
            TokenTree::Ident(_) => at = walk_path(&trees, at, &[], module, tell),
            TokenTree::Group(group) => {
                walk(group.stream(), module, tell);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Reads the path that begins at `at`, tells about it, and returns where it ends. Braces of a `use` are spread out.
fn walk_path(trees: &[TokenTree], mut at: usize, prefix: &[String], module: &mut Vec<String>, tell: &mut dyn FnMut(&Mention, &[String])) -> usize {
    let mut segments = prefix.to_vec();
    let line = trees[at].span().start().line;
    while let Some(TokenTree::Ident(word)) = trees.get(at) {
        segments.push(word.to_string());
        at += 1;
        let joined = is_punct(trees.get(at), ':') && is_punct(trees.get(at + 1), ':');
        match trees.get(at + 2) {
            Some(TokenTree::Ident(_)) if joined => at += 2,
            Some(TokenTree::Group(group)) if joined && group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut inside = 0;
                while inside < inner.len() {
                    inside =
                        if matches!(inner[inside], TokenTree::Ident(_)) { walk_path(&inner, inside, &segments, module, tell) } else { inside + 1 };
                }
                return at + 3;
            }
            Some(TokenTree::Punct(star)) if joined && star.as_char() == '*' => {
                segments.push("*".to_owned());
                at += 3;
                break;
            }
            _ => break,
        }
    }
    let is_macro = is_punct(trees.get(at), '!') && !is_punct(trees.get(at + 1), '=');
    if let Some(last) = segments.last_mut().filter(|_| is_macro) {
        last.push('!');
    }
    tell(&Mention { segments, line }, module);
    at
}

fn is_punct(tree: Option<&TokenTree>, sign: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn is_body(tree: Option<&TokenTree>) -> bool {
    matches!(tree, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace)
}

fn body(tree: &TokenTree) -> TokenStream {
    match tree {
        TokenTree::Group(group) => group.stream(),
        _ => TokenStream::new(),
    }
}

#[test]
fn the_house_keeps_its_shape() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut violations = Vec::new();
    for folder in ["src", "tests", "examples"] {
        let files = walkdir::WalkDir::new(package.join(folder)).sort_by_file_name().into_iter().filter_map(Result::ok);
        for file in files.filter(|file| file.path().extension().is_some_and(|extension| extension == "rs")) {
            let name = file.path().strip_prefix(package).unwrap().to_str().unwrap().replace('\\', "/");
            violations.extend(check(&name, &std::fs::read_to_string(file.path()).unwrap()));
        }
    }
    let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "\n{}\n", list.join("\n"));
}

/// A file, what stands in it, and a word of the rule that it breaks.
const BAD: &[(&str, &str, &str)] = &[
    ("src/model/age.rs", "use crate::plan::request::Strategy;", "lower floors"),
    ("src/model/age.rs", "use super::super::engine::clock;", "lower floors"),
    ("src/model/age.rs", "mod tests { use super::super::super::cluster::wait; }", "lower floors"),
    ("src/plan/document.rs", "fn f() -> String { format!(\"{}\", crate::survey::vms::NAME) }", "lower floors"),
    ("src/engine/next.rs", "use crate::{model::graph, cluster::{objects, wait}};", "lower floors"),
    ("src/steps/stop_vm.rs", "use crate::survey::vms;", "lower floors"),
    ("src/survey/vms.rs", "use crate::ledger::lock;", "lower floors"),
    ("src/cluster/wait.rs", "use crate::output::table;", "lower floors"),
    ("src/cluster/wait.rs", "use crate::sandbox::store;", "lower floors"),
    ("src/verbs/plan.rs", "fn f() { crate::main::run() }", "lower floors"),
    ("src/verbs/plan.rs", "use crate::*;", "lower floors"),
    ("src/output/table.rs", "use crate::cluster::objects;", "floors 0-2"),
    ("src/output/table.rs", "fn f(x: &crate::ledger::lock::Lock) {}", "floors 0-2"),
    ("src/sandbox/store.rs", "use crate::model::kind;", "island"),
    ("src/model/age.rs", "async fn f() {}", "never async"),
    ("src/plan/order.rs", "fn f() { let g = async { 1 }; }", "never async"),
    ("src/plan/order.rs", "use futures::future::BoxFuture;", "never async"),
    ("src/steps/stop_vm.rs", "use kube::Api;", "only user of the kube crate"),
    ("src/survey/vms.rs", "fn f(pod: k8s_openapi::api::core::v1::Pod) {}", "only user of the kube crate"),
    ("src/engine/forward.rs", "fn f() { println!(\"x\"); }", "printing only"),
    ("src/verbs/plan.rs", "fn f() { vec![1].iter().for_each(|x| eprintln!(\"{x}\")); }", "printing only"),
    ("src/verbs/plan.rs", "fn f() { let _ = std::io::stdout(); }", "printing only"),
    ("src/app.rs", "use std::io::{self, Write, stderr};", "printing only"),
    ("src/verbs/run.rs", "use indicatif::ProgressBar;", "printing only"),
    ("src/cluster/wait.rs", "async fn f() { tokio::time::sleep(SECOND).await; }", "only engine/clock.rs sleeps"),
    ("src/steps/stop_vm.rs", "use std::thread::sleep;", "only engine/clock.rs sleeps"),
    ("src/helpers/x.rs", "fn f() {}", "has no floor"),
    ("src/model/age.rs", "fn f( {", "does not parse"),
];

/// A file and what may stand in it.
const GOOD: &[(&str, &str)] = &[
    ("src/plan/checks/quota.rs", "use crate::model::finding::Finding; use super::super::request::Strategy;"),
    ("src/plan/order.rs", "mod tests { use super::*; use super::super::document; }"),
    ("src/cluster/wait.rs", "use kube::runtime::watcher; async fn f() {}"),
    ("src/engine/clock.rs", "fn f() { tokio::time::sleep(d); }"),
    ("src/engine/forward.rs", "async fn f(clock: &dyn Clock) { clock.sleep(d).await; }"),
    ("src/output/lines.rs", "fn f() { println!(\"x\"); let _ = std::io::stderr(); }"),
    ("src/verbs/run.rs", "use crate::app; use crate::exit; use crate::sandbox::store; // println!(\"x\")"),
    ("src/verbs/run.rs", "fn f(io: &mut Io) { writeln!(io.stdout, \"kube::Api and println!\"); }"),
    ("src/main.rs", "fn main() { println!(\"x\"); vmmove::app::run(); }"),
    ("src/lib.rs", "pub mod model;"),
    ("tests/cluster/main.rs", "fn main() { println!(\"x\"); }"),
];

#[test]
fn each_rule_can_fail_and_names_file_and_line() {
    for (path, snippet, word) in BAD {
        let found = check(path, &format!("//! What it is for.\n\n{snippet}\n"));
        assert!(found.iter().any(|violation| violation.rule.contains(word)), "{path}: {snippet} should break the rule about {word:?}");
        assert!(found.iter().all(|violation| violation.file == *path && (violation.line == 3 || violation.line == 1)), "{path}: {snippet}");
    }
}

#[test]
fn what_is_allowed_passes() {
    for (path, snippet) in GOOD {
        let found: Vec<String> = check(path, &format!("//! What it is for.\n\n{snippet}\n")).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{path}: {snippet} should pass, but: {found:?}");
    }
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_named() {
    let found = check("src/model/age.rs", "fn f() {}");
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["src/model/age.rs:1: a file opens with //! saying what it is for"]);
}
