package gateway

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// resting watches the connections of streams that have been silent for a
// while, so that no goroutine has to: whoever reads there leaves a function
// behind and ends, and the function is called when there is something to read.
// Any goroutine may call its methods.
type resting struct {
	mu      sync.Mutex
	queue   int // the descriptor of the epoll instance
	open    bool
	last    uint64
	readers map[uint64]func()
}

// run watches until ctx ends. Whoever rests then is called.
func (r *resting) run(ctx context.Context) error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("gateway: epoll: %w", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("gateway: epoll: %w", err)
	}
	// Go's own poller watches the instance like any other file.
	file := os.NewFile(uintptr(fd), "epoll")
	defer file.Close()
	conn, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("gateway: epoll: %w", err)
	}
	r.mu.Lock()
	r.queue, r.open, r.readers = fd, true, map[uint64]func(){}
	r.mu.Unlock()
	defer r.close()
	stop := context.AfterFunc(ctx, func() { _ = file.Close() })
	defer stop()
	var events [128]syscall.EpollEvent
	for {
		n := 0
		if err := conn.Read(func(fd uintptr) bool {
			n, err = syscall.EpollWait(int(fd), events[:], 0)
			return n > 0
		}); err != nil {
			return ctx.Err() // the file was closed
		}
		for _, e := range events[:n] {
			r.wake(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32)
		}
	}
}

func (r *resting) close() {
	r.mu.Lock()
	readers := r.readers
	r.open, r.readers = false, nil
	r.mu.Unlock()
	for _, read := range readers {
		read()
	}
}

// ticket is for one call of rest.
func (r *resting) ticket() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	return r.last
}

// rest has read called, once, when there is something to read on the
// descriptor, its end included, or wake is called with the ticket. It may run
// before rest returns. False: it will not be called.
func (r *resting) rest(ticket uint64, fd uintptr, read func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		return false
	}
	e := syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT,
		Fd:     int32(ticket), Pad: int32(ticket >> 32),
	}
	err := syscall.EpollCtl(r.queue, syscall.EPOLL_CTL_MOD, int(fd), &e)
	if err == syscall.ENOENT {
		err = syscall.EpollCtl(r.queue, syscall.EPOLL_CTL_ADD, int(fd), &e)
	}
	if err != nil {
		return false
	}
	r.readers[ticket] = read
	return true
}

// wake calls the function that was left with the ticket, if it has not been.
func (r *resting) wake(ticket uint64) {
	r.mu.Lock()
	read := r.readers[ticket]
	delete(r.readers, ticket)
	r.mu.Unlock()
	if read != nil {
		read()
	}
}
