package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// lab is a driver that serves on a socket of its own until the test ends.
type lab struct {
	*testing.T
	csi.ControllerClient
	dir, socket string
}

func start(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	// A socket's path may not be long, and a test's folder may be.
	sockets, err := os.MkdirTemp("", "lab-csi")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(sockets, "csi.sock")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, "unix://"+socket, dir, "lab.vmmove.io", "node1") }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		os.RemoveAll(sockets)
	})

	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &lab{t, csi.NewControllerClient(conn), dir, socket}
}

func (l *lab) put(file, text string) {
	l.Helper()
	path := filepath.Join(l.dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) read(file string) string {
	l.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, file))
	if err != nil {
		l.Fatal(err)
	}
	return string(text)
}

func (l *lab) create(ctx context.Context, name string, size int64, source *csi.VolumeContentSource) (string, error) {
	reply, err := l.CreateVolume(ctx, &csi.CreateVolumeRequest{
		Name: name, CapacityRange: &csi.CapacityRange{RequiredBytes: size}, VolumeContentSource: source,
		VolumeCapabilities: []*csi.VolumeCapability{{
			AccessType: &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}},
			AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
		}},
	})
	return reply.GetVolume().GetVolumeId(), err
}

func (l *lab) mustCreate(name string, size int64, source *csi.VolumeContentSource) string {
	l.Helper()
	id, err := l.create(context.Background(), name, size, source)
	if err != nil {
		l.Fatal(err)
	}
	return id
}

func (l *lab) wants(code codes.Code, err error) {
	l.Helper()
	if status.Code(err) != code {
		l.Errorf("got %v, want %v", err, code)
	}
}

func ofVolume(id string) *csi.VolumeContentSource {
	return &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Volume{
		Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: id},
	}}
}

func ofSnapshot(id string) *csi.VolumeContentSource {
	return &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Snapshot{
		Snapshot: &csi.VolumeContentSource_SnapshotSource{SnapshotId: id},
	}}
}

func TestSanity(t *testing.T) {
	l := start(t)
	config := sanity.NewTestConfig()
	// The suite misses a connection that is ready at once, and waits a minute for the next change; so take a while.
	config.Address = "passthrough:///" + l.socket
	config.DialOptions = append(config.DialOptions, grpc.WithContextDialer(func(ctx context.Context, socket string) (net.Conn, error) {
		time.Sleep(100 * time.Millisecond)
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}))
	config.TargetPath = filepath.Join(l.dir, "target")
	config.StagingPath = filepath.Join(l.dir, "staging")
	sanity.Test(t, config)
}

func TestBytesTravelByCloneAndSnapshot(t *testing.T) {
	l := start(t)
	source := l.mustCreate("source", 1<<20, nil)
	disk := filepath.Join("data", source, "disk.img")
	l.put(disk, "first"+l.read(disk)[5:])

	snapshot, err := l.CreateSnapshot(context.Background(), &csi.CreateSnapshotRequest{Name: "s", SourceVolumeId: source})
	if err != nil {
		t.Fatal(err)
	}
	clone := l.mustCreate("clone", 2<<20, ofVolume(source))
	l.put(disk, "other"+l.read(disk)[5:])
	restored := l.mustCreate("restored", 1<<20, ofSnapshot(snapshot.Snapshot.SnapshotId))

	for id, size := range map[string]int{clone: 2 << 20, restored: 1 << 20} {
		text := l.read(filepath.Join("data", id, "disk.img"))
		if !strings.HasPrefix(text, "first\x00") || len(text) != size {
			t.Errorf("%s: %d bytes, beginning with %q", id, len(text), text[:6])
		}
	}
}

func TestFailsAsOftenAsAsked(t *testing.T) {
	l := start(t)
	l.put("fail/CreateVolume", "2 ResourceExhausted the pool is full\n")
	for range 2 {
		_, err := l.create(context.Background(), "v", 1<<20, nil)
		l.wants(codes.ResourceExhausted, err)
		if message := status.Convert(err).Message(); message != "the pool is full" {
			t.Errorf("message %q", message)
		}
	}
	id := l.mustCreate("v", 1<<20, nil)

	l.put("fail/DeleteVolume", "Internal")
	for range 3 {
		_, err := l.DeleteVolume(context.Background(), &csi.DeleteVolumeRequest{VolumeId: id})
		l.wants(codes.Internal, err)
	}

	want := strings.Repeat("CreateVolume v ResourceExhausted\n", 2) + "CreateVolume v OK\n" +
		strings.Repeat("DeleteVolume "+id+" Internal\n", 3)
	if log := l.read("calls.log"); log != want {
		t.Errorf("calls.log:\n%swant:\n%s", log, want)
	}
}

func TestMistypedFaultIsLoud(t *testing.T) {
	l := start(t)
	l.put("fail/CreateVolume", "Abortet")
	_, err := l.create(context.Background(), "v", 1<<20, nil)
	l.wants(codes.Internal, err)
}

func TestCopyIsHeldCancelledAndReleased(t *testing.T) {
	l := start(t)
	source := l.mustCreate("source", 1<<20, nil)
	l.put("delay/copy", "1h")

	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := l.create(ctx, "clone", 1<<20, ofVolume(source))
	l.wants(codes.DeadlineExceeded, err)

	// Volumes that are not copied pass by; the clone comes once the file is gone.
	l.mustCreate("blank", 1<<20, nil)
	time.AfterFunc(100*time.Millisecond, func() { os.Remove(filepath.Join(l.dir, "delay/copy")) })
	for {
		_, err := l.create(context.Background(), "clone", 1<<20, ofVolume(source))
		if status.Code(err) != codes.Aborted { // the call given up above may still be under way
			l.wants(codes.OK, err)
			break
		}
	}
}

func TestCopyFailsWithoutATrace(t *testing.T) {
	l := start(t)
	source := l.mustCreate("source", 1<<20, nil)
	l.put("fail/copy", "1 Unavailable later")
	_, err := l.create(context.Background(), "clone", 1<<20, ofVolume(source))
	l.wants(codes.Unavailable, err)
	if entries, _ := os.ReadDir(filepath.Join(l.dir, "data")); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	l.mustCreate("clone", 1<<20, ofVolume(source))
}

func TestCapacityIsKept(t *testing.T) {
	l := start(t)
	l.put("capacity", "3145728\n")
	id := l.mustCreate("a", 2<<20, nil)
	_, err := l.create(context.Background(), "b", 2<<20, nil)
	l.wants(codes.ResourceExhausted, err)
	l.mustCreate("c", 1<<20, nil)
	_, err = l.ControllerExpandVolume(context.Background(), &csi.ControllerExpandVolumeRequest{
		VolumeId: id, CapacityRange: &csi.CapacityRange{RequiredBytes: 3 << 20},
	})
	l.wants(codes.ResourceExhausted, err)
}

func TestRestartKeepsVolumesAndDropsHalfCopies(t *testing.T) {
	l := start(t)
	id := l.mustCreate("v", 1<<20, nil)
	l.put("data/vol-x.part/disk.img", "half")

	store, err := openStore(l.dir, &faults{dir: l.dir})
	if err != nil {
		t.Fatal(err)
	}
	if volume, ok := store.volume(id); !ok || volume.Size != 1<<20 {
		t.Errorf("volume %v", volume)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "data/vol-x.part")); err == nil {
		t.Error("the half copy is still there")
	}
}
