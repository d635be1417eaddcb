// CDI's own API server (admission webhooks and upload tokens), on a chosen address and with chosen keys.
// CDI's command insists on port 8443 and on fixed paths, so that two laboratories could not share a host.
package main

import (
	"context"
	"flag"
	"net"
	"strconv"

	snapshots "github.com/kubernetes-csi/external-snapshotter/client/v6/clientset/versioned"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"kubevirt.io/containerized-data-importer/pkg/apiserver"
	cdi "kubevirt.io/containerized-data-importer/pkg/client/clientset/versioned"
	cdischeme "kubevirt.io/containerized-data-importer/pkg/client/clientset/versioned/scheme"
	certwatcher "kubevirt.io/containerized-data-importer/pkg/util/cert/watcher"
	tlswatcher "kubevirt.io/containerized-data-importer/pkg/util/tls-crypto-watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8443", "address to serve on")
	cert := flag.String("cert", "", "serving certificate")
	key := flag.String("key", "", "key of the serving certificate")
	klog.InitFlags(nil)
	flag.Parse() // --kubeconfig is registered by controller-runtime's config package
	log.SetLogger(klog.NewKlogr())

	if err := serve(signals.SetupSignalHandler(), config.GetConfigOrDie(), *listen, *cert, *key); err != nil {
		klog.Fatal(err)
	}
}

func serve(ctx context.Context, cfg *rest.Config, listen, cert, key string) error {
	host, service, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return err
	}

	kube := kubernetes.NewForConfigOrDie(cfg)
	cdiClient := cdi.NewForConfigOrDie(cfg)
	objects, err := newObjectClient(cfg)
	if err != nil {
		return err
	}

	auth, err := apiserver.NewAuthConfigWatcher(ctx, kube)
	if err != nil {
		return err
	}
	authorizer, err := apiserver.NewAuthorizorFromConfig(cfg, auth)
	if err != nil {
		return err
	}
	tls, err := tlswatcher.NewCdiConfigTLSWatcher(ctx, cdiClient)
	if err != nil {
		return err
	}
	certs, err := certwatcher.New(cert, key)
	if err != nil {
		return err
	}

	server, err := apiserver.NewCdiAPIServer(host, uint(port), kube, aggregator.NewForConfigOrDie(cfg), cdiClient,
		snapshots.NewForConfigOrDie(cfg), objects, authorizer, auth, tls, certs, nil)
	if err != nil {
		return err
	}
	go func() {
		if err := certs.Start(ctx.Done()); err != nil {
			klog.Error(err)
		}
	}()
	return server.Start(ctx.Done())
}

func newObjectClient(cfg *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kubescheme.AddToScheme, cdischeme.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return client.New(cfg, client.Options{Scheme: scheme})
}
