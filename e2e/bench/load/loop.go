package load

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// patience is how long nothing may happen at all before something is broken.
const patience = 20 * time.Second

// Loop is the clients' event loop. One goroutine uses it.
type Loop struct {
	epoll, timer int
	streams      map[int32]*Stream
	events       []syscall.EpollEvent
	buf          []byte
	err          error
	hungAfter    time.Duration

	tick func(now time.Time) (next time.Time) // called when the timer is due, and at the start of a run
	next time.Time                            // when it is
	done func() bool
}

// New makes a loop without streams. Close it.
func New() (*Loop, error) {
	l := &Loop{
		epoll: -1, timer: -1, hungAfter: hungAfter,
		streams: map[int32]*Stream{}, events: make([]syscall.EpollEvent, 256), buf: make([]byte, 128<<10),
	}
	var err error
	if l.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	const monotonic = 1
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		l.Close()
		return nil, fmt.Errorf("load: timerfd: %w", errno)
	}
	l.timer = int(fd)
	if err := l.watch(l.timer, syscall.EPOLL_CTL_ADD, syscall.EPOLLIN); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close cuts all streams.
func (l *Loop) Close() {
	for _, s := range l.streams {
		s.cut()
	}
	for _, fd := range []int{l.timer, l.epoll} {
		if fd >= 0 {
			_ = syscall.Close(fd)
		}
	}
}

func (l *Loop) watch(fd, op int, events uint32) error {
	e := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	if err := syscall.EpollCtl(l.epoll, op, fd, &e); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	return nil
}

// after makes the timer due in d; a d of zero or less means at once.
func (l *Loop) after(d time.Duration) error {
	d = max(d, 1)
	spec := [2]syscall.Timespec{{}, syscall.NsecToTimespec(int64(d))}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, uintptr(l.timer), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("load: timerfd: %w", errno)
	}
	return nil
}

// run handles events until done says so, a stream fails, ctx ends, or nothing
// happens for the patience. tick is called at once and then whenever the time
// has come that it asked for; a zero time is never.
func (l *Loop) run(ctx context.Context, tick func(now time.Time) time.Time, done func() bool) error {
	l.tick, l.next, l.done, l.err = tick, time.Time{}, done, nil
	if err := l.due(); err != nil {
		return err
	}
	quiet := time.Duration(0)
	const wait = 250 * time.Millisecond
	for l.err == nil && !l.done() {
		n, err := syscall.EpollWait(l.epoll, l.events, int(wait/time.Millisecond))
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("load: epoll: %w", err)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if quiet += wait; n > 0 || time.Now().Before(l.next) {
			quiet = 0
		}
		if quiet > patience {
			return fmt.Errorf("load: nothing has come for %s", patience)
		}
		for _, e := range l.events[:max(n, 0)] {
			l.handle(e)
		}
	}
	return l.err
}

func (l *Loop) handle(e syscall.EpollEvent) {
	if int(e.Fd) == l.timer {
		var count [8]byte
		_, _ = syscall.Read(l.timer, count[:]) // how often it was due is of no interest
		if err := l.due(); err != nil {
			l.fail(err)
		}
		return
	}
	s := l.streams[e.Fd]
	if s == nil {
		return // closed by an earlier event of the same batch
	}
	if err := s.event(e.Events); err != nil {
		err = fmt.Errorf("load: stream of %s: %w", s.account.Name, err)
		if s.lost == nil || s.step >= stepReady {
			l.fail(err)
			return
		}
		s.cut()
		s.lost(err)
	}
}

// due calls tick and sets the timer for the next time.
func (l *Loop) due() error {
	if l.tick == nil {
		return nil
	}
	if l.next = l.tick(time.Now()); l.next.IsZero() {
		return nil
	}
	return l.after(time.Until(l.next))
}

// fail ends the run with the first error.
func (l *Loop) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}
