package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mellium.im/xmpp/jid"
)

// Membership knows how people stand to one another on Mastodon. Usernames are
// localparts of our domain. An error means that it cannot be told now; it never
// lets anybody in.
type Membership interface {
	// Local says whether username is one of ours, and in good standing.
	Local(ctx context.Context, username string) (bool, error)
	// Follows says whether who follows whom. Each is a username, or an address such
	// as "alice@other.example".
	Follows(ctx context.Context, who, whom string) (bool, error)
	// InList says whether username is in owner's list of this id.
	InList(ctx context.Context, list, owner, username string) (bool, error)
	// Moderator says whether username may manage reports or users.
	Moderator(ctx context.Context, username string) (bool, error)
}

// MUC answers Prosody's community module mod_muc_http_auth, to be mounted at
// /muc/authorize of the private listener:
//
//	GET /muc/authorize?userJID=alice%40example.org&mucJID=tea%40rooms.example.org&nickname=Alice
//	Authorization: Bearer SECRET
//
//	{"allowed":true}
//	{"allowed":false,"error":"why not"}
//
// The first of rooms that fits the room counts; where none does, nobody may join.
// People of other domains may only join where account: names their address. Who is
// suspended may not join, whatever names them. A question that is malformed, has
// the wrong secret, or cannot be answered within 1.5 s is answered with allowed
// false too: the module looks at the body alone, whatever the status.
func MUC(core *Core, rooms []Room, membership Membership, secret []byte) (http.Handler, error) {
	domain := core.domain
	if j, err := jid.New("", domain, ""); err == nil {
		domain = j.Domainpart() // as it stands in addresses: xn--… is written out there
	}
	rules, err := parseRooms(rooms, domain)
	if err != nil {
		return nil, err
	}
	if membership == nil || len(secret) == 0 {
		return nil, errors.New("backend: rooms need somebody who knows the people, and a secret")
	}
	return &muc{core: core, domain: domain, rules: rules, members: membership, secret: bytes.Clone(secret),
		lane: newLane(joinsAtOnce, joinsWaiting)}, nil
}

const frontMUC = "muc"

// How many questions ask Mastodon at once, and how many more may wait for that.
const (
	joinsAtOnce  = 32
	joinsWaiting = 512
)

type muc struct {
	core    *Core
	domain  string
	rules   []roomRule
	members Membership
	secret  []byte
	lane    *lane // of its own: a slow Mastodon must not keep logins waiting
}

// Reasons of our own; others are words of Room.Allow, or the Core's.
const (
	reasonNoRoom    = "no_rule"   // no rule is about this room
	reasonNotNamed  = "not_named" // none of the rule's words fits
	reasonElsewhere = "elsewhere" // of another domain, and not named
	reasonNotLocal  = "not_local" // nobody of ours, or not in good standing
)

// explanations are what a denied question is told; Prosody logs it.
var explanations = map[string]string{
	reasonNoRoom:    "no rule of Trunkline's configuration is about this room",
	reasonNotNamed:  "the rules of this room do not let this person in",
	reasonElsewhere: "people of other servers may join only where a rule names their address",
	reasonNotLocal:  "nobody of this name is in good standing at the Mastodon server",
}

func (m *muc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !bearer(r, m.secret) {
		m.core.log.WarnContext(r.Context(), "backend: question with a wrong shared secret", "front", frontMUC, "remote", r.RemoteAddr)
		w.Header().Set("WWW-Authenticate", `Bearer realm="trunkline"`)
		deny(w, http.StatusUnauthorized, "wrong secret in muc_http_auth_authorization_header")
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		deny(w, http.StatusMethodNotAllowed, "ask with GET")
		return
	}
	q, err := parseJoin(r.URL.RawQuery)
	if err != nil {
		m.core.log.WarnContext(r.Context(), "backend: malformed question", "front", frontMUC, "error", err)
		deny(w, http.StatusBadRequest, err.Error())
		return
	}
	began := time.Now()
	result := m.decide(r.Context(), q)
	m.core.metrics.answered(frontMUC, "join", result.Answer, time.Since(began))
	who := q.person.String()
	if m.ours(q.person) {
		who = q.person.Localpart() // as the other fronts write it
	}
	m.core.Record(Event{
		Front: frontMUC, Caller: caller(r), Op: "join", Username: who, Outcome: string(result.Answer),
		Reason: q.room.String() + ": " + result.Reason,
	})
	if result.Answer == Yes {
		reply(w, http.StatusOK, verdict{Allowed: true})
		return
	}
	why, ok := explanations[result.Reason]
	if !ok {
		why = "it cannot be told now; Trunkline's log says why"
	}
	deny(w, http.StatusOK, why)
}

