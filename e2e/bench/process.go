package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// tree is a process and all that have come from it, those alive now.
func tree(pid int) []int {
	children := map[int][]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // only a bad pattern is an error
	for _, file := range files {
		if f := statFields(file); len(f) > 1 {
			parent, _ := strconv.Atoi(f[1])
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			children[parent] = append(children[parent], child)
		}
	}
	list := []int{pid}
	for i := 0; i < len(list); i++ {
		list = append(list, children[list[i]]...)
	}
	return list
}

// statFields are the fields of /proc/PID/stat from the state on, nil if the
// process has ended. The name before them may hold anything.
func statFields(file string) []string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	end := bytes.LastIndexByte(raw, ')')
	return strings.Fields(string(raw[end+1:]))
}

// cpu is the processor time that the processes have had, user and system.
func cpu(pids []int) time.Duration {
	total := time.Duration(0)
	for _, pid := range pids {
		f := statFields(fmt.Sprintf("/proc/%d/stat", pid))
		if len(f) < 13 {
			continue
		}
		for _, field := range f[11:13] {
			ticks, _ := strconv.Atoi(field)
			total += time.Duration(ticks) * tick
		}
	}
	return total
}

// ownCPU is the processor time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rss is the resident memory of the processes, in bytes.
func rss(pids []int) int {
	pages := 0
	for _, pid := range pids {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)) // as long as it lives
		if f := strings.Fields(string(raw)); len(f) > 1 {
			n, _ := strconv.Atoi(f[1])
			pages += n
		}
	}
	return pages * os.Getpagesize()
}

// program is what stands before the server.
type program struct {
	addr string // host:port where it listens
	args []string
	env  []string // beside our own
	log  string

	cmd  *exec.Cmd
	done chan struct{}
}

// start runs the program and returns when it accepts connections.
func (p *program) start(ctx context.Context) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.args[0], err)
	}
	p.done = make(chan struct{})
	go func() { // ended by the process; joined by stop
		_ = p.cmd.Wait()
		close(p.done)
	}()
	deadline, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for {
		if conn, err := net.Dial("tcp", p.addr); err == nil {
			return conn.Close()
		}
		select {
		case <-every.C:
			continue
		case <-p.done:
			err = errors.New("it ended")
		case <-deadline.Done():
			err = deadline.Err()
		}
		raw, _ := os.ReadFile(p.log)
		p.stop()
		return fmt.Errorf("%s did not start: %w\n%s", strings.Join(p.args, " "), err, raw)
	}
}

// stop ends the program, and kills it if it does not.
func (p *program) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	t := time.NewTimer(10 * time.Second)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	p.cmd = nil
}

func (p *program) pid() int { return p.cmd.Process.Pid }

// usage is processor time by who had it.
type usage struct{ server, front, own time.Duration }

// meter reads the processor time between the two marks of a measurement.
type meter struct {
	server, front []int // processes
	marks         []usage
}

func (m *meter) mark() error {
	m.marks = append(m.marks, usage{cpu(m.server), cpu(m.front), ownCPU()})
	return nil
}

// used is what was used between the marks.
func (m *meter) used() (usage, error) {
	if len(m.marks) != 2 {
		return usage{}, fmt.Errorf("the measurement was marked %d times", len(m.marks))
	}
	a, b := m.marks[0], m.marks[1]
	return usage{b.server - a.server, b.front - a.front, b.own - a.own}, nil
}

func median(list []float64) float64 {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}
