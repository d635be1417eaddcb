//! kubectl as a judge: what people do with it works on the sandbox, and prints what it would print anywhere.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::build;
use crate::serving::{Said, Serving};

/// The laboratory's, of the line that is played; whichever is on the path, such as Debian's; and the one that `VMMOVE_KUBECTL` names.
fn judges() -> Vec<String> {
    let runs = |program: &String| Command::new(program).args(["version", "--client"]).output().is_ok_and(|output| output.status.success());
    let others = ["kubectl".to_owned()].into_iter().chain(std::env::var("VMMOVE_KUBECTL").ok()).filter(runs);
    std::iter::once(build::build_one("kubectl").unwrap()).chain(others).collect()
}

/// kubectl at a sandbox.
struct Judge {
    sandbox: Serving,
    program: String,
}

impl Judge {
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(line.split_whitespace()).current_dir(self.sandbox.home.path()).stdin(Stdio::null());
        command.env("HOME", self.sandbox.home.path()).env("KUBECONFIG", &self.sandbox.kubeconfig);
        command
    }

    fn types(&self, line: &str) -> Said {
        self.sandbox.runs(self.command(line))
    }

    fn does(&self, line: &str) -> String {
        let said = self.types(line);
        assert_eq!(said.code, 0, "{} {line}: {said:?}", self.program);
        said.stdout
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(Path::new(self.sandbox.home.path()).join(file), text).unwrap();
    }
}

#[test]
fn kubectl_does_what_people_do_with_it() {
    for program in judges() {
        let judge = Judge { sandbox: Serving::start("--speed 20"), program };
        println!("{}", judge.does("version --client").lines().next().unwrap_or_default());
        looks(&judge);
        writes(&judge);
        makes(&judge);
        asks(&judge);
        watches(&judge);
    }
}

fn looks(judge: &Judge) {
    let machines = judge.does("get vm -n shop");
    let titles: Vec<&str> = machines.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(titles, ["NAME", "AGE", "STATUS", "READY"], "{machines}");
    assert!(machines.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == ["db-1", "41d", "Running", "True"]), "{machines}");
    assert!(judge.does("get vm,pvc,dv -A").contains("persistentvolumeclaim/db-1-data"));
    assert!(judge.does("get pvc db-1-data -n shop -o yaml").contains("volumeName: pvc-"));
    assert_eq!(judge.does("get vm -n shop -o name -l tier=data"), "virtualmachine.kubevirt.io/db-1\n");
    assert_eq!(judge.does("get pvc -n shop --field-selector metadata.name=old-7 -o name"), "persistentvolumeclaim/old-7\n");
    let all = judge.does("api-resources --verbs=list -o name");
    for kind in ["virtualmachines.kubevirt.io", "persistentvolumeclaims", "datavolumes.cdi.kubevirt.io"] {
        assert!(all.lines().any(|line| line == kind), "{all}");
    }
    let gone = judge.types("get vm nobody -n shop");
    assert_eq!((gone.code, gone.stderr.as_str()), (1, "Error from server (NotFound): virtualmachines.kubevirt.io \"nobody\" not found\n"));
}

