//! The tool in a pod of the cluster, as a job that moves machines at night would run it.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use kube::config::Kubeconfig;
use serde_json::json;

use crate::lab::Lab;
use crate::machines::Machine;
use crate::tool::program;

/// Runs a command with a folder of its own at `/run`, where a pod finds its service account.
const IN_A_POD: [&str; 7] = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "mount --bind \"$0\" /run && exec \"$@\""];

/// 3. Without a kubeconfig a pod's own service account is used, in the pod's namespace.
pub async fn a_pod_uses_its_own_account(lab: &Lab) -> Result<()> {
    let (source, _) = lab.namespaces("pod").await?;
    Machine::new(&source, "db-1").template("db-1-root", "fast").bring_up(lab).await?;
    lab.create(&[json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "looks", "namespace": source},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": source}],
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"},
    })])
    .await?;
    let kubeconfig = Kubeconfig::read_from(lab.kubeconfig_for_account(&source, "default").await?)?;
    let cluster = kubeconfig.clusters.first().and_then(|named| named.cluster.clone()).context("no cluster")?;
    let server: http::Uri = cluster.server.as_deref().context("no server")?.parse()?;
    let run = lab.scratch().join(format!("run-of-{source}"));
    let account = run.join("secrets/kubernetes.io/serviceaccount");
    std::fs::create_dir_all(&account)?;
    std::fs::write(account.join("token"), lab.token(&source, "default").await?)?;
    std::fs::write(account.join("namespace"), &source)?;
    std::fs::write(account.join("ca.crt"), STANDARD.decode(cluster.certificate_authority_data.context("no authority")?)?)?;

    let (unshare, rest) = (IN_A_POD[0], &IN_A_POD[1..]);
    let inside = |command: &[&str]| {
        let mut inside = Command::new(unshare);
        inside.args(rest).arg(&run).args(command).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent");
        inside.env("KUBERNETES_SERVICE_HOST", server.host().unwrap_or_default());
        inside.env("KUBERNETES_SERVICE_PORT", server.port_u16().unwrap_or_default().to_string());
        tokio::task::block_in_place(|| inside.output())
    };
    if !inside(&["true"])?.status.success() {
        eprintln!("this system does not let a user mount anything: what a pod sees is not tried");
        return Ok(());
    }
    let tool = program();
    let seen = inside(&[tool.to_str().context("no path")?, "assess"])?;
    let (out, err) = (String::from_utf8_lossy(&seen.stdout), String::from_utf8_lossy(&seen.stderr));
    ensure!(seen.status.success() && out.lines().any(|line| line.starts_with("db-1 ")), "{out}{err}");
    Ok(())
}
