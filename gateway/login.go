package gateway

import (
	"bytes"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const (
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	mechanism = "PLAIN"
)

// login handles what comes before the login: SASL PLAIN and nothing else. A
// client that sends no initial response is asked for it here, so that the
// server sees one form only.
func (s *stream) login(e *framing.Element) {
	var r denial
	switch {
	case e.Is(nsSASL, "auth"):
		r = s.auth(e)
	case e.Is(nsSASL, "response") && s.asked && e.First() == nil:
		s.asked = false
		r = s.tryLogin(e)
	case e.Is(nsSASL, "response"):
		r.condition = "malformed-request"
	case e.Is(nsSASL, "abort"):
		s.asked = false
		r.condition = "aborted"
	default:
		s.finish(endNotAuthorized)
	}
	clear(e.Raw) // the secret was in it
	if r.condition != "" {
		s.refuseLogin(r)
	}
}

// denial is why a login is refused, with the condition of RFC 6120 section
// 6.5. wrong names whom a wrong secret was tried for, "" if it was no such.
type denial struct{ condition, wrong string }

func (s *stream) auth(e *framing.Element) denial {
	s.asked = false
	switch {
	case e.Attr("mechanism") != mechanism:
		return denial{condition: "invalid-mechanism"}
	case e.First() != nil:
		return denial{condition: "malformed-request"}
	case isBlank(e):
		s.asked = true
		s.put([]byte("<challenge xmlns='" + nsSASL + "'/>"))
		return denial{}
	default:
		return s.tryLogin(e)
	}
}

// isBlank says that there is nothing but white space in an element.
func isBlank(e *framing.Element) bool {
	text := e.AppendText(nil)
	defer clear(text)
	return len(bytes.TrimSpace(text)) == 0
}

// tryLogin takes a login to the server if the gateway knows it.
func (s *stream) tryLogin(e *framing.Element) denial {
	text := e.AppendText(nil)
	p, err := parsePlain(bytes.TrimSpace(text), s.g.cfg.Domain)
	clear(text)
	defer p.forget()
	if err != nil {
		return denial{condition: err.Error()}
	}
	if failure := s.lookup(p); failure == "not-authorized" {
		return denial{failure, p.username}
	} else if failure != "" {
		return denial{condition: failure}
	}
	if !s.mayAskServer() {
		return denial{condition: "temporary-auth-failure"}
	}
	auth := p.appendAuth(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = phaseAuth
	s.clock.begin(stepLogin)
	s.toServer(auth)
	clear(auth)
	return denial{}
}

// refuseLogin tells the browser itself; the server hears nothing of it. The
// answer to a wrong secret waits the longer the more of them there were.
func (s *stream) refuseLogin(r denial) {
	if r.wrong != "" {
		s.slow(s.g.guesses.wrong(r.wrong, s.limitKey))
	}
	s.loginFailed(r.condition, saslFailure(r.condition))
}

// loginFailed counts a login that was refused here or by the server, and tells
// the browser, which may try again.
func (s *stream) loginFailed(condition string, answer []byte) {
	s.g.metrics.logins.WithLabelValues(condition).Inc()
	account, tries := s.forgetLogin()
	s.g.streams.release(s)
	s.log().Info("gateway: login refused", "account", account, "condition", condition)
	s.put(answer)
	if tries >= s.g.limits.LoginTries {
		s.finish(endLoginTries)
	}
}

func (s *stream) forgetLogin() (account string, tries int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account = s.who.account
	s.tries++
	s.phase = phaseOpened
	s.who, s.consent, s.username = binding{}, nil, ""
	return account, s.tries
}

// loggedIn notes the server's agreement.
func (s *stream) loggedIn(e *framing.Element) {
	s.g.metrics.logins.WithLabelValues("success").Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loginOK = true
	s.loginBy.Stop()
	s.loginBy = nil
	s.phase = phaseSuccess
	s.policy.FromServer(e)
	s.g.guesses.right(s.username, s.limitKey, s.who.account)
	s.log().Info("gateway: login", "account", s.who.account, "aware", s.aware)
}

// saslFailure is a refusal (RFC 6120 section 6.5).
func saslFailure(condition string) []byte {
	return []byte("<failure xmlns='" + nsSASL + "'><" + condition + "/></failure>")
}

// conditionOf names the first child of a SASL failure, for counting: unknown
// names are not made into labels.
func conditionOf(e *framing.Element) string {
	if c := e.First(); c != nil {
		switch c.Name.Local {
		case "not-authorized", "temporary-auth-failure", "credentials-expired", "account-disabled",
			"encryption-required", "malformed-request", "invalid-mechanism", "aborted":
			return "server-" + c.Name.Local
		}
	}
	return "server-other"
}
