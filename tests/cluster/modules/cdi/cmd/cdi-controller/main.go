// CDI's own controllers, with chosen keys and without a fixed port.
// CDI's command serves its metrics on port 8443 and reads keys from fixed paths.
package main

import (
	"context"
	"flag"
	"fmt"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v6/apis/volumesnapshot/v1"
	configv1 "github.com/openshift/api/config/v1"
	imagev1 "github.com/openshift/api/image/v1"
	routev1 "github.com/openshift/api/route/v1"
	securityv1 "github.com/openshift/api/security/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	extensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	cdischeme "kubevirt.io/containerized-data-importer/pkg/client/clientset/versioned/scheme"
	metrics "kubevirt.io/containerized-data-importer/pkg/monitoring/metrics/cdi-controller"
	"kubevirt.io/containerized-data-importer/pkg/util"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var (
	metricsAddress = flag.String("metrics", "0", "address to serve metrics on; 0 for none")
	lease          = flag.String("lease", "", "name of a lease to hold while running; empty for none")
	qps            = flag.Float64("qps", 50, "requests per second to the API server")
)

func main() {
	var files keyFiles
	var images images
	files.register()
	images.register()
	klog.InitFlags(nil)
	flag.Parse() // --kubeconfig is registered by controller-runtime's config package
	log.SetLogger(klog.NewKlogr())

	if err := run(signals.SetupSignalHandler(), config.GetConfigOrDie(), files, images); err != nil {
		klog.Fatal(err)
	}
}

func run(ctx context.Context, cfg *rest.Config, files keyFiles, images images) error {
	keys, err := files.read()
	if err != nil {
		return err
	}
	mgr, err := newManager(cfg)
	if err != nil {
		return err
	}
	if err := metrics.SetupMetrics(); err != nil {
		return err
	}
	if err := addControllers(ctx, mgr, keys, images); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func newManager(cfg *rest.Config) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		kubescheme.AddToScheme, cdischeme.AddToScheme, snapshotv1.AddToScheme, extensionsv1.AddToScheme,
		// Some controllers ask whether they run on OpenShift, by its kinds.
		configv1.Install, imagev1.Install, routev1.Install, securityv1.Install,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}

	// CDI's role lets it list these kinds in its own namespace only.
	namespace := util.GetNamespace()
	own := cache.ByObject{Field: fields.OneTermEqualSelector("metadata.namespace", namespace)}
	restricted := map[client.Object]cache.ByObject{
		&corev1.ConfigMap{}: own, &corev1.Secret{}: own,
		&batchv1.CronJob{}: own, &batchv1.Job{}: own,
		&networkingv1.Ingress{}: own,
	}

	cfg.QPS, cfg.Burst = float32(*qps), int(2*(*qps))
	mgr, err := manager.New(cfg, manager.Options{
		Scheme:                  scheme,
		Cache:                   cache.Options{ByObject: restricted},
		Metrics:                 server.Options{BindAddress: *metricsAddress},
		LeaderElection:          *lease != "",
		LeaderElectionID:        *lease,
		LeaderElectionNamespace: namespace,
	})
	if err != nil {
		return nil, fmt.Errorf("controller manager: %w", err)
	}
	return mgr, nil
}
