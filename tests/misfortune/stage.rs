//! A cluster in this process, time that stands still while anything is to be done, and somebody who types commands.

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use vmmove::app;
use vmmove::cluster::Cluster;
use vmmove::engine::clock::{Clock, Rng};
use vmmove::output::io::Io;
use vmmove::sandbox::behaviour::SUBJECTS;
use vmmove::sandbox::catalog::{self, CLAIM, VM, VMI, VOLUME};
use vmmove::sandbox::scenario;
use vmmove::sandbox::server::Sandbox;
use vmmove::sandbox::store::{Key, text};
use vmmove::sandbox::time::{Scaled, Time};
use vmmove::sandbox::world::World;
use vmmove::verbs::Context;

/// When every story begins.
const BEGIN: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// One story.
pub struct Stage {
    pub sandbox: Sandbox,
    time: Scaled,
    begun: Timestamp,
    rng: Arc<Numbers>,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Seen {
    pub code: u8,
    pub stdout: String,
    pub stderr: String,
}

/// The time of the sandbox, as the tool asks for it.
#[derive(Clone, Copy)]
struct Shown {
    time: Scaled,
    begun: Timestamp,
}

impl Clock for Shown {
    fn elapsed(&self) -> Duration {
        Duration::try_from(self.time.now().duration_since(self.begun)).unwrap_or_default()
    }

    fn now(&self) -> Timestamp {
        self.time.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.time.sleep(duration)
    }
}

struct Numbers(Mutex<u64>);

impl Rng for Numbers {
    fn next(&self) -> u64 {
        let mut number = self.0.lock().unwrap();
        *number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *number >> 11
    }
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Plays a story from the beginning, on a runtime of its own.
pub fn play<T, F: Future<Output = T>>(story: impl FnOnce(Stage) -> F) -> T {
    let mut world = World::new(1, BEGIN, SUBJECTS);
    scenario::begin(&mut world).unwrap();
    play_from(&world, story)
}

/// Plays a story that begins where another had come to.
pub fn play_from<T, F: Future<Output = T>>(world: &World, story: impl FnOnce(Stage) -> F) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let begun = world.now();
        let time = Scaled::new(begun, 1);
        let sandbox = Sandbox::of(world.clone(), Arc::new(time));
        tokio::spawn(sandbox.clone().live());
        story(Stage { sandbox, time, begun, rng: Arc::new(Numbers(Mutex::new(1))) }).await
    })
}

impl Stage {
    /// Makes what a YAML stream says, as its writer would by `kubectl create`.
    pub fn make(&self, yaml: &str) {
        let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
        for document in documents {
            self.sandbox.with(|world| world.create(document)).unwrap();
        }
    }

    pub fn namespaces(&self, names: &[&str]) {
        for name in names {
            self.make(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}"));
        }
    }

    pub fn get(&self, kind: &'static catalog::Resource, namespace: &str, name: &str) -> Option<Value> {
        self.sandbox.with(|world| world.get(kind, namespace, name)).map(|object| Value::clone(&object))
    }

