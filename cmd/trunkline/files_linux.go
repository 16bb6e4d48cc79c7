package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// mostFiles bounds the table of open files that is made at the start: half a
// megabyte of the kernel's memory.
const mostFiles = 1 << 16

// makeRoomForFiles has the kernel make the table of this process's open files as
// large as it may become, while nobody waits. It doubles by itself when a
// connection more does not fit, but in a process of several threads the one that
// asked, and all who open a file meanwhile, wait until every processor has passed
// through the scheduler: 10 ms and more, at 256 files, 512, 1,024 and so on.
func makeRoomForFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	last := min(limit.Cur, mostFiles) - 1
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, int(last))
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