// verdict is every answer's body.
type verdict struct {
	Allowed bool   `json:"allowed"`
	Error   string `json:"error,omitempty"`
}

func deny(w http.ResponseWriter, status int, why string) { reply(w, status, verdict{Error: why}) }

// join is a question that was read.
type join struct {
	person, room jid.JID // bare
}

// parseJoin reads userJID, mucJID and nickname, which must be there once each. The
// nickname decides nothing.
func parseJoin(raw string) (join, error) {
	form, err := parseForm(raw)
	if err != nil {
		return join{}, err
	}
	var q join
	if q.person, err = jid.Parse(form.Get("userJID")); err != nil || q.person.Localpart() == "" {
		return join{}, errors.New(`"userJID" is not the address of a person`)
	}
	if q.room, err = jid.Parse(form.Get("mucJID")); err != nil || q.room.Localpart() == "" {
		return join{}, errors.New(`"mucJID" is not the address of a room`)
	}
	q.person, q.room = q.person.Bare(), q.room.Bare()
	return q, nil
}

func (m *muc) ours(person jid.JID) bool { return person.Domainpart() == m.domain }

// decide answers within thinkTime.
func (m *muc) decide(ctx context.Context, q join) Result {
	var rule *roomRule
	for i := range m.rules {
		if m.rules[i].fits(q.room.Localpart(), q.room.Domainpart()) {
			rule = &m.rules[i]
			break
		}
	}
	if rule == nil {
		return Result{Answer: No, Reason: reasonNoRoom}
	}
	person := q.person.String()
	if !m.ours(q.person) {
		for _, g := range rule.allow {
			if g.kind == grantAccount && g.account == person {
				return Result{Answer: Yes, Reason: g.written}
			}
		}
		return Result{Answer: No, Reason: reasonElsewhere}
	}
	return m.core.ask(ctx, m.lane, func(ctx context.Context) (Verdict, error) {
		return m.judge(ctx, rule.allow, person, q.person.Localpart())
	})
}

// judge looks for a word that lets one of our people in: first those that cost
// nothing. One that cannot be told does not keep a later one from saying yes.
func (m *muc) judge(ctx context.Context, allow []grant, person, username string) (Verdict, error) {
	ours, err := m.members.Local(ctx, username)
	switch {
	case err != nil:
		return Verdict{}, fmt.Errorf("backend: whether somebody is one of ours: %w", err)
	case !ours:
		return Verdict{Reason: reasonNotLocal}, nil
	}
	for _, g := range allow {
		if g.kind == grantLocal || g.kind == grantAccount && g.account == person {
			return Verdict{OK: true, Reason: g.written}, nil
		}
	}
	var doubts []error
	for _, g := range allow {
		ok, err := m.grants(ctx, g, username)
		if ok && err == nil {
			return Verdict{OK: true, Reason: g.written}, nil
		}
		if err != nil {
			doubts = append(doubts, fmt.Errorf("backend: %s: %w", g.written, err))
		}
	}
	return Verdict{Reason: reasonNotNamed}, errors.Join(doubts...)
}

// grants asks Mastodon about one word.
func (m *muc) grants(ctx context.Context, g grant, username string) (bool, error) {
	switch g.kind {
	case grantFollowers:
		return m.members.Follows(ctx, username, g.account)
	case grantMutuals:
		ok, err := m.members.Follows(ctx, username, g.account)
		if !ok || err != nil {
			return false, err
		}
		return m.members.Follows(ctx, g.account, username)
	case grantList:
		return m.members.InList(ctx, g.list, g.account, username)
	case grantModerators:
		return m.members.Moderator(ctx, username)
	}
	return false, nil
}
