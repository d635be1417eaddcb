//! A cluster of values for stories: it lists what it was given, says yes to every right, tries what it is asked to try, and keeps what is
//! written to it. No controller works in it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};

use super::typing::{self, Said, User};
use crate::cluster::Cluster;
use crate::cluster::scripted::{Log, Reply, Seen, cluster};
use crate::ledger::store::Store;
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::plan::fixtures::{DRIVER, claim, class, node, object, running, vm, vmi, volume};

/// A cluster under construction: namespaces `shop` and `prod`, class `fast`, KubeVirt and CDI.
#[must_use]
pub struct Shop {
    objects: Vec<Manifest>,
    /// Answers to requests whose method and path end so.
    special: Vec<(String, u16, &'static str, String)>,
    /// They are not given to dry runs.
    only_for_real: bool,
    /// Rights that the user does not have: `create secrets`.
    denied: Vec<&'static str>,
    user: User,
    /// As the server knows them.
    user_name: &'static str,
    /// What was written, by whatever command.
    pub store: Store,
}

/// A running database server with a disk and cloud-init from a Secret, and a stopped web server.
pub fn shop() -> Shop {
    let mut db = running(vm("db-1", &["db-1-data"]));
    let seed = json!({"name": "seed", "cloudInitNoCloud": {"secretRef": {"name": "db-1-seed"}, "networkData": "hunter2: inline"}});
    db.value_mut().pointer_mut("/spec/template/spec/volumes").unwrap().as_array_mut().unwrap().push(seed);
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
    Shop {
        objects: Vec::new(),
        special: Vec::new(),
        only_for_real: false,
        denied: Vec::new(),
        user: User::default(),
        user_name: "alice",
        store: Store::default(),
    }
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

    /// As [`Shop::answer`], where a dry run of the same goes well.
    pub fn refusing_for_real(self, request: &str, code: u16, reason: &'static str, message: &str) -> Self {
        let mut shop = self.answer(request, code, reason, message);
        shop.only_for_real = true;
        shop
    }

    /// Says no to a right: `create secrets`.
    pub fn denying(mut self, right: &'static str) -> Self {
        self.denied.push(right);
        self
    }

    /// Types this into standard input.
    pub fn typing(mut self, text: &'static str) -> Self {
        self.user.stdin = text;
        self
    }

    /// Answers questions on a terminal.
    pub fn answering(mut self, text: &'static str) -> Self {
        self.user.is_terminal = true;
        self.typing(text)
    }

    /// Nobody reads what is printed.
    pub fn with_closed_stdout(mut self) -> Self {
        self.user.has_left = true;
        self
    }

    /// Lets somebody else than alice type.
    pub fn typed_by(self, user_name: &'static str) -> Self {
        Self { user_name, ..self }
    }

    /// Types a command, whose words are split at blanks, and is told everything.
    pub async fn run(self, line: &str) -> Said {
        let user = self.user;
        let (cluster, log) = self.serve();
        typing::run(cluster, log, user, line).await
    }

    pub fn serve(self) -> (Cluster, Log) {
        cluster(move |seen| self.reply(seen))
    }

    fn reply(&self, seen: &Seen) -> Reply {
        let special = self.special.iter().find(|(request, ..)| {
            let (method, path) = request.split_once(' ').unwrap();
            seen.method == method && seen.path.ends_with(path) && !(self.only_for_real && seen.query.contains("dryRun=All"))
        });
        if let Some((_, code, reason, message)) = special {
            return Reply::status(*code, reason, message);
        }
        match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", "/version") => Reply::ok(json!({"gitVersion": "v1.36.2"})),
            ("GET", "/apis/snapshot.storage.k8s.io") => Reply::ok(json!({"preferredVersion": {"version": "v1"}})),
            ("POST", path) if path.ends_with("/selfsubjectreviews") => Reply::ok(json!({"status": {"userInfo": {"username": self.user_name}}})),
            ("POST", path) if path.ends_with("/selfsubjectaccessreviews") => {
                let of = |key: &str| seen.body["spec"]["resourceAttributes"][key].as_str().unwrap_or_default().to_owned();
                let right = format!("{} {}", of("verb"), of("resource"));
                Reply::ok(json!({"status": {"allowed": !self.denied.contains(&right.as_str())}}))
            }
            ("POST", path) if path.ends_with("/selfsubjectrulesreviews") => Reply::ok(
                json!({"status": {"incomplete": !self.denied.is_empty(), "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}}),
            ),
            ("POST", _) if seen.query.contains("dryRun=All") => Reply::ok(seen.body.clone()),
            ("GET", _) if ["watch=true", "labelSelector"].iter().any(|word| seen.query.contains(word)) => self.store.reply(seen),
            ("GET", path) => match (self.find(path), self.store.reply(seen)) {
                (Reply::Answer(404, ..), kept) => kept,
                (found, _) => found,
            },
            ("PATCH", _) => Reply::status(405, "MethodNotAllowed", "no"),
            _ => self.store.reply(seen),
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
            None => Reply::list(found.map(|object| object.value().into_owned()).collect()),
            Some(name) => found.find(|object| object.name() == name).map_or_else(
                || Reply::status(404, "NotFound", &format!("{plural} {name:?} not found")),
                |object| Reply::ok(object.value().into_owned()),
            ),
        }
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
