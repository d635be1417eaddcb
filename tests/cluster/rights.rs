//! Moves by people with few rights: with those that `plan --print-rbac` prints, without one of them, without rights on volumes.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::crashes::exhaustive;
use crate::lab::Lab;
use crate::machines::Machine;
use crate::tool::Tool;

/// A machine that refers to a ConfigMap and a Secret and is selected by a Service, so that a move needs every kind of right.
async fn shop(lab: &Lab, namespace: &str) -> Result<Machine> {
    let metadata = |name: &str| json!({"name": name, "namespace": namespace});
    lab.create(&[
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("settings"), "data": {"key": "value"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("login"), "stringData": {"password": "none of your business"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("db"), "spec": {"selector": {"app": "db-1"}, "ports": [{"port": 5432}]}}),
    ])
    .await?;
    let machine = Machine::new(namespace, "db-1").template("db-1-root", "fast").claim("db-1-data", "fast");
    let machine = machine.volume(json!({"name": "settings", "configMap": {"name": "settings"}}));
    let machine = machine.volume(json!({"name": "login", "secret": {"secretName": "login"}}));
    machine.bring_up(lab).await?;
    Ok(machine)
}

/// The roles that a plan prints.
async fn printed(lab: &Lab, namespace: &str, plan: &str) -> Result<Vec<Value>> {
    let answer = Tool::new(lab, namespace).done(&format!("{plan} --print-rbac")).await?;
    Ok(serde_saphyr::from_multiple(&answer.out)?)
}

/// A new service account of the namespace to which these roles are bound, and the tool in its hands.
async fn account(lab: &Lab, namespace: &str, name: &str, roles: &[&Value]) -> Result<Tool> {
    lab.create(&[json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})]).await?;
    for role in roles {
        let kind = if role["kind"] == "Role" { "RoleBinding" } else { "ClusterRoleBinding" };
        let bound = format!("{name}-{}", role["metadata"]["name"].as_str().unwrap_or_default());
        lab.create(&[json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": bound, "namespace": role["metadata"]["namespace"]},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            "roleRef": {"kind": role["kind"], "name": role["metadata"]["name"], "apiGroup": "rbac.authorization.k8s.io"},
        })])
        .await?;
    }
    Ok(Tool::with(lab, &lab.kubeconfig_for_account(namespace, name).await?, namespace))
}

/// The server knows of a binding a moment after it was made: the plan is free of blocking findings then.
async fn settled(lab: &Lab, tool: &Tool, plan: &str) -> Result<()> {
    lab.wait("the bindings count", async || {
        let answer = tool.run(plan).await?;
        answer.ends_with(0).map(|()| true)
    })
    .await
}

/// 8. Without rights on volumes CDI copies, the plan says why, and cleanup refuses what it cannot check.
pub async fn a_tenant_moves_by_cdi_and_cleans_nothing(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("tenant").await?;
    let machine = shop(lab, &source).await?;
    let roles = printed(lab, &source, &format!("plan db-1 --to {target} --strategy CdiClone")).await?;
    lab.create(&roles).await?;
    let own: Vec<&Value> = roles.iter().filter(|role| role["kind"] == "Role").collect();
    ensure!(roles.iter().all(|role| role["kind"] == "Role" || !grants(role, "persistentvolumes", "patch")), "copying by CDI asks for volumes");
    let tool = account(lab, &source, "tenant", &own).await?;
    settled(lab, &tool, &format!("plan db-1 --to {target}")).await?;
    let plan = tool.done(&format!("plan db-1 --to {target}")).await?;
    plan.says("CdiClone")?;
    plan.says("you may not patch volumes")?;
    let name = tool.done(&format!("run db-1 --to {target} --yes")).await?.move_name()?;
    machine.has_its_bytes(lab, &target).await?;
    let refused = tool.run(&format!("cleanup {name} --yes")).await?;
    ensure!(refused.code != 0, "cleanup ended well without a look at the volumes\n{}{}", refused.out, refused.err);
    refused.says("E009")?;
    refused.says("you may not read persistentvolumes")?;
    machine.has_its_bytes(lab, &source).await?;
    lab.get("VirtualMachine", &source, "db-1").await.map(drop)
}

