//! What objects may be called (kubernetes/apimachinery 0.36 `pkg/util/validation/validation.go`).

use super::catalog::{self, Res};
use super::status::Cause;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an \
    alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric \
    character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// What is wrong with the name of an object of a kind, if anything is.
pub fn wrong(resource: Res, name: &str) -> Option<Cause> {
    let cause = |why: &str| Some(Cause::invalid("metadata.name", &name.into(), why));
    if resource.group == "rbac.authorization.k8s.io" {
        let bad = matches!(name, "." | "..") || name.contains(['/', '%']);
        return if bad { cause("may not be '.' or '..' and may not contain '/' or '%'") } else { None };
    }
    let is_label = resource == &catalog::NAMESPACE || resource == &catalog::SERVICE;
    let (longest, words) = if is_label { (63, LABEL) } else { (253, SUBDOMAIN) };
    let part = |part: &str| {
        let ends_well = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let letters = part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        letters && ends_well(part.as_bytes().first()) && ends_well(part.as_bytes().last())
    };
    if name.len() > longest {
        return cause(&format!("must be no more than {longest} characters"));
    }
    let good = if is_label { part(name) } else { name.split('.').all(part) };
    if good { None } else { cause(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_end_well() {
        for (kind, name, good) in [
            (&catalog::CONFIG_MAP, "kube-root-ca.crt", true),
            (&catalog::CONFIG_MAP, "Not_A_Name", false),
            (&catalog::CONFIG_MAP, "-a", false),
            (&catalog::CONFIG_MAP, "a..b", false),
            (&catalog::NAMESPACE, "a.b", false),
            (&catalog::CLUSTER_ROLE, "system:discovery", true),
            (&catalog::CLUSTER_ROLE, "a/b", false),
        ] {
            assert_eq!(wrong(kind, name).is_none(), good, "{name}");
        }
    }
}
