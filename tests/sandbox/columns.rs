//! `-o custom-columns` and `--sort-by` as kubectl runs them, byte for byte, errors included: what `columns.txt` and `orders.txt` hold, over
//! objects that a sandbox serves.

use std::process::{Command, Stdio};

use serde_json::Value;
use vmmove::model::failure::Failure;
use vmmove::output::custom_columns::CustomColumns;
use vmmove::output::order::SortBy;

use crate::build;
use crate::serving::{Said, Serving};

const COLUMNS: &str = include_str!("columns.txt");
const ORDERS: &str = include_str!("orders.txt");
const KINDS: [&str; 2] = ["virtualmachines.kubevirt.io", "services"];

/// kubectl at a sandbox.
struct Judge {
    sandbox: Serving,
    program: String,
}

impl Judge {
    fn says(&self, kind: &str, flags: &[String]) -> Said {
        let mut kubectl = Command::new(&self.program);
        kubectl.args(["get", kind, "-n", "shop"]).args(flags).current_dir(self.sandbox.home.path());
        kubectl.env("HOME", self.sandbox.home.path()).stdin(Stdio::null());
        self.sandbox.runs(kubectl)
    }

    fn objects(&self, kind: &str) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.says(kind, &["-o".into(), "json".into()]).stdout).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// Compares what kubectl says with what we say, for each line of a text and each kind.
    fn judges(&self, lines: &str, flags: impl Fn(&str) -> Vec<String>, ours: impl Fn(&str, Vec<Value>) -> Result<String, String>) {
        let (mut wrong, mut count) = (Vec::new(), 0);
        for kind in KINDS {
            let objects = self.objects(kind);
            for line in lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                count += 1;
                let said = self.says(kind, &flags(line));
                let ours = match ours(line, objects.clone()) {
                    Ok(text) => (text, String::new()),
                    Err(words) => (String::new(), format!("error: {words}\n")),
                };
                // What kubectl had printed of a table before it failed, we do not begin to.
                let printed = if said.stderr.is_empty() { without_padding(&said.stdout) } else { String::new() };
                let theirs = (printed, said.stderr);
                if ours != theirs {
                    wrong.push(format!("{kind} {line}\n  kubectl: {theirs:?}\n  ours:    {ours:?}"));
                }
            }
        }
        println!("{count} compared");
        assert!(wrong.is_empty(), "{} of {count} differ\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// kubectl fills the last cell of a line up with spaces where it is short.
fn without_padding(text: &str) -> String {
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn judge() -> Judge {
    Judge { sandbox: Serving::start("--scenario plain"), program: build::build_one("kubectl").unwrap() }
}

#[test]
fn columns_print_what_kubectl_prints() {
    let flags = |spec: &str| vec!["-o".to_owned(), format!("custom-columns={spec}")];
    judge().judges(COLUMNS, flags, |spec, objects| CustomColumns::parse(spec)?.render(&objects.iter().collect::<Vec<_>>(), true));
}

#[test]
fn labels_stand_where_kubectl_has_them() {
    const FLAGS: [&str; 3] = ["-L", "app,example.com/none,tier", "--show-labels"];
    let judge = judge();
    let theirs = judge.says(KINDS[0], &FLAGS.map(str::to_owned));
    let ours = judge.sandbox.types(&format!("assess -n shop {}", FLAGS.join(" ")));
    let labels = |table: &str| {
        let begin = table.lines().next().and_then(|titles| titles.find("APP ")).unwrap();
        table.lines().map(|line| line.get(begin..).unwrap_or_default().trim_end().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(labels(&ours.stdout), labels(&theirs.stdout), "{ours:?}");
    assert_eq!(labels(&ours.stdout)[0], "APP   NONE   TIER    LABELS");
}

#[test]
fn objects_are_sorted_as_kubectl_sorts_them() {
    let flags = |path: &str| vec!["--sort-by".to_owned(), path.to_owned(), "-o".to_owned(), "custom-columns=NAME:.metadata.name".to_owned()];
    judge().judges(ORDERS, flags, |path, mut objects| {
        path.parse::<SortBy>()?.sort(&mut objects, |object| Ok::<_, Failure>(object.clone())).map_err(|failure| failure.message)?;
        CustomColumns::parse("NAME:.metadata.name")?.render(&objects.iter().collect::<Vec<_>>(), true)
    });
}
