//! A cluster of values for stories: it lists what it was given, says yes to every right, and tries what it is asked to try.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::app::{self, Io};
use crate::cluster::Cluster;
use crate::cluster::scripted::{Log, Reply, Seen, cluster};
use crate::engine::clock::{System, SystemRng};
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::plan::fixtures::{DRIVER, claim, class, node, object, running, vm, vmi, volume};
use crate::verbs::Context;

/// A cluster under construction: namespaces `shop` and `prod`, class `fast`, KubeVirt and CDI.
#[must_use]
pub struct Shop {
    objects: Vec<Manifest>,
    /// Answers to requests whose method and path end so.
    special: Vec<(String, u16, &'static str, String)>,
    /// Rights that the user does not have: `create secrets`.
    denied: Vec<&'static str>,
    stdin: &'static str,
}

/// What a command printed and did.
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: u8,
    pub log: Log,
}

impl Said {
    /// Everything a user sees, for snapshots.
    pub fn all(&self) -> String {
        format!("{}-- stderr\n{}-- exit code {}\n", self.stdout, self.stderr, self.code)
    }

    /// Whether nothing was sent that changes anything.
    pub fn changed_nothing(&self) -> bool {
        let question = |seen: &Seen| seen.path.contains("/apis/auth") || seen.query.contains("dryRun=All");
        self.log.all().iter().all(|seen| seen.method == "GET" || question(seen))
    }
}

/// A running database server with a disk and cloud-init from a Secret, and a stopped web server.
pub fn shop() -> Shop {
    let mut db = running(vm("db-1", &["db-1-data"]));
    let seed = json!({"name": "seed", "cloudInitNoCloud": {"secretRef": {"name": "db-1-seed"}, "networkData": "hunter2: inline"}});
    db.0.pointer_mut("/spec/template/spec/volumes").unwrap().as_array_mut().unwrap().push(seed);
    let secret = object(kind::SECRET, "db-1-seed", json!({"data": {"userdata": "aHVudGVyMg=="}}));
    let (data, web) = (claim("db-1-data", 100), claim("web-1", 20));
    bare()
        .with(vmi(&db))
        .with(db)
        .with(secret)
        .with(vm("web-1", &["web-1"]))
        .with(volume(&data))
        .with(volume(&web))
        .with(data)
        .with(web)
        .with(class("fast"))
        .with(Manifest::new(kind::CSI_DRIVER, "", DRIVER))
        .with(node("node-1", true))
        .with(namespace("kube-system"))
        .with(namespace("shop"))
        .with(namespace("prod"))
}

/// A cluster without anything in it.
pub fn bare() -> Shop {
    Shop { objects: Vec::new(), special: Vec::new(), denied: Vec::new(), stdin: "" }
}

pub fn namespace(name: &str) -> Manifest {
    object(kind::NAMESPACE, name, json!({}))
}

impl Shop {
    pub fn with(mut self, object: Manifest) -> Self {
        self.objects.push(object);
        self
    }

    pub fn without(mut self, kind: Kind, name: &str) -> Self {
        self.objects.retain(|object| object.kind() != Some(kind) || object.name() != name);
        self
    }

    pub fn change(mut self, kind: Kind, name: &str, change: impl FnOnce(&mut Manifest)) -> Self {
        change(self.objects.iter_mut().find(|object| object.kind() == Some(kind) && object.name() == name).unwrap());
        self
    }

    /// Answers requests such as `POST /namespaces/prod/virtualmachines` with a failure.
    pub fn answer(mut self, request: &str, code: u16, reason: &'static str, message: &str) -> Self {
        self.special.push((request.to_owned(), code, reason, message.to_owned()));
        self
    }

    /// Says no to a right: `create secrets`.
    pub fn denying(mut self, right: &'static str) -> Self {
        self.denied.push(right);
        self
    }

    /// Types this into standard input.
    pub fn typing(mut self, text: &'static str) -> Self {
        self.stdin = text;
        self
    }

    /// Types a command, whose words are split at blanks, and is told everything.
    pub async fn run(self, line: &str) -> Said {
        let stdin = self.stdin;
        let (cluster, log) = self.serve();
        run(cluster, log, stdin, line).await
    }

    pub fn serve(self) -> (Cluster, Log) {
        cluster(move |seen| self.reply(seen))
    }

