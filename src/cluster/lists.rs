//! Lists of objects, page by page. What is listed is looked at only, and stays as packed as it came.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::call::Cluster;
use super::error::{ApiError, Reason};
use super::path::{collection, with_query};
use super::request::{Call, JSON, METADATA_LIST, TABLE};
use crate::model::kind::{self, Kind};
use crate::model::manifest::{Item, Manifest};

/// How many objects a page of a list has, as kubectl asks.
const PAGE: &str = "500";

/// A page of a list, or of the table of one. A list without items may say null.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Page {
    metadata: PageMeta,
    items: Option<Vec<Item>>,
    column_definitions: Vec<Column>,
    rows: Option<Vec<Line>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageMeta {
    #[serde(rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

#[derive(Deserialize)]
struct Line {
    cells: Vec<Value>,
    object: Item,
}

/// An object in few words: its metadata, and what the server tells people about it.
pub struct Row {
    /// Its metadata alone.
    pub object: Manifest,
    /// By the names of the columns.
    cells: BTreeMap<String, String>,
}

impl Row {
    /// What stands in a column, if there is one and it says something.
    pub fn cell(&self, column: &str) -> Option<&str> {
        self.cells.get(column).map(String::as_str)
    }
}

impl Page {
    fn objects(self, kind: Kind) -> Vec<Manifest> {
        // The server leaves out what each item is, or says that it is PartialObjectMetadata.
        self.items.into_iter().flatten().map(|item| item.of_kind(kind)).collect()
    }

    fn table(self, kind: Kind) -> Vec<Row> {
        let columns = self.column_definitions;
        let row = |line: Line| {
            let cells = columns.iter().zip(&line.cells).filter_map(|(column, cell)| Some((column.name.clone(), cell.as_str()?.to_owned())));
            Row { object: line.object.of_kind(kind), cells: cells.filter(|(_, cell)| !cell.is_empty()).collect() }
        };
        self.rows.into_iter().flatten().map(row).collect()
    }
}

impl Cluster {
    /// All objects of a kind, in one namespace or in all, in pages. `NotFound` means that the server does not serve the kind.
    pub async fn list(&self, kind: Kind, namespace: Option<&str>, label_selector: Option<&str>) -> Result<Vec<Manifest>, ApiError> {
        self.pages(kind, namespace, &[("labelSelector", label_selector.unwrap_or_default())], JSON, |page| page.objects(kind)).await
    }

    /// As [`Cluster::list`], but metadata only: what Secrets hold is never asked for.
    pub async fn list_metadata(&self, kind: Kind, namespace: Option<&str>, label_selector: Option<&str>) -> Result<Vec<Manifest>, ApiError> {
        self.pages(kind, namespace, &[("labelSelector", label_selector.unwrap_or_default())], METADATA_LIST, |page| page.objects(kind)).await
    }

    /// As [`Cluster::list`], but of each object only what the server's table says of it: little to send, and quickly there.
    pub async fn list_rows(&self, kind: Kind, namespace: Option<&str>, label_selector: Option<&str>) -> Result<Vec<Row>, ApiError> {
        self.pages(kind, namespace, &[("labelSelector", label_selector.unwrap_or_default())], TABLE, |page| page.table(kind)).await
    }

    /// As [`Cluster::list`], of those that a field selector picks, such as `involvedObject.uid=…`; an empty one picks all.
    pub async fn list_fields(&self, kind: Kind, namespace: Option<&str>, fields: &str) -> Result<Vec<Manifest>, ApiError> {
        self.pages(kind, namespace, &[("fieldSelector", fields)], JSON, |page| page.objects(kind)).await
    }

    /// The events that a field selector picks: also those about objects that are gone.
    pub async fn events(&self, namespace: &str, fields: &str) -> Result<Vec<Manifest>, ApiError> {
        self.list_fields(kind::EVENT, Some(namespace), fields).await
    }

    /// A list page by page; from the start and in one piece when the pages went stale on the way.
    async fn pages<T>(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        query: &[(&str, &str)],
        accept: &'static str,
        found_on: impl Fn(Page) -> Vec<T>,
    ) -> Result<Vec<T>, ApiError> {
        let path = collection(kind, &kind.api_version(), namespace);
        let mut found = Vec::new();
        let (mut limit, mut token) = (PAGE, String::new());
        loop {
            let page: Vec<_> = query.iter().copied().chain([("limit", limit), ("continue", token.as_str())]).collect();
            let call = Call::new(Method::GET, with_query(&path, &page)).accept(accept);
            let answer = match self.call_aloud(&call).await {
                Err(error) if error.reason == Reason::Gone && !token.is_empty() => {
                    (limit, token) = ("", String::new());
                    found.clear();
                    continue;
                }
                other => other?,
            };
            let mut page: Page = answer.read(&call)?;
            token = std::mem::take(&mut page.metadata.next);
            found.extend(found_on(page));
            if token.is_empty() {
                return Ok(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::cluster::scripted::{Reply, in_turn};

    #[tokio::test]
    async fn a_list_is_read_page_by_page_and_its_items_say_what_they_are() {
        let (cluster, log) = in_turn(vec![
            Reply::ok(json!({"metadata": {"continue": "two="}, "items": [{"metadata": {"name": "a"}}]})),
            Reply::ok(json!({"metadata": {}, "items": [{"metadata": {"name": "b"}}]})),
        ]);
        let claims = cluster.list(kind::CLAIM, Some("shop"), Some("app=db")).await.unwrap();
        assert_eq!(claims.iter().map(Manifest::name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((claims[0].kind_name(), claims[0].api_version()), ("PersistentVolumeClaim", "v1"));
        assert_eq!(log.all()[0].query, "labelSelector=app%3Ddb&limit=500");
        assert_eq!(log.all()[1].query, "labelSelector=app%3Ddb&limit=500&continue=two%3D");
    }

    #[tokio::test]
    async fn a_list_whose_pages_went_stale_is_read_again_in_one_piece() {
        let (cluster, log) = in_turn(vec![
            Reply::ok(json!({"metadata": {"continue": "x"}, "items": [{"metadata": {"name": "a"}}]})),
            Reply::status(410, "Expired", "too old"),
            Reply::list(vec![json!({"metadata": {"name": "a"}}), json!({"metadata": {"name": "b"}})]),
        ]);
        assert_eq!(cluster.list(kind::NODE, None, None).await.unwrap().len(), 2);
        assert_eq!(log.all()[2].query, "");
    }

    #[tokio::test]
    async fn a_table_has_a_row_for_each_object_and_leaves_out_what_says_nothing() {
        let (cluster, log) = in_turn(vec![Reply::ok(json!({
            "kind": "Table", "metadata": {}, "columnDefinitions": [{"name": "Name"}, {"name": "Status"}, {"name": "Ready"}],
            "rows": [{"cells": ["a", "Running", null], "object": {"kind": "PartialObjectMetadata", "metadata": {"name": "a", "labels": {"x": "y"}}}}],
        }))]);
        let rows = cluster.list_rows(kind::VM, Some("shop"), None).await.unwrap();
        let row = &rows[0];
        assert_eq!((row.object.name(), row.object.label("x"), row.cell("Status"), row.cell("Ready")), ("a", Some("y"), Some("Running"), None));
        assert!(log.all()[0].headers["accept"].to_str().unwrap().contains("as=Table"));
    }

    #[tokio::test]
    async fn secrets_are_listed_without_what_they_hold() {
        let (cluster, log) = in_turn(vec![Reply::list(vec![json!({"kind": "PartialObjectMetadata", "metadata": {"name": "login"}})])]);
        assert_eq!(cluster.list_metadata(kind::SECRET, Some("shop"), None).await.unwrap()[0].kind_name(), "Secret");
        assert!(log.all()[0].headers["accept"].to_str().unwrap().contains("as=PartialObjectMetadataList"));
    }
}
