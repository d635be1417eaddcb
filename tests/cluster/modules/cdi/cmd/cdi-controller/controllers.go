package main

import (
	"context"
	"errors"
	"flag"

	"kubevirt.io/containerized-data-importer/pkg/common"
	cdi "kubevirt.io/containerized-data-importer/pkg/controller"
	"kubevirt.io/containerized-data-importer/pkg/controller/datavolume"
	"kubevirt.io/containerized-data-importer/pkg/controller/populators"
	"kubevirt.io/containerized-data-importer/pkg/controller/transfer"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// No pod runs anything here, so any name of an image will do.
type images struct{ importer, cloner, uploadServer, ovirtPopulator string }

func (i *images) register() {
	flag.StringVar(&i.importer, "importer-image", "importer", "image of importer pods")
	flag.StringVar(&i.cloner, "cloner-image", "cloner", "image of cloner pods")
	flag.StringVar(&i.uploadServer, "uploadserver-image", "uploadserver", "image of upload pods")
	flag.StringVar(&i.ovirtPopulator, "ovirt-populator-image", "ovirt-populator", "image of oVirt populator pods")
}

const (
	uploadProxyService = "cdi-uploadproxy"
	pullPolicy         = common.DefaultPullPolicy
	verbosity          = "1" // of the pods that CDI starts
)

// addControllers registers all of CDI's controllers; each constructor adds itself to the manager.
// Images, pull policy and verbosity are all strings whose order differs from one constructor to the next.
func addControllers(ctx context.Context, mgr manager.Manager, keys keys, images images) error {
	if err := datavolume.CreateCommonIndexes(mgr); err != nil {
		return err
	}
	if err := populators.CreateCommonPopulatorIndexes(mgr); err != nil {
		return err
	}

	var failures []error
	add := func(_ controller.Controller, err error) { failures = append(failures, err) }
	log := log.Log.WithName("controller")
	public := &keys.token.PublicKey

	add(cdi.NewConfigController(mgr, log, uploadProxyService, common.ConfigName, nil))
	add(cdi.NewStorageProfileController(mgr, log, nil))
	add(cdi.NewDataSourceController(mgr, log, nil))
	add(cdi.NewDataImportCronController(mgr, log, images.importer, pullPolicy, nil))
	add(cdi.NewImportController(mgr, log, images.importer, pullPolicy, verbosity, nil))
	add(cdi.NewCloneController(mgr, log, images.cloner, pullPolicy, verbosity, keys.client, keys.server.bundle, public, nil))
	add(cdi.NewUploadController(mgr, log, images.uploadServer, pullPolicy, verbosity, keys.server, keys.client.bundle, nil))
	add(transfer.NewObjectTransferController(mgr, log, nil))

	add(datavolume.NewImportController(ctx, mgr, log, nil))
	add(datavolume.NewUploadController(ctx, mgr, log, nil))
	add(datavolume.NewPopulatorController(ctx, mgr, log, nil))
	add(datavolume.NewPvcCloneController(ctx, mgr, log, images.cloner, images.importer, pullPolicy, public, keys.token, nil))
	add(datavolume.NewSnapshotCloneController(ctx, mgr, log, images.cloner, images.importer, pullPolicy, public, keys.token, nil))

	add(populators.NewImportPopulator(ctx, mgr, log, nil))
	add(populators.NewUploadPopulator(ctx, mgr, log, nil))
	add(populators.NewForkliftPopulator(ctx, mgr, log, images.importer, images.ovirtPopulator, nil))
	add(populators.NewClonePopulator(ctx, mgr, log, images.cloner, pullPolicy, nil, public))
	return errors.Join(failures...)
}
