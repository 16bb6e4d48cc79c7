package policy

import (
	"strings"

	"github.com/stretchr/testify/require"
)

// subscribed reports whether the contact gets presence, and the list keeps it from them.
func (w *world) subscribed() bool { return w.sub == "both" || w.sub == "from" }

// serveSubscription does what Prosody does with a subscription stanza.
func (w *world) serveSubscription(typ string, hidden bool) {
	require.False(w.t, hidden && w.active && w.subscribed(), "the list makes %s vanish", typ)
	switch was := w.sub; {
	case typ == "subscribe" && w.sub == "none":
		w.sub = "ask"
	case typ == "unsubscribe":
		w.sub = map[string]string{"both": "from", "from": "from"}[w.sub]
	case typ == "unsubscribed" && w.subscribed():
		w.sub = map[string]string{"both": "to"}[was]
		w.tellLeave(hidden)
	}
	if w.sub == "" {
		w.sub = "none"
	}
}

// tellLeave is the server telling the contact that the session leaves, past the list.
func (w *world) tellLeave(hidden bool) {
	if w.present {
		require.False(w.t, hidden && w.contact == "", "who was never seen must not be seen leaving")
		w.contact = "unavailable"
	}
}

// end closes the stream as the gateway does; the list does not outlive the session. Of a session that is not present the server
// tells nobody.
func (w *world) end() {
	w.drain()
	sees := w.subscribed() || w.directed // else an "unsubscribed" was the last word
	w.bid()
	if w.present && w.subscribed() {
		require.NotEmpty(w.t, w.contact, "who was never seen must not be seen leaving")
	}
	if w.present && (w.subscribed() || w.directed) {
		w.contact = "unavailable"
	}
	require.False(w.t, sees && w.contact == "available", "who was seen must be seen leaving")
}

// bid sends the farewell.
func (w *world) bid() {
	for leave := range strings.SplitAfterSeq(string(w.s.Farewell()), "/>") {
		if leave == "" {
			continue
		}
		switch to := w.s.target(parse(w.t, leave)); {
		case to.class == toAccount:
			require.True(w.t, w.present && w.active || !w.present && w.s.state.Shown)
		case to.bare == juliet:
			require.NotEmpty(w.t, w.contact, "who was never seen must not be seen leaving")
		}
		w.towards = append(w.towards, leaving{leave, !w.s.state.Shown})
		w.serve()
	}
}
