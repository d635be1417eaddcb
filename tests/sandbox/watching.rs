//! What is shown again when it changes.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use crate::serving::{Serving, program};

/// A command that goes on, and the lines that it prints.
struct Going {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Going {
    fn start(sandbox: &Serving, line: &str) -> Self {
        let mut command = program(&sandbox.home, line);
        let mut child = command.env("KUBECONFIG", &sandbox.kubeconfig).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The lines up to the first that is so, which is the last of them.
    fn until(&mut self, is_so: impl Fn(&str) -> bool) -> Vec<String> {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            let found = is_so(&line);
            seen.push(line);
            if found {
                return seen;
            }
        }
        panic!("it ended before that: {seen:#?}")
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn rows_of_machines_appear_as_they_change() {
    let sandbox = Serving::start("");
    let mut table = Going::start(&sandbox, "assess -n shop -w");
    let mut documents = Going::start(&sandbox, "assess web-1 -n shop -w -o yaml");
    let first = table.until(|line| line.starts_with("web-1"));
    assert!(first[0].starts_with("NAME ") && first.len() == 4, "{first:#?}");
    let column = first[0].find("STATUS").unwrap();
    sandbox.does("run web-1 -n shop --to prod --yes");
    let then = table.until(|line| line.starts_with("web-1") && line[column..].starts_with("Stopped"));
    assert!(then.iter().all(|line| line.starts_with("web-1") && line.as_bytes()[column - 1] == b' '), "{then:#?}");
    let name = sandbox.does("status -n shop -o name");
    sandbox.does(&format!("cleanup {} -n shop --yes", name.trim()));
    // What is gone is shown once more, below the rows of before; a name that nothing has any more ends nothing.
    table.until(|line| line.starts_with("web-1"));
    sandbox.does("run old-7 -n shop --to prod --yes");
    table.until(|line| line.starts_with("old-7") && line.contains("Stopped"));
    let read = documents.until(|line| line.contains("status: Stopped"));
    assert!(read.iter().filter(|line| *line == "---").count() >= 1 && read[0].starts_with("apiVersion: "), "{read:#?}");
    assert!(read.iter().filter(|line| *line == "kind: Assessment").count() >= 2, "{read:#?}");
}

#[test]
fn machines_of_a_move_are_streamed_as_documents() {
    let sandbox = Serving::start("");
    sandbox.does("run old-7 -n shop --to prod --yes");
    let name = sandbox.does("status -n shop -o name");
    let streamed = |format: &str| sandbox.does(&format!("status {} -n shop -w -o {format}", name.trim()));
    let yaml = streamed("yaml");
    assert!(yaml.contains("name: old-7\n") && yaml.contains("state: Done\n"), "{yaml}");
    assert!(streamed("json").starts_with("{\"") && streamed("name") == name);
}
