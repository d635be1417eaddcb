package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// faults delays and fails calls as files ask for it, and writes calls.log.
//
// delay/<place> holds a duration; changing or removing the file changes a wait under way.
// fail/<place> holds `[count] Code message`; with a count only that many calls fail.
// A place is the name of an RPC, or `copy`: after the bytes of a clone, a snapshot or a restored volume
// are copied and before they count.
type faults struct {
	dir string
	mu  sync.Mutex
}

func (f *faults) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	rpc := path.Base(info.FullMethod)
	err := f.at(ctx, rpc)
	var reply any
	if err == nil {
		reply, err = handle(ctx, req)
	}
	if logged := f.log(rpc, subject(req), status.Code(err)); logged != nil {
		return nil, logged
	}
	return reply, err
}

// at waits and fails as the files for a place say.
func (f *faults) at(ctx context.Context, place string) error {
	if err := f.wait(ctx, place); err != nil {
		return err
	}
	return f.fail(place)
}

func (f *faults) wait(ctx context.Context, place string) error {
	for start := time.Now(); ; {
		text, err := f.read("delay", place)
		if err != nil || text == "" {
			return err
		}
		delay, err := time.ParseDuration(text)
		if err != nil {
			return status.Errorf(codes.Internal, "delay/%s: %v", place, err)
		}
		if time.Since(start) >= delay {
			return nil
		}
		select {
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (f *faults) fail(place string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, err := f.read("fail", place)
	if err != nil || text == "" {
		return err
	}
	first, rest, _ := strings.Cut(text, " ")
	if count, err := strconv.Atoi(first); err == nil {
		if err := f.countDown(place, count, rest); err != nil {
			return err
		}
		first, rest, _ = strings.Cut(rest, " ")
	}
	code, ok := codesByName[first]
	if !ok {
		return status.Errorf(codes.Internal, "fail/%s: no code is named %q", place, first)
	}
	return status.Error(code, rest)
}

func (f *faults) countDown(place string, count int, rest string) error {
	file := filepath.Join(f.dir, "fail", place)
	if count <= 1 {
		return os.Remove(file)
	}
	return os.WriteFile(file, fmt.Appendf(nil, "%d %s", count-1, rest), 0o644)
}

// read returns the text of a file, empty if there is none.
func (f *faults) read(folder, place string) (string, error) {
	text, err := os.ReadFile(filepath.Join(f.dir, folder, place))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

func (f *faults) log(rpc, subject string, result codes.Code) error {
	file, err := os.OpenFile(filepath.Join(f.dir, "calls.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = fmt.Fprintf(file, "%s %s %s\n", rpc, subject, result)
	return err
}

// subject is what a call is about: the name of what it creates, else an id, else a dash.
func subject(req any) string {
	subject := ""
	switch req := req.(type) {
	case interface{ GetName() string }:
		subject = req.GetName()
	case interface{ GetSnapshotId() string }:
		subject = req.GetSnapshotId()
	case interface{ GetVolumeId() string }:
		subject = req.GetVolumeId()
	}
	if subject == "" {
		return "-"
	}
	return subject
}

var codesByName = func() map[string]codes.Code {
	names := map[string]codes.Code{}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		names[code.String()] = code
	}
	return names
}()
