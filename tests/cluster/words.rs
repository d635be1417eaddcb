//! What goes wrong is told in kubectl's words: both are asked the same on the same server, and what they say is compared.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::lab::Lab;
use crate::tool::program;

/// How what the tool says stands to kubectl's last line.
#[derive(Clone, Copy)]
enum Alike {
    /// The first line is the same.
    Same,
    /// The first line begins with the same words, up to a colon or a bracket; what follows is a library's, or says more.
    Begins,
    /// The server's own words are among ours.
    Within,
}

/// What is typed after `kubectl` and after `kubectl vmmove`.
struct Question {
    kubectl: String,
    ours: String,
    alike: Alike,
}

fn question(flags: &str, alike: Alike) -> Question {
    Question { kubectl: format!("get virtualmachines {flags}"), ours: format!("assess {flags}"), alike }
}

/// Kubeconfigs that lead to the laboratory with something wrong: by a person it does not know, and by an authority that did not sign it.
fn wrong_ways(lab: &Lab, text: &str) -> Result<[PathBuf; 2]> {
    let config: Value = serde_saphyr::from_str(text)?;
    let server = config.pointer("/clusters/0/cluster/server").context("no server in the kubeconfig")?;
    let way = |name: &str, cluster: Value, user: Value| {
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "lab", "clusters": [{"name": "lab", "cluster": cluster}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}], "users": [{"name": "me", "user": user}]});
        let path = lab.scratch().join(format!("words-{name}.json"));
        std::fs::write(&path, config.to_string())?;
        Ok::<_, anyhow::Error>(path)
    };
    let stranger = way("stranger", json!({"server": server, "insecure-skip-tls-verify": true}), json!({"token": "nobody's"}))?;
    let untrusting = way("untrusting", json!({"server": server}), json!({"token": "nobody's"}))?;
    Ok([stranger, untrusting])
}

pub async fn errors_are_those_of_kubectl(lab: &Lab) -> Result<()> {
    let (namespace, _) = lab.namespaces("words").await?;
    let [stranger, untrusting] = wrong_ways(lab, &std::fs::read_to_string(lab.kubeconfig())?)?;
    let (stranger, untrusting) = (stranger.display(), untrusting.display());
    let questions = [
        question("--server https://127.0.0.1:1", Alike::Same),
        question("--server http://127.0.0.1:1", Alike::Same),
        question("--context nowhere", Alike::Same),
        question("--cluster nowhere", Alike::Same),
        question("--user nobody", Alike::Same),
        question("--kubeconfig not/here", Alike::Same),
        question(&format!("--kubeconfig {stranger}"), Alike::Begins),
        question(&format!("--kubeconfig {untrusting}"), Alike::Same),
        question("--server https://no-such-host.invalid", Alike::Begins),
        question("--as stranger", Alike::Within),
        question(&format!("-n {namespace}"), Alike::Same),
        question("--frob", Alike::Same),
        question("--request-timeout soon", Alike::Same),
        question("-o nonsense", Alike::Begins),
        question("-o jsonpath={.items[", Alike::Same),
        question("-o custom-columns=A", Alike::Same),
    ];
    let mut wrong = Vec::new();
    for question in questions {
        let theirs = said(lab.kubectl(), lab, &question.kubectl).await?;
        let ours = said(&program(), lab, &question.ours).await?;
        let (last, first) = (theirs.1.lines().rfind(|line| !line.starts_with("See ")).unwrap_or_default(), ours.1.lines().next().unwrap_or_default());
        let begin = |line: &str| {
            let words = line.strip_prefix("error: ").unwrap_or(line);
            words.split(['(', ':', ',']).next().unwrap_or_default().to_owned()
        };
        let alike = match question.alike {
            Alike::Same => first == last.replace("kubectl get", "kubectl vmmove assess"),
            Alike::Begins => begin(first) == begin(last),
            Alike::Within => ours.1.contains(last.split_once(": ").map_or(last, |(_, words)| words)),
        };
        let codes = theirs.0 == ours.0 || matches!(question.alike, Alike::Within);
        if !alike || !codes || last.is_empty() {
            wrong.push(format!("{}\n  kubectl ({}): {last}\n  ours    ({}): {first}", question.ours, theirs.0, ours.0));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The exit code and what went to standard error.
async fn said(program: &Path, lab: &Lab, line: &str) -> Result<(i32, String)> {
    let mut command = Command::new(program);
    command.args(line.split_whitespace()).env("KUBECONFIG", lab.kubeconfig()).env("HOME", lab.scratch()).env("NO_COLOR", "1");
    let output = command.current_dir(lab.scratch()).output().await?;
    Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).trim_end().to_owned()))
}
