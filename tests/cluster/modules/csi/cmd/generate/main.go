// Prints the CRDs of volume snapshots and group snapshots as one JSON document.
// They come as files of the snapshot client's module.
package main

import (
	"encoding/json"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

const module = "github.com/kubernetes-csi/external-snapshotter/client/v8"

type document struct {
	CRDs        []map[string]any `json:"crds"`
	Objects     []any            `json:"objects"`
	Webhooks    []any            `json:"webhooks"`
	APIServices []any            `json:"apiservices"`
}

func main() {
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		log.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(folder)), "config", "crd", "*.yaml"))
	if err != nil {
		log.Fatal(err)
	}

	doc := document{Objects: []any{}, Webhooks: []any{}, APIServices: []any{}}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		var object map[string]any
		if err := yaml.Unmarshal(text, &object); err != nil {
			log.Fatalf("%s: %v", file, err)
		}
		if object["kind"] == "CustomResourceDefinition" { // the folder holds a kustomization, too
			doc.CRDs = append(doc.CRDs, object)
		}
	}
	if len(doc.CRDs) == 0 {
		log.Fatalf("no CRDs in %s", module)
	}
	if err := json.NewEncoder(os.Stdout).Encode(doc); err != nil {
		log.Fatal(err)
	}
}
