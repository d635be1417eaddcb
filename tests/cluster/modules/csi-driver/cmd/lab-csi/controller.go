package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const defaultSize = 64 << 20

type controller struct {
	csi.UnimplementedControllerServer
	store *store
}

func (c *controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	reply := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		reply.Capabilities = append(reply.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: kind}},
		})
	}
	return reply, nil
}

func (c *controller) CreateVolume(ctx context.Context, req *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if err := required("name", req.Name); err != nil {
		return nil, err
	}
	if len(req.VolumeCapabilities) == 0 {
		return nil, status.Error(codes.InvalidArgument, "volume capabilities are missing")
	}
	id := idOf("vol", req.Name)
	end, err := c.store.begin(id)
	if err != nil {
		return nil, err
	}
	defer end()

	source, origin, atLeast, err := c.source(req.VolumeContentSource)
	if err != nil {
		return nil, err
	}
	if known, ok := c.store.volume(id); ok {
		if known.Source != source || !fits(known.Size, req.CapacityRange) {
			return nil, status.Errorf(codes.AlreadyExists, "volume %s exists with another size or source", req.Name)
		}
		return created(id, known, req), nil
	}

	size, err := sizeWithin(req.CapacityRange, atLeast)
	if err != nil {
		return nil, err
	}
	if err := c.store.reserve(id, size); err != nil {
		return nil, err
	}
	if err := c.store.fill(ctx, volumesFolder, id, size, origin); err != nil {
		return nil, err
	}
	volume := volume{Name: req.Name, Size: size, Source: source}
	if err := c.store.update(func(state *state) { state.Volumes[id] = volume }); err != nil {
		return nil, err
	}
	return created(id, volume, req), nil
}

func created(id string, volume volume, req *csi.CreateVolumeRequest) *csi.CreateVolumeResponse {
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId: id, CapacityBytes: volume.Size, ContentSource: req.VolumeContentSource,
	}}
}

// source finds what a new volume is copied from: its id, its disk and its size.
func (c *controller) source(content *csi.VolumeContentSource) (id, disk string, size int64, err error) {
	switch {
	case content.GetVolume() != nil:
		id = content.GetVolume().VolumeId
		volume, ok := c.store.volume(id)
		if !ok {
			return "", "", 0, status.Errorf(codes.NotFound, "source volume %q", id)
		}
		return id, c.store.disk(volumesFolder, id), volume.Size, nil
	case content.GetSnapshot() != nil:
		id = content.GetSnapshot().SnapshotId
		snapshot, ok := c.store.snapshot(id)
		if !ok {
			return "", "", 0, status.Errorf(codes.NotFound, "source snapshot %q", id)
		}
		return id, c.store.disk(snapshotsFolder, id), snapshot.Size, nil
	}
	return "", "", 0, nil
}

// sizeWithin is the size to give for a range: what it requires, else what the source has.
func sizeWithin(capacity *csi.CapacityRange, source int64) (int64, error) {
	size := capacity.GetRequiredBytes()
	if size == 0 {
		size = source
	}
	if size == 0 {
		size = defaultSize
		if limit := capacity.GetLimitBytes(); limit != 0 {
			size = min(size, limit)
		}
	}
	if size < source {
		return 0, status.Errorf(codes.OutOfRange, "%d bytes are less than the source's %d", size, source)
	}
	if !fits(size, capacity) {
		return 0, status.Errorf(codes.OutOfRange, "%d bytes are out of range", size)
	}
	return size, nil
}

func fits(size int64, capacity *csi.CapacityRange) bool {
	limit := capacity.GetLimitBytes()
	return size >= capacity.GetRequiredBytes() && (limit == 0 || size <= limit)
}

func (c *controller) DeleteVolume(_ context.Context, req *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if err := required("volume id", req.VolumeId); err != nil {
		return nil, err
	}
	if _, ok := c.store.volume(req.VolumeId); !ok {
		return &csi.DeleteVolumeResponse{}, nil
	}
	return &csi.DeleteVolumeResponse{}, c.store.remove(volumesFolder, req.VolumeId)
}

