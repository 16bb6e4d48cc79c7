package main

import (
	"os"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThereIsRoomForFiles(t *testing.T) {
	startServing(t, writeConfig(t, jsonLog), nil)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	size := regexp.MustCompile(`FDSize:\t(\d+)`).FindSubmatch(status)
	require.NotNil(t, size)
	slots, err := strconv.Atoi(string(size[1]))
	require.NoError(t, err)
	require.GreaterOrEqual(t, uint64(slots), min(limit.Cur, mostFiles), "of the kernel's table")
}
