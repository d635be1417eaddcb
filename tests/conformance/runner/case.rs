//! The form of a case, as it stands in `cases/*.yaml`. A key that nobody knows is an error.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::words;

/// A short script of API calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is true, in words with dashes.
    pub name: String,
    /// Why anybody should care.
    #[serde(default)]
    pub why: Option<String>,
    /// Raw, since names in `${}` are not known yet.
    pub steps: Vec<Value>,
    /// The name of its file.
    #[serde(skip)]
    pub subject: String,
}

impl Case {
    /// `subject/name`.
    pub fn title(&self) -> String {
        format!("{}/{}", self.subject, self.name)
    }

    /// Whether it uses a name like `other`.
    pub fn mentions(&self, name: &str) -> bool {
        self.steps.iter().any(|step| words::names(step).contains(name))
    }

    /// Each step has one verb, known keys and names that an earlier one saved.
    fn check(&self) -> Result<()> {
        let mut known: Vec<String> = ["ns", "other", "mebibyte"].map(String::from).into();
        for (number, step) in (1..).zip(&self.steps) {
            let at = || format!("{}, step {number}", self.title());
            let unknown = words::names(step).into_iter().find(|name| !known.contains(name));
            ensure!(unknown.is_none(), "{}: nothing saved ${{{}}}", at(), unknown.unwrap_or_default());
            let step = Step::read(step).with_context(at)?;
            known.extend(step.save.into_keys());
        }
        Ok(())
    }
}

/// One call and what is expected of it. Exactly one of the first group of keys, which say what is done.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// POST of a manifest to its collection.
    pub create: Option<Value>,
    /// GET of an object or a collection.
    pub get: Option<String>,
    /// PUT of `body`.
    pub put: Option<String>,
    /// PATCH with `json` or `merge`.
    pub patch: Option<String>,
    /// DELETE, with DeleteOptions as `body`.
    pub delete: Option<String>,
    /// Any request: `POST /apis/...`.
    pub raw: Option<String>,
    /// GET, again and again, until the reply is as `until` says; `gone` stands for 404.
    pub wait: Option<String>,
    /// GET, again and again for `within` seconds, and never is the reply as `be` says.
    pub never: Option<String>,
    /// Opens a watch.
    pub watch: Option<String>,
    /// The next events of a watch: `[TYPE, name or pattern]`.
    pub see: Option<Vec<(String, Value)>>,
    /// Writes `bytes` at the beginning of a claim's disk, as a guest would, once the claim is bound.
    pub write: Option<String>,
    /// What stands at the beginning of a claim's disk is `bytes`, once the claim is bound.
    pub read: Option<String>,

    pub body: Option<Value>,
    /// A body that is no JSON.
    pub text: Option<String>,
    /// A body that is no text.
    pub base64: Option<String>,
    pub json: Option<Value>,
    pub merge: Option<Value>,
    pub query: Map<String, Value>,
    /// The namespace, `${ns}` unless said.
    pub r#in: Option<String>,
    /// Who asks, an administrator unless said.
    pub r#as: Option<User>,
    pub accept: Option<String>,
    pub headers: BTreeMap<String, String>,

    pub until: Option<Value>,
    pub be: Option<Value>,
    /// How many seconds it may take; a request is repeated meanwhile.
    pub within: Option<f64>,
    /// The name of a watch, where there are several.
    pub of: Option<String>,
    pub bytes: Option<String>,
    pub expect: Expect,
    /// Names for parts of the reply, by their JSON pointers.
    pub save: BTreeMap<String, String>,
}

/// Whom the administrator impersonates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub user: String,
    #[serde(default)]
    pub groups: Vec<String>,
}

/// What a reply must be: a code alone, or more. Without a code it is a success.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Wanted")]
pub struct Expect {
    pub code: Option<u16>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub body: Option<Value>,
    /// The `Warning` headers' texts, all of them.
    pub warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Code(u16),
    Full(Full),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    code: Option<u16>,
    reason: Option<String>,
    message: Option<String>,
    body: Option<Value>,
    warnings: Option<Vec<String>>,
}

impl From<Wanted> for Expect {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Code(code) => Self { code: Some(code), ..Self::default() },
            Wanted::Full(Full { code, reason, message, body, warnings }) => Self { code, reason, message, body, warnings },
        }
    }
}

impl Step {
    /// Reads a step whose names in `${}` stand or are replaced.
    pub fn read(step: &Value) -> Result<Self> {
        let read: Self = serde_json::from_value(step.clone()).with_context(|| step.to_string())?;
        let verbs = ["create", "get", "put", "patch", "delete", "raw", "wait", "never", "watch", "see", "write", "read"];
        let said = verbs.iter().filter(|verb| step.get(**verb).is_some()).count();
        ensure!(said == 1, "{said} verbs instead of one in {step}");
        ensure!(read.patch.is_some() == (read.json.is_some() || read.merge.is_some()), "a patch has json or merge: {step}");
        ensure!(read.wait.is_some() == read.until.is_some(), "wait and until belong together: {step}");
        ensure!(read.never.is_some() == (read.be.is_some() && read.within.is_some()), "never has be and within: {step}");
        ensure!((read.write.is_some() || read.read.is_some()) == read.bytes.is_some(), "bytes are written or read: {step}");
        Ok(read)
    }
}

/// All cases of a folder, by file and then in their order, checked; and the objects that they say something `like`.
pub struct Book {
    pub cases: Vec<Case>,
    pub objects: Map<String, Value>,
}

impl Book {
    /// Reads `objects.yaml` and `cases/*.yaml`.
    pub fn open(folder: &Path) -> Result<Self> {
        let objects = parse(&folder.join("objects.yaml"))?;
        let entries = fs::read_dir(folder.join("cases"))?;
        let mut files: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        let mut cases: Vec<Case> = Vec::new();
        for file in files {
            let read: Vec<Case> = parse(&file)?;
            let subject = file.file_stem().and_then(|stem| stem.to_str()).context("a file without a name")?;
            cases.extend(read.into_iter().map(|case| Case { subject: subject.to_owned(), ..case }));
        }
        for (number, case) in cases.iter().enumerate() {
            ensure!(!cases[..number].iter().any(|other| other.title() == case.title()), "two cases are called {}", case.title());
            case.check()?;
        }
        Ok(Self { cases, objects })
    }
}

fn parse<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_saphyr::from_str(&text).with_context(|| file.display().to_string())
}
