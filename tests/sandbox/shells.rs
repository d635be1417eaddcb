//! Shells as judges: what people get in bash, zsh and fish when they press the key that completes. kubectl's own script calls the plugin's
//! programs there; the plugin's own script completes it under its own name. The words come from a sandbox.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portable_pty::CommandBuilder;

use crate::build;
use crate::serving::{PROGRAM, Said, Serving};
use crate::tty::Tty;

/// A shell with what its user has in its file of settings, and a file that has to be there.
struct Shell {
    name: &'static str,
    settings: (&'static str, &'static str),
    needs: Option<&'static str>,
}

const SHELLS: [Shell; 3] = [
    Shell {
        name: "bash",
        settings: (
            ".bashrc",
            "source /usr/share/bash-completion/bash_completion\nsource <(kubectl completion bash)\nsource <(kubectl vmmove completion bash)\n\
             bind 'set show-all-if-ambiguous on'\nbind 'set page-completions off'\nPS1='> '\n",
        ),
        needs: Some("/usr/share/bash-completion/bash_completion"),
    },
    Shell {
        name: "zsh",
        settings: (
            ".zshrc",
            "autoload -Uz compinit && compinit -u\nsource <(kubectl completion zsh)\nsource <(kubectl vmmove completion zsh)\nPS1='> '\n",
        ),
        needs: None,
    },
    Shell {
        name: "fish",
        settings: (
            ".config/fish/config.fish",
            "kubectl completion fish | source\nkubectl vmmove completion fish | source\nset -g fish_greeting\nset -g fish_autosuggestion_enabled 0\n\
             function fish_prompt; echo -n '> '; end\n",
        ),
        needs: None,
    },
];

/// What the key does.
enum Then {
    /// The line goes on so; a star stands for what nobody can foretell.
    Line(&'static str),
    /// These stand below, each with what it is.
    Listed(&'static [(&'static str, &'static str)]),
    /// The line stays as it is.
    Nothing,
}
use Then::{Line, Listed, Nothing};

/// What is typed after the plugin's name, and what the key does then.
const CASES: &[(&str, Then)] = &[
    ("pl", Line("plan")),
    ("", Listed(&[("assess", "Look at virtual machines"), ("rollback", "Go back to the source"), ("version", "Print the versions")])),
    ("plan --map-n", Line("plan --map-network")),
    ("plan -n sh", Line("plan -n shop")),
    ("plan -n shop db", Line("plan -n shop db-1")),
    ("plan -n shop vm/we", Line("plan -n shop vm/web-1")),
    ("assess -n shop ", Listed(&[("db-1", "Running"), ("web-1", "Running"), ("old-7", "Stopped")])),
    ("plan db-1 -n shop --to ", Listed(&[("prod", "Active"), ("shop", "Active")])),
    ("plan db-1 -n shop --to pr", Line("plan db-1 -n shop --to prod")),
    ("plan db-1 -n shop --to=pr", Line("plan db-1 -n shop --to=prod")),
    ("plan db-1 --storage-class ", Listed(&[("fast", "lab.vmmove.io"), ("other", "other.vmmove.io")])),
    ("plan db-1 -n shop --map-network vlan10=v", Nothing),
    ("plan db-1 -n shop --to prod --map-network vlan10=v", Line("plan db-1 -n shop --to prod --map-network vlan10=vlan10")),
    ("run db-1 -n shop --strategy ", Listed(&[("CloneRebind", "a clone beside the source"), ("db-1-data=", "100Gi, fast")])),
    ("run db-1 -n shop --strategy db-", Line("run db-1 -n shop --strategy db-1-")),
    ("run db-1 -n shop --strategy db-1-d", Line("run db-1 -n shop --strategy db-1-data=")),
    ("run db-1 -n shop --strategy db-1-data=Re", Nothing),
    ("run db-1 -n shop --strategy=db-1-data=Re", Nothing),
    ("run db-1 --on-failure ", Listed(&[("stop", "keep the machine"), ("undo", "put the machine back"), ("continue", "go on with the others")])),
    ("status -n shop sh", Line("status -n shop shop-to-prod-*")),
    ("rollback -n shop move/sh", Line("rollback -n shop move/shop-to-prod-*")),
    ("explain V00", Listed(&[("V001", ""), ("V004", "the guest is paused")])),
    ("explain Clo", Line("explain CloneRebind")),
    ("--context s", Line("--context sandbox")),
    ("plan -f my-", Line("plan -f my-plan.yaml")),
    ("plan -f ~/my-", Line("plan -f ~/my-plan.yaml")),
    ("completion install --dir b", Line("completion install --dir bin/")),
    ("assess -n shop --kubeconfig my-plan.yaml d", Nothing),
];

/// A place to work at: a sandbox in which a move was made, and a folder of programs with kubectl, the plugin, and what it has installed there.
struct Place {
    sandbox: Serving,
    programs: PathBuf,
}

impl Place {
    fn new() -> Self {
        let sandbox = Serving::start("--speed 20");
        let programs = sandbox.home.path().join("bin");
        std::fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(build::build_one("kubectl").unwrap(), programs.join("kubectl")).unwrap();
        std::os::unix::fs::symlink(PROGRAM, programs.join("kubectl-vmmove")).unwrap();
        std::fs::write(sandbox.home.path().join("my-plan.yaml"), "users: [\n").unwrap();
        sandbox.does("run old-7 -n shop --to prod --yes");
        let place = Self { sandbox, programs };
        let installed = place.runs("kubectl", &["vmmove", "completion", "install"]);
        assert!(installed.code == 0 && installed.stderr.is_empty(), "{installed:?}");
        place
    }

    fn path(&self) -> String {
        format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap_or_default())
    }

    fn runs(&self, program: &str, words: &[&str]) -> Said {
        let mut command = Command::new(self.programs.join(program));
        command.args(words).env_clear().env("PATH", self.path()).env("HOME", self.sandbox.home.path()).stdin(Stdio::null());
        self.sandbox.runs(command)
    }

    /// Starts a shell here, and waits for its prompt.
    fn enter(&self, shell: &Shell) -> Tty {
        let home = self.sandbox.home.path();
        let settings = home.join(shell.settings.0);
        std::fs::create_dir_all(settings.parent().unwrap()).unwrap();
        std::fs::write(settings, shell.settings.1).unwrap();
        let mut command = CommandBuilder::new(shell.name);
        command.cwd(home);
        command.env_clear();
        command.env("PATH", self.path());
        command.env("HOME", home);
        command.env("KUBECONFIG", &self.sandbox.kubeconfig);
        // Whoever judges is patient: this computer may have other things to do.
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("VMMOVE_COMPLETION_TIMEOUT", "60s")] {
            command.env(name, value);
        }
        let mut tty = Tty::of(command, 200, 50);
        tty.until("a prompt", |screen| screen.trim() == ">");
        tty
    }
}

