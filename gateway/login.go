package gateway

import (
	"strings"

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
	switch {
	case e.Is(nsSASL, "auth"):
		s.asked = false
		switch text := e.Text(); {
		case e.Attr("mechanism") != mechanism:
			s.refuseLogin("invalid-mechanism")
		case e.First() != nil:
			s.refuseLogin("malformed-request")
		case strings.TrimSpace(text) == "":
			s.asked = true
			s.put([]byte("<challenge xmlns='" + nsSASL + "'/>"))
		default:
			s.tryLogin(text)
		}
	case e.Is(nsSASL, "response") && s.asked && e.First() == nil:
		s.asked = false
		s.tryLogin(e.Text())
	case e.Is(nsSASL, "response"):
		s.refuseLogin("malformed-request")
	case e.Is(nsSASL, "abort"):
		s.asked = false
		s.refuseLogin("aborted")
	default:
		s.finish(endNotAuthorized)
	}
	clear(e.Raw) // the secret was in it
}

// tryLogin takes a login to the server if the gateway knows it.
func (s *stream) tryLogin(text string) {
	p, err := parsePlain([]byte(strings.TrimSpace(text)), s.g.cfg.Domain)
	defer p.forget()
	if err != nil {
		s.refuseLogin(err.Error())
		return
	}
	if failure := s.lookup(p); failure != "" {
		s.refuseLogin(failure)
		return
	}
	auth := p.appendAuth(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = phaseAuth
	s.clock.begin(stepLogin)
	s.toServer(auth)
	clear(auth)
}

// refuseLogin tells the browser itself; the server hears nothing of it.
func (s *stream) refuseLogin(condition string) {
	s.loginFailed(condition, saslFailure(condition))
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
