package extauth

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Slim gives back what the start of the process read of the program's file: the
// whole of Trunkline is in it, and a pipe uses little of that. The kernel reads
// a page again when it is used. It is no loss if it does not work.
func Slim() {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range unchanged(smaps) {
		// Fails only for memory that is not there any more.
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.start, m.end-m.start, syscall.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// unchanged lists the mappings in an smaps file (proc_pid_smaps(5)) that are as
// in their files, every page of them, and stay so: they cannot be written to, and
// the loader has not written to them either before it took that right away.
// Anything else must never be given back: what was written would be lost.
//
//	00400000-0147b000 r-xp 00000000 fe:00 1234   /usr/local/bin/trunkline
//	Size:              16876 kB
//	Anonymous:             0 kB
func unchanged(smaps []byte) (list []mapping) {
	var candidate *mapping
	for line := range bytes.Lines(smaps) {
		fields := strings.Fields(string(line))
		switch {
		case len(fields) >= 5 && !strings.HasSuffix(fields[0], ":"):
			candidate = nil
			if len(fields) == 6 && strings.HasPrefix(fields[5], "/") && (fields[1] == "r-xp" || fields[1] == "r--p") {
				candidate = parseMapping(fields[0])
			}
		case candidate != nil && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0":
			list = append(list, *candidate)
			candidate = nil
		}
	}
	return list
}

// parseMapping reads START-END, nil if that is none.
func parseMapping(s string) *mapping {
	from, to, _ := strings.Cut(s, "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	if err1 != nil || err2 != nil || start >= end {
		return nil
	}
	return &mapping{uintptr(start), uintptr(end)}
}