    /// Waits until something is so, for ten minutes at most.
    pub async fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        for _ in 0..6000 {
            if is_so(self) {
                return;
            }
            self.time.sleep(Duration::from_millis(100)).await;
        }
        panic!("waited in vain for: {what}; what there is: {:#?}", self.seen());
    }

    /// Waits until a machine says this of itself.
    pub async fn machine_is(&self, namespace: &str, name: &str, status: &str) {
        let is = |stage: &Self| stage.get(&VM, namespace, name).is_some_and(|vm| text(&vm, "/status/printableStatus") == status);
        self.until(&format!("{namespace}/{name} is {status}"), is).await;
    }

    fn handle(&self, namespace: &str, claim: &str) -> String {
        let claim = self.get(&CLAIM, namespace, claim).unwrap();
        let volume = self.get(&VOLUME, "", text(&claim, "/spec/volumeName")).unwrap();
        text(&volume, "/spec/csi/volumeHandle").to_owned()
    }

    pub fn write(&self, namespace: &str, claim: &str, content: &str) {
        let handle = self.handle(namespace, claim);
        assert!(self.sandbox.with(|world| world.disks.write(&handle, content.as_bytes())));
    }

    pub fn read(&self, namespace: &str, claim: &str) -> String {
        let handle = self.handle(namespace, claim);
        self.sandbox.with(|world| String::from_utf8(world.disks.read(&handle).unwrap().to_vec()).unwrap())
    }

    pub fn instances(&self) -> Vec<Key> {
        self.sandbox.with(|world| world.store.list(&VMI, None).map(|(key, _)| key.clone()).collect())
    }

    /// What a look around shows: objects with what they say of themselves, and the warnings.
    fn seen(&self) -> Vec<String> {
        let kinds = [&VM, &VMI, &catalog::POD, &catalog::DATA_VOLUME, &CLAIM, &VOLUME];
        self.sandbox.with(|world| {
            let all = kinds.into_iter().flat_map(|kind| world.list(kind, None));
            let mut lines: Vec<String> =
                all.map(|object| format!("{} {}: {}", text(&object, "/kind"), text(&object, "/metadata/name"), object["status"])).collect();
            let events = world.list(&catalog::EVENT, None);
            lines.extend(
                events.iter().map(|event| format!("{} {}: {}", text(event, "/involvedObject/name"), text(event, "/reason"), text(event, "/message"))),
            );
            lines
        })
    }

    /// Types `kubectl vmmove ...` and waits for the end.
    pub async fn types(&self, line: &str) -> Seen {
        let (stdout, stderr) = (Page::default(), Page::default());
        let mut io = Io {
            stdin: Box::new(Cursor::new(Vec::new())),
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            stdin_is_terminal: false,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            env: |_| None,
        };
        let code = match app::read("kubectl vmmove", line.split_whitespace().map(Into::into), &mut io) {
            Err(code) => code,
            Ok(cli) => {
                let sandbox = self.sandbox.clone();
                let clock = Arc::new(Shown { time: self.time, begun: self.begun });
                let timing = clock.clone();
                let mut cx = Context {
                    connection: cli.connection.clone(),
                    connector: Arc::new(move |ask| {
                        let namespace = ask.namespace.unwrap_or_else(|| "default".to_owned());
                        let cluster = Cluster::from_service(sandbox.clone(), &namespace, timing.clone());
                        Box::pin(async move { Ok(cluster) })
                    }),
                    io,
                    clock,
                    rng: self.rng.clone(),
                    prefix: "kubectl vmmove".to_owned(),
                    program: "kubectl-vmmove".to_owned(),
                };
                app::run(cli, &mut cx).await
            }
        };
        Seen { code: code.0, stdout: stdout.text(), stderr: stderr.text() }
    }

    /// As [`Stage::types`], by a process that may die on the way; then nothing is seen of it.
    pub async fn may_die_at(&self, line: &str) -> Option<Seen> {
        let mut crashes = self.sandbox.misfortune().crashes.subscribe();
        crashes.mark_unchanged();
        tokio::select! {
            biased;
            _ = crashes.changed() => None,
            seen = self.types(line) => Some(seen),
        }
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        self.time.sleep(time).await;
    }

    /// The name of the move whose ledger is in a namespace.
    pub fn ledger(&self, namespace: &str) -> Option<String> {
        self.sandbox.with(|world| {
            let maps = world.list(&catalog::CONFIG_MAP, Some(namespace));
            maps.iter().find_map(|map| map.pointer("/metadata/labels/vmmove.io~1move").and_then(Value::as_str).map(str::to_owned))
        })
    }

    /// As [`Stage::types`], for a command that has to succeed.
    pub async fn does(&self, line: &str) -> Seen {
        let seen = self.types(line).await;
        assert_eq!(seen.code, 0, "{line}\n--- stdout\n{}--- stderr\n{}", seen.stdout, seen.stderr);
        seen
    }
}
