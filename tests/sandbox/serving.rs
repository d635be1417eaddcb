//! A sandbox that serves, and programs that speak to it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-vmmove");

/// A sandbox in a process of its own, and a home of its own for everybody who works with it.
pub struct Serving {
    pub home: TempDir,
    pub child: Child,
    pub kubeconfig: PathBuf,
    /// What it printed.
    pub page: String,
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The program with these words, in a home.
pub fn program(home: &TempDir, line: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(line.split_whitespace()).current_dir(home.path()).stdin(Stdio::null());
    command.env_clear().env("HOME", home.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

impl Serving {
    /// Starts one, and waits until it serves.
    pub fn start(flags: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), flags)
    }

    pub fn start_in(home: TempDir, flags: &str) -> Self {
        let mut command = program(&home, &format!("sandbox start {flags}"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut page = String::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            let line = line.unwrap();
            page = page + &line + "\n";
            if line.starts_with("# Stop it with:") {
                break;
            }
        }
        let kubeconfig = page.lines().next().and_then(|line| line.strip_prefix("export KUBECONFIG=")).map(PathBuf::from);
        let Some(kubeconfig) = kubeconfig else { panic!("{:?}", Said::from(child.wait_with_output().unwrap())) };
        Self { home, child, kubeconfig, page }
    }

    /// Runs a program with the kubeconfig of the sandbox.
    pub fn runs(&self, mut command: Command) -> Said {
        command.env("KUBECONFIG", &self.kubeconfig).output().unwrap().into()
    }

    /// Types `kubectl vmmove LINE` in the home of the sandbox.
    pub fn types(&self, line: &str) -> Said {
        self.runs(program(&self.home, line))
    }

    /// As [`Serving::types`], for what has to succeed; what it printed.
    pub fn does(&self, line: &str) -> String {
        let said = self.types(line);
        assert_eq!(said.code, 0, "{line}: {said:?}");
        said.stdout
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended; nothing else is to be done about it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
