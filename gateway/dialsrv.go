package gateway

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The services of an XMPP domain: STARTTLS (RFC 6120 section 3.2.1) and TLS from
// the first byte (XEP-0368), each with the port that is tried where DNS has no
// record of it.
const (
	serviceStart  = "xmpp-client"
	serviceDirect = "xmpps-client"
	portStart     = 5222
	portDirect    = 5223
)

// target is one place where the server may be.
type target struct {
	host   string // as it is looked up: what comes from DNS ends in a dot
	port   uint16
	direct bool // TLS from the first byte
}

// String is host:port, for people.
func (t target) String() string { return net.JoinHostPort(t.name(), strconv.Itoa(int(t.port))) }

// name is the host without the dot at its end.
func (t target) name() string { return strings.TrimSuffix(t.host, ".") }

// rooted is a host with a dot at its end, which keeps resolvers from trying it
// under other domains (resolv.conf's search).
func rooted(host string) string { return strings.TrimSuffix(host, ".") + "." }

// targetList is where to try, in this order. doubt is set where DNS could not be
// asked, and the domain itself stands in for what it would have said.
type targetList struct {
	targets []target
	doubt   *fault
}

// targets are the places where the server may be.
func (u *upstream) targets(ctx context.Context) (targetList, error) {
	if u.cfg.Address != "" {
		host, port, err := splitAddress(u.cfg.Address)
		return targetList{targets: []target{{host, port, u.cfg.TLS == TLSDirect}}}, err
	}
	ctx, cancel := context.WithTimeout(ctx, u.limits.Lookup)
	defer cancel()
	var start, direct service
	var wg sync.WaitGroup
	if u.cfg.TLS != TLSDirect {
		wg.Go(func() { start = u.service(ctx, serviceStart) })
	}
	if u.cfg.TLS != TLSStart {
		wg.Go(func() { direct = u.service(ctx, serviceDirect) })
	}
	wg.Wait()
	if len(start.records)+len(direct.records) == 0 {
		return u.fallback(start, direct)
	}
	dice, err := u.dice()
	if err != nil {
		return targetList{}, err
	}
	return targetList{targets: order(start.records, direct.records, dice.IntN)}, nil
}

// service is what DNS says of one service. All zero: it has no record.
type service struct {
	records []*net.SRV
	refused bool // "decidedly not available at this domain" (RFC 2782)
	err     error
}

func (u *upstream) service(ctx context.Context, name string) service {
	_, list, err := u.names.LookupSRV(ctx, name, "tcp", rooted(u.host))
	s := service{refused: len(list) == 1 && isRoot(list[0].Target)}
	for _, r := range list { // there may be some beside an error: not all of them were names
		if !isRoot(r.Target) {
			s.records = append(s.records, r)
		}
	}
	if missing := (*net.DNSError)(nil); err != nil && len(list) == 0 && !(errors.As(err, &missing) && missing.IsNotFound) {
		s.err = err
	}
	return s
}

func isRoot(name string) bool { return name == "." || name == "" }

// fallback is the domain itself, at the usual port, unless DNS says that there is
// no such service (RFC 6120 section 3.2.2).
func (u *upstream) fallback(start, direct service) (targetList, error) {
	asked, name := start, serviceStart
	t := target{rooted(u.host), portStart, false}
	if u.cfg.TLS == TLSDirect {
		asked, name = direct, serviceDirect
		t.port, t.direct = portDirect, true
	}
	name = "_" + name + "._tcp." + u.host
	if asked.refused {
		return targetList{}, newFault(atLookup, name, errNotOffered)
	}
	list := targetList{targets: []target{t}}
	if err := errors.Join(asked.err, direct.err); err != nil {
		list.doubt = newFault(atLookup, name, firstOf(asked.err, direct.err))
	}
	return list, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// order puts the records of both services into one row, lower priority numbers
// first, and within a priority at random by weight (RFC 2782, XEP-0368 section 2).
// intn is uniform in [0, n).
func order(start, direct []*net.SRV, intn func(n int) int) []target {
	type record struct {
		*net.SRV
		direct bool
	}
	var all []record
	for _, r := range direct {
		all = append(all, record{r, true})
	}
	for _, r := range start {
		all = append(all, record{r, false})
	}
	slices.SortStableFunc(all, func(a, b record) int { return int(a.Priority) - int(b.Priority) })
	var row []target
	for len(all) > 0 {
		n := 0
		for n < len(all) && all[n].Priority == all[0].Priority {
			n++
		}
		i := pick(n, func(i int) int { return int(all[i].Weight) }, intn)
		row = append(row, target{rooted(all[i].Target), all[i].Port, all[i].direct})
		all = slices.Delete(all, i, i+1)
	}
	return row
}

// pick chooses one of n at random by weight. Weight 0 has a very small chance
// beside others (RFC 2782): here one in a thousandth of a weight of 1.
func pick(n int, weight func(i int) int, intn func(n int) int) int {
	const scale = 1000
	share := func(i int) int { return max(weight(i)*scale, 1) }
	total := 0
	for i := range n {
		total += share(i)
	}
	for at, i := intn(total), 0; ; i++ {
		if at -= share(i); at < 0 {
			return i
		}
	}
}

// splitAddress is host and port of a configured address.
func splitAddress(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, newFault(atLookup, address, err)
	}
	n, err := net.LookupPort("tcp", text)
	if err != nil {
		return "", 0, newFault(atLookup, address, err)
	}
	return host, uint16(n), nil
}
