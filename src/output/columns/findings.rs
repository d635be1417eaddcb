//! What checks have to say, the worst first, each with its hint below.

use jiff::Timestamp;

use crate::model::finding::{Finding, Severity};
use crate::model::kind::{self, Kind};
use crate::output::colour::Paint;
use crate::output::table::{Column, Tabular};

/// The findings in the order of the table: the worst first, else as they came.
pub fn sorted(findings: &[Finding]) -> Vec<Finding> {
    let mut sorted = findings.to_vec();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    sorted
}

impl Tabular for Finding {
    const COLUMNS: &'static [Column] = &[Column::new("SEVERITY"), Column::new("CODE"), Column::new("OBJECT"), Column::new("MESSAGE")];

    fn cells(&self, _: Timestamp) -> Vec<String> {
        vec![word(self.severity).to_owned(), self.code.clone(), short(self.object.kind, &self.object.name), self.message.clone()]
    }

    fn notes(&self) -> Vec<String> {
        self.hint
            .iter()
            .flat_map(|hint| hint.lines().enumerate())
            .map(|(n, line)| format!("{}{line}", if n == 0 { "hint: " } else { "      " }))
            .collect()
    }

    fn paint(&self, paint: Paint, line: String) -> String {
        let rest = line.trim_start_matches(word(self.severity)).to_owned();
        match self.severity {
            Severity::Info => line,
            Severity::Warning => paint.doubtful(word(self.severity)) + &rest,
            Severity::Blocking => paint.bad(word(self.severity)) + &rest,
        }
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Info",
        Severity::Warning => "Warning",
        Severity::Blocking => "Blocking",
    }
}

/// Kinds with a short name that kubectl takes too.
const SHORT: &[(Kind, &str)] = &[
    (kind::VM, "vm"),
    (kind::VMI, "vmi"),
    (kind::CLAIM, "pvc"),
    (kind::VOLUME, "pv"),
    (kind::DATA_VOLUME, "dv"),
    (kind::STORAGE_CLASS, "sc"),
    (kind::NAMESPACE, "ns"),
    (kind::SERVICE, "svc"),
    (kind::SERVICE_ACCOUNT, "sa"),
    (kind::CONFIG_MAP, "cm"),
    (kind::QUOTA, "quota"),
    (kind::NETWORK_ATTACHMENT, "net-attach-def"),
];

/// An object as people type it: `vm/db-1`, `pvc/db-1-data`.
pub fn short(kind: Kind, name: &str) -> String {
    let short = SHORT.iter().find(|(known, _)| *known == kind).map_or_else(|| kind.kind.to_lowercase(), |(_, short)| (*short).to_owned());
    format!("{short}/{name}")
}
