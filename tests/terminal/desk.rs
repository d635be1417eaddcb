//! A desk: a folder with a kubeconfig, a cluster that it leads to, and somebody who types commands. They go to the built binary.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Seen;
use crate::server::{Api, TOKEN};

/// Where standard output leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stdout {
    Read,
    /// Its reader has gone away.
    Closed,
    /// A disk without room.
    #[cfg(target_os = "linux")]
    Full,
}

pub struct Desk {
    folder: TempDir,
    pub api: Api,
    /// Set for every command.
    environment: Vec<(&'static str, String)>,
}

impl Desk {
    /// A desk whose kubeconfig, the file `config`, leads to a cluster.
    pub fn new() -> Self {
        Self::at(Api::start())
    }

    /// A desk at this cluster, behind TLS or not. Its certificate is not trusted.
    pub fn at(api: Api) -> Self {
        let environment = vec![("KUBECONFIG", "config".to_owned())];
        let desk = Self { folder: tempfile::tempdir().unwrap(), api, environment };
        desk.write_kubeconfig(&desk.api.url);
        desk
    }

    /// Lets the kubeconfig lead to this address.
    pub fn write_kubeconfig(&self, server: &str) {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: lab\nclusters: [{{name: lab, cluster: {{server: \"{server}\"}}}}]\n\
             contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]\nusers: [{{name: me, user: {{token: {TOKEN}}}}}]\n"
        );
        self.write("config", &text);
    }

    /// Sets an environment variable.
    pub fn with(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    /// Takes the environment variables away.
    pub fn without_environment(&mut self) {
        self.environment.clear();
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// Makes the file `plan.yaml`: a plan for the machine that is switched off.
    pub fn plan(&self) {
        let seen = self.types("plan old-7 -n shop --to prod --save plan.yaml");
        assert_eq!(seen.code, 0, "{}", seen.text);
    }

    /// Makes a plan, and changes a line of it.
    pub fn plan_with(&self, from: &str, to: &str) {
        self.plan();
        let text = self.read("plan.yaml");
        assert!(text.contains(from), "{text}");
        self.write("plan.yaml", &text.replacen(from, to, 1));
    }

    /// Types a command.
    pub fn types(&self, line: &str) -> Seen {
        self.types_into(line, Stdout::Read)
    }

    /// Types a command whose standard output leads elsewhere.
    pub fn types_into(&self, line: &str, stdout: Stdout) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-vmmove"));
        command.args(line.split_whitespace());
        self.runs(command, line, stdout)
    }

    /// Runs a command in the folder, with nothing of this process's environment and no terminal.
    pub fn runs(&self, mut command: Command, line: &str, stdout: Stdout) -> Seen {
        command.env_clear().env("HOME", self.folder.path()).envs(self.environment.iter().cloned());
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(match stdout {
            Stdout::Read => Stdio::piped(),
            Stdout::Closed => Stdio::from(std::io::pipe().unwrap().1),
            #[cfg(target_os = "linux")]
            Stdout::Full => Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap()),
        });
        let done = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = done.status.code().unwrap_or_default();
        let (stdout, stderr) = (text(done.stdout), text(done.stderr));
        let hide = |text: String| text.replace(self.api.address(), "SERVER").replace(self.folder.path().to_str().unwrap(), "FOLDER");
        let (stdout, stderr) = (hide(stdout), hide(stderr));
        let text = format!("$ kubectl vmmove {line}\n{stdout}-- stderr\n{stderr}-- exit code {code}\n");
        Seen { text, stderr, code: code.try_into().unwrap() }
    }
}
