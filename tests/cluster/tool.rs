//! The built binary, driven as a user would: arguments in; output, errors and exit code out.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

use crate::lab::Lab;

/// The tool with a kubeconfig and a source namespace.
#[derive(Clone)]
pub struct Tool {
    kubeconfig: PathBuf,
    namespace: String,
    home: PathBuf,
}

/// What one call gave.
pub struct Answer {
    pub command: String,
    pub out: String,
    pub err: String,
    pub code: i32,
}

impl Tool {
    /// The tool as the lab's administrator.
    pub fn new(lab: &Lab, namespace: &str) -> Self {
        Self::with(lab, lab.kubeconfig(), namespace)
    }

    /// The tool with somebody's kubeconfig.
    pub fn with(lab: &Lab, kubeconfig: &Path, namespace: &str) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), namespace: namespace.to_owned(), home: lab.scratch().to_owned() }
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(program());
        command.args(args.split_whitespace()).args(["-n", &self.namespace]);
        command.env("KUBECONFIG", &self.kubeconfig).env("HOME", &self.home).env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Starts a call and leaves it running.
    pub fn start(&self, args: &str) -> Result<Child> {
        self.command(args).spawn().with_context(|| format!("cannot start the tool with '{args}'"))
    }

    /// Runs a call to its end, whatever that is.
    pub async fn run(&self, args: &str) -> Result<Answer> {
        Answer::of(args, self.start(args)?).await
    }

    /// Saves a plan and begins it by stopping its machines; the name of the move.
    pub async fn begins(&self, plan: &str) -> Result<String> {
        let file = self.home.join(format!("{}.yaml", self.namespace));
        self.done(&format!("plan {plan} --save {}", file.display())).await?;
        self.done(&format!("stop -f {} --yes", file.display())).await?.move_name()
    }

    /// Runs a call that must work.
    pub async fn done(&self, args: &str) -> Result<Answer> {
        let answer = self.run(args).await?;
        answer.ends_with(0)?;
        Ok(answer)
    }
}

/// The built binary. Cargo tells tests where it is; it lies beside the folder of the examples.
/// The built binary.
pub fn program() -> PathBuf {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("kubectl-vmmove"));
    option_env!("CARGO_BIN_EXE_kubectl-vmmove").map(PathBuf::from).or_else(beside).unwrap_or_default()
}

impl Answer {
    /// What a call that was started gives at its end.
    pub async fn of(command: &str, child: Child) -> Result<Self> {
        let output = child.wait_with_output().await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Self { command: command.to_owned(), out: text(&output.stdout), err: text(&output.stderr), code: output.status.code().unwrap_or(-1) })
    }

    /// The call ended with this code.
    pub fn ends_with(&self, code: i32) -> Result<()> {
        ensure!(
            self.code == code,
            "'{}' ended with {} instead of {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.code,
            self.out,
            self.err
        );
        Ok(())
    }

    /// Standard output or standard error say this.
    pub fn says(&self, words: &str) -> Result<()> {
        ensure!(
            self.out.contains(words) || self.err.contains(words),
            "'{}' does not say '{words}'\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.out,
            self.err
        );
        Ok(())
    }

    /// The name of the move that the call started.
    pub fn move_name(&self) -> Result<String> {
        let line = self.out.lines().chain(self.err.lines()).find_map(|line| line.strip_prefix("move ")?.strip_suffix(" started").map(str::to_owned));
        line.with_context(|| format!("'{}' names no move\n--- stdout\n{}\n--- stderr\n{}", self.command, self.out, self.err))
    }
}
