//! `version`: what this tool is, and what the server has.

use serde_json::{Value, json};

use super::Context;
use super::args::words::{Word, one_of};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::inventory::Stack;
use crate::output::format::Format;

#[derive(Clone, Copy, Debug)]
enum Document {
    Json,
    Yaml,
}

const DOCUMENTS: &[Word<Document>] = &[("json", Document::Json, "as JSON"), ("yaml", Document::Yaml, "as YAML")];

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # What runs here and there
  kubectl vmmove version

  # Only this tool, without asking a server
  kubectl vmmove version --client")]
pub struct Args {
    /// Ask no server
    #[arg(long)]
    pub client: bool,
    /// Output format: json or yaml
    #[arg(short, long, value_name = "FORMAT", value_parser = one_of(DOCUMENTS), hide_possible_values = true)]
    output: Option<Document>,
}

/// Prints the versions. The client's is printed even when the server does not answer.
///
/// # Errors
/// The server cannot be reached.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let stack = if args.client { Ok(None) } else { server(cx).await.map(Some) };
    cx.io.print(&show(stack.as_ref().ok().and_then(Option::as_ref), args.output)?)?;
    stack.map(|_| Code::DONE)
}

async fn server(cx: &Context) -> Result<Stack, Failure> {
    let cluster = cx.connect().await?;
    crate::survey::stack(&cluster).await
}

fn show(server: Option<&Stack>, document: Option<Document>) -> Result<String, Failure> {
    match document {
        None => Ok(lines(server)),
        Some(Document::Json) => Format::Json.one(&object(server)),
        Some(Document::Yaml) => Format::Yaml.one(&object(server)),
    }
}

fn lines(server: Option<&Stack>) -> String {
    let client = format!("Client Version: v{}\n", env!("CARGO_PKG_VERSION"));
    let Some(stack) = server else { return client };
    let parts = [("Server Version", &stack.kubernetes), ("KubeVirt", &stack.kubevirt), ("CDI", &stack.cdi), ("CSI Snapshot API", &stack.snapshots)];
    let lines = parts.map(|(part, version)| format!("{part}: {}\n", version.as_deref().unwrap_or("<unknown>")));
    client + &lines.concat()
}

fn object(server: Option<&Stack>) -> Value {
    let mut object = json!({"clientVersion": {
        "version": format!("v{}", env!("CARGO_PKG_VERSION")),
        "platform": platform(),
    }});
    if let Some(stack) = server {
        object["serverVersion"] = json!(stack);
    }
    object
}

/// Operating system and architecture as Go, and so kubectl, calls them.
fn platform() -> String {
    let system = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}/{architecture}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_of_the_server_is_said_to_be_unknown() {
        let stack = Stack { kubernetes: Some("v1.36.2".to_owned()), kubevirt: Some("v1.9.0".to_owned()), ..Stack::default() };
        let client = format!("Client Version: v{}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(lines(None), client);
        assert_eq!(lines(Some(&stack)), format!("{client}Server Version: v1.36.2\nKubeVirt: v1.9.0\nCDI: <unknown>\nCSI Snapshot API: <unknown>\n"));
        assert_eq!(object(Some(&stack))["serverVersion"]["kubevirt"], "v1.9.0");
        assert_eq!(object(None).get("serverVersion"), None);
    }
}
