//! What other people do while a move is on its way: by kubectl, from within the proxy's callbacks, which do not wait for futures.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::lab::Lab;

/// Another administrator with a kubectl.
#[derive(Clone)]
pub struct Somebody {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

impl Somebody {
    pub fn new(lab: &Lab) -> Self {
        Self { kubectl: lab.kubectl().to_owned(), kubeconfig: lab.kubeconfig().to_owned() }
    }

    pub fn creates(&self, object: &Value) -> Result<()> {
        self.kubectl(&["create", "-f", "-"], &object.to_string())
    }

    /// A JSON merge patch.
    pub fn changes(&self, kind: &str, namespace: &str, name: &str, patch: &Value) -> Result<()> {
        self.kubectl(&["patch", kind, name, "-n", namespace, "--type", "merge", "-p", &patch.to_string()], "")
    }

    /// Has a machine run, as `virtctl start` would.
    pub fn starts(&self, namespace: &str, name: &str) -> Result<()> {
        self.changes("virtualmachine", namespace, name, &json!({"spec": {"runStrategy": "Always"}}))
    }

    /// Takes the fence off a machine by hand and has it run.
    pub fn frees(&self, namespace: &str, name: &str) -> Result<()> {
        let patch = json!({
            "metadata": {"annotations": {"vmmove.io/fence": null}},
            "spec": {"runStrategy": "Always", "template": {"spec": {"affinity": null}}},
        });
        self.changes("virtualmachine", namespace, name, &patch)
    }

    /// Waits until a guest runs; half a minute at most.
    pub fn sees_running(&self, namespace: &str, name: &str) -> Result<()> {
        let phase = "--for=jsonpath={.status.phase}=Running";
        self.kubectl(&["wait", "virtualmachineinstance", name, "-n", namespace, phase, "--timeout", "30s"], "")
    }

    fn kubectl(&self, args: &[&str], input: &str) -> Result<()> {
        // Other connections of the proxy go on meanwhile.
        tokio::task::block_in_place(|| {
            let mut command = Command::new(&self.kubectl);
            command.arg("--kubeconfig").arg(&self.kubeconfig).args(args);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
            child.stdin.take().context("no input")?.write_all(input.as_bytes())?;
            let output = child.wait_with_output()?;
            ensure!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
            Ok(())
        })
    }
}
