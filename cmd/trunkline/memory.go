package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// memory gives back to the system what a rush has left behind: when many people
// log in at once, the garbage of that and the stacks of goroutines that have
// ended would otherwise stay with the process for as long as nothing happens.
type memory struct {
	usage func() memoryUse
	free  func()

	before memoryUse // a moment ago
	after  memoryUse // when memory was given back last
	most   memoryUse // since then
}

// memoryUse is how much of the process's memory is used.
type memoryUse struct {
	goroutines uint64
	heap       uint64 // bytes of objects, dead ones included
	cycles     uint64 // of the garbage collector so far
}

// memoryEvery is the time between two looks.
const memoryEvery = time.Second

// What it takes to be worth a collection, and how many goroutines may come and
// go in a process at rest.
const (
	steadyGoroutines = 100

	worthGoroutines = 500
	worthBytes      = 8 << 20
)

func newMemory() *memory { return &memory{usage: readUsage, free: debug.FreeOSMemory} }

// Run looks after the memory until ctx ends.
func (m *memory) Run(ctx context.Context) error {
	t := time.NewTicker(memoryEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			m.look()
		}
	}
}

// look gives memory back if the process is at rest, which is when the collector
// had nothing to do since the last look, and there is enough of it.
func (m *memory) look() {
	now := m.usage()
	rests := now.cycles == m.before.cycles &&
		max(now.goroutines, m.before.goroutines)-min(now.goroutines, m.before.goroutines) <= steadyGoroutines
	m.before = now
	m.most.goroutines = max(m.most.goroutines, now.goroutines)
	if !rests || (m.most.goroutines < now.goroutines+worthGoroutines && now.heap < m.after.heap+max(worthBytes, m.after.heap/4)) {
		return
	}
	m.free()
	m.after = m.usage()
	m.before, m.most = m.after, m.after
}

func readUsage() memoryUse {
	s := []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(s)
	return memoryUse{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()}
}
