package main

import (
	"context"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/tokens"
)

// BenchmarkLogin measures the SASL round trip at a real ejabberd, from the
// password to the success, one login after the other: with a password that this
// ejabberd keeps in memory (mnesia, the host localhost) and with a device password
// that Trunkline knows (extauth, the real program, SQLite). They take turns, so
// that both have the same machine.
func BenchmarkLogin(b *testing.B) { benchmarkLogin(b, newEjStack(b, tokens.Config{})) }

// BenchmarkLoginOverSocket is BenchmarkLogin with the private listener on a Unix
// socket in place of loopback.
func BenchmarkLoginOverSocket(b *testing.B) {
	benchmarkLogin(b, newEjStackAt(b, filepath.Join(b.TempDir(), "private.sock"), tokens.Config{}))
}

func benchmarkLogin(b *testing.B, s *ejStack) {
	b.Helper()
	_, password := s.device("alice")
	keeper, at, _ := strings.Cut(kickUser, "@")
	var external, mnesia []time.Duration
	for b.Loop() {
		external = append(external, saslRoundTrip(b, s.ej.Addr(), ejDomain, "alice", password))
		mnesia = append(mnesia, saslRoundTrip(b, s.ej.Addr(), at, keeper, kickPass))
	}
	ms := func(list []time.Duration, part float64) float64 {
		slices.Sort(list)
		return float64(list[int(part*float64(len(list)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(ms(mnesia, 0.5), "mnesia-p50-ms")
	b.ReportMetric(ms(external, 0.5), "extauth-p50-ms")
	b.ReportMetric(ms(mnesia, 0.99), "mnesia-p99-ms")
	b.ReportMetric(ms(external, 0.99), "extauth-p99-ms")
	b.ReportMetric(ms(external, 0.5)-ms(mnesia, 0.5), "over-mnesia-p50-ms")
	var largest int
	for _, pid := range s.programs() {
		largest = max(largest, rss(b, pid))
	}
	b.ReportMetric(float64(largest)*1024/1e6, "rss-MB") // of the largest of them
}

// BenchmarkExtauthQuestion measures one question to the real program and back,
// without an ejabberd: pipes, HTTP on loopback, SQLite.
func BenchmarkExtauthQuestion(b *testing.B) {
	s := newEjStack(b, tokens.Config{})
	s.ej.Kill()
	_, password := s.device("alice")
	binary, err := program()
	require.NoError(b, err)
	secret := filepath.Join(b.TempDir(), "secret")
	require.NoError(b, os.WriteFile(secret, []byte(ejSecret), 0o600))
	cmd := exec.CommandContext(b.Context(), binary, "extauth", "--url", "http://"+s.addr+"/extauth", "--secret-file", secret)
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	question := "auth:alice:" + ejDomain + ":" + password
	frame, reply := append([]byte{0, byte(len(question))}, question...), make([]byte, 4)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		_, err := in.Write(frame)
		require.NoError(b, err)
		_, err = io.ReadFull(out, reply)
		took = append(took, time.Since(began))
		require.NoError(b, err)
		require.EqualValues(b, 1, reply[3])
	}
	require.NoError(b, in.Close())
	require.NoError(b, cmd.Wait())
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(len(took)), "program-cpu-ms")
}

// saslRoundTrip logs somebody in and says how long the password took.
func saslRoundTrip(b *testing.B, addr, domain, user, password string) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), integration.RawTimeout)
	defer cancel()
	raw, err := integration.Dial(ctx, addr, domain)
	require.NoError(b, err)
	defer raw.Close()
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	began := time.Now()
	require.NoError(b, raw.Send(ctx, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"+plain+"</auth>"))
	answer, err := raw.Next(ctx)
	took := time.Since(began)
	require.NoError(b, err)
	require.Equal(b, "success", answer.Name.Local)
	return took
}
