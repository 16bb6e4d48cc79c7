package gateway

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
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

// lookupTimeout bounds the questions about a person at the login.
const lookupTimeout = 5 * time.Second

// lookup asks whose the secret is, binds the stream to the credential and
// learns the consent, in this order: what is revoked or changed meanwhile
// finds the stream. A failure is a SASL condition, "" for success.
func (s *stream) lookup(p plain) (failure string) {
	ctx, cancel := context.WithTimeout(s.ctx, lookupTimeout)
	defer cancel()
	before := s.g.streams.revocations.Load()
	secret := string(p.secret)
	account, session, credential, ok, err := s.g.cfg.Credentials.Lookup(ctx, p.username, secret)
	if err != nil {
		s.log().Warn("gateway: credentials cannot be looked up", "error", err)
		return "temporary-auth-failure"
	}
	if !ok {
		return "not-authorized"
	}
	b := binding{account: account, session: session, credential: credential}
	s.mu.Lock()
	s.who, s.consent = b, nil // from now on the consent of nobody else
	s.mu.Unlock()
	if !s.g.streams.bind(s, b) {
		s.finish(endAccountFull)
		return "temporary-auth-failure"
	}
	// What was revoked between the look and the binding has found no stream, and
	// not every XMPP server asks about a password again.
	if s.g.streams.revocations.Load() != before {
		switch _, _, now, ok, err := s.g.cfg.Credentials.Lookup(ctx, p.username, secret); {
		case err != nil:
			s.log().Warn("gateway: credentials cannot be looked up", "error", err)
			return "temporary-auth-failure"
		case !ok || now != credential:
			return "not-authorized"
		}
	}
	return s.judged(ctx, p, account)
}

// consent is what the account agreed to show now.
func (g *Gateway) consent(ctx context.Context, account string) (c policy.Consent, err error) {
	if c.Presence, c.Typing, c.Receipts, err = g.cfg.Consents.Consent(ctx, account); err != nil {
		return policy.Consent{}, fmt.Errorf("gateway: consent: %w", err)
	}
	return c, nil
}

// judged gives a stream that is bound its policy, with the consent in force.
func (s *stream) judged(ctx context.Context, p plain, account string) (failure string) {
	c, err := s.g.consent(ctx, account)
	if err != nil {
		s.log().Warn("gateway: consent cannot be read", "account", account, "error", err)
		return "temporary-auth-failure"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.consent == nil {
		s.consent = &c
	}
	own, err := policy.New(s.policyConfig(p.username))
	if err != nil {
		s.log().Error("gateway: no policy", "account", account, "error", err)
		return "temporary-auth-failure"
	}
	s.username, s.policy = p.username, own
	return ""
}

// policyConfig expects s.mu to be held.
func (s *stream) policyConfig(username string) policy.Config {
	return policy.Config{
		Identity: policy.Identity{
			Account: s.who.account, Bare: username + "@" + s.g.cfg.Domain, Domain: s.g.cfg.Domain,
		},
		Consent: *s.consent, Aware: s.aware, Rand: s.g.cfg.Rand, Commands: s.g.commands,
	}
}

// strangerPolicy is for a stream before its login: nothing may be shown.
func (g *Gateway) strangerPolicy() (*policy.Stream, error) {
	return policy.New(policy.Config{
		Identity: policy.Identity{Bare: g.cfg.Domain, Domain: g.cfg.Domain}, Rand: g.cfg.Rand,
	})
}

// mayAskServer says whether the server is to hear of a login that is right. It
// waits for the account's rate of logins, and for those that are under way.
// answered has to follow.
func (s *stream) mayAskServer() bool {
	s.mu.Lock()
	account := s.who.account
	s.mu.Unlock()
	used := s.g.paces.accounts.at(account)
	wait, ok := s.g.paces.open(&used.opened, s.g.paces.logins)
	if !ok {
		s.log().Warn("gateway: too many logins", "account", account)
		return false
	}
	s.meter.account = used
	s.slow(wait)
	const each = 50 * time.Millisecond
	for waited := time.Duration(0); ; waited += each {
		pause, ok := s.g.guesses.ask(account)
		if ok {
			s.mu.Lock()
			s.asking = account
			s.mu.Unlock()
			return true
		}
		if pause > 0 || waited > s.g.limits.Patience || s.isOver() {
			if pause > 0 {
				s.log().Warn("gateway: the server refuses logins again and again and is not asked", "account", account, "for", pause)
			}
			return false
		}
		s.slow(each)
	}
}

// answered notes that a login is not with the server any more, if there was one.
func (s *stream) answered() {
	s.mu.Lock()
	account := s.asking
	s.asking = ""
	s.mu.Unlock()
	if account != "" {
		s.g.guesses.answered(account)
	}
}

// refusedByServer notes that the server does not accept a login that is right,
// unless it only cannot tell now.
func (s *stream) refusedByServer(condition string) {
	if condition == "server-temporary-auth-failure" {
		return
	}
	s.mu.Lock()
	account := s.who.account
	s.mu.Unlock()
	s.g.guesses.refused(account)
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
