// Prints what CDI's operator would create, as one JSON document: CRDs, accounts and roles, webhooks, API services.
package main

import (
	"cmp"
	"encoding/json"
	"log"
	"maps"
	"os"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"kubevirt.io/containerized-data-importer/pkg/operator/resources"
	"kubevirt.io/containerized-data-importer/pkg/operator/resources/cluster"
	"kubevirt.io/containerized-data-importer/pkg/operator/resources/namespaced"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const namespace = "cdi"

type document struct {
	CRDs        []any `json:"crds"`
	Objects     []any `json:"objects"`
	Webhooks    []any `json:"webhooks"`
	APIServices []any `json:"apiservices"`
}

func main() {
	clusterArgs := &cluster.FactoryArgs{Namespace: namespace}
	static := must(cluster.CreateAllStaticResources(clusterArgs))
	dynamic := must(cluster.CreateAllDynamicResources(clusterArgs))
	own := must(namespaced.CreateAllResources(&namespaced.FactoryArgs{Namespace: namespace}))

	doc := document{Objects: []any{
		&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: namespace},
		},
		// The API server dials an ExternalName itself: no endpoints, no DNS.
		&corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: cluster.APIServerServiceName},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
		},
	}}
	for _, name := range slices.Sorted(maps.Keys(resources.CDICRDs)) {
		var crd any
		if err := yaml.Unmarshal([]byte(resources.CDICRDs[name]), &crd); err != nil {
			log.Fatal(err)
		}
		doc.CRDs = append(doc.CRDs, crd)
	}
	objects := slices.Concat(static, own, dynamic)
	slices.SortFunc(objects, func(a, b client.Object) int { // CDI collects them in maps
		return cmp.Or(
			cmp.Compare(a.GetObjectKind().GroupVersionKind().Kind, b.GetObjectKind().GroupVersionKind().Kind),
			cmp.Compare(a.GetName(), b.GetName()),
		)
	})
	for _, object := range objects {
		doc.add(object)
	}
	if err := json.NewEncoder(os.Stdout).Encode(doc); err != nil {
		log.Fatal(err)
	}
}

// add leaves out what the harness runs as processes (deployments, services) and what is a CRD already.
func (d *document) add(object client.Object) {
	switch object.(type) {
	case *corev1.ServiceAccount, *rbacv1.Role, *rbacv1.RoleBinding, *rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding:
		d.Objects = append(d.Objects, object)
	case *admissionv1.MutatingWebhookConfiguration, *admissionv1.ValidatingWebhookConfiguration:
		d.Webhooks = append(d.Webhooks, object)
	case *apiregistrationv1.APIService:
		d.APIServices = append(d.APIServices, object)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
