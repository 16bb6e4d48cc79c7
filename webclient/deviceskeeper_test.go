package webclient

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// keeper is a double of the keeper of device passwords.
type keeper struct {
	now func() time.Time

	mu     sync.Mutex
	list   map[string][]Device // by account, newest first
	made   int
	fail   error  // of the next calls
	during func() // called while issuing
}

func newKeeper(now func() time.Time) *keeper { return &keeper{now: now, list: map[string][]Device{}} }

func (k *keeper) IssueDevice(_ context.Context, account, service, name string) (Device, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return Device{}, "", k.fail
	}
	k.made++
	d := Device{ID: fmt.Sprintf("dev%d", k.made), Name: name, Service: service, Created: k.now()}
	if service == serviceSIP {
		d.Login = "alice-abcde"
	}
	k.list[account] = append([]Device{d}, k.list[account]...)
	if k.during != nil {
		k.mu.Unlock()
		k.during()
		k.mu.Lock()
	}
	return d, fmt.Sprintf("tld-secret-%d", k.made), nil
}

func (k *keeper) Devices(_ context.Context, account string) ([]Device, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.list[account]), k.fail
}

func (k *keeper) RevokeDevice(_ context.Context, account, id, _ string) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := len(k.list[account])
	k.list[account] = slices.DeleteFunc(k.list[account], func(d Device) bool { return d.ID == id })
	return len(k.list[account]) < before, k.fail
}

func (k *keeper) change(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

var _ DeviceKeeper = (*keeper)(nil)