/// Whether a shell is there. It has to be where everything is judged; elsewhere its absence is told.
fn is_there(shell: &Shell) -> bool {
    let runs = Command::new(shell.name).arg("--version").output().is_ok();
    let there = runs && shell.needs.is_none_or(|file| Path::new(file).exists());
    let missing = if runs { shell.needs.unwrap_or_default() } else { shell.name };
    assert!(there || std::env::var_os("CI").is_none(), "{missing} is not installed, so completion in {} cannot be judged", shell.name);
    if !there {
        println!("skipped: {missing} is not installed, so completion in {} is not judged", shell.name);
    }
    there
}

/// Types a line up to the key, looks at what comes of it, and takes it away again.
fn judge(tty: &mut Tty, typed: &str, then: &Then) {
    // The next letter is read once the shell is done with the key.
    let next = if matches!(then, Nothing) { "X" } else { "" };
    tty.types(&format!("{typed}\t{next}"));
    tty.until(&format!("what follows {typed:?}"), |screen| match then {
        Line(text) => {
            let plugin = if typed.starts_with("kubectl vmmove") { "kubectl vmmove" } else { "kubectl-vmmove" };
            let line = format!("> {plugin} {text}");
            let is_so = |seen: &str| match line.strip_suffix('*') {
                Some(begin) => seen.len() > begin.len() && seen.starts_with(begin),
                None => seen == line,
            };
            screen.lines().any(|seen| is_so(seen.trim_end()))
        }
        Listed(all) => all.iter().all(|(value, what)| screen.contains(value) && screen.contains(what)),
        Nothing => screen.lines().any(|seen| seen.trim_end() == format!("> {typed}X")),
    });
    // Takes the line away, then what stands around it.
    tty.types("\u{15}\u{c}");
    tty.until("an empty screen", |screen| screen.trim() == ">");
}

#[test]
fn the_key_completes_in_every_shell_under_both_names() {
    let shells: Vec<&Shell> = SHELLS.iter().filter(|shell| is_there(shell)).collect();
    let place = Place::new();
    std::thread::scope(|scope| {
        for shell in shells {
            let place = &place;
            scope.spawn(move || {
                let mut tty = place.enter(shell);
                for plugin in ["kubectl vmmove", "kubectl-vmmove"] {
                    for (typed, then) in CASES {
                        judge(&mut tty, &format!("{plugin} {typed}"), then);
                    }
                }
            });
        }
    });
}

/// oc looks for a program of another name, after its own, and asks it the same.
#[test]
fn oc_is_answered_as_kubectl_is() {
    let place = Place::new();
    for words in [&["pl"][..], &["plan", "-n", "shop", ""], &["explain", "V00"], &["--context", ""]] {
        let said = ["oc_complete-vmmove", "kubectl_complete-vmmove"].map(|program| place.runs(program, words));
        assert!(said.iter().all(|said| said.code == 0 && said.stderr.is_empty() && said.stdout.lines().count() > 1), "{words:?}: {said:?}");
        assert_eq!(said[0].stdout, said[1].stdout, "{words:?}");
    }
}
