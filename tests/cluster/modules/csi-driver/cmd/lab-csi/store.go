package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	volumesFolder   = "data"
	snapshotsFolder = "snapshots"
)

type volume struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Source string `json:"source,omitempty"` // id of the volume or snapshot it was copied from
}

type snapshot struct {
	Name    string    `json:"name"`
	Volume  string    `json:"volume"`
	Size    int64     `json:"size"`
	Created time.Time `json:"created"`
}

type state struct {
	Volumes   map[string]volume   `json:"volumes"`
	Snapshots map[string]snapshot `json:"snapshots"`
}

// store keeps volumes and snapshots: what they are in state.json, their bytes in a sparse file each.
type store struct {
	dir    string
	faults *faults

	mu    sync.Mutex // held briefly, never while bytes are copied
	state state
	busy  map[string]int64 // ids that a call is working on, with the bytes it is about to add
}

func openStore(dir string, faults *faults) (*store, error) {
	s := &store{
		dir: dir, faults: faults, busy: map[string]int64{},
		state: state{Volumes: map[string]volume{}, Snapshots: map[string]snapshot{}},
	}
	for _, folder := range []string{volumesFolder, snapshotsFolder} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return nil, err
		}
		parts, err := filepath.Glob(s.folder(folder, "*.part"))
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			if err := os.RemoveAll(part); err != nil {
				return nil, err
			}
		}
	}
	text, err := os.ReadFile(s.stateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(text, &s.state)
}

// idOf makes creation repeatable: the same name always yields the same id.
func idOf(kind, name string) string {
	return fmt.Sprintf("%s-%x", kind, sha256.Sum256([]byte(name)))[:len(kind)+17]
}

func (s *store) stateFile() string { return filepath.Join(s.dir, "state.json") }

func (s *store) folder(kind, id string) string { return filepath.Join(s.dir, kind, id) }

func (s *store) disk(kind, id string) string { return filepath.Join(s.folder(kind, id), "disk.img") }

func (s *store) volume(id string) (volume, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	volume, ok := s.state.Volumes[id]
	return volume, ok
}

func (s *store) snapshot(id string) (snapshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot, ok := s.state.Snapshots[id]
	return snapshot, ok
}

// begin keeps other calls away from an id until end is called.
func (s *store) begin(id string) (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.busy[id]; ok {
		return nil, status.Errorf(codes.Aborted, "another call is working on %s", id)
	}
	s.busy[id] = 0
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.busy, id)
	}, nil
}

// reserve makes sure that the bytes which a call adds stay within the capacity, if there is one.
func (s *store) reserve(id string, bytes int64) error {
	text, err := os.ReadFile(filepath.Join(s.dir, "capacity"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	capacity, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return fmt.Errorf("capacity: %w", err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	used := int64(0)
	for _, volume := range s.state.Volumes {
		used += volume.Size
	}
	for _, pending := range s.busy {
		used += pending
	}
	if used+bytes > capacity {
		return status.Errorf(codes.ResourceExhausted, "%d bytes asked for, %d of %d in use", bytes, used, capacity)
	}
	s.busy[id] = bytes
	return nil
}

// update changes the state in memory and on disk.
func (s *store) update(change func(*state)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
	text, err := json.MarshalIndent(s.state, "", "  ")
	if err != nil {
		return err
	}
	part := s.stateFile() + ".part"
	if err := os.WriteFile(part, text, 0o644); err != nil {
		return err
	}
	return os.Rename(part, s.stateFile())
}

// fill makes the disk of a volume or snapshot, empty or as a copy. It appears whole or not at all.
func (s *store) fill(ctx context.Context, kind, id string, size int64, origin string) error {
	part := s.folder(kind, id+".part")
	defer os.RemoveAll(part)
	if err := os.MkdirAll(part, 0o755); err != nil {
		return err
	}
	disk := filepath.Join(part, "disk.img")
	if origin == "" {
		if err := os.WriteFile(disk, nil, 0o644); err != nil {
			return err
		}
	} else if err := s.copy(ctx, origin, disk); err != nil {
		return err
	}
	if err := os.Truncate(disk, size); err != nil {
		return err
	}
	// What a crash left between here and the entry in state.json.
	if err := os.RemoveAll(s.folder(kind, id)); err != nil {
		return err
	}
	return os.Rename(part, s.folder(kind, id))
}

func (s *store) copy(ctx context.Context, origin, disk string) error {
	output, err := exec.CommandContext(ctx, "cp", "--sparse=auto", "--reflink=auto", origin, disk).CombinedOutput()
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return s.faults.at(ctx, "copy")
}

// remove forgets before it deletes, so that a crash leaves no entry without bytes.
func (s *store) remove(kind, id string) error {
	end, err := s.begin(id)
	if err != nil {
		return err
	}
	defer end()
	err = s.update(func(state *state) {
		delete(state.Volumes, id)
		delete(state.Snapshots, id)
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(s.folder(kind, id))
}
