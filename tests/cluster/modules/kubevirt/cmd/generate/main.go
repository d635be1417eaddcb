// Prints what KubeVirt's operator would create, as one JSON document: CRDs, accounts and roles, webhooks, API services.
package main

import (
	"encoding/json"
	"log"
	"os"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	extensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/rbac"
)

const namespace = "kubevirt"

type document struct {
	CRDs        []*extensionsv1.CustomResourceDefinition `json:"crds"`
	Objects     []any                                    `json:"objects"`
	Webhooks    []any                                    `json:"webhooks"`
	APIServices []any                                    `json:"apiservices"`
}

func main() {
	doc := document{
		CRDs:    crds(),
		Objects: objects(),
		Webhooks: []any{
			components.NewVirtAPIMutatingWebhookConfiguration(namespace),
			components.NewVirtLauncherPodMutatingWebhookConfiguration(namespace),
			components.NewVirtAPIValidatingWebhookConfiguration(namespace),
		},
		APIServices: anys(components.NewVirtAPIAPIServices(namespace)),
	}
	if err := json.NewEncoder(os.Stdout).Encode(doc); err != nil {
		log.Fatal(err)
	}
}

func crds() (crds []*extensionsv1.CustomResourceDefinition) {
	for _, create := range []func() (*extensionsv1.CustomResourceDefinition, error){
		components.NewKubeVirtCrd,
		components.NewVirtualMachineCrd,
		components.NewVirtualMachineInstanceCrd,
		components.NewVirtualMachineInstanceMigrationCrd,
		components.NewPresetCrd,
		components.NewReplicaSetCrd,
		components.NewVirtualMachinePoolCrd,
		components.NewVirtualMachineSnapshotCrd,
		components.NewVirtualMachineSnapshotContentCrd,
		components.NewVirtualMachineRestoreCrd,
		components.NewVirtualMachineExportCrd,
		components.NewVirtualMachineBackupCrd,
		components.NewVirtualMachineBackupTrackerCrd,
		components.NewVirtualMachineInstancetypeCrd,
		components.NewVirtualMachineClusterInstancetypeCrd,
		components.NewVirtualMachinePreferenceCrd,
		components.NewVirtualMachineClusterPreferenceCrd,
		components.NewMigrationPolicyCrd,
		components.NewVirtualMachineCloneCrd,
	} {
		crds = append(crds, must(create()))
	}
	return crds
}

// objects come in an order in which they can be created; the last ones need the CRDs.
func objects() []any {
	priority := components.NewKubeVirtPriorityClassCR()
	priority.APIVersion = schedulingv1.SchemeGroupVersion.String()

	objects := []any{
		&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: namespace},
		},
		// The API server dials an ExternalName itself: no endpoints, no DNS.
		&corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: components.VirtApiServiceName},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
		},
		priority,
	}
	for _, object := range slices.Concat(
		rbac.GetAllCluster(),
		rbac.GetAllApiServer(namespace),
		rbac.GetAllController(namespace, true),
		rbac.GetAllHandler(namespace),
		rbac.GetAllExportProxy(namespace),
	) {
		objects = append(objects, withGroup(object))
	}
	objects = append(objects, anys(must(components.NewClusterInstancetypes()))...)
	return append(objects, anys(must(components.NewClusterPreferences()))...)
}

// withGroup mends roles and bindings, to which KubeVirt gives the version of the core group.
func withGroup(object runtime.Object) runtime.Object {
	switch object.(type) {
	case *rbacv1.Role, *rbacv1.RoleBinding, *rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding:
		kind := object.GetObjectKind()
		kind.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind(kind.GroupVersionKind().Kind))
	}
	return object
}

func anys[T any](values []T) (anys []any) {
	for _, value := range values {
		anys = append(anys, value)
	}
	return anys
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
