package extauth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// oracle knows alice, whose password is right.
type oracle struct {
	fault func(ctx context.Context) (string, error) // in place of knowledge

	mu    sync.Mutex
	asked [][4]string
}

func (o *oracle) Ask(ctx context.Context, op, user, host, secret string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, [4]string{op, user, host, secret})
	switch {
	case o.fault != nil:
		return o.fault(ctx)
	case user == "alice" && (op != "auth" || secret == "right"):
		return "yes", nil
	}
	return "no", nil
}

// piped runs requests through a pipe and returns its answers, "1" or "0" each,
// and its log.
func piped(t *testing.T, o *oracle, requests ...string) (answers, log string) {
	t.Helper()
	var in, out, logged bytes.Buffer
	for _, r := range requests {
		in.Write(framed(r))
	}
	p := &Pipe{In: &in, Out: &out, Asker: o, Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	require.NoError(t, p.Run(t.Context()))
	for b := out.Bytes(); len(b) > 0; b = b[4:] {
		require.GreaterOrEqual(t, len(b), 4)
		require.Equal(t, []byte{0, 2, 0}, b[:3])
		answers += string('0' + b[3])
	}
	return answers, logged.String()
}

func TestPipeAnswersInOrder(t *testing.T) {
	o := &oracle{}
	answers, _ := piped(t, o, "auth:alice:h:right", "auth:alice:h:wrong", "auth:bob:h:right", "isuser:alice:h", "isuser:bob:h", "auth:alice:h:right")
	require.Equal(t, "100101", answers)
}

func TestPipeRefusesToChangePeopleWhateverIsSaid(t *testing.T) {
	o := &oracle{fault: func(context.Context) (string, error) { return "yes", nil }}
	answers, _ := piped(t, o, "setpass:alice:h:the-new-one", "tryregister:alice:h:the-new-one", "removeuser:alice:h", "removeuser3:alice:h:the-new-one", "certauth:alice:h")
	require.Equal(t, "00000", answers)
	for _, asked := range o.asked {
		require.Empty(t, asked[3], "the secret went on: %v", asked[0])
	}
	require.Len(t, o.asked, 4, "the service hears of them, but for certificates")
}

func TestPipeTellsWhatIsUnknownAsNoForPasswordsAndYesForPeople(t *testing.T) {
	for name, fault := range map[string]func(context.Context) (string, error){
		"unknown": func(context.Context) (string, error) { return "unknown", nil },
		"error":   func(context.Context) (string, error) { return "yes", errors.New("away") },
		"nothing": func(context.Context) (string, error) { return "", nil },
	} {
		answers, log := piped(t, &oracle{fault: fault}, "auth:alice:h:right", "isuser:bob:h", "removeuser:alice:h")
		assert.Equal(t, "010", answers, name)
		assert.Contains(t, log, "cannot tell now")
		assert.NotContains(t, log, "right", "the password is in the log")
	}
}

func TestPipeSurvivesNonsense(t *testing.T) {
	o := &oracle{}
	answers, log := piped(t, o, "", "auth", "auth:alice:h:\xff", ":::", strings.Repeat("x", MaxFrame), "auth:alice:h:"+strings.Repeat("p", 3000),
		"auth:alice:h:", "isuser::", "auth:alice:h:right")
	require.Equal(t, "000000001", answers)
	require.Len(t, o.asked, 1, "nonsense is not passed on")
	require.NotContains(t, log, "ppp")
	require.NotContains(t, log, "xxx")
}

func TestPipeEndsWithItsInput(t *testing.T) {
	var out bytes.Buffer
	p := &Pipe{In: strings.NewReader("\x00\x40auth:al"), Out: &out, Asker: &oracle{}, Log: slog.New(slog.DiscardHandler)}
	require.NoError(t, p.Run(t.Context()))
	require.Zero(t, out.Len())
	broken := &Pipe{In: bytes.NewReader(framed("isuser:alice:h")), Out: brokenWriter{}, Asker: &oracle{}, Log: slog.New(slog.DiscardHandler)}
	require.ErrorIs(t, broken.Run(t.Context()), io.ErrClosedPipe)
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestPipeAnswersWithinItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{fault: func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}}
		began := time.Now()
		answers, _ := piped(t, o, "auth:alice:h:right", "isuser:alice:h")
		require.Equal(t, "01", answers)
		require.Less(t, time.Since(began), 2*Deadline)
	})
}

// FuzzPipe: whatever comes in, each complete frame has one answer.
func FuzzPipe(f *testing.F) {
	f.Add(append(framed("auth:alice:h:right"), framed("isuser:bob:h")...))
	f.Add([]byte{0, 0, 0, 1, 'x', 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		p := &Pipe{In: bytes.NewReader(in), Out: &out, Asker: &oracle{}, Log: slog.New(slog.DiscardHandler)}
		require.NoError(t, p.Run(t.Context()))
		frames, buf, r := 0, make([]byte, MaxFrame), bytes.NewReader(in)
		for {
			if _, err := ReadFrame(r, buf); err != nil {
				break
			}
			frames++
		}
		require.Equal(t, frames*4, out.Len())
	})
}
