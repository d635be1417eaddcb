//! Plays a case: its namespaces, then one step after the other, and a report of the one that fails.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use futures::StreamExt;
use futures::future::{Either, select};
use http::Request;
use serde_json::{Map, Value, json};

use super::case::{Case, Expect, Step};
use super::request::{Reply, request};
use super::words::{Saved, fill};
use super::{Backend, Lines, pattern};

/// How long a step waits unless it says otherwise.
const PATIENCE: f64 = 60.0;

/// Between two looks at the same object.
const PAUSE: Duration = Duration::from_millis(100);

/// Plays a case in namespaces of its own, whose names begin with a tag that nobody else has.
pub async fn play(case: &Case, objects: &Map<String, Value>, backend: &impl Backend, tag: &str) -> Result<()> {
    let mut saved = Saved::from([("ns".into(), tag.into()), ("other".into(), format!("{tag}-other").into())]);
    saved.insert("mebibyte".into(), "x".repeat(1 << 20).into());
    let objects = objects.iter().map(|(name, object)| (name.clone(), fill(object, &saved))).collect();
    let mut stage = Stage { backend, objects, saved, watches: BTreeMap::new() };
    for name in ["ns", "other"].into_iter().filter(|name| *name == "ns" || case.mentions(name)) {
        stage.namespace(name).await.context("the namespaces of the case")?;
    }
    for (number, raw) in (1..).zip(&case.steps) {
        let filled = fill(raw, &stage.saved);
        let done = async { stage.step(&Step::read(&filled)?).await }.await;
        let why = case.why.as_ref().map_or(String::new(), |why| format!(" ({why})"));
        done.with_context(|| format!("step {number} of {}{why}: {}", case.title(), brief(&filled)))?;
    }
    Ok(())
}

/// The beginning of a step, for a report.
fn brief(step: &Value) -> String {
    let text = step.to_string();
    let shown: String = text.chars().take(400).collect();
    if shown.len() < text.len() { shown + " …" } else { shown }
}

struct Stage<'a, B> {
    backend: &'a B,
    objects: Map<String, Value>,
    saved: Saved,
    watches: BTreeMap<String, Lines>,
}