/// Who may not change volumes cannot have those of copies go with them where the class retains volumes: going back says what stays.
pub async fn a_tenant_is_told_which_volumes_stay(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("stays").await?;
    let machine = Machine::new(&source, "db-1").claim("db-1-data", "keep");
    machine.bring_up(lab).await?;
    let before = machine.picture(lab).await?;
    let plan = format!("plan db-1 --to {target} --strategy CdiClone");
    let roles = printed(lab, &source, &plan).await?;
    lab.create(&roles).await?;
    let tool = account(lab, &source, "tenant", &roles.iter().collect::<Vec<_>>()).await?;
    settled(lab, &tool, &plan).await?;
    let name = tool.done(&format!("run db-1 --to {target} --strategy CdiClone --yes")).await?.move_name()?;
    let copy = lab.get("PersistentVolumeClaim", &target, "db-1-data").await?;
    let back = tool.done(&format!("rollback {name} --yes --discard-target-writes")).await?;
    back.says(&format!("persistentvolume {} of it stays behind", copy["spec"]["volumeName"].as_str().unwrap_or_default()))?;
    machine.is_back(lab, &target, &before).await
}

/// 8. Who may neither create `datavolumes/source` nor pods in the source, nor patch volumes, is told so by the plan.
pub async fn who_may_not_clone_is_told_by_the_plan(lab: &Lab) -> Result<()> {
    let (source, target) = lab.namespaces("no-clone").await?;
    let machine = shop(lab, &source).await?;
    let before = machine.picture(lab).await?;
    let mut roles = printed(lab, &source, &format!("plan db-1 --to {target} --strategy CdiClone")).await?;
    for role in &mut roles {
        let all = role["rules"].as_array_mut().context("a role without rules")?;
        all.retain(|rule| rule["resources"] != json!(["datavolumes/source"]));
    }
    lab.create(&roles).await?;
    let own: Vec<&Value> = roles.iter().filter(|role| role["kind"] == "Role").collect();
    let tool = account(lab, &source, "tenant", &own).await?;
    lab.wait("the plan names the missing right and no other", async || {
        let answer = tool.run(&format!("plan db-1 --to {target}")).await?;
        answer.ends_with(4)?;
        answer.says("datavolumes/source")?;
        Ok(!answer.out.contains("R002"))
    })
    .await?;
    let run = tool.run(&format!("run db-1 --to {target} --yes")).await?;
    run.ends_with(4)?;
    ensure!(machine.picture(lab).await? == before, "something was touched");
    Ok(())
}

/// 10. The printed roles are enough for the plan, the run and the cleanup, with each strategy.
pub async fn the_printed_roles_are_enough(lab: &Lab) -> Result<()> {
    let each = ["", "--volumes move", "--strategy CdiClone"].into_iter().map(|flags| async move {
        let (source, target) = lab.namespaces("printed").await?;
        let machine = shop(lab, &source).await?;
        let plan = format!("plan db-1 --to {target} {flags}");
        let roles = printed(lab, &source, &plan).await?;
        lab.create(&roles).await?;
        let tool = account(lab, &source, "mover", &roles.iter().collect::<Vec<_>>()).await?;
        settled(lab, &tool, &plan).await?;
        let name = tool.done(&format!("run db-1 --to {target} {flags} --yes")).await?.move_name()?;
        machine.has_its_bytes(lab, &target).await?;
        tool.done(&format!("cleanup {name} --yes")).await?;
        ensure!(lab.find("VirtualMachine", &source, "db-1").await?.is_none(), "the source is still there");
        for (kind, name) in [("ConfigMap", "settings"), ("Secret", "login"), ("Service", "db")] {
            lab.get(kind, &source, name).await?;
            lab.get(kind, &target, name).await?;
        }
        machine.has_its_bytes(lab, &target).await.context(flags)
    });
    futures::future::try_join_all(each).await.map(drop)
}

/// 10. And a rollback from the start works with the same roles.
pub async fn the_printed_roles_are_enough_to_go_back(lab: &Lab) -> Result<()> {
    let each = ["", "--volumes move", "--strategy CdiClone"].into_iter().map(|flags| async move {
        let (source, target) = lab.namespaces("printed-back").await?;
        let machine = shop(lab, &source).await?;
        let before = machine.picture(lab).await?;
        let plan = format!("plan db-1 --to {target} {flags}");
        let roles = printed(lab, &source, &plan).await?;
        lab.create(&roles).await?;
        let needed: Vec<&Value> = roles.iter().filter(|role| is_needed(role)).collect();
        let tool = account(lab, &source, "mover", &needed).await?;
        settled(lab, &tool, &plan).await?;
        let name = tool.done(&format!("run db-1 --to {target} {flags} --yes")).await?.move_name()?;
        tool.done(&format!("rollback {name} --yes --discard-target-writes")).await?;
        machine.is_back(lab, &target, &before).await?;
        machine.has_its_bytes(lab, &source).await?;
        machine.wait_status(lab, "Running").await.context(flags)
    });
    futures::future::try_join_all(each).await.map(drop)
}