fn writes(judge: &Judge) {
    judge.write("map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes, namespace: shop}\ndata: {a: \"1\"}\n");
    // An old one wants schemas to check a manifest with before it is sent, and there are none here.
    let create = if judge.types("create --dry-run=server -f map.yaml").code == 0 { "create" } else { "create --validate=false" };
    assert_eq!(judge.does(&format!("{create} -f map.yaml")), "configmap/notes created\n");
    assert!(judge.types(&format!("{create} -f map.yaml")).stderr.contains("configmaps \"notes\" already exists"));
    assert_eq!(judge.does("label cm notes -n shop app=db"), "configmap/notes labeled\n");
    assert_eq!(judge.does("annotate cm notes -n shop why=none"), "configmap/notes annotated\n");
    assert_eq!(judge.does("patch cm notes -n shop --type merge -p {\"data\":{\"b\":\"2\"}}"), "configmap/notes patched\n");
    let json = "[{\"op\":\"test\",\"path\":\"/data/b\",\"value\":\"2\"},{\"op\":\"replace\",\"path\":\"/data/b\",\"value\":\"3\"}]";
    assert_eq!(judge.does(&format!("patch cm notes -n shop --type json -p {json}")), "configmap/notes patched\n");
    let stale = judge.types(&format!("patch cm notes -n shop --type json -p {json}"));
    assert_eq!(stale.code, 1, "{stale:?}");
    assert_eq!(judge.does("get cm notes -n shop -o jsonpath={.data.b}{.metadata.labels.app}{.metadata.annotations.why}"), "3dbnone");
    judge.write("map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes, namespace: shop}\ndata: {c: \"4\"}\n");
    assert_eq!(judge.does("replace --validate=false -f map.yaml"), "configmap/notes replaced\n");
    assert_eq!(judge.does("get cm notes -n shop -o jsonpath={.data}"), "{\"c\":\"4\"}");
    assert!(judge.does("delete cm notes -n shop").contains("configmap \"notes\" deleted"));
    assert!(judge.does("delete vm web-1 -n shop --cascade=orphan").contains("\"web-1\" deleted"));
    assert!(judge.does("get pvc web-1 -n shop").contains("Bound"));
}

/// What `kubectl create` makes by name, which recent ones send as protobuf.
fn makes(judge: &Judge) {
    assert_eq!(judge.does("create namespace more"), "namespace/more created\n");
    assert_eq!(judge.does("create configmap made -n more --from-literal=a=1"), "configmap/made created\n");
    assert_eq!(judge.does("get cm made -n more -o jsonpath={.data}"), "{\"a\":\"1\"}");
    judge.does("create secret generic made -n more --from-literal=password=hi");
    assert_eq!(judge.does("get secret made -n more -o jsonpath={.type},{.data.password}"), "Opaque,aGk=");
    judge.does("create service clusterip web -n more --tcp=80:8080");
    assert_eq!(judge.does("get svc web -n more -o jsonpath={.spec.ports[0].port},{.spec.ports[0].targetPort},{.spec.selector.app}"), "80,8080,web");
    judge.does("create quota small -n more --hard=configmaps=2");
    assert!(judge.types("create configmap again -n more --from-literal=a=1").stderr.contains("exceeded quota: small"));
    judge.does("create serviceaccount robot -n more");
    judge.does("create role reader -n more --verb=get,list --resource=pods");
    judge.does("create rolebinding reader -n more --role=reader --serviceaccount=more:robot");
    assert_eq!(judge.does("auth can-i list pods -n more --as system:serviceaccount:more:robot"), "yes\n");
    judge.does("create clusterrole nodes --verb=list --resource=nodes");
    judge.does("create clusterrolebinding nodes --clusterrole=nodes --user=bob");
    assert_eq!(judge.does("auth can-i list nodes --as bob"), "yes\n");
    judge.does("create job hello -n more --image=none -- true");
    judge.does("wait job/hello -n more --for=condition=Complete --timeout=60s");
    assert!(judge.does("delete namespace more --wait=false").contains("\"more\" deleted"));
}

fn asks(judge: &Judge) {
    assert!(judge.does("wait vm/db-1 -n shop --for=condition=Ready --timeout=30s").contains("condition met"));
    // One that was built from modules has no version of its own, and says so with its exit code.
    assert!(judge.types("version").stdout.contains("Server Version"));
    assert_eq!(judge.does("auth can-i patch vm -n shop"), "yes\n");
    let nobody = judge.types("auth can-i delete pvc -n shop --as bob");
    assert_eq!((nobody.code, nobody.stdout.as_str()), (1, "no\n"), "{nobody:?}");
}

/// A watch shows what is there, and then what happens.
fn watches(judge: &Judge) {
    let mut watching = judge.command("get cm -n prod -w -o name").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert_eq!(first, "configmap/kube-root-ca.crt");
    judge.write("later.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later, namespace: prod}\n");
    judge.does("create --validate=false -f later.yaml");
    assert_eq!(lines.next().unwrap(), "configmap/later");
    watching.kill().unwrap();
    watching.wait().unwrap();
}
