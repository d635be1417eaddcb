//! The API: what a request asks for, whether its sender may, and the answer.

pub mod cells;
pub mod change;
pub mod columns;
pub mod discovery;
pub mod form;
pub mod openapi;
pub mod path;
mod protobuf;
pub mod read;
pub mod reviews;
pub mod selector;
pub mod sent;
mod syntax;
pub mod table;
mod versions;
pub mod watch;

use http::{HeaderMap, Method};
use serde_json::Value;

use self::change::{Place, Written};
use self::form::Form;
use self::path::{Query, Target};
use self::sent::Sent;
use self::watch::Watch;
use super::access::{self, Wish};
use super::behaviour::power;
use super::catalog::{Res, VM_REQUEST, VMI, VMI_REQUEST};
use super::fault::Seen;
use super::status::Status;
use super::store::Key;
use super::world::World;
use super::write::User;

/// A request, taken apart.
pub struct Call {
    pub method: Method,
    pub path: String,
    pub query: Query,
    /// For whom it is: the sender, or whom the sender impersonates.
    pub user: User,
    pub sender: User,
    pub accept: String,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// What is answered.
pub enum Reply {
    Once {
        code: u16,
        body: Sent,
        warnings: Vec<String>,
    },
    /// Lines as they come.
    Stream(Box<Watch>),
}

impl From<Status> for Reply {
    fn from(status: Status) -> Self {
        Self::Once { code: status.code(), body: (*status.0).into(), warnings: Vec::new() }
    }
}

fn found(body: impl Into<Sent>) -> Reply {
    Reply::Once { code: 200, body: body.into(), warnings: Vec::new() }
}

/// A request as those see it who let some go wrong.
pub fn seen(call: &Call) -> Seen {
    let wish = path::target(&call.path).map(|target| path::wish(&call.method, &target, &call.query)).unwrap_or_default();
    Seen::of(&wish, call.query.contains_key("dryRun"), &call.body)
}

/// Answers a request.
pub fn answer(world: &mut World, call: &Call) -> Reply {
    answered(world, call).unwrap_or_else(Reply::from)
}

fn answered(world: &mut World, call: &Call) -> Result<Reply, Status> {
    may_impersonate(world, call)?;
    let target = path::target(&call.path).ok_or_else(Status::no_such_path)?;
    if !world.serves(target.group()) {
        return Err(Status::no_such_path());
    }
    let wish = path::wish(&call.method, &target, &call.query);
    match target {
        Target::Review { plural, namespace } => {
            let body = reviews::answer(world, &call.user, &plural, &namespace, sent(call, "Status")?)?;
            Ok(Reply::Once { code: 201, body: body.into(), warnings: Vec::new() })
        }
        Target::Path(path) => discovery::answer(world, &path, &call.accept).map(found),
        Target::Power { plural, namespace, name, action } => {
            let on_instance = plural == VMI.plural;
            let about = if on_instance { &VMI_REQUEST } else { &VM_REQUEST };
            access::check(world, &call.user, &wish).map_err(|why| Status::forbidden(about, &name, &why))?;
            if call.method == Method::GET && action == "expand-spec" && !on_instance {
                return power::expanded(world, &namespace, &name).map(found);
            }
            if call.method != Method::PUT {
                return Err(Status::no_such_path());
            }
            power::request(world, &call.user, &namespace, &name, &action, on_instance, &options(call)?)?;
            Ok(Reply::Once { code: 202, body: Value::String(String::new()).into(), warnings: Vec::new() })
        }
        Target::Objects { resource, namespace, name, subresource } => {
            access::check(world, &call.user, &wish).map_err(|why| Status::forbidden(resource, &wish.name, &why))?;
            let place = Place { resource, namespace: &namespace, name: &name, subresource: &subresource };
            objects(world, call, &place)
        }
    }
}

fn objects(world: &mut World, call: &Call, place: &Place) -> Result<Reply, Status> {
    let (resource, query) = (place.resource, &call.query);
    let form = Form::accepted(&call.accept, query).ok_or_else(|| not_acceptable(resource))?;
    let written = |world: &World, written: Written| {
        let body = form.one(resource, &written.object, world.now());
        Reply::Once { code: written.code, body, warnings: written.warnings }
    };
    let readable = matches!(call.content_type.as_str(), "" | "application/json") || (call.content_type == protobuf::MEDIA && !resource.custom);
    if matches!(call.method.as_str(), "POST" | "PUT") && !readable {
        return Err(Status::unsupported(&["application/json"]));
    }
    match (call.method.as_str(), place.name) {
        ("GET", "") if path::is_set(query, "watch") => Ok(Reply::Stream(Box::new(Watch::begin(world, resource, place.namespace, query, form)?))),
        ("GET", "") => read::many(world, resource, place.namespace, query, form).map(found),
        ("GET", name) => read::one(world, &Key::new(resource, place.namespace, name), form).map(found),
        ("POST", "") => change::create(world, &call.user, place, query, sent(call, resource.kind)?).map(|made| written(world, made)),
        ("PUT", name) if !name.is_empty() => {
            change::replace(world, &call.user, place, query, sent(call, resource.kind)?).map(|made| written(world, made))
        }
        ("PATCH", name) if !name.is_empty() => {
            change::patch(world, &call.user, place, query, (&call.content_type, &call.body)).map(|made| written(world, made))
        }
        ("DELETE", "") => change::delete_many(world, &call.user, place, query, &options(call)?).map(found),
        ("DELETE", _) => change::delete(world, &call.user, place, query, &options(call)?).map(found),
        _ => Err(Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")),
    }
}

fn not_acceptable(resource: Res) -> Status {
    let only = if resource.custom { "application/json, application/yaml" } else { "application/json" };
    Status::new(406, "NotAcceptable", format!("only the following media types are accepted: {only}"))
}

/// A body, which should be of a kind.
fn sent(call: &Call, kind: &str) -> Result<Value, Status> {
    if call.content_type == protobuf::MEDIA {
        return protobuf::object(&call.body);
    }
    serde_json::from_slice(&call.body).map_err(|error| syntax::refusal(&call.body, kind, &error))
}

/// The options of a deletion, which may be missing.
fn options(call: &Call) -> Result<Value, Status> {
    if call.body.is_empty() { Ok(Value::Null) } else { sent(call, "DeleteOptions") }
}

/// Nobody speaks for others who is not allowed to (kubernetes/apiserver `pkg/endpoints/filters/impersonation`).
fn may_impersonate(world: &World, call: &Call) -> Result<(), Status> {
    if call.user == call.sender {
        return Ok(());
    }
    let own = |group: &&String| *group != "system:authenticated" && !group.starts_with("system:serviceaccounts");
    let groups = call.user.groups.iter().filter(own).map(|group| ("groups", group.as_str()));
    for (resource, name) in [("users", call.user.name.as_str())].into_iter().chain(groups) {
        let (verb, resource) = ("impersonate".to_owned(), resource.to_owned());
        let wish = Wish { verb, resource, name: name.to_owned(), ..Wish::default() };
        let refused = |why: String| Status::new(403, "Forbidden", format!("{} \"{name}\" is forbidden: {why}", wish.resource));
        access::check(world, &call.sender, &wish).map_err(refused)?;
    }
    Ok(())
}

/// For whom a request is: the one who is said to be impersonated, if somebody is.
pub fn meant(headers: &HeaderMap, base: &User) -> User {
    let all = |name: &str| headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect::<Vec<_>>();
    let Some(name) = all("impersonate-user").into_iter().next() else { return base.clone() };
    let mut groups = all("impersonate-group");
    if let Some(account) = name.strip_prefix("system:serviceaccount:").filter(|_| groups.is_empty()) {
        let namespace = account.split(':').next().unwrap_or_default();
        groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    }
    if !groups.iter().any(|group| group == "system:authenticated") {
        groups.push("system:authenticated".to_owned());
    }
    User { name, groups }
}
