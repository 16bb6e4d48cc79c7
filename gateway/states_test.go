package gateway

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// counted counts what is saved.
type counted struct{ saves int }

func (c *counted) SaveResumption(context.Context, []byte, string, []byte, time.Time) error {
	c.saves++
	return nil
}
func (*counted) LoadResumption(context.Context, []byte) ([]byte, error) { return nil, nil }
func (*counted) DeleteResumption(context.Context, []byte) error         { return nil }
func (*counted) EachResumption(context.Context, func(string, []byte, time.Time) error) error {
	return nil
}

// TestALateSaveIsNotMade: when the stream is over its state is settle's, or that
// of another process.
func TestALateSaveIsNotMade(t *testing.T) {
	states := &counted{}
	g, err := New(Config{Domain: "social.example", Credentials: nobody{}, Consents: nobody{}, Resumptions: states})
	require.NoError(t, err)
	p, err := g.strangerPolicy()
	require.NoError(t, err)
	s := &stream{g: g, policy: p, sm: management{previd: "x"}}
	s.ctx = lifetime{&s.over}
	s.save(true)
	require.Equal(t, 1, states.saves)
	s.over.set()
	s.store(time.Minute, true, time.Time{}) // it was on its way before
	require.Equal(t, 1, states.saves)
	s.store(time.Minute, true, time.Now())
	require.Equal(t, 2, states.saves, "settle's own")
}