func (c *controller) ControllerExpandVolume(_ context.Context, req *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	if err := required("volume id", req.VolumeId); err != nil {
		return nil, err
	}
	if req.CapacityRange == nil {
		return nil, status.Error(codes.InvalidArgument, "capacity range is missing")
	}
	end, err := c.store.begin(req.VolumeId)
	if err != nil {
		return nil, err
	}
	defer end()
	volume, ok := c.store.volume(req.VolumeId)
	if !ok {
		return nil, status.Errorf(codes.NotFound, "volume %q", req.VolumeId)
	}

	if wanted := req.CapacityRange.RequiredBytes; wanted > volume.Size {
		if err := c.store.reserve(req.VolumeId, wanted-volume.Size); err != nil {
			return nil, err
		}
		if err := os.Truncate(c.store.disk(volumesFolder, req.VolumeId), wanted); err != nil {
			return nil, err
		}
		volume.Size = wanted
		if err := c.store.update(func(state *state) { state.Volumes[req.VolumeId] = volume }); err != nil {
			return nil, err
		}
	}
	if !fits(volume.Size, req.CapacityRange) {
		return nil, status.Errorf(codes.OutOfRange, "the volume already has %d bytes", volume.Size)
	}
	return &csi.ControllerExpandVolumeResponse{
		CapacityBytes:         volume.Size,
		NodeExpansionRequired: req.VolumeCapability.GetBlock() == nil, // a file system has to grow, too
	}, nil
}

func (c *controller) ValidateVolumeCapabilities(_ context.Context, req *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if err := required("volume id", req.VolumeId); err != nil {
		return nil, err
	}
	if len(req.VolumeCapabilities) == 0 {
		return nil, status.Error(codes.InvalidArgument, "volume capabilities are missing")
	}
	if _, ok := c.store.volume(req.VolumeId); !ok {
		return nil, status.Errorf(codes.NotFound, "volume %q", req.VolumeId)
	}
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: req.VolumeCapabilities},
	}, nil
}

func (c *controller) CreateSnapshot(ctx context.Context, req *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if err := required("name", req.Name); err != nil {
		return nil, err
	}
	if err := required("source volume id", req.SourceVolumeId); err != nil {
		return nil, err
	}
	id := idOf("snap", req.Name)
	end, err := c.store.begin(id)
	if err != nil {
		return nil, err
	}
	defer end()

	if known, ok := c.store.snapshot(id); ok {
		if known.Volume != req.SourceVolumeId {
			return nil, status.Errorf(codes.AlreadyExists, "snapshot %s exists of another volume", req.Name)
		}
		return &csi.CreateSnapshotResponse{Snapshot: describe(id, known)}, nil
	}
	volume, ok := c.store.volume(req.SourceVolumeId)
	if !ok {
		return nil, status.Errorf(codes.NotFound, "source volume %q", req.SourceVolumeId)
	}

	snapshot := snapshot{Name: req.Name, Volume: req.SourceVolumeId, Size: volume.Size, Created: time.Now()}
	if err := c.store.fill(ctx, snapshotsFolder, id, volume.Size, c.store.disk(volumesFolder, req.SourceVolumeId)); err != nil {
		return nil, err
	}
	if err := c.store.update(func(state *state) { state.Snapshots[id] = snapshot }); err != nil {
		return nil, err
	}
	return &csi.CreateSnapshotResponse{Snapshot: describe(id, snapshot)}, nil
}

func describe(id string, snapshot snapshot) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId: id, SourceVolumeId: snapshot.Volume, SizeBytes: snapshot.Size,
		CreationTime: timestamppb.New(snapshot.Created), ReadyToUse: true,
	}
}

func (c *controller) DeleteSnapshot(_ context.Context, req *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if err := required("snapshot id", req.SnapshotId); err != nil {
		return nil, err
	}
	if _, ok := c.store.snapshot(req.SnapshotId); !ok {
		return &csi.DeleteSnapshotResponse{}, nil
	}
	return &csi.DeleteSnapshotResponse{}, c.store.remove(snapshotsFolder, req.SnapshotId)
}

func (c *controller) ListSnapshots(_ context.Context, req *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	c.store.mu.Lock()
	snapshots := maps.Clone(c.store.state.Snapshots)
	c.store.mu.Unlock()

	reply := &csi.ListSnapshotsResponse{}
	for _, id := range slices.Sorted(maps.Keys(snapshots)) {
		snapshot := describe(id, snapshots[id])
		if (req.SnapshotId == "" || req.SnapshotId == id) && (req.SourceVolumeId == "" || req.SourceVolumeId == snapshot.SourceVolumeId) {
			reply.Entries = append(reply.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: snapshot})
		}
	}

	// A page's token is the number of entries before it.
	first := 0
	if req.StartingToken != "" {
		var err error
		if first, err = strconv.Atoi(req.StartingToken); err != nil || first < 0 || first > len(reply.Entries) {
			return nil, status.Errorf(codes.Aborted, "starting token %q", req.StartingToken)
		}
	}
	end := len(reply.Entries)
	if limit := int(req.MaxEntries); limit > 0 && first+limit < end {
		end = first + limit
		reply.NextToken = strconv.Itoa(end)
	}
	reply.Entries = reply.Entries[first:end]
	return reply, nil
}

func required(what, value string) error {
	if value == "" {
		return status.Errorf(codes.InvalidArgument, "%s is missing", what)
	}
	return nil
}