impl<B: Backend> Stage<'_, B> {
    /// Makes a namespace that is ready for pods.
    async fn namespace(&mut self, name: &str) -> Result<()> {
        let name = format!("${{{name}}}");
        let steps = [
            json!({"create": {"kind": "Namespace", "name": name}}),
            json!({"wait": "serviceaccounts/default", "in": name, "until": {"kind": "ServiceAccount"}}),
            json!({"wait": "configmaps/kube-root-ca.crt", "in": name, "until": {"kind": "ConfigMap"}}),
        ];
        for step in steps {
            self.step(&Step::read(&fill(&step, &self.saved))?).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        let namespace = self.saved["ns"].as_str().context("a name")?.to_owned();
        let place = step.r#in.clone().unwrap_or_else(|| namespace.clone());
        let bytes = step.bytes.clone().unwrap_or_default();
        if let Some(claim) = step.write.as_ref().or(step.read.as_ref()) {
            // A DataVolume may be Succeeded a moment before its claim is bound.
            let bound = json!({"wait": format!("persistentvolumeclaims/{claim}"), "in": place, "until": {"status": {"phase": "Bound"}}});
            let bound = Step::read(&bound)?;
            self.ask(&bound, request(&bound, &self.objects, &namespace)?).await?;
        }
        if let Some(claim) = &step.write {
            return self.backend.write(&place, claim, bytes.as_bytes()).await;
        }
        if let Some(claim) = &step.read {
            let seen = self.backend.read(&place, claim).await?;
            ensure!(seen == bytes.as_bytes(), "expected {bytes:?}, saw {:?}", String::from_utf8_lossy(&seen));
            return Ok(());
        }
        if let Some(expected) = &step.see {
            return self.see(step, expected).await;
        }
        let request = request(step, &self.objects, &namespace)?;
        if step.watch.is_some() {
            return self.watch(step, request).await;
        }
        let reply = self.ask(step, request).await?;
        for (name, pointer) in &step.save {
            let part = reply.body.pointer(pointer).with_context(|| format!("nothing at {pointer} to save as {name}\n{reply}"))?;
            self.saved.insert(name.clone(), part.clone());
        }
        Ok(())
    }

    /// Sends a request, until it is replied to as expected where the step gives it time.
    async fn ask(&self, step: &Step, request: Request<Vec<u8>>) -> Result<Reply> {
        let patience = step.within.unwrap_or(if step.wait.is_some() { PATIENCE } else { 0.0 });
        let end = self.backend.now() + Duration::from_secs_f64(patience);
        loop {
            let reply = Reply::of(&self.backend.send(request.clone()).await?);
            let good = judge(step, &reply);
            let late = self.backend.now() >= end;
            match good {
                Ok(()) if step.never.is_none() || late => return Ok(reply),
                Err(error) if step.never.is_some() || late => {
                    let waited = if patience > 0.0 { format!("\n(after {patience} s)") } else { String::new() };
                    return Err(told(&error, &reply, &waited));
                }
                _ => self.backend.sleep(PAUSE).await,
            }
        }
    }

    async fn watch(&mut self, step: &Step, request: Request<Vec<u8>>) -> Result<()> {
        let (head, mut lines) = self.backend.watch(request).await?.into_parts();
        if !head.status.is_success() {
            let mut body = String::new();
            while let Some(line) = lines.next().await {
                body += &line?;
            }
            let reply = Reply::of(&http::Response::from_parts(head, body.into_bytes()));
            return reply.meets(&step.expect).map_err(|error| told(&error, &reply, ""));
        }
        ensure!(step.expect.code.is_none_or(|code| code == head.status.as_u16()), "the watch was opened");
        self.watches.insert(step.of.clone().unwrap_or_default(), lines);
        Ok(())
    }

    /// The next events are these. A bookmark counts only where one is expected.
    async fn see(&mut self, step: &Step, expected: &[(String, Value)]) -> Result<()> {
        let lines = self.watches.get_mut(step.of.as_deref().unwrap_or_default()).context("there is no such watch")?;
        let limit = self.backend.sleep(Duration::from_secs_f64(step.within.unwrap_or(PATIENCE)));
        futures::pin_mut!(limit);
        for (number, (kind, wanted)) in (1..).zip(expected) {
            let event = loop {
                let line = match select(lines.next(), &mut limit).await {
                    Either::Left((Some(line), _)) => line?,
                    Either::Left((None, _)) if kind == "END" => return Ok(()),
                    Either::Left((None, _)) => bail!("event {number}: the watch ended"),
                    Either::Right(_) => bail!("event {number}, {kind} {wanted}, did not come"),
                };
                let event: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
                if event["type"] != "BOOKMARK" || kind == "BOOKMARK" {
                    break event;
                }
            };
            let wanted = match wanted {
                Value::String(name) => json!({"metadata": {"name": name}}),
                pattern => pattern.clone(),
            };
            let pattern = json!({"type": kind, "object": wanted});
            pattern::check(&pattern, &event).map_err(|error| anyhow!("event {number}: {error}\n{}", brief(&event)))?;
        }
        Ok(())
    }
}

/// Whether the reply is what the step wants of it.
fn judge(step: &Step, reply: &Reply) -> Result<()> {
    let Some(pattern) = step.until.as_ref().or(step.be.as_ref()) else {
        return reply.meets(&step.expect);
    };
    let as_said = match pattern {
        Value::String(gone) if gone == "gone" => reply.meets(&Expect { code: Some(404), ..Expect::default() }),
        pattern => reply.meets(&Expect { body: Some(pattern.clone()), ..Expect::default() }),
    };
    match (step.never.is_some(), as_said) {
        (true, Ok(())) => bail!("it was {pattern}"),
        (true, Err(_)) => Ok(()),
        (false, as_said) => as_said,
    }
}

fn told(error: &Error, reply: &Reply, more: &str) -> Error {
    anyhow!("{error}{more}\nthe reply: {reply}")
}
