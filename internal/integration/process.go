package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is a server's program over all its lives. What embeds it starts it
// under mu and sets run. Its methods may be called by any goroutine.
type process struct {
	mu  sync.Mutex
	run *run // nil when not running
}

// run is one life of the process.
type run struct {
	process *os.Process
	exited  chan struct{} // closed after err is set
	err     error
}

var errNotRunning = errors.New("integration: the server is not running")

// spawn starts the program in a goroutine that keeps its thread: Linux kills
// the child when the thread that started it ends, and that must not be before
// our own process does.
func spawn(output *os.File, program string, args ...string) (*run, error) {
	r := &run{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd := exec.Command(program, args...)
		cmd.Stdout, cmd.Stderr = output, output
		cmd.SysProcAttr = dieWithParent()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("integration: %w", err)
			return
		}
		r.process = cmd.Process
		started <- nil
		r.err = cmd.Wait()
		close(r.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return r, nil
}

// await asks ready until it agrees, the process ends, or ctx does. An error of
// hopeless ends it too; nil as a function never does.
func (r *run) await(ctx context.Context, ready func(context.Context) error, hopeless func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if hopeless != nil {
			if why := hopeless(); why != nil {
				return why
			}
		}
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-r.exited:
			ended := fmt.Errorf("the process ended: %w", r.err)
			if hopeless != nil {
				ended = errors.Join(hopeless(), ended)
			}
			return ended
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// Kill ends the server as a power cut would, and waits for its end.
func (p *process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kill()
}

// kill expects mu to be held.
func (p *process) kill() {
	if p.run == nil {
		return
	}
	_ = p.run.process.Kill() // fails only if it has ended
	<-p.run.exited
	p.run = nil
}

// Stop ends the server in an orderly way, and waits for its end.
func (p *process) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return
	}
	_ = p.run.process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-p.run.exited:
		p.run = nil
	case <-timer.C:
		p.kill()
	}
}

// Pause freezes the server: its sockets stay open and nothing answers.
func (p *process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (p *process) Continue() error { return p.signal(syscall.SIGCONT) }

func (p *process) signal(s os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return errNotRunning
	}
	if err := p.run.process.Signal(s); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	return nil
}

// Exited is closed when the running server has ended, for whatever reason. It
// is nil when none is running.
func (p *process) Exited() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return nil
	}
	return p.run.exited
}

// PID is the process of the running server, 0 if there is none.
func (p *process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return 0
	}
	return p.run.process.Pid
}