    fn reply(&self, seen: &Seen) -> Reply {
        let special = self.special.iter().find(|(request, ..)| {
            let (method, path) = request.split_once(' ').unwrap();
            seen.method == method && seen.path.ends_with(path)
        });
        if let Some((_, code, reason, message)) = special {
            return Reply::status(*code, reason, message);
        }
        match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", "/version") => Reply::ok(json!({"gitVersion": "v1.36.2"})),
            ("GET", "/apis/snapshot.storage.k8s.io") => Reply::ok(json!({"preferredVersion": {"version": "v1"}})),
            ("POST", path) if path.ends_with("/selfsubjectreviews") => Reply::ok(json!({"status": {"userInfo": {"username": "alice"}}})),
            ("POST", path) if path.ends_with("/selfsubjectaccessreviews") => {
                let of = |key: &str| seen.body["spec"]["resourceAttributes"][key].as_str().unwrap_or_default().to_owned();
                let right = format!("{} {}", of("verb"), of("resource"));
                Reply::ok(json!({"status": {"allowed": !self.denied.contains(&right.as_str())}}))
            }
            ("POST", path) if path.ends_with("/selfsubjectrulesreviews") => {
                Reply::ok(json!({"status": {"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}}))
            }
            ("POST", _) => Reply::ok(seen.body.clone()),
            ("GET", path) => self.find(path),
            _ => Reply::status(405, "MethodNotAllowed", "no"),
        }
    }

    /// A list or an object, by its path.
    fn find(&self, path: &str) -> Reply {
        let (namespace, rest) = match path.split_once("/namespaces/") {
            Some((_, rest)) if rest.contains('/') => rest.split_once('/').map(|(namespace, rest)| (Some(namespace), rest)).unwrap(),
            Some(_) => (None, &path["/api/v1/".len()..]),
            None => (None, path.splitn(5, '/').last().filter(|_| path.starts_with("/apis")).or(path.strip_prefix("/api/v1/")).unwrap_or_default()),
        };
        let (plural, name) = rest.split_once('/').map_or((rest, None), |(plural, name)| (plural, Some(name)));
        let group = |kind: &Kind| if kind.group.is_empty() { path.starts_with("/api/") } else { path.contains(&format!("/{}/", kind.group)) };
        let of_kind = |object: &&Manifest| {
            object.kind().is_some_and(|kind| kind.plural == plural && group(&kind) && (!kind.namespaced || object.namespace() == namespace))
        };
        let mut found = self.objects.iter().filter(of_kind);
        match name {
            None => Reply::list(found.map(|object| object.0.clone()).collect()),
            Some(name) => found
                .find(|object| object.name() == name)
                .map_or_else(|| Reply::status(404, "NotFound", &format!("{plural} {name:?} not found")), |object| Reply::ok(object.0.clone())),
        }
    }
}

async fn run(cluster: Cluster, log: Log, stdin: &'static str, line: &str) -> Said {
    let (stdout, stderr) = (Paper::default(), Paper::default());
    let mut io = Io {
        stdin: Box::new(io::Cursor::new(stdin)),
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
            let mut cx = Context {
                connection: cli.connection.clone(),
                connector: Arc::new(move |_| {
                    let cluster = cluster.clone();
                    Box::pin(async move { Ok(cluster) })
                }),
                io,
                clock: Arc::new(System::new()),
                rng: Arc::new(SystemRng),
                prefix: "kubectl vmmove".to_owned(),
                program: String::new(),
            };
            Box::pin(app::run(cli, &mut cx)).await
        }
    };
    Said { stdout: stdout.text(), stderr: stderr.text(), code: code.0, log }
}

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The dry runs among the requests: namespace, resource and name of what was tried.
pub fn tried(log: &Log) -> Vec<String> {
    let dry = log.all().into_iter().filter(|seen| seen.query.contains("dryRun=All"));
    dry.map(|seen| {
        let (namespace, plural) = seen.path.split_once("/namespaces/").unwrap().1.split_once('/').unwrap();
        format!("{namespace} {plural} {}", seen.body["metadata"]["name"].as_str().unwrap())
    })
    .collect()
}

/// The first document of a text.
pub fn document(text: &str) -> Value {
    crate::output::yaml::read_all("it", text).unwrap().remove(0)
}
