package gateway

import (
	"errors"

	"github.com/coder/websocket"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// Reasons for which a new connection is refused before it becomes a stream.
var (
	errDraining    = errors.New("gateway: shutting down")
	errFull        = errors.New("gateway: too many streams")
	errAddressFull = errors.New("gateway: too many streams from this address")
	errCrowded     = errors.New("gateway: too many streams that have not logged in")
)

// refusal is such a reason as a label in metrics and logs.
func refusal(err error) string {
	switch {
	case errors.Is(err, errDraining):
		return "shutting_down"
	case errors.Is(err, errAddressFull):
		return "address_full"
	case errors.Is(err, errCrowded):
		return "crowded"
	default:
		return "full"
	}
}

// serverEnd says how the server's side of a stream ends.
type serverEnd int

const (
	closeStream serverEnd = iota // </stream:stream>: the session is over
	cut                          // without a word: with XEP-0198 the session waits to be resumed
)

// ending is why and how a stream ends: the one table from causes to what goes
// over the wire. Texts are for people and hold nothing of the input.
type ending struct {
	reason    string            // label in metrics and logs
	condition framing.Condition // stream error for the browser, "" for none
	text      string
	code      websocket.StatusCode // 0 for browsers that would not read it
	server    serverEnd
	// silent ends the WebSocket without <close/>, so that the client may resume
	// (RFC 7395 section 3.6).
	silent bool
	// theirs: it is the browser that closes, and so its part to begin the closing
	// handshake (RFC 7395 section 3.6).
	theirs bool
	// drain delivers what the server still has to say before <close/>, and waits
	// until its side is settled.
	drain bool
	// abrupt does not wait for the browser's <close/>.
	abrupt bool
	// elsewhere says that the session may have been resumed by another gateway:
	// the saved state is touched only if it changed here since.
	elsewhere bool
	detail    string // for the log alone
}

// The endings. A framing error adds its own, see endFraming.
var (
	endClient = ending{reason: "client_closed", code: websocket.StatusNormalClosure, drain: true, theirs: true}
	endGone   = ending{reason: "browser_gone", server: cut, silent: true}
	endDead   = ending{reason: "browser_silent", server: cut, silent: true}
	endSlow   = ending{reason: "slow_reader", server: cut, silent: true}
	// endWebSocket is for who breaks RFC 6455; the code is the violation's.
	endWebSocket    = ending{reason: "bad_websocket", server: cut, silent: true}
	endResumed      = ending{reason: "resumed_elsewhere", code: websocket.StatusPolicyViolation, server: cut, silent: true}
	endServer       = ending{reason: "server_closed", code: websocket.StatusNormalClosure}
	endLost         = ending{reason: "server_lost", code: websocket.StatusBadGateway, server: cut, silent: true, elsewhere: true}
	endServerSpeaks = ending{reason: "server_garbage", condition: framing.InternalServerError,
		code: websocket.StatusInternalError, text: "The chat server said something that cannot be passed on."}
	endPanic = ending{reason: "internal_error", condition: framing.InternalServerError,
		code: websocket.StatusInternalError, text: "Something went wrong here."}
	endHost = ending{reason: "host_unknown", condition: framing.HostUnknown,
		code: websocket.StatusNormalClosure, text: "This domain is not served here."}
	endHeader = ending{reason: "bad_header", condition: framing.InvalidNamespace,
		code: websocket.StatusInvalidFramePayloadData, text: "Streams begin and end with <open/> and <close/> in " + framing.NSFraming + ".", abrupt: true}
	endOpenAgain = ending{reason: "unexpected_open", condition: framing.BadFormat,
		code: websocket.StatusInvalidFramePayloadData, text: "The stream is open already.", abrupt: true}
	endNotOpen = ending{reason: "not_reopened", condition: framing.BadFormat,
		code: websocket.StatusInvalidFramePayloadData, text: "The stream has to be opened anew after the login.", abrupt: true}
	endNotAuthorized = ending{reason: "not_logged_in", condition: framing.NotAuthorized,
		code: websocket.StatusPolicyViolation, text: "Log in first."}
	endAuthTime = ending{reason: "login_timeout", condition: framing.ConnectionTimeout,
		code: websocket.StatusPolicyViolation, text: "The login took too long."}
	endCrowded = ending{reason: "crowded", condition: framing.ResourceConstraint,
		code: websocket.StatusTryAgainLater, text: "Too many connections wait for a login. Please try again soon."}
	endAuthBytes = ending{reason: "login_too_big", condition: framing.PolicyViolation,
		code: websocket.StatusMessageTooBig, text: "Too much was sent before the login.", abrupt: true}
	endTooBig = ending{reason: "too_big", condition: framing.PolicyViolation,
		code: websocket.StatusMessageTooBig, text: "The stanza is too big.", abrupt: true}
	endLoginTries = ending{reason: "login_tries", condition: framing.PolicyViolation,
		code: websocket.StatusPolicyViolation, text: "Too many logins failed."}
	endAccountFull = ending{reason: "account_full", condition: framing.ResourceConstraint,
		code: websocket.StatusTryAgainLater, text: "This account has too many open streams."}
	endServerSlow = ending{reason: "server_slow", condition: framing.RemoteConnectionFailed,
		code: websocket.StatusBadGateway, text: "The chat server did not answer in time."}
	endArm = ending{reason: "hiding_failed", condition: framing.InternalServerError,
		code: websocket.StatusInternalError, text: "Presence could not be hidden in time."}
	// endUnsaved is for a step that would show more than a resumption could know of.
	endUnsaved = ending{reason: "state_unsaved", condition: framing.InternalServerError,
		code: websocket.StatusInternalError, text: "What you were about to show could not be noted, so it was not shown. Please connect again."}
	endRevoked = ending{reason: "revoked", condition: framing.NotAuthorized,
		code: websocket.StatusPolicyViolation, text: "The login has ended."}
	endConsent = ending{reason: "consent_changed", condition: framing.Reset,
		code: websocket.StatusNormalClosure, text: "What you show has changed. Please connect again."}
	endBlocks = ending{reason: "blocks_changed", condition: framing.Reset,
		code: websocket.StatusNormalClosure, text: "Whom you block has changed. Please connect again."}
	endShutdown = ending{reason: "shutdown", condition: framing.SystemShutdown,
		code: websocket.StatusGoingAway, server: cut, drain: true, text: "The gateway is restarting."}
)

// endFraming is the ending for a frame that is not one.
func endFraming(err error) ending {
	e := ending{reason: "bad_frame", condition: framing.NotWellFormed,
		code: websocket.StatusInvalidFramePayloadData, abrupt: true, detail: err.Error()}
	if f := (*framing.Error)(nil); errors.As(err, &f) {
		e.condition, e.text, e.code = f.Condition, f.Text, websocket.StatusCode(f.CloseCode)
	}
	return e
}

// with adds what only the log may say.
func (e ending) with(err error) ending {
	if err != nil {
		e.detail = err.Error()
	}
	return e
}

// endPolicy is the ending for a verdict of the policy.
func endPolicy(v policy.Verdict) ending {
	return ending{reason: "policy", condition: v.Condition, text: v.Text, detail: v.Reason,
		code: closeCode(v.Condition), abrupt: true}
}

// closeCode is the one that goes with a stream error.
func closeCode(c framing.Condition) websocket.StatusCode { return websocket.StatusCode(c.CloseCode()) }

// frames are the browser's last frames. opened says whether it has had an
// <open/>, which a stream error needs before it (RFC 7395 section 3.4).
func (e ending) frames(opened bool, h framing.Header, seeOther string) [][]byte {
	if e.silent {
		return nil
	}
	var frames [][]byte
	redirect := e.condition == framing.SystemShutdown && seeOther != ""
	if e.condition != "" && !redirect {
		if !opened {
			frames = append(frames, framing.AppendOpen(nil, h))
		}
		frames = append(frames, framing.AppendStreamError(nil, e.condition, e.text))
	}
	if redirect {
		return append(frames, framing.AppendClose(nil, seeOther))
	}
	return append(frames, []byte(streamClose))
}

// streamClose is <close/> letter by letter as Strophe.js compares it.
const streamClose = `<close xmlns="` + framing.NSFraming + `" />`
