//! A cluster in this process, time that stands still while anything is to be done, and somebody who types commands.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use vmmove::engine::clock::Seeded;
use vmmove::exit::Code;
use vmmove::sandbox::behaviour::SUBJECTS;
use vmmove::sandbox::catalog::{self, CLAIM, VM, VMI, VOLUME};
use vmmove::sandbox::scenario;
use vmmove::sandbox::server::Sandbox;
use vmmove::sandbox::store::{Key, text};
use vmmove::sandbox::time::{Scaled, Time};
use vmmove::sandbox::world::World;
use vmmove::verbs::sandbox::inside::{self, Said};

/// When every story begins.
const BEGIN: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// One story.
pub struct Stage {
    pub sandbox: Sandbox,
    time: Scaled,
    rng: Arc<Seeded>,
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
        let time = Scaled::new(world.now(), 1);
        let sandbox = Sandbox::of(world.clone(), Arc::new(time));
        tokio::spawn(sandbox.clone().live());
        story(Stage { sandbox, time, rng: Arc::new(Seeded::new(1)) }).await
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
    pub async fn types(&self, line: &str) -> Said {
        inside::types(&self.sandbox, self.time, self.rng.clone(), "kubectl vmmove", line, String::new()).await
    }

    /// As [`Stage::types`], by a process that may die on the way; then nothing is seen of it.
    pub async fn may_die_at(&self, line: &str) -> Option<Said> {
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
    pub async fn does(&self, line: &str) -> Said {
        let seen = self.types(line).await;
        assert_eq!(seen.code, Code::DONE, "{line}\n--- stdout\n{}--- stderr\n{}", seen.stdout, seen.stderr);
        seen
    }
}