/// 10. Without any one of the rights, the plan is blocked and names it. Strategies that share a right are tried once, unless exhaustive.
pub async fn each_right_left_out_is_named(lab: &Lab) -> Result<()> {
    let mut tried = BTreeSet::new();
    for flags in ["", "--volumes move", "--strategy CdiClone"] {
        let (source, target) = lab.namespaces("without").await?;
        shop(lab, &source).await?;
        let plan = format!("plan db-1 --to {target} {flags}");
        let roles = printed(lab, &source, &plan).await?;
        lab.create(&roles).await?;
        let needed: Vec<&Value> = roles.iter().filter(|role| is_needed(role)).collect();
        settled(lab, &account(lab, &source, "with-all", &needed).await?, &plan).await?;
        let mut is_new = |right: &Right| tried.insert((right.place(&source), right.resource.clone(), right.verb.clone())) || exhaustive();
        let lacks: Vec<Right> = needed.iter().flat_map(|role| rights(role)).filter(|right| is_new(right)).collect();
        let lacks = lacks.iter().enumerate();
        let (lab, needed, plan, source) = (&lab, &needed, &plan, &source);
        let each = lacks.map(|(number, lack)| async move {
            let smaller = lack.less(number);
            lab.create(std::slice::from_ref(&smaller)).await?;
            let rest = needed.iter().copied().filter(|role| role["metadata"]["name"] != lack.role["metadata"]["name"]);
            let roles: Vec<&Value> = rest.chain([&smaller]).collect();
            let tool = account(lab, source, &format!("without-{number}"), &roles).await?;
            lack.is_told(lab, &tool, plan).await.with_context(|| format!("{flags} without '{} {}'", lack.verb, lack.resource))
        });
        stream::iter(each).buffer_unordered(3).try_collect::<Vec<()>>().await?;
    }
    Ok(())
}

/// Roles but those that only let the plan say more, and that of cleanup.
fn is_needed(role: &Value) -> bool {
    let name = role["metadata"]["name"].as_str().unwrap_or_default();
    !name.ends_with("-optional") && !name.ends_with("-cleanup")
}

fn grants(role: &Value, resource: &str, verb: &str) -> bool {
    rights(role).any(|right| right.resource == resource && right.verb == verb)
}

/// One verb on one resource of a role.
struct Right<'a> {
    role: &'a Value,
    resource: String,
    verb: String,
    at: (usize, usize),
}

fn rights(role: &Value) -> impl Iterator<Item = Right<'_>> {
    let rules = role["rules"].as_array().into_iter().flatten().enumerate();
    rules.flat_map(move |(rule, content)| {
        let verbs = content["verbs"].as_array().into_iter().flatten().enumerate();
        verbs.map(move |(verb, name)| Right {
            role,
            resource: content["resources"][0].as_str().unwrap_or_default().to_owned(),
            verb: name.as_str().unwrap_or_default().to_owned(),
            at: (rule, verb),
        })
    })
}

impl Right<'_> {
    /// Where it counts.
    fn place(&self, source: &str) -> &'static str {
        match self.role["metadata"]["namespace"].as_str() {
            None => "cluster",
            Some(namespace) if namespace == source => "source",
            Some(_) => "target",
        }
    }

    /// The role without this right.
    fn less(&self, number: usize) -> Value {
        let mut less = self.role.clone();
        less["metadata"]["name"] = format!("{}-{number}", less["metadata"]["name"].as_str().unwrap_or_default()).into();
        let (rule, verb) = self.at;
        if let Some(verbs) = less["rules"][rule]["verbs"].as_array_mut() {
            verbs.remove(verb);
        }
        if let Some(rules) = less["rules"].as_array_mut() {
            rules.retain(|rule| rule["verbs"] != json!([]));
        }
        less
    }

    /// The plan ends with 4, and a line with a blocking finding names the right; no other right is missing.
    async fn is_told(&self, lab: &Lab, tool: &Tool, plan: &str) -> Result<()> {
        lab.wait("the plan names the missing right and no other", async || {
            let answer = tool.run(plan).await?;
            answer.ends_with(4)?;
            let blocking: Vec<&str> = answer.out.lines().filter(|line| line.starts_with("Blocking")).collect();
            let plural = self.resource.split('/').next().unwrap_or_default();
            let (named, others): (Vec<&str>, Vec<&str>) = blocking.iter().partition(|line| line.contains(plural) && line.contains(&self.verb));
            ensure!(!named.is_empty(), "nothing names it:\n{}{}", answer.out, answer.err);
            // What cannot be listed is missing in other places, too.
            ensure!(others.is_empty() || self.verb == "list", "something else blocks:\n{}", others.join("\n"));
            Ok(true)
        })
        .await
    }
}
