package main

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain is also the plain relay, which a rig starts as this program again.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == partPlain {
		if err := plainRelay(context.Background(), os.Args[2], os.Args[3]); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestParse(t *testing.T) {
	o, parts, err := parse([]string{"relay", "-server", "prosody", "-only", "hidden,tcp", "-seconds", "1.5"})
	require.NoError(t, err)
	assert.Equal(t, []string{"relay"}, parts)
	assert.Equal(t, []string{wayTCP, wayHidden}, o.ways())
	assert.Equal(t, []string{serverProsody}, o.serverNames())
	assert.Equal(t, 5, o.runs)

	_, parts, err = parse([]string{"-runs", "1", "passwords"})
	require.NoError(t, err)
	assert.Equal(t, []string{"passwords"}, parts)
	_, parts, err = parse([]string{partPlain, "127.0.0.1:1", "127.0.0.1:2"})
	require.NoError(t, err)
	assert.Len(t, parts, 3)

	for _, bad := range [][]string{{"-only", "carrier-pigeon"}, {"-what", ""}, {"-server", "x"}, {"-runs", "0"}, {"-seconds", "0"}} {
		_, _, err := parse(bad)
		assert.Error(t, err, bad)
	}
	assert.ErrorContains(t, bench(t.Context(), o, []string{"nothing"}), "relay, parser and passwords")
}

// Which parts a way has: the two of ours log in once, and what is there for
// comparison alone is not measured to the end.
func TestPartsOfAWay(t *testing.T) {
	o, _, err := parse(nil)
	require.NoError(t, err)
	assert.Equal(t, []string{partTalk}, o.parts(wayGateway, 0))
	assert.Equal(t, []string{partTalk, partLogin, partIdle}, o.parts(wayHidden, 4))
	assert.Equal(t, []string{partTalk, partLogin, partIdle}, o.parts(wayTCP, memoryRuns-1))
	assert.Equal(t, []string{partTalk, partLogin}, o.parts(wayTCP, memoryRuns))
	assert.Equal(t, []string{partTalk, partIdle}, o.parts(wayNginx, 0))
	o.only, o.what = wayGateway, partIdle
	assert.Equal(t, []string{partIdle}, o.parts(wayGateway, 0))
}
